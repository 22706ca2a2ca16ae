"""The lot by intention: what is not done stays in the count, and the answer says how far it can be off."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekara.errors import TrainingError
from chekara.evaluation.intention import draws_by_group, intention_weights, lot_rate

outcome = st.sampled_from([0.0, 0.0, 1.0, float("nan")])
draw = st.tuples(outcome, st.sampled_from([1.0, 10.0, 50.0]), st.sampled_from(["day", "night"]))


@given(st.lists(draw, min_size=1, max_size=60))
def test_unknown_draws_keep_their_weight_and_bounds_hold(rows: list[tuple[float, float, str]]) -> None:
    hit, weight, group = (np.array(column) for column in zip(*rows, strict=True))
    known = ~np.isnan(hit)
    spread = intention_weights(weight, known, group)
    assert (spread[~known] == 0).all()
    rate = lot_rate(hit, weight, group, replicates=5)
    assert (rate.drawn, rate.unknown, rate.hits) == (len(rows), (~known).sum(), np.nansum(hit))
    if not known.any():
        assert np.isnan(rate.rate.value)
        assert rate.bounds == (0.0, 1.0)
        return
    assert spread.sum() == pytest.approx(weight.sum())
    low, high = rate.bounds
    assert low - 1e-12 <= rate.rate.value <= high + 1e-12
    assert low == pytest.approx(weight @ np.nan_to_num(hit) / weight.sum())
    assert high == pytest.approx(weight @ np.where(known, hit, 1.0) / weight.sum())
    assert rate.bounds_95[0] <= low <= high <= rate.bounds_95[1]


def test_without_unknown_draws_it_is_the_weighted_mean() -> None:
    rate = lot_rate([1.0, 0.0, 0.0], [10.0, 10.0, 20.0], ["a", "a", "b"], replicates=5)
    assert rate.rate.value == pytest.approx(0.25)
    assert rate.bounds == (pytest.approx(0.25), pytest.approx(0.25))


def shift_world(seed: int, n: int = 4_000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nights hide more (12 % against 4 %), and half of the draws of a night are not done."""
    rng = np.random.default_rng(seed)
    shift = np.where(rng.random(n) < 0.4, "night", "day")
    hit = (rng.random(n) < np.where(shift == "night", 0.12, 0.04)).astype(np.float64)
    missed = rng.random(n) < np.where(shift == "night", 0.5, 0.02)
    return np.where(missed, np.nan, hit), np.full(n, 50.0), shift


def test_leaving_undone_draws_out_would_be_wrong_and_weighing_them_is_not() -> None:
    truth = 0.4 * 0.12 + 0.6 * 0.04
    weighed, left_out = [], []
    for seed in range(40):
        hit, weight, shift = shift_world(seed)
        weighed.append(lot_rate(hit, weight, shift, replicates=1).rate.value)
        left_out.append(np.nanmean(hit))
    assert np.mean(weighed) == pytest.approx(truth, abs=0.0025)
    assert np.mean(left_out) < truth - 0.008


def test_both_intervals_agree_and_cover_as_often_as_they_say() -> None:
    truth, covered_bootstrap, covered_closed = 0.4 * 0.12 + 0.6 * 0.04, 0, 0
    for seed in range(100):
        rate = lot_rate(*shift_world(seed, n=1_500), replicates=200, seed=seed)
        boot, closed = np.array(rate.rate.interval_95), np.array(rate.closed_form_95)
        np.testing.assert_allclose(boot, closed, atol=0.25 * np.ptp(closed))
        covered_bootstrap += boot[0] <= truth <= boot[1]
        covered_closed += closed[0] <= truth <= closed[1]
    assert 89 <= covered_bootstrap <= 100
    assert 89 <= covered_closed <= 100


def test_small_classes_share_one() -> None:
    weight = np.full(60, 10.0)
    known = np.arange(60) % 3 > 0
    alone = intention_weights(weight, known, [f"post {j}" for j in range(60)])
    np.testing.assert_allclose(alone[known], 15.0)


def test_what_was_not_done_is_counted_by_post() -> None:
    first, second = draws_by_group(["Torugart", "Manas", "Manas", "Torugart"], [True, True, True, False])
    assert (first.group, first.drawn, first.unknown, first.share) == ("Torugart", 2, 1, 0.5)
    assert (second.group, second.unknown) == ("Manas", 0)
    assert 0 < first.interval_95[0] < 0.5 < first.interval_95[1] < 1


@pytest.mark.parametrize("weight", [[0.0, 1.0], [1.0], [np.nan, 1.0]])
def test_weights_that_are_none_are_refused(weight: list[float]) -> None:
    with pytest.raises(TrainingError):
        lot_rate([1.0, 0.0], weight, ["a", "b"])
