"""Exact SHAP values of LightGBM models by quadrature."""

from __future__ import annotations

from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from chekara.explain import kernels
from chekara.explain.codes import build_codebook
from chekara.explain.trees import Tree, read_forest

Floats = npt.NDArray[np.float64]


class QuadratureTreeShap:
    """Exact path-dependent SHAP values of a LightGBM model (first version)."""

    def __init__(self, booster: lgb.Booster) -> None:
        self._booster = booster
        forest = read_forest(booster)
        self._forest = forest
        self._book = build_codebook(forest)
        self._base = 0.0
        parts: dict[str, list[Any]] = {k: [] for k in ("feature", "left", "right", "ancestor", "share", "table")}
        tree_start, points, table_start = [0], [], [0]
        for tree in forest.trees:
            if tree.n_splits == 0:
                self._base += tree.leaf_value[0]
                continue
            cover = np.zeros(tree.n_splits)
            m = tree.n_splits
            for i in range(m - 1, -1, -1):
                cover[i] = sum(cover[c] if c >= 0 else tree.leaf_cover[~c] for c in (tree.left[i], tree.right[i]))
            self._base += float(tree.leaf_value @ tree.leaf_cover / tree.leaf_cover.sum())
            anc = np.zeros(m, dtype=np.int64)
            r_anc = np.ones(m)
            share = np.zeros((m, 2))
            scale = np.ones((m, 2))
            paths: list[dict[int, tuple[int, float]]] = [{} for _ in range(m)]
            deepest = 1
            for i in range(m):
                f = int(tree.feature[i])
                anc[i], r_anc[i] = paths[i].get(f, (0, 1.0))
                for side, c in enumerate((tree.left[i], tree.right[i])):
                    cc = cover[c] if c >= 0 else tree.leaf_cover[~c]
                    share[i, side] = cc / cover[i] if cover[i] > 0 else 0.5
                    path = paths[i] | {f: (1 + 2 * i + side, r_anc[i] * share[i, side])}
                    if c >= 0:
                        paths[c] = path
                    else:
                        deepest = max(deepest, len(path))
                        scale[i, side] = tree.leaf_value[~c]
            q = (deepest + 1) // 2
            x, w = np.polynomial.legendre.leggauss(q)
            t, w = (x + 1) / 2, w / 2
            ra = r_anc[:, None]
            below = t + (1 - t) * ra
            hot, cold, khot, kcold = [], [], [], []
            for side in (0, 1):
                r = ra * share[:, [side]]
                hot.append((t + (1 - t) * r) / below * scale[:, [side]])
                cold.append((1 - t) * r / below * scale[:, [side]])
                khot.append(w * ((1 - r) / (t + (1 - t) * r) - (1 - ra) / below))
                kcold.append(w * (-1 / (1 - t) - (1 - ra) / below))
            table = np.stack([hot[0], cold[0], hot[1], cold[1], khot[0], kcold[0], khot[1], kcold[1]], axis=2)
            parts["table"].append(table.ravel())
            parts["share"].append((share * scale).ravel())
            parts["feature"].append(tree.feature)
            parts["ancestor"].append(anc)
            for name, child in (("left", tree.left), ("right", tree.right)):
                parts[name].append(np.where(child >= 0, child, m + ~child))
            tree_start.append(tree_start[-1] + m)
            points.append(q)
            table_start.append(table_start[-1] + table.size)
        self._a = {k: np.concatenate(v) if v else np.zeros(0) for k, v in parts.items()}
        self._tree_start = np.array(tree_start)
        self._points = np.array(points, dtype=np.int64)
        self._table_start = np.array(table_start)
        m = int(np.max(np.diff(self._tree_start), initial=1))
        self._masks = np.full(2 * m + 1, 255, dtype=np.uint8)
        self._work = np.zeros((2 * m + 1) * int(self._points.max(initial=1)) * kernels.LANES)

    def contributions(self, X: Floats) -> Floats:
        """SHAP values, float64 of shape (n, k + 1), the base value last."""
        n, k = X.shape
        blocks = -(-n // kernels.LANES)
        codes = np.zeros(blocks * k * kernels.LANES, dtype=np.int32)
        phi = np.zeros(blocks * k * kernels.LANES)
        b = self._book
        kernels.encode(X, b.edges, b.edge_start, b.code_of_cell, codes)
        a = self._a
        kernels.explain_rows(
            codes, blocks, k, self._tree_start, self._points, self._table_start, b.low, b.span, b.word_start, b.words,
            a["feature"], a["left"], a["right"], a["ancestor"], a["share"], a["table"], self._masks, self._work, phi,
        )
        out = np.empty((n, k + 1))
        out[:, :k] = phi.reshape(blocks, k, kernels.LANES).transpose(0, 2, 1).reshape(-1, k)[:n]
        out[:, k] = self._base
        return out

    def margins(self, X: Floats) -> Floats:
        """Raw scores, float64 of shape (n,)."""
        return np.asarray(self._booster.predict(X, raw_score=True), dtype=np.float64)

    def warm(self) -> None:
        """Compile everything that scoring needs."""
