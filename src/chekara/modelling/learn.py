"""One fit of the recipe: encodings and booster from the same part of history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from chekara.data.leakage import first_of_tuple, unseen_tuple
from chekara.features.build import FeatureTable
from chekara.modelling.dataset import Dataset
from chekara.modelling.encode import Encoder, fit_codes, fit_stand_in
from chekara.modelling.fit import ItemLabels, crossing_margins, fit_booster, label_items
from chekara.modelling.spec import ModelSpec

Floats: TypeAlias = npt.NDArray[np.float64]
Mask: TypeAlias = npt.NDArray[np.bool_]

MISSES_TO_LEARN = 50_000
"""Goods lines without a find that one fit learns from at most: beyond, hits are what is scarce, and time is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What one fit made, and what it was made from.

    Attributes
    ----------
    encoder : Encoder
    booster : lightgbm.Booster
    X : ndarray of shape (n_used, k)
        Matrix that was fitted on.
    lines : ndarray of shape (n_used,), int64
        Positions in ``dataset.items`` of its rows.
    labels : ItemLabels
        Of its rows.
    """

    encoder: Encoder
    booster: lgb.Booster
    X: Floats
    lines: npt.NDArray[np.int64]
    labels: ItemLabels


def learn(dataset: Dataset, spec: ModelSpec, fit: Mask, visible: Mask, rounds: int, seed: int) -> Learned:
    """Fit the recipe on a part of history.

    Parameters
    ----------
    dataset : Dataset
    spec : ModelSpec
    fit : ndarray of bool, shape (n_crossings,)
        Crossings whose outcome may teach.
    visible : ndarray of bool, shape (n_crossings,)
        Crossings that were known, inspected or not: they tell which categories exist.
    rounds, seed : int

    Returns
    -------
    Learned
    """
    told = np.where(fit, dataset.hit, np.nan)
    labels = label_items(told, dataset.hit_item_no, dataset.crossing_of_item, dataset.item_no)
    used = labels.weight > 0
    if dataset.protocol == "leak_free" and dataset.tuple_key is not None:
        used[used] = first_of_tuple(dataset.tuple_key[used])
    labels = draw_misses(labels, used, seed)
    lines = np.flatnonzero(labels.weight > 0)
    labels = ItemLabels(labels.label[lines], labels.weight[lines])
    seen = np.flatnonzero(visible[dataset.crossing_of_item] | used)
    table = dataset.table.take(lines)
    encoder = _fit_encoder(dataset, spec, seen, np.isin(seen, lines, assume_unique=True), table)
    X = encoder.encode(table)
    booster = fit_booster(
        X,
        labels,
        names=encoder.names,
        categorical=encoder.categorical,
        monotone=[spec.monotone.get(name, 0) for name in encoder.names],
        parameters=spec.lightgbm,
        rounds=rounds,
        seed=seed,
    )
    return Learned(encoder=encoder, booster=booster, X=X, lines=lines, labels=labels)


def draw_misses(labels: ItemLabels, used: Mask, seed: int) -> ItemLabels:
    """Leave out what is not used, and all but `MISSES_TO_LEARN` lines without a find, which then stand for the others.

    Weights make up for what is left out, so that log-odds stay those of all lines.

    Parameters
    ----------
    labels : ItemLabels
    used : ndarray of bool, shape (n_items,)
    seed : int

    Returns
    -------
    ItemLabels
        Weight 0 where a line is left out.

    Examples
    --------
    >>> drawn = draw_misses(ItemLabels(np.array([1.0, 0.0]), np.ones(2)), np.array([True, True]), seed=1)
    >>> drawn.weight.tolist()
    [1.0, 1.0]
    """
    weight = np.where(used, labels.weight, 0.0)
    misses = np.flatnonzero((weight > 0) & (labels.label == 0))
    if len(misses) > MISSES_TO_LEARN:
        kept = np.random.default_rng(seed).choice(misses, size=MISSES_TO_LEARN, replace=False)
        standing_for = weight[misses].sum() / weight[kept].sum()
        kept_weight = weight[kept] * standing_for
        weight[misses] = 0.0
        weight[kept] = kept_weight
    return ItemLabels(labels.label, weight)


def margins_of(learned: Learned, dataset: Dataset, crossings: Mask) -> Floats:
    """Score some crossings: each has its highest line's margin.

    Parameters
    ----------
    learned : Learned
    dataset : Dataset
    crossings : ndarray of bool, shape (n_crossings,)

    Returns
    -------
    ndarray of shape (crossings.sum(),)
    """
    return margins_by_rounds(learned, dataset, crossings, (learned.booster.num_trees(),))[0]


def margins_by_rounds(learned: Learned, dataset: Dataset, crossings: Mask, rounds: Sequence[int]) -> tuple[Floats, ...]:
    """Score some crossings as a fit of fewer trees would have.

    Parameters
    ----------
    learned : Learned
    dataset : Dataset
    crossings : ndarray of bool, shape (n_crossings,)
    rounds : sequence of int
        Numbers of trees to use.

    Returns
    -------
    tuple of ndarray of shape (crossings.sum(),)
        One per number of trees.
    """
    X, index = matrix_of(learned, dataset, crossings)
    margins = (learned.booster.predict(X, raw_score=True, num_iteration=n, num_threads=1) for n in rounds)
    return tuple(crossing_margins(np.asarray(m, dtype=np.float64), index, int(crossings.sum())) for m in margins)


def matrix_of(learned: Learned, dataset: Dataset, crossings: Mask) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Encode the lines of some crossings.

    Parameters
    ----------
    learned : Learned
    dataset : Dataset
    crossings : ndarray of bool, shape (n_crossings,)

    Returns
    -------
    X : ndarray of shape (n_lines, k)
    crossing_of_line : ndarray of shape (n_lines,), int64
        Position of each line's crossing among those chosen.
    """
    lines = np.flatnonzero(crossings[dataset.crossing_of_item])
    place = np.cumsum(crossings) - 1
    X = learned.encoder.encode(dataset.table.take(lines))
    return X, place[dataset.crossing_of_item[lines]]


def judgeable(dataset: Dataset, learned_lines: npt.NDArray[np.int64], crossings: Mask) -> Mask:
    """Keep crossings that may be judged: under the leak-free protocol only those with no line copied from training.

    Parameters
    ----------
    dataset : Dataset
    learned_lines : ndarray of int64
        Lines that were fitted on.
    crossings : ndarray of bool, shape (n_crossings,)

    Returns
    -------
    ndarray of bool, shape (n_crossings,)
    """
    if dataset.protocol != "leak_free" or dataset.tuple_key is None:
        return crossings
    is_copy = ~unseen_tuple(dataset.tuple_key, dataset.tuple_key[learned_lines])
    has_copy = np.bincount(dataset.crossing_of_item, weights=is_copy, minlength=dataset.n_crossings) > 0
    return crossings & ~has_copy


def _fit_encoder(
    dataset: Dataset, spec: ModelSpec, seen: npt.NDArray[np.int64], is_labelled: Mask, table: FeatureTable
) -> Encoder:
    """Fit codes on the lines seen, and what stands in for a missing number on the table of those that teach."""
    choice, values, names = spec.encoding, dataset.table.values, dataset.table.names
    codes = {n: fit_codes(values[n][seen], is_labelled, choice.minimum_count) for n in choice.codes if n in names}
    numbers = [name for name in names if name not in codes]
    found = {name: fit_stand_in(table.values[name], choice.minimum_count) for name in numbers}
    return Encoder(names=names, codes=codes, stand_ins={n: value for n, value in found.items() if value is not None})
