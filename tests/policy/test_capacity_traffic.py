"""What is still to come: a usual week, times how busy the last hours were."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from chekara.policy.capacity_shifts import ShiftSpan, shift_span
from chekara.policy.capacity_traffic import Traffic, hour_of
from chekara.policy.plans import Shifts

SHIFTS = Shifts("Europe/Riga", (time(8), time(20)))
DAY = datetime(2026, 4, 20, 5, tzinfo=UTC)  # a Monday, 08:00 in Riga


def usual_hours(traffic: Traffic, point: str, until: datetime, weeks: int, per_hour: int) -> None:
    """Count the same number in every hour of some weeks."""
    for hour in range(hour_of(until) - 168 * weeks, hour_of(until)):
        traffic.count(point, hour, per_hour)


def coming(traffic: Traffic, point: str, at: datetime) -> float:
    span = shift_span(SHIFTS, at)
    traffic.open_shift(span)
    return traffic.flow(point, span).coming(at.timestamp())


def test_an_even_stream_is_forecast_evenly() -> None:
    traffic = Traffic(SHIFTS)
    usual_hours(traffic, "P", DAY, weeks=5, per_hour=10)
    assert coming(traffic, "P", DAY) == pytest.approx(120.0)


def test_a_shorter_night_expects_less() -> None:
    night = datetime(2026, 3, 28, 18, tzinfo=UTC)  # 20:00; the clock goes forward
    traffic = Traffic(SHIFTS)
    usual_hours(traffic, "P", night, weeks=5, per_hour=10)
    assert coming(traffic, "P", night) == pytest.approx(110.0)


def test_the_usual_week_follows_the_local_clock() -> None:
    traffic = Traffic(SHIFTS)
    for week in range(1, 9):  # always at 9 o'clock local, though the clock was put forward three weeks ago
        local = datetime(2026, 4, 20, 9, tzinfo=SHIFTS.zone) - timedelta(weeks=week)
        hour = hour_of(local.astimezone(UTC))
        for near in range(-12, 13):
            traffic.count("P", hour + near, 1)
        traffic.count("P", hour, 60)
    span = shift_span(SHIFTS, DAY)
    traffic.open_shift(span)
    flow = traffic.flow("P", span)
    busiest = max(range(len(flow.usual)), key=lambda place: flow.usual[place])
    assert flow.first_hour + busiest == hour_of(DAY) + 1


def test_busier_hours_raise_what_is_to_come_within_an_hour_or_two() -> None:
    traffic = Traffic(SHIFTS)
    usual_hours(traffic, "P", DAY, weeks=5, per_hour=10)
    for hour in range(2):
        traffic.count("P", hour_of(DAY) + hour, 40)
    later = DAY + timedelta(hours=2)
    assert coming(traffic, "P", later) > 1.7 * 100.0


def test_a_closed_post_is_as_usual_when_it_opens_again() -> None:
    traffic = Traffic(SHIFTS)
    usual_hours(traffic, "P", DAY - timedelta(days=3), weeks=5, per_hour=10)
    assert coming(traffic, "P", DAY) == pytest.approx(120.0)


def test_days_on_which_a_post_was_closed_do_not_lower_its_usual_week() -> None:
    traffic = Traffic(SHIFTS)
    closed = range(hour_of(DAY) - 168 - 36, hour_of(DAY) - 168 + 36)
    for hour in range(hour_of(DAY) - 168 * 5, hour_of(DAY)):
        if hour not in closed:
            traffic.count("P", hour, 10)
    assert coming(traffic, "P", DAY) == pytest.approx(120.0)


def test_it_does_not_matter_who_was_counted_first() -> None:
    found = []
    for points in (["A", "B", "C"], ["C", "B", "A"]):
        traffic = Traffic(SHIFTS)
        for point in points:
            usual_hours(traffic, point, DAY, weeks=3, per_hour={"A": 1, "B": 3, "C": 7}[point])
        found.append(coming(traffic, "new", DAY))
    assert found[0] == found[1] == pytest.approx(12 * 11 / 3)


def test_what_no_week_looks_back_to_is_forgotten_and_changes_nothing() -> None:
    def made(*, forgets: bool) -> tuple[Traffic, ShiftSpan]:
        traffic, span = Traffic(SHIFTS), shift_span(SHIFTS, DAY)
        usual_hours(traffic, "P", DAY, weeks=12, per_hour=5)
        if forgets:
            traffic.forget_before(hour_of(DAY - timedelta(weeks=8, days=2)))
        traffic.open_shift(span)
        return traffic, span

    (one, span), (other, _) = made(forgets=True), made(forgets=False)
    assert one.flow("P", span).usual == other.flow("P", span).usual
