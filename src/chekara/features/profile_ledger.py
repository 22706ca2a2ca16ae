"""The records of one live group, laid out as a history's are, so that the same compiled fold runs over them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from chekara.errors import ConfigurationError
from chekara.features.profile_keys import mark_of, slots_of_kinds
from chekara.features.profile_link import Links, empty_links, link_events
from chekara.features.profile_plan import ColumnPlan
from chekara.features.profile_planes import make_planes
from chekara.features.profile_records import (
    KEYED_LINE,
    CrossingRecord,
    StoredResult,
    StoredRevision,
    standing_record,
)
from chekara.features.profile_state import (
    CONTROLS,
    EVENT,
    LAST_BY,
    LINE,
    RESULT,
    REVISION,
    SUMS,
    WAS_INSPECTED,
    ProfileLayout,
)
from chekara.features.profile_step import Ledger, States, Wanted, fold_tape

StateKey: TypeAlias = int
"""Slot of a state: the signed 64-bit key of an entity (BLAKE2b of its text) with its kind mixed in."""


class GroupEvent(NamedTuple):
    """An event of a group, new or pending; sorts in the order of the fold.

    Attributes
    ----------
    at : float
        Days.
    is_result : bool
    number : int
        Revision.
    position : int
    crossing_id : str
    content : StoredRevision or StoredResult
    reads, counts : bool
        Whether its columns are told, and whether it becomes known to others.
    column : int
        Of its first line, in what is told.
    """

    at: float
    is_result: bool
    number: int
    position: int
    crossing_id: str
    content: StoredRevision | StoredResult
    reads: bool
    counts: bool
    column: int


class GroupLedger:
    """Everything that the fold of a group goes over.

    Parameters
    ----------
    records : mapping of str to CrossingRecord
        By crossing_id: of every crossing of the events.
    events : sequence of GroupEvent
        In fold order.

    Attributes
    ----------
    state_keys : list of StateKey
        Keys of all lines, ascending.
    """

    state_keys: list[StateKey]

    def __init__(self, records: Mapping[str, CrossingRecord], events: Sequence[GroupEvent]) -> None:
        self._crossings = {crossing_id: c for c, crossing_id in enumerate(records)}
        self._marks = [mark_of(crossing_id) for crossing_id in records]
        self._lines: list[bytes] = []
        self._n_lines = 0
        self._revisions: list[tuple[int, int, int, float, int, int]] = []
        self._results: list[tuple[int, int, int, float, int, int, float, float, int]] = []
        self._inspections: dict[tuple[int, int], int] = {}
        chains = [self._add_record(c, record) for c, record in enumerate(records.values())]
        self._events = events
        self._indices = [self._add_event(event) for event in events]
        self._digests = [digest for _, digest in self._inspections]
        self._links = self._make_links(list(records.values()), chains)
        self._keyed = np.frombuffer(b"".join(self._lines), dtype=KEYED_LINE).copy()
        keys, slots = slots_of_kinds(self._keyed["keys"])
        self.state_keys = keys.tolist()
        lines = np.zeros(self._n_lines, dtype=LINE)
        for name in LINE.names or ():
            lines[name] = self._keyed[name]
        self._ledger = Ledger(
            lines, np.array(self._revisions, dtype=REVISION), np.array(self._results, dtype=RESULT), slots
        )

    def _add_record(self, c: int, record: CrossingRecord) -> tuple[list[int], list[int]]:
        """Add what stands of a crossing; the numbers of its revisions and of its inspections."""
        revisions = [self._add_revision(c, stored, record.first_at) for stored in record.revisions]
        return revisions, [self._results[self._add_result(c, stored, stored.at)][0] for stored in record.results]

    def _add_event(self, event: GroupEvent) -> int:
        c = self._crossings[event.crossing_id]
        if isinstance(event.content, StoredResult):
            return self._add_result(c, event.content, event.at)
        return self._add_revision(c, event.content, event.at)

    def _add_revision(self, c: int, stored: StoredRevision, at: float) -> int:
        start = self._n_lines
        self._n_lines += len(stored.lines) // KEYED_LINE.itemsize
        self._lines.append(stored.lines)
        self._revisions.append((c, self._marks[c], stored.number, at, start, self._n_lines))
        return len(self._revisions) - 1

    def _add_result(self, c: int, stored: StoredResult, at: float) -> int:
        i = self._inspections.setdefault((c, stored.inspection), len(self._inspections))
        counts = int(stored.counts)
        self._results.append(
            (i, c, stored.number, at, stored.domain, counts, stored.hit, stored.amount, stored.item_no)
        )
        return len(self._results) - 1

    def _make_links(self, records: Sequence[CrossingRecord], chains: Sequence[tuple[list[int], list[int]]]) -> Links:
        """Link what was known before the group."""
        links = empty_links(len(records), len(self._inspections))
        newest_result = iter(range(len(self._results)))  # results of records were added first, in this order
        for c, (record, (revisions, inspections)) in enumerate(zip(records, chains, strict=True)):
            links.first_at[c] = record.first_at
            links.newest[c] = revisions[0] if revisions else -1
            links.first_inspection[c] = inspections[0] if inspections else -1
            links.next_inspection[inspections[:-1]] = inspections[1:]
            for i, stored in zip(inspections, record.results, strict=True):
                links.newest_result[i] = next(newest_result)
                links.result_at[i] = stored.at
                links.stands_on[i] = revisions[stored.stands_on] if stored.stands_on >= 0 else -1
        return links

    def load_states(self, stored: Mapping[StateKey, bytes], layout: ProfileLayout) -> States:
        """Lay out the states of `state_keys`; one that is absent was never seen.

        Raises
        ------
        ConfigurationError
            A state has another layout.
        """
        width = 8 * (SUMS + layout.controls)
        blobs = [stored.get(key, b"") for key in self.state_keys]
        if not {len(blob) for blob in blobs} <= {0, 8 * SUMS, width}:
            raise ConfigurationError(
                "a stored state has another layout", where="profiles", hint="run `chekara profiles rebuild`"
            )
        blobs.append(b"")  # scratch
        rows = np.frombuffer(b"".join([blob.ljust(width, b"\0") for blob in blobs]), dtype=np.float64)
        self._before = rows.reshape(-1, width // 8)
        return States(self._before[:, :SUMS].copy(), self._before[:, SUMS:].copy())

    def fold(
        self, which: Sequence[tuple[int, bool, bool]], states: States, plan: ColumnPlan, out: npt.NDArray[np.float32]
    ) -> None:
        """Fold some of the events.

        Parameters
        ----------
        which : sequence of (int, bool, bool)
            Place of each event in the group's, in order; whether it is read now, and whether it is applied.
        states : States
            Changed.
        plan : ColumnPlan
        out : ndarray of float32, shape (n_columns, n_lines_told)
            Columns of the lines that are read are filled in.
        """
        lines, revisions, results, _ = self._ledger
        given = [(self._events[e], self._indices[e], reads, applies) for e, reads, applies in which]
        events = np.array([(one.at, one.is_result, v, reads, applies) for one, v, reads, applies in given], dtype=EVENT)
        places = np.full(len(lines), -1, dtype=np.int64)
        n_read = 0
        for one, v, reads, _applies in given:
            if reads:
                _, _, _, _, start, stop = self._revisions[v]
                places[start:stop] = np.arange(stop - start) + one.column
                n_read += stop - start
        tape, own = link_events(events, revisions, results, self._links)
        wanted = Wanted(plan.kind_records, plan.requests, plan.price_column, plan.level_column, places)
        planes = make_planes(len(plan.kinds), n_read, states.controls.shape[1] // CONTROLS)
        fold_tape(tape, own, self._ledger, states, wanted, planes, out)
        self._keyed["centred"] = lines["centred"]

    def changed_states(self, states: States) -> dict[StateKey, bytes]:
        """Return the states that a fold changed, as they are stored: without controls where there were none."""
        after = np.hstack([states.sums, states.controls])[:-1]
        is_changed = (after.view(np.int64) != self._before[:-1].view(np.int64)).any(axis=1)
        changed = np.flatnonzero(is_changed & (after[:, LAST_BY] != 0.0))
        width, content = after.shape[1] * after.itemsize, after[changed].tobytes()
        lengths = np.where(after[changed, WAS_INSPECTED] != 0.0, width, SUMS * after.itemsize).tolist()
        return {
            self.state_keys[s]: content[n * width : n * width + length]
            for n, (s, length) in enumerate(zip(changed.tolist(), lengths, strict=True))
        }

    def revision_after(self, e: int) -> StoredRevision:
        """Return the revision of an event with what the fold found out about its lines."""
        return self._stored(self._indices[e])

    def records_of(self, crossing_ids: Iterable[str]) -> dict[str, CrossingRecord]:
        """Return what stands of some crossings now."""
        return {
            crossing_id: standing_record(self._crossings[crossing_id], self._links, self._stored, self._stored_result)
            for crossing_id in crossing_ids
        }

    def _stored(self, v: int) -> StoredRevision:
        _, _, number, _, start, stop = self._revisions[v]
        return StoredRevision(number, self._keyed[start:stop].tobytes())

    def _stored_result(self, n: int) -> StoredResult:
        i, _, number, at, domain, counts, hit, amount, item_no = self._results[n]
        return StoredResult(self._digests[i], number, at, domain, bool(counts), hit, amount, item_no)
