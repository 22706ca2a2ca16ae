"""Read decisions and reviews, as far as the asker's agency may see them."""

from __future__ import annotations

from chekara.domain.actor import Actor
from chekara.domain.review import Review
from chekara.service.ports import DecisionFilter, DecisionPage, DecisionRecord


class ReadDecisions:
    """The queries behind ``GET /v1/decisions``, the queue and the case."""

    def decision(self, actor: Actor, decision_id: str) -> DecisionRecord:
        """Return one decision. NotFoundError where there is none, or none that the actor may see."""
        raise NotImplementedError

    def decisions(self, actor: Actor, wanted: DecisionFilter, cursor: str | None = None) -> DecisionPage:
        """Return a page of what the actor may see."""
        raise NotImplementedError

    def reviews(self, actor: Actor, decision_id: str) -> tuple[Review, ...]:
        """Return the reviews of a decision, oldest first; the last one of an agency counts."""
        raise NotImplementedError
