"""Raw values to integer codes, once per row, so that every kind of split becomes one cheap test on a code.

A model looks at a feature only through its splits, so between two neighbouring edges (thresholds, borders of a
category, of the zero band) all values are alike: they form a *cell*. A split is then a set of cells that go left.
The set is worked out by LightGBM's own rule on one representative of each cell, so numeric, categorical and missing
rules need no further thought: NaN is simply a cell of its own. Codes number the cells so that nearly all sets are
runs ``low <= code <= low + span``; what is not a run (most categorical splits) is looked up in a bit set.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chekara.explain.trees import (
    MISSING_ZERO,
    ZERO_BAND,
    Forest,
    category_goes_left,
    numeric_goes_left,
)

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

NAN_CODE = 0
_BITS = 64
_SPLITS_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Codebook:
    """How values become codes, and which codes go left at each split.

    Attributes
    ----------
    edges : ndarray of float64
        Upper ends of the cells of all features, ascending within a feature; a cell holds its upper end. The last
        cell of a feature has none.
    edge_start : ndarray of int64, shape (k + 1,)
        Where the edges of a feature begin; its cells begin at ``edge_start[f] + f``.
    code_of_cell : ndarray of int32
        Code of each cell. NaN has code 0.
    low, span : ndarray of int32, shape (n_splits,)
        A code goes left where ``low <= code <= low + span``.
    word_start : ndarray of int32, shape (n_splits,)
        Where the bit set of a split begins, or -1 for a run.
    words : ndarray of uint64
        Bit sets: bit ``c % 64`` of word ``c // 64`` says whether code c goes left.
    """

    edges: Floats
    edge_start: npt.NDArray[np.int64]
    code_of_cell: npt.NDArray[np.int32]
    low: npt.NDArray[np.int32]
    span: npt.NDArray[np.int32]
    word_start: npt.NDArray[np.int32]
    words: npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class _Splits:
    """All splits of a forest in one row of arrays, tree after tree."""

    feature: npt.NDArray[np.int64]
    threshold: Floats
    missing: npt.NDArray[np.int64]
    default_left: Flags
    is_categorical: Flags
    categories: list[npt.NDArray[np.int64]]


def build_codebook(forest: Forest) -> Codebook:
    """Work out the cells of every feature and the left set of every split."""
    splits = _all_splits(forest)
    n_splits = len(splits.feature)
    low, span = np.zeros(n_splits, dtype=np.int32), np.zeros(n_splits, dtype=np.int32)
    word_start = np.full(n_splits, -1, dtype=np.int32)
    words: list[npt.NDArray[np.uint64]] = []
    n_words = 0
    edges, codes = [], []
    for feature in range(forest.n_features):
        mine = np.flatnonzero(splits.feature == feature)
        own_edges, order = _cells(splits, mine)
        edges.append(own_edges)
        codes.append(_inverse(order) + NAN_CODE + 1)
        representatives = np.concatenate([[np.nan], np.append(own_edges, np.inf)[order]])
        for start in range(0, len(mine), _SPLITS_AT_ONCE):
            batch = mine[start : start + _SPLITS_AT_ONCE]
            for split, is_left in zip(batch, _left_sets(splits, batch, representatives), strict=True):
                run = _as_run(is_left)
                if run is None:
                    packed = _packed(is_left)
                    word_start[split] = n_words
                    words.append(packed)
                    n_words += len(packed)
                else:
                    low[split], span[split] = run
    return Codebook(
        edges=np.concatenate([*edges, np.zeros(0)]),
        edge_start=np.cumsum([0, *map(len, edges)]).astype(np.int64),
        code_of_cell=np.concatenate([*codes, np.zeros(0, dtype=np.int64)]).astype(np.int32),
        low=low,
        span=span,
        word_start=word_start,
        words=np.concatenate([*words, np.zeros(1, dtype=np.uint64)]),
    )


def _all_splits(forest: Forest) -> _Splits:
    trees = forest.trees
    nothing = np.zeros(0)
    categories = [
        tree.categories[int(tree.threshold[i])] if tree.is_categorical[i] else nothing.astype(np.int64)
        for tree in trees
        for i in range(tree.n_splits)
    ]
    return _Splits(
        feature=np.concatenate([nothing, *(t.feature for t in trees)]).astype(np.int64),
        threshold=np.concatenate([nothing, *(t.threshold for t in trees)]),
        missing=np.concatenate([nothing, *(t.missing for t in trees)]).astype(np.int64),
        default_left=np.concatenate([nothing, *(t.default_left for t in trees)]).astype(np.bool_),
        is_categorical=np.concatenate([nothing, *(t.is_categorical for t in trees)]).astype(np.bool_),
        categories=categories,
    )


def _cells(splits: _Splits, mine: npt.NDArray[np.int64]) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Edges of one feature's cells, and the order in which the cells are numbered.

    The cells of the zero band come first where zero is missing: then the cells that go left are a run whichever
    way missing values go.
    """
    is_categorical = splits.is_categorical[mine]
    edges = [splits.threshold[mine[~is_categorical]]]
    # A category c holds the values that are cut to it: [c, c + 1), and (-1, 1) for 0.
    codes = np.unique(np.concatenate([np.zeros(0), *(splits.categories[i] for i in mine[is_categorical])]))
    edges.append(np.where(codes == 0, -1.0, np.nextafter(codes, -np.inf)))
    edges.append(np.nextafter(codes + 1.0, -np.inf))
    zero_is_missing = splits.missing[mine[~is_categorical]] == MISSING_ZERO
    if zero_is_missing.any():
        edges.append(np.array([np.nextafter(-ZERO_BAND, -np.inf), ZERO_BAND]))
    unique = np.unique(np.concatenate(edges))
    if not zero_is_missing.any():
        return unique, np.arange(len(unique) + 1)
    in_band = np.append((unique >= -ZERO_BAND) & (unique <= ZERO_BAND), False)
    return unique, np.argsort(~in_band, kind="stable")


def _left_sets(splits: _Splits, batch: npt.NDArray[np.int64], values: Floats) -> Flags:
    """Which representatives go left at each split; shape (len(batch), len(values))."""
    left = numeric_goes_left(
        values[None, :],
        splits.threshold[batch, None],
        splits.missing[batch, None],
        splits.default_left[batch, None],
    )
    for row, split in enumerate(batch):
        if splits.is_categorical[split]:
            left[row] = category_goes_left(values, splits.categories[split])
    return left


def _as_run(is_left: Flags) -> tuple[int, int] | None:
    """First code and length less one of the codes that go left, if they are neighbours."""
    codes = np.flatnonzero(is_left)
    if len(codes) == 0 or codes[-1] - codes[0] + 1 != len(codes):
        return None
    return int(codes[0]), len(codes) - 1


def _packed(is_left: Flags) -> npt.NDArray[np.uint64]:
    padded = np.zeros(-(-len(is_left) // _BITS) * _BITS, dtype=np.bool_)
    padded[: len(is_left)] = is_left
    return np.packbits(padded, bitorder="little").view(np.uint64)


def _inverse(order: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    inverse = np.empty_like(order)
    inverse[order] = np.arange(len(order))
    return inverse
