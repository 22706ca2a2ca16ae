"""Intervals by resampling crossings, fast enough for a million rows.

Drawing n crossings with replacement gives each a count that is nearly Poisson(1) and nearly independent of the
others. Drawing those counts as *weights* leaves the ranking sorted: one sort serves every replicate. Crossings that
no figure tells apart need one draw together, Poisson(how many they are), and sums over very many crossings are
normal: hits are rare, so that a replicate costs what its hits cost, however long the history is.

References
----------
Efron and Tibshirani (1993), An introduction to the bootstrap. Chamandy et al. (2012), Estimating uncertainty for
massive data streams (the Poisson bootstrap).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, factorial

import numpy as np
import numpy.typing as npt

from chekara.errors import TrainingError

REPLICATES = 400
_BITS = 16
_MANY = 20_000  # from here on a sum of independent terms is drawn as a normal one with their mean and variance


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its uncertainty.

    Attributes
    ----------
    value : float
        NaN where the figure does not exist.
    interval_90, interval_95 : tuple of float
        Percentile bounds over the bootstrap replicates; NaN where too few replicates have the figure.
    """

    value: float
    interval_90: tuple[float, float]
    interval_95: tuple[float, float]


def bootstrap(
    statistic: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]],
    n: int | npt.NDArray[np.int64],
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> npt.NDArray[np.float64]:
    """Evaluate a statistic under resampled crossings.

    Parameters
    ----------
    statistic : callable
        Maps resampling counts, shape (n,), to an array of figures, shape (k,).
    n : int, or ndarray of int64, shape (n,)
        Number of crossings; or how many crossings each entry stands for, and then its count is their sum.
    replicates : int
    seed : int
        Same seed, same replicates.

    Returns
    -------
    ndarray of float64, shape (replicates, k)

    Raises
    ------
    TrainingError
        ``n`` or ``replicates`` is below 1.
    """
    if replicates < 1 or (n < 1 if isinstance(n, int) else len(n) < 1):
        raise TrainingError("a bootstrap needs at least one crossing and one replicate", where="replicates")
    rng = np.random.default_rng(seed)
    return np.stack([statistic(_counts(n, rng)) for _ in range(replicates)])


def bootstrap_sums(
    columns: npt.NDArray[np.float64],
    is_rare: npt.NDArray[np.bool_],
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> npt.NDArray[np.float64]:
    """Draw the sums of some columns under resampled crossings.

    Parameters
    ----------
    columns : ndarray of float64, shape (n, k)
    is_rare : ndarray of bool, shape (n,)
        Crossings that few sums rest on (hits): resampled one by one whatever their number. The others are drawn as
        one normal vector with their exact mean and covariance where there are more than 20,000.
    replicates : int
    seed : int
        Same seed, same replicates.

    Returns
    -------
    ndarray of float64, shape (replicates, k)
    """
    many = columns[~is_rare]
    one_by_one = columns[is_rare] if len(many) > _MANY else columns
    sums = bootstrap(lambda count: count @ one_by_one, len(one_by_one), replicates=replicates, seed=seed)
    if len(many) > _MANY:
        rng = np.random.default_rng([seed, 1])
        sums = sums + rng.multivariate_normal(many.sum(axis=0), many.T @ many, size=replicates, method="eigh")
    return sums


def estimates(values: npt.NDArray[np.float64], draws: npt.NDArray[np.float64]) -> tuple[Estimate, ...]:
    """Join figures with the spread of their bootstrap replicates.

    Parameters
    ----------
    values : ndarray of float64, shape (k,)
    draws : ndarray of float64, shape (replicates, k)

    Returns
    -------
    tuple of Estimate, length k
    """
    return tuple(_estimate(float(value), draws[:, j]) for j, value in enumerate(values))


def _estimate(value: float, draws: npt.NDArray[np.float64]) -> Estimate:
    known = draws[np.isfinite(draws)]
    # Below half of the replicates the percentiles describe the lucky draws only: say nothing instead.
    if len(known) * 2 < len(draws) or not np.isfinite(value):
        nothing = (float("nan"), float("nan"))
        return Estimate(value, nothing, nothing)
    low95, low90, high90, high95 = (float(q) for q in np.quantile(known, (0.025, 0.05, 0.95, 0.975)))
    return Estimate(value, (low90, high90), (low95, high95))


def _counts(n: int | npt.NDArray[np.int64], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    if not isinstance(n, int):
        return rng.poisson(n).astype(np.float64)
    return _POISSON_TABLE[rng.integers(0, len(_POISSON_TABLE), size=n, dtype=np.uint16, endpoint=False)]


def _poisson_table() -> npt.NDArray[np.float64]:
    """Poisson(1) counts by their quantile on a grid of 2**16: a look-up is five times as fast as a draw."""
    size = 2**_BITS
    upper = np.cumsum([exp(-1.0) / factorial(k) for k in range(12)])
    middle = (np.arange(size) + 0.5) / size
    counts: npt.NDArray[np.float64] = np.searchsorted(upper, middle).astype(np.float64)
    return counts


_POISSON_TABLE = _poisson_table()
