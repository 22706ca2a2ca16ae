"""One scorer judged in full, and several side by side as a table that a person can read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from chekara.evaluation.bootstrap import REPLICATES, Estimate, bootstrap_sums, estimates
from chekara.evaluation.calibration import Reliability, brier_loss, brier_skill_score, reliability
from chekara.evaluation.order import CAPACITY_SHARES
from chekara.evaluation.ranking import RankingQuality, judge_ranking

_CAPACITY_LABELS = {"precision": "precision", "recall": "recall", "lift": "lift", "amount_recall": "amount share"}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What one scorer is worth on one slice of crossings.

    Attributes
    ----------
    scorer : str
        Short name, such as ``model`` or ``logistic_regression``: it prefixes the metrics.
    title : str
        What a person reads.
    n_crossings, n_hits : int
        Rows judged and hits among them, unweighted.
    ranking : RankingQuality
    brier, brier_skill : Estimate or None
        None for scorers that give no probabilities.
    reliability : Reliability or None
    """

    scorer: str
    title: str
    n_crossings: int
    n_hits: int
    ranking: RankingQuality
    brier: Estimate | None = None
    brier_skill: Estimate | None = None
    reliability: Reliability | None = None

    def metrics(self) -> dict[str, float]:
        """Return every figure by a stable name, without prefix; figures that do not exist are left out.

        Returns
        -------
        dict of str to float
            ``auc``, ``auc_low90``, ``auc_high90``, ``precision_at_5pct`` ... ``slope``.
        """
        named: dict[str, Estimate | None] = {
            "auc": self.ranking.auc,
            "average_precision": self.ranking.average_precision,
            "brier_loss": self.brier,
            "brier_skill_score": self.brier_skill,
        }
        for row in self.ranking.capacity:
            at = f"at_{row.share * 100:g}pct"
            named |= {f"precision_{at}": row.precision, f"recall_{at}": row.recall, f"lift_{at}": row.lift}
            named |= {f"amount_{at}": row.amount, f"amount_recall_{at}": row.amount_recall}
        figures = {
            "n_crossings": float(self.n_crossings),
            "n_hits": float(self.n_hits),
            "base_rate": self.ranking.base_rate,
        }
        for name, estimate in named.items():
            if estimate is not None:
                low, high = estimate.interval_90
                figures |= {name: estimate.value, f"{name}_low90": low, f"{name}_high90": high}
        if self.reliability is not None:
            figures |= {
                "calibration_slope": self.reliability.slope,
                "calibration_intercept": self.reliability.intercept,
                "mean_probability": self.reliability.mean_probability,
            }
        return {name: value for name, value in figures.items() if np.isfinite(value)}


def evaluate_scorer(
    scorer: str,
    title: str,
    hit: npt.ArrayLike,
    score: npt.ArrayLike,
    *,
    probability: npt.ArrayLike | None = None,
    amount: npt.ArrayLike | None = None,
    weight: npt.ArrayLike | None = None,
    shares: Sequence[float] = CAPACITY_SHARES,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Evaluation:
    """Judge one scorer's ranking and, where it gives any, its probabilities.

    Parameters
    ----------
    scorer, title : str
        Stable name and the one that people read.
    hit, score, amount, weight : array-like, shape (n,)
        As in `chekara.evaluation.order.rank_outcomes`.
    probability : array-like of float in [0, 1], shape (n,), optional
    shares, replicates, seed
        As in `chekara.evaluation.ranking.judge_ranking`.

    Returns
    -------
    Evaluation

    Raises
    ------
    TrainingError
        The arrays cannot be used.
    """
    outcomes = np.asarray(hit, dtype=np.float64)
    ranking = judge_ranking(
        outcomes, score, shares=shares, amount=amount, weight=weight, replicates=replicates, seed=seed
    )
    brier = skill = said = None
    if probability is not None:
        said = reliability(outcomes, probability, weight=weight)
        brier, skill = _brier_estimates(outcomes, probability, weight, replicates, seed)
    return Evaluation(scorer, title, len(outcomes), int(outcomes.sum()), ranking, brier, skill, said)


def comparison_table(title: str, evaluations: Sequence[Evaluation]) -> Table:
    """Lay scorers side by side: a column each, a row per figure with its 90 % interval.

    Parameters
    ----------
    title : str
    evaluations : sequence of Evaluation
        Judged on the same crossings, at the same capacities.

    Returns
    -------
    rich.table.Table
    """
    # Narrow, so that six scorers stand whole on 80 columns, the interval below its figure.
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, collapse_padding=True)
    table.pad_edge = False
    table.add_column("", overflow="fold")
    for evaluation in evaluations:
        table.add_column(evaluation.title, justify="right", overflow="fold")
    for group in _figure_groups(evaluations[0]):
        for label, read in group:
            table.add_row(label, *(_figure(read(evaluation)) for evaluation in evaluations))
        table.add_section()
    return table


