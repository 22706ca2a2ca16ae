"""Exact SHAP values of LightGBM models by quadrature, and the raw score from the same trees.

A leaf of value v is reached by the "team" S of known features with weight ``v * prod(b_j, j in S) *
prod(r_j, j not in S)``: ``b_j`` is 1 if the row satisfies every split on feature j along the path, ``r_j`` is the
product of the cover ratios of those splits (path-dependent SHAP: an unknown feature goes both ways, by training
cover). Averaged over the orders in which features may become known, the leaf counts for feature i with

    phi_i = v (b_i - r_i) * integral over t in [0, 1] of prod(t b_j + (1 - t) r_j, j != i),

for t may be read as the moment at which i becomes known, when every other feature is known with probability t. The
integrand is a polynomial in t of degree D - 1, D being the number of distinct features on the path, so
Gauss-Legendre quadrature with ceil(D / 2) points is exact. At each point the products of all leaves, and their sums
without one factor, come from one pass down and one pass up a tree (``plan.py`` has the factors, ``kernels.py`` the
passes). Nothing is subtracted that could cancel, so long paths with rare leaves stay exact.

References
----------
.. [1] S. Lundberg et al., "From local explanations to global understanding with explainable AI for trees",
   Nature Machine Intelligence 2, 2020: path-dependent TreeSHAP.
.. [2] P. Yu et al., "Linear TreeShap", NeurIPS 2022: leaf polynomials, and one pass down and up a tree.
.. [3] Quadrature TreeSHAP: XGBoost pull request 12106; shapiq issue 588: the integral at quadrature points.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from chekara.errors import BundleColumnsError, BundleRefusedError
from chekara.explain.kernels import Workspace, explain_rows, explain_singly, make_workspace, sum_leaves
from chekara.explain.plan import Plan, build_plan
from chekara.explain.trees import read_forest

Floats = npt.NDArray[np.float64]

_FEW_ROWS = 2
"""A block of eight rows, full or not, takes about the time of two and a half single ones."""


class QuadratureTreeShap:
    """Exact path-dependent SHAP values of a LightGBM model.

    Understands every split that LightGBM makes: numeric, categorical, all three ways of missing, either default
    direction. The model is read once; later changes of the booster are not seen. One object may be used by several
    threads at once (each has its own scratch arrays, and the interpreter's lock is released meanwhile).

    Parameters
    ----------
    booster : lightgbm.Booster or a fitted LGBMClassifier, LGBMRegressor, LGBMRanker
        A model of one output with constant leaves. Its best iteration counts, where it has one, as in ``predict``.

    Attributes
    ----------
    n_features : int
        Number of columns k that the model expects.
    plan : Plan
        Its trees as the kernels read them.
    expected_value : float
        Mean raw score of the training rows: the base value, last column of the contributions.

    Raises
    ------
    BundleRefusedError
        It is no fitted LightGBM model, is multi-class, has linear leaves, or its text cannot be read.

    Examples
    --------
    >>> import lightgbm, numpy
    >>> X = numpy.arange(200.0).reshape(100, 2)
    >>> data = lightgbm.Dataset(X, label=(X[:, 0] > 80).astype(float))
    >>> booster = lightgbm.train({"objective": "binary", "verbose": -1}, data, 3)
    >>> explainer = QuadratureTreeShap(booster)
    >>> explainer.contributions(X).shape
    (100, 3)
    >>> bool(abs(explainer.contributions(X).sum(axis=1) - booster.predict(X, raw_score=True)).max() < 1e-9)
    True
    """

    def __init__(self, booster: lgb.Booster | lgb.LGBMModel) -> None:
        forest = read_forest(_booster_of(booster))
        self.plan: Plan
        self.plan, self.expected_value = build_plan(forest)
        self.n_features = forest.n_features
        self._of_thread = threading.local()

    def contributions(self, X: npt.ArrayLike) -> Floats:
        """Explain rows.

        Parameters
        ----------
        X : array-like of float64, shape (n, k)
            Categories as codes; NaN for missing. A list of rows will do, and a frame of numbers alone.

        Returns
        -------
        ndarray of float64, shape (n, k + 1)
            SHAP values in units of the raw score (log-odds), the base value last: the layout of
            ``Booster.predict(X, pred_contrib=True)``. Rows sum to the raw score, so the score falls out of the
            same pass.

        Raises
        ------
        BundleColumnsError
            X has not k columns, or holds something else than numbers.
        """
        rows = self._checked(X)
        out = np.empty((len(rows), self.n_features + 1))
        out[:, -1] = self.expected_value
        self._run(explain_singly if len(rows) <= _FEW_ROWS else explain_rows, rows, out)
        return out

    def margins(self, X: npt.ArrayLike) -> Floats:
        """Raw scores of rows, the very numbers of ``Booster.predict(X, raw_score=True)``.

        Parameters
        ----------
        X : array-like of float64, shape (n, k)

        Returns
        -------
        ndarray of float64, shape (n,)

        Raises
        ------
        BundleColumnsError
            X has not k columns, or holds something else than numbers.
        """
        rows = self._checked(X)
        out = np.empty(len(rows))
        self._run(sum_leaves, rows, out)
        return out

    def warm(self) -> None:
        """Compile, or load from numba's cache, everything that this object will run, and touch its memory.

        Without it the first call pays (seconds if the cache folder, ``NUMBA_CACHE_DIR``, is empty). Argument types
        are always the same, so nothing is compiled afterwards.
        """
        for n_rows in (1, _FEW_ROWS + 1):
            self.contributions(np.zeros((n_rows, self.n_features)))
        self.margins(np.zeros((1, self.n_features)))

    def _checked(self, X: npt.ArrayLike) -> Floats:
        if not isinstance(X, np.ndarray):
            X = _array_of(X)
        if X.ndim != 2 or X.shape[1] != self.n_features:
            raise BundleColumnsError(
                f"the model takes rows of {self.n_features} columns, not an array of shape {X.shape}", where="X"
            )
        # Another layout, type or a read-only array would be another type to numba, and be compiled for.
        try:
            return np.require(X, dtype=np.float64, requirements=["C_CONTIGUOUS", "ALIGNED", "WRITEABLE"])
        except (TypeError, ValueError):
            raise _not_numbers() from None

    def _run(self, kernel: Callable[[Floats, Plan, Workspace, Floats], None], rows: Floats, out: Floats) -> None:
        work: Workspace | None = getattr(self._of_thread, "work", None)
        if work is None:
            work = self._of_thread.work = make_workspace(self.plan, self.n_features)
        kernel(rows, self.plan, work, out)


def _booster_of(model: lgb.Booster | lgb.LGBMModel) -> lgb.Booster:
    """Take the booster out of scikit-learn's wrapper; one that was not fitted has none."""
    booster = getattr(model, "booster_", model)
    if not isinstance(booster, lgb.Booster):
        raise BundleRefusedError(
            "not a fitted LightGBM model",
            where="booster",
            hint="give a lightgbm.Booster, or an LGBMClassifier after fit",
        )
    return booster


def _array_of(X: npt.ArrayLike) -> npt.NDArray[Any]:
    """Read what is no array yet. A category of pandas is refused: its values are not the codes that LightGBM counts."""
    if any(str(dtype) == "category" for dtype in np.ravel(getattr(X, "dtypes", ()))):
        raise _not_numbers()
    try:
        return np.asarray(X)
    except ValueError:  # rows of different lengths
        raise _not_numbers() from None


def _not_numbers() -> BundleColumnsError:
    return BundleColumnsError(
        "the model takes rows of numbers", where="X", hint="categories go in as the codes that the model was trained on"
    )
