"""The table that a person reads, and the names that MLflow gets."""

from __future__ import annotations

import io
import time
from dataclasses import replace

import numpy as np
from rich.console import Console

from chekara.evaluation.bootstrap import bootstrap, bootstrap_sums
from chekara.evaluation.report import Evaluation, evaluate_scorer, show_comparison


def example(seed: int = 0, n: int = 1500) -> tuple[Evaluation, Evaluation]:
    rng = np.random.default_rng(seed)
    margin = rng.normal(size=n)
    said = 1 / (1 + np.exp(2 - margin))
    hits = rng.random(n) < said
    amount = rng.lognormal(5, 1, n) * hits
    return (
        evaluate_scorer("model", "model", hits, margin, probability=said, amount=amount, replicates=50),
        evaluate_scorer("chance", "chance", hits, np.zeros(n), amount=amount, replicates=50),
    )


def test_metrics_have_stable_finite_names() -> None:
    model, chance = example()
    figures = model.metrics()
    for name in ("auc", "average_precision", "brier_loss", "brier_skill_score", "calibration_slope", "base_rate"):
        assert name in figures
    for share in (1, 2, 5, 10):
        for figure in ("precision", "recall", "lift", "amount", "amount_recall"):
            assert f"{figure}_at_{share}pct_low90" in figures
    assert all(np.isfinite(value) for value in figures.values())
    assert figures["auc_low90"] < figures["auc"] < figures["auc_high90"]
    assert "brier_loss" not in chance.metrics()


def test_the_table_fits_a_narrow_screen_and_says_what_it_shows() -> None:
    out = io.StringIO()
    show_comparison(Console(file=out, width=80), "As given", example())
    text = out.getvalue()
    for word in ("As given", "AUC", "precision at 5 %", "amount share at 10 %", "Brier skill", "90 %", "base rate"):
        assert word in " ".join(text.split())
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_six_scorers_stand_whole_on_a_narrow_screen() -> None:
    titles = ("model", "chance", "best single column", "logistic regression", "LightGBM, raw ids", "tuple look-up")
    out = io.StringIO()
    show_comparison(Console(file=out, width=80), "As given", [replace(example()[0], title=title) for title in titles])
    row = next(line for line in out.getvalue().splitlines() if line.strip().startswith("AUC"))
    intervals = out.getvalue().splitlines()[out.getvalue().splitlines().index(row) + 1]
    low, high = example()[0].ranking.auc.interval_90
    assert intervals.split() == [f"{low:.2f}–{high:.2f}"] * 6


def test_a_scorer_without_probabilities_shows_a_dash() -> None:
    out = io.StringIO()
    show_comparison(Console(file=out, width=80), "", example()[1:])
    assert "–" in next(line for line in out.getvalue().splitlines() if "Brier" in line)


def test_resampling_counts_are_poisson_with_mean_one() -> None:
    draws = bootstrap(lambda count: np.array([count.mean(), count.var(), (count == 0).mean()]), 20_000, replicates=20)
    mean, variance, none = draws.mean(axis=0)
    assert abs(mean - 1) < 0.01
    assert abs(variance - 1) < 0.02
    assert abs(none - np.exp(-1)) < 0.005


def test_sums_of_very_many_crossings_spread_as_those_of_single_ones() -> None:
    """The normal short cut has the mean and the covariance that drawing each crossing has."""
    rng = np.random.default_rng(5)
    columns = np.column_stack([rng.exponential(size=30_000), np.ones(30_000)])
    fast = bootstrap_sums(columns, np.arange(30_000) < 300, replicates=1500)
    slow = bootstrap(lambda count: count @ columns, 30_000, replicates=1500)
    np.testing.assert_allclose(fast.mean(axis=0), slow.mean(axis=0), rtol=0.002)
    np.testing.assert_allclose(fast.std(axis=0), slow.std(axis=0), rtol=0.1)
    assert abs(np.corrcoef(fast.T)[0, 1] - np.corrcoef(slow.T)[0, 1]) < 0.05


def test_a_million_crossings_take_seconds() -> None:
    rng = np.random.default_rng(0)
    said = rng.beta(0.3, 20, 1_000_000)
    start = time.process_time()
    evaluate_scorer("model", "model", rng.random(1_000_000) < said, said, probability=said)
    assert time.process_time() - start < 8
