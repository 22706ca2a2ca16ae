"""What a lane depends on beside scores and policy text: rules that were met, draws, capacity left, earlier demands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from chekara.domain.crossing import Crossing
from chekara.domain.decision import DomainScore
from chekara.domain.review import Review
from chekara.domain.selection import CapacityState, Draw, Grounds, RuleHit
from chekara.features.joined import JoinedFeatures
from chekara.policy.decide import LaneDecision
from chekara.service.records import DecisionRecord
from chekara.service.revisions import floors_from


class MatchRules(Protocol):
    """Which rules a crossing meets. Pure."""

    def __call__(
        self, crossing: Crossing, features: JoinedFeatures, scores: Sequence[DomainScore]
    ) -> tuple[RuleHit, ...]:
        """Return the rules met, in the order of their file.

        Parameters
        ----------
        crossing : Crossing
            Entity ids are tokens; ``known_at`` is the instant from which it counts.
        features : JoinedFeatures
            Of its lines, what is known of its entities among them.
        scores : sequence of DomainScore
        """
        ...


class DrawLots(Protocol):
    """Draws that depend on the crossing's id and on seeds committed beforehand alone. Pure."""

    def __call__(self, crossing: Crossing, features: JoinedFeatures) -> tuple[Draw, ...]:
        """Return a draw per arm and domain, drawn or not."""
        ...


class MeterCapacity(Protocol):
    """How many controls each agency has left where and when a crossing is decided."""

    def states(self, crossing: Crossing, scores: Sequence[DomainScore], at: datetime) -> tuple[CapacityState, ...]:
        """Return what is left just before a crossing is decided, at most one state per agency and lane."""
        ...

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
        ...

    def give_back(self, crossing_id: str) -> None:
        """Give back the places of a crossing that was withdrawn."""
        ...

    def settle(self) -> None:
        """Keep what was counted since the last call: it is durable."""
        ...

    def forget(self) -> None:
        """Drop what was counted since the last call: it was not recorded."""
        ...


def _no_rules(crossing: Crossing, features: JoinedFeatures, scores: Sequence[DomainScore]) -> tuple[RuleHit, ...]:
    return ()


def _no_draws(crossing: Crossing, features: JoinedFeatures) -> tuple[Draw, ...]:
    return ()


class _Unmetered:
    def states(self, crossing: Crossing, scores: Sequence[DomainScore], at: datetime) -> tuple[CapacityState, ...]:
        return ()

    def take_in(
        self,
        crossing: Crossing,
        scores: Sequence[DomainScore],
        decided: LaneDecision,
        at: datetime,
        *,
        is_counted_before: DecisionRecord | None,
    ) -> None:
        return

    def give_back(self, crossing_id: str) -> None:
        return

    def settle(self) -> None:
        return

    def forget(self) -> None:
        return


_UNMETERED = _Unmetered()


@dataclass(slots=True)
class GatherGrounds:
    """Gathers what the lane of a crossing depends on, in the writer's transaction.

    Parameters
    ----------
    rules : MatchRules
    lots : DrawLots
    capacity : MeterCapacity
    without_models : mapping of str to bool
        Agencies that have stopped the models.
    laid : tuple of str
        Profile columns that rules and priority control areas read, beside those of the models.
    """

    rules: MatchRules = _no_rules
    lots: DrawLots = _no_draws
    capacity: MeterCapacity = _UNMETERED
    without_models: Mapping[str, bool] = field(default_factory=dict)
    laid: tuple[str, ...] = ()

    def of(
        self,
        crossing: Crossing,
        features: JoinedFeatures,
        scores: Sequence[DomainScore],
        at: datetime,
        *,
        previous: DecisionRecord | None,
        reviews: Sequence[Review],
        may_draw: bool = True,
        not_applicable: Sequence[str] = (),
    ) -> Grounds:
        """Gather the grounds of one crossing.

        Parameters
        ----------
        crossing : Crossing
        features : JoinedFeatures
        scores : sequence of DomainScore
        at : datetime
            When it is decided.
        previous : DecisionRecord or None
            Of the newest revision so far: the lot is not drawn again, and only a person lowers a lane.
        reviews : sequence of Review
            Of the previous decision, oldest first.
        may_draw : bool
            False for what a test key sends: it would tell who is drawn when the same crossing comes in earnest.
        not_applicable : sequence of str
            Domains that do not apply to the crossing, as their models say.
        """
        draws = previous.decision.grounds.draws if previous is not None else ()
        if previous is None and may_draw:
            draws = self.lots(crossing, features)
        return Grounds(
            rules=self.rules(crossing, features, scores),
            draws=draws,
            capacity=self.capacity.states(crossing, scores, at),
            floors={} if previous is None else floors_from(previous, reviews),
            without_models=tuple(sorted(agency for agency, is_stopped in self.without_models.items() if is_stopped)),
            not_applicable=tuple(not_applicable) if draws else (),
        )

    def take_in(
        self,
        crossing: Crossing,
        scores: Sequence[DomainScore],
        decided: LaneDecision,
        at: datetime,
        *,
        previous: DecisionRecord | None,
    ) -> None:
        """Count what a decision asks for; `settle` or `forget` follows the commit."""
        self.capacity.take_in(crossing, scores, decided, at, is_counted_before=previous)

    def give_back(self, crossing_id: str) -> None:
        """Take back what a withdrawn crossing asked for; `settle` or `forget` follows the commit."""
        self.capacity.give_back(crossing_id)

    def settle(self) -> None:
        """Keep what was counted since the last call: it is durable."""
        self.capacity.settle()

    def forget(self) -> None:
        """Drop what was counted since the last call: it was not recorded."""
        self.capacity.forget()
