"""Make the profiles anew: what was loaded, then everything that the live log holds, each at its instant.

The new profiles are laid on the shelf that does not serve, in small transactions, while a service goes on scoring with
the other one. In the last transaction what was recorded meanwhile is folded too, and the shelves change places.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeAlias

import pandas as pd
from sqlalchemy import Connection, select

from chekara.adapters import database as tables
from chekara.adapters.database import Database, open_database
from chekara.adapters.loaded_histories import LoadedHistories, without
from chekara.adapters.log_events import LogEvent, log_events
from chekara.adapters.profile_events import events_of_history
from chekara.adapters.profile_store import Shelf, TransactionProfiles, other_shelf, serving_shelf
from chekara.data.identity import EntityTokens, load_entity_secret
from chekara.data.sources import History, load_history
from chekara.features.profile_live import ProfileEvent, ResultEvent, neighbourhoods
from chekara.features.profiles import fold_history
from chekara.policy import load_policy
from chekara.service.profiles import FoldEvents, instant_of
from chekara.service.records import Chain, ProfileHead
from chekara.settings import Settings

Progress: TypeAlias = Callable[[str, int, int], None]
"""Told (what is done, how much of it, of how much)."""

ROWS_AT_ONCE: Final = 20_000
EVENTS_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfilesMade:
    """What was done.

    Attributes
    ----------
    was_loaded_before : bool
        Nothing was done: this history is part of the profiles.
    history : History or None
        As it was read from the folder.
    crossings, results : int
        Revisions of crossings and of results in all loaded histories together.
    live_events : int
        Events of the live log.
    left_out : int
        Rows of loaded histories that are known much later than now: they count once their time has come, from the next
        rebuild on.
    known_to : datetime or None
        Newest instant that is folded.
    """

    was_loaded_before: bool = False
    history: History | None = None
    crossings: int = 0
    results: int = 0
    live_events: int = 0
    left_out: int = 0
    known_to: datetime | None = None


def load_profiles(settings: Settings, directory: Path, progress: Progress | None = None) -> ProfilesMade:
    """Load a history into the live profiles. The same files again change nothing.

    Parameters
    ----------
    settings : Settings
    directory : Path
        Folder of history files, or of crossing points alone; entity ids become tokens of this installation.
    progress : callable, optional

    Raises
    ------
    HistoryError
        The history cannot be used.
    ConfigurationError
        A secret or the policy is missing or wrong, or another process loads.
    LogUnavailableError
        The database does not answer.
    """
    tokens = EntityTokens(load_entity_secret(settings))
    history = load_history(directory, tokens=tokens, takes_points_alone=True)
    loaded = LoadedHistories(settings, tokens)
    with loaded.locked():
        database = open_database(settings)
        try:
            with database.reading() as connection:
                head = serving_shelf(connection).head()
            name = loaded.name_of(history.digest)
            if name is not None and head is not None and name in head.histories:
                return ProfilesMade(was_loaded_before=True, history=history, known_to=head.known_to)
            fresh = {name or loaded.add(history): history}
            return replace(_make(settings, database, loaded, progress, fresh), history=history)
        finally:
            database.close()


def rebuild_profiles(settings: Settings, progress: Progress | None = None) -> ProfilesMade:
    """Make the profiles anew from the loaded histories and the live log.

    Parameters
    ----------
    settings : Settings
    progress : callable, optional

    Raises
    ------
    ConfigurationError
        The policy is wrong, or another process loads.
    LogUnavailableError
        The database does not answer.
    """
    loaded = LoadedHistories(settings, EntityTokens(load_entity_secret(settings)))
    with loaded.locked():
        database = open_database(settings)
        try:
            return _make(settings, database, loaded, progress)
        finally:
            database.close()


def catch_up(database: Database, fold: FoldEvents) -> int:
    """Fold what the live log holds and the serving profiles do not, such as what an older version recorded.

    Parameters
    ----------
    database : Database
    fold : FoldEvents

    Returns
    -------
    int
        Events folded.

    Raises
    ------
    ConfigurationError
        The stored profiles have another layout.
    """
    done = 0
    while True:
        with database.reading() as connection:
            head = serving_shelf(connection).head()
            if head is not None:
                fold.refuse_other_layout(head)
            if not log_events(connection, 0 if head is None else head.position, 1):
                return done
        with database.writing() as connection:
            done += _fold_log(serving_shelf(connection), connection, fold, EVENTS_AT_ONCE)


def _make(
    settings: Settings,
    database: Database,
    loaded: LoadedHistories,
    progress: Progress | None,
    fresh: Mapping[str, History] | None = None,
) -> ProfilesMade:
    fold = FoldEvents(tuple(load_policy(settings.policy_path).domains))
    told = progress or (lambda *_: None)
    names = loaded.names()
    history, left_out = loaded.read(fresh)
    with database.reading() as connection:
        first = log_events(connection, 0, 1)
        known = _known_keys(connection)
        n_live = sum(len(keys) for keys in known.values())
    with database.writing() as connection:
        other_shelf(connection).clear()
    head = replace(fold.first_head(), histories=names)
    later: list[ProfileEvent] = []
    if history is not None:
        history = without(history, known)
        head = replace(head, neighbourhoods=neighbourhoods(history.crossing_points))
        before, later = _split(history, first[0].as_of if first else None)
        head = _lay_history(database, before, fold, head, told)
    with database.writing() as connection:
        other_shelf(connection).write_head(head)
    if later:
        _fold_merged(database, fold, later, told)
    else:
        _fold_whole_log(database, fold, n_live, told)
    with database.writing() as connection:
        shelf = other_shelf(connection)
        while _fold_log(shelf, connection, fold, EVENTS_AT_ONCE):
            pass
        made = shelf.head()
        shelf.serve()
    return ProfilesMade(
        crossings=0 if history is None else int(history.crossings.groupby(["crossing_id", "revision"]).ngroups),
        results=0 if history is None else len(history.inspections),
        live_events=n_live,
        left_out=left_out,
        known_to=None if made is None else made.known_to,
    )


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


def _lay_history(
    database: Database, history: History, fold: FoldEvents, head: ProfileHead, told: Progress
) -> ProfileHead:
    """Fold a history to its end and lay its states on the shelf that does not serve."""
    folded = fold_history(
        history, domains=fold.domains, progress=lambda done, of: told("folding the history", done, of)
    )
    for kind, keys, states in folded.states():
        for start in range(0, len(keys), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            with database.writing() as connection:
                other_shelf(connection).add_states(kind, keys[part], states[part])
            told(f"writing profiles: {kind}", min(start + ROWS_AT_ONCE, len(keys)), len(keys))
    done = 0
    for records in _parts(folded.records(), ROWS_AT_ONCE):
        with database.writing() as connection:
            other_shelf(connection).add_records(records)
        done += len(records)
        told("writing what crossings contributed", done, done)
    newest = max(
        (frame["known_at"].max() for frame in (history.crossings, history.inspections) if len(frame)), default=None
    )
    known_to = None if newest is None else newest.to_pydatetime().astimezone(UTC)
    return replace(head, known_to=known_to, pending=folded.pending)


def _parts(records: Iterator[tuple[str, bytes]], size: int) -> Iterator[list[tuple[str, bytes]]]:
    part: list[tuple[str, bytes]] = []
    for record in records:
        part.append(record)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part


def _fold_whole_log(database: Database, fold: FoldEvents, n_live: int, told: Progress) -> None:
    done = 0
    while True:
        with database.writing() as connection:
            folded = _fold_log(other_shelf(connection), connection, fold, EVENTS_AT_ONCE)
        done += folded
        if folded:
            told("folding the live log", done, max(n_live, done))
        if folded < EVENTS_AT_ONCE:
            return


def _fold_log(shelf: Shelf, connection: Connection, fold: FoldEvents, limit: int) -> int:
    """Fold the next events of the live log into a shelf; how many."""
    rows = TransactionProfiles(shelf)
    head = rows.head() or fold.first_head()
    events = log_events(connection, head.position, limit)
    if events:
        _fold_into(rows, fold, events)
    return len(events)


def _fold_into(rows: TransactionProfiles, fold: FoldEvents, events: Sequence[LogEvent]) -> None:
    known_to = max(one.received_at for one in events)
    due = [one.event for one in events if one.as_of <= known_to]
    position = max(0, *(one.event.position for one in events))
    # The newest event of all is known at its receipt, or waits like others: there is always one that is due.
    fold.fold(rows, due).keep(rows, known_to=known_to, position=position)
    for one in events:
        if isinstance(one.event, ResultEvent) and one.as_of > known_to:
            fold.defer(rows, one.event, received_at=known_to)
    rows.flush()


def _fold_merged(database: Database, fold: FoldEvents, later: Sequence[ProfileEvent], told: Progress) -> None:
    """Fold loaded events and live ones in one order of instants; at one instant, loaded ones first."""
    with database.reading() as connection:
        live: list[LogEvent] = []
        while part := log_events(connection, live[-1].event.position if live else 0, EVENTS_AT_ONCE):
            live += part
    merged = sorted(
        [*(LogEvent(event, instant_of(event)) for event in later), *live],
        key=lambda one: (one.as_of, one.event.position),
    )
    newest = live[-1].event.position if live else 0
    for start in range(0, len(merged), EVENTS_AT_ONCE):
        with database.writing() as connection:
            rows = TransactionProfiles(other_shelf(connection))
            _fold_into(rows, fold, merged[start : start + EVENTS_AT_ONCE])
        told("folding loaded and live events", min(start + EVENTS_AT_ONCE, len(merged)), len(merged))
    with database.writing() as connection:
        shelf = other_shelf(connection)
        head = shelf.head()
        if head is not None:
            shelf.write_head(replace(head, position=newest))
