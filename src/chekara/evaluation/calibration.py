"""Whether probabilities mean what they say: Brier score, reliability by bins, slope and intercept.

References
----------
Brier (1950); Murphy (1973) for skill; Cox (1958) for the slope and intercept of calibration; Wilson (1927) for
the interval of a share.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from chekara.errors import TrainingError

Floats = npt.NDArray[np.float64]
Z90 = 1.6448536269514722  # 95 % quantile of the normal: a two-sided 90 % interval
Z95 = 1.959963984540054
FEWEST_HITS = 200  # below it the slope of a reliability curve is noise: insufficient data
_NEWTON_STEPS = 100
_CLOSE_ENOUGH = 1e-10
_LARGEST_STEP = 5.0


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Crossings of similar probability, and how many of them were hits.

    Attributes
    ----------
    crossings : int
        Rows in the bin.
    mean_probability : float
        Mean of what was said, in [0, 1].
    hit_rate : float
        What happened, in [0, 1].
    interval_90 : tuple of float
        Wilson bounds of the hit rate.
    """

    crossings: int
    mean_probability: float
    hit_rate: float
    interval_90: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Reliability:
    """How far probabilities can be taken at their word.

    Attributes
    ----------
    bins : tuple of ReliabilityBin
        Equal counts, lowest probability first; equal probabilities share a bin.
    slope : float
        1 is right; below 1 the probabilities are too extreme; NaN where it cannot be fitted.
    intercept : float
        Of the same fit, log-odds; 0 is right.
    mean_probability, hit_rate : float
        Said and happened over all crossings.
    """

    bins: tuple[ReliabilityBin, ...]
    slope: float
    intercept: float
    mean_probability: float
    hit_rate: float


@dataclass(frozen=True, slots=True)
class ReliabilityLine:
    """The line of outcomes over the log-odds that were said, with its uncertainty.

    Attributes
    ----------
    slope, intercept : float
        1 and 0 are right.
    slope_95, intercept_95 : tuple of float
        Wald bounds.
    hits : int
        What it was fitted on.
    """

    slope: float
    intercept: float
    slope_95: tuple[float, float]
    intercept_95: tuple[float, float]
    hits: int


def wilson_interval(hits: float, n: float, z: float = Z90) -> tuple[float, float]:
    """Bounds of a share by Wilson's score, which stays inside [0, 1] and works at 0 hits.

    Parameters
    ----------
    hits, n : float
        Hits among ``n`` (effective counts where rows are weighted).
    z : float
        Normal quantile; the default gives 90 %.

    Returns
    -------
    tuple of float
        ``(0.0, 1.0)`` where ``n`` is 0: nothing is known.

    Examples
    --------
    >>> low, high = wilson_interval(0, 12)
    >>> low, round(high, 3)
    (0.0, 0.184)
    """
    if n <= 0:
        return 0.0, 1.0
    share = hits / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)))
    low = 0.0 if hits <= 0 else max(0.0, centre - half)
    high = 1.0 if hits >= n else min(1.0, centre + half)
    return low, high


def brier_loss(hit: npt.ArrayLike, probability: npt.ArrayLike, weight: npt.ArrayLike | None = None) -> float:
    """Mean squared distance between probability and outcome; 0 is perfect.

    Parameters
    ----------
    hit : array-like of bool, shape (n,)
    probability : array-like of float in [0, 1], shape (n,)
    weight : array-like of float, shape (n,), optional

    Returns
    -------
    float in [0, 1]

    Raises
    ------
    TrainingError
        Lengths differ, nothing was given, or a probability lies outside [0, 1].

    Examples
    --------
    >>> brier_loss([1, 0], [0.5, 0.0])
    0.125
    """
    y, p, w = _checked(hit, probability, weight)
    return float(np.average((p - y) ** 2, weights=w))


def brier_skill_score(hit: npt.ArrayLike, probability: npt.ArrayLike, weight: npt.ArrayLike | None = None) -> float:
    """Share of the Brier loss of always saying the base rate that is saved; 1 is perfect, 0 no better.

    Parameters
    ----------
    hit, probability, weight : array-like, shape (n,)
        As in `brier_loss`, as are the errors.

    Returns
    -------
    float
        At most 1; negative where the base rate alone is better; NaN where all outcomes are equal.
    """
    y, p, w = _checked(hit, probability, weight)
    base = float(np.average(y, weights=w))
    reference = base * (1 - base)
    if reference <= 0:
        return float("nan")
    return 1.0 - float(np.average((p - y) ** 2, weights=w)) / reference


def reliability(
    hit: npt.ArrayLike, probability: npt.ArrayLike, *, bins: int = 10, weight: npt.ArrayLike | None = None
) -> Reliability:
    """Compare what was said with what happened.

    Parameters
    ----------
    hit : array-like of bool, shape (n,)
    probability : array-like of float in [0, 1], shape (n,)
    bins : int
        Wanted number of bins of equal count; fewer where probabilities repeat or there are few crossings.
    weight : array-like of float, shape (n,), optional
        How many crossings each row stands for. Intervals use Kish's effective count.

    Returns
    -------
    Reliability

    Raises
    ------
    TrainingError
        As in `brier_loss`, or ``bins`` is below 1.
    """
    if bins < 1:
        raise TrainingError("needs at least one bin", where="bins")
    y, p, w = _checked(hit, probability, weight)
    order = np.argsort(p, kind="stable")
    y, p, w = y[order], p[order], w[order]
    slope, intercept = _slope_and_intercept(y, p, w)
    return Reliability(
        bins=tuple(_bin(y[a:b], p[a:b], w[a:b]) for a, b in _bin_bounds(p, bins)),
        slope=slope,
        intercept=intercept,
        mean_probability=float(np.average(p, weights=w)),
        hit_rate=float(np.average(y, weights=w)),
    )


