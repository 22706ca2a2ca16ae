"""A forest laid out for the kernels: every number that does not depend on a row, worked out once.

For a split on feature i, let ``r`` be the product of the cover ratios of the splits on i from the root down to one
of its children, ``r_before`` the same without this split (1 where i is new on the path), and ``b`` and ``b_before``
whether the row satisfies those splits. At a quadrature point t with weight w, going down into the child multiplies
the path's product by

    (t b + (1 - t) r) / (t b_before + (1 - t) r_before)

and coming up, the child's sum counts for feature i with the factor

    w (g(b, r) - g(b_before, r_before)),    g(b, r) = (b - r) / (t b + (1 - t) r).

The second term takes back what the earlier split on i would have counted. One of the two children is taken by the
row, and b needs b_before, so only three cases exist, each one block of the table: the left child is hot (b = 1),
the right child is hot, or neither (b_before = 0), where going down multiplies by the plain cover ratio and nothing
counts. A leaf's value is folded into the multiplier of the edge above it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from chekara.explain.codes import build_codebook
from chekara.explain.trees import Forest, Tree

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Indices = npt.NDArray[np.int32]

ALWAYS_HOT = 0
"""The edge that stands for "no earlier split on this feature"."""
CASES, FACTORS = 3, 4
"""Cases: left hot, right hot, neither. Factors of a case: down left, down right, up left, up right."""
NARROW, _WIDE = 4, 8
RATIOS, NODES = 5, 4


class Plan(NamedTuple):
    """Arrays of a forest, tree after tree, for the kernels.

    Within a tree of m splits, slot s < m is a split and slot m + l a leaf; edge 1 + 2 s leads from split s to its
    left child and edge 2 + 2 s to its right one.

    Attributes
    ----------
    edges, edge_start, code_of_cell
        From values to codes, see `chekara.explain.codes.Codebook`.
    low, span, word_start, words
        From codes to decisions, see there.
    runs, sets : ndarray of int32
        The splits that test a run of codes, and those that test a bit set.
    tree_start : ndarray of int64, shape (n_trees + 1,)
        Where the splits of a tree begin.
    points, padded : ndarray of int64, shape (n_trees,)
        Quadrature points, and their number rounded up to whole vectors.
    feature, left, right, ancestor : ndarray of int32, shape (n_splits,)
        Feature, slots of the children, and the edge below the nearest earlier split on the same feature.
    table, table_at : ndarray of float64, ndarray of int32 of shape (n_splits,)
        Blocks of 4 factors x ``padded`` points, and where those of a split begin. Splits without an ancestor have
        no third block: their case cannot come up.
    leaf_value : ndarray of float64, shape (n_splits + n_trees,)
    ratios : ndarray of float64
        By split, `RATIOS` numbers that its factors are made of: the cover shares of both children, ``r_before``, and
        the leaf values of both children, 1 for a split. A single row makes its factors of these where the vectors are
        narrow, for the table of all cases lies too far away.
    nodes : ndarray of float64
        By number of points up to `NARROW`: ``t``, ``1 - t``, ``w`` and ``-w / (1 - t)``, `NARROW` numbers each; those
        behind the last point have no weight.
    """

    edges: Floats
    edge_start: Ints
    code_of_cell: Indices
    low: Indices
    span: Indices
    word_start: Indices
    words: npt.NDArray[np.uint64]
    runs: Indices
    sets: Indices
    tree_start: Ints
    points: Ints
    padded: Ints
    feature: Indices
    left: Indices
    right: Indices
    ancestor: Indices
    table_at: Indices
    table: Floats
    leaf_value: Floats
    ratios: Floats
    nodes: Floats


@dataclass(frozen=True, slots=True)
class _TreePlan:
    """One tree's part of a plan; ``block_sizes`` instead of positions."""

    points: int
    padded: int
    left: Ints
    right: Ints
    ancestor: Ints
    block_sizes: Ints
    table: Floats
    ratios: Floats
    expected_value: float


