"""From every older schema, with rows in every table, to the newest: nothing is lost, changed or left unguarded."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from chekara.adapters.database import Database, open_database
from chekara.adapters.tables import metadata
from chekara.errors import LogUnavailableError
from chekara.settings import Settings
from tests.older_schema import REVISIONS, make_schema
from tests.serving import environment_of

Rows = dict[str, list[tuple[Any, ...]]]
PLACE: dict[str, object] = {"chain": "live", "position": 1, "action": "follow"}


def settings_of(home: Path) -> Settings:
    return Settings.from_environment({"CHEKARA_HOME": str(home), "CHEKARA_ENV": "dev"})


def older(home: Path, revision: str) -> tuple[Path, Rows]:
    """Make a database of a revision with one row in each of its tables; where it lies, and the rows."""
    home.mkdir(exist_ok=True)
    path = home / "chekara.db"
    make_schema(path, revision)
    engine, found = sa.create_engine(f"sqlite:///{path}"), sa.MetaData()
    found.reflect(engine)
    with engine.begin() as connection:
        connection.execute(sa.text("PRAGMA foreign_keys = ON"))
        for table in found.sorted_tables:
            if table.name != "alembic_version":
                row = {column.name: PLACE.get(column.name, value_for(column)) for column in table.columns}
                connection.execute(table.insert().values(row))
    engine.dispose()
    return path, rows_of(path)


def value_for(column: sa.Column[Any]) -> object:
    """Return something that the column takes."""
    if isinstance(column.type, sa.LargeBinary):
        return b"{}"
    if isinstance(column.type, sa.Boolean):
        return True
    return 3 if isinstance(column.type, sa.Integer) else 0.5 if isinstance(column.type, sa.Numeric) else "2026"


def rows_of(path: Path, columns: dict[str, list[str]] | None = None) -> Rows:
    """Return all rows, by table; of the columns that are named, where some are."""
    with sqlite3.connect(path) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        asked = columns or {name: columns_of(connection, name) for name in names if name != "alembic_version"}
        return {
            name: connection.execute(f"SELECT {', '.join(own)} FROM {name} ORDER BY 1, 2").fetchall()  # noqa: S608  # own tables
            for name, own in asked.items()
        }


def columns_of(connection: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]


def columns_at(path: Path) -> dict[str, list[str]]:
    with sqlite3.connect(path) as connection:
        return {name: columns_of(connection, name) for name in rows_of(path)}


def is_newest(database: Database) -> bool:
    with database.reading() as connection:
        context = MigrationContext.configure(connection)
        return context.get_current_revision() == REVISIONS[-1] and compare_metadata(context, metadata) == []


def test_revisions_are_one_line() -> None:
    assert list(REVISIONS) == sorted(REVISIONS)
    assert len(set(REVISIONS)) == len(REVISIONS) >= 11


@pytest.mark.parametrize("revision", REVISIONS)
def test_an_older_database_with_rows_in_it_comes_over(tmp_path: Path, revision: str) -> None:
    path, before = older(tmp_path, revision)
    columns = columns_at(path)
    assert all(before.values()), "a row in every table"
    for _ in range(2):  # the second time nothing is left to do
        database = open_database(settings_of(tmp_path))
        assert is_newest(database)
        assert database.missing_guards() == frozenset()
        database.close()
        assert rows_of(path, columns) == before


def test_several_processes_at_once_bring_one_database_over(tmp_path: Path) -> None:
    path, before = older(tmp_path, "0004")
    columns = columns_at(path)
    code = "from chekara.adapters.database import *; open_database(Settings.from_environment()).close()"
    started = [
        subprocess.Popen([sys.executable, "-c", code], env=environment_of(tmp_path), stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    assert [(one.communicate()[1], one.returncode) for one in started] == [(b"", 0)] * 3
    database = open_database(settings_of(tmp_path))
    assert is_newest(database)
    database.close()
    assert rows_of(path, columns) == before


def test_a_migration_that_fails_leaves_the_older_schema_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, before = older(tmp_path, "0005")
    columns = columns_at(path)
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE lot_commitments (in_the_way INTEGER)")  # of 0007: 0006 has run by then
    with pytest.raises(LogUnavailableError):
        open_database(settings_of(tmp_path))
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("0005",)]
        assert columns_of(connection, "decided_elsewhere") == []
        connection.execute("DROP TABLE lot_commitments")
    database = open_database(settings_of(tmp_path))
    assert is_newest(database)
    database.close()
    assert rows_of(path, columns) == before


def test_ended_sessions_come_and_go(tmp_path: Path) -> None:
    """0005: the one table beside the profiles whose rows are forgotten."""
    path, _ = older(tmp_path, "0004")
    database = open_database(settings_of(tmp_path))
    with database.writing() as connection:
        connection.execute(sa.text("INSERT INTO ended_sessions VALUES ('one', '2026'), ('two', '2027')"))
    with pytest.raises(LogUnavailableError), database.writing() as connection:
        connection.execute(sa.text("INSERT INTO ended_sessions VALUES ('one', '2028')"))
    with database.writing() as connection:
        connection.execute(sa.text("DELETE FROM ended_sessions WHERE until < '2027'"))
    database.close()
    assert rows_of(path)["ended_sessions"] == [("two", "2027")]


@pytest.mark.parametrize(
    "refused",
    [
        "INSERT INTO decided_elsewhere VALUES ('live', 2, 'of no log entry')",
        "INSERT INTO decided_elsewhere VALUES ('live', 1, 'a decision')",
        "UPDATE decided_elsewhere SET decision_id = 'another'",
        "DELETE FROM decided_elsewhere",
    ],
)
def test_what_was_decided_elsewhere_is_of_a_log_entry_and_stays(tmp_path: Path, refused: str) -> None:
    """0006."""
    path, _ = older(tmp_path, "0005")
    database = open_database(settings_of(tmp_path))
    with database.writing() as connection:
        connection.execute(sa.text("INSERT INTO decided_elsewhere VALUES ('live', 1, 'a decision')"))
    with pytest.raises(LogUnavailableError), database.writing() as connection:
        connection.execute(sa.text(refused))
    database.close()
    assert rows_of(path)["decided_elsewhere"] == [("live", 1, "a decision")]
