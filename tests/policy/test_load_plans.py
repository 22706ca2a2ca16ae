"""Shifts, budgets, the lot and joint action as a policy gives them."""

from __future__ import annotations

from datetime import UTC, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekara.domain.vocabulary import Lane
from chekara.errors import ConfigurationError
from chekara.policy import Policy, load_policy
from chekara.policy.plans import LEAD_ORDER, LotPlan, Shifts
from tests.policy.test_load import SMALL, read

PLANS = (
    SMALL
    + """
[capacity]
time_zone = "Europe/Berlin"
shift_starts = ["06:00", "14:00", "22:00"]

[[capacity.budgets]]
agency = "customs"
lane = "red"
crossing_points = ["P1", "P2"]
shifts = ["22:00"]
inspections = 3

[[capacity.budgets]]
agency = "customs"
lane = "red"
inspections = 9

[lot]
propensity = 0.02
floor = 0.01
lane = "blue"
alarm_share = 0.7

[[lot.exceptions]]
crossing_points = ["P1"]
shifts = ["06:00"]
propensity = 0.1

[[lot.exceptions]]
domains = ["d"]
crossing_points = ["P1"]
propensity = 0.05

[joint]
lead_order = ["d"]
referral_minutes = 30
"""
)


@pytest.fixture
def plans(tmp_path: Path) -> Policy:
    return read(tmp_path, PLANS)


def test_the_first_budget_that_fits_counts(plans: Policy) -> None:
    own = plans.capacity
    assert own.budget("customs", Lane.RED, "P1", time(22)) == 3
    assert own.budget("customs", Lane.RED, "P1", time(6)) == 9
    assert own.budget("customs", Lane.RED, "P7", time(22)) == 9
    assert own.budget("customs", Lane.YELLOW, "P1", time(22)) is None
    assert own.budget("tax_service", Lane.RED, "P1", time(22)) is None


def test_the_first_exception_of_the_lot_that_fits_counts(plans: Policy) -> None:
    lot = plans.lot
    assert (lot.lane, lot.floor, lot.alarm_share) == (Lane.BLUE, 0.01, 0.7)
    assert lot.propensity_at("d", "P1", time(6)) == 0.1
    assert lot.propensity_at("d", "P1", time(14)) == 0.05
    assert lot.propensity_at("d", "P2", time(6)) == 0.02
    assert lot.propensity_at("other", "P2", time(6)) == 0.0
    assert (plans.joint.referral_minutes, plans.joint.report_back_minutes) == (30, 1440)


def test_a_policy_without_plans_counts_nothing_and_draws_nothing(tmp_path: Path) -> None:
    policy = read(tmp_path, SMALL)
    assert policy.capacity.budgets == ()
    assert policy.lot.propensity_at("d", "P1", time(0)) == 0.0
    assert policy.joint.lead_order == ("d",)


def test_what_ships_draws_every_domain_and_leads_persons_first() -> None:
    policy = load_policy()
    assert policy.joint.lead_order == LEAD_ORDER
    assert policy.capacity.budgets == ()
    assert policy.lot.domains == set(policy.domains)
    assert 0 < policy.lot.floor < policy.lot.propensity < 0.05
    assert policy.lot != LotPlan()


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("Europe/Berlin", "Europe/Nowhere", "capacity.time_zone"),
        ("Europe/Berlin", "../etc", "capacity.time_zone"),
        ('"06:00", "14:00"', '"14:00", "06:00"', "capacity.shift_starts"),
        ('"06:00", "14:00"', '"6", "14:00"', "capacity.shift_starts"),
        ('shifts = ["22:00"]', 'shifts = ["21:00"]', "capacity.budgets.0.shifts"),
        ("inspections = 9", "inspections = -1", "capacity.budgets.1.inspections"),
        ("inspections = 9", "inspection = 9", "capacity.budgets.1.inspection"),
        ('lane = "blue"', 'lane = "green"', "lot.lane"),
        ("propensity = 0.05", "propensity = 0.009", "lot.exceptions.1.propensity"),
        ("propensity = 0.02", "propensity = nan", "lot.propensity"),
        ("propensity = 0.02", "propensity = 0.005", "lot.propensity"),
        ('domains = ["d"]', 'domains = ["e"]', "lot.exceptions.1.domains"),
        ('lead_order = ["d"]', 'lead_order = ["e"]', "joint.lead_order"),
        ('lead_order = ["d"]', "lead_order = []", "joint.lead_order"),
        ("referral_minutes = 30", "referral_minutes = 0", "joint.referral_minutes"),
        ("referral_minutes = 30", "referral_minutes = 527_041", "joint.referral_minutes"),
        ("referral_minutes = 30", "report_back_minutes = 99_999_999_999_999", "joint.report_back_minutes"),
        ("inspections = 9", f"inspections = 1{'0' * 400}", "capacity.budgets.1.inspections"),
        ("propensity = 0.02", f"propensity = 1{'0' * 400}", "lot.propensity"),
    ],
)
def test_a_mistake_in_a_plan_is_pointed_at(tmp_path: Path, old: str, new: str, key: str) -> None:
    assert PLANS.count(old) == 1
    line = PLANS[: PLANS.index(old)].count("\n") + 1
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, PLANS.replace(old, new))
    assert caught.value.where == f"{key} in policy.toml, line {line}"


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)))
def test_an_instant_falls_into_the_shift_that_began_last(naive: datetime) -> None:
    shifts, at = Shifts("Europe/Berlin", (time(6), time(14), time(22))), naive.replace(tzinfo=UTC)
    minute = at.astimezone(ZoneInfo("Europe/Berlin"))
    begun = {range(6, 14): 6, range(14, 22): 14}
    expected = next((start for hours, start in begun.items() if minute.hour in hours), 22)
    assert shifts.shift_at(at) == time(expected)
