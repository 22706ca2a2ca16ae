"""Queues at the posts: an independent, slower clock walks through the same days minute by minute."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training._closed_loop_waits import Posts, control_minutes, waits

MINUTES_A_SHIFT = 8 * 60


def by_the_minute(
    post: list[int], arrival: list[int], minutes: list[int], teams: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
) -> list[int]:
    """Walk through time: whoever came first begins as soon as a team that is on duty is free."""
    begun = [-1] * len(post)
    busy_until = {(p, t): 0 for p in range(len(teams)) for t in range(int(teams[p].max()))}
    order = sorted(range(len(post)), key=lambda k: arrival[k])
    now = 0
    while any(b < 0 for b in begun):
        for k in order:
            if begun[k] >= 0 or arrival[k] > now:
                continue
            on_duty = range(int(teams[post[k], (now % 1440) // MINUTES_A_SHIFT]))
            free = [t for t in on_duty if busy_until[post[k], t] <= now]
            if free:
                begun[k] = now
                busy_until[post[k], free[0]] = now + minutes[k]
        now += 1
    return [b - a for b, a in zip(begun, arrival, strict=True)]


@settings(max_examples=40)
@given(
    crossings=st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 2_000), st.sampled_from([20, 60, 90])), min_size=1, max_size=14
    ),
    night=st.integers(1, 2),
    more=st.integers(0, 1),
)
def test_waits_are_those_of_a_clock(crossings: list[tuple[int, int, int]], night: int, more: int) -> None:
    # First come, first served is only told apart where nobody arrives at the same minute.
    by_minute = {(post, arrival): (post, arrival, minutes) for post, arrival, minutes in crossings}
    post, arrival, minutes = (list(column) for column in zip(*by_minute.values(), strict=True))
    teams = np.array([[night, night + more, night + more]] * 2, dtype=np.int64)
    told = waits(np.array(post), np.array(arrival, dtype=float), np.array(minutes, dtype=float), Posts(teams))
    assert told.tolist() == by_the_minute(post, arrival, minutes, teams)


def test_a_joint_control_takes_as_long_as_its_longest_part() -> None:
    picked = {"revenue_fraud": np.array([True, False, False]), "contraband": np.array([True, True, False])}
    assert control_minutes(picked).tolist() == [90.0, 60.0, 0.0]


def test_posts_have_a_team_always_and_more_by_day_than_at_night() -> None:
    teams = Posts.staffed(np.array([100.0, 1.0]), 120.0).teams
    assert (teams >= 1).all()
    assert teams[0, 1] > teams[0, 0] > teams[1, 1]
    assert teams.sum() == pytest.approx(np.round(teams.sum()))
