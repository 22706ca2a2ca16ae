"""One thread that lets the clock act: every few seconds it records what has fallen due."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

SECONDS_BETWEEN: Final = 2.0


class DueClock:
    """Runs `RecordDueEvents` at once and then every few seconds, until it is stopped.

    Parameters
    ----------
    record : callable
        Records what is due; returns how many events that were.
    seconds : float
        Between two runs.
    """

    def __init__(self, record: Callable[[], int], *, seconds: float = SECONDS_BETWEEN) -> None:
        self._record = record
        self._seconds = seconds
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="chekara-clock", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread once the run at hand is over. Safe to call twice."""
        self._is_stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._is_stopped.is_set():
            try:
                self._record()
            except Exception:  # the thread must outlive a database that is away; the next run catches up
                logging.getLogger(__name__).exception("what was due could not be recorded")
            self._is_stopped.wait(self._seconds)
