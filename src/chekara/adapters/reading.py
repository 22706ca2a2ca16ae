"""The database of an installation for programs that only look: never made, never migrated, never written."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import create_engine, event
from sqlalchemy.engine import make_url

from chekara.adapters.database import Database
from chekara.errors import NotReadyError
from chekara.settings import Settings


def open_to_read(settings: Settings) -> Database:
    """Open the database of an installation so that nothing in it can change.

    Parameters
    ----------
    settings : Settings

    Raises
    ------
    NotReadyError
        There is no database yet.

    Notes
    -----
    A service may be writing to it meanwhile: what is read is a consistent state of one moment.
    """
    path = Path(make_url(settings.database_url).database or "")
    if not path.is_file():
        raise NotReadyError(
            "this installation has no database yet", where="CHEKARA_HOME", hint="train and promote a model first"
        )
    # Without a log of recent writes beside it nobody is writing, and SQLite need not leave files of ours beside it.
    is_quiet = not path.with_name(f"{path.name}-wal").exists()
    how = "mode=ro&immutable=1" if is_quiet else "mode=ro"
    engine = create_engine(f"sqlite:///file:{path.resolve()}?{how}&uri=true", hide_parameters=True)
    event.listen(engine, "connect", lambda connection, _record: connection.execute("PRAGMA query_only = ON"))
    return Database(engine)
