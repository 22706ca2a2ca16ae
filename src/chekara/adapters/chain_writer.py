"""Append events to the hash chain, each with its payload and its rows, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Dialect, Table, bindparam, insert, select

from chekara.adapters import tables
from chekara.adapters.database import driver_rows, driver_writes
from chekara.adapters.rows import rows_of
from chekara.service.chain import GENESIS, canonical_json, entry_hash, instant_text, payload_digest
from chekara.service.payload import Plain
from chekara.service.records import Chain

Clock = Callable[[], datetime]


def now() -> datetime:
    """Return the present instant, in UTC."""
    return datetime.now(UTC)


class ChainWriter:
    """Appends within one transaction. Rows are collected and sent together, table by table.

    Parameters
    ----------
    connection : Connection
        In a transaction that holds the write lock, so that nobody else moves the head.
    clock : callable
        Gives ``recorded_at``; the order of the log is its positions, not its clock.
    """

    def __init__(self, connection: Connection, clock: Clock = now) -> None:
        self._connection = connection
        self._clock = clock
        self._heads: dict[Chain, tuple[int, str]] = {}
        self._waiting: dict[str, list[dict[str, Any]]] = {}

    def append(self, chain: Chain, kind: str, content: Plain) -> int:
        """Append an event; returns its position. It is in the database after `flush`, durable after the commit."""
        payload = canonical_json(content)
        position, previous_hash = self.head(chain)
        position += 1
        entry: dict[str, Any] = {
            "chain": chain.value,
            "position": position,
            "kind": kind,
            "recorded_at": instant_text(self._clock()),
            "payload_digest": payload_digest(payload),
            "previous_hash": previous_hash,
        }
        entry["hash"] = entry_hash(**entry)
        self._heads[chain] = (position, entry["hash"])
        self._wait("log", entry)
        self._wait("payloads", {"chain": chain.value, "position": position, "body": payload})
        for table, rows in rows_of(kind, chain.value, position, content).items():
            for row in rows:
                self._wait(table, row)
        return position

    def flush(self) -> None:
        """Send collected rows to the database."""
        waiting, self._waiting = self._waiting, {}
        for table in (tables.log, tables.payloads, *tables.ROW_TABLES):
            if table.name in waiting:
                sql, names = _insert_sql(table, self._connection.dialect)
                rows = [tuple(row[name] for name in names) for row in waiting[table.name]]
                driver_writes(self._connection, sql, rows)

    def _wait(self, table: str, row: dict[str, Any]) -> None:
        self._waiting.setdefault(table, []).append(row)

    def head(self, chain: Chain) -> tuple[int, str]:
        """Return position and hash of the newest entry of a chain, appended ones included."""
        if chain not in self._heads:
            self._heads[chain] = head_of(self._connection, chain)
        return self._heads[chain]


# The statements of every request: written by SQLAlchemy once, since writing one takes longer than running it.
@lru_cache(maxsize=64)
def _insert_sql(table: Table, dialect: Dialect) -> tuple[str, tuple[str, ...]]:
    compiled = insert(table).compile(dialect=dialect)
    return str(compiled), tuple(compiled.positiontup or ())


@lru_cache(maxsize=4)
def _head_sql(dialect: Dialect) -> str:
    t = tables.log
    newest = select(t.c.position, t.c.hash).where(t.c.chain == bindparam("own")).order_by(t.c.position.desc())
    return f"{newest.compile(dialect=dialect)} LIMIT 1"


def head_of(connection: Connection, chain: Chain) -> tuple[int, str]:
    """Return position and hash of the newest entry of a chain; 0 and 64 zeros where there is none."""
    found = driver_rows(connection, _head_sql(connection.dialect), (chain.value,))
    return found[0] if found else (0, GENESIS)


def append_live(connection: Connection, clock: Clock, kind: str, content: Plain) -> int:
    """Append one event to the live chain, with its rows; durable after the commit.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        Of a transaction that may write.
    clock : callable
        Gives ``recorded_at``.
    kind : str
    content : dict

    Returns
    -------
    int
        Its position.
    """
    writer = ChainWriter(connection, clock)
    position = writer.append(Chain.LIVE, kind, content)
    writer.flush()
    return position
