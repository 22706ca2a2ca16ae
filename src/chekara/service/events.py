"""What happened that concerns an agency, in the order of the log: new lanes, referrals, releases."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from chekara.domain.actor import Actor
from chekara.domain.referral import Referral, Release
from chekara.domain.review import Review
from chekara.service.decision_head import DecisionHead

EventKind = Literal[
    "lane",
    "lane_changed",
    "withdrawn",
    "referral_opened",
    "referral_rerouted",
    "referral_accepted",
    "referral_declined",
    "referral_closed",
    "released",
]
MOST_EVENTS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event.

    Attributes
    ----------
    position : int
        Place in the log chain.
    kind : str
        ``lane``: a crossing was decided and is not green. ``lane_changed``: an officer of the own agency chose another
        lane. ``withdrawn``: the crossing never came.
    at : datetime
        UTC.
    decision : DecisionHead or None
        What it is about, for the first three kinds.
    review : Review or None
        Of ``lane_changed``.
    referral : Referral or None
        As it stood after this event.
    release : Release or None
    """

    position: int
    kind: EventKind
    at: datetime
    decision: DecisionHead | None = None
    review: Review | None = None
    referral: Referral | None = None
    release: Release | None = None


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some events, oldest first.

    Attributes
    ----------
    events : tuple of Event
    next_after : int
        Give it back to read on: everything up to it was told.
    """

    events: tuple[Event, ...]
    next_after: int


class ReadEvents(Protocol):
    """The query behind ``GET /v1/events``."""

    def __call__(self, actor: Actor, after: int, limit: int) -> EventPage:
        """Return the own agency's events after a position.

        Parameters
        ----------
        actor : Actor
            Its agency's events; a test key's are those of the test chain.
        after : int
            Position up to which everything is known, 0 from the beginning.
        limit : int
            From 1 to `MOST_EVENTS`.

        Notes
        -----
        Positions are given out in the order of the commits, so that nothing ever appears at or before ``next_after``.

        Raises
        ------
        LogUnavailableError
            The database does not answer.
        """
        ...
