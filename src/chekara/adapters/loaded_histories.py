"""Histories that were loaded: kept under the home folder with tokens for ids, so that profiles can be made anew.

One folder each, ``profiles/<number>-<digest>``, with the contract's tables as Parquet. What the fold never reads is
left out: goods in words, inspectors, national extensions.
"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import pandas as pd

from chekara.data.checks import empty_table, validate_table
from chekara.data.files import find_table, read_raw
from chekara.data.identity import EntityTokens
from chekara.data.schema import FURTHEST_AHEAD, KEYS, TABLES
from chekara.data.sources import History, load_history, write_history
from chekara.errors import ConfigurationError
from chekara.settings import Settings

LEFT_OUT: Final = frozenset({"goods_description", "inspector_id", "control_id", "journey_id"})
MOST_STRAYS: Final = 0.01
_DIGITS: Final = 16


class LoadedHistories:
    """The folder of loaded histories.

    Parameters
    ----------
    settings : Settings
    tokens : EntityTokens
        Of this installation.
    """

    def __init__(self, settings: Settings, tokens: EntityTokens) -> None:
        self._folder = settings.home / "profiles"
        self._tokens = tokens

    def names(self) -> tuple[str, ...]:
        """Return what was loaded, oldest first."""
        if not self._folder.is_dir():
            return ()
        return tuple(sorted(path.name for path in self._folder.iterdir() if path.is_dir() and path.name[0].isdigit()))

    def name_of(self, digest: str) -> str | None:
        """Return the name under which a history was loaded, or None."""
        short = digest.removeprefix("sha256:")[:_DIGITS]
        return next((name for name in self.names() if name.endswith(short)), None)

    def add(self, history: History) -> str:
        """Keep a history, whole or not at all; returns its name."""
        name = f"{len(self.names()) + 1:04}-{history.digest.removeprefix('sha256:')[:_DIGITS]}"
        draft = self._folder / f"draft-{name}"
        shutil.rmtree(draft, ignore_errors=True)
        frames = {table: _kept(frame, table) for table, frame in history.tables.items() if len(frame)}
        write_history({"crossings": _kept(history.crossings, "crossings")} | frames, draft)
        draft.rename(self._folder / name)
        return name

    def read(
        self, fresh: Mapping[str, History] | None = None, now: datetime | None = None
    ) -> tuple[History | None, int]:
        """Return everything that was loaded as one history; of rows with one key the first one loaded counts.

        A few rows that are known much later than now come from a wrong clock or year: they are left out until their
        time has come, because nothing live may count from after them. Where more than one row in a hundred is so, the
        history lives by another clock, as for a replay, and stays whole.

        Parameters
        ----------
        fresh : mapping of str to History, optional
            By name: histories that are in memory already.
        now : datetime, optional
            With offset; default: the clock.

        Returns
        -------
        history : History or None
            None where nothing was loaded.
        left_out : int
            Rows left out.
        """
        there = fresh or {}
        histories = [
            there[name] if name in there else load_history(self._folder / name, tokens=self._tokens)
            for name in self.names()
        ]
        histories, left_out = _without_strays(histories, (now or datetime.now(UTC)) + FURTHEST_AHEAD)
        if len(histories) < 2:
            return (histories[0] if histories else None), left_out
        tables = {
            table: pd.concat([history.tables[table] for history in histories], ignore_index=True) for table in TABLES
        }
        firsts = {
            table: frame[~_comes_again(frame, table, histories)].reset_index(drop=True)
            for table, frame in tables.items()
        }
        whole = replace(
            histories[-1],
            crossings=firsts["crossings"],
            inspections=firsts["inspections"],
            crossing_points=firsts["crossing_points"],
        )
        return whole, left_out

    def crossing_points(self) -> pd.DataFrame | None:
        """Return the crossing points that were loaded, or None; of those with one code the last one loaded counts."""
        paths = [find_table(self._folder / name, "crossing_points") for name in self.names()]
        frames = [validate_table(read_raw(path), "crossing_points").frame for path in paths if path is not None]
        if not frames:
            return None
        points = pd.concat(frames, ignore_index=True)
        return points[~points.duplicated(list(KEYS["crossing_points"]), keep="last")].reset_index(drop=True)

    def crossings_of(self, crossing_ids: Collection[str]) -> pd.DataFrame:
        """Return the rows of some crossings, entity ids as tokens; of a revision that came twice the first load counts.

        Parameters
        ----------
        crossing_ids : collection of str
            One that was never loaded has no rows.
        """
        wanted = [("crossing_id", "in", list(crossing_ids))]
        frames = [
            validate_table(pd.read_parquet(path, filters=wanted), "crossings").frame.assign(source=number)
            for number, name in enumerate(self.names() if crossing_ids else ())
            if (path := find_table(self._folder / name, "crossings")) is not None
        ]
        if not frames:
            return empty_table("crossings")
        rows = pd.concat(frames, ignore_index=True)
        first = rows.groupby(["crossing_id", "revision"], sort=False)["source"].transform("min")
        return rows[rows["source"] == first].drop(columns="source").reset_index(drop=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep others from loading meanwhile.

        Raises
        ------
        ConfigurationError
            Another process loads or rebuilds.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ConfigurationError(
                    "another process loads or rebuilds profiles", where=str(self._folder), hint="wait until it is done"
                ) from None
            yield


def _without_strays(histories: list[History], latest: datetime) -> tuple[list[History], int]:
    frames = [frame for history in histories for frame in (history.crossings, history.inspections)]
    late = sum(int((frame["known_at"] > latest).sum()) for frame in frames)
    if not 0 < late <= MOST_STRAYS * sum(map(len, frames)):
        return histories, 0

    def known(frame: pd.DataFrame) -> pd.DataFrame:
        return frame[frame["known_at"] <= latest].reset_index(drop=True)

    kept = [replace(own, crossings=known(own.crossings), inspections=known(own.inspections)) for own in histories]
    return kept, late


def _kept(frame: pd.DataFrame, table: str) -> pd.DataFrame:
    return frame[[column.name for column in TABLES[table] if column.name not in LEFT_OUT and column.name in frame]]


def _comes_again(frame: pd.DataFrame, table: str, histories: list[History]) -> pd.Series[bool]:
    """Whether a row's key was loaded before: a revision comes from one history as a whole."""
    if table == "crossing_points":
        return frame.duplicated(list(KEYS[table]), keep="last")
    source = [number for number, history in enumerate(histories) for _ in range(len(history.tables[table]))]
    key = [name for name in KEYS[table] if name != "item_no"]
    first = pd.Series(source, index=frame.index).groupby([frame[name] for name in key], sort=False).transform("min")
    return pd.Series(source, index=frame.index) != first


def without(history: History, known: Mapping[str, pd.DataFrame]) -> History:
    """Leave out revisions of crossings and inspections that are known otherwise.

    Parameters
    ----------
    history : History
    known : mapping of str to DataFrame
        By table: keys, as columns.
    """
    changed = {"crossings": history.crossings, "inspections": history.inspections}
    for table, keys in known.items():
        frame = changed[table]
        if len(frame) and len(keys):
            there = pd.MultiIndex.from_frame(keys.astype({"revision": "float64"}))
            own = pd.MultiIndex.from_frame(frame[list(keys.columns)].astype({"revision": "float64"}))
            changed[table] = frame[~own.isin(there)].reset_index(drop=True)
    return replace(history, crossings=changed["crossings"], inspections=changed["inspections"])
