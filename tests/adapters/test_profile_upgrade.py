"""Profiles of another layout are made beside those that serve, from wherever they were left, and serve in one step."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from chekara.adapters import profile_fill
from chekara.adapters.database import open_database
from chekara.adapters.loaded_histories import LoadedHistories
from chekara.adapters.profile_fill import Progress
from chekara.adapters.profile_load import load_profiles, rebuild_ahead, rebuild_profiles
from chekara.adapters.profile_store import other_shelf, serving_shelf
from chekara.adapters.profile_upgrade import ProfileUpgrade
from chekara.data.identity import EntityTokens, load_entity_secret
from chekara.data.sources import History, write_history
from chekara.errors import NotReadyError
from chekara.policy import load_policy
from chekara.service.profiles import FoldEvents
from chekara.service.records import ProfileHead
from chekara.settings import Settings
from tests.one_more_domain import wider_policy
from tests.service.test_live_profiles import open_house, stream
from tests.small_house import SmallHouse, crossing
from tests.streams import dirty_history, known_since, known_until

Content = list[tuple[str, Any, bytes]]


class KilledError(Exception):
    """Stands for a process that dies between two transactions."""


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallHouse]:
    """Yield a house with a loaded history and live events, some of both between the other's."""
    monkeypatch.setattr(profile_fill, "ROWS_AT_ONCE", 400)
    monkeypatch.setattr(profile_fill, "EVENTS_AT_ONCE", 9)
    history = dirty_history(tmp_path / "history", seed=21, n=60)
    ids = history.crossings["crossing_id"].drop_duplicates()
    live, filed = (only(history, ids[start::2]) for start in (0, 1))
    middle = history.crossings["known_at"].quantile(0.5)
    write_history(known_until(filed, middle + pd.Timedelta(days=1)).tables, tmp_path / "filed")
    house = open_house(tmp_path / "home")
    stream(house, known_until(live, middle), [3])
    load_profiles(house.settings, tmp_path / "filed")
    stream(house, known_since(live, middle), [4])
    yield house
    house.database.close()


def only(history: History, crossing_ids: pd.Series[str]) -> History:
    """Return the part of a history that is of some crossings."""
    parts = {
        name: frame[frame["crossing_id"].isin(crossing_ids)]
        for name, frame in (("crossings", history.crossings), ("inspections", history.inspections))
    }
    return replace(history, **parts)


def wider(settings: Settings, folder: Path) -> Settings:
    """Return the settings of a service whose policy knows one domain more."""
    given = {"CHEKARA_HOME": str(settings.home), "CHEKARA_ENV": "dev", "CHEKARA_POLICY": str(wider_policy(folder))}
    return Settings.from_environment(given)


def shelves(house: SmallHouse) -> tuple[tuple[ProfileHead | None, Content], tuple[ProfileHead | None, Content]]:
    """Return head and content of the shelf that serves and of the other one."""
    with house.database.reading() as connection:
        serving, other = serving_shelf(connection), other_shelf(connection)
        return (serving.head(), list(serving.content())), (other.head(), list(other.content()))


def rebuilt(house: SmallHouse, settings: Settings, to: Path) -> tuple[ProfileHead | None, Content]:
    """Return what `profiles rebuild` makes in a copy of the home."""
    house.database.close()
    shutil.copytree(settings.home, to)
    given = {"CHEKARA_HOME": str(to), "CHEKARA_ENV": "dev", "CHEKARA_POLICY": str(settings.policy_path)}
    copied = Settings.from_environment(given)
    rebuild_profiles(copied)
    database = open_database(copied)
    with database.reading() as connection:
        shelf = serving_shelf(connection)
        found = shelf.head(), list(shelf.content())
    database.close()
    return found


def upgrade_of(house: SmallHouse, settings: Settings, then: Callable[[], None] = lambda: None) -> ProfileUpgrade:
    fold = FoldEvents(tuple(load_policy(settings.policy_path).domains))
    loaded = LoadedHistories(settings, EntityTokens(load_entity_secret(settings)))
    return ProfileUpgrade(house.database, loaded, fold, then)


def wait_for(upgrade: ProfileUpgrade) -> set[str]:
    """Wait until an upgrade is done; what it told meanwhile."""
    told, deadline = set[str](), time.monotonic() + 60
    while (waits_for := upgrade.waits_for()) is not None and time.monotonic() < deadline:
        told.add(waits_for)
        time.sleep(0.0005)
    assert upgrade.waits_for() is None, told
    return told


