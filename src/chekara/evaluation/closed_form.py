"""Intervals of ranking figures without resampling: the bootstrap's cross-check, and its stand-in for single numbers.

Each figure is a smooth function of weighted means, so its error is that of the mean of its *influence*: what one
crossing more would change (the delta method; for the area under the curve these are DeLong's placements). A capacity
is a quantile of the scores, which moves with the sample, too: hence the term with the share of hits at the cut.

References
----------
Hájek (1971) for the weighted mean; Särndal, Swensson and Wretman (1992), Model assisted survey sampling, chapter 5;
DeLong, DeLong and Clarke-Pearson (1988) for the area; Korn and Graubard (1998) for few hits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chekara.evaluation.calibration import Z95, wilson_interval
from chekara.evaluation.order import CAPACITY_SHARES, Floats, Ranking

Interval = tuple[float, float]
_NEIGHBOURHOOD = 0.25  # of a capacity on either side of its cut: there the share of hits at the cut is read


@dataclass(frozen=True, slots=True)
class ClosedForm:
    """95 % intervals of a ranking's figures.

    Attributes
    ----------
    base_rate, auc : tuple of float
    precision, recall : tuple of (low, high)
        One per capacity.
    """

    base_rate: Interval
    auc: Interval
    precision: tuple[Interval, ...]
    recall: tuple[Interval, ...]


def closed_form(ranking: Ranking, shares: Sequence[float] = CAPACITY_SHARES) -> ClosedForm:
    """Compute 95 % intervals from one pass over a ranking.

    Parameters
    ----------
    ranking : Ranking
        Weighted by 1 / propensity where it is a sample.
    shares : sequence of float in (0, 1]

    Returns
    -------
    ClosedForm
        ``(nan, nan)`` where a figure does not exist.
    """
    w, y = ranking.weight, ranking.hit
    statistics = ranking.statistics(shares=shares)
    base = statistics.base_rate
    n_hits = _effective(w[y > 0])
    precision, recall = [], []
    for place, share in enumerate(shares):
        inside, rate_at_cut = _inside(ranking, share)
        p, r = float(statistics.precision[place]), float(statistics.recall[place])
        # What is found, as a share of all crossings: itself, less what the cut gives up as it moves.
        found = y * inside - rate_at_cut * (inside - share)
        precision.append(share_interval(p, _error(w, (found - p * share) / share), _effective(w[inside > 0])))
        if base > 0:
            recall.append(share_interval(r, _error(w, (found - r * y) / base), n_hits))
        else:
            recall.append((float("nan"), float("nan")))
    return ClosedForm(
        base_rate=share_interval(base, _error(w, y - base), _effective(w)),
        auc=_auc_interval(ranking, statistics.auc),
        precision=tuple(precision),
        recall=tuple(recall),
    )


def share_interval(share: float, error: float, n_effective: float, z: float = Z95) -> Interval:
    """Bounds of a share whose standard error is known: Wilson's, with the count that has this error.

    Parameters
    ----------
    share : float in [0, 1]
    error : float
        Standard error; where it is 0 (no hit, or nothing else) the effective count speaks alone.
    n_effective : float
        Kish's count of the rows behind the share.
    z : float
        Normal quantile; the default gives 95 %.

    Returns
    -------
    tuple of float

    Examples
    --------
    >>> low, high = share_interval(0.2, 0.04, 100)
    >>> round(low, 3), round(high, 3)
    (0.133, 0.289)
    """
    if not np.isfinite(share):
        return float("nan"), float("nan")
    n = share * (1 - share) / error**2 if error > 0 and 0 < share < 1 else n_effective
    return wilson_interval(share * n, n, z)


def _auc_interval(ranking: Ranking, auc: float) -> Interval:
    if not np.isfinite(auc):
        return float("nan"), float("nan")
    w, y = ranking.weight, ranking.hit
    above_hits, above_misses = _placements(ranking, w * y), _placements(ranking, w * (1 - y))
    hits, misses = float(w @ y), float(w @ (1 - y))
    # A hit's placement is the share of misses below it; a miss's the share of hits above it.
    placement = np.where(y > 0, 1 - above_misses / misses, above_hits / hits)
    side = np.where(y > 0, hits, misses)
    error = float(np.sqrt(np.sum((w * (placement - auc) / side) ** 2)))
    return share_interval(auc, error, min(_effective(w[y > 0]), _effective(w[y <= 0])))


def _placements(ranking: Ranking, mass: Floats) -> Floats:
    """Mass that scores above each row, that of its own block counted half."""
    upto = np.cumsum(mass)[ranking.block_end]
    within = np.diff(np.concatenate([[0.0], upto]))
    rows = np.diff(np.concatenate([[-1], ranking.block_end]))
    placed: Floats = np.repeat(upto - within / 2, rows)
    return placed


def _inside(ranking: Ranking, share: float) -> tuple[Floats, float]:
    """Part of each row that is inspected at a capacity, and the share of hits among rows at its cut."""
    w, y = ranking.weight, ranking.hit
    upto = np.concatenate([[0.0], np.cumsum(w)[ranking.block_end]])
    capacity = share * upto[-1]
    block = min(int(np.searchsorted(upto[1:], capacity)), len(ranking.block_end) - 1)
    held = upto[block + 1] - upto[block]
    part = (capacity - upto[block]) / held if held > 0 else 0.0
    rows = np.diff(np.concatenate([[-1], ranking.block_end]))
    of_block = np.where(np.arange(len(rows)) < block, 1.0, 0.0)
    of_block[block] = part
    ends = np.cumsum(w)
    near = (ends >= capacity * (1 - _NEIGHBOURHOOD)) & (ends - w <= capacity * (1 + _NEIGHBOURHOOD))
    start = ranking.block_end[block] - rows[block] + 1
    near[start : ranking.block_end[block] + 1] = True
    at_cut = float(w[near] @ y[near] / w[near].sum()) if w[near].sum() > 0 else 0.0
    return np.repeat(of_block, rows), at_cut


def _error(weight: Floats, influence: Floats) -> float:
    return float(np.sqrt(np.sum((weight * influence) ** 2)) / weight.sum())


def _effective(weight: Floats) -> float:
    """Kish's count: how many equally weighted rows tell as much."""
    return float(weight.sum() ** 2 / np.sum(weight**2)) if weight.any() else 0.0
