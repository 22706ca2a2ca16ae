"""From labelled crossings to a booster over goods lines.

Outcomes are known of crossings, lines are scored. A hit in a named line makes that line positive, and says nothing of
its neighbours. A hit of a whole crossing with several lines is shared by them (weight 1 / n). A miss clears every line.
To let the line that a first fit finds worst carry the whole hit (multiple-instance learning, Andrews, Tsochantaridis
and Hofmann 2002) was measured and ranked worse (``docs/modelling.md``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Parameters: TypeAlias = Mapping[str, float | int | str | bool]

LINES_TO_BIN = 20_000
"""Lines whose values make the bins of a column: with 63 bins more of them move no edge that matters."""


@dataclass(frozen=True, slots=True)
class ItemLabels:
    """What a learner is told of each goods line.

    Attributes
    ----------
    label : ndarray of shape (n_items,)
        1.0 or 0.0.
    weight : ndarray of shape (n_items,)
        0.0 where nothing is known.
    """

    label: Floats
    weight: Floats


def label_items(hit: Floats, hit_item_no: Floats, crossing_of_item: Ints, item_no: Ints) -> ItemLabels:
    """Spread outcomes of crossings over their lines.

    Parameters
    ----------
    hit : ndarray of shape (n_crossings,)
        1.0, 0.0, or NaN where unknown.
    hit_item_no : ndarray of shape (n_crossings,)
        Line that the hit was in; NaN for the whole crossing. A number that no line has counts as the whole.
    crossing_of_item, item_no : ndarray of shape (n_items,)

    Returns
    -------
    ItemLabels

    Examples
    --------
    >>> labels = label_items(np.array([1.0, 0.0]), np.array([np.nan, np.nan]), np.array([0, 0, 1]), np.array([1, 2, 1]))
    >>> labels.weight.tolist(), labels.label.tolist()
    ([0.5, 0.5, 1.0], [1.0, 1.0, 0.0])
    """
    outcome = hit[crossing_of_item]
    is_named = item_no == hit_item_no[crossing_of_item]
    has_named = np.bincount(crossing_of_item, weights=is_named, minlength=len(hit))[crossing_of_item] > 0
    n_lines = np.bincount(crossing_of_item, minlength=len(hit))[crossing_of_item]
    weight = np.where(np.isnan(outcome), 0.0, 1.0)
    positive = outcome == 1.0
    weight[positive & has_named & ~is_named] = 0.0
    of_whole = positive & ~has_named
    weight[of_whole] = 1.0 / n_lines[of_whole]
    return ItemLabels(positive.astype(np.float64), weight)


def crossing_margins(item_margins: Floats, crossing_of_item: Ints, n_crossings: int) -> Floats:
    """Take the highest line's margin.

    Parameters
    ----------
    item_margins, crossing_of_item : ndarray of shape (n_items,)
    n_crossings : int

    Returns
    -------
    ndarray of shape (n_crossings,)
        -inf for a crossing without lines here.

    Examples
    --------
    >>> crossing_margins(np.array([-2.0, 1.0, 0.5]), np.array([0, 0, 1]), 2).tolist()
    [1.0, 0.5]
    """
    highest = np.full(n_crossings, -np.inf)
    np.maximum.at(highest, crossing_of_item, item_margins)
    return highest


def fit_booster(
    X: Floats,
    labels: ItemLabels,
    *,
    names: Sequence[str],
    categorical: Sequence[int],
    parameters: Parameters,
    rounds: int,
    seed: int,
    monotone: Sequence[int] = (),
    num_threads: int = 1,
) -> lgb.Booster:
    """Fit a booster.

    Parameters
    ----------
    X : ndarray of shape (n_items, k)
    labels : ItemLabels
        Lines of weight 0 are left out.
    names : sequence of str
        Columns of ``X``.
    categorical : sequence of int
        Positions of columns that hold codes.
    parameters : mapping
        LightGBM's own, from the spec.
    rounds : int
        Trees.
    seed : int
    monotone : sequence of int
        Per column: 1 where the margin only rises with it, -1 where it only falls, 0 where it may do both, which is
        what it may where nothing is given.
    num_threads : int
        The same trees come out for every number.

    Returns
    -------
    lightgbm.Booster
    """
    used = np.flatnonzero(labels.weight > 0)
    chosen: dict[str, Any] = dict(parameters) | {"seed": seed, "num_threads": num_threads, "verbose": -1}
    if any(monotone):
        chosen["monotone_constraints"] = list(monotone)
    columns: dict[str, Any] = {"feature_name": list(names), "categorical_feature": list(categorical)}
    X_used = X if len(used) == len(X) else X[used]  # a matrix can be large: no copy without need
    chosen, bins = _choose_bins(X_used, chosen, columns, seed)
    told = lgb.Dataset(
        X_used, labels.label[used], weight=labels.weight[used], reference=bins, params={"verbose": -1}, **columns
    )
    return lgb.train(chosen, told, num_boost_round=rounds)


def _choose_bins(
    X: Floats, parameters: dict[str, Any], columns: Mapping[str, Any], seed: int
) -> tuple[dict[str, Any], lgb.Dataset | None]:
    """Choose the lines whose values make bins, and bin them where they are not all.

    Left alone, LightGBM would draw a sample that could overlook the few missing values of a column, and would read
    them as 0 ever after.
    """
    if len(X) <= LINES_TO_BIN:
        return parameters | {"bin_construct_sample_cnt": max(len(X), 1)}, None
    drawn = np.random.default_rng(seed).choice(len(X), size=LINES_TO_BIN, replace=False)
    is_missing = np.isnan(X)
    first_missing = is_missing.argmax(axis=0)[is_missing.any(axis=0)]
    lines = np.unique(np.concatenate([drawn, first_missing]))
    # A column that is nearly constant in the sample need not be so in all lines.
    chosen = parameters | {"bin_construct_sample_cnt": len(lines), "feature_pre_filter": False}
    return chosen, lgb.Dataset(X[lines], params=chosen, **columns).construct()
