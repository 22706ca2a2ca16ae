"""Bring the profiles to the layout of this version and policy while a service that has started says it is not ready.

What serves stays as it is until the other shelf is whole and holds everything that was logged; then the shelves change
places in one transaction. A process that dies meanwhile leaves the former shelf serving, and the next one goes on.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from chekara.adapters.database import Database
from chekara.adapters.loaded_histories import LoadedHistories
from chekara.adapters.profile_fill import ShelfFiller
from chekara.adapters.profile_load import is_of_other_layout
from chekara.errors import ChekaraError, NotReadyError
from chekara.service.profiles import FoldEvents

AGAIN_SECONDS: Final = 2.0


class _StoppedError(Exception):
    """The service ends; the next one goes on."""


class ProfileUpgrade:
    """Makes the profiles beside those of another layout, in a thread of its own.

    Parameters
    ----------
    database : Database
    loaded : LoadedHistories
    fold : FoldEvents
        Of this version and policy.
    then : callable
        Called once the shelves have changed places, before the first request is let in: loads the models.
    """

    def __init__(self, database: Database, loaded: LoadedHistories, fold: FoldEvents, then: Callable[[], None]) -> None:
        self._database = database
        self._loaded = loaded
        self._fold = fold
        self._then = then
        self._told: str | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="chekara-profiles", daemon=True)

    def start_if_needed(self) -> bool:
        """Begin, where the profiles that serve have another layout; whether they have.

        Raises
        ------
        LogUnavailableError
            The database does not answer.
        """
        if not is_of_other_layout(self._database, self._fold):
            return False
        self._told = "it has begun"
        self._thread.start()
        return True

    def waits_for(self) -> str | None:
        """Return what is being done and how far it has come, or None once it is done or was never needed."""
        told = self._told
        return None if told is None else f"the profiles are made for this version and policy: {told}"

    def refuse(self) -> None:
        """Keep a request out while profiles are made.

        Raises
        ------
        NotReadyError
        """
        waits_for = self.waits_for()
        if waits_for is not None:
            raise NotReadyError(waits_for, hint="send it again a little later")

    def stop(self) -> None:
        """End the thread after the transaction it is in. Safe to call twice."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        log = logging.getLogger(__name__)
        while not self._stopping.is_set():
            try:
                self._bring_over()
            except _StoppedError:
                return
            except ChekaraError as error:
                # Another process may make the same ahead, or the database is away for a moment.
                self._told = f"{error}; it is tried again"
                log.warning("profiles cannot be made now: %s", error)
            except Exception:  # the service must go on to say that it is not ready, and why nobody expected
                self._told = "it failed, and is tried again; the service's log tells why"
                log.exception("profiles cannot be made")
            else:
                log.info("profiles of this version and policy serve")
                self._told = None
                return
            self._stopping.wait(AGAIN_SECONDS)

    def _bring_over(self) -> None:
        with self._loaded.locked():
            # Another process may have done it, or this one, before the models could not be loaded.
            if is_of_other_layout(self._database, self._fold):
                filler = ShelfFiller(self._database, self._loaded, self._fold, self._tell)
                if not filler.is_begun():
                    filler.fill()
                filler.serve()
        self._told = "they are there; models are loaded"
        self._then()

    def _tell(self, what: str, done: int, of: int) -> None:
        if self._stopping.is_set():
            raise _StoppedError
        self._told = f"{what}, {done:,} of {of:,}"
