"""Profiles folded forward: a week is added to the states of the weeks before, nothing is folded twice.

In a closed loop what is known depends on who was selected, so that no history can be folded beforehand. The fold is
the one that training and serving share; here its states stay, and its records grow.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from chekara.data.sources import History
from chekara.features.profile_frames import Events, first_places, lay_out_history
from chekara.features.profile_link import Links, empty_links, link_events
from chekara.features.profile_plan import plan_columns
from chekara.features.profile_planes import make_planes
from chekara.features.profile_state import CONTROLS, LINE, RESULT, REVISION, SUMS, Ints, Records, days_of
from chekara.features.profile_step import Ledger, States, Wanted, fold_tape


class GrowingFold:
    """A fold that goes on from week to week.

    Parameters
    ----------
    names : sequence of str
        Columns that are told: ``features.catalogue.laid_columns`` of what models ask for.
    domains : sequence of str
        Whose results are kept.
    crossing_points : DataFrame
        As ``History.crossing_points``.
    """

    def __init__(self, names: Sequence[str], domains: Sequence[str], crossing_points: pd.DataFrame) -> None:
        self._plan = plan_columns(names, domains)
        self._domains, self._points = tuple(domains), crossing_points
        self._numbers: dict[str, dict[str, int]] = {"crossing": {}, "inspection": {}}
        self._rows: dict[tuple[object, ...], int] = {}
        width = CONTROLS * len(self._domains)
        self._states = States(np.zeros((1, SUMS)), np.zeros((1, width)))
        self._links = empty_links(0, 0)
        empty = np.zeros((len(self._plan.kinds), 0), dtype=np.int32)
        self._ledger = Ledger(np.zeros(0, LINE), np.zeros(0, REVISION), np.zeros(0, RESULT), empty)

    def advance(
        self, crossings: pd.DataFrame, results: pd.DataFrame, since: np.datetime64, before: np.datetime64
    ) -> dict[str, npt.NDArray[np.float32]]:
        """Add what a week brought, and tell of each of its lines what was known just before it.

        Parameters
        ----------
        crossings, results : DataFrame
            As ``History.crossings`` and ``History.inspections``; each event comes once.
        since, before : datetime64
            Bounds of the week: what was known outside of them counts as known at the nearer one.

        Returns
        -------
        dict of str to float32 ndarray of shape (len(crossings),)
            In the order of ``crossings``.
        """
        week = lay_out_history(self._as_history(crossings, results), self._plan.kinds, self._domains)
        first_line, first_revision = len(self._ledger.lines), len(self._ledger.revisions)
        n_results = len(self._ledger.results)
        self._add(week, *days_of(np.array([since, before], dtype="datetime64[us]")))
        events = week.events.copy()
        events["at"] = np.clip(events["at"], *days_of(np.array([since, before], dtype="datetime64[us]")))
        events["index"] += np.where(events["is_result"] == 1, n_results, first_revision)
        tape, own = link_events(events, self._ledger.revisions, self._ledger.results, self._links)
        n_lines = len(week.row_of_line)
        places = np.full(len(self._ledger.lines), -1, dtype=np.int64)
        places[first_line:] = np.arange(n_lines)
        out = np.empty((len(self._plan.names), n_lines), dtype=np.float32)
        plan = self._plan
        asked = Wanted(plan.kind_records, plan.requests, plan.price_column, plan.level_column, places)
        planes = make_planes(len(plan.kinds), n_lines, len(self._domains))
        fold_tape(tape, own, self._ledger, self._states, asked, planes, out)
        told = np.empty_like(out)
        told[:, week.row_of_line] = out
        return dict(zip(plan.names, told, strict=True))

    def _as_history(self, crossings: pd.DataFrame, results: pd.DataFrame) -> History:
        return History(
            crossings=crossings,
            inspections=results,
            crossing_points=self._points,
            refusals=(),
            digest="",
            directory=Path(),
        )

    def _add(self, week: Events, since: float, before: float) -> None:
        """Put a week's records behind those of the weeks before, under numbers that last."""
        old, new = self._ledger, week.ledger
        crossing = self._numbered("crossing", week.crossing_ids)
        inspection = self._numbered("inspection", week.inspection_ids)
        slots = self._lasting_slots(week)
        revisions, results = new.revisions.copy(), new.results.copy()
        revisions["start"] += len(old.lines)
        revisions["stop"] += len(old.lines)
        for records in (revisions, results):
            records["crossing"] = crossing[records["crossing"]]
            records["at"] = np.clip(records["at"], since, before)
        revisions["mark"] = revisions["crossing"] + 1
        results["inspection"] = inspection[results["inspection"]]
        self._ledger = Ledger(
            np.concatenate([old.lines, new.lines]),
            np.concatenate([old.revisions, revisions]),
            np.concatenate([old.results, results]),
            np.concatenate([old.slots, slots], axis=1),
        )
        self._links = _grown_links(self._links, *(len(self._numbers[name]) for name in ("crossing", "inspection")))
        self._states = _grown_states(self._states, len(self._rows))

    def _numbered(self, name: str, ids: npt.NDArray[np.object_]) -> Ints:
        numbers = self._numbers[name]
        return np.array([numbers.setdefault(one, len(numbers)) for one in ids], dtype=np.int64)

    def _lasting_slots(self, week: Events) -> npt.NDArray[np.int32]:
        """Give each key the row of the states that it has had since it was first met."""
        slots = np.full_like(week.ledger.slots, -1)
        start = 0
        for k, (kind, n_keys) in enumerate(zip(self._plan.kinds, week.n_keys, strict=True)):
            held = np.flatnonzero(week.ledger.slots[k] >= 0)
            own = week.ledger.slots[k, held] - start
            first = held[first_places(own, n_keys)] if n_keys else held
            parts = [week.fields[name][1][week.fields[name][0][first]] for name in kind.fields]
            keys = zip(np.full(n_keys, k).tolist(), *parts, strict=True)
            rows = np.array([self._rows.setdefault(key, len(self._rows)) for key in keys], dtype=np.int32)
            slots[k, held] = rows[own]
            start += n_keys
        return slots


def _grown_links(links: Links, n_crossings: int, n_inspections: int) -> Links:
    more = empty_links(n_crossings - len(links.newest), n_inspections - len(links.newest_result))
    return Links(*(np.concatenate(both) for both in zip(links, more, strict=True)))


def _grown_states(states: States, n_keys: int) -> States:
    """Make room, half as much again as is needed; the last row stays scratch."""
    if n_keys < len(states.sums):
        return states
    return States(*(_with_rows(one, n_keys + n_keys // 2 + 1) for one in states))


def _with_rows(values: Records | npt.NDArray[np.float64], n_rows: int) -> npt.NDArray[np.float64]:
    larger = np.zeros((n_rows, values.shape[1]))
    larger[: len(values) - 1] = values[:-1]
    return larger
