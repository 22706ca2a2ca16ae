"""How well each domain's model ranks all traffic of a later period, on worlds whose whole truth is known.

    python -m benchmarks.quality --data DIR --until INSTANT [--domain D …]

``DIR`` is a history with ``truth.parquet`` (crossing_id, a boolean per domain) and, where there is one,
``bayes.parquet`` (crossing_id, a score per domain of an observer who knows every mechanism). Everything learns from
what was known before the instant; crossings known from then on are scored, inspected or not, each in the newest
revision that was lodged before any result, with profiles as known before it. Peers learn from the same labelled
crossings: chance, a logistic regression on the declared features, and LightGBM (200 trees of 31 leaves) and
CatBoost on the declared features and raw entity ids as native categories.

Of the model's probabilities it tells the Brier score and the reliability line (logistic regression of outcomes on the
log-odds said) against the whole truth of all later traffic, and against what later controls found; and
whether the mean probability lies within the bounds of the rate of the lot's draws, each weighted by 1 / propensity.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pandas as pd
import typer
from rich.console import Console
from rich.table import Table
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, QuantileTransformer

from benchmarks.honesty import honesty_lines, judge_honesty
from chekara.data.labels import first_results, label_crossings, parse_instant
from chekara.data.leakage import revisions_before_result
from chekara.data.lot import draws_by_intention, lot_controls
from chekara.data.sources import History, load_history
from chekara.errors import NotEnoughHitsError
from chekara.evaluation.order import rank_outcomes
from chekara.evaluation.ranking import auc, average_precision
from chekara.features.build import FeatureTable, build_features, items_from_frame
from chekara.features.catalogue import FEATURES, ItemColumns
from chekara.modelling.dataset import build_dataset
from chekara.modelling.fit import crossing_margins
from chekara.modelling.recipe import refit_on_everything
from chekara.modelling.shared import lay_out_lines, with_profiles
from chekara.modelling.spec import ModelSpec, load_spec
from chekara.programs import open_console
from training._history import history_before

Floats = npt.NDArray[np.float64]
Scores = dict[str, Floats]
MODELS = Path(__file__).parents[1] / "models"
SHARES = (0.01, 0.05, 0.10)
SEED = 1
_IDS = ("importer_id", "exporter_id", "declarant_id", "carrier_id", "vehicle_id", "trailer_id")


@dataclass(frozen=True, slots=True)
class Later:
    """Crossings of the period that is judged.

    Attributes
    ----------
    items : ItemColumns
        Their goods lines, profiles laid beside.
    crossing : ndarray of shape (n_lines,), int64
    ids : Index of shape (n_crossings,)
    """

    items: ItemColumns
    crossing: npt.NDArray[np.int64]
    ids: pd.Index


def later_crossings(history: History, specs: list[ModelSpec], until: datetime) -> Later:
    """Lay out what came after an instant, as it could have been scored."""
    first_known = history.crossings.groupby("crossing_id")["known_at"].transform("min")
    later = history.crossings[first_known >= pd.Timestamp(until)]
    frame = revisions_before_result(later, first_results(history.inspections))
    rows = np.zeros(len(history.crossings), dtype=bool)
    rows[history.crossings.index.get_indexer(frame.index)] = True
    items = with_profiles(items_from_frame(frame), history, specs, rows=rows)
    crossing, ids = pd.factorize(frame["crossing_id"])
    return Later(items, crossing.astype(np.int64), pd.Index(ids))


def declared_columns(spec: ModelSpec, items: ItemColumns) -> pd.DataFrame:
    """Return the declared features and raw ids as a frame: numbers, and categories as texts."""
    names = [name for name in spec.features if name in FEATURES and FEATURES[name].source == "declared"]
    table: FeatureTable = build_features(items, names, {})
    columns: dict[str, Any] = {**table.values, **{name: items.text(name) for name in _IDS}}
    return pd.DataFrame(columns)


def texts_of(frame: pd.DataFrame) -> list[str]:
    """Columns that hold texts."""
    return [name for name in frame.columns if not pd.api.types.is_numeric_dtype(frame[name].dtype)]


def as_categories(train: pd.DataFrame, test: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Code texts by what training holds; anything else is missing."""
    names = texts_of(train)
    train, test = train.copy(), test.copy()
    for name in names:
        known = pd.Index(train[name].dropna().unique())
        train[name] = pd.Categorical(train[name], categories=known)
        test[name] = pd.Categorical(test[name].where(test[name].isin(known)), categories=known)
    return train, test, names


def plain_lightgbm(train: pd.DataFrame, label: Floats, test: pd.DataFrame) -> Floats:
    """Score by LightGBM as it comes: 200 trees of 31 leaves, texts as native categories."""
    train, test, names = as_categories(train, test)
    data = lgb.Dataset(train, label, categorical_feature=names, params={"verbose": -1})
    parameters = {"objective": "binary", "num_leaves": 31, "verbose": -1, "seed": SEED, "num_threads": 2}
    booster = lgb.train(parameters, data, num_boost_round=200)
    return np.asarray(booster.predict(test, raw_score=True), dtype=np.float64)


def catboost(train: pd.DataFrame, label: Floats, test: pd.DataFrame) -> Floats:
    """Score by CatBoost with its own defaults but 300 trees."""
    from catboost import CatBoostClassifier, Pool  # noqa: PLC0415  # a peer only

    names = texts_of(train)
    train, test = (frame.fillna(dict.fromkeys(names, "?")) for frame in (train, test))
    model = CatBoostClassifier(iterations=300, random_seed=SEED, thread_count=2, verbose=0, allow_writing_files=False)
    model.fit(Pool(train, label, cat_features=names))
    return np.asarray(model.predict(Pool(test, cat_features=names), prediction_type="RawFormulaVal"), dtype=np.float64)


