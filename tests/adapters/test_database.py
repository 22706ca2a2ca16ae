"""The database: one schema however it came about, migrations that may run twice at once, readable refusals."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from chekara.adapters.database import open_database
from chekara.adapters.tables import metadata
from chekara.errors import ConfigurationError, LogUnavailableError
from chekara.settings import Settings
from tests.small_house import crossing, small_house


def settings_of(home: Path, **more: str) -> Settings:
    return Settings.from_environment({"CHEKARA_HOME": str(home), "CHEKARA_ENV": "dev"} | more)


def test_migrations_make_the_tables_that_the_code_declares(tmp_path: Path) -> None:
    database = open_database(settings_of(tmp_path))
    with database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    database.close()


def test_commits_are_fsynced_and_readers_do_not_wait(tmp_path: Path) -> None:
    database = open_database(settings_of(tmp_path))
    with database.reading() as connection:
        found = [
            connection.execute(text(f"PRAGMA {one}")).scalar()
            for one in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert found == ["wal", 2, 1]
    with database.writing() as writing, database.reading() as reading:
        writing.execute(text("INSERT INTO log VALUES ('live', 1, 'k', 'r', 'd', 'p', 'h')"))
        assert reading.execute(text("SELECT count(*) FROM log")).scalar() == 0
    database.close()


def test_an_error_takes_back_the_whole_transaction(tmp_path: Path) -> None:
    database = open_database(settings_of(tmp_path))

    def fail_half_way() -> None:
        with database.writing() as connection:
            connection.execute(text("INSERT INTO log VALUES ('live', 1, 'k', 'r', 'd', 'p', 'h')"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    with database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM log")).scalar() == 0
    database.close()


def test_processes_that_start_at_once_migrate_once(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from chekara.settings import Settings;"
        "from chekara.adapters.database import open_database;"
        "open_database(Settings.from_environment({'CHEKARA_HOME': sys.argv[1]})).close()"
    )
    running = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path)]) for _ in range(3)]
    assert [one.wait(60) for one in running] == [0, 0, 0]
    database = open_database(settings_of(tmp_path))
    assert database.missing_guards() == frozenset()
    database.close()


def test_migrating_a_full_database_again_changes_nothing(tmp_path: Path) -> None:
    house = small_house(tmp_path)
    record = house.score_one(crossing())
    house = house.restarted()
    assert house.log.decision(record.chain, record.decision.decision_id) == record
    house.database.close()


@pytest.mark.parametrize("url", ["postgresql://host/db", "sqlite://", "sqlite:///:memory:", "a secret address"])
def test_addresses_that_cannot_hold_a_log(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_database(settings_of(tmp_path, CHEKARA_DATABASE_URL=url))
    assert caught.value.where == "CHEKARA_DATABASE_URL"
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "chekara.db").write_bytes(b"this is a text, much longer than nothing, and no database" * 20)
    with pytest.raises(LogUnavailableError):
        open_database(settings_of(tmp_path))


def test_a_busy_service_lets_other_processes_write(tmp_path: Path) -> None:
    busy = """
import sys, time
from pathlib import Path
from chekara.adapters.database import open_database
from chekara.settings import Settings
database = open_database(Settings.from_environment({"CHEKARA_HOME": sys.argv[1], "CHEKARA_ENV": "dev"}))
print("busy", flush=True)
end = time.monotonic() + 60
while time.monotonic() < end:
    with database.writing():
        time.sleep(0.03)
"""
    process = subprocess.Popen([sys.executable, "-c", busy, str(tmp_path)], stdout=subprocess.PIPE)
    database = open_database(settings_of(tmp_path))
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"busy\n"
        waits = []
        for _ in range(8):
            began = time.monotonic()
            with database.writing():
                waits.append(time.monotonic() - began)
        assert max(waits) < 1.5, waits
    finally:
        process.kill()
        process.communicate()
        database.close()
