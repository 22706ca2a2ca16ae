"""A log of a million decisions in a minute: real entries and rows, written past the service.

A few crossings are scored by a real service. Their entries are repeated under new ids: every row that a decision writes
is written, and the chain is hashed as the service hashes it. Payloads (tens of kB each) are written for the newest
only, as after retention removed older ones; the profiles are told that they hold what the entries say.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from benchmarks.house import past_the_service
from chekara.adapters.rows import rows_of
from chekara.service.chain import entry_hash, instant_text, payload_digest

CHAIN = "live"
PIECE = 5_000
WITH_PAYLOADS = 5_000


@dataclass(frozen=True, slots=True)
class Template:
    """One real decision: its payload, and the rows that it writes."""

    body: bytes
    digest: str
    rows: tuple[tuple[str, dict[str, Any]], ...]


def _templates(connection: sqlite3.Connection) -> list[Template]:
    found = connection.execute(
        "SELECT p.position, p.body FROM payloads AS p JOIN decisions AS d USING (chain, position) WHERE chain = ?"
        " ORDER BY position LIMIT 500",
        (CHAIN,),
    ).fetchall()
    templates = []
    for position, body in found:
        rows = rows_of("decision", CHAIN, position, msgspec.json.decode(body))
        flat = tuple((table, row) for table, each in rows.items() for row in each)
        templates.append(Template(body, payload_digest(body), flat))
    return templates


def _entries(
    templates: list[Template], n: int, head: tuple[int, str], seed: int
) -> Iterator[dict[str, list[dict[str, Any]]]]:
    """Yield what each new entry writes, by table."""
    rng = np.random.default_rng(seed)
    position, previous = head
    at = instant_text(datetime.now(UTC))
    for number, which in enumerate(rng.integers(0, len(templates), n).tolist()):
        template = templates[which]
        position += 1
        entry: dict[str, Any] = {"chain": CHAIN, "position": position, "kind": "decision", "recorded_at": at}
        entry |= {"payload_digest": template.digest, "previous_hash": previous}
        previous = entry["hash"] = entry_hash(**entry)
        # Spread over all ids as random ones are, and ascending, so that a tree is filled page by page.
        own = {
            "position": position,
            "decision_id": f"{number * 2**32 // n:08x}-0000-4000-8000-{position:012x}",
            "crossing_id": f"BULK-{position:012d}",
        }
        writes: dict[str, list[dict[str, Any]]] = {"log": [entry]}
        if n - number <= WITH_PAYLOADS:
            writes["payloads"] = [{"chain": CHAIN, "position": position, "body": template.body}]
        for table, row in template.rows:
            writes.setdefault(table, []).append(row | {name: own[name] for name in own if name in row})
        yield writes


def grow_log(database: Path, n: int, *, seed: int = 1) -> None:
    """Append ``n`` decisions to the log of a home that nobody serves.

    Parameters
    ----------
    database : Path
        SQLite file; its log holds some decisions to repeat.
    n : int
    seed : int

    Raises
    ------
    ValueError
        The log holds no decision.
    """
    with past_the_service(database) as connection:
        templates = _templates(connection)
        if not templates:
            raise ValueError(f"{database.name} holds no decision to repeat")
        newest = "SELECT position, hash FROM log WHERE chain = ? ORDER BY position DESC LIMIT 1"
        entries = _entries(templates, n, connection.execute(newest, (CHAIN,)).fetchone(), seed)
        while piece := list(islice(entries, PIECE)):
            by_table: dict[str, list[dict[str, Any]]] = {}
            for entry in piece:
                for table, rows in entry.items():
                    by_table.setdefault(table, []).extend(rows)
            for table, rows in by_table.items():
                names = list(rows[0])
                sql = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608
                connection.executemany(sql, [tuple(row.values()) for row in rows])
        head = connection.execute(newest, (CHAIN,)).fetchone()[0]
        connection.execute("UPDATE profile_shelves SET position = ? WHERE is_serving", (head,))


def count_decisions(database: Path) -> int:
    """Return how many decisions a log holds."""
    with closing(sqlite3.connect(database)) as connection:
        return int(connection.execute("SELECT count(*) FROM decisions").fetchone()[0])
