"""A fortnight of ragged traffic in the small: budgets are met, and with better crossings than by other means."""

from __future__ import annotations

import pytest

from benchmarks.capacity_month import Border, arrivals, follow_the_stream, hold_still, judge, policy_with_budgets

WEEKS = 2


@pytest.fixture(scope="module")
def borders() -> tuple[Border, Border]:
    """Decide one stream with the meter, and with fixed thresholds until budgets are used up."""
    policy, stream = policy_with_budgets(), arrivals(5, weeks=WEEKS)
    metered, fixed = Border(policy), Border(policy)
    follow_the_stream(metered, stream)
    hold_still(fixed, stream, capped=True)
    return metered, fixed


def test_budgets_are_met_within_five_percent_or_one_control(borders: tuple[Border, Border]) -> None:
    found = judge([borders[0]], WEEKS)
    assert found.shifts > 200
    assert found.within_or_one > 0.97
    assert found.within > 0.8
    assert found.left_over < 0.01


def test_models_never_ask_when_a_budget_is_used_up(borders: tuple[Border, Border]) -> None:
    assert judge([borders[0]], WEEKS).over_by_models == 0


def test_nobody_is_starved(borders: tuple[Border, Border]) -> None:
    found = judge([borders[0]], WEEKS)
    assert found.starved <= 1
    assert found.least_domain > 0.4


def test_it_beats_thresholds_that_stand_still(borders: tuple[Border, Border]) -> None:
    metered, fixed = (judge([border], WEEKS) for border in borders)
    assert metered.within_or_one > fixed.within_or_one + 0.1
    assert metered.risk > fixed.risk
    assert metered.risk > 0.95
