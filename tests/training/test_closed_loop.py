"""A border that reacts: arms differ in who is selected, see results only once known, and can be repeated."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from chekara.data.simulate import simulate_border
from chekara.modelling.spec import ModelSpec, load_spec
from tests.tracked import ROOT
from training._closed_loop import ARMS, Selector, _tell_tenths, live_arm, loop_page
from training._screen import Screen

SIZE = {"months": 3, "per_day": 60, "seed": 3}


@pytest.fixture(scope="module")
def spec() -> ModelSpec:
    spec = load_spec(ROOT / "models" / "revenue_fraud" / "model.toml")
    return replace(spec, training=replace(spec.training, rounds=(5, 10)))


@pytest.fixture(scope="module")
def counts(spec: ModelSpec, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("arms")
    return pd.concat([live_arm([spec], arm, folder / arm, **SIZE) for arm in ARMS], ignore_index=True)


def test_every_arm_is_counted_by_month(counts: pd.DataFrame) -> None:
    assert set(counts["arm"]) == set(ARMS)
    assert (counts.groupby("arm")["month"].nunique() >= SIZE["months"]).all()
    assert (counts["found"] <= counts["selected"]).all()
    assert (counts["harm"] <= counts["crossings"]).all()
    assert (counts.groupby("arm")[["selected", "found", "harm"]].sum() > 0).all().all()


def test_the_page_compares_all_arms(counts: pd.DataFrame) -> None:
    page = loop_page(counts, "python -m training.backtest --closed-loop", ["a note"])
    assert all(f"| {title} |" in page for title in ARMS.values())


def test_progress_that_is_not_on_a_terminal_is_a_line_for_each_tenth() -> None:
    written = StringIO()
    with Screen(Console(file=written)).progress() as progress:
        for week in range(40):
            _tell_tenths(progress, "selected at random", (week + 1) / 40)
    lines = written.getvalue().splitlines()
    assert lines == [f"selected at random: {percent} %" for percent in range(0, 101, 10)]


def test_an_arm_lives_the_same_life_again(spec: ModelSpec, counts: pd.DataFrame, tmp_path: Path) -> None:
    again = live_arm([spec], "model", tmp_path / "again", **SIZE)
    first = counts[counts["arm"] == "model"].reset_index(drop=True)
    pd.testing.assert_frame_equal(again, first)


def test_a_selector_ranks_every_crossing_of_the_week_once(spec: ModelSpec, tmp_path: Path) -> None:
    asked: list[tuple[set[str], list[str]]] = []
    selector = Selector([spec], "own_choices", seed=1)

    def watched(crossings: pd.DataFrame, results: pd.DataFrame) -> dict[str, list[str]]:
        wishes = selector(crossings, results)
        asked.append((set(crossings["crossing_id"]), wishes[spec.domain]))
        return wishes

    simulate_border(tmp_path / "border", **SIZE, policy=watched)
    assert len(asked) > 10
    for ids, ranked in asked:
        assert len(ranked) == len(set(ranked))
        assert set(ranked) <= ids
    learned = [ids != set(ranked) for ids, ranked in asked]
    assert any(learned)  # a model leaves out what its domain does not apply to; chance ranks all
    assert not learned[0]
