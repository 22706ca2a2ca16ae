"""From scores, rules, draws and what capacity is left to a lane and to what each agency is asked to do.

Pure: same input, same decision. Precedence is red over yellow over blue over green. Rules, draws and what an earlier
revision asked for bind from below: a model never lowers what they demand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt

from chekara.domain.decision import Action, DomainScore
from chekara.domain.selection import NO_GROUNDS, Draw, Grounds, Selection
from chekara.domain.vocabulary import INFORMED, LEAD, Lane
from chekara.policy.joint import join_actions
from chekara.policy.policy import Policy

# Of several rules that demand the same lane of a domain, whose channel is named; then the model's. Draws stand above
# all: they were first.
_CHANNELS: Final = ("mandatory", "intelligence", "rule")


@dataclass(frozen=True, slots=True)
class LaneDecision:
    """What the policy recommends.

    Attributes
    ----------
    lane : Lane
        Strictest over all domains.
    selected_by : str or None
        What demanded the lane, in the domain that is named first; None for green.
    actions : tuple of Action
        Strictest first; in a domain, its lead agency's before those informed. One of them leads the joint control.
    selections : tuple of Selection
        One per domain that asks for a lane, in the order of the actions.
    """

    lane: Lane
    selected_by: str | None
    actions: tuple[Action, ...]
    selections: tuple[Selection, ...]


def decide(
    scores: Sequence[DomainScore],
    policy: Policy,
    crossing_point: str,
    scored_at: datetime,
    grounds: Grounds = NO_GROUNDS,
) -> LaneDecision:
    """Map scores and all other grounds to lanes, and lanes to controls.

    Parameters
    ----------
    scores : sequence of DomainScore
        At most one per domain; ``risk`` decides.
    policy : Policy
    crossing_point : str
        Code; it decides which agencies act.
    scored_at : datetime
        Controls are due from here on.
    grounds : Grounds
        Rules that were met, draws, what capacity is left, and what an earlier revision asked for. What they say of a
        domain that the policy does not know is left out.

    Returns
    -------
    LaneDecision

    Raises
    ------
    ConfigurationError
        A score's domain is not in the policy.
    """
    wanted = sorted(_wanted(scores, policy, crossing_point, grounds), key=_Wanted.urgency)
    if not wanted:
        return LaneDecision(Lane.GREEN, None, (), ())
    asked = [action for w in wanted for action in _actions(w, policy, crossing_point, scored_at)]
    actions = join_actions(asked, policy.joint)
    selections = tuple(Selection(w.domain, w.lane, w.selected_by, w.propensity) for w in wanted)
    return LaneDecision(wanted[0].lane, wanted[0].selected_by, actions, selections)


def lanes_by_domain(risks: Mapping[str, npt.NDArray[np.float64]], policy: Policy) -> dict[str, npt.NDArray[np.int8]]:
    """Map the risks of many crossings to the lanes that `decide` gives them, where nothing else speaks for any.

    Parameters
    ----------
    risks : mapping of str to ndarray of shape (n,)
        By domain; NaN where a crossing has no score in it.
    policy : Policy

    Returns
    -------
    dict of str to ndarray of shape (n,), int8
        By domain: ``Lane.strictness``, 0 for green to 3 for red.

    Raises
    ------
    ConfigurationError
        A domain is not in the policy.

    Examples
    --------
    >>> from chekara.policy import load_policy
    >>> lanes_by_domain({"contraband": np.array([0.2, 0.96, 1.0, np.nan])}, load_policy())["contraband"].tolist()
    [0, 2, 3, 0]
    """
    found: dict[str, npt.NDArray[np.int8]] = {}
    for domain, risk in risks.items():
        lanes = found[domain] = np.zeros(len(risk), dtype=np.int8)
        for lane, threshold in policy.domain(domain).thresholds.items():
            np.maximum(lanes, np.int8(lane.strictness), out=lanes, where=risk >= threshold)
    return found


@dataclass(slots=True)
class _Wanted:
    domain: str
    lane: Lane
    selected_by: str
    propensity: float | None
    risk: float
    item_no: int | None

    def urgency(self) -> tuple[int, float, str]:
        return (-self.lane.strictness, -self.risk, self.domain)


def _wanted(scores: Sequence[DomainScore], policy: Policy, crossing_point: str, grounds: Grounds) -> Iterator[_Wanted]:
    by_domain = {score.domain: score for score in scores}
    for domain in by_domain:
        policy.domain(domain)
    beside = {hit.domain for hit in grounds.rules}
    beside.update([draw.domain for draw in grounds.asking_draws if draw.is_drawn], grounds.floors)
    for domain, score in by_domain.items():
        if domain not in beside:  # as nearly always
            lane = _lane_of_score(score, policy, crossing_point, grounds)
            if lane is not Lane.GREEN:
                yield _Wanted(domain, lane, "model", None, score.risk, score.item_no)
    for domain in beside:
        if domain in policy.domains:
            own = _wanted_by_domain(domain, by_domain.get(domain), policy, crossing_point, grounds)
            if own is not None:
                yield own


def _wanted_by_domain(
    domain: str, score: DomainScore | None, policy: Policy, crossing_point: str, grounds: Grounds
) -> _Wanted | None:
    """Return the strictest lane that anything asks for, named by who asks for it first; None where nothing does."""
    draws = [draw for draw in grounds.asking_draws if draw.domain == domain]
    lane, selected_by, item_no = Lane.GREEN, "model", None
    for demanded, by, line in _demands(domain, score, draws, policy, crossing_point, grounds):
        if demanded.strictness > lane.strictness:
            lane, selected_by, item_no = demanded, by, line
    if lane is Lane.GREEN:
        return None
    is_drawn = any(draw.is_drawn for draw in draws)
    return _Wanted(
        domain=domain,
        lane=lane,
        selected_by="random" if is_drawn else selected_by,
        propensity=_propensity(draws) if is_drawn else None,
        risk=0.0 if score is None else score.risk,
        # The line that a rule points at; else the one that carries the score.
        item_no=item_no if item_no is not None or score is None else score.item_no,
    )


def _demands(
    domain: str,
    score: DomainScore | None,
    draws: Iterable[Draw],
    policy: Policy,
    crossing_point: str,
    grounds: Grounds,
) -> Iterator[tuple[Lane, str, int | None]]:
    """Yield what asks for a lane of a domain (lane, channel, goods line), in the order in which channels are named."""
    if grounds.rules:
        hits = [hit for hit in grounds.rules if hit.domain == domain]
        for channel in _CHANNELS:
            yield from ((hit.lane, channel, hit.item_no) for hit in hits if hit.selected_by == channel)
    if score is not None:
        yield _lane_of_score(score, policy, crossing_point, grounds), "model", None
    for draw in draws:
        if draw.is_drawn:
            yield draw.lane, "random", None
    if domain in grounds.floors:
        yield grounds.floors[domain].lane, grounds.floors[domain].selected_by, None


def _lane_of_score(score: DomainScore, policy: Policy, crossing_point: str, grounds: Grounds) -> Lane:
    """Return the strictest lane that a risk reaches, where thresholds of counted lanes follow the capacity left."""
    own = policy.domain(score.domain)
    if not (grounds.capacity or grounds.without_models):
        return own.lane(score.risk)
    lead = policy.agencies(score.domain, crossing_point).lead
    if lead in grounds.without_models:
        return Lane.GREEN
    counted = {own.lane: own.threshold_for(score.domain) for own in grounds.capacity if own.agency == lead}
    return own.lane(score.risk, counted)


def _propensity(draws: Iterable[Draw]) -> float:
    """Return the probability that at least one of independent draws falls on a crossing."""
    joined = 0.0
    for draw in draws:
        joined += (1.0 - joined) * draw.propensity  # of one arm alone: exactly its own
    return joined


def _actions(wanted: _Wanted, policy: Policy, crossing_point: str, scored_at: datetime) -> list[Action]:
    agencies = policy.agencies(wanted.domain, crossing_point)
    control = policy.domain(wanted.domain).control(wanted.lane)
    return [
        Action(
            agency=agency,
            role=LEAD if agency == agencies.lead else INFORMED,
            domain=wanted.domain,
            lane=wanted.lane,
            control=control.control,
            instruction=control.instruction,
            item_no=wanted.item_no,
            due_at=scored_at + control.due_after,
        )
        for agency in (agencies.lead, *agencies.informed)
    ]