def logistic(train: pd.DataFrame, label: Floats, test: pd.DataFrame) -> Floats:
    """Score by a logistic regression: ranks of numbers, one column per frequent text; ids are too many for it."""
    names = [name for name in texts_of(train) if name not in _IDS]
    numbers = [name for name in train.columns if name not in texts_of(train) and train[name].notna().any()]
    ranked = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True),
        QuantileTransformer(n_quantiles=200, output_distribution="normal", random_state=0),
    )
    coded = OneHotEncoder(min_frequency=20, handle_unknown="infrequent_if_exist")
    columns = ColumnTransformer([("numbers", ranked, numbers), ("codes", coded, names)])
    model = Pipeline([("columns", columns), ("regression", LogisticRegression(C=0.1, max_iter=300))])
    train, test = (frame.fillna(dict.fromkeys(names, "?")) for frame in (train, test))
    model.fit(train, label)
    return np.asarray(model.predict_proba(test)[:, 1], dtype=np.float64)


PEERS: dict[str, Callable[[pd.DataFrame, Floats, pd.DataFrame], Floats]] = {
    "logistic": logistic,
    "LightGBM": plain_lightgbm,
    "CatBoost": catboost,
}


def score_domain(
    history: History, spec: ModelSpec, until: datetime, shared: Any, later: Later
) -> tuple[Scores, Floats, str]:
    """Score every later crossing by the model and by its peers; shape (n_crossings,) each.

    Also the model's probabilities, NaN where the domain does not apply, and what its calibration rests on.
    """
    dataset = build_dataset(history, spec, until, shared=shared)
    model = refit_on_everything(dataset, spec, SEED)
    n = len(later.ids)
    margins = np.where(model.applies_to(later.items), model.margins(model.encode(model.features(later.items))), -np.inf)
    margin = crossing_margins(margins, later.crossing, n)
    said = np.where(np.isneginf(margin), np.nan, model.calibration.probability(margin))
    scores = {"model": margin, "chance": np.zeros(n)}
    told = ~np.isnan(dataset.hit[dataset.crossing_of_item])
    train = declared_columns(spec, dataset.items)[told].reset_index(drop=True)
    label = dataset.hit[dataset.crossing_of_item][told]
    test = declared_columns(spec, later.items)
    for name, peer in PEERS.items():
        scores[name] = crossing_margins(peer(train, label, test), later.crossing, n)
    return scores, said, model.calibration.basis


def figures(hit: npt.NDArray[np.bool_], score: Floats) -> list[float]:
    """Recall at each capacity, average precision and AUC, ties in expectation."""
    finite = np.where(np.isneginf(score), np.min(score[np.isfinite(score)], initial=0.0) - 1.0, score)
    recall = rank_outcomes(hit, finite).statistics(shares=SHARES).recall
    return [*recall.tolist(), average_precision(hit, finite), auc(hit, finite)]


def show(console: Console, title: str, hit: npt.NDArray[np.bool_], scores: Scores) -> list[dict[str, Any]]:
    """Print one domain and return its rows."""
    table = Table("", *(f"recall at {share:.0%}" for share in SHARES), "AP", "AUC", "of ceiling at 5 %", title=title)
    rows = {name: figures(hit, score) for name, score in scores.items()}
    ceiling = rows["Bayes"][1] if "Bayes" in rows else np.nan
    for name, row in rows.items():
        table.add_row(name, *(f"{value:.3f}" for value in row), f"{row[1] / ceiling:.2f}")
    console.print(table)
    return [{"domain": title, "scorer": name, "figures": row} for name, row in rows.items()]


def main(
    data: Annotated[Path, typer.Option(metavar="DIR")],
    until: Annotated[str, typer.Option(metavar="INSTANT")],
    domain: Annotated[list[str] | None, typer.Option()] = None,
) -> None:
    """Print one table per domain."""
    console = open_console()
    specs = [load_spec(path) for path in sorted(MODELS.glob("*/model.toml"))]
    specs = [spec for spec in specs if not domain or spec.domain in domain]
    instant = parse_instant(until, where="--until")
    history = load_history(data)
    known = history_before(history, instant)
    began = time.perf_counter()
    shared = lay_out_lines(known, specs, instant, seed=SEED)
    later = later_crossings(history, specs, instant)
    console.print(f"{len(later.ids):,} later crossings; features in {time.perf_counter() - began:.0f} s")
    truth = pd.read_parquet(data / "truth.parquet").set_index("crossing_id").reindex(later.ids)
    bayes = data / "bayes.parquet"
    ceiling = pd.read_parquet(bayes).set_index("crossing_id").reindex(later.ids) if bayes.exists() else None
    for spec in specs:
        hit = truth[spec.domain].to_numpy(dtype=bool)
        began = time.perf_counter()
        try:
            scores, said, basis = score_domain(known, spec, instant, shared, later)
        except NotEnoughHitsError as error:
            console.print(f"{spec.domain}: {error}")
            continue
        if ceiling is not None:
            scores["Bayes"] = ceiling[spec.domain].to_numpy(dtype=np.float64)
        show(console, f"{spec.domain}: {hit.sum():,} hits, {time.perf_counter() - began:.0f} s", hit, scores)
        draws = draws_by_intention(
            lot_controls(history.inspections, spec.target), history.crossings, history.crossing_points
        )
        labels = label_crossings(history.inspections, spec.target)
        for line in honesty_lines(judge_honesty(said, hit, labels, draws, later.ids), basis):
            console.print(line, highlight=False)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app()
