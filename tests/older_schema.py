"""Databases as earlier versions left them: made by the same migrations, which stop at a revision."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from chekara.adapters import migrate

_CONFIG = Config()
_CONFIG.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
REVISIONS: tuple[str, ...] = tuple(
    script.revision for script in reversed(list(ScriptDirectory.from_config(_CONFIG).walk_revisions()))
)
"""All revisions, the oldest first."""


def make_schema(path: Path, revision: str) -> None:
    """Make a database of a revision.

    Parameters
    ----------
    path : Path
        Of the file, which is not there yet.
    revision : str
    """
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(_CONFIG.get_main_option("script_location")))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


def go_back(path: Path, revision: str) -> None:
    """Take away tables and indexes that came after a revision: what is left is as that version would have left it.

    Parameters
    ----------
    path : Path
        Of a closed database of the newest revision.
    revision : str
    """
    then = path.with_name(f"{path.name}-at-{revision}")
    make_schema(then, revision)
    later = _made(path) - _made(then)
    then.unlink()
    with sqlite3.connect(path) as connection:
        for kind, name in sorted(later):  # indexes first: they go with their tables
            connection.execute(f"DROP {kind} {name}")
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))


def _made(path: Path) -> set[tuple[str, str]]:
    """Return (kind, name) of the tables and indexes that somebody made by name."""
    with sqlite3.connect(path) as connection:
        found = connection.execute("SELECT type, name FROM sqlite_master WHERE type IN ('index', 'table')")
        return {(kind, name) for kind, name in found if not name.startswith("sqlite_")}
