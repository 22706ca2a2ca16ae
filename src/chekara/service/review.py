"""Record what an officer did with a decision."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chekara.domain.actor import Actor
from chekara.domain.review import Review
from chekara.domain.vocabulary import Lane, ReviewAction


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRequest:
    """What an officer sends.

    Attributes
    ----------
    decision_id : str
    action : ReviewAction
    reason : str
    lane : Lane or None
        Needed by ``override``, refused elsewhere.
    refer_to : str or None
        Agency; needed by ``refer``, refused elsewhere (``to`` in the API).
    until : datetime or None
        Needed by ``delay``, refused elsewhere.
    """

    decision_id: str
    action: ReviewAction
    reason: str
    lane: Lane | None = None
    refer_to: str | None = None
    until: datetime | None = None


class RecordReview:
    """The use case behind ``POST /v1/decisions/{id}/reviews`` and the review form."""

    def __call__(self, actor: Actor, request: ReviewRequest) -> Review:
        """Record a review durably."""
        raise NotImplementedError
