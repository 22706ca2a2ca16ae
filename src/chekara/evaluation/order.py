"""Outcomes in the order of their score, and what that order finds. Ties are settled in expectation.

A service inspects the highest scores first until its capacity is used up. Where equal scores straddle that cut,
somebody has to choose among them, and any fixed choice (file order, say) flatters or slanders the score. All
statistics here are therefore means over every order of the tied crossings, in closed form: within a block of equal
scores, hits and amounts come in proportion to the capacity spent on it.

A constant score is thus exactly chance: precision is the base rate, recall is the share inspected, AUC is one half.

References
----------
McSherry and Najork (2008), Computing information retrieval performance measures efficiently in the presence of
tied scores. Fawcett (2006), An introduction to ROC analysis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chekara.errors import TrainingError

Floats = npt.NDArray[np.float64]
CAPACITY_SHARES = (0.01, 0.02, 0.05, 0.10)


@dataclass(frozen=True, slots=True)
class Ranking:
    """Outcomes sorted once by score, highest first, with the blocks of equal scores.

    Attributes
    ----------
    order : ndarray of int64, shape (n,)
        Row of the input at each place of the ranking.
    hit : ndarray of float64, shape (n,)
        1 for a hit, 0 for none, in ranking order.
    weight : ndarray of float64, shape (n,)
        How many crossings each row stands for (``1 / propensity`` on a random sample), in ranking order.
    amount : ndarray of float64, shape (n,), or None
        What a hit yields (revenue recovered), in ranking order; unknown amounts are 0.
    block_end : ndarray of int64, shape (m,)
        Last place of every block of equal scores.
    """

    order: npt.NDArray[np.int64]
    hit: Floats
    weight: Floats
    amount: Floats | None
    block_end: npt.NDArray[np.int64]

    def condensed(self) -> tuple[Ranking, npt.NDArray[np.int64]]:
        """Put crossings together that no statistic tells apart.

        Misses of equal weight in one block are alike; and so are blocks without any hit that follow each other,
        because nothing is found between them: no statistic changes, and only about two entries per hit remain.

        Returns
        -------
        ranking : Ranking
            One entry per group; ``weight`` is that of each of its members, ``order`` the row of its first one.
        size : ndarray of int64
            Members of each group: ``ranking.statistics(ranking.weight * size)`` equals ``self.statistics()``.
        """
        starts = np.concatenate([[0], self.block_end[:-1] + 1])
        is_told_apart = self.hit != 0 if self.amount is None else (self.hit != 0) | (self.amount != 0)
        finds = np.logical_or.reduceat(is_told_apart, starts)
        begins = finds | np.concatenate([[True], finds[:-1]])
        block = np.repeat(np.cumsum(begins), np.diff(np.concatenate([starts, [len(self.hit)]])))
        # Every hit is a group of its own; misses are grouped by block and weight.
        kind = np.where(is_told_apart, np.cumsum(is_told_apart), 0)
        _, weight_code = np.unique(self.weight, return_inverse=True)
        order = np.lexsort((weight_code, kind, block))
        keys = np.stack([block[order], kind[order], weight_code[order]])
        is_first = np.concatenate([[True], (keys[:, 1:] != keys[:, :-1]).any(axis=0)])
        size = np.diff(np.concatenate([np.flatnonzero(is_first), [len(order)]]))
        rows = order[is_first]
        groups = block[rows]
        block_end = np.append(np.flatnonzero(groups[1:] != groups[:-1]), len(groups) - 1)
        amount = None if self.amount is None else self.amount[rows]
        return Ranking(self.order[rows], self.hit[rows], self.weight[rows], amount, block_end), size

    def statistics(self, weight: Floats | None = None, shares: Sequence[float] = CAPACITY_SHARES) -> RankingStatistics:
        """Compute every statistic of the ranking in one pass.

        Parameters
        ----------
        weight : ndarray of float64, shape (n,), optional
            Weights to use instead of ``self.weight`` (a bootstrap draw), in ranking order.
        shares : sequence of float in (0, 1]
            Shares of all crossings that can be inspected.

        Returns
        -------
        RankingStatistics
            NaN where a statistic does not exist (AUC without negatives, recall without hits).
        """
        w = self.weight if weight is None else weight
        crossings = _cumulative(w, self.block_end)
        hits = _cumulative(w * self.hit, self.block_end)
        capacity = np.asarray(shares, dtype=np.float64) * crossings[-1]
        # Linear interpolation between block ends *is* the mean over all orders within a block.
        found = np.interp(capacity, crossings, hits)
        amounts = None if self.amount is None else _cumulative(w * self.amount, self.block_end)
        return RankingStatistics(
            inspected=capacity,
            found=found,
            hits=float(hits[-1]),
            crossings=float(crossings[-1]),
            amount_found=None if amounts is None else np.interp(capacity, crossings, amounts),
            amount=None if amounts is None else float(amounts[-1]),
            auc=_auc(crossings, hits),
            average_precision=_average_precision(crossings, hits),
        )


@dataclass(frozen=True, slots=True)
class RankingStatistics:
    """What a ranking finds, as weighted counts.

    Attributes
    ----------
    inspected, found : ndarray of float64, shape (n_shares,)
        Crossings inspected at each capacity, and the hits expected among them.
    hits, crossings : float
        All hits and all crossings.
    amount_found : ndarray of float64, shape (n_shares,), or None
        Amount (currency) expected from the crossings inspected.
    amount : float or None
        Amount of all hits.
    auc : float
        Probability that a hit scores above a non-hit, ties half; NaN without both.
    average_precision : float
        Mean precision at the hits, equal scores sharing one threshold; NaN without hits.
    """

    inspected: Floats
    found: Floats
    hits: float
    crossings: float
    amount_found: Floats | None
    amount: float | None
    auc: float
    average_precision: float

    @property
    def base_rate(self) -> float:
        """Share of hits among all crossings, in [0, 1]; NaN without crossings."""
        return self.hits / self.crossings if self.crossings > 0 else float("nan")

    @property
    def precision(self) -> Floats:
        """Share of hits among the inspected, in [0, 1]; shape (n_shares,)."""
        return _divided(self.found, self.inspected)

    @property
    def recall(self) -> Floats:
        """Share of all hits that is found, in [0, 1]; shape (n_shares,)."""
        return _divided(self.found, self.hits)

    @property
    def lift(self) -> Floats:
        """Precision over the base rate; 1 is chance; shape (n_shares,)."""
        return _divided(self.precision, self.base_rate)

    @property
    def amount_recall(self) -> Floats | None:
        """Share of the whole amount that is found, in [0, 1]; None where no amounts were given."""
        if self.amount_found is None or self.amount is None:
            return None
        return _divided(self.amount_found, self.amount)


@dataclass(frozen=True, slots=True)
class RankingCurves:
    """Points of the gain and precision-recall curves, one per block of equal scores.

    Attributes
    ----------
    inspected_share, recall, precision : ndarray of float64, shape (m + 1,)
        From nothing inspected (first point) to everything. The first precision repeats the second.
    amount_recall : ndarray of float64, shape (m + 1,), or None
        Share of the whole amount that is found; None where no amounts were given.
    """

    inspected_share: Floats
    recall: Floats
    precision: Floats
    amount_recall: Floats | None


def rank_outcomes(
    hit: npt.ArrayLike,
    score: npt.ArrayLike,
    *,
    amount: npt.ArrayLike | None = None,
    weight: npt.ArrayLike | None = None,
) -> Ranking:
    """Sort outcomes by score.

    Parameters
    ----------
    hit : array-like of bool, shape (n,)
        Whether each crossing was a hit. Only crossings with a known outcome belong here.
    score : array-like of float, shape (n,)
        Higher means inspected earlier. Infinite is allowed, NaN is not.
    amount : array-like of float, shape (n,), optional
        What a hit yields, currency; NaN counts as 0.
    weight : array-like of float >= 0, shape (n,), optional
        How many crossings each row stands for; default 1.

    Returns
    -------
    Ranking

    Raises
    ------
    TrainingError
        Arrays are empty, of different lengths, or hold NaN or negative weights.
    """
    hits, scores = _column(hit, "hit"), _column(score, "score")
    weights = np.ones(len(hits)) if weight is None else _column(weight, "weight")
    amounts = None if amount is None else np.nan_to_num(np.asarray(amount, dtype=np.float64), nan=0.0)
    if len(hits) == 0:
        raise TrainingError("no crossing with a known outcome to judge", where="hit", hint="use a longer test slice")
    columns = {"score": scores, "weight": weights, **({} if amounts is None else {"amount": amounts})}
    for name, column in columns.items():
        if column.shape != hits.shape:
            raise TrainingError("arrays differ in length", where=name, hint="give one value per crossing")
    if (weights < 0).any() or weights.sum() <= 0:
        raise TrainingError("weights must be at least 0, and not all 0", where="weight")
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    block_end = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)
    return Ranking(order, hits[order], weights[order], None if amounts is None else amounts[order], block_end)


def curves_of(ranking: Ranking) -> RankingCurves:
    """Return the gain and precision-recall curves of a ranking."""
    crossings = _cumulative(ranking.weight, ranking.block_end)
    hits = _cumulative(ranking.weight * ranking.hit, ranking.block_end)
    precision = _divided(hits[1:], crossings[1:])
    amounts = None if ranking.amount is None else _cumulative(ranking.weight * ranking.amount, ranking.block_end)
    return RankingCurves(
        inspected_share=crossings / crossings[-1],
        recall=_divided(hits, hits[-1]),
        precision=np.concatenate([precision[:1], precision]),
        amount_recall=None if amounts is None else _divided(amounts, amounts[-1]),
    )


def _cumulative(values: Floats, block_end: npt.NDArray[np.int64]) -> Floats:
    """Sum from the top to the end of each block, with a leading 0; shape (m + 1,)."""
    return np.concatenate([np.zeros(1), np.cumsum(values)[block_end]])


def _auc(crossings: Floats, hits: Floats) -> float:
    misses = crossings - hits
    if hits[-1] <= 0 or misses[-1] <= 0:
        return float("nan")
    # Area under (misses, hits) by trapezoids: a tied block is a straight line, hence "ties half".
    return float(np.trapezoid(hits, misses) / (hits[-1] * misses[-1]))


def _average_precision(crossings: Floats, hits: Floats) -> float:
    if hits[-1] <= 0:
        return float("nan")
    precision = _divided(hits[1:], crossings[1:])
    return float(np.sum(np.diff(hits) * np.nan_to_num(precision)) / hits[-1])


def _divided(numerator: Floats, denominator: Floats | float) -> Floats:
    """Quotient with NaN, not a warning, where the denominator is 0."""
    below = np.broadcast_to(np.asarray(denominator, dtype=np.float64), numerator.shape)
    quotient: Floats = np.divide(numerator, below, out=np.full(numerator.shape, np.nan), where=below > 0)
    return quotient


def _column(values: npt.ArrayLike, name: str) -> Floats:
    column = np.asarray(values, dtype=np.float64)
    if column.ndim != 1:
        raise TrainingError("needs a plain array with one value per crossing", where=name)
    if np.isnan(column).any():
        raise TrainingError("holds NaN", where=name, hint="judge only crossings that have a score and a known outcome")
    return column
