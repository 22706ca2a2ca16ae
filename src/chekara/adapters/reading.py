"""The database of an installation for programs that only look: never made, never migrated, never written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import create_engine, event
from sqlalchemy.engine import make_url

from chekara.adapters.bundle_store import BundleStore, ServingChampions
from chekara.adapters.database import Database
from chekara.adapters.promotions import SqlPromotions
from chekara.adapters.wal_drain import WalDrain
from chekara.errors import NotReadyError
from chekara.modelling.model import Model
from chekara.policy.policy import Policy
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
    return Database(engine, WalDrain(engine))


def load_serving(database: Database, settings: Settings, policy: Policy) -> tuple[Mapping[str, Model], tuple[str, ...]]:
    """Load the models that serve now, for a program beside the service.

    Parameters
    ----------
    database : Database
        Closed afterwards.
    settings : Settings
    policy : Policy

    Returns
    -------
    models : mapping of str to Model
        By domain; only those of the policy.
    problems : tuple of str
        Why promoted bundles do not serve, one sentence each.
    """
    try:
        champions = ServingChampions(SqlPromotions(database), BundleStore(settings), policy)
        champions.refresh()
    finally:
        database.close()
    return {d: model for d, model in champions.serving().items() if d in policy.domains}, champions.problems()
