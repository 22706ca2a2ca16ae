"""Whether the database can be written: tried for real, at most once a second, away from whoever asks."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime
from threading import Lock
from typing import Final

from sqlalchemy import delete, insert

from chekara.adapters.database import Database
from chekara.adapters.tables import ended_sessions
from chekara.errors import LogUnavailableError

EVERY_SECONDS: Final = 1.0
PATIENCE_SECONDS: Final = 1.0
_LONG_AGO: Final = "1970-01-01T00:00:00.000000Z"
# What SQLite calls it, and what a person does about it. The first whose name begins so counts.
_REASONS: Final = (
    ("SQLITE_FULL", "the disk is full"),
    ("SQLITE_READONLY", "the database is read-only"),
    ("SQLITE_BUSY", "the database is locked by another process"),
    ("SQLITE_IOERR", "the disk of the database fails"),
    ("SQLITE_CANTOPEN", "the database cannot be opened"),
)


class WriteProbe:
    """Writes a row and takes it away again in one durable transaction, to know whether decisions could be logged.

    A lock alone would not tell: a full disk grants it. Whoever asks waits for an attempt up to a second, and gets the
    outcome of the last one while it is not a second old.

    Parameters
    ----------
    database : Database
    monotonic : callable
        Seconds of a clock that never steps.
    """

    def __init__(self, database: Database, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._monotonic = monotonic
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="chekara-probe")
        self._lock = Lock()
        self._attempt: Future[str | None] | None = None
        self._began_at = 0.0

    def problem(self) -> str | None:
        """Return why the database cannot be written, or None where it can. Blocks up to a second."""
        with self._lock:
            is_old = self._monotonic() - self._began_at >= EVERY_SECONDS
            if self._attempt is None or (self._attempt.done() and is_old):
                self._began_at = self._monotonic()
                self._attempt = self._thread.submit(self._write)
            attempt = self._attempt
        try:
            return attempt.result(PATIENCE_SECONDS)
        except NotInTime:
            waited = self._monotonic() - self._began_at
            return f"the database has taken no write for {waited:.0f} s: locked by another process, or overloaded"

    def close(self) -> None:
        """End the thread once its last attempt is over. Safe to call twice."""
        self._thread.shutdown()

    def _write(self) -> str | None:
        mark = f"probe {uuid.uuid4()}"
        try:
            with self._database.writing() as connection:
                connection.execute(insert(ended_sessions).values(session_sha256=mark, until=_LONG_AGO))
                connection.execute(delete(ended_sessions).where(ended_sessions.c.session_sha256 == mark))
        except LogUnavailableError as error:
            return _reason_of(error)
        return None


def _reason_of(error: LogUnavailableError) -> str:
    told = str(getattr(getattr(error.__cause__, "orig", None), "sqlite_errorname", ""))
    return next((reason for name, reason in _REASONS if told.startswith(name)), "the database cannot be written")
