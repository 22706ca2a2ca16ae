"""Exact SHAP values of LightGBM models by quadrature."""

from __future__ import annotations

from pathlib import Path

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class QuadratureTreeShap:
    """Exact path-dependent SHAP values of a LightGBM model (bodies follow)."""

    def __init__(self, booster: lgb.Booster | str | Path) -> None:
        if not isinstance(booster, lgb.Booster):
            booster = lgb.Booster(model_file=str(booster))
        self._booster = booster

    def contributions(self, X: Floats) -> Floats:
        """SHAP values, float64 of shape (n, k + 1), the base value last."""
        return np.asarray(self._booster.predict(X, pred_contrib=True), dtype=np.float64)

    def margins(self, X: Floats) -> Floats:
        """Raw scores, float64 of shape (n,)."""
        return np.asarray(self._booster.predict(X, raw_score=True), dtype=np.float64)

    def warm(self) -> None:
        """Compile everything that scoring needs."""
