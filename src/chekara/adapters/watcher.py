"""A thread that looks at the database again and again, and outlives its being away."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable


class Watcher:
    """Looks at something every few seconds until it is stopped.

    Parameters
    ----------
    look : callable
        What it raises is told in the log of the process; the next look tries again.
    every_seconds : float
        Between two looks; the first comes after as long.
    name : str
        Of the thread.
    trouble : str
        What to tell where a look fails.
    """

    def __init__(self, look: Callable[[], object], *, every_seconds: float, name: str, trouble: str) -> None:
        self._look = look
        self._every_seconds = every_seconds
        self._trouble = trouble
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread. Safe to call twice."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._every_seconds):
            try:
                self._look()
            except Exception:  # the thread must outlive a database that is away; what serves goes on serving
                logging.getLogger(__name__).exception(self._trouble)
