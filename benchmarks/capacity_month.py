"""A month of ragged traffic under budgets: how well a threshold that follows the stream meets them, beside others.

The world is made of arrivals and risks alone: six crossing points over eight weeks, of which the last four are judged.
There are nights and weekends, Monday mornings, a post that closes for three days while its neighbour takes its traffic,
a festival with four times the traffic, a post that opens anew, and an hour without service whose backlog comes at once.
Some crossings are sent by rules or by the lot whatever the models say, and take their places from the same budgets.

    python -m benchmarks.capacity_month --seeds 1 2 3 --picture docs/images/capacity-month.svg
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import numpy as np

from chekara.domain.vocabulary import Lane
from chekara.policy import Policy, capacity, load_policy
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
    over_by_models: int = 0
    is_red: bool = True
    crossings: int = 0
    chosen: list[float] = field(default_factory=list)
    offered: list[float] = field(default_factory=list)
    used_at: list[float] = field(default_factory=list)
    thresholds: list[tuple[float, float]] = field(default_factory=list)


class Border:
    """Decides a stream under given thresholds, and keeps account."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.by_domain: Counter[str] = Counter()
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
            self.tallies[key] = CellTally(budget, is_red=lane is Lane.RED)
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
                self.by_domain[domain] += 1
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
                tally.over_by_models += not forced and tally.used >= tally.budget
                tally.used += 1
                tally.demanded += forced
                tally.used_at.append(seconds)
                if not forced:
                    tally.chosen.append(risk)


def follow_the_stream(border: Border, stream: list[Arrival]) -> None:
    """Decide with the meter."""
    meter = CapacityMeter(border.policy)
    for one in stream:
        states = meter.states(one.point, one.at, one.risks, one.crossing_id)
        thresholds: dict[str, dict[Lane, float]] = {}
        for state in states:
            thresholds.setdefault(state.agency, {})[state.lane] = state.threshold
        asked = border.decide(one, thresholds)
        meter.take_in(
            CountedCrossing(
                crossing_id=one.crossing_id, crossing_point=one.point, at=one.at, risks=one.risks, asked=asked
            )
        )


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
    """Figures of one strategy over the judged shifts whose traffic allows the budget.

    Attributes
    ----------
    shifts : int
        Budgets judged: one per crossing point, agency, lane and shift.
    exact, within, within_or_one : float
        Share of them that is met exactly; within 5 %; within 5 % or one control, where one is more than 5 %.
    left_over, over : float
        Controls not asked for, and asked for beyond the budget, as shares of all budgets.
    over_by_models : int
        Controls that models asked for when a budget was used up.
    risk : float
        Sum of the risks that models chose, as a share of what somebody chooses who knows the whole shift beforehand.
    starved : int
        Shifts with a budget of nine or more in which the last third of the crossings got nothing.
    least_domain : float
        Share of the domain that models of customs chose least, of two.
    """

    shifts: int
    exact: float
    within: float
    within_or_one: float
    left_over: float
    over: float
    over_by_models: int
    risk: float
    starved: int
    least_domain: float


