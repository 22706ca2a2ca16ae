"""The simulated border: same seed same bytes, no violation, and a truth that can be learned from what is declared."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chekara.data.labels import TargetRule, label_crossings
from chekara.data.simulate import simulate_border
from chekara.data.simulate_controls import LOT_PROPENSITY
from chekara.data.simulate_harms import DOMAINS
from chekara.data.sources import History, load_history
from chekara.errors import ConfigurationError
from chekara.evaluation.ranking import auc


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("border")
    simulate_border(out, months=6, per_day=60, seed=5)
    return out


@pytest.fixture(scope="module")
def history(folder: Path) -> History:
    return load_history(folder)


@pytest.fixture(scope="module")
def truth(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / "truth.parquet")


def bytes_of(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_same_seed_same_bytes_other_seed_other_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        simulate_border(tmp_path / name, months=1, per_day=20, seed=seed)
    a, b, c = (bytes_of(tmp_path / name) for name in "abc")
    assert a == b
    assert list(a) == ["crossing_points.parquet", "crossings.parquet", "inspections.parquet", "truth.parquet"]
    assert all(a[name] != c[name] for name in a if name != "crossing_points.parquet")


@pytest.mark.parametrize(("months", "per_day", "seed"), [(0, 10, 1), (1, 0, 1), (1, 1, -1)])
def test_impossible_borders_are_refused(tmp_path: Path, months: int, per_day: int, seed: int) -> None:
    with pytest.raises(ConfigurationError):
        simulate_border(tmp_path, months=months, per_day=per_day, seed=seed)


def test_the_smallest_border_is_made(tmp_path: Path) -> None:
    simulate_border(tmp_path, months=1, per_day=1, seed=1)
    assert load_history(tmp_path).refusals == ()


def test_meets_the_contract_without_a_violation(history: History) -> None:
    assert history.refusals == ()
    assert not any(history.ignored_columns.values())
    assert history.crossings["crossing_id"].nunique() == 183 * 60
    assert set(history.crossings["crossing_point"]) <= set(history.crossing_points["code"])


def test_truth_holds_every_domain_of_every_crossing(history: History, truth: pd.DataFrame) -> None:
    assert list(truth.columns) == ["crossing_id", *DOMAINS]
    assert set(truth["crossing_id"]) == set(history.crossings["crossing_id"])
    assert all(0.002 < truth[domain].mean() < 0.15 for domain in DOMAINS)


def test_value_and_mass_of_a_declaration_tell_revenue_fraud(history: History, truth: pd.DataFrame) -> None:
    lines = history.newest_revisions()
    price = np.log(lines["declared_value"] / lines["net_mass_kg"])
    cheap = price.groupby(lines["hs_code"]).transform("median") - price
    heavy = lines["weighed_mass_kg"] / lines.groupby("crossing_id")["gross_mass_kg"].transform("sum") - 1
    score = cheap.clip(lower=0) + 5 * heavy.clip(lower=0).replace(np.inf, 0).fillna(0)
    by_crossing = score.groupby(lines["crossing_id"]).max().reindex(truth["crossing_id"]).fillna(0)
    assert auc(truth["revenue_fraud"], by_crossing) > 0.8


def test_selection_is_biased_and_the_lot_is_not(history: History, truth: pd.DataFrame) -> None:
    harm = truth.set_index("crossing_id")["revenue_fraud"]
    own = history.inspections[
        (history.inspections["domain"] == "revenue_fraud") & (history.inspections["revision"] == 0)
    ]
    selected = own[own["selected_by"] != "random"]["crossing_id"]
    assert harm[selected].mean() > 1.5 * harm.mean()
    lot = history.inspections[history.inspections["selected_by"] == "random"]
    assert set(lot["propensity"]) == {LOT_PROPENSITY}
    assert lot["crossing_id"].nunique() == pytest.approx(LOT_PROPENSITY * len(harm), rel=0.25)
    assert not lot["found"].all()
    assert set(lot["status"]) == {"done", "not_done"}
    assert history.inspections.loc[history.inspections["selected_by"] != "random", "propensity"].isna().all()


def test_results_come_late_miss_some_and_are_sometimes_overturned(history: History, truth: pd.DataFrame) -> None:
    controls = history.inspections
    assert (controls["known_at"] > controls["inspected_at"]).all()
    assert (controls["result"] == "overturned").sum() > 3
    labels = label_crossings(controls, TargetRule(domain="revenue_fraud"))
    real = labels["crossing_id"].map(truth.set_index("crossing_id")["revenue_fraud"])
    assert 0.6 < labels["hit"][real].mean() < 0.9
    assert labels["hit"][~real].mean() < 0.02
    assert (labels["revenue_recovered"][labels["hit"]] > 0).mean() > 0.9


def test_a_hit_names_an_item_that_is_there(history: History) -> None:
    hits = history.inspections[history.inspections["item_no"].notna()]
    lines = set(zip(history.crossings["crossing_id"], history.crossings["item_no"], strict=True))
    assert set(zip(hits["crossing_id"], hits["item_no"], strict=True)) <= lines


def test_masses_and_duty_fit_together(history: History) -> None:
    goods = history.crossings[history.crossings["hs_code"].notna()]
    assert (goods["gross_mass_kg"] >= goods["net_mass_kg"]).all()
    assert (goods[["declared_value", "net_mass_kg", "packages"]] > 0).all(axis=None)
    assert np.allclose(goods["duty_amount"], goods["declared_value"] * goods["duty_rate"], atol=0.01)
