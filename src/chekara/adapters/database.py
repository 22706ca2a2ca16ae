"""Connections to the database, whose turn it is to write, and migrations. What is stored: `chekara.adapters.tables`."""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from sqlalchemy import (
    Connection,
    Engine,
    create_engine,
    event,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from chekara.adapters.migrate import bring_up_to_date
from chekara.adapters.tables import guards
from chekara.adapters.wal_drain import WalDrain
from chekara.errors import ConfigurationError, LogUnavailableError
from chekara.settings import Settings

BUSY_TIMEOUT_MS = 5_000
CACHE_KIB = 16 * 1024
CHECKPOINT_PAGES = 16_000
"""From here on a commit itself begins the write-ahead log anew; `WalDrain` has moved nearly all of it by then."""


@dataclass(frozen=True, slots=True)
class Database:
    """Connections to one migrated database.

    Attributes
    ----------
    engine : sqlalchemy.Engine
    drain : WalDrain
        Moves what was committed into the database file.
    """

    engine: Engine
    drain: WalDrain

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a consistent read.

        Raises
        ------
        LogUnavailableError
            The database does not answer.
        """
        # Begun at once: what the driver alone is asked would not begin it, and each statement would see another state.
        with as_unavailable(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open a transaction that may write; leaving it normally commits durably, an error takes all of it back.

        Raises
        ------
        LogUnavailableError
            The database cannot be written: locked, full or gone.
        """
        with as_unavailable(), self.engine.connect().execution_options(chekara_writes=True) as connection:
            with _turn(str(self.engine.url.database)):
                transaction = connection.begin()
            with transaction:
                yield connection
        self.drain.wake()

    def missing_guards(self) -> frozenset[str]:
        """Return the append-only triggers that somebody took away, or put another in the place of."""
        with self.reading() as connection:
            stored = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"))
            found = {name: " ".join(str(sql).split()) for name, sql in stored}
        return frozenset(name for name, sql in guards().items() if found.get(name) != sql)

    def close(self) -> None:
        """Close all connections."""
        self.drain.stop()
        self.engine.dispose()


@contextmanager
def _turn(path: str) -> Iterator[None]:
    """Wait for one's turn to ask for the write lock, while no other process and no other thread does.

    SQLite hands its lock to whoever asks at the right moment. A service under load takes it again the instant it lets
    go, and an officer's review or a promotion from another process, which looks again every tenth of a second, would
    never find it free. Whoever waits for the lock holds the turn, so that the last holder cannot come in between.
    """
    try:
        turnstile = Path(f"{path}-turn").open("ab")  # noqa: SIM115  # closed below
    except OSError as error:
        raise LogUnavailableError(
            "the folder of the database cannot be written",
            where=type(error).__name__,
            hint="nothing was recorded; try again",
        ) from error
    with turnstile:
        fcntl.flock(turnstile, fcntl.LOCK_EX)
        yield


@contextmanager
def as_unavailable() -> Iterator[None]:
    """Turn what the database says into an error that the use cases know.

    Raises
    ------
    LogUnavailableError
    """
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise LogUnavailableError(
            "the database cannot be used", where=type(error).__name__, hint="nothing was recorded; try again"
        ) from error


def driver_rows(connection: Connection, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Run a statement of every request by the driver alone: SQLAlchemy's own part would take longer than the statement.

    Parameters
    ----------
    connection : Connection
        In a transaction.
    sql : str
        As SQLAlchemy compiles it for the connection's dialect.
    parameters : sequence

    Returns
    -------
    list of tuple
        All rows, as the driver gives them; errors are the driver's: see `as_unavailable`.
    """
    rows: list[tuple[Any, ...]] = _driver(connection).execute(sql, parameters).fetchall()
    return rows


def driver_writes(connection: Connection, sql: str, rows: Sequence[Sequence[Any]]) -> None:
    """Run a writing statement of every request for each of some rows, as `driver_rows` does.

    Parameters
    ----------
    connection : Connection
        In a transaction that may write.
    sql : str
    rows : sequence of sequence
        Not empty.
    """
    driver = _driver(connection)
    if len(rows) == 1:
        driver.execute(sql, rows[0])
    else:
        driver.executemany(sql, rows)


def _driver(connection: Connection) -> sqlite3.Connection:
    return cast("sqlite3.Connection", connection.connection.dbapi_connection)  # `open_database` takes no other address


def open_database(settings: Settings) -> Database:
    """Open the database of an installation, made and migrated if needed. Safe to call from several processes at once.

    Parameters
    ----------
    settings : Settings

    Raises
    ------
    ConfigurationError
        The address is not one of SQLite, or its folder cannot be made.
    LogUnavailableError
        The database does not answer.
    """
    # Last in, first out: whoever writes gets the connection that wrote last, whose pages are still true. The others'
    # are all read again once somebody else has committed.
    engine = create_engine(_sqlite_url(settings.database_url), hide_parameters=True, pool_use_lifo=True)
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin)
    database = Database(engine, WalDrain(engine))
    bring_up_to_date(database)
    return database


def _sqlite_url(address: str) -> str:
    where = "CHEKARA_DATABASE_URL"
    try:
        url = make_url(address)
    except ArgumentError:
        raise ConfigurationError("not the address of a database", where=where, hint="sqlite:////path/to.db") from None
    if url.get_backend_name() != "sqlite":
        raise ConfigurationError("only SQLite is supported in this version", where=where, hint="sqlite:////path/to.db")
    if not url.database or url.database == ":memory:":
        raise ConfigurationError(
            "a log must outlive the process", where=where, hint="give a file, such as sqlite:////path/to.db"
        )
    try:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    except OSError:
        raise ConfigurationError("the folder of the database cannot be made", where=where) from None
    return address


def _set_pragmas(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # sqlite3 must not begin transactions by itself
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout = {BUSY_TIMEOUT_MS}",
        "journal_mode = WAL",
        "synchronous = FULL",  # with WAL: every commit is fsynced before it is acknowledged
        "foreign_keys = ON",
        # One group writes a few thousand pages of profiles: they fit, and a checkpoint writes each hot page once.
        f"cache_size = -{CACHE_KIB}",
        f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    # A writer takes the lock at once: a reader that turns writer half-way can only fail.
    writes = connection.get_execution_options().get("chekara_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
