"""The compiled passes: values to codes, codes to decisions, decisions to SHAP values.

Each tree is passed twice, down and up, without recursion and without a branch that depends on a row. Going down,
every slot gets its path's product of ``t b + (1 - t) r`` at the quadrature points (a leaf's times its value); coming
up, every split hands the sum over its leaves to its parent and counts it for its feature. All factors come from the
plan (`chekara.explain.plan`). An edge is *hot* where the row satisfies every split on that feature down to it.

A vector's lanes are eight rows in `explain_rows` and quadrature points in `explain_singly`. A position in a flat array
is written out, because a slice would cost more than what is done with it.

Numba keys its cache by this file alone: after a change of ``lanes.py`` or ``plan.py`` touch this file too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import njit

from chekara.explain.lanes import Lanes, element, set_element
from chekara.explain.plan import ALWAYS_HOT, FACTORS, Plan

Floats = npt.NDArray[np.float64]
Function = TypeVar("Function", bound=Callable[..., Any])

ROWS = 8
"""Rows that are explained together, one a lane."""
CHUNK_BLOCKS = 32
"""Blocks of rows that pass a tree before the next tree comes: its factors stay in the nearest cache meanwhile."""

_rows = Lanes(ROWS)
# Numba resolves names, not attributes of objects.
_load, _store, _splat, _broadcast = _rows.load, _rows.store, _rows.splat, _rows.broadcast
_add, _multiply, _multiply_add, _choose, _total = (
    _rows.add,
    _rows.multiply,
    _rows.multiply_add,
    _rows.choose,
    _rows.total,
)
_load_mask, _store_mask, _both, _first_only = _rows.load_mask, _rows.store_mask, _rows.both, _rows.first_only
_in_run, _in_words = _rows.in_run, _rows.in_words


class Workspace(NamedTuple):
    """Scratch arrays of one thread.

    Attributes
    ----------
    codes : ndarray of int32
        ``codes[block, feature, row]``, flat.
    masks : ndarray of uint8
        By edge: bit of a row set where the edge is hot for it. Edge 0 is always hot.
    hot : ndarray of int64
        The same for a single row.
    goes_left, block_at : ndarray of uint8, ndarray of int64
        Of a single row: decision by split, and the block of factors chosen by split of a tree.
    slots : ndarray of float64
        Products, then sums, by slot of a tree, point and row.
    gains : ndarray of float64
        SHAP values in the making: ``[block, feature, row]`` or ``[feature, lane]``, flat.
    """

    codes: npt.NDArray[np.int32]
    masks: npt.NDArray[np.uint8]
    hot: npt.NDArray[np.int64]
    goes_left: npt.NDArray[np.uint8]
    block_at: npt.NDArray[np.int64]
    slots: Floats
    gains: Floats


def make_workspace(plan: Plan, n_features: int) -> Workspace:
    """Allocate scratch arrays that fit a plan whose splits ask for so many features."""
    most_splits = int(np.diff(plan.tree_start).max(initial=1))
    n_slots = 2 * most_splits + 1
    return Workspace(
        codes=np.zeros(CHUNK_BLOCKS * n_features * ROWS, dtype=np.int32),
        masks=np.full(n_slots, 255, dtype=np.uint8),
        hot=np.ones(n_slots, dtype=np.int64),
        goes_left=np.zeros(len(plan.feature), dtype=np.uint8),
        block_at=np.zeros(most_splits, dtype=np.int64),
        slots=np.zeros(n_slots * int(plan.padded.max(initial=1)) * ROWS),
        gains=np.zeros(CHUNK_BLOCKS * n_features * ROWS),
    )


# The kernels allocate nothing, so numba's reference counting (`_nrt`) is turned off: it would count every array of the
# plan up and down, atomically, each time that an inlined function looks at it, which took a third of the time.
_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "_nrt": False}


def compiled(function: Function) -> Function:
    """Compile for a caller outside; cached on disk, and free of the interpreter's lock."""
    return cast(Function, njit(**_OPTIONS)(function))


