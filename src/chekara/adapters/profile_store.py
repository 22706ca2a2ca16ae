"""What is known of entities, in the database: read and written in the transaction that records the events."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from types import MappingProxyType
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Dialect, Table, bindparam, delete, insert, select, update
from sqlalchemy.dialects import sqlite

from chekara.adapters import tables
from chekara.adapters.database import as_unavailable, driver_rows, driver_writes
from chekara.features.profile_keys import slots_of
from chekara.features.profile_live import ResultEvent, StateKey
from chekara.service.chain import canonical_json, instant_from, instant_text
from chekara.service.payload import inspection_from, plain_inspection
from chekara.service.records import ProfileHead

T = TypeVar("T")

ASKED_AT_ONCE: Final = 4096
"""Keys of one statement; SQLite takes 32,766 values."""
MAKING: Final = "making:"
"""Stands before a layout's digest, in place of ``sha256:``, while a shelf is being made."""
_WHOLE: Final = "sha256:"


class Shelf:
    """One shelf of profiles on one connection.

    Parameters
    ----------
    connection : Connection
    shelf : {'a', 'b'}
    """

    def __init__(self, connection: Connection, shelf: str) -> None:
        self._connection = connection
        self.shelf = shelf
        self._states = tables.profile_states[shelf]
        self._records = tables.profile_records[shelf]

    def head(self) -> ProfileHead | None:
        """Return where the fold stands, or None where nothing was ever kept on this shelf."""
        found = driver_rows(self._connection, _head_sql(self._connection.dialect), (self.shelf,))
        if not found:
            return None
        row = dict(zip(tables.profile_shelves.columns.keys(), found[0], strict=True))
        return ProfileHead(
            layout=row["layout"].replace(MAKING, _WHOLE, 1),
            is_whole=not row["layout"].startswith(MAKING),
            known_to=None if row["known_to"] is None else instant_from(row["known_to"]),
            position=row["position"],
            pending=row["pending"],
            waiting=_waiting_from(row["waiting"]),
            neighbourhoods=_neighbourhoods(row["neighbourhoods"]),
            histories=tuple(json.loads(row["histories"])),
        )

    def write_head(self, head: ProfileHead) -> None:
        """Say where the fold stands now."""
        row = {
            "shelf": self.shelf,
            "layout": head.layout if head.is_whole else head.layout.replace(_WHOLE, MAKING, 1),
            "known_to": None if head.known_to is None else instant_text(head.known_to),
            "position": head.position,
            "pending": head.pending,
            "waiting": _waiting_text(head.waiting),
            "neighbourhoods": json.dumps(dict(head.neighbourhoods), sort_keys=True, ensure_ascii=False),
            "histories": json.dumps(head.histories),
        }
        new = sqlite.insert(tables.profile_shelves).values(row | {"is_serving": False})
        self._connection.execute(new.on_conflict_do_update(index_elements=["shelf"], set_=row))

    def serve(self) -> None:
        """Let this shelf serve from now on, and no other."""
        t = tables.profile_shelves
        self._connection.execute(update(t).values(is_serving=t.c.shelf == self.shelf))

    def move_head(self, head: ProfileHead) -> None:
        """Say how far the fold has come; what it is made of stays."""
        known_to = None if head.known_to is None else instant_text(head.known_to)
        moved = (known_to, head.position, head.pending, _waiting_text(head.waiting), self.shelf)
        driver_writes(self._connection, _move_sql(self._connection.dialect), [moved])

    def states(self, keys: Sequence[StateKey]) -> dict[StateKey, bytes]:
        """Return stored states; a key that was never seen is absent."""
        return dict(_looked_up(self._connection, self._states, list(keys)))

    def records(self, crossing_ids: Sequence[str]) -> dict[str, bytes]:
        """Return what crossings contributed; one that was never seen is absent."""
        return dict(_looked_up(self._connection, self._records, list(crossing_ids)))

    def write(self, states: Mapping[StateKey, bytes], records: Mapping[str, bytes]) -> None:
        """Write changed states and records."""
        if states:
            # In the order of their pages.
            rows = sorted(states.items())
            driver_writes(self._connection, _upsert_sql(self._states, self._connection.dialect), rows)
        if records:
            driver_writes(self._connection, _upsert_sql(self._records, self._connection.dialect), list(records.items()))

    def add_states(self, kind: str, keys: npt.NDArray[np.int64], states: npt.NDArray[np.float64]) -> None:
        """Write many new states of one kind.

        Parameters
        ----------
        kind : str
        keys : ndarray of shape (n,), int64
        states : ndarray of shape (n, width), float64
        """
        slots = slots_of(kind, keys).tolist()
        rows = [{"slot": slot, "state": state.tobytes()} for slot, state in zip(slots, states, strict=True)]
        if rows:
            self._connection.execute(insert(self._states), rows)

    def add_records(self, records: Sequence[tuple[str, bytes]]) -> None:
        """Write many new records."""
        rows = [{"crossing_id": crossing_id, "record": record} for crossing_id, record in records]
        if rows:
            self._connection.execute(insert(self._records), rows)

    def clear_some(self, limit: int) -> bool:
        """Take down some rows of states and records, however many there are; whether nothing is left.

        Parameters
        ----------
        limit : int
            Most rows of each.
        """
        n_gone = 0
        for table in (self._states, self._records):
            key = next(iter(table.primary_key))
            some = select(key).limit(limit).scalar_subquery()
            n_gone += self._connection.execute(delete(table).where(key.in_(some))).rowcount
        return n_gone == 0

    def content(self) -> Iterator[tuple[str, Any, bytes]]:
        """Yield every row of states and records in order, for comparison."""
        for table in (self._states, self._records):
            key = next(iter(table.primary_key))
            for row in self._connection.execute(select(table).order_by(key)):
                yield table.name[:-2], row[0], row[1]


