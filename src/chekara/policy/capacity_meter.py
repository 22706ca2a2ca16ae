"""Counts what every agency is asked for, and says at each crossing what is left: one state per agency and lane.

Everything it knows is a function of the crossings that it took in during the last weeks, in their order, so that a
meter begun from a log says the same as one that never stopped.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Final

from chekara.domain.selection import CapacityState
from chekara.domain.vocabulary import Lane
from chekara.policy.capacity import NOTHING_LEFT, share_to_send, threshold_of
from chekara.policy.capacity_recent import Led, RecentRisks
from chekara.policy.capacity_shifts import ShiftSpan, shift_span
from chekara.policy.capacity_traffic import WEEKS, Flow, Traffic, hour_of
from chekara.policy.policy import Policy

KEPT_FOR: Final = timedelta(days=28)
TRAFFIC_KEPT_FOR: Final = timedelta(weeks=WEEKS, days=2)

_NONE: Final[Mapping[str, float]] = {}
_BEFORE_ALL: Final = ShiftSpan(datetime.min.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC), time())


@dataclass(frozen=True, slots=True)
class Asked:
    """What one domain asked for of a crossing, and which channel demanded it."""

    lane: Lane
    selected_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedCrossing:
    """A decided crossing, as the meter counts it.

    Attributes
    ----------
    crossing_id, crossing_point : str
    at : datetime
        When it was decided.
    risks : mapping of str to float
        By domain, of those that were scored.
    asked : mapping of str to Asked
        By domain.
    before : mapping of str to Lane, or None
        What an earlier revision of it asked for, by domain; None where this is the first one.
    """

    crossing_id: str
    crossing_point: str
    at: datetime
    risks: Mapping[str, float]
    asked: Mapping[str, Asked]
    before: Mapping[str, Lane] | None = None


@dataclass(slots=True)
class _Cell:
    """A budget of the present shift."""

    led: Led
    budget: int
    least: int = 0
    used: int = 0
    used_by: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Post:
    """The present shift at one crossing point."""

    flow: Flow
    cells: tuple[_Cell, ...]
    seen: int = 0
    coming: float = math.nan


@dataclass(frozen=True, slots=True)
class _Place:
    """What a crossing takes of an agency's budget, and for which domains."""

    crossing_point: str
    lane: Lane
    domains: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """How one budget of the present shift stands, as of the newest crossing of its crossing point.

    Attributes
    ----------
    crossing_point, agency : str
    lane : Lane
    budget, used : int
    seen : int
        Crossings of the shift so far.
    coming : float
        Crossings still to come, in expectation; NaN where nobody has asked yet.
    """

    crossing_point: str
    agency: str
    lane: Lane
    budget: int
    used: int
    seen: int
    coming: float


