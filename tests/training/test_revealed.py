"""Labels revealed when selected: what was not selected teaches nobody, and copies are left out where asked."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from rich.console import Console

from chekara.data.simulate import simulate_border
from chekara.data.sources import History, load_history
from chekara.errors import TrainingError
from chekara.modelling.spec import ModelSpec, load_spec
from chekara.settings import Settings
from tests.tracked import ROOT
from training._backtest_revealed import (
    AT_RANDOM_WEEKS,
    REVEALED,
    RevealOrder,
    replay_revealed,
    reveal_page,
    run_revealed,
    without_copies,
)
from training._closed_loop_learner import Learner, WeekLines
from training._screen import Screen

ORDER = RevealOrder(strategies=REVEALED, seeds=(1,), share=0.2, rounds=5)


@pytest.fixture(scope="module")
def spec() -> ModelSpec:
    return load_spec(ROOT / "models" / "revenue_fraud" / "model.toml")


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    """Make a history in which every loaded crossing was controlled: what the rule below says is known a day later."""
    folder = tmp_path_factory.mktemp("census")
    simulate_border(folder, months=3, per_day=25, seed=6)
    told = load_history(folder)
    first = told.crossings[(told.crossings["revision"] == 0) & (told.crossings["load_status"] == "loaded")]
    known = first.drop_duplicates("crossing_id")
    is_harm = (known["duty_rate"] >= 0.12).to_numpy()  # easy to learn from a few dozen outcomes
    census = told.inspections.iloc[[0] * len(known)].reset_index(drop=True)
    values = {
        "crossing_id": known["crossing_id"].to_numpy(),
        "inspection_id": known["crossing_id"].to_numpy(),
        "domain": "revenue_fraud",
        "known_at": (known["known_at"] + pd.Timedelta(days=1)).array,
        "found": is_harm,
        "selected_by": "census",
        "status": "done",
        "method": "full",
        "result": np.where(is_harm, "confirmed", "clear"),
        "propensity": np.nan,
        "item_no": np.nan,
        "revision": 0,
    }
    for name, column in values.items():
        census[name] = pd.Series(column, index=census.index).astype(told.inspections[name].dtype)
    return replace(told, inspections=census)


@pytest.fixture(scope="module")
def rows(history: History, spec: ModelSpec) -> pd.DataFrame:
    return replay_revealed(history, spec, ORDER)


def test_budgets_are_kept_and_nobody_finds_more_than_who_knows(rows: pd.DataFrame) -> None:
    assert set(rows["strategy"]) == set(REVEALED)
    assert (rows["selected"] == (ORDER.share * rows["crossings"]).round()).all()
    assert (rows["found"] <= rows["best"]).all()
    oracle = rows[rows["strategy"] == "oracle"]
    assert (oracle["found"] == oracle["best"]).all()
    assert rows.groupby("strategy")["hits"].sum().nunique() == 1


def test_a_model_that_sees_what_it_selected_finds_more_than_chance(rows: pd.DataFrame) -> None:
    late = rows[rows["week"] >= AT_RANDOM_WEEKS + 2].groupby("strategy")["found"].sum()
    assert late["model"] > 1.5 * late["random"]


def test_what_is_not_selected_teaches_nobody(history: History, spec: ModelSpec, rows: pd.DataFrame) -> None:
    blind = history.inspections.assign(known_at=history.inspections["known_at"] + pd.Timedelta(days=3650))
    never = replay_revealed(replace(history, inspections=blind), spec, replace(ORDER, strategies=("random", "model")))
    found = never.groupby("strategy")["found"].sum()
    # Nothing ever becomes known: the model has nothing to rank by and selects as chance does.
    assert found["model"] == found["random"]
    assert found["model"] < rows[rows["strategy"] == "model"]["found"].sum()


def test_neither_trees_nor_profiles_hear_of_what_was_not_selected(
    history: History, spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    selected: set[str] = set()
    told: list[str] = []

    class Watched(Learner):
        def see(
            self, crossings: pd.DataFrame, results: pd.DataFrame, since: np.datetime64, before: np.datetime64
        ) -> dict[str, WeekLines]:
            assert set(results["crossing_id"]) <= selected
            told.extend(results["crossing_id"])
            return super().see(crossings, results, since, before)

        def remember(self, domain: str, week: WeekLines, selected_now: npt.NDArray[np.bool_]) -> None:
            selected.update(week.crossing_ids[selected_now])
            super().remember(domain, week, selected_now)

    monkeypatch.setattr("training._backtest_revealed.Learner", Watched)
    replay_revealed(history, spec, replace(ORDER, strategies=("lot_10",)))
    assert 100 < len(told) == len(set(told)) <= len(selected)


def test_a_replay_can_be_repeated(history: History, spec: ModelSpec, rows: pd.DataFrame) -> None:
    again = replay_revealed(history, spec, replace(ORDER, strategies=("lot_20",)))
    first = rows[rows["strategy"] == "lot_20"].reset_index(drop=True)
    pd.testing.assert_frame_equal(again, first)


def test_copies_are_left_out_but_for_the_first(history: History) -> None:
    columns = ("hs_code", "declared_value", "net_mass_kg")
    copied = pd.concat([history.crossings, history.crossings.assign(crossing_id=lambda f: "COPY" + f["crossing_id"])])
    whole = replace(history, crossings=copied.reset_index(drop=True))
    kept = without_copies(whole, columns)
    known = kept.crossings[list(columns)]
    assert not known.duplicated().any()
    assert set(kept.inspections["crossing_id"]) <= set(kept.crossings["crossing_id"])


def test_the_page_has_a_line_a_strategy(rows: pd.DataFrame) -> None:
    page = reveal_page({"revenue_fraud, as given": rows}, "python -m training.backtest --reveal", ["a note"])
    assert page.count("\n| ") == len(REVEALED) + 1
    assert "| knows every outcome |" in page


def test_a_history_that_was_hardly_inspected_is_refused(history: History, spec: ModelSpec, tmp_path: Path) -> None:
    few = replace(history, inspections=history.inspections.iloc[:50])
    written = StringIO()
    settings = Settings.from_environment({"CHEKARA_HOME": str(tmp_path)})
    with pytest.raises(TrainingError, match="no domain"):
        run_revealed(few, [spec], tmp_path / "out", settings, Screen(Console(file=written)), ORDER)
    assert "too few to reveal" in " ".join(written.getvalue().split())
