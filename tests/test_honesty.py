"""What the quality run says of probabilities: right ones are called right, wrong ones wrong."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks.honesty import Honesty, honesty_lines, judge_honesty

N = 30_000


def judged(*, said_over_true: float = 1.0, done: float = 0.9, detection: float = 1.0, hits: float = 0.05) -> Honesty:
    """Judge a border of which every probability is known; the lot is 20 % at night and 10 % by day."""
    rng = np.random.default_rng(7)
    logit = rng.normal(np.log(hits / (1 - hits)), 1.0, N)
    truth = rng.random(N) < 1 / (1 + np.exp(-logit))
    ids = pd.Index([f"c{n}" for n in range(N)])
    night = rng.random(N) < 0.5
    propensity = np.where(night, 0.2, 0.1)
    drawn = rng.random(N) < propensity
    found = np.where(rng.random(N) < done, (truth & (rng.random(N) < detection)).astype(float), np.nan)
    draws = pd.DataFrame(
        {
            "crossing_id": ids,
            "hit": found,
            "propensity": propensity,
            "post": "TORUGART",
            "shift": np.where(night, "night", "day"),
        }
    )[drawn]
    looked_at = drawn & ~np.isnan(found)
    labels = pd.DataFrame({"crossing_id": ids[looked_at], "hit": found[looked_at] > 0})
    strangers = draws.assign(crossing_id="z" + draws["crossing_id"], hit=1.0)
    said = 1 / (1 + np.exp(-logit * said_over_true))
    return judge_honesty(said, truth, labels, pd.concat([strangers, draws]), ids)


def test_right_probabilities_are_called_right() -> None:
    honesty = judged()
    assert honesty.of_truth is not None
    assert honesty.of_truth.slope_95[0] <= 1 <= honesty.of_truth.slope_95[1]
    assert honesty.of_finds is not None
    assert honesty.of_finds.slope_95[0] <= 1 <= honesty.of_finds.slope_95[1]
    assert honesty.of_finds.hits < honesty.of_truth.hits / 4
    assert honesty.is_right_in_the_large
    assert honesty.brier < honesty.brier_of_rate
    assert honesty_lines(honesty, "lot")[-1].endswith("within")


def test_probabilities_that_are_too_extreme_have_a_slope_below_one() -> None:
    honesty = judged(said_over_true=1.5)
    assert honesty.of_truth is not None
    assert honesty.of_truth.slope == pytest.approx(1 / 1.5, abs=0.05)


def test_what_controls_overlook_is_seen_in_the_large() -> None:
    honesty = judged(detection=0.5)
    assert honesty.lot is not None
    assert honesty.lot.rate.value == pytest.approx(honesty.mean_said / 2, rel=0.15)
    assert honesty.is_right_in_the_large is False
    assert honesty_lines(honesty, "lot")[-1].endswith("outside")


def test_few_hits_are_no_line_and_no_outcome_is_no_verdict() -> None:
    rare = judged(hits=0.001)
    assert rare.of_truth is None
    assert "insufficient data" in honesty_lines(rare, "inspected")[1]
    undone = judged(done=0.0)
    assert undone.is_right_in_the_large is None
    assert undone.of_finds is None
    assert honesty_lines(undone, "inspected")[-1].endswith("no outcome to compare with")


def test_where_the_domain_does_not_apply_nothing_is_judged() -> None:
    said = np.array([0.2, np.nan, 0.4])
    nobody = pd.DataFrame({"crossing_id": ["c"], "hit": [1.0], "propensity": [0.1], "post": ["A"], "shift": ["day"]})
    honesty = judge_honesty(said, np.array([False, True, True]), nobody, nobody, pd.Index(["a", "b", "c"]))
    assert honesty.mean_said == pytest.approx(0.3)
    assert honesty.brier == pytest.approx((0.04 + 0.36) / 2)
