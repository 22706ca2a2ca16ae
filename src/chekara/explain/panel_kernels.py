"""The compiled pass over all models that serve together: lines to margins, the highest line, its SHAP values, reasons.

What single models do in `chekara.explain.kernels` is done here for a micro-batch and every model in one call, for a
request would pay more for the calls than for the work. The passes over trees are the very same functions.

Numba keys its cache by this file alone: after a change of ``kernels.py``, ``lanes.py`` or ``plan.py`` touch this file.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from chekara.explain.kernels import (
    CHUNK_BLOCKS,
    ROWS,
    Workspace,
    compiled,
    decide,
    explain_coded,
    gain_of,
    inlined,
    pass_down,
    pass_up,
)
from chekara.explain.lanes import Lanes, element, set_element
from chekara.explain.plan import Plan
from chekara.explain.reasons import NEGLIGIBLE

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Indices = npt.NDArray[np.int32]

_rows = Lanes(ROWS)
# Numba resolves names, not attributes of objects.
_count_below, _splat, _add, _store, _broadcast, _choose = (
    _rows.count_below,
    _rows.splat,
    _rows.add,
    _rows.store,
    _rows.broadcast,
    _rows.choose,
)
_load_mask, _store_mask, _both, _first_only = _rows.load_mask, _rows.store_mask, _rows.both, _rows.first_only

CHUNK = CHUNK_BLOCKS * ROWS
"""Crossings that are explained together."""
FEW_ROWS = 2
"""A block of eight rows, full or not, takes about the time of two and a half single ones."""
BILLION = 1e9
"""Contributions are told in whole billionths of log-odds."""


class PanelPlan(NamedTuple):
    """Trees of several models, one model after the other, and how values become codes of their columns.

    Attributes
    ----------
    trees : Plan
        ``feature`` counts within a model; everything else goes through all of them.
    first_column, first_tree, first_run, first_set : ndarray of int64, shape (n_models + 1,)
        Where each model's columns, trees and splits of either kind begin.
    cuts : ndarray of float64
        Upper ends of the cells of all columns, as ``trees.edges``; those of each column filled up to whole vectors by
        infinity, so that they are counted rather than searched.
    first_cut : ndarray of int64, shape (n_columns + 1,)
        Where the cuts of a column begin.
    code_of_missing : ndarray of int32, shape (n_columns,)
        Code of a missing number, or of what stands in for it.
    value_start : ndarray of int64, shape (n_columns,)
        Where the codes of a category's values begin in ``value_codes``.
    value_codes : ndarray of int32
    name_rank : ndarray of int32, shape (n_columns,)
        Place of a column's name among those of its model.
    """

    trees: Plan
    first_column: Ints
    first_tree: Ints
    first_run: Ints
    first_set: Ints
    cuts: Floats
    first_cut: Ints
    code_of_missing: Indices
    value_start: Ints
    value_codes: Indices
    name_rank: Indices


class PanelWork(NamedTuple):
    """Scratch arrays of one thread.

    Attributes
    ----------
    shap : Workspace
    codes : ndarray of int32, shape (widest,)
        Codes of one line.
    sums : ndarray of float64, shape (ROWS,)
    scored : ndarray of int64, shape (CHUNK,)
        Crossings of a chunk that a model applies to.
    """

    shap: Workspace
    codes: Indices
    sums: Floats
    scored: Ints


class Lines(NamedTuple):
    """Goods lines of a micro-batch.

    Attributes
    ----------
    numbers : ndarray of shape (n_lines, n_numbers), float32
    source : ndarray of shape (n_columns,), int32
        Where among the numbers each column of the panel lies; ``~c`` for category c.
    values : ndarray of shape (n_lines, n_categories), int32
        Numbers of categories' values, 0 for one that no training met.
    applies : ndarray of shape (n_models, n_lines), bool
    item_no : ndarray of shape (n_lines,), float64
    starts : ndarray of shape (n_crossings + 1,), int64
        Where the lines of each crossing begin.
    """

    numbers: npt.NDArray[np.float32]
    source: Indices
    values: Indices
    applies: npt.NDArray[np.bool_]
    item_no: Floats
    starts: Ints


class Told(NamedTuple):
    """What every model says of every crossing.

    Attributes
    ----------
    rows : ndarray of shape (n_models, n_crossings), int64
        The highest line; -1 where the model applies to none.
    margins : ndarray of shape (n_models, n_crossings), float64
        Log-odds; 0 where ``rows`` is -1.
    amounts : ndarray of shape (n_crossings, n_columns), float64
        Contributions in log-odds, to a billionth; not set where the model applies to no line.
    strongest : ndarray of shape (n_models, n_crossings, limit), int32
        Columns of the largest contributions within the model, the largest first, equals by name; -1 ends them.
    strongest_amounts, strongest_values : ndarray of shape (n_models, n_crossings, limit), float64
        Their contributions, and their numbers in the highest line; NaN for a category, 0 behind the end.
    """

    rows: Ints
    margins: Floats
    amounts: Floats
    strongest: Indices
    strongest_amounts: Floats
    strongest_values: Floats


@inlined
def _code_of_number(value: float, column: int, panel: PanelPlan) -> Any:
    cell = 0
    for first in range(element(panel.first_cut, column), element(panel.first_cut, column + 1), ROWS):
        cell += _count_below(panel.cuts, first, value)
    return element(panel.trees.code_of_cell, element(panel.trees.edge_start, column) + column + cell)


@inlined
def _encode(line: int, model: int, place: int, lines: Lines, panel: PanelPlan, work: PanelWork) -> None:
    """Lay the codes of a line where the blocks have their row ``place``."""
    first, end = panel.first_column[model], panel.first_column[model + 1]
    base = (place // ROWS) * (end - first) * ROWS + place % ROWS
    for column in range(first, end):
        source = element(lines.source, column)
        if source < 0:
            at = element(panel.value_start, column) + lines.values[line, ~source]
            code = element(panel.value_codes, at)
        else:
            value = lines.numbers[line, source]
            if np.isnan(value):
                code = element(panel.code_of_missing, column)
            else:
                code = _code_of_number(np.float64(value), column, panel)
        set_element(work.shap.codes, base + (column - first) * ROWS, code)


@inlined
def _sum_block(model: int, panel: PanelPlan, work: PanelWork) -> Any:
    """Raw scores of the rows of the first block, leaf values added up in the order of the trees, as LightGBM does."""
    plan, masks = panel.trees, work.shap.masks
    total = _splat(0.0)
    for tree in range(panel.first_tree[model], panel.first_tree[model + 1]):
        start, end = plan.tree_start[tree], plan.tree_start[tree + 1]
        for split in range(start, end):  # the mask of slot 0 is set for all rows
            arrives, goes_left = _load_mask(masks, split - start), decide(split, 0, plan, work.shap)
            _store_mask(masks, element(plan.left, split), _both(arrives, goes_left))
            _store_mask(masks, element(plan.right, split), _first_only(arrives, goes_left))
        value = _splat(0.0)
        for slot in range(end - start, 2 * (end - start) + 1):
            value = _choose(
                _load_mask(masks, slot), _broadcast(plan.leaf_value, tree + start + slot - end + start), value
            )
        total = _add(total, value)
    return total


@inlined
def _sum_lines(model: int, lines: Lines, panel: PanelPlan, work: PanelWork, margins: Floats) -> None:
    """Score all lines, eight at a time."""
    n_lines, n_columns = len(lines.item_no), panel.first_column[model + 1] - panel.first_column[model]
    for first in range(0, n_lines, ROWS):
        n_here = min(ROWS, n_lines - first)
        for place in range(n_here):
            _encode(first + place, model, place, lines, panel, work)
        for place in range(n_here, ROWS):
            for column in range(n_columns):
                set_element(work.shap.codes, column * ROWS + place, np.int32(0))
        _store(work.sums, 0, _sum_block(model, panel, work))
        for place in range(n_here):
            margins[first + place] = work.sums[place]


@inlined
def _is_before(line: int, other: int, lines: Lines) -> Any:
    """Whether a line comes before another one with the same margin: the lower number, none last."""
    own, its = lines.item_no[line], lines.item_no[other]
    return own < its or (np.isnan(its) and not np.isnan(own))


@inlined
def _find_highest(model: int, crossing: int, lines: Lines, margins: Floats, told: Told) -> Any:
    """Find a crossing's highest line, if the model applies to any."""
    best, best_margin = -1, 0.0
    for line in range(lines.starts[crossing], lines.starts[crossing + 1]):
        if not lines.applies[model, line]:
            continue
        margin = margins[line]
        if best < 0 or margin > best_margin or (margin == best_margin and _is_before(line, best, lines)):
            best, best_margin = line, margin
    told.rows[model, crossing] = best
    told.margins[model, crossing] = best_margin
    return best


