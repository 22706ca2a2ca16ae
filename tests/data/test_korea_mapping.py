"""The shipped mapping over the real Korean declarations, where they are at hand."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from chekara.data.labels import TargetRule, label_crossings
from chekara.data.sources import History, load_history

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "korea54k"


@pytest.fixture(scope="module")
def history() -> History:
    if not FOLDER.is_dir():
        pytest.skip("the Korean declarations are not beside the project; docs/mapping.md says where to get them")
    return load_history(FOLDER)


@pytest.fixture(scope="module")
def foreign() -> pd.DataFrame:
    if not FOLDER.is_dir():
        pytest.skip("the Korean declarations are not beside the project; docs/mapping.md says where to get them")
    parts = [pd.read_csv(FOLDER / name, dtype="str", keep_default_na=False) for name in ("train.csv", "valid.csv")]
    return pd.concat(parts, ignore_index=True)


def test_the_folder_is_recognised_and_nothing_is_refused(history: History) -> None:
    assert history.mapping_name == "korea54k"
    assert history.refusals == ()
    assert [(file.name, file.rows) for file in history.files] == [("train.csv", 37_385), ("valid.csv", 8_134)]


def test_values_arrive_whole(history: History, foreign: pd.DataFrame) -> None:
    crossings = history.crossings
    assert crossings["hs_code"].tolist() == foreign["HS6 Code"].tolist()
    assert crossings["crossing_id"].tolist() == foreign["Declaration ID"].tolist()
    assert crossings["declared_value"].tolist() == foreign["Item Price"].astype(float).tolist()
    assert (crossings["duty_rate"] - foreign["Tax Rate"].astype(float) / 100).abs().max() < 1e-12
    assert crossings["preference_code"].tolist() == foreign["Tax Type"].tolist()
    assert crossings["exporter_id"].isna().sum() == (foreign["Seller ID"] == "").sum()
    dates = crossings["occurred_at"].dt.tz_convert("Asia/Seoul").dt.strftime("%Y-%m-%d %H:%M")
    assert dates.tolist() == (foreign["Date"] + " 00:00").tolist()
    modes = pd.crosstab(foreign["Mode of Transport"], crossings["mode"])
    assert modes.loc["10", "water"] == (foreign["Mode of Transport"] == "10").sum()
    assert modes.loc["40", "air"] == (foreign["Mode of Transport"] == "40").sum()


def test_every_declaration_has_its_outcome(history: History, foreign: pd.DataFrame) -> None:
    labels = label_crossings(history.inspections, TargetRule(domain="revenue_fraud")).set_index("crossing_id")
    assert labels.loc[foreign["Declaration ID"], "hit"].tolist() == (foreign["Fraud"] == "1").tolist()
    assert set(labels["selected_by"]) == {"census"}
    critical = history.inspections["irregularity"] == "critical_fraud"
    assert critical.sum() == (foreign["Critical Fraud"] == "2").sum()
