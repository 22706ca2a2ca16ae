"""What the policy costs a crossing: rules, the lot, what capacity is left, and the decision itself.

    python -m benchmarks.policy_cost [--rules 200] [--crossings 3000] [--seed 1]

Crossings of `benchmarks.traffic` (5.6 goods lines on average) with made scores go through the code that serves: the
matcher of rules, the lot with a seed, the meter of budgets, `decide`. Rules are as administrations write them: most
name goods, origins or crossing points; one in ten does not, and is read for every crossing. Processor time of one
thread, the quickest of five turns, parts by turns; each part alone with the grounds that the others found, and all
together. Beside them, the policy that is shipped, without rules and budgets, and what the same rules cost without
the index that finds the few that can apply.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from rich.table import Table

from benchmarks.traffic import MARK, make_bodies
from chekara.api.parse import ScoreParser
from chekara.data.simulate import simulate_border
from chekara.domain.crossing import Crossing
from chekara.domain.decision import DomainScore, ModelIdentity
from chekara.domain.selection import Grounds
from chekara.features.joined import JoinedFeatures
from chekara.policy import Policy, decide, load_policy
from chekara.policy.decide import LaneDecision
from chekara.policy.load import policy_of, policy_texts
from chekara.policy.lot import LotSeed, commitment_of
from chekara.programs import open_console
from chekara.service.capacity import CapacityPast, MeterFromLog
from chekara.service.lot import DrawFromSeeds
from chekara.service.match_rules import MatchPolicyRules
from chekara.settings import Limits

TURNS = 5
_BUDGETS = """
[[capacity.budgets]]
agency = "customs"
lane = "red"
inspections = 30
[[capacity.budgets]]
agency = "border_service"
lane = "red"
inspections = 10
"""
_RISK = """
[[risks]]
id = "any"
title = "Made up"
domain = "{domain}"
threat = "Made up."
owner = "customs"
review_at = 2030-01-01
"""
_RULE = """
[[rules]]
id = "rule-{number}"
risk = "any"
lane = "yellow"
reason = {{ en = "Rule {number}.", ru = "Правило {number}.", ky = "Эреже {number}." }}
criteria = '''{criteria}'''
valid_from = 2000-01-01
expires_at = 2100-01-01
review_at = 2030-01-01
"""


def make_policy(rules: int, crossings: Sequence[Crossing], rng: np.random.Generator) -> Policy:
    """Make a policy with budgets, a lot and rules over what the traffic holds."""
    codes = sorted({str(item["hs_code"]) for one in crossings for item in one.items if "hs_code" in item})
    origins = sorted(
        {str(item["origin_country"]) for one in crossings for item in one.items if "origin_country" in item}
    )
    points = sorted({str(one.header["crossing_point"]) for one in crossings})

    def code(digits: int) -> str:
        return str(rng.choice(codes))[:digits]

    templates = (
        lambda: f"starts_with(hs_code, '{code(4)}') and declared_value / net_mass_kg < 0.{rng.integers(1, 9)}",
        lambda: f"origin_country == '{rng.choice(origins)}' and starts_with(hs_code, '{code(4)}') and packages > 2000",
        lambda: f"hs_code in {[code(6) for _ in range(5)]} and declared_value > 500000",
        lambda: f"crossing_point == '{rng.choice(points)}' and seal_status in ['broken', 'missing']",
        lambda: f"contains(goods_description, 'scrap') and starts_with(hs_code, '{code(2)}')",
    )
    anywhere = (
        lambda: f"weighed_mass_kg > {rng.integers(70, 99)}000 and transit_hours > {rng.integers(50, 90)}",
        lambda: f"occupants > {rng.integers(7, 12)}",
    )
    texts = [
        _RULE.format(
            number=i, criteria=(anywhere[i // 10 % len(anywhere)] if i % 10 == 9 else templates[i % len(templates)])()
        )
        for i in range(rules)
    ]
    (name, main), *_ = policy_texts().items()
    risk = _RISK.format(domain="revenue_fraud")
    return policy_of({name: main + _BUDGETS, "risks/a.toml": risk, "rules/a.toml": "".join(texts)})


def make_crossings(n: int, seed: int) -> list[Crossing]:
    """Make crossings as the service parses them."""
    parser, at = ScoreParser(Limits()), datetime(2026, 11, 24, tzinfo=UTC)
    with tempfile.TemporaryDirectory(prefix="chekara-") as folder:
        simulate_border(Path(folder), months=1, per_day=150, seed=seed)
        bodies = make_bodies(Path(folder), n, seed=seed)
    received = (at + timedelta(seconds=3 * i) for i in range(n))
    return [
        parser.parse(body.replace(MARK, b"%012d" % i), received_at=when).crossing
        for i, (body, when) in enumerate(zip(bodies, received, strict=True))
    ]


def make_scores(policy: Policy, rng: np.random.Generator) -> tuple[DomainScore, ...]:
    """Make a score in every domain."""
    rank = rng.random(len(policy.domains))
    return tuple(
        DomainScore(
            domain=domain,
            agency=own.agencies.lead,
            probability=0.01,
            interval=(0.0, 0.02),
            rank=float(rank[i]),
            risk=float(rank[i]),
            item_no=1,
            model=ModelIdentity(domain, "1", "sha256:0"),
            base_value=0.0,
            margin=0.0,
            contributions={},
            reasons=(),
        )
        for i, (domain, own) in enumerate(policy.domains.items())
    )


class NoPast:
    """A log in which nothing happened."""

    def newest_at(self) -> datetime | None:
        """Return no instant."""
        return None

    def past(self, shift_starts_at: datetime) -> CapacityPast:
        """Return nothing."""
        return CapacityPast(hours=(), earlier=(), present=())

    def since(self, position: int) -> tuple[()]:
        """Return nothing."""
        return ()


def quickest(acts: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Return the processor seconds of the quickest of some turns, by act: others use the machine, too."""
    found = dict.fromkeys(acts, float("inf"))
    for _ in range(TURNS):
        for name, act in acts.items():
            begun = time.thread_time()
            act()
            found[name] = min(found[name], time.thread_time() - begun)
    return found


