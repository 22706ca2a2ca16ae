"""Brier, Wilson and reliability against scikit-learn, scipy and formulas."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss

from chekara.errors import TrainingError
from chekara.evaluation.calibration import (
    brier_loss,
    brier_skill_score,
    reliability,
    reliability_line,
    wilson_interval,
)

probability = st.floats(0, 1)


@given(st.lists(st.tuples(st.booleans(), probability), min_size=1, max_size=50))
def test_brier_equals_scikit_learn(rows: list[tuple[bool, float]]) -> None:
    hits, said = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    assert brier_loss(hits, said) == pytest.approx(brier_score_loss(hits, said, pos_label=1, labels=[0, 1]))


def test_skill_is_zero_for_the_base_rate_and_one_for_the_truth() -> None:
    hits = np.array([1, 0, 0, 0])
    assert brier_skill_score(hits, np.full(4, 0.25)) == pytest.approx(0.0)
    assert brier_skill_score(hits, hits) == pytest.approx(1.0)
    assert brier_skill_score(hits, 1 - hits) < 0
    assert np.isnan(brier_skill_score([0, 0], [0.1, 0.2]))


@given(st.integers(0, 60), st.integers(0, 60))
def test_wilson_equals_scipy(hits: int, misses: int) -> None:
    n = hits + misses
    low, high = wilson_interval(hits, n)
    if n == 0:
        assert (low, high) == (0.0, 1.0)
        return
    expected = binomtest(hits, n).proportion_ci(0.90, method="wilson")
    assert (low, high) == (pytest.approx(expected.low, abs=1e-12), pytest.approx(expected.high, abs=1e-12))
    assert low <= hits / n <= high


@given(st.lists(st.tuples(st.booleans(), probability), min_size=1, max_size=80), st.integers(1, 12))
def test_bins_partition_the_crossings(rows: list[tuple[bool, float]], bins: int) -> None:
    hits, said = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    found = reliability(hits, said, bins=bins)
    counts = np.array([b.crossings for b in found.bins])
    assert counts.sum() == len(rows)
    assert len(found.bins) <= bins
    assert counts @ [b.hit_rate for b in found.bins] == pytest.approx(hits.sum())
    assert counts @ [b.mean_probability for b in found.bins] == pytest.approx(said.sum())
    means = [b.mean_probability for b in found.bins]
    assert means == sorted(means)
    assert all(b.interval_90[0] <= b.hit_rate <= b.interval_90[1] for b in found.bins)


def test_equal_probabilities_share_a_bin() -> None:
    found = reliability([1, 0, 1, 0, 1, 1], [0.2, 0.2, 0.2, 0.2, 0.2, 0.9], bins=3)
    assert [b.crossings for b in found.bins] == [5, 1]


def test_slope_and_intercept_equal_an_unpenalised_regression() -> None:
    rng = np.random.default_rng(2)
    margin = rng.normal(size=4_000)
    said = 1 / (1 + np.exp(-2 * margin))
    hits = rng.random(4_000) < 1 / (1 + np.exp(-(margin - 0.5)))
    found = reliability(hits, said)
    fitted = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(np.log(said / (1 - said))[:, None], hits)
    assert found.slope == pytest.approx(fitted.coef_[0, 0], abs=1e-4)
    assert found.intercept == pytest.approx(fitted.intercept_[0], abs=1e-4)
    assert 0.4 < found.slope < 0.6  # said was twice as sure as it should have been
    assert found.mean_probability == pytest.approx(said.mean())


def test_slope_that_does_not_exist_is_nan() -> None:
    assert np.isnan(reliability([1, 0], [0.3, 0.3]).slope)
    assert np.isnan(reliability([0, 0, 0], [0.1, 0.2, 0.3]).slope)
    assert np.isnan(reliability([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]).slope)


def test_a_weight_is_a_number_of_copies() -> None:
    hits, said, copies = np.array([1, 0, 1, 0]), np.array([0.8, 0.3, 0.4, 0.6]), np.array([1, 3, 2, 4])
    weighted = reliability(hits, said, weight=copies, bins=1)
    repeated = reliability(np.repeat(hits, copies), np.repeat(said, copies), bins=1)
    assert weighted.slope == pytest.approx(repeated.slope)
    assert weighted.hit_rate == pytest.approx(repeated.hit_rate)
    assert brier_loss(hits, said, copies) == pytest.approx(brier_loss(np.repeat(hits, copies), np.repeat(said, copies)))


@pytest.mark.parametrize("said", [[0.5], [1.5, 0.2], [np.nan, 0.2], []])
def test_probabilities_that_are_none_are_refused(said: list[float]) -> None:
    with pytest.raises(TrainingError):
        brier_loss([1, 0], said)
    with pytest.raises(TrainingError):
        reliability([1, 0], said)


def _world(seed: int, slope: float, intercept: float, n: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    logit = rng.normal(-1.5, 1.2, n)
    happened = rng.random(n) < 1 / (1 + np.exp(-intercept - slope * logit))
    return happened, 1 / (1 + np.exp(-logit))


@pytest.mark.parametrize(("slope", "intercept"), [(1.0, 0.0), (1.4, 0.3), (0.6, -0.2)])
def test_the_reliability_line_is_scikit_learns_and_its_bounds_hold_in_95_of_100_worlds(
    slope: float, intercept: float
) -> None:
    happened, said = _world(0, slope, intercept)
    line = reliability_line(happened, said)
    assert line is not None
    oracle = LogisticRegression(C=np.inf, tol=1e-10).fit(np.log(said / (1 - said))[:, None], happened)
    assert line.slope == pytest.approx(oracle.coef_[0, 0], abs=1e-4)
    assert line.intercept == pytest.approx(oracle.intercept_[0], abs=1e-4)
    lines = [one for one in (reliability_line(*_world(seed, slope, intercept)) for seed in range(200)) if one]
    assert 182 <= sum(one.slope_95[0] <= slope <= one.slope_95[1] for one in lines) <= 198
    assert 182 <= sum(one.intercept_95[0] <= intercept <= one.intercept_95[1] for one in lines) <= 198


def test_few_hits_make_no_line() -> None:
    happened, said = _world(0, 1.0, 0.0)
    rare = happened & (np.cumsum(happened) <= 199)
    assert reliability_line(rare, said) is None
    assert reliability_line(happened & (np.cumsum(happened) <= 200), said) is not None
    assert reliability_line(np.arange(600) < 300, np.where(np.arange(600) < 300, 0.9, 0.1)) is None, "separated"
