"""Rows beside the log as they are stored, to be compared with what they were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from chekara.adapters import tables
from chekara.adapters.rows import Rows
from chekara.service.chain import canonical_json, payload_digest


def stored_rows(connection: Connection, entries: Sequence[Row[Any]]) -> dict[tuple[str, int], Rows]:
    """Return the rows of log entries, by chain and position, then by table.

    Parameters
    ----------
    connection : Connection
    entries : sequence of rows with ``chain`` and ``position``
        Neighbours in the log: everything between the first and the last of a chain is read.
    """
    found: dict[tuple[str, int], Rows] = {}
    for chain in {entry.chain for entry in entries}:
        positions = [entry.position for entry in entries if entry.chain == chain]
        for table in tables.ROW_TABLES:
            query = select(table).where(
                table.c.chain == chain, table.c.position.between(min(positions), max(positions))
            )
            for row in connection.execute(query).mappings():
                place = (row["chain"], row["position"])
                found.setdefault(place, {}).setdefault(table.name, []).append(dict(row))
    return found


def differing_tables(expected: Rows, stored: Rows) -> tuple[str, ...]:
    """Return the tables whose rows are not the same, in whatever order."""
    names = sorted(expected.keys() | stored.keys())
    return tuple(name for name in names if _sorted(expected.get(name, [])) != _sorted(stored.get(name, [])))


def rows_digest(rows: Rows) -> str:
    """Return one digest of an entry's rows in all tables, in whatever order they come."""
    return payload_digest(canonical_json({name: _sorted(some) for name, some in rows.items()}))


def _sorted(rows: Sequence[dict[str, Any]]) -> list[str]:
    return sorted(repr(sorted(row.items())) for row in rows)
