"""How the recipe ranks crossings of the following weeks, at several instants of a history.

    python benchmarks/rolling_origins.py --data korea54k [--peers]

One slice of a few hundred unseen rows is noisy (AUC +- .036), so choices are made on the mean over origins. Each
origin is a whole run of the recipe (rounds and calibration chosen on the past alone), judged on the next 45 days;
where a leak is found, leak-free. `--peers` adds CatBoost (the `bench` extra) on the same rows and columns.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import track
from rich.table import Table

from chekara.data.leakage import find_leakage
from chekara.data.sources import History, load_history
from chekara.evaluation.ranking import auc
from chekara.modelling.baselines import score_baselines
from chekara.modelling.dataset import Protocol, build_dataset
from chekara.modelling.fit import crossing_margins
from chekara.modelling.recipe import RecipeScores, evaluate_recipe
from chekara.modelling.spec import ModelSpec, load_spec

SPEC = Path(__file__).parents[1] / "models" / "revenue_fraud" / "model.toml"
JUDGED = timedelta(days=45)
SEED = 1


def origins_of(history: History, number: int) -> list[datetime]:
    """Spread origins over the second half of a history, whole days apart."""
    known = history.crossings["known_at"]
    first, last = known.min().to_pydatetime(), known.max().to_pydatetime() - JUDGED
    middle = first + (last - first) * 0.45
    steps = [middle + (last - middle) * k / (number - 1) for k in range(number)]
    return [step.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) for step in steps]


def judge(history: History, spec: ModelSpec, origin: datetime, leaking_tuple: tuple[str, ...] | None) -> RecipeScores:
    """Run the recipe at one origin."""
    until = origin + JUDGED + timedelta(days=1)
    protocol: Protocol = "as_given" if leaking_tuple is None else "leak_free"
    dataset = build_dataset(history, spec, until, leaking_tuple=leaking_tuple, protocol=protocol)
    return evaluate_recipe(dataset, spec, SEED, test_from=np.datetime64(origin.replace(tzinfo=None), "us"))


def catboost_scores(scores: RecipeScores) -> npt.NDArray[np.float64]:
    """Score the test slice by CatBoost with its own defaults but 300 trees, codes as categories."""
    from catboost import CatBoostClassifier, Pool  # type: ignore[import-untyped]  # noqa: PLC0415  # a peer only

    codes = [i for i, kind in enumerate(scores.feature_kinds) if kind == "category"]

    def pool(part: str) -> Pool:
        X = getattr(scores, part).X.astype(object)
        X[:, codes] = np.where(np.isnan(X[:, codes].astype(float)), -1, X[:, codes]).astype(int)
        weight = scores.train.item_weight if part == "train" else None
        label = scores.train.item_label if part == "train" else None
        return Pool(X, label, weight=weight, cat_features=codes)

    model = CatBoostClassifier(
        iterations=300, learning_rate=0.05, random_seed=SEED, thread_count=1, verbose=0, allow_writing_files=False
    )
    model.fit(pool("train"))
    line = np.asarray(model.predict(pool("test"), prediction_type="RawFormulaVal"), dtype=np.float64)
    return crossing_margins(line, scores.test.crossing_of_item, len(scores.test.hit))


def main() -> None:
    """Print one row per origin and the mean."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--origins", type=int, default=6)
    parser.add_argument("--peers", action="store_true")
    arguments = parser.parse_args()
    history, spec = load_history(arguments.data), load_spec(SPEC)
    leaking_tuple = find_leakage(history, rule=spec.target, seed=SEED).leaking_tuple
    rows: list[dict[str, float]] = []
    for origin in track(origins_of(history, arguments.origins), description="origins"):
        scores = judge(history, spec, origin, leaking_tuple)
        hit = scores.test.hit
        row = {"crossings": float(len(hit)), "hits": float(hit.sum()), "trees": float(scores.rounds)}
        row["model"] = auc(hit, scores.margin)
        row |= {b.scorer: auc(hit, b.score) for b in score_baselines(scores)}
        if arguments.peers:
            row["catboost"] = auc(hit, catboost_scores(scores))
        rows.append(row)
    table = Table(*rows[0], title=f"AUC of the following {JUDGED.days} days")
    for row in [*rows, {name: float(np.mean([r[name] for r in rows])) for name in rows[0]}]:
        table.add_row(*(f"{v:.0f}" if n in ("crossings", "hits", "trees") else f"{v:.3f}" for n, v in row.items()))
    table.rows[-2].end_section = True
    Console().print(table)


if __name__ == "__main__":
    main()