def build_plan(forest: Forest) -> tuple[Plan, float]:
    """Lay out a forest.

    Returns
    -------
    plan : Plan
    expected_value : float
        Mean raw score over the training rows, weighted by leaf covers: the base value of SHAP.
    """
    book = build_codebook(forest)
    parts = [_plan_tree(tree) for tree in forest.trees]
    no_ints, no_floats = np.zeros(0, dtype=np.int64), np.zeros(0)
    sizes = np.concatenate([no_ints, *(part.block_sizes for part in parts)])
    plan = Plan(
        edges=book.edges,
        edge_start=book.edge_start,
        code_of_cell=book.code_of_cell,
        low=book.low,
        span=book.span,
        word_start=book.word_start,
        words=book.words,
        runs=np.flatnonzero(book.word_start < 0).astype(np.int32),
        sets=np.flatnonzero(book.word_start >= 0).astype(np.int32),
        tree_start=np.cumsum([0, *(tree.n_splits for tree in forest.trees)]).astype(np.int64),
        points=np.array([part.points for part in parts], dtype=np.int64),
        padded=np.array([part.padded for part in parts], dtype=np.int64),
        feature=np.concatenate([no_ints, *(tree.feature for tree in forest.trees)]).astype(np.int32),
        left=np.concatenate([no_ints, *(part.left for part in parts)]).astype(np.int32),
        right=np.concatenate([no_ints, *(part.right for part in parts)]).astype(np.int32),
        ancestor=np.concatenate([no_ints, *(part.ancestor for part in parts)]).astype(np.int32),
        table_at=(np.cumsum(sizes) - sizes).astype(np.int32),
        table=np.concatenate([no_floats, *(part.table for part in parts)]),
        leaf_value=np.concatenate([no_floats, *(tree.leaf_value for tree in forest.trees)]),
        ratios=np.concatenate([no_floats, *(part.ratios.ravel() for part in parts)]),
        nodes=np.concatenate([_nodes(n_points).ravel() for n_points in range(1, NARROW + 1)]),
    )
    return plan, float(sum(part.expected_value for part in parts))


