"""Who is drawn: by the written formula, at the planned share, and by each arm and domain alone."""

from __future__ import annotations

import hashlib
import hmac
import math
from datetime import UTC, datetime, time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekara.domain.vocabulary import Lane
from chekara.errors import ConfigurationError
from chekara.policy.lot import (
    checked_period,
    draw_arm,
    draw_lots,
    is_drawn,
    next_period,
    period_begins,
    period_of,
)
from chekara.policy.plans import LotException, LotPlan, Scope, Shifts
from tests.lots import zero_seed

SEED = zero_seed("2026-05")
SHIFTS = Shifts("Asia/Bishkek", (time(8), time(20)))
NOON, MIDNIGHT = datetime(2026, 5, 4, 6, tzinfo=UTC), datetime(2026, 5, 4, 18, tzinfo=UTC)  # in Bishkek
IDS = st.text(st.characters(exclude_categories=("C",)), min_size=1, max_size=40)


def by_the_page(seed: bytes, arm: str, domain: str, crossing_id: str) -> Fraction:
    """Return the number that docs/lot.md describes, exactly."""
    digest = hmac.new(seed, f"chekara-lot-1\n{arm}\n{domain}\n{crossing_id}".encode(), hashlib.sha256).digest()
    return Fraction(int.from_bytes(digest[:8], "big"), 2**64)


@given(seed=st.binary(min_size=32, max_size=80), one=IDS, propensity=st.floats(0, 1))
def test_a_draw_is_what_the_page_says(seed: bytes, one: str, propensity: float) -> None:
    expected = by_the_page(seed, "lot", "contraband", one) < Fraction(propensity)
    assert is_drawn(seed, arm="lot", domain="contraband", crossing_id=one, propensity=propensity) is expected


@given(one=IDS)
def test_never_and_always(one: str) -> None:
    assert not is_drawn(SEED.seed, arm="lot", domain="d", crossing_id=one, propensity=0.0)
    assert is_drawn(SEED.seed, arm="lot", domain="d", crossing_id=one, propensity=1.0)


def test_shares_are_met_and_draws_of_domains_and_arms_are_independent() -> None:
    n, p = 40_000, 0.2
    ids = [f"KG-2026-{i:07}" for i in range(n)]  # neighbours in the list of ids, as they are in life
    kinds = [("lot", "a"), ("lot", "b"), ("area", "a")]
    drawn = {
        kind: [is_drawn(SEED.seed, arm=kind[0], domain=kind[1], crossing_id=one, propensity=p) for one in ids]
        for kind in kinds
    }
    for kind in kinds:
        assert abs(sum(drawn[kind]) - n * p) < 5 * math.sqrt(n * p * (1 - p))
        together = sum(one and after for one, after in zip(drawn[kind], drawn[kind][1:], strict=False))
        assert abs(together - n * p * p) < 5 * math.sqrt(n * p * p)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        both = sum(a and b for a, b in zip(drawn[kinds[one]], drawn[kinds[other]], strict=True))
        assert abs(both - n * p * p) < 5 * math.sqrt(n * p * p)


def test_a_higher_share_draws_what_a_lower_one_draws() -> None:
    for i in range(300):
        falls = [is_drawn(SEED.seed, arm="lot", domain="d", crossing_id=str(i), propensity=p / 20) for p in range(21)]
        assert falls == sorted(falls)


def draws(plan: LotPlan, at: datetime, point: str = "P1") -> dict[str, float]:
    found = draw_lots(SEED, plan, SHIFTS, crossing_id="c1", crossing_point=point, known_at=at)
    assert {draw.commitment for draw in found} <= {SEED.commitment}
    return {draw.domain: draw.propensity for draw in found}


def test_the_share_is_that_of_the_point_the_shift_and_the_domain() -> None:
    scopes = (
        (Scope(frozenset({"P1"}), frozenset({time(20)}), frozenset({"b"})), 0.5),
        (Scope(shifts=frozenset({time(20)})), 0.25),
        (Scope(crossing_points=frozenset({"P2"})), 0.0),
    )
    exceptions = tuple(LotException(scope, share) for scope, share in scopes)
    plan = LotPlan(propensity=0.1, domains=frozenset({"b", "a"}), exceptions=exceptions)
    assert draws(plan, NOON) == {"a": 0.1, "b": 0.1}
    assert draws(plan, MIDNIGHT) == {"a": 0.25, "b": 0.5}
    assert draws(plan, MIDNIGHT, "P2") == {"a": 0.25, "b": 0.25}
    assert draws(plan, NOON, "P2") == {}, "a share of 0 draws nothing"


def test_an_arm_of_its_own_keeps_its_share_and_lane() -> None:
    draw = draw_arm(SEED, arm="uncertain", domain="a", crossing_id="c1", propensity=0.3, lane=Lane.YELLOW)
    assert (draw.arm, draw.propensity, draw.lane, draw.commitment) == ("uncertain", 0.3, Lane.YELLOW, SEED.commitment)
    assert draw.is_drawn is (by_the_page(SEED.seed, "uncertain", "a", "c1") < Fraction(0.3))


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)))  # made aware below
def test_periods_are_months_that_follow_each_other(at: datetime) -> None:
    period = period_of(at.replace(tzinfo=UTC))
    assert period_begins(period) <= at.replace(tzinfo=UTC) < period_begins(next_period(period))
    assert checked_period(period, where="--month") == period


@pytest.mark.parametrize("wrong", ["2026-13", "2026-1", "26-01", "2026-01-01", "", "2026-00", "0000-01", "２０２６-01"])
def test_what_is_no_month_is_refused(wrong: str) -> None:
    with pytest.raises(ConfigurationError):
        checked_period(wrong, where="--month")
