"""What is left of a whole history: states, records and pending events, as the live store keeps them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from chekara.data.sources import History
from chekara.features.profile_fold import HistoryFold
from chekara.features.profile_frames import Events, first_places, lay_out_history
from chekara.features.profile_keys import MISSING, key_of, keys_of_kinds, mark_of
from chekara.features.profile_kinds import FIELDS, KINDS
from chekara.features.profile_plan import plan_columns
from chekara.features.profile_records import (
    KEYED_LINE,
    Pending,
    PendingEvent,
    StoredResult,
    StoredRevision,
    standing_record,
    write_bytes,
)
from chekara.features.profile_state import (
    FIRST_BY,
    LAST_BY,
    LINE,
    OTHER_FIRST_BY,
    OTHER_LAST_BY,
    WAS_INSPECTED,
    Floats,
    Ints,
    ProfileLayout,
    Records,
)


class FoldedHistory:
    """All that is known at the end of a history, to be laid into the live store.

    Parameters
    ----------
    history : History
    domains : sequence of str
    progress : callable, optional
        Told (rows done, of how many).

    Attributes
    ----------
    layout_digest : str
        Names the layout of states and records (version, domains, kinds, half-lives): other layouts cannot be mixed.
    pending : bytes
        Events at the newest instant, which no later event has seen yet: see `profile_live`.
    """

    layout_digest: str
    pending: bytes

    def __init__(
        self, history: History, domains: Sequence[str], progress: Callable[[int, int], None] | None = None
    ) -> None:
        layout = ProfileLayout.of(domains)
        plan = plan_columns((), layout.domains, every_kind=True)
        events = lay_out_history(history, KINDS, layout.domains)
        at = events.events["at"]
        newest = at[-1] if len(at) else -np.inf
        events.events["applies"] = at < newest
        fold = HistoryFold(events, plan, len(layout.domains))
        nobody = np.zeros(len(events.row_of_line), dtype=bool)
        while not fold.is_done:
            fold.advance(nobody)
            if progress is not None:
                progress(fold.lines_done, len(nobody))
        self._events, self._fold = events, fold
        self._keys = _field_keys(events)
        self._keyed = np.zeros(len(nobody), dtype=KEYED_LINE)
        for name in LINE.names or ():
            self._keyed[name] = events.ledger.lines[name]
        self._keyed["keys"] = self._keys
        self._inspections = [key_of("inspection", text) for text in events.inspection_ids]
        self.layout_digest = layout.digest
        self.pending = self._write_pending(events.events[at == newest], float(newest)) if len(at) else b""

    def states(self) -> Iterator[tuple[str, Ints, Floats]]:
        """Yield, for each kind, keys (n,) and their states (n, width); ``row.tobytes()`` is what is stored.

        Those that were never inspected come first, without controls.
        """
        states, slots = self._fold.states, self._events.ledger.slots
        marks = np.array([0, *map(mark_of, self._events.crossing_ids)], dtype=np.float64)
        start = 0
        for k, (kind, n_keys) in enumerate(zip(KINDS, self._events.n_keys, strict=True)):
            held = np.flatnonzero(slots[k] >= 0)
            first_line = held[first_places(slots[k, held] - start, n_keys)] if n_keys else held
            keys = keys_of_kinds(self._keys[first_line])[k]
            sums = states.sums[start : start + n_keys].copy()
            for column in (LAST_BY, OTHER_LAST_BY, FIRST_BY, OTHER_FIRST_BY):
                sums[:, column] = marks[sums[:, column].astype(np.int64)]
            controls = states.controls[start : start + n_keys]
            was_seen, was_inspected = sums[:, LAST_BY] != 0, sums[:, WAS_INSPECTED] != 0
            yield kind.name, keys[was_seen & ~was_inspected], sums[was_seen & ~was_inspected]
            both = was_seen & was_inspected
            yield kind.name, keys[both], np.hstack([sums[both], controls[both]])
            start += n_keys

    def records(self) -> Iterator[tuple[str, bytes]]:
        """Yield, for each crossing (and each id that only inspections name), what it contributed."""
        links = self._fold.links
        known = (links.newest >= 0) | (links.first_inspection >= 0)
        for c in np.flatnonzero(known).tolist():
            record = standing_record(c, links, self._revision, self._result)
            yield str(self._events.crossing_ids[c]), write_bytes(record)

    def _revision(self, v: int) -> StoredRevision:
        revision = self._events.ledger.revisions[v]
        return StoredRevision(int(revision["number"]), self._keyed[revision["start"] : revision["stop"]].tobytes())

    def _result(self, n: int) -> StoredResult:
        inspection, _, number, at, domain, counts, hit, amount, item_no = self._events.ledger.results[n].item()
        return StoredResult(self._inspections[inspection], number, at, domain, bool(counts), hit, amount, item_no)

    def _write_pending(self, waiting: Records, at: float) -> bytes:
        """Write the events of the newest instant; they come before any live event of that instant."""
        ledger, ids = self._events.ledger, self._events.crossing_ids
        events = []
        for place, event in enumerate(waiting):
            records = ledger.results if event["is_result"] else ledger.revisions
            content = (self._result if event["is_result"] else self._revision)(int(event["index"]))
            crossing_id = str(ids[records["crossing"][event["index"]]])
            events.append(PendingEvent(crossing_id, place - len(waiting), content))
        return write_bytes(Pending(at, tuple(events)))


def _field_keys(events: Events) -> npt.NDArray[np.int64]:
    """Return the keys of all lines; shape (n_lines, n_fields)."""
    keys = np.empty((len(events.row_of_line), len(FIELDS)), dtype=np.int64)
    for column, name in enumerate(FIELDS):
        codes, texts = events.fields[name]
        keys[:, column] = np.array([*(key_of(name, text) for text in texts), MISSING], dtype=np.int64)[codes]
    return keys
