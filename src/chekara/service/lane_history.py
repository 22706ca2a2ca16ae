"""Lanes of the crossings of a history under one policy, many at once: what `chekara.policy.decide` gives each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from chekara.features.catalogue import Array, ItemColumns
from chekara.policy.decide import lanes_by_domain
from chekara.policy.policy import Policy
from chekara.policy.risk import Floats, Texts
from chekara.service.capacity_history import MeteredLanes
from chekara.service.match_rules import MatchPolicyRules

Ints: TypeAlias = npt.NDArray[np.int64]
Strictness: TypeAlias = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredChunk:
    """Scorings that follow each other, in all domains.

    Attributes
    ----------
    crossing : ndarray of shape (n_scorings,), int64
        Which crossing each is of.
    crossing_id, crossing_points : ndarray of shape (n_scorings,)
    known_at : ndarray of shape (n_scorings,), datetime64[us]
        UTC.
    rank, probability, expected_amount : mapping of str to ndarray of shape (n_scorings,)
        By domain; NaN where it does not apply or nothing is known.
    """

    crossing: Ints
    crossing_id: Texts
    crossing_points: Texts
    known_at: Array
    rank: Mapping[str, Floats]
    probability: Mapping[str, Floats]
    expected_amount: Mapping[str, Floats]


@dataclass(frozen=True, slots=True)
class Demanded:
    """What rules demand of scorings.

    Attributes
    ----------
    lanes : mapping of str to ndarray of shape (n_scorings,)
        By domain for which any rule was met: ``Lane.strictness``.
    rules : mapping of int to tuple of str
        Ids of the rules met, by place; places of none are left out.
    """

    lanes: Mapping[str, Strictness]
    rules: Mapping[int, tuple[str, ...]]


class LaneHistory:
    """Lanes under one policy, chunk after chunk, in the order of scoring.

    Parameters
    ----------
    policy : Policy
    n_crossings : int
    rules : MatchPolicyRules, optional
        The policy's rules as they are matched; default: without any watch list.
    """

    def __init__(self, policy: Policy, n_crossings: int, rules: MatchPolicyRules | None = None) -> None:
        self.policy = policy
        self.rules = MatchPolicyRules(policy) if rules is None else rules
        # No lane is lowered: a revision keeps the strictest one that was asked for before it.
        self._asked = {domain: np.zeros(n_crossings, dtype=np.int8) for domain in policy.domains}
        self._metered = MeteredLanes(policy, n_crossings) if policy.capacity.budgets else None

    def demanded(self, items: ItemColumns, starts: Ints) -> Demanded:
        """Return what rules demand of each crossing; see `MatchPolicyRules.of_items`.

        Parameters
        ----------
        items : ItemColumns
            Lines of one crossing after the other, with what the profile engine laid beside them.
        starts : ndarray of shape (n_crossings + 1,), int64
            Where the lines of each crossing begin.
        """
        found: dict[str, Strictness] = {}
        met: dict[int, tuple[str, ...]] = {}
        if not len(self.rules):
            return Demanded(found, met)
        for place, hits in enumerate(self.rules.of_items(items, starts)):
            for hit in hits:
                if hit.domain not in found:
                    found[hit.domain] = np.zeros(len(starts) - 1, dtype=np.int8)
                found[hit.domain][place] = max(found[hit.domain][place], hit.lane.strictness)
            if hits:
                met[place] = tuple(hit.rule for hit in hits)
        return Demanded(found, met)

    def lanes(self, scored: ScoredChunk, demanded: Demanded) -> dict[str, Strictness]:
        """Return the lane of each scoring in each domain that asks for any, as ``Lane.strictness``.

        Parameters
        ----------
        scored : ScoredChunk
        demanded : Demanded
            What rules demand of them.
        """
        risks = {domain: self._risk(domain, scored) for domain in scored.rank if domain in self.policy.domains}
        if self._metered is not None:
            return self._metered.wanted(
                scored.crossing,
                scored.crossing_id,
                scored.crossing_points,
                scored.known_at,
                risks,
                demanded.lanes,
                self._asked,
            )
        wanted = lanes_by_domain(risks, self.policy)
        for domain, lanes in demanded.lanes.items():
            wanted[domain] = np.maximum(lanes, wanted.get(domain, np.int8(0)))
        found: dict[str, Strictness] = {}
        for domain, asked in self._asked.items():
            if domain in wanted:
                np.maximum.at(asked, scored.crossing, wanted[domain])
            found[domain] = asked[scored.crossing]
        return found

    def _risk(self, domain: str, scored: ScoredChunk) -> Floats:
        risk, _ = self.policy.risk(
            domain,
            scored.crossing_points,
            rank=scored.rank[domain],
            probability=scored.probability[domain],
            expected_amount=scored.expected_amount[domain],
        )
        return risk


def strictest_of(lanes: Mapping[str, Strictness], n_scorings: int) -> Strictness:
    """Return the strictest lane over all domains; green where there is none."""
    strictest = np.zeros(n_scorings, dtype=np.int8)
    for own in lanes.values():
        np.maximum(strictest, own, out=strictest)
    return strictest