def _plan_tree(tree: Tree) -> _TreePlan:
    shares = _cover_shares(tree)
    ancestor, ratio_before, most_features = _ancestors(tree, shares)
    n_points = max(1, -(-most_features // 2))
    padded = NARROW if n_points <= NARROW else -(-n_points // _WIDE) * _WIDE
    children = np.stack([tree.left, tree.right], axis=1)
    leaf_value = np.where(children < 0, tree.leaf_value[np.where(children < 0, ~children, 0)], 1.0)
    blocks = np.zeros((tree.n_splits, CASES, FACTORS, padded))
    blocks[..., :n_points] = _factors(shares, ratio_before, n_points)
    blocks[:, :, :2] *= leaf_value[:, None, :, None]
    is_stored = np.ones((tree.n_splits, CASES), dtype=np.bool_)
    is_stored[:, 2] = ancestor != ALWAYS_HOT
    return _TreePlan(
        points=n_points,
        padded=padded,
        left=np.where(tree.left >= 0, tree.left, tree.n_splits + ~tree.left),
        right=np.where(tree.right >= 0, tree.right, tree.n_splits + ~tree.right),
        ancestor=ancestor,
        block_sizes=is_stored.sum(axis=1) * FACTORS * padded,
        table=blocks[is_stored].ravel(),
        ratios=np.column_stack([shares, ratio_before, leaf_value]),
        expected_value=_expected_value(tree, shares),
    )


def _cover_shares(tree: Tree) -> Floats:
    """Share of a split's training rows that go to each child; shape (m, 2), rows sum to 1.

    A split's cover is counted from its leaves, so shares add up even where a distributed training stored rounded
    inner counts. Where no training row came by, both children get a half.
    """
    shares = np.full((tree.n_splits, 2), 0.5)
    cover = np.zeros(tree.n_splits)
    for split in range(tree.n_splits - 1, -1, -1):
        below = [_of_child(child, cover, tree.leaf_cover) for child in (tree.left[split], tree.right[split])]
        cover[split] = sum(below)
        if cover[split] > 0:
            shares[split] = np.array(below) / cover[split]
    return shares


def _of_child(child: np.int64, of_splits: Floats, of_leaves: Floats) -> float:
    return float(of_splits[child] if child >= 0 else of_leaves[~child])


def _ancestors(tree: Tree, shares: Floats) -> tuple[Ints, Floats, int]:
    """Edge and ratio of the nearest earlier split on the same feature; most distinct features on a path."""
    ancestor = np.zeros(tree.n_splits, dtype=np.int64)
    ratio_before = np.ones(tree.n_splits)
    most_features = 0
    path_to: list[dict[int, tuple[int, float]]] = [{} for _ in range(tree.n_splits)]
    for split in range(tree.n_splits):
        path, feature = path_to[split], int(tree.feature[split])
        ancestor[split], ratio_before[split] = path.get(feature, (ALWAYS_HOT, 1.0))
        for side, child in enumerate((tree.left[split], tree.right[split])):
            edge = 1 + 2 * split + side
            path_below = path | {feature: (edge, ratio_before[split] * shares[split, side])}
            most_features = max(most_features, len(path_below))
            if child >= 0:
                path_to[child] = path_below
    return ancestor, ratio_before, most_features


def _factors(shares: Floats, ratio_before: Floats, n_points: int) -> Floats:
    """Factors of every split, case and point; shape (m, 3, 4, n_points). See the module's docstring."""
    nodes, weights = np.polynomial.legendre.leggauss(n_points)
    t, w = (nodes + 1.0) / 2.0, weights / 2.0
    r_before = ratio_before[:, None]
    r_left, r_right = r_before * shares[:, :1], r_before * shares[:, 1:]
    before = t + (1.0 - t) * r_before
    gain_before = (1.0 - r_before) / before

    def down(is_hot: bool, r: Floats) -> Floats:
        return (t * is_hot + (1.0 - t) * r) / before

    def up(is_hot: bool, r: Floats) -> Floats:
        # A cold child has b = 0, where g is -1 / (1 - t) whatever the ratio.
        gain = (1.0 - r) / (t + (1.0 - t) * r) if is_hot else np.broadcast_to(-1.0 / (1.0 - t), r.shape[:1] + t.shape)
        return np.asarray(w * (gain - gain_before))

    neither = np.broadcast_to(shares[:, :, None], (*shares.shape, n_points))
    cases = [
        [down(True, r_left), down(False, r_right), up(True, r_left), up(False, r_right)],
        [down(False, r_left), down(True, r_right), up(False, r_left), up(True, r_right)],
        [neither[:, 0], neither[:, 1], np.zeros_like(before), np.zeros_like(before)],
    ]
    return np.stack([np.stack(case, axis=1) for case in cases], axis=1)


def _nodes(n_points: int) -> Floats:
    """Numbers of the quadrature; shape (`NODES`, `NARROW`)."""
    nodes, weights = np.polynomial.legendre.leggauss(n_points)
    t, w = np.full(NARROW, 0.5), np.zeros(NARROW)
    t[:n_points], w[:n_points] = (nodes + 1.0) / 2.0, weights / 2.0
    return np.stack([t, 1.0 - t, w, -w / (1.0 - t)])


def _expected_value(tree: Tree, shares: Floats) -> float:
    reach = np.ones(tree.n_splits)
    total = 0.0 if tree.n_splits else float(tree.leaf_value[0])
    for split in range(tree.n_splits):
        for side, child in enumerate((tree.left[split], tree.right[split])):
            below = reach[split] * shares[split, side]
            if child >= 0:
                reach[child] = below
            else:
                total += below * tree.leaf_value[~child]
    return total
