"""Make the profiles anew: what was loaded, then everything that the live log holds, each at its instant.

The new profiles are laid on the shelf that does not serve while a service goes on scoring with the other one
(`chekara.adapters.profile_fill`). In the last transaction what was recorded meanwhile is folded too, and the shelves
change places.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from chekara.adapters.database import Database, open_database
from chekara.adapters.loaded_histories import LoadedHistories
from chekara.adapters.log_events import count_events, log_events
from chekara.adapters.policies import serving_policy
from chekara.adapters.profile_fill import EVENTS_AT_ONCE, Filled, Progress, ShelfFiller, fold_next
from chekara.adapters.profile_store import other_shelf, serving_shelf
from chekara.data.identity import EntityTokens, load_entity_secret
from chekara.data.sources import History, load_history
from chekara.policy import load_policy
from chekara.service.profiles import FoldEvents
from chekara.service.records import ProfileHead
from chekara.settings import Settings


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
        Events of the live log that are folded.
    left_out : int
        Rows of loaded histories that are known much later than now: they count once their time has come, from the next
        rebuild on.
    known_to : datetime or None
        Newest instant that is folded.
    is_ahead : bool
        They do not serve yet: the next service of this version and policy lets them.
    is_needless : bool
        Nothing was made ahead: what serves has the layout of this version and policy.
    """

    was_loaded_before: bool = False
    history: History | None = None
    crossings: int = 0
    results: int = 0
    live_events: int = 0
    left_out: int = 0
    known_to: datetime | None = None
    is_ahead: bool = False
    is_needless: bool = False


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
            filler = ShelfFiller(database, loaded, _fold_of(settings), progress or _tell_nobody)
            return replace(_served(database, filler, filler.fill(fresh)), history=history)
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
            filler = ShelfFiller(database, loaded, _fold_of(settings), progress or _tell_nobody)
            return _served(database, filler, filler.fill())
        finally:
            database.close()


def rebuild_ahead(settings: Settings, progress: Progress | None = None) -> ProfilesMade:
    """Make the profiles of this version and policy beside those that serve, for a service that is yet to start.

    What was made ahead before is only brought up to date. Nothing that serves changes.

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
        database, fold = open_database(settings), _fold_of(settings)
        try:
            if not is_of_other_layout(database, fold):
                return ProfilesMade(is_needless=True)
            filler = ShelfFiller(database, loaded, fold, progress or _tell_nobody)
            filled = Filled() if filler.is_begun() else filler.fill()
            filler.fold_log()
            with database.reading() as connection:
                head = other_shelf(connection).head()
            return replace(_made(database, filled, head), is_ahead=True)
        finally:
            database.close()


def is_of_other_layout(database: Database, fold: FoldEvents) -> bool:
    """Whether the profiles that serve cannot be read by this version and policy.

    Parameters
    ----------
    database : Database
    fold : FoldEvents
        Of this version and policy.
    """
    with database.reading() as connection:
        head = serving_shelf(connection).head()
    return head is not None and head.layout != fold.layout


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
    NotReadyError
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
            done += fold_next(serving_shelf(connection), connection, fold, EVENTS_AT_ONCE)


def _fold_of(settings: Settings) -> FoldEvents:
    # Profiles are made ahead for a policy that is yet to be promoted, too.
    named = settings.policy_path
    return FoldEvents(tuple((serving_policy(settings) if named is None else load_policy(named)).domains))


def _tell_nobody(_what: str, _done: int, _of: int) -> None:
    """Progress that nobody asked for."""


def _served(database: Database, filler: ShelfFiller, filled: Filled) -> ProfilesMade:
    return _made(database, filled, filler.serve())


def _made(database: Database, filled: Filled, head: ProfileHead | None) -> ProfilesMade:
    with database.reading() as connection:
        n_live = count_events(connection, 0)
    return ProfilesMade(
        crossings=filled.crossings,
        results=filled.results,
        live_events=n_live,
        left_out=filled.left_out,
        known_to=None if head is None else head.known_to,
    )
