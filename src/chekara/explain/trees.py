"""LightGBM's trees as arrays, read from the text of a model, and LightGBM's rule for going left.

The text is read rather than ``Booster.dump_model()``, which clamps an infinite threshold to 1e300; the text has
every threshold, leaf value and count in full precision.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from chekara.errors import BundleRefusedError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

MISSING_NONE, MISSING_ZERO, MISSING_NAN = 0, 1, 2
ZERO_BAND = float(np.float32(1e-35))
"""LightGBM takes |x| up to this (its float32 constant 1e-35) for zero, whatever counts as missing."""

_LARGEST_CATEGORY = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Tree:
    """One regression tree of m splits and m + 1 leaves.

    Splits are numbered so that a parent comes before its children. A child is a split (>= 0) or, as in LightGBM,
    a leaf (``~leaf``, below zero).

    Attributes
    ----------
    feature : ndarray of int64, shape (m,)
    threshold : ndarray of float64, shape (m,)
        Values up to and including it go left; never inside the zero band. For a categorical split an index into
        ``categories``.
    is_categorical, default_left : ndarray of bool, shape (m,)
        ``default_left``: where missing values go.
    missing : ndarray of int64, shape (m,)
        What counts as missing: 0 nothing (NaN is taken for 0), 1 zero and NaN, 2 NaN.
    left, right : ndarray of int64, shape (m,)
    leaf_value : ndarray of float64, shape (m + 1,)
        Log-odds (or whatever the objective's raw score is).
    leaf_cover : ndarray of float64, shape (m + 1,)
        Training rows in each leaf.
    categories : tuple of ndarray of int64
        Category codes that go left, one array for each categorical split.
    """

    feature: Ints
    threshold: Floats
    is_categorical: Flags
    default_left: Flags
    missing: Ints
    left: Ints
    right: Ints
    leaf_value: Floats
    leaf_cover: Floats
    categories: tuple[Ints, ...]

    @property
    def n_splits(self) -> int:
        """Number of splits m."""
        return len(self.feature)


@dataclass(frozen=True, slots=True)
class Forest:
    """The trees of one model, and the number of columns that it expects."""

    trees: tuple[Tree, ...]
    n_features: int


def numeric_goes_left(values: Floats, threshold: Floats, missing: Ints, default_left: Flags) -> Flags:
    """LightGBM's rule for numeric splits; the arguments broadcast against each other.

    Parameters
    ----------
    values, threshold : ndarray of float64
    missing : ndarray of int64
        0 none, 1 zero, 2 NaN.
    default_left : ndarray of bool
    """
    is_nan = np.isnan(values)
    known = np.where(is_nan & (missing != MISSING_NAN), 0.0, values)
    is_missing = ((missing == MISSING_ZERO) & (np.abs(known) <= ZERO_BAND)) | ((missing == MISSING_NAN) & is_nan)
    return np.asarray(np.where(is_missing, default_left, known <= threshold), dtype=np.bool_)


def category_goes_left(values: Floats, categories: Ints) -> Flags:
    """LightGBM's rule for categorical splits; shape of ``values``.

    A value is cut towards zero (so 3.7 is category 3, and -0.4 category 0). NaN, negative, unseen and enormous
    values go right. ``categories`` ascend, and there is at least one.
    """
    with np.errstate(invalid="ignore"):
        is_code = (values > -1.0) & (values < _LARGEST_CATEGORY + 1.0)
    codes = np.where(is_code, values, -1.0).astype(np.int64)
    nearest = np.minimum(np.searchsorted(categories, codes), len(categories) - 1)
    return np.asarray(categories[nearest] == codes)


def read_forest(booster: lgb.Booster) -> Forest:
    """Read a booster's trees, up to its best iteration where it has one, as ``predict`` does.

    Raises
    ------
    BundleRefusedError
        The model has several outputs (multi-class), linear leaves, or a text that is not LightGBM's.
    """
    text = booster.model_to_string()
    head, *blocks = text.partition("\nend of trees")[0].split("\nTree=")
    header = _fields(head)
    if int(header.get("num_tree_per_iteration", "0")) != 1:
        raise BundleRefusedError(
            "the model has several outputs", where="num_tree_per_iteration", hint="explain models of one output"
        )
    return Forest(tuple(_read_tree(block) for block in blocks), int(header["max_feature_idx"]) + 1)


def _fields(block: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in block.splitlines())
    return {key: value for key, _, value in pairs}


def _read_tree(block: str) -> Tree:
    number = block.partition("\n")[0]
    fields = _fields(block)
    if fields.get("is_linear", "0") != "0":
        raise BundleRefusedError(
            "the model has linear leaves, whose SHAP values are not defined by covers",
            where=f"Tree={number}",
            hint="train with linear_tree=false",
        )
    try:
        tree = _tree_of(fields)
    except (KeyError, ValueError) as error:
        raise BundleRefusedError("a tree of the model cannot be read", where=f"Tree={number}") from error
    n_leaves = int(fields["num_leaves"])
    if len(tree.leaf_value) != n_leaves or len(tree.leaf_cover) != n_leaves or tree.n_splits != n_leaves - 1:
        raise BundleRefusedError("a tree of the model has fewer numbers than leaves", where=f"Tree={number}")
    return tree


def _tree_of(fields: dict[str, str]) -> Tree:
    kind = _ints(fields["decision_type"])
    is_categorical = (kind & 1).astype(np.bool_)
    threshold = _floats(fields["threshold"])
    return Tree(
        feature=_ints(fields["split_feature"]),
        threshold=np.where(is_categorical, threshold, _outside_zero_band(threshold)),
        is_categorical=is_categorical,
        default_left=(kind & 2).astype(np.bool_),
        missing=(kind >> 2) & 3,
        left=_ints(fields["left_child"]),
        right=_ints(fields["right_child"]),
        leaf_value=_floats(fields["leaf_value"]),
        leaf_cover=_floats(fields["leaf_count"]),
        categories=_categories(fields),
    )


def _outside_zero_band(threshold: Floats) -> Floats:
    """Move thresholds out of the band whose values LightGBM zeroes before it compares: all of it goes one way."""
    is_inside = np.abs(threshold) <= ZERO_BAND
    return np.where(is_inside, np.where(threshold < 0.0, np.nextafter(-ZERO_BAND, -np.inf), ZERO_BAND), threshold)


def _categories(fields: dict[str, str]) -> tuple[Ints, ...]:
    """Unpack the bit sets of categorical splits: word w, bit b stands for category 32 w + b."""
    if fields["num_cat"] == "0":
        return ()
    bounds = _ints(fields["cat_boundaries"])
    words = np.array(fields["cat_threshold"].split(), dtype=np.uint32)
    sets = (words[start:end] for start, end in pairwise(bounds))
    return tuple(np.flatnonzero(np.unpackbits(w.view(np.uint8), bitorder="little")).astype(np.int64) for w in sets)


def _ints(numbers: str) -> Ints:
    return np.array(numbers.split(), dtype=np.int64)


def _floats(numbers: str) -> Floats:
    return np.array(numbers.split(), dtype=np.float64)