def judge(borders: Sequence[Border], weeks: int = WEEKS) -> Judgement:
    """Judge whole shifts of the last weeks, where rules and draws alone do not exceed the budget."""
    judged_from = BEGINS + timedelta(weeks=min(JUDGED_FROM_WEEK, weeks // 2))
    last = BEGINS + timedelta(weeks=weeks, hours=-12)
    cells = [
        tally
        for border in borders
        for key, tally in border.tallies.items()
        if judged_from <= key[3] <= last and _allows(border, key, tally)
    ]
    budget, used = (np.array([getattr(tally, name) for tally in cells]) for name in ("budget", "used"))
    error = np.abs(used - budget)
    reds = [tally for tally in cells if tally.is_red]
    chosen = sum(sum(sorted(one.chosen, reverse=True)[: one.budget - one.demanded]) for one in reds)
    best = sum(sum(sorted(one.offered, reverse=True)[: one.budget - one.demanded]) for one in reds)
    of_customs = [sum(border.by_domain[domain] for border in borders) for domain in ("revenue_fraud", "contraband")]
    return Judgement(
        shifts=len(cells),
        exact=float((error == 0).mean()),
        within=float((error <= 0.05 * budget).mean()),
        within_or_one=float((error <= np.maximum(0.05 * budget, 1)).mean()),
        left_over=float(np.maximum(budget - used, 0).sum() / budget.sum()),
        over=float(np.maximum(used - budget, 0).sum() / budget.sum()),
        over_by_models=sum(tally.over_by_models for tally in cells),
        risk=chosen / best,
        starved=sum(_is_starved(tally) for tally in cells),
        least_domain=min(of_customs) / max(sum(of_customs), 1),
    )


def _allows(border: Border, key: CellKey, tally: CellTally) -> bool:
    """Whether there are enough crossings for a budget, and not too many demands."""
    point, agency, lane, starts_at = key
    stricter = border.tallies.get((point, agency, Lane.RED, starts_at)) if lane is Lane.YELLOW else None
    free = tally.crossings - (0 if stricter is None else stricter.used)
    return free >= tally.budget >= tally.demanded


def _is_starved(tally: CellTally) -> bool:
    if tally.budget < 9:
        return False
    late = tally.thresholds[-len(tally.thresholds) // 3][0]
    return not any(at >= late for at in tally.used_at)


Strategy = Callable[[Border, list[Arrival]], object]


def microseconds_a_crossing(policy: Policy, stream: Sequence[Arrival]) -> tuple[float, float]:
    """Return the processor time of the meter: median and 99th percentile over blocks of a hundred crossings."""
    meter, blocks = CapacityMeter(policy), []
    counted = [
        CountedCrossing(crossing_id=one.crossing_id, crossing_point=one.point, at=one.at, risks=one.risks, asked={})
        for one in stream
    ]
    for start in range(0, len(stream), 100):
        block = counted[start : start + 100]
        begun = time.process_time_ns()
        for one in block:
            meter.states(one.crossing_point, one.at, one.risks, one.crossing_id)
            meter.take_in(one)
        blocks.append((time.process_time_ns() - begun) / 1e3 / len(block))
    return float(np.median(blocks)), float(np.quantile(blocks, 0.99))


def without_caution(border: Border, stream: list[Arrival]) -> None:
    """Decide with the meter, planning for exactly as many crossings and demands as expected."""
    kept = capacity.CROSSINGS_CAUTION, capacity.DEMANDS_CAUTION
    capacity.CROSSINGS_CAUTION = capacity.DEMANDS_CAUTION = 0.0  # type: ignore[misc]
    try:
        follow_the_stream(border, stream)
    finally:
        capacity.CROSSINGS_CAUTION, capacity.DEMANDS_CAUTION = kept  # type: ignore[misc]


STRATEGIES: Mapping[str, Strategy] = {
    "follows the stream": follow_the_stream,
    "the same without caution": without_caution,
    "a threshold that meets budgets on average": lambda border, stream: hold_still(border, stream, capped=False),
    "the same until the budget is used up": lambda border, stream: hold_still(border, stream, capped=True),
}


def draw_month(border: Border, path: Path) -> None:
    """Draw one budget over the judged weeks: what was used per shift, and the threshold from crossing to crossing."""
    import matplotlib as mpl  # noqa: PLC0415  # only who draws needs it
    from matplotlib.figure import Figure  # noqa: PLC0415

    keys = sorted((key for key in border.tallies if key[:3] == ("RIVER", "customs", Lane.RED)), key=lambda key: key[3])
    keys = [key for key in keys if key[3] >= BEGINS + timedelta(weeks=JUDGED_FROM_WEEK)][:-1]  # the last is cut short
    tallies = [border.tallies[key] for key in keys]
    days = [(key[3] - BEGINS) / timedelta(days=1) - 7 * JUDGED_FROM_WEEK for key in keys]
    with mpl.rc_context({"svg.hashsalt": "chekara", "font.size": 9}):
        figure = Figure(figsize=(9, 5.2), layout="constrained")
        traffic, used, level = figure.subplots(3, sharex=True, height_ratios=(1, 1, 1.4))
        traffic.bar(days, [tally.crossings for tally in tallies], width=0.45, align="edge", color="#d9dee4")
        traffic.set_ylabel("crossings")
        used.bar(days, [tally.used for tally in tallies], width=0.45, align="edge", color="#0b5fa5")
        used.step(days, [tally.budget for tally in tallies], where="post", color="#d55e00", label="budget")
        used.set_ylabel("red controls")
        used.set_ylim(0, 1.4 * max(tally.budget for tally in tallies))
        used.legend(frameon=False, loc="upper left")
        points = [(at / 86_400 - 7 * JUDGED_FROM_WEEK, risk) for tally in tallies for at, risk in tally.thresholds[::6]]
        level.plot([at for at, _ in points], [min(risk, 1.0) for _, risk in points], ",", color="#1d2733")
        level.set_ylabel("threshold of risk")
        level.set_xlabel("days; a festival with four times the traffic on days 18 and 19")
        figure.suptitle("Customs at one crossing point: as many controls as there are officers, whatever the traffic")
        figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Compare all strategies on the same streams."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--picture", type=Path)
    given = parser.parse_args()
    policy = policy_with_budgets()
    streams = [arrivals(seed) for seed in given.seeds]
    print(f"{sum(map(len, streams)):,} crossings in {len(streams)} worlds")
    median, p99 = microseconds_a_crossing(policy, streams[0])
    print(f"meter: {median:.1f} us a crossing, p99 {p99:.1f} us, five budgets at each crossing point")
    names = [name for name in Judgement.__slots__ if name != "shifts"]
    print("| strategy | " + " | ".join(["shifts", *names]) + " |")
    for name, strategy in STRATEGIES.items():
        borders = [Border(policy) for _ in streams]
        for border, stream in zip(borders, streams, strict=True):
            strategy(border, stream)
        found = judge(borders)
        figures = [f"{value:.3f}" if isinstance(value := getattr(found, one), float) else str(value) for one in names]
        print(f"| {name} | {found.shifts:,} | " + " | ".join(figures) + " |", flush=True)
        if strategy is follow_the_stream and given.picture is not None:
            draw_month(borders[0], given.picture)


if __name__ == "__main__":
    main()
