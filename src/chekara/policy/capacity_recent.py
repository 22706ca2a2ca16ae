"""What is usual at a crossing point: the newest risks of each agency's domains, and which lanes have budgets there."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from chekara.domain.vocabulary import Lane
from chekara.policy.policy import DomainPolicy, Policy

RECENT: Final = 500
"""Crossings of one crossing point whose risks say what is usual there now."""
RECENT_OF_ALL: Final = 1_000
"""Crossings of all points, for points that have not seen enough yet."""
ENOUGH: Final = 50

Known: TypeAlias = tuple[datetime, float, int]
"""When a crossing was decided, its risk, and the strictness that rules and draws demanded."""

_NO_SCORE: Final = -1.0
_LANES: Final = tuple(sorted((lane for lane in Lane if lane.strictness), key=lambda lane: -lane.strictness))


class Recent:
    """The newest risks of an agency's domains, kept sorted, and what was demanded beside them.

    Parameters
    ----------
    most : int
        Crossings that are kept.

    Attributes
    ----------
    ascending : list of float
    demanded : list of int
        How many were demanded by another channel than a model, by the strictness of the lane; 0 holds all others.
    """

    __slots__ = ("_most", "_ring", "ascending", "demanded")

    def __init__(self, most: int) -> None:
        self._most = most
        self._ring: deque[Known] = deque()
        self.ascending: list[float] = []
        self.demanded = [0] * len(Lane)

    def add(self, known: Known) -> None:
        """Let a crossing in; the oldest leaves once there are enough."""
        ring, ascending = self._ring, self.ascending
        ring.append(known)
        insort(ascending, known[1])
        self.demanded[known[2]] += 1
        if len(ring) > self._most:
            self._drop_oldest()

    def scored(self) -> float:
        """Return the share of crossings with a score, in [0, 1]; 0 where too few were seen to say so."""
        number = len(self.ascending)
        return 1.0 - bisect_left(self.ascending, 0.0) / number if number >= ENOUGH else 0.0

    def forget_before(self, at: datetime) -> None:
        """Drop what is too old to say what is usual."""
        while self._ring and self._ring[0][0] < at:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        _, risk, demanded = self._ring.popleft()
        del self.ascending[bisect_left(self.ascending, risk)]
        self.demanded[demanded] -= 1


@dataclass(frozen=True, slots=True)
class Watched:
    """Domains of an agency at a crossing point whose risks compete for the same places.

    Attributes
    ----------
    agency : str
    domains : tuple of str
    own : Recent
    of_all : Recent
        Of all crossing points; asked for by a point that has not seen enough yet.
    """

    agency: str
    domains: tuple[str, ...]
    own: Recent
    of_all: Recent

    def recent(self) -> Recent:
        """Return the risks that thresholds are taken from."""
        return self.own if len(self.own.ascending) >= ENOUGH else self.of_all

    def risk(self, risks: Mapping[str, float]) -> float:
        """Return the highest risk of the domains; below all risks where none was scored."""
        if len(self.domains) == 1:
            return risks.get(self.domains[0], _NO_SCORE)
        return max([risks.get(domain, _NO_SCORE) for domain in self.domains], default=_NO_SCORE)


@dataclass(frozen=True, slots=True)
class Led:
    """A lane of an agency at a crossing point that has a budget in some shift.

    Attributes
    ----------
    agency : str
    lane : Lane
    watched : Watched
        Domains that it leads there and that ask for the lane.
    uncounted_above : float
        Lowest policy threshold of a stricter lane; it counts where that lane has no budget.
    strictness : int
        Of the lane.
    alone : tuple of (str, Recent)
        Each of the domains by itself, where places of the budget are kept for it in some shift.
    """

    agency: str
    lane: Lane
    watched: Watched
    uncounted_above: float
    strictness: int
    alone: tuple[tuple[str, Recent], ...] = ()


class RecentRisks:
    """The recent risks of all crossing points.

    Parameters
    ----------
    policy : Policy
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._recent: dict[tuple[str, str, tuple[str, ...]], Recent] = {}
        self._of_all: dict[tuple[str, tuple[str, ...]], Recent] = {}
        self._alone: dict[str, dict[str, Recent]] = {}  # by crossing point and domain: one agency leads it there
        self._led: dict[str, tuple[Led, ...]] = {}
        self._watched: dict[str, tuple[Watched, ...]] = {}

    def forget_before(self, at: datetime) -> None:
        """Drop what is too old to say what is usual."""
        alone = (recent for own in self._alone.values() for recent in own.values())
        for recent in (*self._recent.values(), *self._of_all.values(), *alone):
            recent.forget_before(at)

    def led_at(self, crossing_point: str) -> tuple[Led, ...]:
        """Return the lanes that have a budget in some shift at a crossing point, an agency's strictest first."""
        led = self._led.get(crossing_point)
        if led is None:
            led = self._led[crossing_point] = tuple(self._find_led(crossing_point))
        return led

    def watched_at(self, crossing_point: str) -> tuple[Watched, ...]:
        """Return whose risks are kept at a crossing point."""
        watched = self._watched.get(crossing_point)
        if watched is None:
            led = self.led_at(crossing_point)
            watched = self._watched[crossing_point] = tuple({id(one.watched): one.watched for one in led}.values())
        return watched

    def learn_alone(self, crossing_point: str, at: datetime, risks: Mapping[str, float]) -> None:
        """Take in a crossing's risks in the domains that are watched by themselves there."""
        for domain, recent in self._alone.get(crossing_point, {}).items():
            recent.add((at, risks.get(domain, _NO_SCORE), 0))

    def _find_led(self, crossing_point: str) -> Iterator[Led]:
        led: dict[str, list[DomainPolicy]] = {}
        for domain, own in self._policy.domains.items():
            led.setdefault(self._policy.agencies(domain, crossing_point).lead, []).append(own)
        plan = self._policy.capacity
        for agency in sorted(led):
            above = math.inf
            watched: dict[tuple[str, ...], Watched] = {}
            for lane in _LANES:
                asking = [own for own in led[agency] if lane in own.thresholds]
                budgets = [plan.budget(agency, lane, crossing_point, one) for one in plan.shifts.starts]
                counted = [budget for budget in budgets if budget is not None]
                if counted:
                    domains = tuple(own.domain for own in asking)
                    has_own = len(domains) > 1 and plan.least_places(max(counted)) > 0
                    if domains not in watched:
                        watched[domains] = self._watch(crossing_point, agency, domains)
                    alone = self._alone.setdefault(crossing_point, {})
                    own_risks = tuple((one, alone.setdefault(one, Recent(RECENT))) for one in domains if has_own)
                    yield Led(agency, lane, watched[domains], above, lane.strictness, own_risks)
                above = min([above, *(own.thresholds[lane] for own in asking)])

    def _watch(self, crossing_point: str, agency: str, domains: tuple[str, ...]) -> Watched:
        return Watched(
            agency,
            domains,
            self._recent.setdefault((crossing_point, agency, domains), Recent(RECENT)),
            self._of_all.setdefault((agency, domains), Recent(RECENT_OF_ALL)),
        )