def inlined(function: Function) -> Function:
    """Compile into its callers: a call would pass a hundred machine words."""
    return cast(Function, njit(forceinline=True, **_OPTIONS)(function))


@inlined
def code_of(value: float, feature: int, plan: Plan) -> Any:
    """Code of a value: binary search for the first edge that is not below it."""
    if np.isnan(value):
        return np.int32(0)
    first = plan.edge_start[feature]
    cell, length = 0, plan.edge_start[feature + 1] - first
    while length > 0:
        half = (length + 1) >> 1
        cell += half if plan.edges[first + cell + half - 1] < value else 0
        length -= half
    return plan.code_of_cell[first + feature + cell]


@inlined
def _is_in_run(code: np.int32, split: int, plan: Plan) -> Any:
    # Unsigned, so that a code below `low` wraps round to a number above any span.
    return np.uint32(code - element(plan.low, split)) <= np.uint32(element(plan.span, split))


@inlined
def _is_in_words(code: np.int32, split: int, plan: Plan) -> Any:
    word = element(plan.words, element(plan.word_start, split) + (code >> 6))
    return (word >> np.uint64(code & 63)) & np.uint64(1) != 0


@inlined
def sum_trees(codes: npt.NDArray[np.int32], base: int, first_tree: int, end_tree: int, plan: Plan) -> Any:
    """Raw score of the row whose codes begin at ``base``: leaf values in the order of the trees, as LightGBM does."""
    total = 0.0
    for tree in range(first_tree, end_tree):
        start = plan.tree_start[tree]
        n_splits = plan.tree_start[tree + 1] - start
        slot = 0
        while slot < n_splits:
            split = start + slot
            code = element(codes, base + element(plan.feature, split))
            is_run = element(plan.word_start, split) < 0
            goes_left = _is_in_run(code, split, plan) if is_run else _is_in_words(code, split, plan)
            slot = element(plan.left, split) if goes_left else element(plan.right, split)
        total += plan.leaf_value[start + tree + slot - n_splits]
    return total


@compiled
def sum_leaves(X: Floats, plan: Plan, work: Workspace, out: Floats) -> None:
    """Raw score of each row."""
    n_rows, n_features = X.shape
    for row in range(n_rows):
        for feature in range(n_features):
            work.codes[feature] = code_of(X[row, feature], feature, plan)
        out[row] = sum_trees(work.codes, 0, 0, len(plan.tree_start) - 1, plan)


