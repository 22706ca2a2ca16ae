"""Whoever comes while more is under way than the pace allows is turned away; a lone request never is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekara.api.admission import CROWD, SHARE_OF_TIME, Admission
from chekara.errors import TooManyRequestsError


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def served_at(pace: float, clock: Clock) -> Admission:
    """Return the door of a service that has served a crowd at a pace, seconds an answer."""
    admission = Admission(2.0, clock)
    for _ in range(CROWD):
        admission.enter()
    for _ in range(400):
        clock.now += pace
        admission.leave(is_served=True)
        admission.enter()
    return admission


def crowd_in(admission: Admission, n: int) -> None:
    for _ in range(n):
        admission.enter()


@given(pace=st.floats(0.002, 0.2))
def test_as_many_are_let_in_as_can_be_answered_in_their_share_of_the_time(pace: float) -> None:
    admission = served_at(pace, Clock())
    with pytest.raises(TooManyRequestsError) as told:
        crowd_in(admission, 2_000)
    assert admission.under_way >= CROWD
    assert admission.under_way <= max(CROWD, SHARE_OF_TIME * 2.0 / pace * 1.02 + 1)
    assert told.value.retry_after_seconds == pytest.approx(admission.under_way * pace, rel=0.02)


def test_few_are_let_in_whatever_the_pace_and_it_is_learned_anew() -> None:
    clock = Clock()
    admission = served_at(1.0, clock)
    with pytest.raises(TooManyRequestsError):
        admission.enter()
    admission.leave(is_served=True)
    admission.enter()
    for _ in range(400):
        clock.now += 0.001
        admission.leave(is_served=True)
        admission.enter()
    crowd_in(admission, 100)


def test_lone_requests_however_slow_and_refusals_however_quick_make_no_pace() -> None:
    clock = Clock()
    admission = Admission(2.0, clock)
    for _ in range(50):
        admission.enter()
        clock.now += 1.0
        admission.leave(is_served=True)
    crowd_in(admission, 500)
    assert admission.under_way == 500
    slow = served_at(0.05, clock)
    for _ in range(1_000):
        clock.now += 0.001
        slow.leave(is_served=False)
        slow.enter()
    with pytest.raises(TooManyRequestsError):
        crowd_in(slow, 100)
