"""The random lot by intention: every draw counts, done or not.

A draw that was not done is not a random loss. A queue, the end of a shift or an officer who would rather not look
decide it, and what was let go may well be what mattered. Leaving such draws out quietly turns a random sample into
a chosen one. Here they stay in the count, and the answer is given three ways: with unknown outcomes as likely hits
as those of the same post and shift that were done; as if none of them were a hit; as if all were.

References
----------
Horvitz and Thompson (1952); Little and Rubin (2002), Statistical analysis with missing data, chapter 3 (weighting
classes); Manski (1990) and Imbens and Manski (2004) for bounds. "By intention" as in trials: Hollis and Campbell
(1999), What is meant by intention to treat analysis?
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chekara.errors import TrainingError
from chekara.evaluation.bootstrap import REPLICATES, Estimate, bootstrap, estimates
from chekara.evaluation.calibration import Z95, wilson_interval
from chekara.evaluation.closed_form import share_interval
from chekara.evaluation.order import Floats

Mask = npt.NDArray[np.bool_]
FEWEST_DONE_IN_CLASS = 20  # done draws that a post and shift needs to speak for its own draws that were not done


@dataclass(frozen=True, slots=True)
class DrawsOfGroup:
    """How many draws of one post or shift came to nothing.

    Attributes
    ----------
    group : str
    drawn, unknown : int
        Draws, and those among them without an outcome.
    share : float
        ``unknown / drawn``, in [0, 1].
    interval_95 : tuple of float
        Wilson bounds of the share.
    """

    group: str
    drawn: int
    unknown: int
    share: float
    interval_95: tuple[float, float]


@dataclass(frozen=True, slots=True)
class LotRate:
    """How often a harm occurs in all traffic, by the random lot.

    Attributes
    ----------
    drawn, unknown, hits : int
        Draws, those among them without an outcome, and hits.
    rate : Estimate
        Unknown outcomes at the rate of their class, bootstrap intervals; in [0, 1]; NaN without outcomes.
    closed_form_95 : tuple of float
        The same rate's bounds without resampling.
    bounds : tuple of float
        The rate if no unknown outcome were a hit, and if all were.
    bounds_95 : tuple of float
        Lowest and highest rate that sampling and unknown outcomes together leave open.
    """

    drawn: int
    unknown: int
    hits: int
    rate: Estimate
    closed_form_95: tuple[float, float]
    bounds: tuple[float, float]
    bounds_95: tuple[float, float]


def intention_weights(weight: npt.ArrayLike, is_known: npt.ArrayLike, group: npt.ArrayLike) -> Floats:
    """Let draws with an outcome stand for those of their post and shift without one.

    Parameters
    ----------
    weight : array-like of float, shape (n,)
        1 / propensity of every draw.
    is_known : array-like of bool, shape (n,)
        The draw was done and has an outcome.
    group : array-like, shape (n,)
        Class within which an outcome is taken to be missing at random (post and shift). Classes with fewer than 20
        outcomes share one.

    Returns
    -------
    ndarray of float64, shape (n,)
        0 where the outcome is unknown; sums to the weights of all draws, unless no outcome is known.

    Examples
    --------
    >>> intention_weights([10, 10, 10, 10], [True, True, True, False], ["a", "a", "b", "b"]).round(1).tolist()
    [13.3, 13.3, 13.3, 0.0]
    """
    w, known, of = _draws(weight, is_known, group)
    return _spread(w, known, of)


def lot_rate(
    hit: npt.ArrayLike,
    weight: npt.ArrayLike,
    group: npt.ArrayLike,
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> LotRate:
    """Estimate how often a harm occurs, from every draw.

    Parameters
    ----------
    hit : array-like of float, shape (n,)
        1.0, 0.0, or NaN where the draw gave no outcome.
    weight : array-like of float, shape (n,)
        1 / propensity.
    group : array-like, shape (n,)
        As in `intention_weights`.
    replicates, seed : int
        Of the bootstrap.

    Returns
    -------
    LotRate

    Raises
    ------
    TrainingError
        There are no draws, or weights that are not above 0.
    """
    y = np.asarray(hit, dtype=np.float64)
    w, known, of = _draws(weight, ~np.isnan(y), group)
    outcome = np.nan_to_num(y)
    nothing = float("nan")
    if not known.any():
        empty = Estimate(nothing, (nothing, nothing), (nothing, nothing))
        return LotRate(len(y), len(y), 0, empty, (0.0, 1.0), (0.0, 1.0), (0.0, 1.0))

    def rate_of(count: Floats) -> Floats:
        spread = _spread(w * count, known, of)
        return np.array([spread @ outcome / spread.sum() if spread.sum() > 0 else nothing])

    (rate,) = estimates(rate_of(np.ones(len(y))), bootstrap(rate_of, len(y), replicates=replicates, seed=seed))
    spread = _spread(w, known, of)
    low, high = (_mean_and_interval(filled, w) for filled in (outcome, np.where(known, outcome, 1.0)))
    return LotRate(
        drawn=len(y),
        unknown=int((~known).sum()),
        hits=int(outcome.sum()),
        rate=rate,
        closed_form_95=_mean_and_interval(outcome[known], spread[known])[1],
        bounds=(low[0], high[0]),
        bounds_95=(low[1][0], high[1][1]),
    )


def draws_by_group(
    group: Sequence[object] | npt.NDArray[np.object_], is_known: npt.ArrayLike
) -> tuple[DrawsOfGroup, ...]:
    """Count draws without an outcome in each group, largest share first.

    Parameters
    ----------
    group : sequence, length n
        Post or shift of each draw.
    is_known : array-like of bool, shape (n,)
        The draw was done and has an outcome.

    Returns
    -------
    tuple of DrawsOfGroup
    """
    names = np.array([str(name) for name in group], dtype=object)
    known = np.asarray(is_known, dtype=np.bool_)
    rows = []
    for name in sorted(set(names)):
        inside = names == name
        drawn, unknown = int(inside.sum()), int((inside & ~known).sum())
        rows.append(DrawsOfGroup(name, drawn, unknown, unknown / drawn, wilson_interval(unknown, drawn, Z95)))
    return tuple(sorted(rows, key=lambda row: -row.share))


def _draws(
    weight: npt.ArrayLike, is_known: npt.ArrayLike, group: npt.ArrayLike
) -> tuple[Floats, Mask, npt.NDArray[np.int64]]:
    """Check the draws; their classes as codes, 0 for all classes that are too small to speak for themselves."""
    w, known = np.asarray(weight, dtype=np.float64), np.asarray(is_known, dtype=np.bool_)
    names = np.asarray(group, dtype=object)
    if not len(w) == len(known) == len(names) or len(w) == 0:
        raise TrainingError("draws need one weight, outcome and group each, and there must be some", where="weight")
    if not bool((w > 0).all()):
        raise TrainingError("a draw weighs 1 / propensity, above 0", where="weight")
    _, codes = np.unique(np.array([str(name) for name in names]), return_inverse=True)
    is_large = np.bincount(codes, weights=known) >= FEWEST_DONE_IN_CLASS
    return w, known, np.where(is_large[codes], codes + 1, 0)


def _spread(weight: Floats, known: Mask, of: npt.NDArray[np.int64]) -> Floats:
    """Give the weight of unknown draws to the known ones of their class; to all of them where it has none left."""
    n = int(of.max()) + 1
    whole, told = np.bincount(of, weights=weight, minlength=n), np.bincount(of, weights=weight * known, minlength=n)
    factor = np.divide(whole, told, out=np.zeros(n), where=told > 0)
    orphaned = float(whole[told <= 0].sum())
    spread: Floats = np.where(known, weight * factor[of], 0.0)
    if orphaned > 0 and spread.sum() > 0:
        spread *= 1 + orphaned / float(spread.sum())
    return spread


def _mean_and_interval(outcome: Floats, weight: Floats) -> tuple[float, tuple[float, float]]:
    mean = float(np.average(outcome, weights=weight))
    error = float(np.sqrt(np.sum((weight * (outcome - mean)) ** 2)) / weight.sum())
    return mean, share_interval(mean, error, float(weight.sum() ** 2 / np.sum(weight**2)))
