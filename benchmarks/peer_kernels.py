"""Contributions as other libraries compute them, timed on request; run with the peers' own Python, not the product's.

Asked line by line, see `benchmarks.peer_lines`: ``{"do": "open", "peer": ..., ...}`` prepares a peer and says its
version, ``{"do": "turn", "peer": ..., "rows": n, "calls": m}`` explains ``n`` rows ``m`` times over and says the
processor seconds that it took. One thread everywhere.
"""

from __future__ import annotations

import importlib.metadata
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.peer_lines import answer_lines

Floats = npt.NDArray[np.float64]
Explain = Callable[[Floats], Any]


def open_lightgbm(asked: dict[str, Any]) -> Explain:
    """LightGBM's own: what shap calls for its models."""
    import lightgbm as lgb  # noqa: PLC0415

    booster = lgb.Booster(model_file=asked["model"])
    return lambda X: booster.predict(X, pred_contrib=True, num_threads=1)


def open_shap(asked: dict[str, Any]) -> Explain:
    """``shap.TreeExplainer`` of the same model."""
    import lightgbm as lgb  # noqa: PLC0415
    import shap  # noqa: PLC0415

    booster = lgb.Booster(model_file=asked["model"])
    booster.params |= {"num_threads": 1, "objective": "binary"}
    explainer = shap.TreeExplainer(booster)
    explain: Explain = explainer.shap_values
    return explain


def open_xgboost(asked: dict[str, Any]) -> Explain:
    """XGBoost on a model of its own of the same size, learned from the same rows."""
    import xgboost as xgb  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415

    X, y = np.load(asked["X"]), np.load(asked["y"])
    types = ["c"] * asked["n_categories"] + ["q"] * (X.shape[1] - asked["n_categories"])

    def matrix(rows: Floats) -> Any:
        return xgb.DMatrix(rows, feature_types=types, enable_categorical=True, nthread=1)

    data = xgb.DMatrix(X, y, feature_types=types, enable_categorical=True)
    parameters = {"objective": "binary:logistic", "tree_method": "hist", "grow_policy": "lossguide", "max_leaves": 31}
    parameters |= {"max_depth": max(asked["max_depth"], 0), "eta": 0.1, "seed": 1}
    booster = xgb.train(parameters, data, asked["n_trees"])
    booster.set_param({"nthread": 1})
    return lambda X: booster.predict(matrix(X), pred_contribs=True)


def open_woodelf(asked: dict[str, Any]) -> Explain:
    """Woodelf-explainer, for batches; of models without native categories."""
    import lightgbm as lgb  # noqa: PLC0415
    import pandas as pd  # noqa: PLC0415
    from woodelf import WoodelfExplainer  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415

    booster = lgb.Booster(model_file=asked["model"])
    explainer = WoodelfExplainer(booster)
    return lambda X: explainer.shap_values(pd.DataFrame(X, columns=booster.feature_name()))


PEERS: dict[str, tuple[str, Callable[[dict[str, Any]], Explain]]] = {
    "lightgbm": ("lightgbm", open_lightgbm),
    "shap": ("shap", open_shap),
    "xgboost": ("xgboost", open_xgboost),
    "woodelf": ("woodelf-explainer", open_woodelf),
}


opened: dict[str, tuple[Explain, Floats]] = {}


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """Do what one line asks."""
    name = asked["peer"]
    distribution, open_peer = PEERS[name]
    if asked["do"] == "open":
        opened[name] = open_peer(asked), np.ascontiguousarray(np.load(asked["rows_file"]))
        explain, X = opened[name]
        explain(X[:64])  # compiled and loaded before any clock runs
        return {"version": importlib.metadata.version(distribution)}
    explain, X = opened[name]
    rows, calls = asked["rows"], asked["calls"]
    pieces = [X[i % (len(X) // rows) * rows :][:rows] for i in range(calls)]
    began = time.process_time()
    for piece in pieces:
        explain(piece)
    return {"cpu_s": time.process_time() - began}


if __name__ == "__main__":
    answer_lines(answer, sys.stdin)
