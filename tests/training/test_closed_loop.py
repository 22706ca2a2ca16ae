"""A border that reacts: budgets kept, lives that can be repeated, lots that tell the truth, nobody above who knows."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from chekara.data.simulator.world import load_world
from chekara.modelling.spec import ModelSpec, load_spec
from tests.tracked import ROOT
from training._closed_loop import LoopOrder, live_all
from training._closed_loop_figures import by_life, lot_figures, mean_interval, over_seeds, stop_rates
from training._closed_loop_learner import small_spec
from training._closed_loop_life import SETTLED_WEEKS, LifeOrder, LifeTables, live_strategies
from training._closed_loop_page import loop_page, picture_loop
from training._closed_loop_store import LifeStore
from training._screen import Screen
from training._strategies import LOT, STRATEGIES, Strategy, find_strategy

ORDER = LifeOrder(world="drifting", seed=3, per_day=50, warm_up=5, weeks=6, rounds=5)
CAPACITY = load_world().file["practice"]["domains"]["revenue_fraud"]["capacity"]


@pytest.fixture(scope="module")
def spec() -> ModelSpec:
    return small_spec(load_spec(ROOT / "models" / "revenue_fraud" / "model.toml"))


def lived(order: LifeOrder, names: list[str], spec: ModelSpec) -> Iterator[tuple[str, LifeTables]]:
    return live_strategies(order, [find_strategy(name) for name in names], [spec])


@pytest.fixture(scope="module")
def lives(spec: ModelSpec) -> dict[str, LifeTables]:
    return dict(lived(ORDER, list(STRATEGIES), spec))


@pytest.fixture(scope="module")
def tables(lives: dict[str, LifeTables]) -> dict[str, pd.DataFrame]:
    stamp = {"world": ORDER.world, "seed": ORDER.seed}
    return {
        table: pd.DataFrame([stamp | {"strategy": name} | row for name, own in lives.items() for row in own[table]])
        for table in ("weeks", "lot", "groups", "waits")
    }


def test_every_strategy_has_the_same_budget_and_keeps_it(tables: dict[str, pd.DataFrame]) -> None:
    weeks = tables["weeks"]
    assert set(weeks["strategy"]) == set(STRATEGIES)
    assert (weeks.groupby("strategy")["week"].nunique() == ORDER.weeks).all()
    budget = (CAPACITY * weeks["crossings"]).round()
    by_model = weeks["strategy"] != "legacy"  # habit may want fewer than it could
    assert (weeks["selected"] <= budget).all()
    assert (weeks.loc[by_model, "selected"] == budget[by_model]).all()
    assert (weeks["done"] <= weeks["selected"]).all()
    assert (weeks["harm_found"] <= weeks["harm_selected"]).all()


def test_nobody_controls_more_harm_than_who_knows_every_outcome(tables: dict[str, pd.DataFrame]) -> None:
    sums = tables["weeks"].groupby("strategy")[["harm_selected", "harm"]].sum()
    share = sums["harm_selected"] / sums["harm"]
    assert share["oracle"] == share.max()
    assert share["observer"] > share["random"]


def test_a_life_can_be_repeated_whoever_is_asked_beside(lives: dict[str, LifeTables], spec: ModelSpec) -> None:
    again = dict(lived(ORDER, ["lot_20", "random"], spec))
    assert again["lot_20"] == lives["lot_20"]
    assert again["random"] == lives["random"]


def test_lots_take_their_share_of_the_budget(tables: dict[str, pd.DataFrame]) -> None:
    sums = tables["weeks"].groupby("strategy")[["drawn", "selected"]].sum()
    share = sums["drawn"] / sums["selected"]
    assert share["model"] == share["oracle"] == 0
    assert share["random"] == 1
    assert 0.1 < share["lot_20"] < 0.35
    assert share["lot_1"] < share["lot_10"] + 0.02


def test_the_lot_tells_the_truth_over_many_borders(spec: ModelSpec) -> None:
    # Beside a lot that is drawn first, somebody who knows every character takes the worst: no draw is led by that.
    led = Strategy("led", "a lot beside somebody who knows", "observer", {LOT: 0.5})
    rows = []
    for seed in range(40):
        order = LifeOrder(world="steady", seed=seed, per_day=150, warm_up=1, weeks=3, rounds=5)
        ((_, own),) = live_strategies(order, [led], [spec])
        rows += [{"world": "steady", "strategy": "led", "seed": seed} | row for row in own["lot"]]
    lot = pd.DataFrame(rows)
    assert (lot["unknown"] > 0).mean() > 0.8  # draws come to nothing, and are counted
    error = (lot["rate"] - lot["truth"]) / lot["truth"].mean()
    assert abs(error.mean()) < 3.5 * error.std() / np.sqrt(len(error))
    figures = lot_figures(lot).iloc[0]
    assert figures["covers"] / figures["lives"] > 0.85
    assert abs(figures["bias"]) < 0.2


def test_groups_are_counted_once_and_stops_for_nothing_are_among_the_honest(tables: dict[str, pd.DataFrame]) -> None:
    groups = tables["groups"]
    crossings = tables["weeks"].groupby("strategy")["crossings"].sum()
    by_post = groups[groups["kind"] == "crossing_point"].groupby("strategy")["crossings"].sum()
    pd.testing.assert_series_equal(by_post, crossings.astype(float), check_names=False)
    assert (groups["for_nothing"] <= groups[["honest", "stopped"]].min(axis=1)).all()
    sums = tables["weeks"].groupby("strategy")[["selected", "harm_selected"]].sum()
    nothing = groups[groups["kind"] == "crossing_point"].groupby("strategy")["for_nothing"].sum()
    np.testing.assert_array_equal(nothing, (sums["selected"] - sums["harm_selected"]).loc[nothing.index])
    rates = stop_rates(groups)
    assert rates["stop_rate"].between(0, 1).all()
    assert set(rates["kind"]) == {"crossing_point", "trader_size", "trader_age", "plates"}


def test_the_page_tells_of_every_strategy_whom_it_falls_on_and_how_long_they_wait(
    tables: dict[str, pd.DataFrame],
) -> None:
    page = loop_page(tables, "python -m training.backtest --closed-loop", ["a note"], takes_over=ORDER.warm_up)
    for strategy in STRATEGIES.values():
        assert page.count(f"| {strategy.title} |") >= 3
    for said in ("a note", "harm that crosses", "intervals that hold the truth", "stopped for nothing", "mean wait"):
        assert said in page
    told = ("not worlds", "Nothing changed yet")
    assert [said in page for said in told] == [True, ORDER.weeks <= SETTLED_WEEKS]
    steady = {name: table.replace({"drifting": "steady"}) for name, table in tables.items()}
    assert not any(said in loop_page(steady, "", [], takes_over=ORDER.warm_up) for said in told)
    figures = picture_loop(tables, takes_over=ORDER.warm_up)
    assert set(figures) == {"hundred_harms", "drifting_weeks"}


def test_figures_of_strategies_are_compared_seed_by_seed() -> None:
    rows = [
        {"world": "steady", "domain": "d", "strategy": strategy, "seed": seed, "found": seed / 10 + more}
        for seed in range(4)
        for strategy, more in (("model", 0.0), ("lot_10", 0.02))
    ]
    told = over_seeds(pd.DataFrame(rows), "found").set_index("strategy").loc["lot_10"]
    assert told["difference"] == pytest.approx(0.02)
    assert told["difference_high"] - told["difference_low"] < 1e-9 < told["high"] - told["low"]
    assert np.isnan(mean_interval(np.array([1.0]))[1])


def test_sums_over_domains_count_crossings_once(tables: dict[str, pd.DataFrame]) -> None:
    doubled = pd.concat([tables["weeks"], tables["weeks"].assign(domain="other")])
    whole = by_life(doubled).query("domain == 'all'").set_index("strategy")
    own = by_life(tables["weeks"]).query("domain == 'revenue_fraud'").set_index("strategy")
    np.testing.assert_allclose(whole["crossings"], own["crossings"])
    np.testing.assert_allclose(whole["found"], own["found"])
    np.testing.assert_allclose(whole["missed"], 2 * own["missed"])


def test_lives_that_were_lived_are_not_lived_again(spec: ModelSpec, tmp_path: Path) -> None:
    order = LoopOrder(
        worlds=("steady",), strategies=("random", "legacy"), seeds=(1, 2), per_day=20, warm_up=1, weeks=1, rounds=5
    )
    store = LifeStore(tmp_path, {"order": 1})
    written = StringIO()
    screen = Screen(Console(file=written))
    live_all(order, [spec], store, screen, jobs=1)
    first = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")}
    assert len(first) == 4
    victim = min(first)
    victim.unlink()
    live_all(order, [spec], store, screen, jobs=2)
    again = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")}
    assert {path for path in again if again[path] != first[path]} == {victim}
    live_all(order, [spec], store, screen, jobs=2)
    assert "All lives were lived before." in written.getvalue()
    assert set(store.tables(["steady"], ["random", "legacy"], [1, 2])["weeks"]["seed"]) == {1, 2}
