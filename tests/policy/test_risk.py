"""Risk by expected harm: within [0, 1], rising with probability, the same for one crossing and for many."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekara.errors import ConfigurationError
from chekara.policy import load_policy
from chekara.policy.risk import LEAST_VULNERABLE, DomainRisk, Post, RiskPlan
from tests.policy.test_load import SMALL, read

SHARES = st.floats(0, 1)
AMOUNTS = st.floats(0.01, 1e9)
POSTS = st.builds(
    Post,
    crossing_points=st.sampled_from([frozenset(), frozenset({"P1"})]),
    domains=st.sampled_from([frozenset(), frozenset({"d"})]),
    equipment=SHARES,
    staff=SHARES,
    detection=SHARES,
)
PLANS = st.builds(
    RiskPlan,
    half_at=AMOUNTS,
    unknown_amount=AMOUNTS,
    domains=st.dictionaries(st.just("d"), st.builds(DomainRisk, amount=st.none() | AMOUNTS, impact=st.floats(0.1, 9))),
    posts=st.lists(POSTS, max_size=2).map(tuple),
)
CROSSINGS = st.tuples(st.sampled_from(["P1", "P2", ""]), st.floats(1e-6, 1 - 1e-6), st.none() | AMOUNTS)


@given(PLANS, CROSSINGS)
def test_risk_lies_within_bounds_and_is_harm_over_harm_and_half(
    plan: RiskPlan, crossing: tuple[str, float, float]
) -> None:
    point, probability, amount = crossing
    parts = plan.parts("d", point, probability, amount)
    harm = parts["likelihood"] * parts["magnitude"] * parts["vulnerability"] * parts["impact"]
    assert 0.0 <= parts["risk"] <= 1.0
    assert parts["expected_harm"] == pytest.approx(harm)
    assert (
        parts["risk"] / max(1.0 - parts["risk"], 1e-300) == pytest.approx(harm / plan.half_at, rel=1e-3) or harm > 1e3
    )
    assert LEAST_VULNERABLE <= parts["vulnerability"] <= 1.0


@given(PLANS, CROSSINGS, st.floats(1e-6, 1 - 1e-6))
def test_risk_never_falls_where_probability_rises(
    plan: RiskPlan, crossing: tuple[str, float, float], other: float
) -> None:
    point, probability, amount = crossing
    low, high = sorted([probability, other])
    risks = [plan.parts("d", point, p, amount)["risk"] for p in (low, high)]
    assert risks[0] <= risks[1]


@given(PLANS, st.lists(CROSSINGS, min_size=1, max_size=5))
def test_many_crossings_at_once_are_as_one_after_the_other(
    plan: RiskPlan, crossings: list[tuple[str, float, float]]
) -> None:
    points, probabilities, amounts = (np.array(column, dtype=object) for column in zip(*crossings, strict=True))
    known = np.array([np.nan if amount is None else amount for amount in amounts], dtype=np.float64)
    found = plan.parts("d", points, probabilities.astype(np.float64), known)
    for i, (point, probability, amount) in enumerate(crossings):
        alone = plan.parts("d", point, probability, amount)
        for name, value in alone.items():
            assert np.broadcast_to(found[name], len(crossings))[i] == value, name


def test_a_policy_chooses_the_combiner(tmp_path: Path) -> None:
    rank, parts = load_policy().risk("contraband", "P", rank=0.7, probability=0.1, expected_amount=None)
    assert (rank, parts) == (0.7, {})
    text = (
        SMALL.replace("format = 1", 'format = 1\ncombiner = "expected_harm"')
        + """
[risk]
half_at = 1000
[risk.domains.d]
amount = 50000
impact = 2.0
[[risk.posts]]
crossing_points = ["P1"]
equipment = 0.5
staff = 0.5
detection = 0.5
"""
    )
    policy = read(tmp_path, text)
    risk, parts = policy.risk("d", "P1", rank=0.7, probability=0.02, expected_amount=3.0)
    assert risk == pytest.approx(0.5)
    assert parts == {
        "likelihood": 0.02,
        "magnitude": 50_000.0,
        "vulnerability": 0.5,
        "impact": 2.0,
        "expected_harm": pytest.approx(1000.0),
    }
    for old, new, key in (
        ("amount = 50000", "amount = 0", "risk.domains.d.amount"),
        ("staff = 0.5", "staff = 1.5", "risk.posts.0.staff"),
        ("[risk.domains.d]", "[risk.domains.e]", "risk.domains.e"),
        ("half_at = 1000", "half_at = inf", "risk.half_at"),
        ("half_at = 1000", "half_at = 1.1e15", "risk.half_at"),
        ("half_at = 1000", f"half_at = 1{'0' * 400}", "risk.half_at"),
        ("amount = 50000", "amount = 1e308", "risk.domains.d.amount"),
        ("impact = 2.0", "impact = 1e7", "risk.domains.d.impact"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            read(tmp_path, text.replace(old, new))
        assert (caught.value.where or "").startswith(f"{key} in policy.toml, line ")
