"""The simulated border: same seed same bytes, no violation; truth, bias and delay as promised."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chekara.data.labels import TargetRule, label_crossings
from chekara.data.simulate import BAYES_FILE, simulate_border
from chekara.data.simulator.world import DOMAINS
from chekara.data.sources import History, load_history
from chekara.errors import ConfigurationError, HistoryError
from chekara.evaluation.ranking import auc


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("border")
    simulate_border(out, months=9, per_day=120, seed=5)
    return out


@pytest.fixture(scope="module")
def history(folder: Path) -> History:
    return load_history(folder)


@pytest.fixture(scope="module")
def truth(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / "truth.parquet").set_index("crossing_id")


@pytest.fixture(scope="module")
def bayes(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / BAYES_FILE).set_index("crossing_id")


def bytes_of(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_same_seed_same_bytes_other_seed_other_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        simulate_border(tmp_path / name, months=1, per_day=20, seed=seed)
    a, b, c = (bytes_of(tmp_path / name) for name in "abc")
    assert a == b
    tables = ["bayes", "crossing_points", "crossings", "inspections", "truth"]
    assert list(a) == [f"{table}.parquet" for table in tables]
    assert all(a[name] != c[name] for name in a if name != "crossing_points.parquet")


@pytest.mark.parametrize(("months", "per_day", "seed"), [(0, 10, 1), (1, 0, 1), (1, 1, -1)])
def test_impossible_borders_are_refused(tmp_path: Path, months: int, per_day: int, seed: int) -> None:
    with pytest.raises(ConfigurationError):
        simulate_border(tmp_path, months=months, per_day=per_day, seed=seed)


@pytest.mark.parametrize("below", ["", "below"])
def test_a_place_that_cannot_be_written_is_told_before_the_work(
    tmp_path: Path, below: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def live(*_: object) -> None:
        raise AssertionError("a border lived for nothing")

    monkeypatch.setattr("chekara.data.simulate.live", live)
    (tmp_path / "file").write_text("kept")
    with pytest.raises(HistoryError, match="not a folder that can be written to"):
        simulate_border(tmp_path / "file" / below, months=1, per_day=1, seed=1)
    assert (tmp_path / "file").read_text() == "kept"


def test_the_smallest_border_is_made(tmp_path: Path) -> None:
    simulate_border(tmp_path, months=1, per_day=1, seed=1)
    assert load_history(tmp_path).refusals == ()


def test_meets_the_contract_without_a_violation(history: History) -> None:
    assert history.refusals == ()
    assert not any(history.ignored_columns.values())
    assert history.crossings["crossing_id"].nunique() == pytest.approx(274 * 120, rel=0.05)
    assert set(history.crossings["crossing_point"]) <= set(history.crossing_points["code"])


def test_truth_holds_every_domain_of_every_crossing(history: History, truth: pd.DataFrame) -> None:
    assert list(truth.columns) == list(DOMAINS)
    assert set(truth.index) == set(history.crossings["crossing_id"])
    assert all(0.001 < truth[domain].mean() < 0.08 for domain in DOMAINS)


@pytest.mark.parametrize("domain", DOMAINS)
def test_bayes_is_calibrated_and_a_high_ceiling(domain: str, truth: pd.DataFrame, bayes: pd.DataFrame) -> None:
    assert list(bayes.index) == list(truth.index)
    chance = 1 / (1 + np.exp(-bayes[domain]))
    harmed = truth[domain].to_numpy()
    assert auc(harmed, chance) > 0.85
    spread = np.sqrt((chance * (1 - chance)).sum())
    assert abs(harmed.sum() - chance.sum()) < 4 * spread
    likely = chance.to_numpy() > 0.3
    gap = abs(harmed[likely].mean() - chance[likely].mean())
    assert gap < 4 * np.sqrt((chance * (1 - chance))[likely].sum()) / likely.sum() + 0.05


@pytest.mark.parametrize("domain", DOMAINS)
def test_no_declared_column_comes_near_the_observer(
    domain: str, history: History, truth: pd.DataFrame, bayes: pd.DataFrame
) -> None:
    newest = history.newest_revisions()
    harmed = truth[domain].to_numpy()
    ceiling = auc(harmed, bayes[domain])
    numbers = newest.select_dtypes("number").drop(columns=["revision"])
    for name in numbers:
        by_crossing = numbers[name].groupby(newest["crossing_id"]).mean().reindex(truth.index)
        score = by_crossing.fillna(by_crossing.median()).fillna(0).to_numpy()
        alone = auc(harmed, score)
        assert max(alone, 1 - alone) < ceiling - 0.04, name


def test_selection_is_biased_and_the_lot_is_not(history: History, truth: pd.DataFrame) -> None:
    for domain in DOMAINS:
        harm = truth[domain]
        own = history.inspections[(history.inspections["domain"] == domain) & (history.inspections["revision"] == 0)]
        assert harm[own[own["selected_by"] != "random"]["crossing_id"]].mean() > 1.3 * harm.mean()
    lot = history.inspections[history.inspections["selected_by"] == "random"]
    assert lot["propensity"].nunique() == 1
    expected = lot["propensity"].iloc[0] * len(truth)
    # Whoever is drawn is drawn for every domain that applies to the crossing.
    assert abs(lot["crossing_id"].nunique() - expected) < 4 * np.sqrt(expected)
    assert set(lot["status"]) == {"done", "not_done"}
    assert history.inspections.loc[history.inspections["selected_by"] != "random", "propensity"].isna().all()


def test_results_come_late_miss_some_and_are_sometimes_overturned(history: History, truth: pd.DataFrame) -> None:
    controls = history.inspections
    assert (controls["known_at"] > controls["inspected_at"]).all()
    assert (controls["result"] == "overturned").sum() > 3
    labels = label_crossings(controls, TargetRule(domain="revenue_fraud"))
    real = labels["crossing_id"].map(truth["revenue_fraud"])
    assert 0.5 < labels["hit"][real].mean() < 0.9
    assert labels["hit"][~real].mean() < 0.01
    assert (labels["revenue_recovered"][labels["hit"]] > 0).mean() > 0.9


def test_a_hit_names_an_item_that_is_there(history: History) -> None:
    hits = history.inspections[history.inspections["item_no"].notna()]
    lines = set(zip(history.crossings["crossing_id"], history.crossings["item_no"], strict=True))
    assert set(zip(hits["crossing_id"], hits["item_no"], strict=True)) <= lines


def test_masses_and_duty_fit_together(history: History) -> None:
    goods = history.crossings[history.crossings["hs_code"].notna()]
    shown = goods.dropna(subset=["gross_mass_kg", "net_mass_kg"])
    assert (shown["gross_mass_kg"] >= shown["net_mass_kg"]).mean() > 0.99  # the rest are slips of the pen
    valued = goods.dropna(subset=["declared_value"])
    assert np.allclose(valued["duty_amount"], valued["declared_value"] * valued["duty_rate"], atol=0.01)
