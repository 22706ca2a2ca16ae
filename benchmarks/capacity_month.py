"""A month of ragged traffic under budgets: how well a threshold that follows the stream meets them, beside others.

The world is made of arrivals and risks alone: six crossing points over eight weeks, of which the last four are judged.
There are nights and weekends, Monday mornings, a post that closes for three days while its neighbour takes its traffic,
a festival with four times the traffic, a post that opens anew, and an hour without service whose backlog comes at once.
Some crossings are sent by rules or by the lot whatever the models say, and take their places from the same budgets.

    python benchmarks/capacity_month.py --seed 1 [--out docs/images]
"""

from __future__ import annotations

import argparse
import tempfile
import time as clock
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import numpy as np

from chekara.domain.vocabulary import Lane
from chekara.policy import Policy, load_policy
from chekara.policy.capacity_meter import Asked, CapacityMeter, CountedCrossing
from chekara.policy.capacity_shifts import shift_span

BEGINS = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
WEEKS, JUDGED_FROM_WEEK = 8, 4
DOMAINS = ("revenue_fraud", "contraband", "vehicle_crime", "concealed_persons", "sps_violation")

# Crossings a day; the name of the post that takes over while this one is closed.
POSTS = {"NORTH": 700.0, "SOUTH": 400.0, "PASS": 150.0, "RIVER": 300.0, "VALLEY": 60.0, "NEW": 250.0}
NEW_OPENS = BEGINS + timedelta(days=38)
CLOSED = (BEGINS + timedelta(days=40), BEGINS + timedelta(days=43))  # SOUTH, to NORTH
FESTIVAL = (BEGINS + timedelta(days=46), BEGINS + timedelta(days=48))  # RIVER, four times
OUTAGE = BEGINS + timedelta(days=35, hours=4)  # everywhere, an hour

CAPACITY = """
[capacity]
time_zone = "Asia/Bishkek"
shift_starts = ["08:00", "20:00"]
"""
# (agency, lane): controls by day and by night at a post with 100 crossings a day, then scaled by the post's size.
BUDGETS = {
    ("customs", "red"): (4.0, 2.0),
    ("customs", "yellow"): (7.0, 3.0),
    ("internal_affairs", "red"): (2.0, 1.0),
    ("border_service", "red"): (2.0, 1.0),
    ("agriculture", "red"): (2.5, 1.0),
}
RULE_SHARE, LOT_SHARE = 0.004, 0.003


@dataclass(frozen=True, slots=True)
class Arrival:
    """One crossing: where, when, how risky, and which domains want it whatever its risk."""

    crossing_id: str
    point: str
    at: datetime
    risks: Mapping[str, float]
    demanded: Mapping[str, Asked]


def policy_text(budgets: str) -> str:
    """Return the text of the policy that ships, with two shifts a day and other budgets."""
    text = (files("chekara.policy") / "default.toml").read_text(encoding="utf-8")
    head, _, rest = text.partition("[capacity]")
    return head + CAPACITY + budgets + rest[rest.index("\n[", 1) :]


