"""Profiles of live events: the same compiled fold as a history's, over the few keys that a group of requests needs.

A group goes in four steps, all within the transaction that records its decisions:

1. ``group = live.group(events, pending)``: ``group.crossing_ids`` names the records to read;
2. ``group.state_keys(records)`` names the states to read;
3. ``outcome = group.fold(states)`` gives the columns of the lines to be scored, and what to write back;
4. write ``outcome.records``, ``outcome.states`` and ``outcome.pending``.

Events at the newest instant are *pending*: they are part of no state yet, since an event never sees another that was
known at the same instant. The next group with a later instant applies them first. Test events
(``is_counted=False``) read as all others do and leave nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from chekara.domain.crossing import Crossing
from chekara.domain.inspection import Inspection
from chekara.errors import ConfigurationError
from chekara.features.laid import LaidColumns
from chekara.features.profile_keys import neighbourhoods
from chekara.features.profile_ledger import GroupEvent, GroupLedger, StateKey
from chekara.features.profile_lines import lines_of_crossings, result_of_inspection
from chekara.features.profile_plan import ColumnPlan, plan_columns
from chekara.features.profile_records import (
    Pending,
    PendingEvent,
    StoredResult,
    StoredRevision,
    read_pending,
    read_record,
    write_bytes,
)
from chekara.features.profile_state import ProfileLayout, day_of
from chekara.features.profile_step import States

__all__ = [
    "CrossingEvent",
    "EventGroup",
    "GroupOutcome",
    "LiveProfiles",
    "ProfileEvent",
    "ResultEvent",
    "StateKey",
    "VoidEvent",
    "instant_of",
    "neighbourhoods",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossingEvent:
    """One revision of a crossing, as scored.

    Attributes
    ----------
    crossing : Crossing
        Its ``known_at`` is its *as_of*.
    position : int
        Place in the log; orders events that were known at the same instant.
    is_counted : bool
        False for test keys, or where a crossing is read again: columns are given, nothing is kept.
    """

    crossing: Crossing
    position: int
    is_counted: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidEvent:
    """A crossing that never came: what it contributed is taken back, when it was seen stays.

    Attributes
    ----------
    crossing_id : str
    revision : int
        Higher than all before.
    known_at : datetime
    position : int
    """

    crossing_id: str
    revision: int
    known_at: datetime
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultEvent:
    """One revision of an inspection's result.

    Attributes
    ----------
    inspection : Inspection
    position : int
    """

    inspection: Inspection
    position: int


ProfileEvent: TypeAlias = CrossingEvent | VoidEvent | ResultEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupOutcome:
    """What the fold of a group gives.

    Attributes
    ----------
    columns : LaidColumns
        Profile columns of the lines of all `CrossingEvent` of the group, in the order given, line after line: as
        ``items_from_crossings`` lays out the same crossings.
    states : dict of StateKey to bytes
        Changed states, to be stored.
    records : dict of str to bytes
        By crossing_id: what changed crossings contribute, to be stored.
    pending : bytes
        To be stored, and handed to the next group.
    late : tuple of int
        Positions of events that were known before the newest instant already applied. They are folded, and scored,
        as if known at that instant.
    """

    columns: LaidColumns
    states: dict[StateKey, bytes]
    records: dict[str, bytes]
    pending: bytes
    late: tuple[int, ...]


class LiveProfiles:
    """The live side of the profile engine; made once, used for every group.

    Parameters
    ----------
    names : sequence of str
        Columns that the models which serve need (``features.catalogue.laid_columns``).
    domains : sequence of str
        Risk domains kept in the states: those of the policy, in its order.
    neighbourhoods : mapping of str to str
        Neighbour and border regime by crossing point, of `neighbourhoods`.

    Attributes
    ----------
    layout_digest : str
        Of `chekara.features.profiles.FoldedHistory`: stored states of another layout must be rebuilt.
    """

    layout_digest: str

    def __init__(self, names: Sequence[str], *, domains: Sequence[str], neighbourhoods: Mapping[str, str]) -> None:
        self._layout = ProfileLayout.of(domains)
        self._plan = plan_columns(names, self._layout.domains, every_kind=True)
        self._neighbourhoods = neighbourhoods
        self.layout_digest = self._layout.digest

    def group(self, events: Sequence[ProfileEvent], pending: bytes = b"") -> EventGroup:
        """Begin the fold of a group of events.

        Parameters
        ----------
        events : sequence of ProfileEvent
            In any order: the fold sorts them by (known_at, crossings before results, revision, position).
        pending : bytes
            Of the group before; empty at the very first.

        Raises
        ------
        ConfigurationError
            ``pending`` is of another layout.
        """
        return EventGroup(self._layout, self._plan, self._neighbourhoods, events, pending)


class EventGroup:
    """A group under way; made by `LiveProfiles.group`.

    Attributes
    ----------
    crossing_ids : tuple of str
        Whose records are needed.
    """

    crossing_ids: tuple[str, ...]

    def __init__(
        self,
        layout: ProfileLayout,
        plan: ColumnPlan,
        neighbours: Mapping[str, str],
        events: Sequence[ProfileEvent],
        pending: bytes,
    ) -> None:
        self._layout, self._plan = layout, plan
        before = read_pending(pending)
        ats = [day_of(instant_of(event)) for event in events]
        self._late = tuple(event.position for event, at in zip(events, ats, strict=True) if at < before.at)
        given = [_pending_again(event, before.at) for event in before.events]
        given += _laid_out(events, [max(at, before.at) for at in ats], layout.domains, neighbours)
        self._events = sorted(given, key=lambda one: one[:4])
        # What is known at the newest instant waits until a later one comes.
        self._newest = max((one.at for one in given if one.counts), default=before.at)
        self._n_told = sum(len(event.crossing.items) for event in events if isinstance(event, CrossingEvent))
        self._ledger: GroupLedger | None = None
        self.crossing_ids = tuple(dict.fromkeys(one.crossing_id for one in self._events))

    def state_keys(self, records: Mapping[str, bytes]) -> list[StateKey]:
        """Tell which states are needed.

        Parameters
        ----------
        records : mapping of str to bytes
            Stored records of `crossing_ids`; one that is absent was never seen.

        Raises
        ------
        ConfigurationError
            A record is of another layout.
        """
        known = {crossing_id: read_record(records.get(crossing_id)) for crossing_id in self.crossing_ids}
        self._ledger = GroupLedger(known, self._events)
        return self._ledger.state_keys

    def fold(self, states: Mapping[StateKey, bytes]) -> GroupOutcome:
        """Fold the group.

        Parameters
        ----------
        states : mapping of StateKey to bytes
            Stored states of the keys told by `state_keys`; one that is absent was never seen.

        Raises
        ------
        ConfigurationError
            `state_keys` was not called before, or a stored state has another layout.
        """
        ledger, self._ledger = self._ledger, None
        if ledger is None:
            raise ConfigurationError("ask for state_keys before the fold", where="EventGroup")
        rows = ledger.load_states(states, self._layout)
        out = np.full((len(self._plan.names), self._n_told), np.nan, dtype=np.float32)
        in_time = [e for e, one in enumerate(self._events) if one.at <= self._newest]
        applied = {e for e in in_time if self._events[e].counts and self._events[e].at < self._newest}
        ledger.fold([(e, self._events[e].reads, e in applied) for e in in_time], rows, self._plan, out)
        outcome = GroupOutcome(
            columns=LaidColumns(tuple(self._plan.names), out),
            states=ledger.changed_states(rows),
            records={
                crossing_id: write_bytes(record)
                for crossing_id, record in ledger.records_of(
                    dict.fromkeys(self._events[e].crossing_id for e in sorted(applied))
                ).items()
            },
            pending=self._pending(ledger),
            late=self._late,
        )
        self._read_beyond(ledger, rows, out)
        return outcome

    def _pending(self, ledger: GroupLedger) -> bytes:
        """Return the events of the newest instant, with what was usual for their goods when they were read."""
        waiting = []
        for e, one in enumerate(self._events):
            if one.counts and one.at == self._newest:
                content = one.content if isinstance(one.content, StoredResult) else ledger.revision_after(e)
                waiting.append(PendingEvent(one.crossing_id, one.position, content))
        return write_bytes(Pending(self._newest, tuple(waiting))) if waiting else b""

    def _read_beyond(self, ledger: GroupLedger, rows: States, out: npt.NDArray[np.float32]) -> None:
        """Read what counts for nobody and is known later than all that counts; nothing of it is kept."""
        later = [(e, True, False) for e, one in enumerate(self._events) if one.at > self._newest]
        if later:
            newest = [(e, False, True) for e, one in enumerate(self._events) if one.counts and one.at == self._newest]
            ledger.fold([*newest, *later], rows, self._plan, out)


def instant_of(event: ProfileEvent) -> datetime:
    """Return the instant from which an event counts."""
    if isinstance(event, CrossingEvent):
        return event.crossing.known_at
    return event.inspection.known_at if isinstance(event, ResultEvent) else event.known_at


def _pending_again(event: PendingEvent, at: float) -> GroupEvent:
    is_result = isinstance(event.content, StoredResult)
    return GroupEvent(
        at, is_result, event.content.number, event.position, event.crossing_id, event.content, False, True, -1
    )


def _laid_out(
    events: Sequence[ProfileEvent], ats: Sequence[float], domains: Sequence[str], neighbours: Mapping[str, str]
) -> list[GroupEvent]:
    """Lay out new events; lines that are told lie in the order of the events."""
    crossings = [event.crossing for event in events if isinstance(event, CrossingEvent)]
    lines = lines_of_crossings(crossings, neighbours)
    out, told = [], 0
    for event, at in zip(events, ats, strict=True):
        if isinstance(event, CrossingEvent):
            crossing, n_lines = event.crossing, len(event.crossing.items)
            stored = StoredRevision(crossing.revision, lines[told : told + n_lines].tobytes())
            out.append(
                GroupEvent(
                    at,
                    False,
                    crossing.revision,
                    event.position,
                    crossing.crossing_id,
                    stored,
                    True,
                    event.is_counted,
                    told,
                )
            )
            told += n_lines
        elif isinstance(event, ResultEvent):
            result = result_of_inspection(event.inspection, domains, at)
            crossing_id = event.inspection.crossing_id
            out.append(GroupEvent(at, True, result.number, event.position, crossing_id, result, False, True, -1))
        else:
            void = StoredRevision(event.revision, b"")
            out.append(GroupEvent(at, False, event.revision, event.position, event.crossing_id, void, False, True, -1))
    return out
