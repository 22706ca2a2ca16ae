"""Measure exact SHAP against the libraries that compute it, one thread, in one interleaved run.

Models as in the targets: 40 features of which 8 native categoricals; a = 300 trees x 31 leaves, c = 200 x 31 with
max_depth 8; and c without native categories for a peer that knows none. All sides take turns (A B C A B C ...) and
medians of processor time are told, for machines are shared: read the ratios. Peers run in an environment of their own.

    python -m benchmarks.shap_kernel [--rows 100000] [--repeats 7] [--quick] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numba
import numpy as np
import numpy.typing as npt
from llvmlite.binding import get_host_cpu_name  # type: ignore[import-untyped]
from rich.console import Console
from rich.table import Table

from benchmarks.peers import PeerError, PeerProcess, peers_python
from chekara.explain import QuadratureTreeShap

Floats = npt.NDArray[np.float64]
MODELS = {"a": (300, -1, 8), "c": (200, 8, 8), "c, numbers only": (200, 8, 0)}
PEERS = {
    "a": ("lightgbm", "shap", "xgboost"),
    "c": ("lightgbm", "shap", "xgboost"),
    "c, numbers only": ("lightgbm", "woodelf"),
}
BATCH_ROWS, LARGE_ROWS, SINGLE_CALLS = 1000, 10_000, 20
GROWTH_ROWS, GROWTH_TREES = (1, 2, 4, 8, 16, 64, 256, 1024, 8192), (25, 50, 100, 200, 400, 800)
N_FEATURES, CATEGORY_SIZES = 40, (5, 8, 12, 20, 30, 60, 100, 200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Median microseconds of processor time per row of one side, and how many times ours goes into it.

    Attributes
    ----------
    model, side : str
    rows : int
        At once.
    us : float
    times : float
        Median over turns of this side's time over ours in the same turn.
    """

    model: str
    side: str
    rows: int
    us: float
    times: float


def make_history(n_rows: int, seed: int) -> tuple[Floats, Floats]:
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


def train_model(X: Floats, y: Floats, n_trees: int, max_depth: int, n_categories: int = 8) -> lgb.Booster:
    """Train with LightGBM's defaults otherwise."""
    parameters = {"objective": "binary", "num_leaves": 31, "max_depth": max_depth, "verbose": -1, "seed": 1}
    data = lgb.Dataset(X, y, categorical_feature=list(range(n_categories)))
    return lgb.train(
        parameters | {"num_threads": int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1))}, data, n_trees
    )


