"""The shelves of profiles: what is written is read, once, and nothing of a transaction that was taken back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from chekara.adapters.database import Database, open_database
from chekara.adapters.profile_store import (
    ASKED_AT_ONCE,
    Shelf,
    TransactionProfiles,
    other_shelf,
    serving_shelf,
)
from chekara.adapters.tables import profile_shelves
from chekara.features.profile_keys import slots_of
from chekara.features.profile_kinds import KINDS
from chekara.features.profile_live import ResultEvent
from chekara.service.records import ProfileHead
from chekara.settings import Settings
from tests.small_house import START, result

HEAD = ProfileHead(
    layout="sha256:1",
    known_to=START,
    position=7,
    pending=b"\x00p",
    waiting=(ResultEvent(inspection=result(), position=6),),
    neighbourhoods={"A": "CN external"},
    histories=("0001-ab",),
)
IMPORTER, CARRIER, VEHICLE, ANOTHER = 7, -7, 2**63 - 1, -(2**63)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(Settings.from_environment({"CHEKARA_HOME": str(tmp_path)}))
    yield opened
    opened.close()


def profiles(connection) -> TransactionProfiles:
    return TransactionProfiles(serving_shelf(connection))


def test_what_is_kept_is_read_by_the_next_transaction(database: Database) -> None:
    with database.writing() as connection:
        rows = profiles(connection)
        assert rows.head() is None
        assert rows.states([IMPORTER]) == {}
        rows.keep(HEAD, {IMPORTER: b"one", CARRIER: b"two"}, {"c1": b"record"})
        assert rows.states([IMPORTER, VEHICLE]) == {IMPORTER: b"one"}, "earlier changes count"
        rows.keep(HEAD, {IMPORTER: b"newer"}, {})
        rows.flush()
    with database.reading() as connection:
        rows = profiles(connection)
        assert rows.head() == HEAD
        asked = [IMPORTER, CARRIER, ANOTHER]
        assert rows.states(asked) == {IMPORTER: b"newer", CARRIER: b"two"}
        assert rows.records(["c1", "c2"]) == {"c1": b"record"}


def test_a_transaction_that_is_taken_back_leaves_nothing(database: Database) -> None:
    def write_and_fail() -> None:
        with database.writing() as connection:
            rows = profiles(connection)
            rows.keep(HEAD, {IMPORTER: b"one"}, {"c1": b"record"})
            rows.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    with database.reading() as connection:
        assert profiles(connection).head() is None
        assert list(serving_shelf(connection).content()) == []


def test_more_keys_than_one_statement_takes(database: Database) -> None:
    states = {i * 7919: i.to_bytes(4, "big") for i in range(ASKED_AT_ONCE * 2 + 3)}
    with database.writing() as connection:
        rows = profiles(connection)
        rows.keep(HEAD, states, {})
        rows.flush()
    with database.reading() as connection:
        assert profiles(connection).states([*states, -1]) == states


def test_many_states_are_found_one_by_one(database: Database) -> None:
    keys = np.array([5, -3, 2**62], dtype=np.int64)
    states = np.arange(12.0).reshape(3, 4)
    with database.writing() as connection:
        Shelf(connection, "a").add_states("origin", keys, states)
    slots = slots_of("origin", keys).tolist()
    with database.reading() as connection:
        found = profiles(connection).states(slots)
    for slot, state in zip(slots, states, strict=True):
        assert np.array_equal(np.frombuffer(found[slot]), state)


def test_shelves_change_places(database: Database) -> None:
    with database.writing() as connection:
        rows = profiles(connection)
        rows.keep(HEAD, {IMPORTER: b"old"}, {})
        rows.flush()
        other = other_shelf(connection)
        assert other.shelf == "b"
        other.write_head(replace(HEAD, position=9))
        other.write({IMPORTER: b"new"}, {})
        other.serve()
    with database.writing() as connection:
        assert profiles(connection).head() == replace(HEAD, position=9)
        assert profiles(connection).states([IMPORTER]) == {IMPORTER: b"new"}
        assert not other_shelf(connection).clear_some(1)
        assert other_shelf(connection).clear_some(1)
        assert list(other_shelf(connection).content()) == []


def test_a_shelf_that_is_being_made_says_so_however_far_its_fold_has_come(database: Database) -> None:
    with database.writing() as connection:
        other_shelf(connection).write_head(replace(HEAD, is_whole=False))
    with database.reading() as connection:
        rows = TransactionProfiles(other_shelf(connection))
        rows.keep(replace(rows.head() or HEAD, position=8), {IMPORTER: b"one"}, {})
    with database.writing() as connection:
        rows.flush(other_shelf(connection))
    with database.reading() as connection:
        assert other_shelf(connection).head() == replace(HEAD, position=8, is_whole=False)
        assert other_shelf(connection).states([IMPORTER]) == {IMPORTER: b"one"}
        layout = select(profile_shelves.c.layout).where(profile_shelves.c.shelf == "b")
        assert connection.execute(layout).scalar_one() == "making:1"


def test_the_keys_of_a_crossing_cost_microseconds(database: Database) -> None:
    rng = np.random.default_rng(5)
    with database.writing() as connection:
        for kind in KINDS:
            keys = rng.integers(-(2**63), 2**63 - 1, 1000)
            Shelf(connection, "a").add_states(kind.name, np.unique(keys), rng.random((len(np.unique(keys)), 41)))
    wanted = rng.integers(-(2**63), 2**63 - 1, len(KINDS)).tolist()
    state = rng.random(41).tobytes()
    best = float("inf")
    with database.writing() as connection:
        for _ in range(30):
            began = time.perf_counter()
            rows = profiles(connection)
            rows.head()
            rows.states(wanted)
            rows.keep(HEAD, dict.fromkeys(wanted, state), {"c": state})
            rows.flush()
            best = min(best, time.perf_counter() - began)
    print(f"one crossing's keys: {best * 1e6:.0f} us")
    assert best < 0.01
