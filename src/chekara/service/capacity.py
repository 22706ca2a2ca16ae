"""What is left of every agency's budget while the service runs: counted in memory, begun from the log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from chekara.domain.crossing import Crossing
from chekara.domain.decision import DomainScore
from chekara.domain.selection import CapacityState
from chekara.domain.vocabulary import Lane
from chekara.policy.capacity_meter import Asked, CapacityMeter, CountedCrossing, Standing
from chekara.policy.capacity_shifts import shift_span
from chekara.policy.decide import LaneDecision
from chekara.policy.policy import Policy
from chekara.service.records import DecisionRecord


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A crossing that was withdrawn: it never came."""

    crossing_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityPast:
    """What the log tells a meter that begins in the middle of a shift.

    Attributes
    ----------
    hours : iterable of (str, int, int)
        Crossing point, hour since 1970 and crossings decided in it for the first time, until now.
    earlier : iterable of CountedCrossing
        Of earlier shifts, in the order of the log: for each crossing point at least as many as a meter looks back to.
    present : iterable of CountedCrossing or Withdrawn
        Of the present shift, in the order of the log.
    position : int
        Of the newest entry of the log that was looked at.
    """

    hours: Iterable[tuple[str, int, int]]
    earlier: Iterable[CountedCrossing]
    present: Iterable[CountedCrossing | Withdrawn]
    position: int = 0


class CapacityLog(Protocol):
    """What a meter reads of the log: live decisions that were not taken elsewhere, and withdrawals."""

    def newest_at(self) -> datetime | None:
        """Return when the newest crossing was decided; None where none was."""
        ...

    def past(self, shift_starts_at: datetime) -> CapacityPast:
        """Return what is known when a shift is under way."""
        ...

    def since(self, position: int) -> Sequence[CountedCrossing | Withdrawn]:
        """Return what was recorded after a position, in the order of the log."""
        ...


_LONG_AGO = datetime(1970, 1, 2, tzinfo=UTC)


class MeterFromLog:
    """The `MeterCapacity` of a service: says what is left, counts what is decided, and begins anew after a fault.

    Parameters
    ----------
    policy : Policy
        Without budgets nothing is counted, and nothing read.
    log : CapacityLog
    """

    def __init__(self, policy: Policy, log: CapacityLog) -> None:
        self._policy = policy
        self._log = log
        self._begun: CapacityMeter | None = None
        self._begun_to = 0
        self._has_pending = False
        self._has_budgets = bool(policy.capacity.budgets)

    def begin(self, at: datetime) -> None:
        """Begin from the log, so that the first crossing does not wait for it.

        Raises
        ------
        LogUnavailableError
            The database does not answer.
        """
        if not self._has_budgets:
            return
        newest_at = self._log.newest_at()
        meter = CapacityMeter(self._policy)
        span = shift_span(self._policy.capacity.shifts, at if newest_at is None else max(at, newest_at))
        past = self._log.past(span.starts_at)
        for crossing_point, hour, crossings in past.hours:
            meter.count_traffic(crossing_point, hour, crossings)
        for crossing in past.earlier:
            meter.learn_from(crossing)
        for event in past.present:
            if isinstance(event, Withdrawn):
                meter.give_back(event.crossing_id)
            else:
                meter.take_in(event, is_traffic_counted=True)
        self._begun, self._begun_to = meter, past.position

    def catch_up(self) -> None:
        """Count what others recorded since it began: a meter that was begun beside the one that counts takes over.

        Raises
        ------
        LogUnavailableError
            The database does not answer; nothing was counted.
        """
        if self._begun is None:
            return
        for event in self._log.since(self._begun_to):
            if isinstance(event, Withdrawn):
                self._begun.give_back(event.crossing_id)
            else:
                self._begun.take_in(event)

    def states(self, crossing: Crossing, scores: Sequence[DomainScore], at: datetime) -> tuple[CapacityState, ...]:
        """Return what is left just before a crossing is decided, at most one state per agency and lane."""
        if not self._has_budgets:
            return ()
        risks = {score.domain: score.risk for score in scores}
        return self._meter(at).states(_point(crossing), at, risks, crossing.crossing_id)

    def take_in(
        self,
        crossing: Crossing,
        scores: Sequence[DomainScore],
        decided: LaneDecision,
        at: datetime,
        *,
        is_counted_before: DecisionRecord | None,
    ) -> None:
        """Count a decided crossing; of a later revision, only what it asks for beyond the earlier one."""
        if not self._has_budgets:
            return
        meter = self._meter(at)
        self._has_pending = True
        meter.take_in(
            CountedCrossing(
                crossing_id=crossing.crossing_id,
                crossing_point=_point(crossing),
                at=at,
                risks={score.domain: score.risk for score in scores},
                asked={own.domain: Asked(own.lane, own.selected_by) for own in decided.selections},
                before=None if is_counted_before is None else _asked_before(is_counted_before),
            )
        )

    def give_back(self, crossing_id: str) -> None:
        """Give back the places of a crossing that was withdrawn."""
        if not self._has_budgets:
            return
        meter = self._meter(_LONG_AGO)
        self._has_pending = True
        meter.give_back(crossing_id)

    def settle(self) -> None:
        """Keep what was counted since the last call: it is durable."""
        self._has_pending = False

    def forget(self) -> None:
        """Drop what was counted since the last call: it was not recorded. The meter begins anew from the log."""
        if self._has_pending:
            self._begun = None
        self._has_pending = False

    def standing(self) -> tuple[Standing, ...]:
        """Return how every budget of the present shift stands; may be asked from any thread."""
        begun = self._begun
        return () if begun is None else begun.standing()

    def _meter(self, at: datetime) -> CapacityMeter:
        if self._begun is None:
            self.begin(at)
        assert self._begun is not None  # noqa: S101  # `begin` raises or begins
        return self._begun


def _point(crossing: Crossing) -> str:
    return str(crossing.header.get("crossing_point", ""))


def _asked_before(record: DecisionRecord) -> dict[str, Lane]:
    """Return what an earlier revision has places for: nothing where it was withdrawn."""
    return {} if record.is_void else {own.domain: own.lane for own in record.decision.selections}
