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
from chekara.explain.plan import ALWAYS_HOT, FACTORS, NARROW, NODES, RATIOS, Plan

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
        Of a single row: decision by split, and the block of factors chosen by split of a tree; where vectors are
        narrow the slots of both children, hot and cold.
    ups : ndarray of float64
        Of a single row: what the sums of both children count with, by split of a tree, where vectors are narrow.
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
    ups: Floats
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
        block_at=np.zeros(2 * most_splits, dtype=np.int64),
        ups=np.zeros(2 * most_splits * NARROW),
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
def decide(split: int, code_base: int, plan: Plan, work: Workspace) -> Any:
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
        goes_left = decide(split, code_base, plan, work)
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


@inlined
def _pass_wide_tree(tree: int, plan: Plan, work: Workspace) -> None:
    """Both passes over one tree for one row, with vectors of eight quadrature points."""
    start, end, padded = plan.tree_start[tree], plan.tree_start[tree + 1], plan.padded[tree]
    for point in range(0, padded, ROWS):
        _store(work.slots, point, _splat(1.0))
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
        for point in range(0, padded, ROWS):
            reach = _load(work.slots, here + point)
            left, right = _load(plan.table, at + point), _load(plan.table, at + padded + point)
            _store(work.slots, to_left + point, _multiply(reach, left))
            _store(work.slots, to_right + point, _multiply(reach, right))
    for split in range(end - 1, start - 1, -1):
        own = split - start
        at = element(work.block_at, own) + 2 * padded
        here, from_left, from_right = (
            own * padded,
            element(plan.left, split) * padded,
            element(plan.right, split) * padded,
        )
        gains_at = element(plan.feature, split) * ROWS
        gain = _load(work.gains, gains_at)
        for point in range(0, padded, ROWS):
            left = _load(work.slots, from_left + point)
            right = _load(work.slots, from_right + point)
            gain = _multiply_add(left, _load(plan.table, at + point), gain)
            gain = _multiply_add(right, _load(plan.table, at + padded + point), gain)
            _store(work.slots, here + point, _add(left, right))
        _store(work.gains, gains_at, gain)


_points = Lanes(NARROW)
_load4, _store4, _splat4, _add4, _subtract, _multiply4, _divide, _multiply_add4 = (
    _points.load,
    _points.store,
    _points.splat,
    _points.add,
    _points.subtract,
    _points.multiply,
    _points.divide,
    _points.multiply_add,
)


@inlined
def _pass_narrow_tree(tree: int, plan: Plan, work: Workspace) -> None:
    """Both passes over one tree for one row, of up to four points; factors are worked out on the way.

    Sides are *hot*, where the row goes, and *cold*.
    """
    start, end = plan.tree_start[tree], plan.tree_start[tree + 1]
    first = (plan.points[tree] - 1) * NODES * NARROW
    t, rest = _load4(plan.nodes, first), _load4(plan.nodes, first + NARROW)
    weight, cold_gain = _load4(plan.nodes, first + 2 * NARROW), _load4(plan.nodes, first + 3 * NARROW)
    one, zero = _splat4(1.0), _splat4(0.0)
    _store4(work.slots, 0, one)
    for split in range(start, end):
        own = split - start
        was_hot, goes_left = element(work.hot, element(plan.ancestor, split)), np.int64(element(work.goes_left, split))
        set_element(work.hot, 1 + 2 * own, was_hot & goes_left)
        set_element(work.hot, 2 + 2 * own, was_hot & (goes_left ^ 1))
        at, right = split * RATIOS, 1 - goes_left
        left_slot, right_slot = np.int64(element(plan.left, split)), np.int64(element(plan.right, split))
        to_hot = (left_slot * goes_left + right_slot * right) * NARROW
        to_cold = (left_slot * right + right_slot * goes_left) * NARROW
        share_hot, share_cold = element(plan.ratios, at + right), element(plan.ratios, at + goes_left)
        value_hot, value_cold = element(plan.ratios, at + 3 + right), element(plan.ratios, at + 3 + goes_left)
        before = element(plan.ratios, at + 2)
        down_hot, down_cold, up_hot, up_cold = _splat4(share_hot), _splat4(share_cold), zero, zero
        if was_hot:
            r_hot = _splat4(before * share_hot)
            down_hot = _multiply_add4(rest, r_hot, t)
            down_cold = _multiply4(rest, _splat4(before * share_cold))
            up_hot = _multiply4(weight, _divide(_subtract(one, r_hot), down_hot))
            up_cold = cold_gain
            if before != 1.0:
                inverse = _divide(one, _multiply_add4(rest, _splat4(before), t))
                gain_before = _multiply4(weight, _multiply4(_splat4(1.0 - before), inverse))
                down_hot, down_cold = _multiply4(down_hot, inverse), _multiply4(down_cold, inverse)
                up_hot, up_cold = _subtract(up_hot, gain_before), _subtract(up_cold, gain_before)
        reach = _load4(work.slots, own * NARROW)
        _store4(work.slots, to_hot, _multiply4(reach, _multiply4(down_hot, _splat4(value_hot))))
        _store4(work.slots, to_cold, _multiply4(reach, _multiply4(down_cold, _splat4(value_cold))))
        set_element(work.block_at, 2 * own, to_hot)
        set_element(work.block_at, 2 * own + 1, to_cold)
        _store4(work.ups, 2 * own * NARROW, up_hot)
        _store4(work.ups, (2 * own + 1) * NARROW, up_cold)
    for split in range(end - 1, start - 1, -1):
        own = split - start
        hot = _load4(work.slots, element(work.block_at, 2 * own))
        cold = _load4(work.slots, element(work.block_at, 2 * own + 1))
        gains_at = element(plan.feature, split) * ROWS
        gain = _multiply_add4(hot, _load4(work.ups, 2 * own * NARROW), _load4(work.gains, gains_at))
        _store4(work.gains, gains_at, _multiply_add4(cold, _load4(work.ups, (2 * own + 1) * NARROW), gain))
        _store4(work.slots, own * NARROW, _add4(hot, cold))


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
        if plan.padded[tree] == NARROW:
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