def reliability_line(hit: npt.ArrayLike, probability: npt.ArrayLike) -> ReliabilityLine | None:
    """Fit outcomes on the log-odds that were said (logistic regression), with bounds.

    Parameters
    ----------
    hit : array-like of bool, shape (n,)
    probability : array-like of float in [0, 1], shape (n,)

    Returns
    -------
    ReliabilityLine or None
        None under 200 hits, or where there is no finite line: insufficient data.

    Raises
    ------
    TrainingError
        As in `brier_loss`.

    Examples
    --------
    >>> said = np.repeat([0.2, 0.6], 1000)
    >>> happened = np.concatenate([np.arange(1000) < 200, np.arange(1000) < 600])
    >>> round(reliability_line(happened, said).slope, 6), reliability_line(happened[:900], said[:900]) is None
    (1.0, True)
    """
    y, p, w = _checked(hit, probability, None)
    fitted = _fit_line(y, p, w) if y.sum() >= FEWEST_HITS else None
    if fitted is None:
        return None
    (slope, intercept), curvature = fitted
    off_slope, off_intercept = Z95 * np.sqrt(np.diag(np.linalg.inv(curvature)))
    return ReliabilityLine(
        slope=float(slope),
        intercept=float(intercept),
        slope_95=(float(slope - off_slope), float(slope + off_slope)),
        intercept_95=(float(intercept - off_intercept), float(intercept + off_intercept)),
        hits=int(y.sum()),
    )


def _bin_bounds(ranked: Floats, bins: int) -> list[tuple[int, int]]:
    """Cut at equal counts, each cut moved to the end of its run of equal probabilities."""
    wanted = np.linspace(0, len(ranked), bins + 1).round().astype(np.int64)[1:-1]
    inner = wanted[(wanted > 0) & (wanted < len(ranked))]
    cuts = np.searchsorted(ranked, ranked[inner - 1], side="right")
    edges = np.unique(np.concatenate([[0], cuts, [len(ranked)]]))
    return [(int(a), int(b)) for a, b in pairwise(edges)]


def _bin(y: Floats, p: Floats, w: Floats) -> ReliabilityBin:
    if w.sum() <= 0:
        return ReliabilityBin(len(y), float(p.mean()), float("nan"), (0.0, 1.0))
    rate = float(np.average(y, weights=w))
    effective = float(w.sum() ** 2 / np.sum(w * w))
    return ReliabilityBin(len(y), float(np.average(p, weights=w)), rate, wilson_interval(rate * effective, effective))


def _slope_and_intercept(y: Floats, p: Floats, w: Floats) -> tuple[float, float]:
    fitted = _fit_line(y, p, w)
    return (float("nan"), float("nan")) if fitted is None else (float(fitted[0][0]), float(fitted[0][1]))


def _fit_line(y: Floats, p: Floats, w: Floats) -> tuple[Floats, Floats] | None:
    """Logistic regression of the outcome on the log-odds of the probability, by Newton's method.

    Returns slope and intercept, and their information matrix; None where no finite line exists.
    """
    inside = np.clip(p, 1e-12, 1 - 1e-12)
    design = np.column_stack([np.log(inside / (1 - inside)), np.ones(len(p))])
    if np.ptp(design[:, 0]) <= 0 or not 0 < np.average(y, weights=w) < 1:
        return None
    beta = np.array([1.0, 0.0])
    for _ in range(_NEWTON_STEPS):
        fitted = 1.0 / (1.0 + np.exp(-np.clip(design @ beta, -700, 700)))
        curvature = (design * (w * fitted * (1 - fitted))[:, None]).T @ design
        try:
            step = np.linalg.solve(curvature, design.T @ (w * (y - fitted)))
        except np.linalg.LinAlgError:
            return None
        size = float(np.abs(step).max())
        beta = beta + (step if size <= _LARGEST_STEP else step * (_LARGEST_STEP / size))
        if size < _CLOSE_ENOUGH:
            return beta, curvature
    return None  # outcomes perfectly separated by the probability: no finite slope


def _checked(
    hit: npt.ArrayLike, probability: npt.ArrayLike, weight: npt.ArrayLike | None
) -> tuple[Floats, Floats, Floats]:
    y, p = np.asarray(hit, dtype=np.float64), np.asarray(probability, dtype=np.float64)
    w = np.ones(y.shape) if weight is None else np.asarray(weight, dtype=np.float64)
    if y.ndim != 1 or len(y) == 0 or y.shape != p.shape or y.shape != w.shape:
        raise TrainingError("outcomes, probabilities and weights must be plain arrays of one length, not empty")
    if not bool(((p >= 0) & (p <= 1)).all()):
        raise TrainingError("probabilities must lie in [0, 1]", where="probability")
    if not bool((w >= 0).all()) or w.sum() <= 0:
        raise TrainingError("weights must be at least 0, and not all 0", where="weight")
    return y, p, w
