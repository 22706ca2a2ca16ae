"""Probabilities: strictly increasing, true to nature where the lot says so, with bounds that contain them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from chekara.errors import NotEnoughHitsError
from chekara.modelling.calibration import Calibration, calibrated_loss, fit_calibration, natural_weights

NAN = float("nan")

calibrations = st.builds(
    lambda a, b, sa, r, sb: Calibration(
        intercept=a,
        slope=b,
        covariance=(sa**2, r * sa * sb, sb**2),
        basis="lot",
        n_hits=60,
        n_crossings=1000,
        n_lot_hits=60,
        n_lot=1000,
    ),
    st.floats(-8, 3),
    st.floats(0.05, 4),
    st.floats(0, 2),
    st.floats(-1, 1),
    st.floats(0, 1),
)


def _expit(logit: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logit))


@given(calibrations, st.floats(-40, 40))
def test_a_higher_margin_always_has_a_higher_probability(calibration: Calibration, start: float) -> None:
    margin = start + np.arange(200) * 1e-5
    probability = calibration.probability(margin)
    assert (np.diff(probability) > 0).all()
    assert ((probability > 0) & (probability < 1)).all()


@given(calibrations, st.lists(st.floats(-60, 60), min_size=1, max_size=30))
def test_the_interval_contains_the_probability(calibration: Calibration, margins: list[float]) -> None:
    margin = np.array(margins)
    low, high = calibration.interval(margin)
    probability = calibration.probability(margin)
    assert ((low >= 0) & (low <= probability) & (probability <= high) & (high <= 1)).all()


@given(calibrations)
def test_it_survives_json(calibration: Calibration) -> None:
    assert Calibration.from_json(json.loads(json.dumps(calibration.to_json()))) == calibration


def test_one_margin_gives_the_same_alone_and_in_an_array() -> None:
    generator = np.random.default_rng(0)
    margin = generator.normal(size=200)
    calibration = fit_calibration(margin, (generator.random(200) < 0.3).astype(float), np.ones(200), lot_hits=50)
    alone = [calibration.probability(np.array([m]))[0] for m in margin]
    assert calibration.probability(margin).tolist() == alone


@pytest.mark.parametrize("slope", [0.6, 1.0, 1.7])
def test_a_census_is_fitted_as_by_an_unpenalised_logistic_regression(slope: float) -> None:
    generator = np.random.default_rng(7)
    margin = generator.normal(-1.5, 1, 40_000)
    hit = (generator.random(40_000) < _expit(-0.4 + slope * margin)).astype(float)
    fitted = fit_calibration(margin, hit, np.ones(40_000), lot_hits=50)
    oracle = LogisticRegression(C=np.inf).fit(margin[:, None], hit)
    # The prior on the slope weighs as much as some two hits, of thousands here.
    assert fitted.slope == pytest.approx(oracle.coef_[0, 0], abs=5e-3)
    assert fitted.intercept == pytest.approx(oracle.intercept_[0], abs=5e-3)
    assert fitted.basis == "lot"


def _selected_world(generator: np.random.Generator, n: int, draw: float) -> tuple[np.ndarray, ...]:
    """Draw a border where officers choose more of what they rightly suspect, and a lot that knows nothing."""
    margin = generator.normal(-3.5, 1, n)
    suspicion = generator.normal(size=n)
    hit = (generator.random(n) < _expit(margin + suspicion - 0.5)).astype(float)
    by_lot = generator.random(n) < draw
    by_officer = ~by_lot & (suspicion > 1.2)
    seen = by_lot | by_officer
    selected_by = np.where(by_lot, "random", "officer").astype(object)[seen]
    propensity = np.where(by_lot, draw, np.nan)[seen]
    return margin[seen], hit[seen], natural_weights(selected_by, propensity), margin, hit


def test_a_large_lot_alone_sets_the_curve() -> None:
    margin, hit, weight, all_margin, all_hit = _selected_world(np.random.default_rng(3), 400_000, 0.1)
    fitted = fit_calibration(margin, hit, weight, lot_hits=50)
    drawn = weight > 0
    alone = fit_calibration(margin[drawn], hit[drawn], weight[drawn], lot_hits=50)
    assert (fitted.basis, fitted.intercept, fitted.slope) == ("lot", alone.intercept, alone.slope)
    assert fitted.probability(all_margin).mean() == pytest.approx(all_hit.mean(), rel=0.1)


def test_a_small_lot_sets_only_the_height() -> None:
    margin, hit, weight, all_margin, all_hit = _selected_world(np.random.default_rng(4), 60_000, 0.02)
    drawn = weight > 0
    assert 5 <= hit[drawn].sum() < 50
    fitted = fit_calibration(margin, hit, weight, lot_hits=50)
    everyone = fit_calibration(margin, hit, np.zeros(len(hit)), lot_hits=50)
    assert fitted.basis == "lot_intercept"
    assert fitted.slope == everyone.slope
    # Officers' hit rate is several times nature's; the lot brings the height down to it.
    assert everyone.probability(all_margin).mean() > 1.5 * all_hit.mean()
    low, high = fitted.interval(np.array([np.mean(margin[drawn])]))
    assert low[0] < all_hit.mean() < high[0] * 1.5
    assert fitted.probability(all_margin).mean() == pytest.approx(all_hit.mean(), rel=0.35)


def test_a_lot_without_hits_means_rare_not_impossible() -> None:
    margin, hit, _, _, _ = _selected_world(np.random.default_rng(5), 20_000, 0.02)
    drawn = np.zeros(len(hit))
    drawn[np.flatnonzero(hit == 0)[:100]] = 50.0
    fitted = fit_calibration(margin, hit, drawn, lot_hits=50)
    rate = fitted.probability(margin[drawn > 0]).mean()
    assert rate == pytest.approx(0.5 / 101, rel=0.01)


def test_without_a_lot_it_says_so() -> None:
    margin, hit, _, _, _ = _selected_world(np.random.default_rng(6), 20_000, 0.02)
    assert fit_calibration(margin, hit, np.zeros(len(hit)), lot_hits=50).basis == "inspected"


def test_propensities_count_as_what_they_stand_for() -> None:
    generator = np.random.default_rng(8)
    margin = generator.normal(-2, 1, 60_000)
    hit = (generator.random(60_000) < _expit(margin)).astype(float)
    # Draws rise with the margin: unweighted, the lot would look far riskier than the traffic.
    propensity = np.clip(_expit(1.5 * margin), 0.05, 0.9)
    drawn = generator.random(60_000) < propensity
    weight = natural_weights(np.full(int(drawn.sum()), "random", dtype=object), propensity[drawn])
    fitted = fit_calibration(margin[drawn], hit[drawn], weight, lot_hits=50)
    assert fitted.probability(margin).mean() == pytest.approx(hit.mean(), rel=0.06)


def test_only_draws_with_a_propensity_and_a_census_stand_for_nature() -> None:
    selected_by = np.array(["random", "random", "random", "census", "officer", "rule", None], dtype=object)
    propensity = np.array([0.02, NAN, 0.0, NAN, NAN, 0.5, NAN])
    assert natural_weights(selected_by, propensity).tolist() == [50.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_few_and_separable_or_upside_down_hits_still_give_a_rising_curve(sign: float) -> None:
    margin = sign * np.linspace(-2, 2, 40)
    hit = (np.linspace(-2, 2, 40) > 1).astype(float)
    fitted = fit_calibration(margin, hit, np.ones(40), lot_hits=5)
    assert 0 < fitted.slope < 100
    assert np.isfinite(fitted.covariance).all()


def test_bounds_hold_the_true_rate_nine_times_of_ten() -> None:
    generator = np.random.default_rng(9)
    at = np.array([-4.0, -2.5, -1.0])
    truth, inside = _expit(-0.3 + 0.9 * at), np.zeros(3)
    for _ in range(300):
        margin = generator.normal(-2.5, 1, 800)
        hit = (generator.random(800) < _expit(-0.3 + 0.9 * margin)).astype(float)
        low, high = fit_calibration(margin, hit, np.ones(800), lot_hits=20).interval(at)
        inside += (low <= truth) & (truth <= high)
    # Binomial spread of 300 repeats at 0.90 is 0.017.
    assert (np.abs(inside / 300 - 0.90) < 0.06).all()


def test_margins_that_separate_better_lose_less() -> None:
    generator = np.random.default_rng(10)
    margin = generator.normal(-1, 1, 2000)
    hit = (generator.random(2000) < _expit(margin)).astype(float)
    noisy = margin + generator.normal(0, 2, 2000)
    assert calibrated_loss(margin, hit) < calibrated_loss(noisy, hit)
    assert calibrated_loss(margin, hit) == pytest.approx(calibrated_loss(3 * margin + 1, hit), abs=2e-3)


@pytest.mark.parametrize("hit", [[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], []])
def test_nothing_to_tell_apart_is_refused(hit: list[float]) -> None:
    with pytest.raises(NotEnoughHitsError, match="to calibrate on"):
        fit_calibration(np.zeros(len(hit)), np.array(hit), np.ones(len(hit)), lot_hits=50)