def policy_with_budgets(budgets: str | None = None) -> Policy:
    """Return the policy that ships, with two shifts a day and, unless told otherwise, budgets for every post."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "policy.toml")
        path.write_text(policy_text(_budget_text() if budgets is None else budgets), encoding="utf-8")
        return load_policy(path)


def _budget_text() -> str:
    entries = []
    for point, per_day in POSTS.items():
        for (agency, lane), by_shift in BUDGETS.items():
            for start, places in zip(("08:00", "20:00"), by_shift, strict=True):
                number = max(1, round(places * per_day / 100.0))
                entries.append(
                    f'[[capacity.budgets]]\nagency = "{agency}"\nlane = "{lane}"\ninspections = {number}\n'
                    f'crossing_points = ["{point}"]\nshifts = ["{start}"]\n'
                )
    return "\n".join(entries)


def arrivals(seed: int, weeks: int = WEEKS) -> list[Arrival]:
    """Make the stream, in order of time."""
    rng = np.random.default_rng(seed)
    found = [one for point in POSTS for one in _arrivals_at(point, rng, weeks)]
    found.sort(key=lambda one: (one.at, one.crossing_id))
    return found


def _arrivals_at(point: str, rng: np.random.Generator, weeks: int) -> Iterator[Arrival]:
    day_factor = 1.0
    for hour in range(weeks * 7 * 24):
        begins = BEGINS + timedelta(hours=hour)
        if hour % 24 == 0:
            day_factor = float(np.exp(rng.normal(0.0, 0.2)))
        rate = _rate(point, begins) * day_factor * float(rng.gamma(20.0, 1 / 20.0))
        for _ in range(int(rng.poisson(rate))):
            at = begins + timedelta(seconds=float(rng.uniform(0.0, 3600.0)))
            if OUTAGE <= at < OUTAGE + timedelta(hours=1):  # they wait, and are all sent when the service is back
                at = OUTAGE + timedelta(hours=1, seconds=float(rng.uniform(0.0, 600.0)))
            yield _arrival(point, at, rng)


def _rate(point: str, at: datetime) -> float:
    local = at + timedelta(hours=6)
    shape = 0.35 + 1.3 * max(0.0, np.sin(np.pi * (local.hour - 5) / 17.0)) if 5 <= local.hour < 22 else 0.35
    shape *= {5: 0.7, 6: 0.5}.get(local.weekday(), 1.0)
    if local.weekday() == 0 and 7 <= local.hour < 12:
        shape *= 1.8
    rate = POSTS[point] / 24.0 * shape
    closed = CLOSED[0] <= at < CLOSED[1]
    if (point == "SOUTH" and closed) or (point == "NEW" and at < NEW_OPENS):
        return 0.0
    if point == "NORTH" and closed:
        rate *= 1.0 + POSTS["SOUTH"] / POSTS["NORTH"]
    if point == "RIVER" and FESTIVAL[0] <= at < FESTIVAL[1]:
        rate *= 4.0
    return float(rate)


def _arrival(point: str, at: datetime, rng: np.random.Generator) -> Arrival:
    # Risks are ranks over all posts; at some posts they lie higher than at others, and they go together a little.
    tilt = {"NORTH": 0.0, "SOUTH": 0.3, "PASS": -0.3, "RIVER": 0.0, "VALLEY": 0.6, "NEW": 0.3}[point]
    common = rng.normal()
    risks = {one: float(_normal_share(0.5 * common + 0.866 * rng.normal() + tilt)) for one in DOMAINS}
    demanded = {}
    for domain in DOMAINS:
        draw = rng.uniform()
        if draw < RULE_SHARE:
            demanded[domain] = Asked(Lane.RED, "rule")
        elif draw < RULE_SHARE + LOT_SHARE:
            demanded[domain] = Asked(Lane.RED, "random")
    return Arrival(f"c{rng.integers(1 << 62):x}", point, at, risks, demanded)


def _normal_share(x: float) -> float:
    return 0.5 * (1.0 + float(np.tanh(0.7978845608 * (x + 0.044715 * x**3))))  # Gauss, to 3 in 10,000


CellKey = tuple[str, str, Lane, datetime]
Thresholds = Mapping[str, Mapping[Lane, float]]
"""Lowest risk that is sent, by agency and lane."""


@dataclass(slots=True)
class CellTally:
    """What became of one budget."""

    budget: int
    used: int = 0
    demanded: int = 0
    crossings: int = 0
    chosen: list[float] = field(default_factory=list)
    offered: list[float] = field(default_factory=list)
    used_at: list[float] = field(default_factory=list)
    thresholds: list[tuple[float, float]] = field(default_factory=list)


class Border:
    """Decides a stream under given thresholds, and keeps account."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.tallies: dict[CellKey, CellTally] = {}
        self._spans: dict[int, datetime] = {}
        self.led = {
            point: {agency: self._domains_of(agency, point) for agency in {agency for agency, _ in BUDGETS}}
            for point in POSTS
        }

    def _domains_of(self, agency: str, point: str) -> tuple[str, ...]:
        return tuple(domain for domain in DOMAINS if self.policy.agencies(domain, point).lead == agency)

    def shift_of(self, at: datetime) -> datetime:
        """Return when the shift of an instant began."""
        hour = int(at.timestamp()) // 3600
        if hour not in self._spans:
            self._spans[hour] = shift_span(self.policy.capacity.shifts, at).starts_at
        return self._spans[hour]

    def tally(self, one: Arrival, agency: str, lane: Lane) -> CellTally | None:
        """Return the account of a budget; None where there is none."""
        key = (one.point, agency, lane, self.shift_of(one.at))
        if key not in self.tallies:
            start = self.policy.capacity.shifts.shift_at(one.at)
            budget = self.policy.capacity.budget(agency, lane, one.point, start)
            if budget is None:
                return None
            self.tallies[key] = CellTally(budget)
        return self.tallies[key]

    def decide(self, one: Arrival, thresholds: Thresholds) -> dict[str, Asked]:
        """Send one crossing, and count it by agency."""
        asked = dict(one.demanded)
        for agency, domains in self.led[one.point].items():
            if not domains:
                continue
            risk = max(one.risks[domain] for domain in domains)
            domain = max(domains, key=lambda name: one.risks[name])
            lanes = thresholds.get(agency, {})
            lane = next((own for own in (Lane.RED, Lane.YELLOW) if risk >= lanes.get(own, np.inf)), None)
            forced = any(domain_ in one.demanded for domain_ in domains)
            if lane is not None and domain not in asked:
                asked[domain] = Asked(lane, "model")
            self._count(one, agency, risk, forced=forced, lane=Lane.RED if forced else lane, lanes=lanes)
        return asked

    def _count(
        self, one: Arrival, agency: str, risk: float, *, forced: bool, lane: Lane | None, lanes: Mapping[Lane, float]
    ) -> None:
        seconds = (one.at - BEGINS).total_seconds()
        for own in (Lane.RED, Lane.YELLOW):
            tally = self.tally(one, agency, own)
            if tally is None:
                continue
            tally.crossings += 1
            tally.thresholds.append((seconds, lanes.get(own, np.inf)))
            if not forced:
                tally.offered.append(risk)
            if lane is own:
                tally.used += 1
                tally.demanded += forced
                tally.used_at.append(seconds)
                if not forced:
                    tally.chosen.append(risk)