def serving_shelf(connection: Connection) -> Shelf:
    """Return the shelf that serves; the first one where none was chosen yet."""
    found = driver_rows(connection, _serving_sql(connection.dialect))
    return Shelf(connection, found[0][0] if found else tables.SHELVES[0])


def other_shelf(connection: Connection) -> Shelf:
    """Return the shelf that does not serve: the one to fill."""
    serving = serving_shelf(connection).shelf
    return Shelf(connection, next(shelf for shelf in tables.SHELVES if shelf != serving))


class TransactionProfiles:
    """A shelf within one transaction: each row is read once, and written once at its end.

    Parameters
    ----------
    shelf : Shelf
        On a connection that is in a transaction, a writing one unless `flush` is told another.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._head: ProfileHead | None = None
        self._is_head_known = False
        self._is_begun = False
        self._states: dict[StateKey, bytes | None] = {}
        self._records: dict[str, bytes | None] = {}
        self._changed_states: dict[StateKey, bytes] = {}
        self._changed_records: dict[str, bytes] = {}
        self._is_changed = False

    def head(self) -> ProfileHead | None:
        """Return where the fold stands, or None where nothing was ever folded."""
        if not self._is_head_known:
            with as_unavailable():
                self._head, self._is_head_known = self._shelf.head(), True
            self._is_begun = self._head is not None
        return self._head

    def states(self, keys: Sequence[StateKey]) -> dict[StateKey, bytes]:
        """Return stored states; a key that was never seen is absent. Earlier changes count."""
        unread = [key for key in keys if key not in self._states]
        if unread:
            with as_unavailable():
                self._states |= dict.fromkeys(unread) | self._shelf.states(unread)
        return {key: state for key in keys if (state := self._states[key]) is not None}

    def records(self, crossing_ids: Sequence[str]) -> dict[str, bytes]:
        """Return what crossings contributed; one that was never seen is absent. Earlier changes count."""
        unread = [one for one in crossing_ids if one not in self._records]
        if unread:
            with as_unavailable():
                self._records |= dict.fromkeys(unread) | self._shelf.records(unread)
        return {one: record for one in crossing_ids if (record := self._records[one]) is not None}

    def keep(self, head: ProfileHead, states: Mapping[StateKey, bytes], records: Mapping[str, bytes]) -> None:
        """Keep what a fold changed; it is written with the transaction."""
        self.head()
        self._head, self._is_head_known, self._is_changed = head, True, True
        self._states |= states
        self._records |= records
        self._changed_states |= states
        self._changed_records |= records

    def flush(self, shelf: Shelf | None = None) -> None:
        """Send what changed to the database.

        Parameters
        ----------
        shelf : Shelf, optional
            The same shelf in a later, writing transaction, where nobody else writes to it: what was read and folded
            then held no lock.
        """
        if not self._is_changed or self._head is None:
            return
        to = shelf or self._shelf
        to.write(self._changed_states, self._changed_records)
        if self._is_begun:
            to.move_head(self._head)
        else:
            to.write_head(self._head)
            self._is_begun = True
        self._changed_states, self._changed_records, self._is_changed = {}, {}, False


@lru_cache(maxsize=4)
def _neighbourhoods(text: str) -> Mapping[str, str]:
    """Read once what every transaction needs; equal texts give the same object."""
    return MappingProxyType(json.loads(text))


def _waiting_text(waiting: Sequence[ResultEvent]) -> str:
    if not waiting:
        return "[]"
    rows = [{"position": one.position, "inspection": plain_inspection(one.inspection)} for one in waiting]
    return canonical_json(rows).decode()


def _waiting_from(text: str) -> tuple[ResultEvent, ...]:
    if text == "[]":
        return ()
    return tuple(
        ResultEvent(inspection=inspection_from(row["inspection"]), position=row["position"]) for row in json.loads(text)
    )


def _looked_up(connection: Connection, table: Table, wanted: list[Any]) -> Iterator[tuple[Any, bytes]]:
    for some in _parts(wanted, ASKED_AT_ONCE):
        # Statements of a few lengths only, so that each is prepared once.
        length = 1 << (len(some) - 1).bit_length()
        padded = some + [some[-1]] * (length - len(some))
        sql = _look_up_sql(table, length, connection.dialect)
        yield from driver_rows(connection, sql, padded)


# The statements of every request: written by SQLAlchemy once, since writing one takes longer than running it.
@lru_cache(maxsize=128)
def _look_up_sql(table: Table, length: int, dialect: Dialect) -> str:
    (key,) = table.primary_key
    wanted = key.in_([bindparam(f"k{i}") for i in range(length)])
    return str(select(table).where(wanted).compile(dialect=dialect))


@lru_cache(maxsize=16)
def _upsert_sql(table: Table, dialect: Dialect) -> str:
    (key,) = table.primary_key
    value = next(column.name for column in table.columns if column is not key)
    new = sqlite.insert(table)
    return str(
        new.on_conflict_do_update(index_elements=[key], set_={value: new.excluded[value]}).compile(dialect=dialect)
    )


@lru_cache(maxsize=4)
def _serving_sql(dialect: Dialect) -> str:
    t = tables.profile_shelves
    return str(select(t.c.shelf).where(t.c.is_serving).compile(dialect=dialect))


@lru_cache(maxsize=4)
def _head_sql(dialect: Dialect) -> str:
    t = tables.profile_shelves
    return str(select(t).where(t.c.shelf == bindparam("own")).compile(dialect=dialect))


@lru_cache(maxsize=4)
def _move_sql(dialect: Dialect) -> str:
    t = tables.profile_shelves
    moved = update(t).values(
        {name: bindparam(f"new_{name}") for name in ("known_to", "position", "pending", "waiting")}
    )
    return str(moved.where(t.c.shelf == bindparam("own")).compile(dialect=dialect))


def _parts(values: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(values)
    while part := list(islice(rest, size)):
        yield part
