"""The compiled passes: rows to codes, codes to SHAP values.

Both explainers make two passes over each tree, down and up, without recursion and without a branch that depends on
the row. ``hot`` is said of an edge (split, side): the row satisfies every split on that feature from the root down
to and including the edge. Lanes are rows in `explain_block`, quadrature points in the single-row kernels.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from chekara.explain.lanes import Lanes

LANES = 8
_wide = Lanes(LANES)
load, store, splat, broadcast = _wide.load, _wide.store, _wide.splat, _wide.broadcast
add, multiply, multiply_add, choose = _wide.add, _wide.multiply, _wide.multiply_add, _wide.choose
load_mask, store_mask, both, first_only = _wide.load_mask, _wide.store_mask, _wide.both, _wide.first_only
in_run, in_words = _wide.in_run, _wide.in_words


@njit(cache=True, nogil=True)
def encode(X, edges, edge_start, code_of_cell, codes):
    """Codes of rows, in blocks of lanes: ``codes[block, feature, lane]`` flattened."""
    n_rows, n_features = X.shape
    for row in range(n_rows):
        base = (row // LANES) * n_features * LANES + row % LANES
        for feature in range(n_features):
            value = X[row, feature]
            code = np.int32(0)
            if not np.isnan(value):
                first = edge_start[feature]
                length = edge_start[feature + 1] - first
                cell = 0
                while length > 0:
                    half = (length + 1) >> 1
                    cell += half if edges[first + cell + half - 1] < value else 0
                    length -= half
                code = code_of_cell[first + feature + cell]
            codes[base + feature * LANES] = code


@njit(cache=True, nogil=True)
def explain_rows(
    codes, n_blocks, n_features, tree_start, n_points, table_start, low, span, word_start, words,
    feature, left, right, ancestor, share, table, masks, work, phi,
):
    for tree in range(len(tree_start) - 1):
        start, end = tree_start[tree], tree_start[tree + 1]
        points = n_points[tree]
        stride = points * LANES
        for block in range(n_blocks):
            code_base = block * n_features * LANES
            for point in range(points):
                store(work, point * LANES, splat(1.0))
            constants = table_start[tree]
            for split in range(start, end):
                at = code_base + feature[split] * LANES
                if word_start[split] < 0:
                    goes_left = in_run(codes, at, low[split], span[split])
                else:
                    goes_left = in_words(codes, at, words, word_start[split])
                own = split - start
                was_hot = load_mask(masks, ancestor[split])
                hot_left = both(was_hot, goes_left)
                store_mask(masks, 1 + 2 * own, hot_left)
                store_mask(masks, 2 + 2 * own, first_only(was_hot, goes_left))
                share_left, share_right = broadcast(share, 2 * split), broadcast(share, 2 * split + 1)
                from_, to_left, to_right = own * stride, left[split] * stride, right[split] * stride
                for point in range(points):
                    reach = load(work, from_ + point * LANES)
                    c = constants + point * 8
                    m_left = choose(was_hot, choose(goes_left, broadcast(table, c), broadcast(table, c + 1)), share_left)
                    m_right = choose(was_hot, choose(goes_left, broadcast(table, c + 3), broadcast(table, c + 2)), share_right)
                    store(work, to_left + point * LANES, multiply(reach, m_left))
                    store(work, to_right + point * LANES, multiply(reach, m_right))
                constants += points * 8
            for split in range(end - 1, start - 1, -1):
                constants -= points * 8
                own = split - start
                from_, to_left, to_right = own * stride, left[split] * stride, right[split] * stride
                if_left, if_right = splat(0.0), splat(0.0)
                for point in range(points):
                    g_left = load(work, to_left + point * LANES)
                    g_right = load(work, to_right + point * LANES)
                    c = constants + point * 8
                    if_left = multiply_add(g_left, broadcast(table, c + 4), if_left)
                    if_right = multiply_add(g_left, broadcast(table, c + 5), if_right)
                    if_right = multiply_add(g_right, broadcast(table, c + 6), if_right)
                    if_left = multiply_add(g_right, broadcast(table, c + 7), if_left)
                    store(work, from_ + point * LANES, add(g_left, g_right))
                hot_left = load_mask(masks, 1 + 2 * own)
                hot_right = load_mask(masks, 2 + 2 * own)
                gain = choose(hot_left, if_left, choose(hot_right, if_right, splat(0.0)))
                at = code_base + feature[split] * LANES
                store(phi, at, add(load(phi, at), gain))
