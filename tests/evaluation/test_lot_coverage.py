"""Lots drawn as the service draws: their intervals hold the truth as often as they say, also with attrition."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.lot_coverage import DOMAINS, SCENARIOS, Border, Trial, covered, trials_of

LOTS = 50
DOMAIN = DOMAINS[0]


@pytest.fixture(scope="module")
def border() -> Border:
    """Make traffic of two posts in two shifts: quiet at one, not at the other, worse at night."""
    rng = np.random.default_rng(1)
    n = 6_000
    post, is_night = rng.choice(["TORUGART", "OSH"], n), rng.random(n) < 0.4
    truth = rng.random(n) < 0.02 + 0.05 * is_night + 0.06 * (post == "TORUGART")
    return Border(
        crossing_id=np.array([f"c{i}" for i in range(n)], dtype=object),
        post=post.astype(object),
        group=np.array([f"{p} {s}" for p, s in zip(post, is_night, strict=True)], dtype=object),
        is_night=is_night,
        propensity={DOMAIN: np.where(post == "OSH", 0.1, 0.05)},
        truth={DOMAIN: truth},
    )


@pytest.fixture(scope="module")
def trials(border: Border) -> dict[str, list[Trial]]:
    """Draw lots, and lose draws of each in three ways."""
    return trials_of([border], DOMAIN, SCENARIOS, LOTS)


@pytest.mark.parametrize("scenario", ["all done", "by post and shift"])
def test_intervals_hold_the_truth_at_their_rate(trials: dict[str, list[Trial]], scenario: str) -> None:
    for interval in (lambda rate: rate.rate.interval_95, lambda rate: rate.closed_form_95):
        hits, (low, high) = covered(trials[scenario], interval)
        assert low <= 0.95 <= max(high, 0.95), f"{hits} of {LOTS}"
    assert abs(np.mean([one.estimate.rate.value - one.true_rate for one in trials[scenario]])) < 0.006


def test_only_bounds_hold_where_what_is_hidden_decides(trials: dict[str, list[Trial]]) -> None:
    lost = trials["who has something to hide"]
    assert covered(lost, lambda rate: rate.rate.interval_95)[0] < 0.8 * LOTS, "the scenario is hard enough"
    assert covered(lost, lambda rate: rate.bounds_95)[0] == LOTS


def test_leaving_draws_out_quietly_would_miss(border: Border, trials: dict[str, list[Trial]]) -> None:
    """The naive rate of done draws is off where nights lose more: what the weights are for."""
    by_class = trials["by post and shift"]
    naive = [one.estimate.hits / (one.estimate.drawn - one.estimate.unknown) for one in by_class]
    ours = [one.estimate.rate.value for one in by_class]
    truth = float(border.truth[DOMAIN].mean())
    assert abs(np.mean(naive) - truth) > 3 * abs(np.mean(ours) - truth)
