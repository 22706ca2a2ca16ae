"""Who comes while more is under way than can be answered in time is turned away before anything else is done for them.

The writer refuses what would wait too long for it. What waits before it, for a turn of the event loop, it does not see:
under a storm that alone takes longer than an answer may. So requests under way are counted, from their first byte to
their last, and held against the pace at which such requests were answered of late (Little's law: waiting = number under
way × seconds between two answers).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from chekara.errors import TooManyRequestsError

GUARDED_PATHS: Final = frozenset({"/v1/scores", "/v1/inspections"})
CROWD: Final = 64
"""So many are let in whatever the pace was: a burst after a quiet minute is no storm."""
PACE_AMONG: Final = 8
"""The pace is learned while so many are under way: lone requests tell nothing of groups."""
SHARE_OF_TIME: Final = 0.4
"""Of the time for an answer that those under way may take; the rest is for what is seen by nobody here."""
PACE_SECONDS: Final = 0.25
"""Answers come in groups: over so long they make a pace."""


class Admission:
    """Counts requests under way and knows their pace; used from one thread.

    Parameters
    ----------
    answer_seconds : float
        Time in which an answer is promised.
    monotonic : callable
        Seconds of a clock that never steps.

    Attributes
    ----------
    under_way : int
    """

    def __init__(self, answer_seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.under_way = 0
        self._most_seconds = SHARE_OF_TIME * answer_seconds
        self._monotonic = monotonic
        self._seconds_each = 0.0
        self._since = monotonic()
        self._served = 0

    def enter(self) -> None:
        """Let one more in.

        Raises
        ------
        TooManyRequestsError
            It could not be answered in time; ``retry_after_seconds`` tells when those under way will have been.
        """
        wait = self.under_way * self._seconds_each
        if self.under_way >= CROWD and wait > self._most_seconds:
            error = TooManyRequestsError("too many requests are under way", hint="send it again a little later")
            error.retry_after_seconds = wait
            raise error
        self.under_way += 1

    def leave(self, *, is_served: bool) -> None:
        """Note the end of one that was let in.

        Parameters
        ----------
        is_served : bool
            With all that is done for an answer, and not refused along the way.
        """
        self.under_way -= 1
        if self.under_way < PACE_AMONG:
            self._since, self._served = self._monotonic(), 0
            return
        self._served += is_served
        elapsed = self._monotonic() - self._since
        if elapsed >= PACE_SECONDS and self._served:
            self._seconds_each = elapsed / self._served
            self._since, self._served = self._monotonic(), 0
