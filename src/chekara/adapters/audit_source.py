"""The log as the audit reads it: entry by entry, with payload and rows beside it, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, Row, and_, exists, func, select, tuple_

from chekara.adapters import tables
from chekara.adapters.database import Database
from chekara.adapters.retention import is_signed_removal
from chekara.adapters.rows import Rows, rows_of
from chekara.adapters.stored_rows import differing_tables, rows_digest, stored_rows
from chekara.adapters.tables import as_bytes, as_stored
from chekara.service.audit import RETENTION, AuditedEntry, Removal
from chekara.service.chain import payload_digest
from chekara.service.payload import Plain, parsed

BATCH = 500


@dataclass(frozen=True, slots=True)
class _Removed:
    """What a signed retention event says of one payload: its digest, and that of the rows which stay."""

    digest: str
    rows: str


@dataclass(frozen=True, slots=True)
class _Removals:
    """All removals: what each place held, and what each retention entry says."""

    places: Mapping[tuple[str, int], _Removed]
    events: Mapping[tuple[str, int], Removal]


class SqlAuditSource:
    """Reads a database for the audit.

    Parameters
    ----------
    database : Database
    key : Ed25519PublicKey or None
        Verifies removals; None verifies nothing, so that each counts as unsigned.
    """

    def __init__(self, database: Database, key: Ed25519PublicKey | None) -> None:
        self._database = database
        self._key = key

    def entries(self) -> Iterator[AuditedEntry]:
        """Yield every entry, by chain, then by position; one consistent snapshot."""
        with self._database.reading() as connection:
            removals = _removals(connection, self._key)
            last: tuple[str, int] = ("", 0)
            while batch := _batch(connection, last):
                stored = stored_rows(connection, batch)
                for entry in batch:
                    yield _audited(entry, removals, stored)
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


def _audited(entry: Row[Any], removals: _Removals, stored: Mapping[tuple[str, int], Rows]) -> AuditedEntry:
    # SQLite keeps whatever type is written: an edited field may come back as another, which must be found, not trip us.
    place = (str(entry.chain), entry.position if isinstance(entry.position, int) else -1)
    body = None if entry.body is None else as_bytes(entry.body)
    rows, removed = stored.get(place, {}), removals.places.get(place)
    is_recorded = removed is not None and removed.digest == str(entry.payload_digest)
    if body is not None:
        differing = _differing(str(entry.kind), place, body, rows)
    elif removed is not None and rows_digest(rows) != removed.rows:
        differing = tuple(sorted(rows)) or ("all tables",)
    else:
        differing = ()
    return AuditedEntry(
        chain=place[0],
        position=place[1],
        kind=str(entry.kind),
        recorded_at=str(entry.recorded_at),
        payload_digest=str(entry.payload_digest),
        previous_hash=str(entry.previous_hash),
        hash=str(entry.hash),
        payload=body,
        is_removal_recorded=is_recorded,
        differing_tables=differing,
        removal=removals.events.get(place),
    )


def _removals(connection: Connection, key: Ed25519PublicKey | None) -> _Removals:
    """Read retention entries; what one says of payloads counts only where it is signed."""
    t, p = tables.log, tables.payloads
    query = (
        select(t.c.chain, t.c.position, as_stored(p.c.body).label("body"))
        .outerjoin(p, (t.c.chain == p.c.chain) & (t.c.position == p.c.position))
        .where(t.c.kind == RETENTION)
    )
    spans = _spans(connection)
    places: dict[tuple[str, int], _Removed] = {}
    events: dict[tuple[str, int], Removal] = {}
    for chain, position, body in connection.execute(query):
        event = (None if body is None else _parsed(as_bytes(body))) or {}
        is_signed = is_signed_removal(event, key)
        if is_signed:
            for one in event["removed"]:
                places[event["removed_chain"], one["position"]] = _Removed(one["digest"], one["rows"])
        events[chain, position] = _removal(event, spans.get((chain, position), (0, "", "")), is_signed=is_signed)
    return _Removals(places, events)


def _removal(event: Plain, span: tuple[int, str, str], *, is_signed: bool) -> Removal:
    return Removal(
        chain=str(event.get("removed_chain", "-")),
        payloads=span[0],
        oldest_at=span[1],
        newest_at=span[2],
        reason=str(event.get("reason", "-")),
        removed_by=str(event.get("removed_by", "-")),
        is_signed=is_signed,
    )


def _spans(connection: Connection) -> dict[tuple[str, int], tuple[int, str, str]]:
    """Return how many payloads each retention entry removed, and when the oldest and the newest were recorded."""
    t, r = tables.log, tables.retention
    query = (
        select(r.c.chain, r.c.position, func.count(), func.min(t.c.recorded_at), func.max(t.c.recorded_at))
        .outerjoin(t, (t.c.chain == r.c.removed_chain) & (t.c.position == r.c.removed_position))
        .group_by(r.c.chain, r.c.position)
    )
    return {
        (chain, position): (number, str(oldest), str(newest))
        for chain, position, number, oldest, newest in connection.execute(query)
    }


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


def _differing(kind: str, place: tuple[str, int], body: bytes, stored: Rows) -> tuple[str, ...]:
    payload = _parsed(body)
    if payload is None:
        return ("payloads",)
    try:
        expected = rows_of(kind, *place, payload)
    except (KeyError, TypeError, ValueError):
        return ("payloads",)
    return differing_tables(expected, stored)


def _parsed(body: bytes) -> dict[str, Any] | None:
    try:
        found = parsed(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return found if isinstance(found, dict) else None
