"""Naive and corrected figures side by side: what inspected crossings say, and what all traffic says.

Inspected crossings were chosen because they looked suspicious. Figures on them answer how well a score orders what
past selection liked; figures on the random lot, weighted by 1 / propensity, answer how well it orders the border.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from rich.table import Table

from chekara.evaluation.bootstrap import Estimate
from chekara.evaluation.closed_form import Interval
from chekara.evaluation.report import Evaluation

_UNKNOWN = (float("nan"), float("nan"))


@dataclass(frozen=True, slots=True)
class Figure95:
    """A figure with two 95 % intervals.

    Attributes
    ----------
    value : float
    bootstrap, closed_form : tuple of float
        NaN where there is none.
    """

    value: float
    bootstrap: Interval
    closed_form: Interval

    @property
    def interval(self) -> Interval:
        """The bootstrap's interval; the closed form's where there is no other."""
        return self.bootstrap if np.isfinite(self.bootstrap[0]) else self.closed_form


@dataclass(frozen=True, slots=True)
class ComparedFigure:
    """One figure both ways.

    Attributes
    ----------
    name : str
        As in `Evaluation.metrics`.
    title : str
        What a person reads.
    naive, corrected : Figure95
    """

    name: str
    title: str
    naive: Figure95
    corrected: Figure95


def compare_naive(naive: Evaluation, corrected: Evaluation) -> tuple[ComparedFigure, ...]:
    """Lay one scorer's figures on inspected crossings beside those on the random lot.

    Parameters
    ----------
    naive : Evaluation
        On all inspected crossings, as if they were representative.
    corrected : Evaluation
        On the lot, weighted to all traffic, at the same capacities.

    Returns
    -------
    tuple of ComparedFigure
        Hit rate, mean probability, AUC, then precision, recall and share of the amount at each capacity.
    """
    others = {name: figure for name, _, figure in _figures(corrected)}
    return tuple(
        ComparedFigure(name, title, figure, others[name]) for name, title, figure in _figures(naive) if name in others
    )


def height_verdict(corrected: Evaluation) -> str:
    """Say whether probabilities are as high as the hit rate of all traffic.

    Parameters
    ----------
    corrected : Evaluation
        On the lot, weighted to all traffic.

    Returns
    -------
    str
        Empty for a scorer without probabilities.
    """
    if corrected.reliability is None:
        return ""
    said, (low, high) = corrected.reliability.mean_probability, corrected.ranking.closed_form.base_rate
    where = "inside" if low <= said <= high else "above" if said > high else "below"
    return (
        f"Probabilities average {said:.4f} over all traffic, {where} the 95 % interval of the lot's hit rate "
        f"({low:.4f} to {high:.4f})."
    )


def naive_table(title: str, figures: tuple[ComparedFigure, ...]) -> Table:
    """Lay compared figures out for a person.

    Parameters
    ----------
    title : str
    figures : tuple of ComparedFigure

    Returns
    -------
    rich.table.Table
    """
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("95 % intervals")
    table.add_column("naive: inspected", justify="right")
    table.add_column("corrected: all traffic", justify="right")
    for figure in figures:
        table.add_row(figure.title, written(figure.naive), written(figure.corrected))
    return table


def written(figure: Figure95) -> str:
    """Write a figure with its interval; a dash where it does not exist.

    Examples
    --------
    >>> written(Figure95(0.125, (0.1, 0.15), (0.1, 0.16)))
    '0.125 (0.100–0.150)'
    """
    if not np.isfinite(figure.value):
        return "–"
    low, high = figure.interval
    return f"{figure.value:z.3f}" + (f" ({low:z.3f}–{high:z.3f})" if np.isfinite(low) else "")


def _figures(evaluation: Evaluation) -> Iterator[tuple[str, str, Figure95]]:
    ranking, closed = evaluation.ranking, evaluation.ranking.closed_form
    yield "base_rate", "hit rate", Figure95(ranking.base_rate, _UNKNOWN, closed.base_rate)
    if evaluation.reliability is not None:
        said = evaluation.reliability.mean_probability
        yield "mean_probability", "mean probability", Figure95(said, _UNKNOWN, _UNKNOWN)
    yield "auc", "AUC", _figure(ranking.auc, closed.auc)
    at = [(f"{row.share * 100:g}", row, place) for place, row in enumerate(ranking.capacity)]
    for share, row, place in at:
        yield f"precision_at_{share}pct", f"precision at {share} %", _figure(row.precision, closed.precision[place])
    for share, row, place in at:
        yield f"recall_at_{share}pct", f"recall at {share} %", _figure(row.recall, closed.recall[place])
    for share, row, _ in at:
        if row.amount_recall is not None:
            yield f"amount_recall_at_{share}pct", f"share of amount at {share} %", _figure(row.amount_recall, _UNKNOWN)


def _figure(estimate: Estimate, closed: Interval) -> Figure95:
    return Figure95(estimate.value, estimate.interval_95, closed)
