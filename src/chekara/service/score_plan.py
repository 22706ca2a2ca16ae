"""Which revisions of a history are scored, in which order, and which of them speaks for its crossing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from chekara.data.labels import first_results, instant
from chekara.data.sources import History

Ints: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorePlan:
    """Scorings in the order in which they would have gone live: by ``known_at``, then by place in the file.

    Attributes
    ----------
    rows : ndarray of shape (n_lines,), int64
        Positions in ``history.crossings``: the lines of the first scoring, then of the second, and so on.
    starts : ndarray of shape (n_scorings + 1,), int64
        Where the lines of each scoring begin in ``rows``.
    crossing : ndarray of shape (n_scorings,), int64
        Which crossing is scored, from 0.
    enters : ndarray of bool, shape (n_scorings,)
        The first scoring of its crossing: its margins enter the rank windows.
    is_reported : ndarray of bool, shape (n_scorings,)
        The last scoring of its crossing, where it is asked for.
    n_crossings : int
    """

    rows: Ints
    starts: Ints
    crossing: Ints
    enters: Mask
    is_reported: Mask
    n_crossings: int

    def __len__(self) -> int:
        return len(self.crossing)

    def chunks(self, size: int) -> Iterator[slice]:
        """Cut the scorings into runs of at most ``size``, in order."""
        for start in range(0, len(self), size):
            yield slice(start, min(start + size, len(self)))

    def lines(self, chunk: slice) -> Ints:
        """Return the positions in ``history.crossings`` of the lines of some scorings, in order."""
        return self.rows[self.starts[chunk.start] : self.starts[chunk.stop]]


def plan_scores(history: History, since: datetime | None = None) -> ScorePlan:
    """Put a history in the order in which it would have been scored.

    Each crossing is reported once: in its newest revision that was known before the first result of an inspection of
    it. What is lodged after a result holds what was found, and is no longer a matter of selection. Were even the
    first revision known after a result, that one is reported. A revision that came after a higher one is refused by
    the service, and left out here.

    Parameters
    ----------
    history : History
    since : datetime with offset, optional
        Report only crossings whose reported revision was known at or after it. All are scored all the same: later
        ranks and profiles stand on them.

    Returns
    -------
    ScorePlan

    Raises
    ------
    ConfigurationError
        The instant carries no offset.
    """
    frame = history.crossings
    crossing, ids = pd.factorize(frame["crossing_id"])
    revision = frame["revision"].to_numpy(np.int64)
    known_at = _microseconds(frame["known_at"])
    group, first_line = _groups(crossing, revision)
    of_group = pd.DataFrame(
        {"crossing": crossing[first_line], "revision": revision[first_line], "known_at": known_at[first_line]}
    )
    of_group["group"] = np.arange(len(of_group))
    # Groups are numbered by place in the file, so a stable sort keeps that order among equal instants.
    of_group = of_group.sort_values("known_at", kind="stable")
    of_group = of_group[_is_scored(of_group, _first_result(history, ids))]
    place = np.full(len(first_line), -1)
    place[of_group["group"]] = np.arange(len(of_group))
    rows = np.flatnonzero(place[group] >= 0)
    rows = rows[np.argsort(place[group[rows]], kind="stable")]
    last = ~of_group["crossing"].duplicated(keep="last").to_numpy()
    asked = True if since is None else of_group["known_at"].to_numpy() >= _microsecond(since)
    return ScorePlan(
        rows=rows,
        starts=np.searchsorted(place[group[rows]], np.arange(len(of_group) + 1)),
        crossing=of_group["crossing"].to_numpy(np.int64),
        enters=~of_group["crossing"].duplicated().to_numpy(),
        is_reported=last & asked,
        n_crossings=len(ids),
    )


def _microsecond(at: datetime) -> int:
    return int(instant(at).as_unit("us").asm8.astype(np.int64))


def _microseconds(instants: pd.Series[pd.Timestamp]) -> Ints:
    return instants.dt.tz_localize(None).to_numpy("datetime64[us]").astype(np.int64)


def _groups(crossing: Ints, revision: Ints) -> tuple[Ints, Ints]:
    """Return which revision of which crossing each line belongs to, and the first line of each, in file order."""
    if not revision.any():  # nobody corrected anything
        first = np.unique(crossing, return_index=True)[1]
        return crossing, first
    group = pd.factorize(pd.MultiIndex.from_arrays([crossing, revision]))[0]
    return group, np.unique(group, return_index=True)[1]


def _first_result(history: History, crossing_ids: pd.Index) -> Ints:
    """When the first result of each crossing was known, microseconds; the largest number where there is none."""
    known_at = first_results(history.inspections).reindex(crossing_ids)
    return np.where(known_at.isna(), np.iinfo(np.int64).max, _microseconds(known_at))


def _is_scored(of_group: pd.DataFrame, first_result: Ints) -> Mask:
    """Leave out revisions that came after a higher one, or after a result; the first to come always stays."""
    crossing, revision = of_group["crossing"].to_numpy(), of_group["revision"]
    is_first = ~of_group["crossing"].duplicated().to_numpy()
    highest_before = revision.groupby(crossing).cummax().groupby(crossing).shift(fill_value=-1)
    in_time = of_group["known_at"].to_numpy() < first_result[crossing]
    scored: Mask = is_first | ((revision > highest_before).to_numpy() & in_time)
    return scored
