"""Budgets are met whatever comes: thresholds follow the stream, places are counted once, shifts follow local clocks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.capacity_month import policy_with_budgets
from chekara.domain.selection import CapacityState
from chekara.domain.vocabulary import Lane
from chekara.policy import Policy
from chekara.policy.capacity import NOTHING_LEFT, share_to_send, threshold_of
from chekara.policy.capacity_meter import Asked, CapacityMeter, CountedCrossing
from chekara.policy.capacity_shifts import shift_span
from chekara.policy.plans import Shifts

MONDAY = datetime(2026, 3, 2, 2, tzinfo=UTC)  # 08:00 in Bishkek
LED_BY_CUSTOMS = ("revenue_fraud", "contraband")


def budget(agency: str, lane: str, inspections: int, shifts: str = "") -> str:
    only = f'shifts = ["{shifts}"]\n' if shifts else ""
    return f'[[capacity.budgets]]\nagency = "{agency}"\nlane = "{lane}"\ninspections = {inspections}\n{only}\n'


TEN_RED = policy_with_budgets(budget("customs", "red", 10))


# --- shifts --------------------------------------------------------------------------------------------------------
starts = st.lists(st.times().map(lambda t: t.replace(second=0, microsecond=0)), min_size=1, max_size=4, unique=True)
zones = st.sampled_from(["UTC", "Asia/Bishkek", "Europe/Riga", "America/St_Johns", "Australia/Lord_Howe"])


@given(zones, starts, st.datetimes(datetime(2024, 1, 1), datetime(2027, 12, 31)))  # made UTC below
def test_every_instant_lies_in_one_shift_and_shifts_follow_each_other(
    zone: str, begins: list[time], at: datetime
) -> None:
    shifts = Shifts(zone, tuple(sorted(begins)))
    span = shift_span(shifts, at.replace(tzinfo=UTC))
    assert span.holds(at.replace(tzinfo=UTC))
    assert shift_span(shifts, span.ends_at).starts_at == span.ends_at
    assert shift_span(shifts, span.ends_at - timedelta(microseconds=1)) == span


@pytest.mark.parametrize(("day", "hours"), [((2026, 3, 28), 11), ((2026, 10, 24), 13), ((2026, 6, 1), 12)])
def test_a_night_in_which_the_clock_is_put_is_an_hour_shorter_or_longer(day: tuple[int, int, int], hours: int) -> None:
    night = shift_span(Shifts("Europe/Riga", (time(8), time(20))), datetime(*day, 22, tzinfo=UTC))
    assert night.ends_at - night.starts_at == timedelta(hours=hours)
    assert night.start == time(20)


# --- the threshold -------------------------------------------------------------------------------------------------
outlooks = st.tuples(st.integers(0, 50), st.integers(0, 60), st.integers(0, 1000), st.floats(0, 5000), st.floats(0, 1))


@given(outlooks)
def test_nothing_is_sent_without_places_and_never_more_than_all(outlook: tuple[int, int, int, float, float]) -> None:
    of, used, seen, coming, demanded = outlook
    share = share_to_send(of, used, seen=seen, coming=coming, demanded=demanded)
    assert 0.0 <= share <= 1.0
    if used >= of:
        assert share == 0.0
    elif used > 0:
        assert share <= share_to_send(of, used - 1, seen=seen, coming=coming, demanded=demanded)


def test_later_hours_keep_half_of_what_they_are_due() -> None:
    # A quarter of the shift has come, and five of eight places are gone already: three are due to the rest as a floor.
    assert share_to_send(8, 5, seen=24, coming=75.0, demanded=0.0) == 0.0
    assert share_to_send(8, 4, seen=24, coming=75.0, demanded=0.0) > 0.0


def test_the_last_place_waits_for_rules_until_hardly_any_can_come() -> None:
    assert share_to_send(5, 4, seen=50, coming=50.0, demanded=0.02) == 0.0
    assert share_to_send(5, 4, seen=99, coming=1.0, demanded=0.02) > 0.5


@given(st.integers(60, 400), st.floats(0.02, 0.9), st.integers(0, 9))
def test_the_threshold_lets_a_share_of_recent_crossings_through(number: int, share: float, seed: int) -> None:
    recent = np.sort(np.random.default_rng(seed).random(number))
    found = threshold_of(share, recent.tolist(), risk=0.5, crossing_id="c")
    assert abs((recent >= found).mean() - share) <= 1.0 / number + 1e-9


@given(st.floats(0.05, 0.95))
def test_of_many_with_the_same_risk_the_checksum_sends_a_share(share: float) -> None:
    recent = [0.5] * 200
    sent = [threshold_of(share, recent, risk=0.5, crossing_id=f"crossing-{i}") <= 0.5 for i in range(2000)]
    assert np.mean(sent) == pytest.approx(share, abs=0.05)


# --- the meter -----------------------------------------------------------------------------------------------------
def crossing(
    number: int,
    at: datetime,
    risks: Mapping[str, float],
    asked: Mapping[str, Asked],
    *,
    before: Mapping[str, Lane] | None = None,
) -> CountedCrossing:
    return CountedCrossing(crossing_id=f"c{number}", crossing_point="P", at=at, risks=risks, asked=asked, before=before)


def asked_of(states: Iterable[CapacityState], risk: float) -> dict[str, Asked]:
    """Let a model ask, in one domain, for the strictest lane that is reached."""
    for state in states:
        if risk >= state.threshold:
            return {"contraband": Asked(state.lane, "model")}
    return {}


def run_shifts(policy: Policy, days: int, per_shift: int, risk_of: Mapping[int, float] | None, seed: int) -> list[int]:
    """Send a steady stream through day shifts; returns red controls per shift."""
    rng, meter, used, number = np.random.default_rng(seed), CapacityMeter(policy), [], 0
    for day in range(days):
        red = 0
        for place in range(per_shift):
            at = MONDAY + timedelta(days=day, hours=12 * (place + float(rng.random())) / per_shift)
            risk = float(rng.random()) if risk_of is None else risk_of[0]
            risks = {"contraband": risk, "revenue_fraud": risk / 2}
            found = asked_of(meter.states("P", at, risks, f"c{number}"), risk)
            meter.take_in(crossing(number, at, risks, found))
            red += bool(found)
            number += 1
        used.append(red)
    return used


def test_a_steady_stream_meets_its_budget() -> None:
    used = run_shifts(TEN_RED, days=12, per_shift=120, risk_of=None, seed=1)
    assert max(used) <= 10
    assert used[3:].count(10) >= 8
    assert min(used[3:]) >= 9


def test_a_constant_risk_does_not_break_the_budget_and_is_spread() -> None:
    used = run_shifts(TEN_RED, days=10, per_shift=120, risk_of={0: 0.5}, seed=2)
    assert max(used) <= 10
    assert min(used[2:]) >= 9


@settings(max_examples=20)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 120)), max_size=200), st.integers(0, 12))
def test_models_never_go_over_a_budget(stream: list[tuple[float, int]], of: int) -> None:
    meter = CapacityMeter(policy_with_budgets(budget("customs", "red", of)))
    at, used = MONDAY, Counter[str]()
    for number, (risk, minutes) in enumerate(stream):
        at += timedelta(minutes=minutes)
        risks = {"contraband": risk}
        states = meter.states("P", at, risks, f"c{number}")
        assert [state.used for state in states] == [used[states[0].shift]]
        found = asked_of(states, risk)
        meter.take_in(crossing(number, at, risks, found))
        used[states[0].shift] += bool(found)
    assert all(count <= of for count in used.values())


def used_of(meter: CapacityMeter, at: datetime = MONDAY) -> dict[Lane, int]:
    return {state.lane: state.used for state in meter.states("P", at, {}, "any")}


BOTH = policy_with_budgets(budget("customs", "red", 10) + budget("customs", "yellow", 20))


def test_a_crossing_counts_once_for_an_agency_in_its_strictest_lane() -> None:
    meter = CapacityMeter(BOTH)
    asked = {"contraband": Asked(Lane.RED, "rule"), "revenue_fraud": Asked(Lane.YELLOW, "model")}
    meter.take_in(crossing(1, MONDAY, {}, asked))
    assert used_of(meter) == {Lane.RED: 1, Lane.YELLOW: 0}


def test_a_revision_counts_only_what_it_adds() -> None:
    meter = CapacityMeter(BOTH)
    yellow, red = {"contraband": Asked(Lane.YELLOW, "model")}, {"contraband": Asked(Lane.RED, "model")}
    meter.take_in(crossing(1, MONDAY, {}, yellow))
    meter.take_in(crossing(1, MONDAY, {}, yellow, before={"contraband": Lane.YELLOW}))
    assert used_of(meter) == {Lane.RED: 0, Lane.YELLOW: 1}
    meter.take_in(crossing(1, MONDAY, {}, red, before={"contraband": Lane.YELLOW}))
    assert used_of(meter) == {Lane.RED: 1, Lane.YELLOW: 0}


def test_what_was_asked_in_an_earlier_shift_is_not_counted_in_this_one() -> None:
    meter = CapacityMeter(BOTH)
    yellow = {"contraband": Asked(Lane.YELLOW, "model")}
    meter.take_in(crossing(1, MONDAY, {}, yellow))
    evening = MONDAY + timedelta(hours=13)
    meter.take_in(crossing(1, evening, {}, yellow, before={"contraband": Lane.YELLOW}))
    assert used_of(meter, evening) == {Lane.RED: 0, Lane.YELLOW: 0}


def test_a_crossing_that_never_came_gives_its_place_back() -> None:
    meter = CapacityMeter(BOTH)
    meter.take_in(crossing(1, MONDAY, {}, {"contraband": Asked(Lane.RED, "model")}))
    meter.give_back("c1")
    meter.give_back("c1")
    assert used_of(meter) == {Lane.RED: 0, Lane.YELLOW: 0}


def test_a_budget_holds_in_its_shifts_alone_and_other_agencies_keep_their_thresholds() -> None:
    meter = CapacityMeter(policy_with_budgets(budget("customs", "red", 3, shifts="08:00")))
    assert [state.agency for state in meter.states("P", MONDAY, {}, "c")] == ["customs"]
    assert meter.states("P", MONDAY + timedelta(hours=13), {}, "c") == ()


def test_an_instant_of_a_shift_that_is_over_counts_in_the_present_one() -> None:
    meter = CapacityMeter(TEN_RED)
    evening = MONDAY + timedelta(hours=13)
    (now,) = meter.states("P", evening, {}, "c")
    (late,) = meter.states("P", MONDAY, {}, "c")
    assert late.shift == now.shift


def test_red_crossings_need_no_place_in_yellow() -> None:
    meter = CapacityMeter(BOTH)
    rng = np.random.default_rng(3)
    for number in range(400):
        at = MONDAY - timedelta(days=1) + timedelta(minutes=2 * number)
        meter.take_in(crossing(number, at, {"contraband": float(rng.random())}, {}))
    states = {state.lane: state.threshold for state in meter.states("P", MONDAY, {}, "c")}
    assert states[Lane.YELLOW] < states[Lane.RED] < 1.0


def test_a_new_post_begins_with_the_risks_and_the_week_of_all_posts() -> None:
    policy = policy_with_budgets(budget("customs", "red", 2))
    meter = CapacityMeter(policy)
    rng = np.random.default_rng(4)
    for number in range(3000):
        at = MONDAY + timedelta(minutes=10 * number)
        meter.take_in(crossing(number, at, {"contraband": float(rng.random())}, {}))
    (state,) = meter.states("Q", at, {}, "c")
    assert 0.5 < state.threshold < 1.0
    assert state.expected == pytest.approx(6 * hours_left(policy, at), rel=0.2)


def hours_left(policy: Policy, at: datetime) -> float:
    return (shift_span(policy.capacity.shifts, at).ends_at - at) / timedelta(hours=1)


def test_nothing_left_is_infinite() -> None:
    meter = CapacityMeter(policy_with_budgets(budget("customs", "red", 0)))
    assert [state.threshold for state in meter.states("P", MONDAY, {}, "c")] == [NOTHING_LEFT]
    assert math.isinf(NOTHING_LEFT)