def test_one_domain_more_is_another_layout(tmp_path: Path) -> None:
    policies = load_policy(), load_policy(wider_policy(tmp_path))
    one, two = (FoldEvents(tuple(policy.domains)).layout for policy in policies)
    assert one != two


def test_made_ahead_while_the_former_serves_then_brought_up_to_date_and_served(
    begun: SmallHouse, tmp_path: Path
) -> None:
    settings = wider(begun.settings, tmp_path)
    before = shelves(begun)[0]
    assert rebuild_ahead(begun.settings).is_needless
    made = rebuild_ahead(settings)
    assert made.is_ahead
    assert made.crossings > 10
    serving, other = shelves(begun)
    assert serving == before
    assert other[0] is not None
    assert other[0].is_whole
    assert other[0].layout != before[0].layout  # type: ignore[union-attr]
    # The former service goes on, with its own policy and models.
    for i in range(20):
        begun.score_one(crossing(f"meanwhile{i}", carrier_id="carrier 1"))
    again = rebuild_ahead(settings)
    assert again.crossings == 0, "it went on where it was"
    begun.score_one(crossing("last"))
    wanted = rebuilt(begun, settings, tmp_path / "copy")
    upgrade = upgrade_of(begun, settings)
    assert upgrade.start_if_needed()
    wait_for(upgrade)
    upgrade.stop()
    assert shelves(begun)[0] == wanted


def test_a_start_makes_them_tells_how_far_it_is_and_lets_nobody_in_before(begun: SmallHouse, tmp_path: Path) -> None:
    settings = wider(begun.settings, tmp_path)
    wanted = rebuilt(begun, settings, tmp_path / "copy")
    seen: list[ProfileHead | None] = []

    def models() -> None:
        with pytest.raises(NotReadyError):
            upgrade.refuse()
        seen.append(shelves(begun)[0][0])

    upgrade = upgrade_of(begun, settings, models)
    assert upgrade.waits_for() is None
    assert upgrade.start_if_needed()
    with pytest.raises(NotReadyError, match="the profiles are made for this version and policy"):
        upgrade.refuse()
    told = wait_for(upgrade)
    upgrade.refuse()
    upgrade.stop()
    assert any(" of " in one for one in told), told
    assert shelves(begun)[0] == wanted
    assert seen == [wanted[0]], "models are loaded once the shelves have changed places"
    assert not upgrade_of(begun, settings).start_if_needed()


def killed_after(n: int) -> Progress:
    left = iter(range(n))

    def told(_what: str, _done: int, _of: int) -> None:
        if next(left, None) is None:
            raise KilledError

    return told


def test_whenever_it_is_killed_the_former_serves_and_the_next_one_ends_with_the_same_bytes(
    begun: SmallHouse, tmp_path: Path
) -> None:
    settings = wider(begun.settings, tmp_path)
    before = shelves(begun)[0]
    wanted = rebuilt(begun, settings, tmp_path / "copy")
    n, is_done = 0, False
    while not is_done:
        try:
            rebuild_ahead(settings, killed_after(n))
            is_done = True
        except KilledError:
            pass
        assert shelves(begun)[0] == before
        n += 1 if n < 4 else 7
    assert n > 20, "it was killed many times"
    head, content = shelves(begun)[1]
    assert content == wanted[1]
    assert head == wanted[0]


def test_going_back_to_the_former_version_goes_on_where_its_profiles_were_left(
    begun: SmallHouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = wider(begun.settings, tmp_path)
    rebuild_profiles(settings)
    with pytest.raises(NotReadyError):
        begun.score_one(crossing("by the former version"))
    monkeypatch.setattr(profile_fill.ShelfFiller, "fill", lambda *_: pytest.fail("nothing has to be made anew"))
    upgrade = upgrade_of(begun, begun.settings)
    assert upgrade.start_if_needed()
    wait_for(upgrade)
    begun.score_one(crossing("by the former version"))
    upgrade.stop()


def test_what_is_recorded_up_to_the_last_instant_is_in_them(
    begun: SmallHouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = wider(begun.settings, tmp_path)
    fold_log = profile_fill.ShelfFiller.fold_log

    def and_one_more(filler: profile_fill.ShelfFiller) -> None:
        fold_log(filler)
        begun.score_one(crossing("last of all", carrier_id="carrier 1"))

    monkeypatch.setattr(profile_fill.ShelfFiller, "fold_log", and_one_more)
    rebuild_profiles(settings)
    monkeypatch.undo()
    assert shelves(begun)[0] == rebuilt(begun, settings, tmp_path / "copy")
