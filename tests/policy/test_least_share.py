"""No domain of an agency goes without: each has its least share of a budget, and the budget is met all the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.capacity_month import policy_text, policy_with_budgets
from chekara.domain.decision import DomainScore, ModelIdentity
from chekara.domain.selection import CapacityState, Grounds
from chekara.domain.vocabulary import Lane
from chekara.errors import ConfigurationError
from chekara.policy import Policy, decide, load_policy
from chekara.policy.capacity_meter import Asked, CapacityMeter, CountedCrossing
from chekara.service.capacity_history import MeteredLanes
from chekara.service.chain import canonical_json
from chekara.service.payload import parsed
from chekara.service.payload_grounds import grounds_from, plain_grounds

MONDAY = datetime(2026, 3, 2, 2, tzinfo=UTC)  # 08:00 in Bishkek
GREAT, SMALL = "contraband", "revenue_fraud"  # both led by customs
PER_SHIFT = 150


def policy_of(least_share: str, inspections: int = 20) -> Policy:
    budget = f'[[capacity.budgets]]\nagency = "customs"\nlane = "red"\ninspections = {inspections}\n'
    return policy_with_budgets(f"{least_share}\n{budget}")


def run(
    policy: Policy, *, shifts: int, scored: float = 1.0, after: int = 0, demanded: float = 0.0, seed: int = 1
) -> list[tuple[int, Counter[str], list[float]]]:
    """Send a stream in which every risk of one domain is above every risk of the other.

    Returns
    -------
    list of (int, Counter, list of float)
        Per shift: places used, places by domain that models asked for, and risks that took places of the small domain.
    """
    rng, meter, found = np.random.default_rng(seed), CapacityMeter(policy), []
    for shift in range(shifts):
        places, by_domain, taken = 0, Counter[str](), []
        for place in range(PER_SHIFT):
            at = MONDAY + timedelta(days=shift, hours=12 * (place + float(rng.random())) / PER_SHIFT)
            risks = {GREAT: 0.6 + 0.4 * float(rng.random())}
            if place >= after and rng.random() < scored:
                risks[SMALL] = 0.4 * float(rng.random())
            crossing_id = f"c{shift}-{place}"
            (state,) = meter.states("P", at, risks, crossing_id)
            asked = {d: Asked(Lane.RED, "model") for d, risk in risks.items() if risk >= state.threshold_for(d)}
            if rng.random() < demanded:
                asked[GREAT] = Asked(Lane.RED, "rule")
            elif asked:
                assert state.used < state.budget, "a model never asks when all places are gone"
            meter.take_in(CountedCrossing(crossing_id=crossing_id, crossing_point="P", at=at, risks=risks, asked=asked))
            places += bool(asked)
            by_domain.update(list(asked))
            taken += [risks[SMALL]] if SMALL in asked else []
        found.append((places, by_domain, taken))
    return found


def test_a_domain_of_little_harm_has_its_share_and_the_budget_is_met() -> None:
    starved, fed = (run(policy_of(f"least_share = {share}"), shifts=14)[4:] for share in (0, 0.1))
    assert sum(by_domain[SMALL] for _, by_domain, _ in starved) == 0, "or there would be nothing to mend"
    assert min(by_domain[SMALL] for _, by_domain, _ in fed) >= 2
    assert max(by_domain[SMALL] for _, by_domain, _ in fed) <= 3
    for places, _, _ in (*starved, *fed):
        assert 19 <= places <= 20


def test_its_places_go_to_its_highest_risks() -> None:
    fed = run(policy_of("least_share = 0.1"), shifts=24)[4:]
    taken = np.array([risk for _, _, own in fed for risk in own])
    assert np.median(taken) > 0.4 * 0.95
    assert np.quantile(taken, 0.1) > 0.4 * 0.6, "also near the end of a shift"


def test_the_others_do_not_take_what_is_kept() -> None:
    """The small domain's crossings come in the last tenth of each shift."""
    fed = run(policy_of("least_share = 0.2"), shifts=24, after=PER_SHIFT - 15)[8:]
    assert min(by_domain[SMALL] for _, by_domain, _ in fed) >= 2
    assert min(places for places, _, _ in fed) >= 19


def test_places_are_not_kept_for_crossings_that_do_not_come() -> None:
    """The small domain scores none of them, or one in fifty: the others have the places."""
    for scored in (0.0, 0.02):
        fed = run(policy_of("least_share = 0.2"), shifts=12, scored=scored)[4:]
        assert min(places for places, _, _ in fed) >= 19
        assert max(places for places, _, _ in fed) <= 20


