"""How well a score ranks: hits found within a capacity, area under the curves, with intervals.

``order`` holds the statistics (ties in expectation) and ``bootstrap`` the resampling; this module joins the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chekara.errors import TrainingError
from chekara.evaluation.bootstrap import REPLICATES, Estimate, bootstrap, estimates
from chekara.evaluation.closed_form import ClosedForm, closed_form
from chekara.evaluation.order import CAPACITY_SHARES, Floats, RankingStatistics, rank_outcomes


@dataclass(frozen=True, slots=True)
class CapacityRow:
    """What is found when a share of all crossings can be inspected, highest scores first.

    Attributes
    ----------
    share : float
        Share of crossings inspected, in (0, 1].
    inspected, found : float
        Crossings inspected and hits expected among them (weighted; the last crossing may count in part).
    precision, recall : Estimate
        Hits among the inspected; share of all hits that is found. In [0, 1].
    lift : Estimate
        Precision over the base rate; 1 is chance.
    amount, amount_recall : Estimate or None
        Amount found (currency) and its share of the whole amount; None where no amounts were given.
    """

    share: float
    inspected: float
    found: float
    precision: Estimate
    recall: Estimate
    lift: Estimate
    amount: Estimate | None
    amount_recall: Estimate | None


@dataclass(frozen=True, slots=True)
class RankingQuality:
    """Everything that one pass over a ranking says.

    Attributes
    ----------
    crossings, hits, base_rate : float
        Weighted counts, and hits over crossings.
    capacity : tuple of CapacityRow
    auc, average_precision : Estimate
    closed_form : ClosedForm
        95 % intervals without resampling, at the same capacities.
    """

    crossings: float
    hits: float
    base_rate: float
    capacity: tuple[CapacityRow, ...]
    auc: Estimate
    average_precision: Estimate
    closed_form: ClosedForm


def judge_ranking(
    hit: npt.ArrayLike,
    score: npt.ArrayLike,
    *,
    shares: Sequence[float] = CAPACITY_SHARES,
    amount: npt.ArrayLike | None = None,
    weight: npt.ArrayLike | None = None,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> RankingQuality:
    """Judge a score on crossings whose outcome is known.

    Parameters
    ----------
    hit, score, amount, weight : array-like, shape (n,)
        As in `chekara.evaluation.order.rank_outcomes`.
    shares : sequence of float in (0, 1]
        Shares of all crossings that can be inspected.
    replicates : int
        Bootstrap replicates behind the intervals.
    seed : int
        Same seed, same intervals.

    Returns
    -------
    RankingQuality

    Raises
    ------
    TrainingError
        The arrays cannot be used, or a share lies outside (0, 1].
    """
    if not shares or not all(0 < share <= 1 for share in shares):
        raise TrainingError("capacities are shares above 0 and at most 1", where="shares")
    ranking = rank_outcomes(hit, score, amount=amount, weight=weight)
    statistics = ranking.statistics(shares=shares)
    condensed, size = ranking.condensed()
    draws = bootstrap(
        lambda count: _flat(condensed.statistics(condensed.weight * count, shares)),
        size,
        replicates=replicates,
        seed=seed,
    )
    flat = estimates(_flat(statistics), draws)
    return RankingQuality(
        crossings=statistics.crossings,
        hits=statistics.hits,
        base_rate=statistics.base_rate,
        capacity=_rows(shares, statistics, flat[2:]),
        auc=flat[0],
        average_precision=flat[1],
        closed_form=closed_form(ranking, shares),
    )


def at_capacity(
    hit: npt.ArrayLike,
    score: npt.ArrayLike,
    shares: Sequence[float] = CAPACITY_SHARES,
    amount: npt.ArrayLike | None = None,
    weight: npt.ArrayLike | None = None,
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> tuple[CapacityRow, ...]:
    """Return precision, recall, lift and amount at each capacity.

    A capacity need not be a whole number of crossings: the last one then counts in part.

    Parameters
    ----------
    hit, score, shares, amount, weight, replicates, seed
        As in `judge_ranking`, as are the errors.

    Returns
    -------
    tuple of CapacityRow
        One per share.

    Examples
    --------
    >>> row = at_capacity([1, 0, 0, 0], [0.5, 0.5, 0.1, 0.1], shares=(0.25,))[0]
    >>> row.precision.value, row.recall.value, row.lift.value
    (0.5, 0.5, 2.0)
    """
    return judge_ranking(
        hit, score, shares=shares, amount=amount, weight=weight, replicates=replicates, seed=seed
    ).capacity


def auc(hit: npt.ArrayLike, score: npt.ArrayLike, weight: npt.ArrayLike | None = None) -> float:
    """Return the probability that a hit scores above a non-hit, ties half.

    Parameters
    ----------
    hit, score, weight : array-like, shape (n,)
        As in `rank_outcomes`.

    Returns
    -------
    float in [0, 1]
        NaN where there are no hits or no non-hits.

    Examples
    --------
    >>> auc([1, 0, 1, 0], [0.9, 0.2, 0.5, 0.5])
    0.875
    """
    return rank_outcomes(hit, score, weight=weight).statistics().auc


def average_precision(hit: npt.ArrayLike, score: npt.ArrayLike, weight: npt.ArrayLike | None = None) -> float:
    """Return the mean precision at the hits; equal scores share one threshold, as in scikit-learn.

    Parameters
    ----------
    hit, score, weight : array-like, shape (n,)
        As in `rank_outcomes`.

    Returns
    -------
    float in [0, 1]
        NaN where there are no hits.

    Examples
    --------
    >>> average_precision([1, 0, 1, 0], [4.0, 3.0, 2.0, 1.0])
    0.8333333333333333
    """
    return rank_outcomes(hit, score, weight=weight).statistics().average_precision


def _flat(statistics: RankingStatistics) -> Floats:
    """AUC, average precision, then one run of shares for each capacity figure."""
    runs = [statistics.precision, statistics.recall, statistics.lift]
    if statistics.amount_found is not None and statistics.amount_recall is not None:
        runs += [statistics.amount_found, statistics.amount_recall]
    return np.concatenate([[statistics.auc, statistics.average_precision], *runs])


def _rows(
    shares: Sequence[float], statistics: RankingStatistics, flat: tuple[Estimate, ...]
) -> tuple[CapacityRow, ...]:
    n = len(shares)
    runs = [flat[start : start + n] for start in range(0, len(flat), n)]
    has_amounts = len(runs) > 3
    return tuple(
        CapacityRow(
            share=float(share),
            inspected=float(statistics.inspected[j]),
            found=float(statistics.found[j]),
            precision=runs[0][j],
            recall=runs[1][j],
            lift=runs[2][j],
            amount=runs[3][j] if has_amounts else None,
            amount_recall=runs[4][j] if has_amounts else None,
        )
        for j, share in enumerate(shares)
    )
