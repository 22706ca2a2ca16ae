"""Measure exact SHAP against LightGBM's own, one thread, in one interleaved run.

Models as in the targets: 40 features of which 8 native categoricals; a = 300 trees x 31 leaves, c = 200 x 31 with
max_depth 8. Both sides take turns (A B A B ...) and medians of processor time are told, for machines are shared: read
the ratios.

    python benchmarks/shap_kernel.py [--rows 100000] [--repeats 9]
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import lightgbm as lgb
import numba
import numpy as np
from llvmlite.binding import get_host_cpu_name
from rich.console import Console
from rich.table import Table

from chekara.explain import QuadratureTreeShap

MODELS = {"a": (300, -1), "c": (200, 8)}
BATCH_ROWS = 1000
SINGLE_CALLS = 50
N_FEATURES, CATEGORY_SIZES = 40, (5, 8, 12, 20, 30, 60, 100, 200)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Medians of both sides, in microseconds of processor time per row, and of the ratios of neighbouring turns."""

    ours_us: float
    theirs_us: float
    ratio: float


def make_history(n_rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Make skewed numbers with gaps and categories, and a hit that depends on about half of them."""
    rng = np.random.default_rng(seed)
    X = np.exp(rng.normal(size=(n_rows, N_FEATURES)))
    for column, size in enumerate(CATEGORY_SIZES):
        X[:, column] = np.minimum(rng.geometric(3.0 / size, n_rows) - 1, size - 1)
    X[rng.random(X.shape) < 0.03] = np.nan
    known = np.nan_to_num(X, nan=1.0)
    numbers = np.log(np.maximum(known[:, 8:], 1e-9))
    effects = [rng.normal(0.0, 0.5, size)[known[:, i].astype(int)] for i, size in enumerate(CATEGORY_SIZES)]
    score = (
        numbers[:, :12] @ rng.normal(0.0, 0.3, 12) + numbers[:, 0] * numbers[:, 12] + 0.6 * np.sin(2 * numbers[:, 13])
    )
    score += np.sum(effects, axis=0)
    y = (rng.random(n_rows) < 1 / (1 + np.exp(1.5 - score))).astype(float)
    return X, y


def train_model(X: np.ndarray, y: np.ndarray, n_trees: int, max_depth: int) -> lgb.Booster:
    """Train with LightGBM's defaults otherwise."""
    parameters = {"objective": "binary", "num_leaves": 31, "max_depth": max_depth, "verbose": -1, "seed": 1}
    data = lgb.Dataset(X, y, categorical_feature=list(range(len(CATEGORY_SIZES))))
    return lgb.train(parameters | {"num_threads": os.cpu_count() or 1}, data, n_trees)


def take_turns(ours: Callable[[], object], theirs: Callable[[], object], n_rows: int, repeats: int) -> Comparison:
    """Time A B A B ...; microseconds of processor time per row."""
    times: list[tuple[float, float]] = []
    for _ in range(repeats):
        started = time.process_time()
        ours()
        between = time.process_time()
        theirs()
        times.append(((between - started) / n_rows * 1e6, (time.process_time() - between) / n_rows * 1e6))
    return Comparison(
        statistics.median(a for a, _ in times),
        statistics.median(b for _, b in times),
        statistics.median(b / a for a, b in times),
    )


def compare_model(booster: lgb.Booster, X: np.ndarray, repeats: int) -> tuple[Comparison, Comparison, float]:
    """Compare single rows and a batch; the last figure is the largest difference seen."""
    explainer = QuadratureTreeShap(booster)
    explainer.warm()
    batch = np.ascontiguousarray(X[:BATCH_ROWS])
    singles = [batch[i : i + 1] for i in range(SINGLE_CALLS)]

    def lightgbm(rows: np.ndarray) -> np.ndarray:
        return np.asarray(booster.predict(rows, pred_contrib=True, num_threads=1))

    difference = float(np.abs(explainer.contributions(batch) - lightgbm(batch)).max())
    single = take_turns(
        lambda: [explainer.contributions(row) for row in singles],
        lambda: [lightgbm(row) for row in singles],
        SINGLE_CALLS,
        repeats,
    )
    many = take_turns(lambda: explainer.contributions(batch), lambda: lightgbm(batch), BATCH_ROWS, repeats)
    return single, many, difference


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000, help="training rows")
    parser.add_argument("--repeats", type=int, default=9, help="turns of each side")
    arguments = parser.parse_args()
    X, y = make_history(arguments.rows, seed=1)
    table = Table(title="Exact SHAP, one thread, microseconds of processor time per row", title_justify="left")
    for heading in ("model", "rows at once", "chekara", "LightGBM", "times as fast", "largest difference"):
        table.add_column(heading, justify="left" if heading == "model" else "right", no_wrap=heading == "model")
    for name, (n_trees, max_depth) in MODELS.items():
        booster = train_model(X, y, n_trees, max_depth)
        single, many, difference = compare_model(booster, X, arguments.repeats)
        for rows, found in ((1, single), (BATCH_ROWS, many)):
            figures = (f"{found.ours_us:.1f}", f"{found.theirs_us:.1f}", f"{found.ratio:.1f}", f"{difference:.1e}")
            table.add_row(
                f"{name}: {n_trees} x 31" + (f", depth {max_depth}" if max_depth > 0 else ""), f"{rows:,}", *figures
            )
    console = Console()
    console.print(table)
    versions = f"lightgbm {lgb.__version__}, numba {numba.__version__}, numpy {np.__version__}"
    console.print(f"python {platform.python_version()}, {versions}, {get_host_cpu_name()}")


if __name__ == "__main__":
    main()