def follow_the_stream(border: Border, stream: list[Arrival]) -> float:
    """Decide with the meter; returns its seconds per crossing."""
    meter = CapacityMeter(border.policy)
    spent = 0.0
    for one in stream:
        begun = clock.perf_counter()
        states = meter.states(one.point, one.at, one.risks, one.crossing_id)
        spent += clock.perf_counter() - begun
        thresholds: dict[str, dict[Lane, float]] = {}
        for state in states:
            thresholds.setdefault(state.agency, {})[state.lane] = state.threshold
        asked = border.decide(one, thresholds)
        begun = clock.perf_counter()
        meter.take_in(
            CountedCrossing(
                crossing_id=one.crossing_id, crossing_point=one.point, at=one.at, risks=one.risks, asked=asked
            )
        )
        spent += clock.perf_counter() - begun
    return spent / len(stream)


def hold_still(border: Border, stream: list[Arrival], *, capped: bool) -> None:
    """Decide with thresholds that met the budgets on average in the first weeks; capped: until the budget is used."""
    past = [one for one in stream if one.at < BEGINS + timedelta(weeks=JUDGED_FROM_WEEK)]
    levels = _average_levels(border, past)
    for one in stream:
        thresholds: dict[str, dict[Lane, float]] = {}
        for agency, lane in ((agency, Lane(lane)) for agency, lane in BUDGETS):
            tally = border.tally(one, agency, lane)
            if tally is not None:
                is_open = not capped or tally.used < tally.budget
                level = levels.get((one.point, agency, lane), 0.95) if is_open else np.inf
                thresholds.setdefault(agency, {})[lane] = level
        border.decide(one, thresholds)