class CapacityMeter:
    """What is left of every budget.

    Parameters
    ----------
    policy : Policy
        Its plan of capacity has at least one budget.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._plan = policy.capacity
        self._traffic = Traffic(self._plan.shifts)
        self._risks = RecentRisks(policy)
        self._posts: dict[str, _Post] = {}  # of the present shift
        self._places: dict[str, dict[str, _Place]] = {}  # of the present shift, by crossing and agency
        self._span = _BEFORE_ALL
        self._shift = ""
        self._newest = datetime.min.replace(tzinfo=UTC)

    def states(
        self, crossing_point: str, at: datetime, risks: Mapping[str, float], crossing_id: str
    ) -> tuple[CapacityState, ...]:
        """Return what is left just before a crossing is decided; nothing is counted.

        Parameters
        ----------
        crossing_point : str
        at : datetime
            When it is decided. A shift that is over does not come back: an earlier instant counts as the newest one.
        risks : mapping of str to float
            By domain.
        crossing_id : str
        """
        at = self._turn_to(at)
        post = self._post(crossing_point)
        if not post.cells:
            return ()
        coming = post.coming = post.flow.coming(at.timestamp())
        return tuple(self._states_of(post, coming, risks, crossing_id))

    def _states_of(
        self, post: _Post, coming: float, risks: Mapping[str, float], crossing_id: str
    ) -> Iterator[CapacityState]:
        """Yield states, of an agency's stricter lanes first: what they take needs no place in the others."""
        agency, above = "", math.inf
        for cell in post.cells:
            led = cell.led
            if led.agency != agency:
                agency, above = led.agency, math.inf
            above = min(above, led.uncounted_above)
            threshold = NOTHING_LEFT
            kept = _kept_for_domains(cell, coming) if cell.least else _NONE
            budget = cell.budget - sum(kept.values()) if kept else cell.budget
            recent = led.watched.recent()
            number = len(recent.ascending)
            demanded = recent.demanded[led.strictness] / number if number else 0.0
            share = share_to_send(budget, cell.used, seen=post.seen, coming=coming, demanded=demanded)
            if share > 0.0:
                taken = 1.0 - bisect_left(recent.ascending, above) / number if number and above < math.inf else 0.0
                risk = led.watched.risk(risks)
                threshold = threshold_of(share, recent.ascending, risk=risk, crossing_id=crossing_id, taken=taken)
            own = _NONE
            if kept:
                found = {domain: _least_threshold(cell, domain, post, coming, risks, crossing_id) for domain in kept}
                own = {domain: lower for domain, lower in found.items() if lower < threshold}
            yield CapacityState(agency, led.lane, self._shift, cell.budget, cell.used, coming + 1.0, threshold, own)
            above = min(above, threshold)

    def take_in(self, crossing: CountedCrossing, *, is_traffic_counted: bool = False) -> None:
        """Count a decided crossing: its traffic, its risks, and the controls that it asks for beyond earlier ones.

        Parameters
        ----------
        crossing : CountedCrossing
        is_traffic_counted : bool
            Its hour holds it already: `count_traffic` was told of all.
        """
        at = self._turn_to(crossing.at)
        if crossing.before is None:
            if not is_traffic_counted:
                self.count_traffic(crossing.crossing_point, hour_of(at))
            self._post(crossing.crossing_point).seen += 1
            self._learn(crossing, at)
        self._count_places(crossing)

    def give_back(self, crossing_id: str) -> None:
        """Give the places of a crossing back that never came; those of a shift that is over are gone."""
        for agency, place in self._places.pop(crossing_id, {}).items():
            self._use(agency, place, -1)

    def standing(self) -> tuple[Standing, ...]:
        """Return how every budget of the present shift stands, at the crossing points that had a crossing in it."""
        return tuple(
            Standing(point, cell.led.agency, cell.led.lane, cell.budget, cell.used, post.seen, post.coming)
            for point, post in tuple(self._posts.items())
            for cell in post.cells
        )

    def count_traffic(self, crossing_point: str, hour: int, crossings: int = 1) -> None:
        """Count crossings of an hour since 1970, and nothing else of them."""
        self._traffic.count(crossing_point, hour, crossings)

    def learn_from(self, crossing: CountedCrossing) -> None:
        """Take in the risks of a crossing of an earlier shift, and nothing else of it."""
        self._learn(crossing, crossing.at)

    def _learn(self, crossing: CountedCrossing, at: datetime) -> None:
        watched_here = self._risks.watched_at(crossing.crossing_point)
        beside = {domain: own.lane for domain, own in crossing.asked.items() if own.selected_by != "model"}
        demanded = self._by_agency(crossing.crossing_point, beside)
        for watched in watched_here:
            strictness = demanded[watched.agency].strictness if watched.agency in demanded else 0
            known = (at, watched.risk(crossing.risks), strictness)
            watched.own.add(known)
            watched.of_all.add(known)
        self._risks.learn_alone(crossing.crossing_point, at, crossing.risks)

    def _count_places(self, crossing: CountedCrossing) -> None:
        before = {} if crossing.before is None else self._by_agency(crossing.crossing_point, crossing.before)
        asked = self._by_agency(crossing.crossing_point, {domain: own.lane for domain, own in crossing.asked.items()})
        places = self._places.setdefault(crossing.crossing_id, {}) if asked else {}
        for agency, lane in asked.items():
            if before.get(agency) is lane:
                continue  # it has its place already
            if agency in places:
                self._use(agency, places[agency], -1)
            # Domains of other agencies do no harm here: no budget of this one looks at them.
            domains = tuple(domain for domain, own in crossing.asked.items() if own.lane is lane)
            places[agency] = _Place(crossing.crossing_point, lane, domains)
            self._use(agency, places[agency], 1)

    def _by_agency(self, crossing_point: str, lanes: Mapping[str, Lane]) -> dict[str, Lane]:
        """Return the strictest lane by the agency that leads there: a crossing counts once."""
        found: dict[str, Lane] = {}
        for domain, lane in lanes.items():
            if domain in self._policy.domains:
                lead = self._policy.agencies(domain, crossing_point).lead
                if lane.strictness > found.get(lead, Lane.GREEN).strictness:
                    found[lead] = lane
        return found

    def _use(self, agency: str, place: _Place, places: int) -> None:
        for cell in self._post(place.crossing_point).cells:
            if cell.led.agency == agency and cell.led.lane is place.lane:
                cell.used += places
                if cell.least:
                    for domain in place.domains:
                        cell.used_by[domain] = cell.used_by.get(domain, 0) + places

    def _turn_to(self, at: datetime) -> datetime:
        """Begin the shift of an instant, if it is a later one; return the instant, or the newest one so far."""
        self._newest = at = max(at, self._newest)
        if not self._span.holds(at):
            self._begin_shift(shift_span(self._plan.shifts, at))
        return at

    def _begin_shift(self, span: ShiftSpan) -> None:
        self._span = span
        self._shift = span.starts_at.isoformat()
        self._posts.clear()
        self._places.clear()
        self._risks.forget_before(span.starts_at - KEPT_FOR)
        self._traffic.forget_before(hour_of(span.starts_at - TRAFFIC_KEPT_FOR))
        self._traffic.open_shift(span)

    def _post(self, crossing_point: str) -> _Post:
        post = self._posts.get(crossing_point)
        if post is None:
            cells = []
            for led in self._risks.led_at(crossing_point):
                budget = self._plan.budget(led.agency, led.lane, crossing_point, self._span.start)
                if budget is not None:
                    cells.append(_Cell(led, budget, self._plan.least_places(budget) if led.alone else 0))
            post = _Post(self._traffic.flow(crossing_point, self._span), tuple(cells))
            self._posts[crossing_point] = post
        return post


def _kept_for_domains(cell: _Cell, coming: float) -> Mapping[str, float]:
    """Return how many places are kept for domains that have not had their least share: as many as can still come."""
    if cell.used >= cell.budget:
        return _NONE
    kept: dict[str, float] = {}
    for domain, recent in cell.led.alone:
        missing = cell.least - cell.used_by.get(domain, 0)
        if missing > 0 and (scored := recent.scored()):
            kept[domain] = min(float(missing), scored * (coming + 1.0))
    return kept


def _least_threshold(
    cell: _Cell, domain: str, post: _Post, coming: float, risks: Mapping[str, float], crossing_id: str
) -> float:
    """Return the threshold by which a domain gets the places that are kept for it."""
    recent = dict(cell.led.alone)[domain].ascending
    share = share_to_send(cell.least, cell.used_by.get(domain, 0), seen=post.seen, coming=coming, demanded=0.0)
    return threshold_of(share, recent, risk=risks.get(domain, -1.0), crossing_id=crossing_id)
