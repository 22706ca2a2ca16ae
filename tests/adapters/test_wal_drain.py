"""What was committed reaches the database file without another commit, and closing ends the thread that moves it."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

from chekara.adapters.database import open_database
from chekara.adapters.wal_drain import WalDrain
from chekara.settings import Settings

DEADLINE_SECONDS = 20.0


def names_in_file_alone(database: Path, scratch: Path) -> list[str]:
    """Read the database file as if its write-ahead log were lost."""
    copy = scratch / "alone.db"
    shutil.copyfile(database, copy)
    with (
        suppress(sqlite3.DatabaseError),  # not all of it is there yet
        closing(sqlite3.connect(f"file:{copy}?immutable=1", uri=True)) as connection,
    ):
        return [name for (name,) in connection.execute("SELECT digest FROM name_lists ORDER BY digest")]
    return []


def test_commits_are_moved_while_nobody_commits(tmp_path: Path) -> None:
    settings = Settings.from_environment({"CHEKARA_HOME": str(tmp_path)})
    database = open_database(settings)
    try:
        for digest in ("one", "two"):
            with database.writing() as connection:
                connection.exec_driver_sql("INSERT INTO name_lists VALUES (?, ?)", (digest, b"[]"))
        file = Path(str(database.engine.url.database))
        give_up_at = time.monotonic() + DEADLINE_SECONDS
        while names_in_file_alone(file, tmp_path) != ["one", "two"]:
            assert time.monotonic() < give_up_at, "what was committed stays in the write-ahead log"
            time.sleep(0.05)
    finally:
        database.close()
    assert not [thread for thread in threading.enumerate() if thread is database.drain._thread]


def test_who_only_reads_starts_no_thread(tmp_path: Path) -> None:
    database = open_database(Settings.from_environment({"CHEKARA_HOME": str(tmp_path)}))
    database.close()
    again = open_database(Settings.from_environment({"CHEKARA_HOME": str(tmp_path)}))
    try:
        with again.reading() as connection:
            connection.exec_driver_sql("SELECT 1").scalar()
        assert again.drain._thread is None
    finally:
        again.close()


class StoppedJustBefore(threading.Event):
    """Something to do that somebody stops at the worst moment: after the thread woke, before it looks again."""

    def __init__(self, drain: WalDrain) -> None:
        super().__init__()
        self._drain = drain

    def clear(self) -> None:
        self._drain._is_stopped.set()
        self.set()
        super().clear()


def test_who_stops_at_the_worst_moment_is_heard(tmp_path: Path) -> None:
    database = open_database(Settings.from_environment({"CHEKARA_HOME": str(tmp_path)}))
    drain = WalDrain(database.engine)
    drain._has_work = StoppedJustBefore(drain)
    drain.wake()
    assert drain._thread is not None
    drain._thread.join(DEADLINE_SECONDS)
    assert not drain._thread.is_alive()
    database.close()


def test_who_writes_keeps_the_connection_whose_pages_are_true(tmp_path: Path) -> None:
    database = open_database(Settings.from_environment({"CHEKARA_HOME": str(tmp_path)}))
    database.drain.stop()  # no thread beside what is called here
    drain = WalDrain(database.engine)
    try:
        used = []
        for digest in ("one", "two", "three", "four", "five"):
            with database.writing() as connection:
                used.append(connection.connection.dbapi_connection)
                connection.exec_driver_sql("INSERT INTO name_lists VALUES (?, ?)", (digest, b"[]"))
                with database.reading() as beside:  # somebody else is served meanwhile, and by another one
                    assert beside.connection.dbapi_connection is not used[-1]
            drain._move()  # as its thread does when its pause is over
        assert all(one is used[1] for one in used[1:]), "the drain took its own after the first"
        assert drain._connection is not None, "a drain that borrows takes the writer's while nobody writes"
        assert drain._connection.dbapi_connection is not used[-1]
    finally:
        if drain._connection is not None:
            drain._connection.close()
        database.close()
