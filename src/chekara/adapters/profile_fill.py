"""Fill the shelf of profiles that does not serve: what was loaded, then everything that the live log holds.

Each event is folded at its instant. The other shelf goes on serving: whatever is read and computed here holds no lock,
and what is written goes in small transactions, so that a score waits for one of them at most. Until all of the loaded
histories is in, the shelf is marked as being made; from then on it is whole up to a position of the log, and whoever
finds it so, after a crash or an upgrade, goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, TypeAlias

import pandas as pd
from sqlalchemy import Connection, select

from chekara.adapters import tables
from chekara.adapters.database import Database
from chekara.adapters.loaded_histories import LoadedHistories, without
from chekara.adapters.log_events import LogEvent, count_events, log_events
from chekara.adapters.profile_events import events_of_history
from chekara.adapters.profile_store import Shelf, TransactionProfiles, other_shelf
from chekara.data.sources import History
from chekara.features.profile_live import ProfileEvent, ResultEvent, instant_of, neighbourhoods
from chekara.features.profiles import fold_history
from chekara.service.profiles import FoldEvents
from chekara.service.records import Chain, ProfileHead

Progress: TypeAlias = Callable[[str, int, int], None]
"""Told (what is done, how much of it, of how much), outside of every transaction."""

# What a score may have to wait for: some ten milliseconds of writing each.
ROWS_AT_ONCE: Final = 5_000
EVENTS_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class Filled:
    """What a shelf was made of.

    Attributes
    ----------
    crossings, results : int
        Revisions of crossings and of results in all loaded histories together; 0 where the shelf held them already.
    left_out : int
        Rows of loaded histories that are known much later than now.
    """

    crossings: int = 0
    results: int = 0
    left_out: int = 0


class ShelfFiller:
    """Fills the shelf that does not serve; used by one process at a time (`LoadedHistories.locked`).

    Parameters
    ----------
    database : Database
    loaded : LoadedHistories
    fold : FoldEvents
        Of the layout that is wanted.
    told : callable
        Progress; what it raises ends the work, at a place from which it can go on.
    """

    def __init__(self, database: Database, loaded: LoadedHistories, fold: FoldEvents, told: Progress) -> None:
        self._database = database
        self._loaded = loaded
        self._fold = fold
        self._told = told

    def is_begun(self) -> bool:
        """Whether the shelf is whole up to some position, of the layout and the histories that are wanted."""
        with self._database.reading() as connection:
            head = other_shelf(connection).head()
        return (
            head is not None
            and head.is_whole
            and head.layout == self._fold.layout
            and head.histories == self._loaded.names()
        )

    def fill(self, fresh: Mapping[str, History] | None = None) -> Filled:
        """Make the shelf anew from the loaded histories, and from live events where some lie between theirs.

        Parameters
        ----------
        fresh : mapping of str to History, optional
            By name: loaded histories that are in memory already.
        """
        names = self._loaded.names()
        history, left_out = self._loaded.read(fresh)
        self._clear()
        with self._database.reading() as connection:
            first = log_events(connection, 0, 1)
            known = _known_keys(connection)
        head = replace(self._fold.first_head(), histories=names, is_whole=False)
        later: list[ProfileEvent] = []
        if history is not None:
            history = without(history, known)
            head = replace(head, neighbourhoods=neighbourhoods(history.crossing_points))
            before, later = _split(history, first[0].as_of if first else None)
            head = self._lay(before, head)
        self._write_head(head)
        newest = self._fold_merged(later) if later else 0
        with self._database.writing() as connection:
            shelf = other_shelf(connection)
            there = shelf.head() or head
            shelf.write_head(replace(there, position=max(newest, there.position), is_whole=True))
        return Filled(
            crossings=0 if history is None else int(history.crossings.groupby(["crossing_id", "revision"]).ngroups),
            results=0 if history is None else len(history.inspections),
            left_out=left_out,
        )

    def fold_log(self) -> None:
        """Fold what the live log holds and the shelf does not, until hardly anything is left."""
        done, n_events = 0, 0
        while True:
            with self._database.reading() as connection:
                shelf = other_shelf(connection)
                rows = TransactionProfiles(shelf)
                head = rows.head() or self._fold.first_head()
                events = log_events(connection, head.position, EVENTS_AT_ONCE)
                n_events = max(n_events, done + count_events(connection, head.position))
                if events:
                    fold_into(rows, self._fold, events)
            if events:
                with self._database.writing() as connection:
                    rows.flush(Shelf(connection, shelf.shelf))
                done += len(events)
                self._told("folding the live log", done, n_events)
            if len(events) < EVENTS_AT_ONCE:
                return

    def serve(self) -> ProfileHead | None:
        """Fold what was recorded meanwhile and let the shelf serve, in one transaction; where the fold stands."""
        self.fold_log()
        with self._database.writing() as connection:
            shelf = other_shelf(connection)
            while fold_next(shelf, connection, self._fold, EVENTS_AT_ONCE):
                pass
            shelf.serve()
            return shelf.head()

    def _clear(self) -> None:
        """Say that the shelf holds nothing to rely on, and take down what it held, a part at a time."""
        self._write_head(replace(self._fold.first_head(), is_whole=False))
        is_empty, parts = False, 0
        while not is_empty:
            with self._database.writing() as connection:
                is_empty = other_shelf(connection).clear_some(ROWS_AT_ONCE)
            parts += 1
            self._told("clearing the shelf", parts, parts)

    def _write_head(self, head: ProfileHead) -> None:
        with self._database.writing() as connection:
            other_shelf(connection).write_head(head)

    def _lay(self, history: History, head: ProfileHead) -> ProfileHead:
        """Fold a history to its end and lay its states on the shelf."""
        folded = fold_history(
            history,
            domains=self._fold.domains,
            progress=lambda done, of: self._told("folding the history", done, of),
        )
        for kind, keys, states in folded.states():
            for start in range(0, len(keys), ROWS_AT_ONCE):
                part = slice(start, start + ROWS_AT_ONCE)
                with self._database.writing() as connection:
                    other_shelf(connection).add_states(kind, keys[part], states[part])
                self._told(f"writing profiles: {kind}", min(start + ROWS_AT_ONCE, len(keys)), len(keys))
        done = 0
        for records in _parts(folded.records(), ROWS_AT_ONCE):
            with self._database.writing() as connection:
                other_shelf(connection).add_records(records)
            done += len(records)
            self._told("writing what crossings contributed", done, done)
        newest = max(
            (frame["known_at"].max() for frame in (history.crossings, history.inspections) if len(frame)), default=None
        )
        known_to = None if newest is None else newest.to_pydatetime().astimezone(UTC)
        return replace(head, known_to=known_to, pending=folded.pending)

    def _fold_merged(self, later: Sequence[ProfileEvent]) -> int:
        """Fold loaded and live events in one order of instants, at one instant loaded ones first; the last position."""
        live: list[LogEvent] = []
        with self._database.reading() as connection:
            while part := log_events(connection, live[-1].event.position if live else 0, EVENTS_AT_ONCE):
                live += part
        merged = sorted(
            [*(LogEvent(event, instant_of(event)) for event in later), *live],
            key=lambda one: (one.as_of, one.event.position),
        )
        for start in range(0, len(merged), EVENTS_AT_ONCE):
            with self._database.reading() as connection:
                shelf = other_shelf(connection)
                rows = TransactionProfiles(shelf)
                fold_into(rows, self._fold, merged[start : start + EVENTS_AT_ONCE])
            with self._database.writing() as connection:
                rows.flush(Shelf(connection, shelf.shelf))
            self._told("folding loaded and live events", min(start + EVENTS_AT_ONCE, len(merged)), len(merged))
        return live[-1].event.position if live else 0


def fold_next(shelf: Shelf, connection: Connection, fold: FoldEvents, limit: int) -> int:
    """Fold the next events of the live log into a shelf, within the transaction of its connection; how many.

    Parameters
    ----------
    shelf : Shelf
    connection : Connection
        In a writing transaction.
    fold : FoldEvents
    limit : int
        Most events.
    """
    rows = TransactionProfiles(shelf)
    head = rows.head() or fold.first_head()
    events = log_events(connection, head.position, limit)
    if events:
        fold_into(rows, fold, events)
        rows.flush()
    return len(events)


def fold_into(rows: TransactionProfiles, fold: FoldEvents, events: Sequence[LogEvent]) -> None:
    """Fold events that were recorded, in their order; what changed stays in ``rows`` until it is flushed.

    Parameters
    ----------
    rows : TransactionProfiles
    fold : FoldEvents
    events : sequence of LogEvent
        Not empty.
    """
    known_to = max(one.received_at for one in events)
    due = [one.event for one in events if one.as_of <= known_to]
    position = max(0, *(one.event.position for one in events))
    # The newest event of all is known at its receipt, or waits like others: there is always one that is due.
    fold.fold(rows, due).keep(rows, known_to=known_to, position=position)
    for one in events:
        if isinstance(one.event, ResultEvent) and one.as_of > known_to:
            fold.defer(rows, one.event, received_at=known_to)


def _known_keys(connection: Connection) -> dict[str, pd.DataFrame]:
    """Keys of what the live log holds: there, and not in a loaded history, it counts."""
    found: dict[str, pd.DataFrame] = {}
    for name, table, key in (
        ("crossings", tables.decisions, "crossing_id"),
        ("inspections", tables.inspections, "inspection_id"),
    ):
        query = select(table.c[key], table.c.revision).where(table.c.chain == Chain.LIVE.value)
        rows = connection.execute(query).all()
        found[name] = pd.DataFrame(rows, columns=[key, "revision"])
    return found


def _split(history: History, first_live: datetime | None) -> tuple[History, list[ProfileEvent]]:
    """Part a history into what was known before the first live event, and the events after it."""
    if first_live is None:
        return history, []
    is_later = {table: getattr(history, table)["known_at"] >= first_live for table in ("crossings", "inspections")}
    before = {table: getattr(history, table)[~mask].reset_index(drop=True) for table, mask in is_later.items()}
    later = {table: getattr(history, table)[mask] for table, mask in is_later.items()}
    return (
        replace(history, crossings=before["crossings"], inspections=before["inspections"]),
        events_of_history(later["crossings"], later["inspections"]),
    )


def _parts(records: Iterator[tuple[str, bytes]], size: int) -> Iterator[list[tuple[str, bytes]]]:
    part: list[tuple[str, bytes]] = []
    for record in records:
        part.append(record)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part
