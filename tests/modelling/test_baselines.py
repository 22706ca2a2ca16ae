"""Baselines on worlds whose right answer is known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from chekara.evaluation.ranking import at_capacity, auc
from chekara.modelling.baselines import (
    best_single_column,
    chance,
    logistic_regression,
    score_baselines,
    tuple_lookup,
)
from chekara.modelling.judgement import judge_recipe
from tests.modelling.recipe_scores import made_scores, made_slice


def test_chance_is_chance_exactly() -> None:
    scores = made_scores(seed=1)
    baseline = chance(scores.train, scores.test)
    assert auc(scores.test.hit, baseline.score) == 0.5
    for row in at_capacity(scores.test.hit, baseline.score, replicates=1):
        assert row.recall.value == pytest.approx(row.share)
        assert row.precision.value == pytest.approx(scores.test.hit.mean())


def test_best_column_is_found_with_its_direction() -> None:
    scores = made_scores(seed=2)
    baseline = best_single_column(scores)
    assert baseline.title == "best column: price, lowest first"
    assert auc(scores.test.hit, baseline.score) == pytest.approx(1 - auc(scores.test.hit, scores.test.X[:, 1]))


def test_best_column_may_be_a_code_which_has_no_direction() -> None:
    rng = np.random.default_rng(3)

    def world(n: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        code = rng.integers(0, 8, n).astype(np.float64)
        hit = (rng.random(n) < np.where(np.isin(code, (1, 4, 6)), 0.8, 0.1)).astype(np.float64)
        return np.column_stack([code, rng.normal(size=n), rng.normal(size=n)]), hit

    scores = made_scores(seed=3, train=made_slice(*world(900)), test=made_slice(*world(400)))
    baseline = best_single_column(scores)
    assert baseline.title == "best column: post"
    assert auc(scores.test.hit, baseline.score) > 0.8


def test_high_cardinality_does_not_win_by_memory() -> None:
    """A code that is new in every line knows its own label in training and nothing later."""
    rng = np.random.default_rng(4)
    n = 1200
    price = rng.normal(size=n)
    hit = (rng.random(n) < 1 / (1 + np.exp(2 * price))).astype(np.float64)
    X = np.column_stack([np.arange(n), price, rng.normal(size=n)])
    scores = made_scores(seed=4, train=made_slice(X[:800], hit[:800]), test=made_slice(X[800:], hit[800:]))
    assert best_single_column(scores).title.startswith("best column: price")


def test_choice_never_looks_at_the_test_slice() -> None:
    scores = made_scores(seed=5)
    flipped = made_slice(scores.test.X, 1 - scores.test.hit)
    again = made_scores(seed=5, train=scores.train, test=flipped)
    for fit in (best_single_column, logistic_regression):
        np.testing.assert_array_equal(fit(scores).score, fit(again).score)


def test_missing_numbers_rank_lowest_in_either_direction() -> None:
    scores = made_scores(seed=6)
    X = scores.test.X.copy()
    X[:5, 1] = np.nan
    again = made_scores(seed=6, train=scores.train, test=made_slice(X, scores.test.hit))
    assert np.isneginf(best_single_column(again).score[:5]).all()


def test_logistic_regression_uses_what_single_columns_cannot() -> None:
    rng = np.random.default_rng(7)

    def world(n: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        X = np.column_stack([rng.integers(0, 3, n), rng.normal(size=n), rng.normal(size=n)]).astype(np.float64)
        hit = (rng.random(n) < 1 / (1 + np.exp(1.5 * X[:, 1] - 1.5 * X[:, 2] + 1))).astype(np.float64)
        X[rng.random(n) < 0.1, 2] = np.nan
        return X, hit

    scores = made_scores(seed=7, train=made_slice(*world(2000)), test=made_slice(*world(1000)))
    regression, column = logistic_regression(scores), best_single_column(scores)
    assert auc(scores.test.hit, regression.score) > auc(scores.test.hit, column.score) + 0.05
    assert ((regression.score > 0) & (regression.score < 1)).all()


def test_a_crossing_scores_as_its_highest_line() -> None:
    scores = made_scores(seed=8)
    X = np.vstack([scores.test.X[0], scores.test.X])
    crossing = np.concatenate([[3], np.arange(len(scores.test.hit))])
    again = made_scores(seed=8, train=scores.train, test=made_slice(X, scores.test.hit, crossing))
    single, joined = logistic_regression(scores).score, logistic_regression(again).score
    assert joined[3] == max(single[0], single[3])
    np.testing.assert_array_equal(np.delete(joined, 3), np.delete(single, 3))


def test_tuple_lookup_remembers_copies_and_knows_nothing_else() -> None:
    train = made_slice(np.zeros((6, 3)), np.array([1.0, 1, 0, 0, 1, 0]), keys=["a", "a", "b", "b", "c", "d"])
    test = made_slice(np.zeros((4, 3)), np.array([1.0, 0, 1, 0]), keys=["a", "b", "never seen", "d"])
    score = tuple_lookup(train, test).score
    assert score[0] > score[2] > score[1]
    assert score[2] == pytest.approx(0.5)


def test_tuple_lookup_appears_where_copies_were_left_in() -> None:
    keys = [str(j % 50) for j in range(800)]
    given = made_scores(seed=9, keys=keys)
    assert [b.scorer for b in score_baselines(given)] == [
        "chance",
        "best_column",
        "logistic_regression",
        "plain_lightgbm",
        "tuple_lookup",
    ]
    leak_free = made_scores(seed=9, keys=keys, protocol="leak_free")
    assert "tuple_lookup" not in {b.scorer for b in score_baselines(leak_free)}


def test_judgement_names_every_figure_and_judges_the_lot_apart() -> None:
    scores = made_scores(seed=10)
    inspected, lot = judge_recipe(scores, score_baselines(scores), seed=1, replicates=20)
    assert (inspected.part, lot.part) == ("inspected", "lot")
    assert lot.model.n_crossings == scores.is_random.sum() < inspected.model.n_crossings
    metrics = inspected.metrics()
    for scorer in ("model", "chance", "best_column", "logistic_regression"):
        assert f"as_given/inspected/{scorer}/auc" in metrics
    assert metrics["as_given/inspected/model/auc"] == pytest.approx(auc(scores.test.hit, scores.margin))
    drawn = scores.is_random
    weighted = auc(scores.test.hit[drawn], scores.margin[drawn], scores.test.weight[drawn])
    assert lot.metrics()["as_given/lot/model/auc"] == pytest.approx(weighted)


def test_a_small_lot_is_not_judged() -> None:
    scores = made_scores(seed=11, lot_share=0.01)
    assert [j.part for j in judge_recipe(scores, score_baselines(scores), seed=1, replicates=5)] == ["inspected"]
