"""What is known of entities, kept with every live event: folded in the transaction that records the event."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

from chekara.errors import NotReadyError
from chekara.features.laid import LaidColumns
from chekara.features.profile_live import GroupOutcome, LiveProfiles, ProfileEvent, ResultEvent, instant_of
from chekara.service.ports import ProfileRows
from chekara.service.records import ProfileHead

REMEMBERED_READERS: Final = 8
STEP: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Folded:
    """A group of events, folded but not kept yet.

    Attributes
    ----------
    columns : LaidColumns
        Of the lines of all crossings of the group, in the order given.
    outcome : GroupOutcome
    head : ProfileHead
        Where the fold stood before.
    """

    columns: LaidColumns
    outcome: GroupOutcome
    head: ProfileHead

    def keep(self, rows: ProfileRows, *, known_to: datetime, position: int) -> None:
        """Keep what the group changed.

        Parameters
        ----------
        rows : ProfileRows
            Of the transaction that records the events.
        known_to : datetime
            Newest instant of receipt in the group.
        position : int
            Position in the live log of the group's newest event.
        """
        before = self.head.known_to
        head = replace(
            self.head,
            known_to=known_to if before is None else max(before, known_to),
            position=position,
            pending=self.outcome.pending,
        )
        rows.keep(head, self.outcome.states, self.outcome.records)


class FoldEvents:
    """Folds live events into the profiles.

    Parameters
    ----------
    domains : sequence of str
        Risk domains whose results are kept: those of the policy, in its order.

    Attributes
    ----------
    domains : tuple of str
    """

    def __init__(self, domains: Sequence[str]) -> None:
        self.domains = tuple(domains)
        self._readers: dict[tuple[tuple[str, ...], int], tuple[object, LiveProfiles]] = {}

    @cached_property
    def layout(self) -> str:
        """Layout of the states that are kept."""
        return LiveProfiles((), domains=self.domains, neighbourhoods={}).layout_digest

    def first_head(self) -> ProfileHead:
        """Return where a fold begins."""
        return ProfileHead(layout=self.layout)

    def refuse_other_layout(self, head: ProfileHead) -> None:
        """Refuse profiles that this version and policy cannot read.

        Raises
        ------
        NotReadyError
        """
        if head.layout != self.layout:
            raise NotReadyError(
                "the profiles that serve have the layout of another version or policy",
                where="profiles",
                hint="restart the service: it makes its own beside them first",
            )

    def instant(self, rows: ProfileRows, receipt: datetime) -> tuple[datetime, bool]:
        """Tell from which instant an event counts.

        Parameters
        ----------
        rows : ProfileRows
        receipt : datetime

        Returns
        -------
        instant : datetime
            The receipt; where it lies before the newest instant of receipt so far, just after that one: clocks step,
            knowledge does not, and those who wait for a clock must not all be known at one instant.
        is_late : bool
            Whether the receipt lies before.
        """
        head = rows.head()
        if head is None or head.known_to is None or head.known_to <= receipt:
            return receipt, False
        return head.known_to + STEP, True

    def is_empty(self, rows: ProfileRows) -> bool:
        """Whether nothing was ever loaded or learned."""
        head = rows.head()
        return head is None or head.known_to is None

    def fold(self, rows: ProfileRows, events: Sequence[ProfileEvent], names: Iterable[str] = ()) -> Folded:
        """Fold a group of events; nothing is kept until `Folded.keep`.

        Parameters
        ----------
        rows : ProfileRows
        events : sequence of ProfileEvent
            With the instants from which they count.
        names : iterable of str
            Columns that are wanted of the crossings' lines.

        Raises
        ------
        NotReadyError
            The stored profiles have another layout.
        """
        head = rows.head() or self.first_head()
        newest = max(instant_of(event) for event in events)
        due = [event for event in head.waiting if instant_of(event) <= newest]
        head = replace(head, waiting=tuple(event for event in head.waiting if event not in due))
        group = self._reader(tuple(names), head).group([*due, *events], head.pending)
        records = rows.records(group.crossing_ids)
        outcome = group.fold(rows.states(group.state_keys(records)))
        return Folded(outcome.columns, outcome, head)

    def defer(self, rows: ProfileRows, event: ResultEvent, *, received_at: datetime) -> None:
        """Keep a result that is not known yet until its instant comes.

        Parameters
        ----------
        rows : ProfileRows
        event : ResultEvent
            Counts from a later instant than ``received_at``.
        received_at : datetime
            Newest instant of receipt.
        """
        head = rows.head() or self.first_head()
        waiting = (*head.waiting, event)
        rows.keep(replace(head, known_to=received_at, position=event.position, waiting=waiting), {}, {})

    def _reader(self, names: tuple[str, ...], head: ProfileHead) -> LiveProfiles:
        key = (names, id(head.neighbourhoods))
        # Each time: another process may have laid profiles of another layout on the shelf that serves.
        self.refuse_other_layout(head)
        found = self._readers.get(key)
        if found is not None:
            return found[1]
        reader = LiveProfiles(names, domains=self.domains, neighbourhoods=head.neighbourhoods)
        if len(self._readers) >= REMEMBERED_READERS:
            self._readers.clear()
        # The mapping is held, so that its identity stays its own.
        self._readers[key] = (head.neighbourhoods, reader)
        return reader
