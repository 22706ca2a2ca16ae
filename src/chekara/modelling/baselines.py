"""What a model must beat: chance, the best single column, logistic regression, plain boosting, a look-up of tuples.

Each baseline learns from the same goods lines as the model and scores the same later crossings; a crossing scores
as its highest line, as for the model. A model that does not beat the best single column has not earned its
complexity; one that only matches the tuple look-up has learned copies, not risk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OneHotEncoder
from threadpoolctl import threadpool_limits

from chekara.evaluation.ranking import auc
from chekara.modelling.fit import crossing_margins
from chekara.modelling.plain import CATBOOST_MOST_LINES, catboost, declared_matrix, has_catboost, plain_lightgbm
from chekara.modelling.recipe import RecipeScores, Slice

Floats = npt.NDArray[np.float64]
_MOST_LINES = 25_000  # a logistic regression learns nothing more from more of them, but takes minutes
_RANKS = 200
_CHOICE_SHARE = 0.3  # newest part of the training crossings, on which the best column is chosen
_SMOOTHING_LINES = 10.0  # how many lines the overall rate weighs as, in the rate of one code
_RAREST_CODE = 20  # goods lines; rarer codes share one column of the regression


@dataclass(frozen=True, slots=True)
class Baseline:
    """Scores of one baseline on the test slice.

    Attributes
    ----------
    scorer : str
        Stable name; prefixes metrics.
    title : str
        What a person reads; names the column chosen.
    score : ndarray of float64, shape (n_test_crossings,)
    is_probability : bool
        Whether the scores are probabilities.
    """

    scorer: str
    title: str
    score: Floats
    is_probability: bool = False


def score_baselines(scores: RecipeScores) -> tuple[Baseline, ...]:
    """Fit every baseline on the training slice and score the test slice.

    Parameters
    ----------
    scores : RecipeScores
        Of the recipe that the baselines are compared with.

    Returns
    -------
    tuple of Baseline
        Chance, best single column, logistic regression, plain LightGBM on declared columns and raw ids, CatBoost on
        the same where it is installed and the history is small, and the tuple look-up where a leaking tuple was
        found and its copies were left in.
    """
    found = [chance(scores.train, scores.test), best_single_column(scores), logistic_regression(scores)]
    found += plain_boosting(scores)
    if scores.train.tuple_key is not None and scores.protocol == "as_given":
        found.append(tuple_lookup(scores.train, scores.test))
    return tuple(found)


def chance(train: Slice, test: Slice) -> Baseline:
    """Score every crossing by the base rate of the training lines: ties in expectation make it chance exactly."""
    rate = float(np.average(train.item_label, weights=train.item_weight))
    return Baseline("chance", "chance", np.full(len(test.hit), rate), is_probability=True)


def best_single_column(scores: RecipeScores) -> Baseline:
    """Score by the one column that separates best, its direction included, chosen without the test slice.

    A number ranks by its value, upwards or downwards, missing lowest; a code ranks by its smoothed share of hits
    in earlier crossings. The choice is made on the newest part of the training slice.
    """
    train, test = scores.train, scores.test
    cut = int(len(train.hit) * (1 - _CHOICE_SHARE))
    is_earlier = train.crossing_of_item < cut
    later = np.arange(len(train.hit)) >= cut
    best, best_auc, best_sign = 0, -np.inf, 1.0
    X, crossing = train.X[~is_earlier], train.crossing_of_item[~is_earlier]
    for j, kind in enumerate(scores.feature_kinds):
        for sign in (1.0,) if kind == "category" else (1.0, -1.0):
            line_score = _column_score(train, is_earlier, j, kind, sign, X[:, j])
            crossing_score = crossing_margins(line_score, crossing, len(train.hit))
            reached = auc(train.hit[later], crossing_score[later])
            if reached > best_auc:
                best, best_auc, best_sign = j, reached, sign
    kind, name = scores.feature_kinds[best], scores.feature_names[best]
    everything = np.ones(len(train.item_label), dtype=np.bool_)
    line_score = _column_score(train, everything, best, kind, best_sign, test.X[:, best])
    title = f"best column: {name}" + ("" if best_sign > 0 else ", lowest first")
    return Baseline("best_column", title, crossing_margins(line_score, test.crossing_of_item, len(test.hit)))


def logistic_regression(scores: RecipeScores) -> Baseline:
    """Score by a plain logistic regression on the same columns: ranks of numbers, one column per code."""
    train, test = scores.train, scores.test
    rows, weight = _sampled(train)
    known, asked = _ranked_columns(train.X[rows], test.X, scores.feature_kinds)
    # One thread: sums of several come out in any order, and the last steps of the search would follow it.
    with threadpool_limits(limits=1, user_api="blas"):
        fitted = LogisticRegression(C=0.02, max_iter=300).fit(known, train.item_label[rows] > 0.5, sample_weight=weight)
        probability: Floats = fitted.predict_proba(asked)[:, 1]
    return Baseline(
        "logistic_regression",
        "logistic regression",
        crossing_margins(probability, test.crossing_of_item, len(test.hit)),
        is_probability=True,
    )


def plain_boosting(scores: RecipeScores) -> list[Baseline]:
    """Score by boosted trees over declared columns and raw ids: LightGBM, and CatBoost where it is installed."""
    train, test = scores.train, scores.test
    matrix = declared_matrix(scores.items, train.lines, test.lines)
    peers = [("plain_lightgbm", "plain LightGBM, raw ids", plain_lightgbm)]
    if has_catboost() and matrix.names and len(train.lines) <= CATBOOST_MOST_LINES:
        peers.append(("catboost", "CatBoost, raw ids", catboost))
    label = (train.item_label > 0.5).astype(np.float64)
    found = []
    for scorer, title, fit in peers:
        line_score = fit(matrix, label, train.item_weight)
        score = crossing_margins(line_score, test.crossing_of_item, len(test.hit))
        found.append(Baseline(scorer, title, score, is_probability=True))
    return found


def tuple_lookup(train: Slice, test: Slice) -> Baseline:
    """Score by the share of hits among earlier lines with the same leaking tuple; the base rate where it is new."""
    if train.tuple_key is None or test.tuple_key is None:
        rate = float(np.average(train.item_label, weights=train.item_weight))
        line_score = np.full(len(test.X), rate)
    else:
        line_score = _rate_by_value(train.tuple_key, train.item_label, train.item_weight, test.tuple_key)
    score = crossing_margins(line_score, test.crossing_of_item, len(test.hit))
    return Baseline("tuple_lookup", "tuple look-up", score, is_probability=True)


def _sampled(train: Slice) -> tuple[npt.NDArray[np.int64], Floats]:
    """Lines to fit on: all or, where they are very many, every hit and a sample of misses that stand for all."""
    hits, misses = np.flatnonzero(train.item_label > 0.5), np.flatnonzero(train.item_label <= 0.5)
    wanted = max(_MOST_LINES - len(hits), len(hits))
    if len(misses) <= wanted:
        return np.arange(len(train.item_label)), train.item_weight
    drawn = np.sort(np.random.default_rng(0).choice(misses, size=wanted, replace=False))
    rows = np.concatenate([hits, drawn])
    scale = np.concatenate([np.ones(len(hits)), np.full(wanted, len(misses) / wanted)])
    return rows, train.item_weight[rows] * scale


def _column_score(train: Slice, rows: npt.NDArray[np.bool_], j: int, kind: str, sign: float, values: Floats) -> Floats:
    if kind == "category":
        return _rate_by_value(train.X[rows, j], train.item_label[rows], train.item_weight[rows], values)
    return np.nan_to_num(sign * values, nan=-np.inf, posinf=np.inf, neginf=-np.inf)


def _rate_by_value(
    known: npt.NDArray[np.generic], label: Floats, weight: Floats, asked: npt.NDArray[np.generic]
) -> Floats:
    """Share of hits among lines with the same value, smoothed towards all; the overall share where it is new."""
    overall = float(np.average(label, weights=weight))
    values, inverse = np.unique(known, return_inverse=True)
    lines = np.bincount(inverse, weights=weight, minlength=len(values))
    hits = np.bincount(inverse, weights=weight * label, minlength=len(values))
    rates = (hits + _SMOOTHING_LINES * overall) / (lines + _SMOOTHING_LINES)
    place = np.minimum(np.searchsorted(values, asked), len(values) - 1)
    return np.where(values[place] == asked, rates[place], overall)


def _ranked_columns(train: Floats, asked: Floats, kinds: Sequence[str]) -> tuple[Floats, Floats]:
    """Lay columns out for a linear model: normal scores of numbers, whether one is missing, one column per code.

    Ranks instead of values: money and mass span seven decades, which a linear model cannot use as they are.
    """
    codes = [j for j, kind in enumerate(kinds) if kind == "category"]
    known: list[Floats] = []
    told: list[Floats] = []
    for j in (j for j, kind in enumerate(kinds) if kind != "category"):
        is_missing = np.isnan(train[:, j])
        scores = _normal_scores(train[~is_missing, j])
        known.append(scores(train[:, j]))
        told.append(scores(asked[:, j]))
        if is_missing.any():
            known.append(is_missing.astype(np.float64))
            told.append(np.isnan(asked[:, j]).astype(np.float64))
    spread = [float(column.std()) or 1.0 for column in known]
    known = [column / scale for column, scale in zip(known, spread, strict=True)]
    told = [column / scale for column, scale in zip(told, spread, strict=True)]
    if codes:
        coded = OneHotEncoder(min_frequency=_RAREST_CODE, handle_unknown="infrequent_if_exist", sparse_output=False)
        known.append(coded.fit_transform(train[:, codes]))
        told.append(coded.transform(asked[:, codes]))
    return np.column_stack(known), np.column_stack(told)


def _normal_scores(known: Floats) -> Callable[[Floats], Floats]:
    """Turn values into normal quantiles of their rank, in 200 steps; equal ones share a mean rank, missing is 0."""
    if not len(known):
        return np.zeros_like
    knots = np.quantile(known, (np.arange(_RANKS) + 0.5) / _RANKS, method="lower")
    quantiles = norm.ppf((np.arange(2 * _RANKS + 1) + 0.5) / (2 * _RANKS + 1))

    def scores(values: Floats) -> Floats:
        place = np.searchsorted(knots, values, side="left") + np.searchsorted(knots, values, side="right")
        return np.where(np.isnan(values), 0.0, quantiles[place])

    return scores