def ours(booster: lgb.Booster, X: Floats) -> Callable[[int, int], float]:
    """Return a turn of our side: rows at once, calls -> processor seconds."""
    explainer = QuadratureTreeShap(booster)
    explainer.warm()

    def turn(rows: int, calls: int) -> float:
        pieces = [np.ascontiguousarray(X[i % (len(X) // rows) * rows :][:rows]) for i in range(calls)]
        began = time.process_time()
        for piece in pieces:
            explainer.contributions(piece)
        return time.process_time() - began

    return turn


def take_turns(
    sides: dict[str, Callable[[int, int], float]], rows: int, calls: int, repeats: int, model: str
) -> list[Cost]:
    """Time A B C A B C ...; the first side is ours."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(repeats):
        for name, turn in sides.items():
            taken[name].append(turn(rows, calls) / (rows * calls) * 1e6)
    mine = taken[next(iter(sides))]
    return [
        Cost(
            model=model,
            side=name,
            rows=rows,
            us=statistics.median(theirs),
            times=statistics.median(b / a for a, b in zip(mine, theirs, strict=True)),
        )
        for name, theirs in taken.items()
    ]


class Comparison:
    """Every model beside every peer that can be had.

    Parameters
    ----------
    X, y : ndarray
        Rows to learn from; the first of them are explained.
    repeats : int
    peers : PeerProcess or None
    scratch : Path
        For models and rows that go to peers.
    """

    def __init__(self, X: Floats, y: Floats, repeats: int, peers: PeerProcess | None, scratch: Path) -> None:
        self._X, self._y, self._repeats, self._peers, self._scratch = X, y, repeats, peers, scratch
        self.versions: dict[str, str] = {}
        self.missing: list[str] = []
        for name, values in (("X", X), ("y", y), ("rows", X[:LARGE_ROWS])):
            np.save(scratch / f"{name}.npy", values)

    def compare(self, model: str) -> tuple[list[Cost], dict[str, float]]:
        """Compare one model; last come the largest difference from LightGBM's own, and from sums that add up."""
        n_trees, max_depth, n_categories = MODELS[model]
        booster = train_model(self._X, self._y, n_trees, max_depth, n_categories)
        batch = self._X[:BATCH_ROWS]
        contributions = QuadratureTreeShap(booster).contributions(batch)
        off = {
            "from LightGBM": contributions - np.asarray(booster.predict(batch, pred_contrib=True)),
            "from the margin": contributions.sum(axis=1) - np.asarray(booster.predict(batch, raw_score=True)),
        }
        sides = {"chekara": ours(booster, self._X[:LARGE_ROWS])}
        for peer in PEERS[model]:
            turn = self._open(peer, booster, n_trees, max_depth, n_categories)
            if turn is not None:
                sides[peer] = turn
        costs: list[Cost] = []
        # Woodelf takes seconds for one row: it is made for large batches.
        turns = ((BATCH_ROWS, 1), (LARGE_ROWS, 1)) if "woodelf" in sides else ((1, SINGLE_CALLS), (BATCH_ROWS, 1))
        for rows, calls in turns:
            costs += take_turns(sides, rows, calls, self._repeats if rows < LARGE_ROWS else 3, model)
        return costs, {name: float(np.abs(each).max()) for name, each in off.items()}

    def _open(
        self, peer: str, booster: lgb.Booster, n_trees: int, max_depth: int, n_categories: int
    ) -> Callable[[int, int], float] | None:
        if self._peers is None:
            return None
        path = self._scratch / "model.txt"
        booster.save_model(path)
        files = {"model": path, "X": self._scratch / "X.npy", "y": self._scratch / "y.npy"}
        files["rows_file"] = self._scratch / "rows.npy"
        size = {"n_trees": n_trees, "max_depth": max_depth, "n_categories": n_categories}
        peers = self._peers
        try:
            opened = peers.ask(do="open", peer=peer, **{name: str(file) for name, file in files.items()}, **size)
        except PeerError as error:
            self.missing.append(str(error))
            return None
        self.versions[peer] = opened["version"]
        return lambda rows, calls: float(peers.ask(do="turn", peer=peer, rows=rows, calls=calls)["cpu_s"])


def grow(X: Floats, y: Floats, repeats: int) -> list[dict[str, float]]:
    """Cost against rows at once and against trees, ours beside LightGBM's own; depth 8."""
    found: list[dict[str, float]] = []
    whole = train_model(X, y, max(GROWTH_TREES), 8)
    for trees in GROWTH_TREES:
        booster = lgb.Booster(model_str=whole.model_to_string(num_iteration=trees))

        def lightgbm(rows: int, calls: int, booster: lgb.Booster = booster) -> float:
            began = time.process_time()
            for i in range(calls):
                booster.predict(X[i * rows : (i + 1) * rows], pred_contrib=True, num_threads=1)
            return time.process_time() - began

        sides = {"chekara": ours(booster, X[:LARGE_ROWS]), "lightgbm": lightgbm}
        for rows in GROWTH_ROWS if trees == 200 else (1, 256):
            mine, theirs = take_turns(sides, rows, max(20 // rows, 1), repeats, "")
            found.append({"trees": trees, "rows": rows, "chekara_us": mine.us, "lightgbm_us": theirs.us})
    return found


def measure(arguments: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Measure what was asked for, print the table, return the figures."""
    X, y = make_history(arguments.rows, seed=1)
    table = Table(title="Exact SHAP, one thread, microseconds of processor time per row", title_justify="left")
    for heading in ("model", "rows at once", "side", "us", "times ours", "largest difference"):
        table.add_column(heading, justify="left" if heading in ("model", "side") else "right")
    costs: list[Cost] = []
    differences: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="chekara-bench-") as folder:
        peers, missing = None, []
        try:
            peers = None if arguments.no_peers else PeerProcess(peers_python(), "benchmarks.peer_kernels")
        except PeerError as error:
            missing = [str(error)]
        comparison = Comparison(X, y, arguments.repeats, peers, Path(folder))
        for name in arguments.model or MODELS:
            found, differences[name] = comparison.compare(name)
            for cost in found:
                told = f"{differences[name]['from LightGBM']:.1e}" if cost.side == "chekara" else ""
                table.add_row(name, f"{cost.rows:,}", cost.side, f"{cost.us:,.1f}", f"{cost.times:.1f}", told)
            costs += found
        if peers is not None:
            peers.close()
    console.print(table, *missing, *comparison.missing, sep="\n")
    versions = {"python": platform.python_version(), "lightgbm here": lgb.__version__, "numba": numba.__version__}
    versions |= {"numpy": np.__version__, "processor": get_host_cpu_name()} | comparison.versions
    console.print(", ".join(f"{name} {version}" for name, version in versions.items()))
    return {
        "costs": [asdict(cost) for cost in costs],
        "differences": differences,
        "growth": grow(X, y, min(arguments.repeats, 5)) if arguments.growth else [],
        "missing": missing + comparison.missing,
        "versions": versions,
        "training_rows": arguments.rows,
    }


def main() -> None:
    """Measure from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000, help="training rows")
    parser.add_argument("--repeats", type=int, default=7, help="turns of each side")
    parser.add_argument("--quick", action="store_true", help="fewer training rows, five turns")
    parser.add_argument("--model", action="append", choices=MODELS, help="only these; all where none is named")
    parser.add_argument("--no-peers", action="store_true", help="only LightGBM as it is installed here")
    parser.add_argument("--growth", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rows, arguments.repeats = 50_000, 5
    found = measure(arguments, Console(width=120))
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