@settings(max_examples=12)
@given(st.integers(0, 60), st.sampled_from([0.0, 0.02, 0.15]), st.sampled_from([0.0, 0.05, 0.2]), st.integers(0, 5))
def test_models_never_go_over_the_budget(inspections: int, demanded: float, share: float, seed: int) -> None:
    run(policy_of(f"least_share = {share}", inspections), shifts=2, demanded=demanded, seed=seed)


def test_a_small_budget_and_a_domain_alone_are_not_divided() -> None:
    meter = CapacityMeter(policy_of("least_share = 0.05", 19))
    risks = {GREAT: 0.9, SMALL: 0.1}
    for number in range(80):
        at = MONDAY + timedelta(minutes=number)
        meter.take_in(CountedCrossing(crossing_id=f"{number}", crossing_point="P", at=at, risks=risks, asked={}))
        (state,) = meter.states("P", at, risks, "next")
        assert state.by_domain == {}


def score(domain: str, risk: float) -> DomainScore:
    return DomainScore(
        domain=domain,
        agency="customs",
        probability=0.1,
        interval=(0.0, 0.2),
        rank=risk,
        risk=risk,
        item_no=1,
        model=ModelIdentity(domain, "1", "sha256:0"),
        base_value=0.0,
        margin=0.0,
        contributions={},
        reasons=(),
    )


@pytest.mark.parametrize(("by_domain", "asking"), [({}, {GREAT}), ({SMALL: 0.3}, {GREAT, SMALL})])
def test_a_lane_follows_from_the_threshold_of_its_domain_and_both_are_stored(
    by_domain: Mapping[str, float], asking: set[str]
) -> None:
    state = CapacityState("customs", Lane.RED, "2026-03-02T02:00:00+00:00", 20, 4, 60.0, 0.8, dict(by_domain))
    grounds = Grounds(capacity=(state,))
    stored = grounds_from(parsed(canonical_json(plain_grounds(grounds))))
    assert stored == grounds
    for one in (grounds, stored):
        decided = decide([score(GREAT, 0.9), score(SMALL, 0.31)], policy_of(""), "P", MONDAY, one)
        assert {own.domain for own in decided.selections if own.lane is Lane.RED} == asking


def test_what_was_stored_before_there_was_a_least_share_is_read() -> None:
    state = CapacityState("customs", Lane.RED, "2026-03-02T02:00:00+00:00", 20, 4, 60.0, 0.8)
    plain = parsed(canonical_json(plain_grounds(Grounds(capacity=(state,)))))
    del plain["capacity"][0]["by_domain"]
    assert grounds_from(plain).capacity == (state,)


@pytest.mark.parametrize("said", ["0.21", "-0.1", '"much"', "nan"])
def test_a_share_that_is_none_is_pointed_at(tmp_path: Path, said: str) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(policy_text(f"least_share = {said}\n"), "utf-8")
    with pytest.raises(ConfigurationError, match=r"capacity\.least_share in policy\.toml, line"):
        load_policy(path)
    assert policy_of("").capacity.least_share == 0.05


def test_a_history_gives_each_domain_its_share_as_the_service_does() -> None:
    """The same stream, crossing by crossing through `decide`, and as columns through the lanes of a history."""
    policy, n = policy_of("least_share = 0.1"), 4 * PER_SHIFT
    rng, meter = np.random.default_rng(3), CapacityMeter(policy)
    risks = {GREAT: 0.6 + 0.4 * rng.random(n), SMALL: 0.4 * rng.random(n)}
    at = [MONDAY + timedelta(days=i // PER_SHIFT, minutes=4.7 * (i % PER_SHIFT)) for i in range(n)]
    red = {domain: np.zeros(n, dtype=bool) for domain in risks}
    for i in range(n):
        own = {domain: float(risk[i]) for domain, risk in risks.items()}
        states = meter.states("P", at[i], own, f"c{i}")
        decided = decide([score(d, risk) for d, risk in own.items()], policy, "P", at[i], Grounds(capacity=states))
        asked = {one.domain: Asked(one.lane, one.selected_by) for one in decided.selections}
        meter.take_in(CountedCrossing(crossing_id=f"c{i}", crossing_point="P", at=at[i], risks=own, asked=asked))
        for domain in risks:
            red[domain][i] = domain in asked and asked[domain].lane is Lane.RED
    names = np.array([f"c{i}" for i in range(n)], dtype=object)
    found = MeteredLanes(policy, n).wanted(
        np.arange(n),
        names,
        np.array(["P"] * n, dtype=object),
        np.array([one.replace(tzinfo=None) for one in at], dtype="datetime64[us]"),
        risks,
        {},
        {domain: np.zeros(n, dtype=np.int8) for domain in policy.domains},
    )
    for domain in risks:
        assert (found[domain] == Lane.RED.strictness).tolist() == red[domain].tolist()
    assert red[SMALL][PER_SHIFT:].sum() >= 6
