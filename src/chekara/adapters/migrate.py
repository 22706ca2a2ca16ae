"""Bring a database to the newest schema: the migrations lie beside, in the package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

if TYPE_CHECKING:
    from chekara.adapters.database import Database

_MIGRATIONS = Path(__file__).parent / "migrations"


def bring_up_to_date(database: Database) -> None:
    """Run the migrations that a database lacks. Safe to call from several processes at once.

    Parameters
    ----------
    database : Database

    Raises
    ------
    LogUnavailableError
        The database does not answer.
    """
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    newest = ScriptDirectory.from_config(config).get_current_head()
    with database.reading() as connection:
        if MigrationContext.configure(connection).get_current_revision() == newest:
            return
    with database.writing() as connection:
        # Alembic looks at the version again in here, so a second process finds nothing left to do.
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
