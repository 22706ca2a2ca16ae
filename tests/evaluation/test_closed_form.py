"""Closed-form intervals against the bootstrap, against scipy, and against how often they cover a known truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from chekara.evaluation.closed_form import closed_form
from chekara.evaluation.order import rank_outcomes
from chekara.evaluation.ranking import judge_ranking

SHARES = (0.05, 0.2)


def world(seed: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw a lot with two propensities: the riskier half three times as often."""
    rng = np.random.default_rng(seed)
    score = rng.normal(size=3 * n)
    hit = rng.random(3 * n) < 1 / (1 + np.exp(2.5 - 1.2 * score))
    propensity = np.where(score > 0, 0.5, 1 / 6)
    drawn = rng.random(3 * n) < propensity
    return hit[drawn].astype(np.float64), score[drawn], 1 / propensity[drawn]


def truth() -> tuple[float, float, list[float], list[float]]:
    rng = np.random.default_rng(99)
    score = rng.normal(size=1_000_000)
    whole = rank_outcomes(rng.random(1_000_000) < 1 / (1 + np.exp(2.5 - 1.2 * score)), score).statistics(shares=SHARES)
    return whole.base_rate, whole.auc, whole.precision.tolist(), whole.recall.tolist()


def test_an_unweighted_rate_is_wilsons() -> None:
    told = closed_form(rank_outcomes([1] * 7 + [0] * 93, np.arange(100)))
    expected = binomtest(7, 100).proportion_ci(0.95, method="wilson")
    assert told.base_rate == (pytest.approx(expected.low, abs=1e-9), pytest.approx(expected.high, abs=1e-9))


def test_they_are_as_wide_as_the_bootstraps() -> None:
    hit, score, weight = world(1, 3_000)
    told = closed_form(rank_outcomes(hit, score, weight=weight), SHARES)
    drawn = judge_ranking(hit, score, weight=weight, shares=SHARES, replicates=600)
    pairs = [(told.auc, drawn.auc.interval_95)]
    for place in range(len(SHARES)):
        pairs += [(told.precision[place], drawn.capacity[place].precision.interval_95)]
        pairs += [(told.recall[place], drawn.capacity[place].recall.interval_95)]
    for closed, boot in pairs:
        assert np.ptp(closed) == pytest.approx(np.ptp(boot), rel=0.2)
        np.testing.assert_allclose(closed, boot, atol=0.25 * np.ptp(boot))


def test_they_cover_the_truth_about_as_often_as_they_say() -> None:
    base_rate, auc, precision, recall = truth()
    covered = np.zeros(6)
    for seed in range(200):
        hit, score, weight = world(seed, 1_000)
        told = closed_form(rank_outcomes(hit, score, weight=weight), SHARES)
        pairs = [(told.base_rate, base_rate), (told.auc, auc)]
        pairs += list(zip((*told.precision, *told.recall), (*precision, *recall), strict=True))
        covered += [low <= value <= high for (low, high), value in pairs]
    assert (covered >= 0.90 * 200).all(), covered
    assert (covered <= 0.995 * 200).all(), covered


def test_what_does_not_exist_has_no_interval() -> None:
    nothing_found = closed_form(rank_outcomes([0, 0, 0], [1, 2, 3]))
    assert np.isnan(nothing_found.auc).all()
    assert np.isnan(nothing_found.recall).all()
    assert nothing_found.base_rate[0] == 0.0
    assert 0 < nothing_found.base_rate[1] < 1
    for low, high in closed_form(rank_outcomes([1, 1, 0, 0], [0, 0, 0, 0])).recall:
        assert 0 <= low <= high <= 1