@inlined
def _rounded(amount: float) -> Any:
    return np.rint(amount * BILLION) / BILLION


@inlined
def _choose_strongest(model: int, crossing: int, lines: Lines, told: Told, panel: PanelPlan) -> None:
    """Order the largest contributions by size and name; most are smaller than the weakest that is kept."""
    first, limit = panel.first_column[model], told.strongest.shape[2]
    n_kept, weakest = 0, NEGLIGIBLE
    for column in range(panel.first_column[model + 1] - first):
        size = abs(told.amounts[crossing, first + column])
        if size < weakest or size <= NEGLIGIBLE:
            continue
        place = n_kept
        while place > 0:
            other = told.strongest[model, crossing, place - 1]
            its = abs(told.amounts[crossing, first + other])
            if its > size or (its == size and panel.name_rank[first + other] < panel.name_rank[first + column]):
                break
            if place < limit:
                told.strongest[model, crossing, place] = other
            place -= 1
        if place < limit:
            told.strongest[model, crossing, place] = column
        n_kept = min(n_kept + 1, limit)
        if n_kept == limit:
            weakest = abs(told.amounts[crossing, first + told.strongest[model, crossing, limit - 1]])
    row = told.rows[model, crossing]
    for place in range(n_kept):
        column = first + told.strongest[model, crossing, place]
        source = element(lines.source, column)
        told.strongest_amounts[model, crossing, place] = told.amounts[crossing, column]
        told.strongest_values[model, crossing, place] = np.nan if source < 0 else lines.numbers[row, source]


