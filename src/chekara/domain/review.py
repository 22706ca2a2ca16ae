"""What an officer did with a decision, always with a reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chekara.domain.vocabulary import Lane, ReviewAction


@dataclass(frozen=True, slots=True)
class Review:
    """A review of (decision, own agency); of several the newest counts.

    Attributes
    ----------
    review_id, decision_id : str
    agency, officer : str
        Agency of the officer and the officer's own name in the accounts (a person, never a system).
    action : ReviewAction
    lane : Lane or None
        The lane chosen, for ``override``.
    refer_to : str or None
        The agency asked, for ``refer`` (``to`` in the API).
    until : datetime or None
        Until when release is delayed, for ``delay``.
    reason : str
        Never empty.
    reviewed_at : datetime
        UTC.
    """

    review_id: str
    decision_id: str
    agency: str
    officer: str
    action: ReviewAction
    lane: Lane | None
    refer_to: str | None
    until: datetime | None
    reason: str
    reviewed_at: datetime
