"""A backtest: weeks that know nothing of what follows, sums that add up, a run that can be interrupted."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chekara.data.simulate import simulate_border
from chekara.data.sources import History, load_history
from chekara.errors import ConfigurationError
from chekara.modelling.dataset import build_dataset
from chekara.modelling.spec import ModelSpec, load_spec
from tests.tracked import ROOT, run_training
from training._backtest_report import headline, picture_domain, summarise, write_page
from training._backtest_store import WeekStore
from training._backtest_week import WEEK, Judges, Row, WeeklyModel, _distance
from training.backtest import BacktestOrder, parse_budgets

SHARES = (0.05, 0.2)
SMALL_SPEC = {
    "rounds = [25, 50, 100, 200]": "rounds = [10]",
    "forward_blocks = 4": "forward_blocks = 2",
    "minimum_hits = 80": "minimum_hits = 12",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small history with its truth."""
    out = tmp_path_factory.mktemp("backtest") / "history"
    simulate_border(out, months=4, per_day=60, seed=11)
    return out


@pytest.fixture(scope="module")
def history(folder: Path) -> History:
    return load_history(folder)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with one spec that is quick to fit."""
    text = (ROOT / "models" / "revenue_fraud" / "model.toml").read_text(encoding="utf-8")
    for ours, small in SMALL_SPEC.items():
        text = text.replace(ours, small)
    models = tmp_path_factory.mktemp("models")
    (models / "revenue_fraud").mkdir()
    (models / "revenue_fraud" / "model.toml").write_text(text, encoding="utf-8")
    return models


@pytest.fixture(scope="module")
def spec(models: Path) -> ModelSpec:
    return load_spec(models / "revenue_fraud" / "model.toml")


@pytest.fixture(scope="module")
def order(folder: Path, history: History) -> BacktestOrder:
    truth = pd.read_parquet(folder / "truth.parquet").set_index("crossing_id")
    return BacktestOrder(history=history, weeks=2, shares=SHARES, seed=1, with_baselines=False, truth=truth, bayes=None)


def weekly(history: History, spec: ModelSpec) -> WeeklyModel:
    dataset = build_dataset(history, spec, datetime(2100, 1, 1, tzinfo=UTC))
    return WeeklyModel(history, dataset, spec, seed=1)


def found(rows: list[Row], scorer: str = "model", part: str = "truth") -> dict[float, float]:
    return {r["share"]: r["found"] for r in rows if r.get("scorer") == scorer and r.get("part") == part}


def test_results_known_later_change_no_selection(history: History, spec: ModelSpec, order: BacktestOrder) -> None:
    (at, _), judges = order.origins(), order.judges(spec.domain)
    inspections = history.inspections.copy()
    # What becomes known within the week is part of the profiles of its later crossings, as it would be live.
    later = inspections["known_at"] >= pd.Timestamp(at + WEEK, tz="UTC")
    assert later.sum() > 10
    inspections.loc[later, "found"] = ~inspections.loc[later, "found"].astype(bool)
    inspections.loc[later, "result"] = pd.NA
    # Hits that taught are overturned afterwards: they teach all the same, as they stood then.
    overturned = inspections[~later & inspections["found"].astype(bool)].assign(
        revision=99, result="overturned", known_at=inspections["known_at"].max()
    )
    assert len(overturned) > 10
    other = replace(history, inspections=pd.concat([inspections, overturned], ignore_index=True))
    one, two = (weekly(each, spec).judge_week(at, judges) for each in (history, other))
    assert found(one) == found(two)
    assert found(one)[0.2] > 0
    assert found(one, part="inspected") != found(two, part="inspected")


def test_a_week_counts_what_its_own_model_selects(history: History, spec: ModelSpec, order: BacktestOrder) -> None:
    model, judges = weekly(history, spec), order.judges(spec.domain)
    first, second = (model.judge_week(at, judges) for at in order.origins())
    assert {row["week"] for row in first} == {str(order.origins()[0].astype("datetime64[D]"))}
    dataset, at = model.dataset, order.origins()[0]
    week = (dataset.as_of >= at) & (dataset.as_of < at + WEEK)
    assert order.truth is not None
    hits = order.truth.loc[dataset.crossing_ids[week].tolist(), spec.domain].sum()
    row = next(r for r in first if r.get("part") == "truth" and r["share"] == 0.2)
    assert (row["crossings"], row["hits"]) == (week.sum(), hits)
    assert row["selected"] == pytest.approx(0.2 * week.sum())
    assert not [r for r in first if r["table"] == "overlap"]
    overlaps = [r["overlap"] for r in second if r["table"] == "overlap"]
    assert len(overlaps) == len(SHARES)
    assert all(0 < o <= 1 for o in overlaps)
    assert {r["name"] for r in first if r["table"] == "drift"} >= {"margin"}


def test_the_ceiling_finds_what_is_there_to_be_found(history: History, spec: ModelSpec, order: BacktestOrder) -> None:
    truth = order.judges(spec.domain).truth
    assert truth is not None
    judges = Judges(shares=(0.5,), truth=truth, bayes={k: float(v) for k, v in truth.items()}, with_baselines=False)
    rows = weekly(history, spec).judge_week(order.origins()[0], judges)
    (ceiling,) = [r for r in rows if r.get("scorer") == "bayes" and r["part"] == "truth"]
    assert ceiling["found"] == ceiling["hits"] > 0


def test_distance_is_nothing_within_one_distribution_and_much_between_two() -> None:
    rng = np.random.default_rng(0)
    before, same, other = rng.normal(size=4_000), rng.normal(size=1_000), rng.normal(2, 1, size=1_000)
    assert _distance(before, same) < 0.02
    assert _distance(before, other) > 1
    gaps = np.where(rng.random(1_000) < 0.5, np.nan, same)
    assert _distance(before, gaps) > 0.5
    codes = rng.integers(0, 3, size=3_000).astype(np.float64)
    assert _distance(codes, codes[:900], is_code=True) < 0.02
    assert _distance(codes, np.full(900, 7.0), is_code=True) > 1
    assert _distance(np.full(50, np.nan), np.full(50, np.nan)) == 0


def test_weeks_are_pooled_by_their_sums() -> None:
    def row(week: str, hits: float, found: float) -> Row:
        whole = {"domain": "d", "week": week, "scorer": "model", "title": "model", "part": "lot", "share": 0.1}
        return whole | {"crossings": 100.0, "hits": hits, "selected": 10.0, "found": found, "n_hits": hits}

    (pooled,) = summarise(pd.DataFrame([row("1", 8, 2), row("2", 2, 2), row("3", 0, 0)])).to_dict("records")
    assert (pooled["weeks"], pooled["recall"], pooled["precision"]) == (3, 0.4, pytest.approx(4 / 30))
    (nothing,) = summarise(pd.DataFrame([row("3", 0, 0)])).to_dict("records")
    assert np.isnan(nothing["recall"])


def found_rows(hits_by_part: dict[str, float]) -> pd.DataFrame:
    whole = {"domain": "d", "week": "2026-01-05", "scorer": "model", "title": "model", "share": 0.1}
    sums = {"crossings": 100.0, "selected": 10.0}
    return pd.DataFrame(
        [
            whole | sums | {"part": part, "hits": hits, "found": hits / 4, "n_hits": hits}
            for part, hits in hits_by_part.items()
        ]
    )


@pytest.mark.parametrize(
    ("hits", "said"),
    [
        ({"inspected": 8, "lot": 4}, "d, recall at 10% (lot): model 0.250."),
        (
            {"inspected": 8, "lot": 0},
            "d, recall at 10% (inspected): model 0.250. Not told of the lot: no hit there in these weeks.",
        ),
        ({"inspected": 0, "lot": 0}, "d, recall at 10%: none, since no crossing of these weeks is known as a hit."),
    ],
)
def test_where_the_lot_has_no_hit_the_figure_is_told_of_inspected_crossings(hits: dict[str, float], said: str) -> None:
    assert headline("d", found_rows(hits)) == said


def test_the_page_says_why_a_recall_is_a_dash() -> None:
    tables = {"found": found_rows({"lot": 0, "inspected": 8}), "drift": pd.DataFrame(), "overlap": pd.DataFrame()}
    page = write_page(tables, {}, "python -m training.backtest", [])
    assert "0 hits in 1 weeks, so that there is no recall to tell (–). Recall / precision" in page
    assert "| model | – / 0.000 |" in page
    assert "8 hits in 1 weeks. Recall" in page


def test_judged_weeks_are_kept_and_never_mixed(tmp_path: Path) -> None:
    store = WeekStore(tmp_path, {"seed": 1})
    store.keep("d", "2026-01-05", [{"table": "found", "x": 1}, {"table": "drift", "y": 2}])
    (tmp_path / "weeks" / store.key / "d.2026-01-12.draft").write_text("half of")
    again, other = WeekStore(tmp_path, {"seed": 1}), WeekStore(tmp_path, {"seed": 2})
    assert again.has("d", "2026-01-05")
    assert not again.has("d", "2026-01-12")
    assert not other.has("d", "2026-01-05")
    tables = again.tables(["d", "e"], ["2026-01-05", "2026-01-12"])
    assert tables["found"].to_dict("records") == [{"x": 1}]
    assert tables["overlap"].empty
    assert again.tables(["d"], ["2026-01-12"])["found"].empty


@pytest.mark.parametrize("text", ["", "a", "0", "101", "1,,2"])
def test_budgets_that_are_none(text: str) -> None:
    with pytest.raises(ConfigurationError, match="percentages"):
        parse_budgets(text)


def test_pictures_and_page_of_a_domain_without_a_second_week(
    history: History, spec: ModelSpec, order: BacktestOrder
) -> None:
    rows = weekly(history, spec).judge_week(order.origins()[0], order.judges(spec.domain))
    tables = {
        name: pd.DataFrame([row for row in rows if row["table"] == name]) for name in ("found", "drift", "overlap")
    }
    assert set(picture_domain(spec.domain, tables)) == {"weekly", "budget", "drift"}
    page = write_page(tables, {"contraband": "3 hits"}, "python -m training.backtest", ["a note"])
    assert "| model |" in page
    assert "Not judged: 3 hits" in page


def test_the_program_goes_on_where_it_stopped(folder: Path, models: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    wanted = ["training.backtest", "--data", str(folder), "--models", str(models), "--out", str(out)]
    first = run_training(tmp_path / "home", *wanted, "--weeks", "1")
    assert first.returncode == 0, first.stdout + first.stderr
    (kept,) = (out / "weeks").glob("*/*.json")
    kept.write_text(json.dumps(json.loads(kept.read_text())))
    stamp = kept.stat().st_mtime_ns
    second = run_training(tmp_path / "home", *wanted, "--weeks", "2")
    assert second.returncode == 0, second.stdout + second.stderr
    assert kept.stat().st_mtime_ns == stamp
    assert len(list(kept.parent.glob("*.json"))) == 2
    summary = pd.read_csv(out / "summary.csv")
    assert set(summary["weeks"]) == {2}
    assert {"model", "chance", "logistic_regression", "plain_lightgbm", "best_column"} <= set(summary["scorer"])
    assert {"truth", "lot", "inspected"} == set(summary["part"])
    chance = summary[(summary["scorer"] == "chance") & (summary["part"] == "truth")]
    assert chance["recall"].to_numpy() == pytest.approx(chance["share"].to_numpy())
    assert (out / "revenue_fraud_weekly.png").read_bytes().startswith(b"\x89PNG")
    assert "Recall / precision" in (out / "report.md").read_text(encoding="utf-8")
    assert "MLflow run" in second.stdout