@inlined
def _explain_few(model: int, n_scored: int, lines: Lines, panel: PanelPlan, work: PanelWork, told: Told) -> None:
    first = panel.first_column[model]
    n_columns = panel.first_column[model + 1] - first
    for column in range(n_columns):  # row 1 of the block would be overwritten by the codes of row 0
        set_element(work.codes, column, element(work.shap.codes, column * ROWS + 1))
    for row in range(n_scored):
        for column in range(n_columns):
            code = element(work.codes, column) if row else element(work.shap.codes, column * ROWS)
            set_element(work.shap.codes, column, code)
        explain_coded(
            (panel.first_tree[model], panel.first_tree[model + 1]),
            (panel.first_run[model], panel.first_run[model + 1]),
            (panel.first_set[model], panel.first_set[model + 1]),
            n_columns,
            panel.trees,
            work.shap,
        )
        for column in range(n_columns):
            told.amounts[work.scored[row], first + column] = _rounded(gain_of(column, work.shap))
        _choose_strongest(model, work.scored[row], lines, told, panel)


@inlined
def _explain_many(model: int, n_scored: int, lines: Lines, panel: PanelPlan, work: PanelWork, told: Told) -> None:
    first = panel.first_column[model]
    n_columns = panel.first_column[model + 1] - first
    n_blocks = (n_scored + ROWS - 1) // ROWS
    for i in range(n_blocks * n_columns * ROWS):
        work.shap.gains[i] = 0.0
    for tree in range(panel.first_tree[model], panel.first_tree[model + 1]):
        for block in range(n_blocks):
            pass_down(tree, block * n_columns * ROWS, panel.trees, work.shap)
            pass_up(tree, block * n_columns * ROWS, panel.trees, work.shap)
    for row in range(n_scored):
        base = (row // ROWS) * n_columns * ROWS + row % ROWS
        for column in range(n_columns):
            told.amounts[work.scored[row], first + column] = _rounded(element(work.shap.gains, base + column * ROWS))
        _choose_strongest(model, work.scored[row], lines, told, panel)


@compiled
def score_panel(lines: Lines, panel: PanelPlan, work: PanelWork, margins: Floats, told: Told) -> None:
    """Score all lines with all models, and explain the highest line of each crossing.

    ``margins`` is scratch, one number a line.
    """
    n_crossings = len(lines.starts) - 1
    for model in range(len(panel.first_tree) - 1):
        _sum_lines(model, lines, panel, work, margins)
        for first in range(0, n_crossings, CHUNK):
            n_scored = 0
            for crossing in range(first, min(first + CHUNK, n_crossings)):
                best = _find_highest(model, crossing, lines, margins, told)
                if best >= 0:
                    _encode(best, model, n_scored, lines, panel, work)
                    work.scored[n_scored] = crossing
                    n_scored += 1
            if n_scored <= FEW_ROWS:
                _explain_few(model, n_scored, lines, panel, work, told)
            else:
                _explain_many(model, n_scored, lines, panel, work, told)
