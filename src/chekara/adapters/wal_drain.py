"""What was committed moves from SQLite's write-ahead log into the database file beside whoever writes.

SQLite moves it within some commit otherwise, and that one's group waits for it: a third of what commits cost.
"""

from __future__ import annotations

import logging
import threading
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import PoolProxiedConnection

PAUSE_SECONDS: Final = 0.25
"""Between two rounds: a page that many groups change in that time is moved once."""


class WalDrain:
    """A thread that begins with the first commit and rests while nothing is committed.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        Of an SQLite database in WAL mode.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._has_work = threading.Event()
        self._is_stopped = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._connection: PoolProxiedConnection | None = None

    def wake(self) -> None:
        """Tell that something was committed."""
        if self._thread is None:
            self._start()
        self._has_work.set()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and not self._is_stopped.is_set():
                self._thread = threading.Thread(target=self._run, name="chekara-wal", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """End the thread. Safe to call twice."""
        with self._lock:
            self._is_stopped.set()
        self._has_work.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            while self._has_work.wait():
                # Cleared first: whoever stops says so before it wakes, and is then heard here or at the next wait.
                self._has_work.clear()
                if self._is_stopped.wait(PAUSE_SECONDS):
                    return
                self._move()
        finally:
            if self._connection is not None:
                self._connection.close()

    def _move(self) -> None:
        try:
            if self._connection is None:
                # Its own for good: the one that wrote last, with its pages, is left to whoever writes next.
                self._connection = self._engine.raw_connection()
            # PASSIVE waits for nobody and keeps nobody waiting: what is still read or written is left for later.
            self._connection.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except (SQLAlchemyError, self._engine.dialect.loaded_dbapi.Error):
            # A database that cannot be written tells its writers so; nothing is lost while the log holds it.
            logging.getLogger(__name__).debug("the write-ahead log was not moved", exc_info=True)