def show_comparison(console: Console, title: str, evaluations: Sequence[Evaluation]) -> None:
    """Print `comparison_table` with a line that says what it was judged on.

    Parameters
    ----------
    console : rich.console.Console
    title : str
    evaluations : sequence of Evaluation
        As in `comparison_table`.
    """
    first = evaluations[0]
    console.print(comparison_table(title, evaluations))
    console.print(
        f"Judged on {first.n_crossings:,} crossings with {first.n_hits:,} hits (base rate "
        f"{first.ranking.base_rate:.3f}). Beside each figure its 90 % bootstrap interval; ties in expectation.",
        style="dim",
        highlight=False,
    )


FigureOf: TypeAlias = Callable[[Evaluation], Estimate | None]


def _figure_groups(first: Evaluation) -> list[list[tuple[str, FigureOf]]]:
    """Rows of the comparison in groups, each a label and how to read the figure of one scorer."""
    groups: list[list[tuple[str, FigureOf]]] = [
        [("AUC", lambda e: e.ranking.auc), ("average precision", lambda e: e.ranking.average_precision)]
    ]
    capacity_figures: tuple[str, ...] = ("precision", "recall", "lift")
    if first.ranking.capacity[0].amount_recall is not None:
        capacity_figures += ("amount_recall",)
    for name in capacity_figures:
        groups.append(
            [
                (f"{_CAPACITY_LABELS[name]} at {row.share * 100:g} %", _at(name, j))
                for j, row in enumerate(first.ranking.capacity)
            ]
        )
    return [*groups, [("Brier skill", lambda e: e.brier_skill)]]


def _at(name: str, j: int) -> FigureOf:
    return lambda evaluation: getattr(evaluation.ranking.capacity[j], name)


def _figure(estimate: Estimate | None) -> str:
    if estimate is None or not np.isfinite(estimate.value):
        return "–"
    low, high = estimate.interval_90
    value = f"{estimate.value:z.3f}"
    return value if not np.isfinite(low) else f"{value} [dim]{low:z.2f}–{high:z.2f}[/dim]"


def _brier_estimates(
    hit: npt.NDArray[np.float64],
    probability: npt.ArrayLike,
    weight: npt.ArrayLike | None,
    replicates: int,
    seed: int,
) -> tuple[Estimate, Estimate]:
    weights = np.ones(len(hit)) if weight is None else np.asarray(weight, dtype=np.float64)
    squared_error = (np.asarray(probability, dtype=np.float64) - hit) ** 2
    columns = weights[:, None] * np.column_stack([squared_error, hit, np.ones(len(hit))])
    error, hits, crossings = bootstrap_sums(columns, hit > 0, replicates=replicates, seed=seed).T
    exact = np.array([brier_loss(hit, probability, weight), brier_skill_score(hit, probability, weight)])
    with np.errstate(divide="ignore", invalid="ignore"):  # a replicate without crossings or without hits has no skill
        loss, base = error / crossings, hits / crossings
        draws = np.column_stack([loss, 1 - loss / (base * (1 - base))])
    brier, skill = estimates(exact, draws)
    return brier, skill
