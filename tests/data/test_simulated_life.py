"""The simulated border lives: crews move on after hits, the caught lie low, a policy selects, papers go wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chekara.data.identity import canonical_ids
from chekara.data.simulator.controls import MODEL, RANDOM
from chekara.data.simulator.life import Life, live
from chekara.data.simulator.lodged import crossings_table
from chekara.data.simulator.paper import LOOK_ALIKE, PLAIN, SEPARATED, SMALL, WRONG, as_spelt
from chekara.data.simulator.world import DOMAINS, World, load_world
from chekara.errors import ConfigurationError

SHIPPED = load_world()


def world_with(tmp_path: Path, *changes: tuple[str, str]) -> World:
    """Return the shipped world with some lines of its file changed."""
    text = (Path(__file__).parents[2] / "src/chekara/data/worlds/kyrgyz_republic.toml").read_text(encoding="utf-8")
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (tmp_path / "world.toml").write_text(text, encoding="utf-8")
    return load_world(tmp_path / "world.toml")


@pytest.fixture(scope="module")
def life() -> Life:
    return live(SHIPPED, 9, 120, np.random.default_rng(3))


def changes_of_post(life: Life) -> float:
    """How often the busiest smugglers' contraband comes by another post than two months before, 0 to 1."""
    header = life.flow.header
    smuggled = np.flatnonzero(life.truth["contraband"] & (header["said_carrier"] >= 0))
    frame = pd.DataFrame(
        {
            "carrier": header["said_carrier"][smuggled],
            "post": header["post"][smuggled],
            "block": header["second"][smuggled] // (60 * 86_400),
        }
    )
    usual = frame.groupby(["carrier", "block"])["post"].agg(lambda posts: posts.mode()[0])
    enough = frame.groupby(["carrier", "block"]).size() >= 5
    tracks = [posts.to_numpy() for _, posts in usual[enough].groupby("carrier")]
    steps = np.concatenate([np.diff(track) != 0 for track in tracks if len(track) > 1])
    assert len(steps) >= 8
    return float(steps.mean())


def test_rings_move_to_another_post_after_seizures(life: Life, tmp_path: Path) -> None:
    stays = live(world_with(tmp_path, ("\nmoves = 0.3", "\nmoves = 0.0")), 9, 120, np.random.default_rng(3))
    assert stays.moves == []
    assert {crew for _, crew, _, _ in life.moves} == {"ring", "gang", "network"}
    assert changes_of_post(life) > changes_of_post(stays) + 0.15


def test_nobody_moves_before_the_first_hit_is_known(life: Life) -> None:
    first_known = min(own.known[own.found].min() for own in life.controls.values())
    assert min(week for week, _, _, _ in life.moves) >= first_known // (7 * 86_400)


def nobody(crossings: pd.DataFrame, results: pd.DataFrame) -> Mapping[str, Sequence[str]]:
    return {}


def test_the_caught_cheat_less(tmp_path: Path) -> None:
    fearful = world_with(
        tmp_path,
        ("\ndeterrence = 0.35", "\ndeterrence = 0.95"),
        ("\nforgotten_after_days = 30", "\nforgotten_after_days = 120"),
    )
    watched = live(fearful, 6, 80, np.random.default_rng(8))
    left_alone = live(fearful, 6, 80, np.random.default_rng(8), nobody)
    for domain in ("revenue_fraud", "contraband"):
        assert watched.truth[domain].mean() < 0.9 * left_alone.truth[domain].mean()


def test_a_policy_takes_the_place_of_habit_within_its_capacity() -> None:
    asked: list[tuple[pd.DataFrame, pd.DataFrame]] = []

    def everything(crossings: pd.DataFrame, results: pd.DataFrame) -> Mapping[str, Sequence[str]]:
        asked.append((crossings, results))
        return {"contraband": list(dict.fromkeys(crossings["crossing_id"])), "no_such_domain": ["x"]}

    life = live(SHIPPED, 2, 60, np.random.default_rng(5), everything)
    seen = pd.concat([crossings for crossings, _ in asked])
    assert len(asked) == 9
    assert seen["crossing_id"].nunique() == life.flow.size
    assert not asked[0][1].size
    for domain in DOMAINS:
        own = life.controls[domain]
        assert set(own.selected_by) <= ({RANDOM, MODEL} if domain == "contraband" else {RANDOM})
    by_model = (life.controls["contraband"].selected_by == MODEL).sum()
    capacity = SHIPPED.file["practice"]["domains"]["contraband"]["capacity"]
    assert 0.9 * capacity < by_model / life.flow.size <= 1.02 * capacity
    told = pd.concat([results for _, results in asked])
    assert len(told) == len(told.drop_duplicates(["crossing_id", "domain", "inspected_at"]))
    every = sum(len(own.crossing) for own in life.controls.values())
    assert 0.8 * every < len(told) < every
    assert life.flow.size == len(np.unique(seen["crossing_id"]))


