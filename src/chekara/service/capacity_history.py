"""Lanes of a history whose policy has budgets: crossing after crossing, since what one takes the next does not have."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from chekara.domain.selection import CapacityState
from chekara.domain.vocabulary import Lane
from chekara.features.catalogue import Array
from chekara.policy.capacity_meter import Asked, CapacityMeter, CountedCrossing
from chekara.policy.policy import Policy
from chekara.policy.risk import Floats, Texts

_BY_STRICTNESS = tuple(sorted(Lane, key=lambda lane: lane.strictness))

Strictness = npt.NDArray[np.int8]


class MeteredLanes:
    """What each domain asks for under the budgets of a policy, in the order of scoring.

    Parameters
    ----------
    policy : Policy
        With budgets.
    n_crossings : int
    """

    def __init__(self, policy: Policy, n_crossings: int) -> None:
        self._policy = policy
        self._meter = CapacityMeter(policy)
        self._is_counted = np.zeros(n_crossings, dtype=bool)
        self._leads: dict[str, dict[str, str]] = {}

    def wanted(
        self,
        crossing: npt.NDArray[np.int64],
        crossing_id: Texts,
        crossing_points: Texts,
        known_at: Array,
        risks: Mapping[str, Floats],
        demanded: Mapping[str, Strictness],
        asked: Mapping[str, Strictness],
    ) -> dict[str, Strictness]:
        """Return the lane of each scoring in each domain, as ``Lane.strictness``.

        Parameters
        ----------
        crossing : ndarray of shape (n,), int64
            Which crossing each scoring is of.
        crossing_id, crossing_points : ndarray of shape (n,)
        known_at : ndarray of shape (n,), datetime64[us]
            UTC.
        risks : mapping of str to ndarray of shape (n,)
            By domain; NaN where it was not scored.
        demanded : mapping of str to ndarray of shape (n,)
            What rules demand, by domain.
        asked : mapping of str to ndarray of shape (n_crossings,)
            What earlier scorings of a crossing asked for, by domain; what these ask for beyond it is put in.
        """
        found = {domain: np.zeros(len(crossing), dtype=np.int8) for domain in self._policy.domains}
        instants = [at.replace(tzinfo=UTC) for at in known_at.astype("datetime64[us]").tolist()]
        for place, own in enumerate(crossing.tolist()):
            scored = {domain: float(risk[place]) for domain, risk in risks.items() if not np.isnan(risk[place])}
            rules = {domain: int(lanes[place]) for domain, lanes in demanded.items() if lanes[place]}
            before = {domain: int(lanes[own]) for domain, lanes in asked.items() if lanes[own]}
            point, name = str(crossing_points[place]), str(crossing_id[place])
            is_first, self._is_counted[own] = not self._is_counted[own], True
            lanes = self._decided(point, instants[place], name, scored, rules, before, is_first=is_first)
            for domain, strictness in lanes.items():
                found[domain][place] = asked[domain][own] = strictness
        return found

    def _decided(
        self,
        crossing_point: str,
        at: datetime,
        crossing_id: str,
        risks: Mapping[str, float],
        rules: Mapping[str, int],
        before: Mapping[str, int],
        *,
        is_first: bool,
    ) -> dict[str, int]:
        states: dict[str, list[CapacityState]] = {}
        for state in self._meter.states(crossing_point, at, risks, crossing_id):
            states.setdefault(state.agency, []).append(state)
        leads = self._leads_at(crossing_point)
        lanes: dict[str, int] = {}
        asked: dict[str, Asked] = {}
        for domain in {*risks, *rules, *before}:
            strictest = rule = rules.get(domain, 0)
            if domain in risks:
                counted = {own.lane: own.threshold_for(domain) for own in states.get(leads[domain], ())}
                own = self._policy.domains[domain].lane(risks[domain], counted)
                strictest = max(strictest, own.strictness)
            strictest = max(strictest, before.get(domain, 0))
            if strictest:
                lanes[domain] = strictest
                asked[domain] = Asked(_BY_STRICTNESS[strictest], "rule" if rule == strictest else "model")
        self._meter.take_in(
            CountedCrossing(
                crossing_id=crossing_id,
                crossing_point=crossing_point,
                at=at,
                risks=risks,
                asked=asked,
                before=None if is_first else {domain: _BY_STRICTNESS[lane] for domain, lane in before.items()},
            )
        )
        return lanes

    def _leads_at(self, crossing_point: str) -> dict[str, str]:
        if crossing_point not in self._leads:
            policy = self._policy
            self._leads[crossing_point] = {one: policy.agencies(one, crossing_point).lead for one in policy.domains}
        return self._leads[crossing_point]
