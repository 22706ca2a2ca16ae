"""From scores to a lane and to what each agency is asked to do. Pure: same input, same decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

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
    """Map scores to lanes and lanes to controls.

    Parameters
    ----------
    scores : sequence of DomainScore
        At most one per domain; ``risk`` decides.
    policy : Policy
    crossing_point : str
        Code; it decides which agencies act.
    scored_at : datetime
        Controls are due from here on.
    floors : mapping of str to Floor, optional
        Lanes that domains may not fall below: what an earlier revision of the crossing asked for, also in domains
        without a score now.

    Returns
    -------
    LaneDecision

    Raises
    ------
    ConfigurationError
        A score's domain is not in the policy.
    """
    wanted = [_wanted_by_score(score, policy, (floors or {}).get(score.domain)) for score in scores]
    scored = {score.domain for score in scores}
    wanted += [
        _Wanted(domain, floor.lane, floor.selected_by, 0.0, None)
        for domain, floor in (floors or {}).items()
        if domain not in scored and domain in policy.domains
    ]
    wanted = sorted((w for w in wanted if w.lane is not Lane.GREEN), key=_Wanted.urgency)
    if not wanted:
        return LaneDecision(Lane.GREEN, None, ())
    actions = [action for w in wanted for action in _actions(w, policy, crossing_point, scored_at)]
    return LaneDecision(wanted[0].lane, wanted[0].selected_by, tuple(actions))


def strictest_lanes(risks: Mapping[str, npt.NDArray[np.float64]], policy: Policy) -> npt.NDArray[np.int8]:
    """Map the risks of many crossings to the lane that `decide` gives each of them, without floors.

    Parameters
    ----------
    risks : mapping of str to ndarray of shape (n,)
        By domain, at least one; NaN where a crossing has no score in it.
    policy : Policy

    Returns
    -------
    ndarray of shape (n,), int8
        ``Lane.strictness``: 0 for green to 3 for red.

    Raises
    ------
    ConfigurationError
        A domain is not in the policy.

    Examples
    --------
    >>> from chekara.policy import load_policy
    >>> strictest_lanes({"contraband": np.array([0.2, 0.96, 1.0, np.nan])}, load_policy()).tolist()
    [0, 2, 3, 0]
    """
    strictest = np.zeros(len(next(iter(risks.values()))), dtype=np.int8)
    for domain, risk in risks.items():
        for lane, threshold in policy.domain(domain).thresholds.items():
            np.maximum(strictest, np.int8(lane.strictness), out=strictest, where=risk >= threshold)
    return strictest


@dataclass(frozen=True, slots=True)
class _Wanted:
    domain: str
    lane: Lane
    selected_by: str
    risk: float
    item_no: int | None

    def urgency(self) -> tuple[int, float, str]:
        return (-self.lane.strictness, -self.risk, self.domain)


def _wanted_by_score(score: DomainScore, policy: Policy, floor: Floor | None) -> _Wanted:
    lane = policy.domain(score.domain).lane(score.risk)
    if floor is not None and floor.lane.strictness > lane.strictness:
        return _Wanted(score.domain, floor.lane, floor.selected_by, score.risk, score.item_no)
    return _Wanted(score.domain, lane, "model", score.risk, score.item_no)


def _actions(wanted: _Wanted, policy: Policy, crossing_point: str, scored_at: datetime) -> list[Action]:
    agencies = policy.agencies(wanted.domain, crossing_point)
    control = policy.domain(wanted.domain).control(wanted.lane)
    return [
        Action(
            agency=agency,
            role="lead" if agency == agencies.lead else "informed",
            domain=wanted.domain,
            lane=wanted.lane,
            control=control.control,
            instruction=control.instruction,
            item_no=wanted.item_no,
            due_at=scored_at + control.due_after,
        )
        for agency in (agencies.lead, *agencies.informed)
    ]