def test_a_policy_sees_only_what_is_known() -> None:
    def look(crossings: pd.DataFrame, results: pd.DataFrame) -> Mapping[str, Sequence[str]]:
        if len(results):
            week_starts = crossings["occurred_at"].min().floor("D")
            assert results["known_at"].max() < week_starts + pd.Timedelta(days=1)
        return {}

    live(SHIPPED, 2, 30, np.random.default_rng(6), look)


def test_the_lot_is_drawn_alike_at_every_post(life: Life) -> None:
    chance = SHIPPED.file["practice"]["lot"]
    drawn = np.zeros(life.flow.size, dtype=bool)
    for own in life.controls.values():
        drawn[own.crossing[own.selected_by == RANDOM]] = True
    post, n_posts = life.flow.header["post"], len(SHIPPED.posts.code)
    crossings = np.bincount(post, minlength=n_posts)
    lot = np.bincount(post, weights=drawn, minlength=n_posts)
    busy = crossings * chance >= 5
    chi_square = ((lot - crossings * chance) ** 2 / (crossings * chance * (1 - chance)))[busy].sum()
    assert chi_square < busy.sum() + 4 * np.sqrt(2 * busy.sum())


def test_no_hit_without_harm_but_for_the_stated_false_alarms(life: Life) -> None:
    for domain, own in life.controls.items():
        harmed = life.truth[domain][own.crossing]
        assert harmed[own.is_true].all()
        assert not own.found[~own.done].any()
        done, false = own.done & ~harmed, own.found & ~harmed
        expected = SHIPPED.file["practice"]["false_alarms"] * done.sum()
        assert false.sum() < expected + 5 * np.sqrt(expected)
        assert own.found[own.done & harmed].mean() < 0.97


@pytest.mark.parametrize("variant", [SMALL, SEPARATED, LOOK_ALIKE])
def test_spellings_of_an_id_are_one_id(variant: int) -> None:
    plates = np.array(["01KG123ABC02", "09UZ777XPT13"], dtype=object)
    texts, which = as_spelt(plates, np.array([0, 1, 1]), np.array([variant, PLAIN, variant]))
    written = pd.Series([texts[k] for k in which])
    assert written[0] != plates[0]
    assert canonical_ids("vehicle", written).tolist() == [plates[0], plates[1], plates[1]]


def test_a_wrong_character_is_another_id() -> None:
    texts, which = as_spelt(np.array(["01KG123ABC02"], dtype=object), np.array([0]), np.array([WRONG]))
    assert canonical_ids("vehicle", pd.Series([texts[which[0]]]))[0] != "01KG123ABC02"


def test_declarations_are_announced_corrected_and_put_right_after_a_hit(life: Life) -> None:
    table = crossings_table(SHIPPED, life.names, life.flow, np.random.default_rng(1), life.corrected)
    first = table[table["revision"] == 0]
    ahead = first[first["stage"] == "pre_arrival"]
    assert (ahead["known_at"] < ahead["occurred_at"]).all()
    assert ahead[["weighed_mass_kg", "seal_status", "occupants"]].isna().all(axis=None)
    assert (
        first.loc[first["stage"] == "arrival", "known_at"] >= first.loc[first["stage"] == "arrival", "occurred_at"]
    ).all()
    ordered = table.sort_values(["crossing_id", "item_no", "revision"])
    again = ordered.duplicated(["crossing_id", "item_no"])
    assert (ordered["known_at"].diff()[again] > pd.Timedelta(0)).all()
    assert len(life.corrected.line) > 20
    raised = life.flow.item["true_value"][life.corrected.line] > life.flow.item["value"][life.corrected.line]
    assert raised.mean() > 0.5


def test_a_wrong_world_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_world(tmp_path / "nowhere.toml")
    (tmp_path / "empty.toml").write_text("country = 'KG'", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="lacks something"):
        load_world(tmp_path / "empty.toml")
