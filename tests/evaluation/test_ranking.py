"""Ranking figures against brute force over tied orders, and against scikit-learn."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from chekara.errors import TrainingError
from chekara.evaluation.order import curves_of, rank_outcomes
from chekara.evaluation.ranking import at_capacity, auc, average_precision, judge_ranking

few_scores = st.sampled_from([0.0, 1.0, 2.0])
outcome = st.tuples(st.booleans(), few_scores, st.floats(0, 100))


def mean_over_tied_orders(hits: np.ndarray, scores: np.ndarray, amounts: np.ndarray, k: int) -> tuple[float, float]:
    """Hits and amount among the first k, averaged over every order that respects the scores."""
    found, taken = [], []
    for order in permutations(range(len(hits))):
        ranked = scores[list(order)]
        if (np.diff(ranked) > 0).any():
            continue
        first = list(order)[:k]
        found.append(hits[first].sum())
        taken.append(amounts[first].sum())
    return float(np.mean(found)), float(np.mean(taken))


@settings(max_examples=60)
@given(st.lists(outcome, min_size=1, max_size=6), st.data())
def test_ties_are_the_mean_over_every_order(rows: list[tuple[bool, float, float]], data: Any) -> None:
    hits, scores, amounts = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    k = data.draw(st.integers(1, len(rows)))
    found, taken = mean_over_tied_orders(hits, scores, amounts, k)
    row = at_capacity(hits, scores, shares=(k / len(rows),), amount=amounts, replicates=1)[0]
    assert row.found == pytest.approx(found)
    assert row.precision.value == pytest.approx(found / k)
    assert row.amount is not None
    assert row.amount.value == pytest.approx(taken)
    if hits.any():
        assert row.recall.value == pytest.approx(found / hits.sum())
        assert row.lift.value == pytest.approx(found / k / hits.mean())
    else:
        assert np.isnan(row.recall.value)


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.booleans(), few_scores, st.floats(0.1, 10)), min_size=2, max_size=60).filter(
        lambda rows: 0 < sum(row[0] for row in rows) < len(rows)
    )
)
def test_areas_equal_scikit_learn(rows: list[tuple[bool, float, float]]) -> None:
    hits, scores, weights = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    assert auc(hits, scores) == pytest.approx(roc_auc_score(hits, scores))
    assert auc(hits, scores, weights) == pytest.approx(roc_auc_score(hits, scores, sample_weight=weights))
    assert average_precision(hits, scores) == pytest.approx(average_precision_score(hits, scores))
    assert average_precision(hits, scores, weights) == pytest.approx(
        average_precision_score(hits, scores, sample_weight=weights)
    )


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
def test_a_weight_is_a_number_of_copies(rows: list[tuple[bool, int, int]]) -> None:
    hits, scores, copies = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    if copies.sum() == 0:
        return
    weighted = rank_outcomes(hits, scores, weight=copies).statistics()
    repeated = rank_outcomes(np.repeat(hits, copies), np.repeat(scores, copies)).statistics()
    np.testing.assert_allclose(weighted.found, repeated.found)
    np.testing.assert_allclose(weighted.precision, repeated.precision)
    np.testing.assert_allclose([weighted.auc], [repeated.auc])


@given(
    st.lists(
        st.tuples(st.booleans(), few_scores, st.sampled_from([0.5, 1.0, 3.0]), st.sampled_from([0.0, 7.0])),
        min_size=1,
        max_size=40,
    ),
    st.booleans(),
)
def test_crossings_that_no_figure_tells_apart_may_be_put_together(rows: list[Any], has_amounts: bool) -> None:
    hits, scores, weights, amounts = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    whole = rank_outcomes(hits, scores, amount=amounts if has_amounts else None, weight=weights)
    condensed, size = whole.condensed()
    assert size.sum() == len(rows)
    shares = (0.05, 0.3, 0.77, 1.0)
    told, expected = condensed.statistics(condensed.weight * size, shares), whole.statistics(shares=shares)
    for name in ("found", "precision", "recall", "lift", "auc", "average_precision", "crossings", "amount_recall"):
        if getattr(expected, name) is not None:
            np.testing.assert_allclose(getattr(told, name), getattr(expected, name), err_msg=name)


def test_replicates_cost_what_the_hits_cost() -> None:
    rng = np.random.default_rng(4)
    hits = rng.random(100_000) < 0.002
    condensed, size = rank_outcomes(hits, rng.random(100_000)).condensed()
    assert len(condensed.hit) == len(size) <= 2 * hits.sum() + 1


def test_a_constant_score_is_chance() -> None:
    hits = np.array([1, 0, 0, 1, 0, 0, 0, 0, 0, 0])
    quality = judge_ranking(hits, np.zeros(10), shares=(0.01, 0.3))
    assert quality.auc.value == 0.5
    for row in quality.capacity:
        assert row.precision.value == pytest.approx(0.2)
        assert row.recall.value == pytest.approx(row.share)
        assert row.lift.value == pytest.approx(1.0)
        assert row.amount is None


def test_order_of_the_rows_and_of_the_amounts_does_not_matter() -> None:
    rng = np.random.default_rng(3)
    hits, scores, amounts = rng.random(200) < 0.3, rng.integers(0, 9, 200), rng.lognormal(size=200)
    shuffled = rng.permutation(200)
    one = rank_outcomes(hits, scores, amount=amounts).statistics()
    other = rank_outcomes(hits[shuffled], scores[shuffled], amount=amounts[shuffled]).statistics()
    np.testing.assert_allclose(one.found, other.found)
    assert one.amount_recall is not None
    assert other.amount_recall is not None
    np.testing.assert_allclose(one.amount_recall, other.amount_recall)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    """Ninety per cent intervals of a known AUC and precision cover them in 80 to 97 of 100 samples."""
    covered_auc = covered_precision = 0
    truth = np.random.default_rng(0)
    z = truth.normal(size=400_000)
    y = truth.random(400_000) < 1 / (1 + np.exp(2 - z))
    known = judge_ranking(y, z, shares=(0.1,), replicates=1)
    for sample in range(100):
        rng = np.random.default_rng(1000 + sample)
        rows = rng.integers(0, len(z), 800)
        quality = judge_ranking(y[rows], z[rows], shares=(0.1,), replicates=150, seed=sample)
        low, high = quality.auc.interval_90
        covered_auc += low <= known.auc.value <= high
        low, high = quality.capacity[0].precision.interval_90
        covered_precision += low <= known.capacity[0].precision.value <= high
        assert quality.auc.interval_95[0] <= quality.auc.interval_90[0] <= quality.auc.interval_90[1]
    assert 80 <= covered_auc <= 97
    assert 80 <= covered_precision <= 97


def test_same_seed_same_intervals() -> None:
    rng = np.random.default_rng(1)
    hits, scores = rng.random(300) < 0.2, rng.random(300)
    assert judge_ranking(hits, scores, seed=4) == judge_ranking(hits, scores, seed=4)
    assert judge_ranking(hits, scores, seed=4) != judge_ranking(hits, scores, seed=5)


def test_figures_that_do_not_exist_are_nan_and_not_an_error() -> None:
    quality = judge_ranking([0, 0, 0], [1.0, 2.0, 3.0])
    assert np.isnan(quality.auc.value)
    assert np.isnan(quality.average_precision.value)
    assert quality.capacity[0].precision.value == 0.0
    assert np.isnan(quality.capacity[0].recall.interval_90[0])


def test_curves_run_from_nothing_to_everything() -> None:
    curves = curves_of(rank_outcomes([1, 0, 1, 0], [3.0, 2.0, 2.0, 1.0]))
    np.testing.assert_allclose(curves.inspected_share, [0, 0.25, 0.75, 1])
    np.testing.assert_allclose(curves.recall, [0, 0.5, 1, 1])
    np.testing.assert_allclose(curves.precision, [1, 1, 2 / 3, 0.5])


@pytest.mark.parametrize(
    ("arrays", "where"),
    [
        ({"hit": [], "score": []}, "hit"),
        ({"hit": [1, 0], "score": [1.0]}, "score"),
        ({"hit": [1, 0], "score": [np.nan, 1.0]}, "score"),
        ({"hit": [np.nan, 0], "score": [0.5, 1.0]}, "hit"),
        ({"hit": [1, 0], "score": [0.5, 1.0], "weight": [-1, 2]}, "weight"),
        ({"hit": [1, 0], "score": [0.5, 1.0], "weight": [0, 0]}, "weight"),
        ({"hit": [1, 0], "score": [0.5, 1.0], "amount": [3.0]}, "amount"),
        ({"hit": [[1, 0]], "score": [[0.5, 1.0]]}, "hit"),
        ({"hit": [1, 0], "score": [0.5, 1.0], "shares": (0.0,)}, "shares"),
        ({"hit": [1, 0], "score": [0.5, 1.0], "shares": (1.5,)}, "shares"),
    ],
)
def test_arrays_that_cannot_be_judged_are_refused_by_name(arrays: dict[str, Any], where: str) -> None:
    with pytest.raises(TrainingError) as refused:
        at_capacity(**arrays)
    assert refused.value.where == where
