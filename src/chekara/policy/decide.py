"""From scores to a lane and to what each agency is asked to do. Pure: same input, same decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from chekara.domain.decision import Action, DomainScore
from chekara.domain.vocabulary import Lane
from chekara.policy.policy import Policy


@dataclass(frozen=True, slots=True)
class LaneDecision:
    """What the policy recommends.

    Attributes
    ----------
    lane : Lane
        Strictest over all domains.
    selected_by : str or None
        What demanded the lane; None for green.
    actions : tuple of Action
        Strictest first; the lead agency's before those informed.
    """

    lane: Lane
    selected_by: str | None
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Floor:
    """A lane that a domain may not fall below, and what demanded it."""

    lane: Lane
    selected_by: str


def decide(
    scores: Sequence[DomainScore],
    policy: Policy,
    crossing_point: str,
    scored_at: datetime,
    floors: Mapping[str, Floor] | None = None,
) -> LaneDecision:
    """Map scores to lanes and lanes to controls."""
    raise NotImplementedError
