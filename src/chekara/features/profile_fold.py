"""The fold of a history, chunk after chunk: states stay, what was told is handed on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chekara.features.profile_frames import Events
from chekara.features.profile_link import empty_links, link_events
from chekara.features.profile_plan import ColumnPlan
from chekara.features.profile_planes import make_planes
from chekara.features.profile_state import CONTROLS, SUMS, Ints
from chekara.features.profile_step import States, Wanted, fold_tape

CHUNK_EVENTS = 16_384
"""Events folded at a time, and the rest of those at the same instant: their columns stay in the processor's cache."""


class HistoryFold:
    """A fold under way.

    Parameters
    ----------
    history : Events
    plan : ColumnPlan
    n_domains : int

    Attributes
    ----------
    states : States
        As far as the fold has come.
    lines_done : int
    """

    def __init__(self, history: Events, plan: ColumnPlan, n_domains: int) -> None:
        self.history = history
        self.lines_done = 0
        n_keys = sum(history.n_keys)
        # Zeroed memory is only taken where something is written: most keys are never inspected.
        self.states = States(np.zeros((n_keys + 1, SUMS)), np.zeros((n_keys + 1, CONTROLS * n_domains)))
        self.links = empty_links(len(history.crossing_ids), len(history.inspection_ids))
        self._plan = plan
        self._events_done = 0
        self._places = np.full(len(history.row_of_line), -1, dtype=np.int64)

    @property
    def is_done(self) -> bool:
        """Whether nothing is left."""
        return self._events_done == len(self.history.events)

    def advance(self, wanted: npt.NDArray[np.bool_] | None) -> tuple[Ints, npt.NDArray[np.float32]]:
        """Fold the next chunk of events.

        Parameters
        ----------
        wanted : ndarray of bool, shape (n_lines,), or None
            Lines whose columns are told; None: all.

        Returns
        -------
        lines : ndarray of shape (n,), int64
        columns : float32 ndarray of shape (n_columns, n)
        """
        events = self.history.events[self._events_done : self._chunk_end()]
        ledger, plan = self.history.ledger, self._plan
        read = events["index"][events["reads"] == 1]
        stop = int(ledger.revisions["stop"][read[-1]]) if len(read) else self.lines_done
        lines = np.arange(self.lines_done, stop)
        lines = lines if wanted is None else lines[wanted[lines]]
        self._places[lines] = np.arange(len(lines))
        tape, own = link_events(events, ledger.revisions, ledger.results, self.links)
        out = np.empty((len(plan.names), len(lines)), dtype=np.float32)
        n_domains = self.states.controls.shape[1] // CONTROLS
        planes = make_planes(len(plan.kinds), stop - self.lines_done, n_domains)
        asked = Wanted(plan.kind_records, plan.requests, plan.price_column, plan.level_column, self._places)
        fold_tape(tape, own, ledger, self.states, asked, planes, out)
        self._events_done += len(events)
        self.lines_done = stop
        return lines, out

    def _chunk_end(self) -> int:
        at = self.history.events["at"]
        last = min(self._events_done + CHUNK_EVENTS, len(at)) - 1
        return int(np.searchsorted(at, at[last], side="right"))
