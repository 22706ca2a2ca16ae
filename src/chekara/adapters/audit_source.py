"""The log as the audit reads it: entry by entry, with payload and rows beside it, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, and_, exists, func, select, tuple_

from chekara.adapters import database as tables
from chekara.adapters.database import Database, as_bytes, as_stored
from chekara.adapters.rows import Rows, rows_of
from chekara.service.audit import AuditedEntry
from chekara.service.chain import payload_digest
from chekara.service.payload import parsed

BATCH = 500


class SqlAuditSource:
    """Reads a database for the audit.

    Parameters
    ----------
    database : Database
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def entries(self) -> Iterator[AuditedEntry]:
        """Yield every entry, by chain, then by position; one consistent snapshot."""
        with self._database.reading() as connection:
            recorded = _recorded_removals(connection)
            last: tuple[str, int] = ("", 0)
            while batch := _batch(connection, last):
                stored = _stored_rows(connection, batch)
                for entry in batch:
                    yield _audited(entry, recorded, stored)
                last = (batch[-1].chain, batch[-1].position)

    def stray_rows(self) -> dict[str, int]:
        """Return how many rows per table belong to no log entry."""
        found: dict[str, int] = {}
        with self._database.reading() as connection:
            for table in (tables.payloads, *tables.ROW_TABLES):
                entry = and_(tables.log.c.chain == table.c.chain, tables.log.c.position == table.c.position)
                count = connection.execute(select(func.count()).select_from(table).where(~exists().where(entry)))
                if rows := count.scalar_one():
                    found[table.name] = rows
            n = tables.name_lists
            lists = connection.execute(select(n.c.digest, as_stored(n.c.names)))
            changed = sum(payload_digest(as_bytes(names)) != digest for digest, names in lists)
        return found | ({tables.name_lists.name: changed} if changed else {})

    def missing_guards(self) -> frozenset[str]:
        """Return the append-only triggers that are gone, or are others than they were."""
        return self._database.missing_guards()


def _audited(entry: Row[Any], recorded: set[tuple[str, int]], stored: Mapping[tuple[str, int], Rows]) -> AuditedEntry:
    # SQLite keeps whatever type is written: an edited field may come back as another, which must be found, not trip us.
    place = (str(entry.chain), entry.position if isinstance(entry.position, int) else -1)
    body = None if entry.body is None else as_bytes(entry.body)
    return AuditedEntry(
        chain=place[0],
        position=place[1],
        kind=str(entry.kind),
        recorded_at=str(entry.recorded_at),
        payload_digest=str(entry.payload_digest),
        previous_hash=str(entry.previous_hash),
        hash=str(entry.hash),
        payload=body,
        is_removal_recorded=place in recorded,
        differing_tables=() if body is None else _differing(str(entry.kind), place, body, stored.get(place, {})),
    )


def _recorded_removals(connection: Connection) -> set[tuple[str, int]]:
    """Return what retention events say was removed, from their payloads, which the chain vouches for."""
    t, p = tables.log, tables.payloads
    query = (
        select(p.c.body)
        .join(t, (t.c.chain == p.c.chain) & (t.c.position == p.c.position))
        .where(t.c.kind == "retention")
    )
    events = [_parsed(body) for body in connection.execute(query).scalars()]
    return {(event["removed_chain"], position) for event in events if event for position in event["removed_positions"]}


def _batch(connection: Connection, last: tuple[str, int]) -> Sequence[Row[Any]]:
    t, p = tables.log, tables.payloads
    query = (
        select(t, as_stored(p.c.body).label("body"))
        .outerjoin(p, (t.c.chain == p.c.chain) & (t.c.position == p.c.position))
        .where(tuple_(t.c.chain, t.c.position) > last)
        .order_by(t.c.chain, t.c.position)
        .limit(BATCH)
    )
    return connection.execute(query).all()


def _stored_rows(connection: Connection, batch: Sequence[Row[Any]]) -> dict[tuple[str, int], Rows]:
    found: dict[tuple[str, int], Rows] = {}
    for chain in {entry.chain for entry in batch}:
        positions = [entry.position for entry in batch if entry.chain == chain]
        for table in tables.ROW_TABLES:
            query = select(table).where(
                table.c.chain == chain, table.c.position.between(min(positions), max(positions))
            )
            for row in connection.execute(query).mappings():
                place = (row["chain"], row["position"])
                found.setdefault(place, {}).setdefault(table.name, []).append(dict(row))
    return found


def _differing(kind: str, place: tuple[str, int], body: bytes, stored: Rows) -> tuple[str, ...]:
    payload = _parsed(body)
    if payload is None:
        return ("payloads",)
    try:
        expected = rows_of(kind, *place, payload)
    except (KeyError, TypeError, ValueError):
        return ("payloads",)
    names = sorted(expected.keys() | stored.keys())
    return tuple(name for name in names if _sorted(expected.get(name, [])) != _sorted(stored.get(name, [])))


def _sorted(rows: Sequence[dict[str, Any]]) -> list[str]:
    return sorted(repr(sorted(row.items())) for row in rows)


def _parsed(body: bytes) -> dict[str, Any] | None:
    try:
        found = parsed(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return found if isinstance(found, dict) else None