def _average_levels(border: Border, past: list[Arrival]) -> dict[tuple[str, str, Lane], float]:
    levels: dict[tuple[str, str, Lane], float] = {}
    days = 7 * JUDGED_FROM_WEEK
    starts = border.policy.capacity.shifts.starts
    for point in POSTS:
        own = [one for one in past if one.point == point]
        for agency, domains in border.led[point].items():
            risks = sorted((max(one.risks[domain] for domain in domains) for one in own), reverse=True)
            demanded = sum(any(domain in one.demanded for domain in domains) for one in own)
            places = -float(demanded)
            for lane in (Lane.RED, Lane.YELLOW):
                a_day = sum(border.policy.capacity.budget(agency, lane, point, start) or 0 for start in starts)
                places += a_day * days
                if risks and a_day:
                    levels[point, agency, lane] = risks[min(len(risks) - 1, max(0, round(places)))]
    return levels


@dataclass(frozen=True, slots=True)
class Judgement:
    """Figures of one strategy over the judged shifts that had enough crossings."""

    name: str
    shifts: int
    within: float
    mean_error: float
    p99_error: float
    over: float
    mean_risk: float
    starved: int


def judge(name: str, border: Border, judged_from: datetime) -> Judgement:
    """Judge the cells where traffic allows the budget, and rules and draws alone do not exceed it."""
    errors, overs, chosen, best, starved = [], [], 0.0, 0.0, 0
    reds = {key[:2] + key[3:]: tally.used for key, tally in border.tallies.items() if key[2] is Lane.RED}
    for key, tally in border.tallies.items():
        free = tally.crossings - (reds.get(key[:2] + key[3:], 0) if key[2] is Lane.YELLOW else 0)
        if key[3] < judged_from or free < tally.budget or tally.demanded > tally.budget:
            continue
        errors.append(abs(tally.used - tally.budget) / tally.budget)
        overs.append(max(0, tally.used - tally.budget) / tally.budget)
        if key[2] is Lane.RED:
            places = tally.budget - tally.demanded
            ordered = sorted(tally.offered, reverse=True)
            chosen += sum(sorted(tally.chosen, reverse=True)[:places])
            best += sum(ordered[:places])
        # Starved: nothing in the last third of the shift, though a sixth of the crossings came then.
        starved += _is_starved(tally)
    values = np.array(errors)
    return Judgement(
        name,
        len(values),
        float((values <= 0.05 + 1e-9).mean()),
        float(values.mean()),
        float(np.quantile(values, 0.99)),
        float(np.mean(overs)),
        chosen / best,
        starved,
    )


def _is_starved(tally: CellTally) -> bool:
    """Whether the last third of the crossings got nothing, where a fair share of the budget would be three or more."""
    if tally.budget < 9:
        return False
    late = tally.thresholds[-len(tally.thresholds) // 3][0]
    return not any(at >= late for at in tally.used_at)


Strategy = Callable[[Border, list[Arrival]], object]


def strategies() -> dict[str, Strategy]:
    """Return what is compared, by name."""
    return {
        "follows the stream": follow_the_stream,
        "static, met on average": lambda border, stream: hold_still(border, stream, capped=False),
        "static, until it is used up": lambda border, stream: hold_still(border, stream, capped=True),
    }


def main() -> None:
    """Compare all strategies on one stream."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    policy = policy_with_budgets()
    stream = arrivals(given.seed)
    print(f"{len(stream)} crossings")
    for name, strategy in strategies().items():
        border = Border(policy)
        took = strategy(border, stream)
        found = judge(name, border, BEGINS + timedelta(weeks=JUDGED_FROM_WEEK))
        print(
            f"{name:30} shifts {found.shifts} within 5%: {found.within:.3f} mean error {found.mean_error:.3f} "
            f"p99 {found.p99_error:.3f} over {found.over:.3f} risk of oracle {found.mean_risk:.4f} "
            f"starved {found.starved}" + (f"  {1e6 * took:.1f} us a crossing" if isinstance(took, float) else "")
        )


if __name__ == "__main__":
    main()
