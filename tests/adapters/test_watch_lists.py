"""Watch lists: tokens alone are stored, entries end, and what is added counts in a service that runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chekara.adapters.database import Database, open_database
from chekara.adapters.watch_lists import LOOK_AGAIN_SECONDS, SqlWatchLists, WatchOrder, add_to_list, order_of
from chekara.data.identity import EntityTokens
from chekara.errors import ConfigurationError
from chekara.settings import Settings

NOW = datetime(2026, 6, 1, tzinfo=UTC)
TOKENS = EntityTokens(b"k" * 32)
ORDER = WatchOrder(
    name="stolen",
    column="vehicle_id",
    raw_ids=("01 KG 777 AAA", "01KG777AAA", "B 123"),
    ends_at=NOW + timedelta(days=1),
    agency="internal_affairs",
    added_by="an officer",
    reason="reported",
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(Settings.from_environment({"CHEKARA_HOME": str(tmp_path), "CHEKARA_ENV": "dev"}))
    yield opened
    opened.close()


def test_a_list_holds_tokens_until_they_end(database: Database) -> None:
    lists = SqlWatchLists(database)
    assert lists.add(ORDER, TOKENS) == 2, "one plate in two spellings is one entry"
    own, token = lists["stolen"], TOKENS.token("vehicle", "01kg777aaa")
    assert own.holds(token, NOW)
    assert not own.holds(token, ORDER.ends_at)
    assert not own.holds(TOKENS.token("vehicle", "other"), NOW)
    lists.add(replace(ORDER, raw_ids=("B 123",), ends_at=NOW - timedelta(seconds=1)), TOKENS)
    assert not lists["stolen"].holds(TOKENS.token("vehicle", "B123"), NOW), "taken off"
    assert lists["stolen"].holds(token, NOW)


def test_no_id_is_stored_or_repeated(database: Database, tmp_path: Path) -> None:
    SqlWatchLists(database).add(ORDER, TOKENS)
    with pytest.raises(ConfigurationError) as caught:
        SqlWatchLists(database).add(replace(ORDER, column="importer_id"), TOKENS)
    database.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for raw in (b"777", b"B 123", b"B123"):
        assert raw not in stored.replace(b"\x00", b"")
        assert raw.decode() not in str(caught.value)


def test_what_another_program_adds_counts_within_seconds(database: Database) -> None:
    seconds = [0.0]
    serving = SqlWatchLists(database, monotonic=lambda: seconds[0])
    assert "stolen" not in serving
    SqlWatchLists(database).add(ORDER, TOKENS)
    assert "stolen" not in serving
    seconds[0] += LOOK_AGAIN_SECONDS
    assert "stolen" in serving
    assert list(serving) == ["stolen"]


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"column": "hs_code"}, "no entities"),
        ({"reason": " "}, "reason"),
        ({"raw_ids": ("", " - ")}, "no ids"),
    ],
)
def test_what_is_no_order_is_refused(database: Database, changes: dict[str, object], refused: str) -> None:
    with pytest.raises(ConfigurationError, match=refused):
        SqlWatchLists(database).add(replace(ORDER, **changes), TOKENS)


def test_an_order_is_what_a_person_wrote(tmp_path: Path) -> None:
    lines = ["A 1\n", "\n", " B2 "]
    order = order_of(
        "l", "vehicle_id", lines, ends="2026-12-01T00:00:00+06:00", agency="customs", added_by="x", reason="r"
    )
    assert order.raw_ids == ("A 1", "B2")
    assert order.ends_at == datetime(2026, 11, 30, 18, tzinfo=UTC)
    settings = Settings.from_environment({"CHEKARA_HOME": str(tmp_path), "CHEKARA_ENV": "dev"})
    assert add_to_list(settings, order) == 2
    with pytest.raises(ConfigurationError, match="agency"):
        add_to_list(settings, replace(order, agency="nobody"))