@inlined
def _encode_rows(X: Floats, first_row: int, n_rows: int, plan: Plan, work: Workspace) -> None:
    n_features = X.shape[1]
    for feature in range(n_features):
        for row in range(n_rows):
            at = ((row // ROWS) * n_features + feature) * ROWS + row % ROWS
            work.codes[at] = code_of(X[first_row + row, feature], feature, plan)


@inlined
def _decide(split: int, code_base: int, plan: Plan, work: Workspace) -> Any:
    """Mask of the rows that go left."""
    codes_at = code_base + element(plan.feature, split) * ROWS
    if element(plan.word_start, split) < 0:
        return _in_run(work.codes, codes_at, element(plan.low, split), element(plan.span, split))
    return _in_words(work.codes, codes_at, plan.words, element(plan.word_start, split))


@inlined
def _factor(goes_left: Any, table: Floats, at: int, step: int) -> Any:
    """Factor of the case "left hot", ``step`` before that of the case "right hot", row by row."""
    return _choose(goes_left, _broadcast(table, at), _broadcast(table, at + step))


@inlined
def pass_down(tree: int, code_base: int, plan: Plan, work: Workspace) -> None:
    """Multiply from the root to every slot, at every point."""
    slots, table = work.slots, plan.table
    start, end = plan.tree_start[tree], plan.tree_start[tree + 1]
    points, padded = plan.points[tree], plan.padded[tree]
    case, stride = FACTORS * padded, points * ROWS
    for point in range(points):
        _store(slots, point * ROWS, _splat(1.0))
    for split in range(start, end):
        goes_left = _decide(split, code_base, plan, work)
        was_hot = _load_mask(work.masks, element(plan.ancestor, split))
        _store_mask(work.masks, 1 + 2 * (split - start), _both(was_hot, goes_left))
        _store_mask(work.masks, 2 + 2 * (split - start), _first_only(was_hot, goes_left))
        here, to_left, to_right = (
            (split - start) * stride,
            element(plan.left, split) * stride,
            element(plan.right, split) * stride,
        )
        first = element(plan.table_at, split)
        if element(plan.ancestor, split) == ALWAYS_HOT:
            for point in range(points):
                reach = _load(slots, here + point * ROWS)
                left = _factor(goes_left, table, first + point, case)
                right = _factor(goes_left, table, first + padded + point, case)
                _store(slots, to_left + point * ROWS, _multiply(reach, left))
                _store(slots, to_right + point * ROWS, _multiply(reach, right))
        else:
            left_cold, right_cold = _broadcast(table, first + 2 * case), _broadcast(table, first + 2 * case + padded)
            for point in range(points):
                reach = _load(slots, here + point * ROWS)
                left = _choose(was_hot, _factor(goes_left, table, first + point, case), left_cold)
                right = _choose(was_hot, _factor(goes_left, table, first + padded + point, case), right_cold)
                _store(slots, to_left + point * ROWS, _multiply(reach, left))
                _store(slots, to_right + point * ROWS, _multiply(reach, right))


@inlined
def pass_up(tree: int, code_base: int, plan: Plan, work: Workspace) -> None:
    """Sum from the leaves to the root, and count every split for its feature."""
    slots, table = work.slots, plan.table
    start, end = plan.tree_start[tree], plan.tree_start[tree + 1]
    points, padded = plan.points[tree], plan.padded[tree]
    case, stride = FACTORS * padded, points * ROWS
    for split in range(end - 1, start - 1, -1):
        here, from_left, from_right = (
            (split - start) * stride,
            element(plan.left, split) * stride,
            element(plan.right, split) * stride,
        )
        left_hot, right_hot = _splat(0.0), _splat(0.0)
        first = element(plan.table_at, split) + 2 * padded
        for point in range(points):
            left, right = _load(slots, from_left + point * ROWS), _load(slots, from_right + point * ROWS)
            at = first + point
            left_hot = _multiply_add(left, _broadcast(table, at), left_hot)
            left_hot = _multiply_add(right, _broadcast(table, at + padded), left_hot)
            right_hot = _multiply_add(left, _broadcast(table, at + case), right_hot)
            right_hot = _multiply_add(right, _broadcast(table, at + case + padded), right_hot)
            _store(slots, here + point * ROWS, _add(left, right))
        gain = _choose(_load_mask(work.masks, 2 + 2 * (split - start)), right_hot, _splat(0.0))
        gain = _choose(_load_mask(work.masks, 1 + 2 * (split - start)), left_hot, gain)
        gains_at = code_base + element(plan.feature, split) * ROWS
        _store(work.gains, gains_at, _add(_load(work.gains, gains_at), gain))


@compiled
def explain_rows(X: Floats, plan: Plan, work: Workspace, out: Floats) -> None:
    """Write SHAP values of all rows to the first columns of ``out``; the last one is left alone."""
    n_rows, n_features = X.shape
    for first_row in range(0, n_rows, CHUNK_BLOCKS * ROWS):
        n_here = min(CHUNK_BLOCKS * ROWS, n_rows - first_row)
        n_blocks = (n_here + ROWS - 1) // ROWS
        _encode_rows(X, first_row, n_here, plan, work)
        for i in range(n_blocks * n_features * ROWS):
            work.gains[i] = 0.0
        for tree in range(len(plan.tree_start) - 1):
            for block in range(n_blocks):
                pass_down(tree, block * n_features * ROWS, plan, work)
                pass_up(tree, block * n_features * ROWS, plan, work)
        for row in range(n_here):
            base = (row // ROWS) * n_features * ROWS + row % ROWS
            for feature in range(n_features):
                out[first_row + row, feature] = work.gains[base + feature * ROWS]


def _make_single_row_pass(width: int) -> Callable[[int, Plan, Workspace], None]:
    """Both passes over one tree for one row, with vectors of ``width`` quadrature points."""
    lanes = Lanes(width)
    load, store, splat = lanes.load, lanes.store, lanes.splat
    add, multiply, multiply_add = lanes.add, lanes.multiply, lanes.multiply_add

    @inlined
    def pass_tree(tree: int, plan: Plan, work: Workspace) -> None:
        start, end, padded = plan.tree_start[tree], plan.tree_start[tree + 1], plan.padded[tree]
        for point in range(0, padded, width):
            store(work.slots, point, splat(1.0))
        for split in range(start, end):
            own = split - start
            was_hot, goes_left = (
                element(work.hot, element(plan.ancestor, split)),
                np.int64(element(work.goes_left, split)),
            )
            set_element(work.hot, 1 + 2 * own, was_hot & goes_left)
            set_element(work.hot, 2 + 2 * own, was_hot & (goes_left ^ 1))
            case = 2 - was_hot * (1 + goes_left)
            at = element(plan.table_at, split) + case * FACTORS * padded
            set_element(work.block_at, own, at)
            here, to_left, to_right = (
                own * padded,
                element(plan.left, split) * padded,
                element(plan.right, split) * padded,
            )
            for point in range(0, padded, width):
                reach = load(work.slots, here + point)
                left, right = load(plan.table, at + point), load(plan.table, at + padded + point)
                store(work.slots, to_left + point, multiply(reach, left))
                store(work.slots, to_right + point, multiply(reach, right))
        for split in range(end - 1, start - 1, -1):
            own = split - start
            at = element(work.block_at, own) + 2 * padded
            here, from_left, from_right = (
                own * padded,
                element(plan.left, split) * padded,
                element(plan.right, split) * padded,
            )
            gains_at = element(plan.feature, split) * ROWS
            gain = load(work.gains, gains_at)
            for point in range(0, padded, width):
                left = load(work.slots, from_left + point)
                right = load(work.slots, from_right + point)
                gain = multiply_add(left, load(plan.table, at + point), gain)
                gain = multiply_add(right, load(plan.table, at + padded + point), gain)
                store(work.slots, here + point, add(left, right))
            store(work.gains, gains_at, gain)

    return pass_tree


_NARROW = 4
_pass_narrow_tree = _make_single_row_pass(_NARROW)
_pass_wide_tree = _make_single_row_pass(ROWS)


@inlined
def explain_coded(
    trees: tuple[int, int], runs: tuple[int, int], sets: tuple[int, int], n_features: int, plan: Plan, work: Workspace
) -> None:
    """Leave the SHAP values of the row whose codes lie first in ``work.codes`` in its gains, one vector a feature.

    Of some neighbouring trees and their splits: each a range of positions in the plan.
    """
    for i in range(runs[0], runs[1]):
        split = plan.runs[i]
        code = element(work.codes, element(plan.feature, split))
        set_element(work.goes_left, split, _is_in_run(code, split, plan))
    for i in range(sets[0], sets[1]):
        split = plan.sets[i]
        code = element(work.codes, element(plan.feature, split))
        set_element(work.goes_left, split, _is_in_words(code, split, plan))
    for i in range(n_features * ROWS):
        work.gains[i] = 0.0
    for tree in range(trees[0], trees[1]):
        if plan.padded[tree] == _NARROW:
            _pass_narrow_tree(tree, plan, work)
        else:
            _pass_wide_tree(tree, plan, work)


@inlined
def gain_of(feature: int, work: Workspace) -> Any:
    """SHAP value of a feature after `explain_coded`."""
    return _total(_load(work.gains, feature * ROWS))


@compiled
def explain_singly(X: Floats, plan: Plan, work: Workspace, out: Floats) -> None:
    """Do the same row by row: faster for one or two."""
    n_rows, n_features = X.shape
    for row in range(n_rows):
        for feature in range(n_features):
            work.codes[feature] = code_of(X[row, feature], feature, plan)
        explain_coded((0, len(plan.tree_start) - 1), (0, len(plan.runs)), (0, len(plan.sets)), n_features, plan, work)
        for feature in range(n_features):
            out[row, feature] = gain_of(feature, work)