def measure(policy: Policy, crossings: Sequence[Crossing], rng: np.random.Generator) -> dict[str, float]:
    """Return microseconds a crossing, by part."""
    nothing = [JoinedFeatures((), np.empty((len(one.items), 0), dtype=np.float32), {}) for one in crossings]
    scores = [make_scores(policy, rng) for _ in crossings]
    seed = LotSeed("2026-11", bytes(range(32)), commitment_of(bytes(range(32))))
    match = MatchPolicyRules(policy)
    draw = DrawFromSeeds(policy, lambda period: seed)
    pairs = list(zip(crossings, nothing, scores, strict=True))
    grounds: list[Grounds] = []
    decisions: list[LaneDecision] = []

    def all_together() -> None:
        grounds.clear()
        decisions.clear()
        capacity = MeterFromLog(policy, NoPast())
        for one, known, own in pairs:
            found = Grounds(
                rules=match(one, known), draws=draw(one, known), capacity=capacity.states(one, own, one.known_at)
            )
            decided = decide(own, policy, _point(one), one.known_at, found)
            capacity.take_in(one, own, decided, one.known_at, is_counted_before=None)
            grounds.append(found)
            decisions.append(decided)
        capacity.settle()

    def meter() -> None:
        capacity = MeterFromLog(policy, NoPast())
        for (one, _, own), decided in zip(pairs, decisions, strict=True):
            capacity.states(one, own, one.known_at)
            capacity.take_in(one, own, decided, one.known_at, is_counted_before=None)
        capacity.settle()

    def decide_all() -> None:
        for (one, _, own), found in zip(pairs, grounds, strict=True):
            decide(own, policy, _point(one), one.known_at, found)

    seconds = quickest(
        {
            "all together": all_together,
            "rules": lambda: [match(one, known) for one, known, _ in pairs],
            "lot": lambda: [draw(one, known) for one, known, _ in pairs],
            "capacity, asked and counted": meter,
            "decide": decide_all,
        }
    )
    return {name: took / len(crossings) * 1e6 for name, took in seconds.items()}


def without_index(policy: Policy, crossings: Sequence[Crossing]) -> float:
    """Return microseconds a crossing where every rule is read."""
    few = crossings[: max(1, len(crossings) // 10)]
    begun = time.thread_time()
    for one in few:
        lines = [{**one.header, **item} for item in one.items]
        for rule in policy.rules.rules:
            if rule.criteria is not None:
                rule.criteria.first_met(one.header, lambda lines=lines: lines)
    return (time.thread_time() - begun) / len(few) * 1e6


def _point(crossing: Crossing) -> str:
    return str(crossing.header["crossing_point"])


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rules", type=int, default=200)
    parser.add_argument("--crossings", type=int, default=3_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    rng = np.random.default_rng(given.seed)
    crossings = make_crossings(given.crossings, given.seed)
    policy = make_policy(given.rules, crossings, rng)
    lines = sum(len(one.items) for one in crossings) / len(crossings)
    met = sum(
        bool(MatchPolicyRules(policy)(one, JoinedFeatures((), np.empty((len(one.items), 0)), {}))) for one in crossings
    )
    console = open_console()
    console.print(
        f"Python {platform.python_version()}, {given.rules} rules, {len(crossings):,} crossings, {lines:.1f} lines"
    )
    console.print(f"{met / len(crossings):.1%} of the crossings meet a rule")
    table = Table("part", "microseconds a crossing", "the policy that is shipped", box=None)
    shipped = measure(load_policy(), crossings, rng)
    for name, cost in measure(policy, crossings, rng).items():
        table.add_row(name, f"{cost:.1f}", f"{shipped[name]:.1f}")
    table.add_row("rules, each one read", f"{without_index(policy, crossings):.1f}", "")
    console.print(table)


if __name__ == "__main__":
    main()
