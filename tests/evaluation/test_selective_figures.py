"""On a border that looks where it always looked, naive figures are wrong and corrected ones hold the truth."""

from __future__ import annotations

import io
from typing import NamedTuple

import numpy as np
import pytest
from rich.console import Console

from chekara.evaluation.intention import intention_weights
from chekara.evaluation.order import rank_outcomes
from chekara.evaluation.report import Evaluation, evaluate_scorer
from chekara.evaluation.selective import Figure95, compare_naive, height_verdict, naive_table, written

SHARES = (0.05, 0.1)
LOT = 0.1


class Traffic(NamedTuple):
    """Scores, whether each crossing hides something, how tempting it looks, and its shift."""

    score: np.ndarray
    hides: np.ndarray
    tempting: np.ndarray
    is_night: np.ndarray


def traffic(seed: int, n: int) -> Traffic:
    rng = np.random.default_rng(seed)
    score, is_night = rng.normal(size=n), rng.random(n) < 0.4
    odds = -3.2 + 1.1 * score + 0.9 * is_night
    # Past selection shares most of what the score sees, so that a score cannot shine among what was chosen.
    return Traffic(score, rng.random(n) < 1 / (1 + np.exp(-odds)), score + rng.normal(size=n), is_night)


def truth() -> dict[str, float]:
    border = traffic(1_000, 1_000_000)
    whole = rank_outcomes(border.hides, border.score).statistics(shares=SHARES)
    figures = {"base_rate": whole.base_rate, "auc": whole.auc}
    for place, share in enumerate(("5", "10")):
        figures |= {f"precision_at_{share}pct": float(whole.precision[place])}
        figures |= {f"recall_at_{share}pct": float(whole.recall[place])}
    return figures


def judged(seed: int) -> tuple[Evaluation, Evaluation]:
    """Judge on what was inspected, and on the lot, of which nights leave a third undone."""
    border = traffic(seed, 20_000)
    rng = np.random.default_rng([seed, 1])
    drawn, chosen = rng.random(20_000) < LOT, border.tempting > 1.2
    done = rng.random(20_000) > np.where(border.is_night, 0.33, 0.02)
    group = np.where(border.is_night, "night", "day")[drawn]
    weight = np.zeros(20_000)
    weight[drawn] = intention_weights(np.full(drawn.sum(), 1 / LOT), done[drawn], group)
    lot, looked = weight > 0, chosen | (drawn & done)
    hides, score = border.hides, border.score
    naive = evaluate_scorer("model", "", hides[looked], score[looked], shares=SHARES, replicates=1)
    corrected = evaluate_scorer(
        "model", "", hides[lot], score[lot], weight=weight[lot], shares=SHARES, replicates=150, seed=seed
    )
    return naive, corrected


@pytest.fixture(scope="module")
def trials() -> list[dict[str, tuple[Figure95, Figure95]]]:
    return [
        {figure.name: (figure.naive, figure.corrected) for figure in compare_naive(*judged(seed))} for seed in range(60)
    ]


def test_corrected_intervals_hold_the_truth_as_often_as_they_say(
    trials: list[dict[str, tuple[Figure95, Figure95]]],
) -> None:
    for name, value in truth().items():
        both = [trial[name][1] for trial in trials]
        closed = sum(figure.closed_form[0] <= value <= figure.closed_form[1] for figure in both)
        drawn = sum(figure.interval[0] <= value <= figure.interval[1] for figure in both)
        assert 52 <= closed <= 60, name
        assert 52 <= drawn <= 60, name
        assert np.mean([figure.value for figure in both]) == pytest.approx(value, rel=0.04), name


def test_naive_figures_are_far_off(trials: list[dict[str, tuple[Figure95, Figure95]]]) -> None:
    known = truth()
    naive = {name: np.mean([trial[name][0].value for trial in trials]) for name in known}
    assert naive["base_rate"] > 1.6 * known["base_rate"]
    assert naive["auc"] < known["auc"] - 0.015
    assert naive["recall_at_10pct"] < known["recall_at_10pct"] - 0.05


@pytest.mark.parametrize(("said", "where"), [(0.2, "inside"), (0.6, "above"), (0.01, "below")])
def test_probabilities_are_held_against_the_lots_hit_rate(said: float, where: str) -> None:
    hits = np.arange(100) % 5 == 0
    lot = evaluate_scorer("model", "", hits, np.arange(100), probability=np.full(100, said), replicates=1)
    assert where in height_verdict(lot)
    assert height_verdict(evaluate_scorer("chance", "", hits, np.arange(100), replicates=1)) == ""


def test_figures_that_one_side_lacks_are_left_out() -> None:
    hits = np.arange(100) % 5 == 0
    one = evaluate_scorer("model", "", hits, hits, probability=np.full(100, 0.2), amount=hits, replicates=1)
    other = evaluate_scorer("model", "", hits, ~hits, probability=np.full(100, 0.2), replicates=1)
    figures = {figure.name: figure for figure in compare_naive(one, other)}
    assert "amount_recall_at_5pct" not in figures
    assert (figures["auc"].naive.value, figures["auc"].corrected.value) == (1.0, 0.0)
    assert figures["mean_probability"].naive.value == pytest.approx(0.2)


def test_the_table_shows_both_and_a_dash_where_nothing_is_known() -> None:
    out = io.StringIO()
    Console(file=out, width=100).print(naive_table("Both", compare_naive(*judged(1))))
    text = out.getvalue()
    for word in ("hit rate", "AUC", "precision at 5 %", "recall at 10 %", "naive", "corrected"):
        assert word in text
    unknown = (float("nan"), float("nan"))
    assert written(Figure95(float("nan"), unknown, unknown)) == "–"
    assert written(Figure95(0.5, unknown, unknown)) == "0.500"
    assert written(Figure95(0.5, unknown, (0.4, 0.6))) == "0.500 (0.400–0.600)"
