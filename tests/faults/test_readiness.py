"""`/readyz` tells the truth of a database that is held, read-only or full; `/healthz` asks it nothing."""

from __future__ import annotations

import resource
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event, select

from chekara.adapters.database import Database, open_database
from chekara.adapters.tables import ended_sessions
from chekara.adapters.write_probe import WriteProbe
from tests.faults.test_overload import held_database
from tests.serving import Server, crossing, settings_of


def until_ready(server: Server) -> None:
    deadline = time.monotonic() + 15
    while server.send("GET", "/readyz").status != 200 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert server.send("GET", "/readyz").status == 200


def test_a_held_database_is_not_ready_and_recovers(server: Server) -> None:
    until_ready(server)
    time.sleep(1.1)  # the outcome of the last attempt counts for a second
    with held_database(server.home):
        began = time.monotonic()
        held = server.send("GET", "/readyz")
        assert time.monotonic() - began < 2
        assert (held.status, held.json["type"]) == (503, "urn:chekara:problem:not_ready")
        assert "locked by another process" in held.json["detail"]
        assert server.send("GET", "/healthz").status == 200
        assert "chekara_ready 0.0" in server.send("GET", "/metrics").body.decode()
    until_ready(server)
    assert server.score(crossing("after the lock")).status == 200


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(settings_of(tmp_path))
    yield opened
    opened.close()


def test_a_probe_leaves_nothing_and_is_made_once_a_second(database: Database) -> None:
    clock = [0.0]
    probe = WriteProbe(database, monotonic=lambda: clock[0])
    assert probe.problem() is None
    with database.reading() as connection:
        assert connection.execute(select(ended_sessions)).all() == []
    database.close()
    path = Path(str(database.engine.url.database))
    path.rename(path.with_suffix(".away"))
    path.mkdir()
    assert probe.problem() is None, "known for a second"
    clock[0] = 1.5
    assert probe.problem() == "the database cannot be opened"
    probe.close()


def test_a_read_only_database(database: Database) -> None:
    probe = WriteProbe(database)

    def only_read(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA query_only = ON")

    database.close()
    event.listen(database.engine, "connect", only_read)
    assert probe.problem() == "the database is read-only"
    probe.close()


def test_a_disk_that_takes_no_page_more(database: Database) -> None:
    """A lock is granted, a page is not: no file of this process may grow."""
    probe = WriteProbe(database)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    try:
        assert probe.problem() in ("the disk is full", "the disk of the database fails")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    probe.close()
    assert WriteProbe(database).problem() is None
