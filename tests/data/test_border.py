"""The border week by week: luck that belongs to a part of a week, orders that are kept, unrest with other people."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from chekara.data.simulator.border import Border, BorderWeek, stream_a_part
from chekara.data.simulator.change import Unrest
from chekara.data.simulator.controls import MODEL, NOBODY, RANDOM, Orders, applies_to
from chekara.data.simulator.world import DOMAINS, load_world

WORLD = load_world()
DAYS, PER_DAY = 70, 60


def nobody(week: BorderWeek) -> Orders:
    return Orders({domain: np.full(week.said.size, NOBODY) for domain in DOMAINS}, np.zeros(week.said.size))


def test_two_borders_of_a_seed_have_the_same_first_week_and_nearly_the_same_traffic_later() -> None:
    watched, left_alone = (Border(WORLD, DAYS, PER_DAY, stream_a_part(4)) for _ in range(2))
    while not watched.is_over:
        one, other = watched.next_week(), left_alone.next_week()
        assert abs(one.said.size - other.said.size) <= 0.1 * one.said.size + 5
        if one.number == 0:
            np.testing.assert_array_equal(one.said.header["second"], other.said.header["second"])
            np.testing.assert_array_equal(one.harms.by_crossing["contraband"], other.harms.by_crossing["contraband"])
        watched.inspect(one, None)
        left_alone.inspect(other, nobody(other))


def test_orders_are_kept_and_draws_come_to_nothing_as_often_as_said() -> None:
    border = Border(WORLD, DAYS, PER_DAY, stream_a_part(2))
    done: list[bool] = []
    while not border.is_over:
        week = border.next_week()
        n = week.said.size
        asked = np.where(np.arange(n) % 3 == 0, RANDOM, np.where(np.arange(n) % 3 == 1, MODEL, NOBODY))
        controls = border.inspect(week, Orders(dict.fromkeys(DOMAINS, asked), np.full(n, 0.25)))
        for domain, own in controls.items():
            expected = np.flatnonzero(applies_to(domain, week.scene, week.said) & (asked >= 0))
            np.testing.assert_array_equal(own.crossing, expected)
            np.testing.assert_array_equal(own.selected_by, asked[expected])
            assert own.done[own.selected_by == MODEL].all()
        done += controls["contraband"].done[controls["contraband"].selected_by == RANDOM].tolist()
    assert 0.70 < np.mean(done) < 0.80


def test_what_a_draw_finds_has_the_chance_that_is_told() -> None:
    border = Border(WORLD, 2 * DAYS, PER_DAY, stream_a_part(5))
    found, expected, alarms = 0, 0.0, 0.0
    while not border.is_over:
        week = border.next_week()
        chance = border.found_if_drawn(week)["contraband"]
        everybody = Orders(dict.fromkeys(DOMAINS, np.full(week.said.size, RANDOM)), np.zeros(week.said.size))
        controls = border.inspect(week, everybody)["contraband"]
        found += int(controls.found.sum())
        expected += float(chance.sum())
        alarms += float(chance[~week.harms.by_crossing["contraband"]].sum())
    assert 0 < alarms < 0.5 * expected
    assert abs(found - expected) < 4 * np.sqrt(expected)


def test_results_of_a_week_name_its_crossings_and_lines() -> None:
    border = Border(WORLD, 21, PER_DAY, stream_a_part(3))
    ids: set[str] = set()
    seen: list[pd.DataFrame] = []
    while not border.is_over:
        week = border.next_week()
        frame = border.lodged(week, np.random.default_rng(1))
        results = border.results(week, border.inspect(week, None))
        assert set(results["crossing_id"]) <= set(frame["crossing_id"])
        assert ids.isdisjoint(frame["crossing_id"])
        ids |= set(frame["crossing_id"])
        lines = frame.groupby("crossing_id")["item_no"].max()
        named = results[results["item_no"].notna()]
        assert (named["item_no"].to_numpy() <= lines.loc[named["crossing_id"]].to_numpy()).all()
        seen.append(results)
    every = pd.concat(seen)
    assert every["inspection_id"].is_unique
    assert (every["known_at"] > every["inspected_at"]).all()


def test_a_border_without_unrest_keeps_its_people(calm: list[BorderWeek]) -> None:
    first, last = calm[0].scene.actors, calm[-1].scene.actors
    assert first is last


@pytest.fixture(scope="module")
def calm() -> list[BorderWeek]:
    return _weeks(None)


@pytest.fixture(scope="module")
def restless() -> list[BorderWeek]:
    return _weeks(Unrest(first_week=6, every_weeks=2, turnover=0.3))


def _weeks(unrest: Unrest | None) -> list[BorderWeek]:
    border = Border(WORLD, 180, 120, stream_a_part(7), unrest)
    weeks = []
    while not border.is_over:
        weeks.append(border.next_week())
        border.inspect(weeks[-1], nobody(weeks[-1]))
    return weeks


def _kinds(weeks: list[BorderWeek]) -> np.ndarray:
    kind = np.concatenate([week.harms.kind for week in weeks])
    return np.bincount(kind[kind >= 0], minlength=4)


def test_unrest_brings_tricks_that_nobody_used_before(restless: list[BorderWeek]) -> None:
    assert (_kinds(restless[:6])[[1, 3]] == 0).all()
    assert (_kinds(restless[14:])[[1, 3]] > 0).all()


def test_unrest_replaces_cheats_and_moves_crews(calm: list[BorderWeek], restless: list[BorderWeek]) -> None:
    def cheats(weeks: list[BorderWeek]) -> set[int]:
        return set(np.flatnonzero(weeks[-1].scene.actors.importers.cheat_rate > 0.12).tolist())

    assert len(cheats(restless) & cheats(calm)) < 0.5 * len(cheats(calm))
    assert abs(len(cheats(restless)) - len(cheats(calm))) <= 0.1 * len(cheats(calm))
    first, last = restless[0].scene.actors, restless[-1].scene.actors
    assert (first.rings.options != last.rings.options).any()
    assert (first.exporter_rate > 0).sum() == (last.exporter_rate > 0).sum()
    assert (first.vehicles.solo_rate > 0).sum() == (last.vehicles.solo_rate > 0).sum()


def test_unrest_changes_who_does_harm_more_than_how_much_there_is(
    calm: list[BorderWeek], restless: list[BorderWeek]
) -> None:
    for domain in ("revenue_fraud", "contraband"):
        counts = [sum(int(week.harms.by_crossing[domain].sum()) for week in weeks[8:]) for weeks in (calm, restless)]
        assert 0.5 < counts[1] / counts[0] < 2.0, domain


def test_unrest_comes_at_its_weeks_alone() -> None:
    unrest = Unrest(first_week=3, every_weeks=5)
    assert [week for week in range(20) if unrest.number(week) is not None] == [3, 8, 13, 18]
