"""Read decisions and reviews, as far as the asker's agency may see them."""

from __future__ import annotations

from chekara.domain.actor import Actor, sees_domain
from chekara.domain.review import Review
from chekara.errors import NotFoundError
from chekara.policy.policy import Policy
from chekara.service.ports import DecisionLog
from chekara.service.records import Chain, DecisionFilter, DecisionPage, DecisionRecord, InspectionRecord


class ReadDecisions:
    """The queries behind ``GET /v1/decisions``, the queue and the case.

    Whether a role may ask at all is the door's business (``domain.actor.may``); here an agency is kept to its own.

    Parameters
    ----------
    log : DecisionLog
    policy : Policy
        Who sees results of a domain that had no model when the crossing was scored.
    """

    def __init__(self, log: DecisionLog, policy: Policy) -> None:
        self._log = log
        self._policy = policy

    def decision(self, actor: Actor, decision_id: str) -> DecisionRecord:
        """Return one decision.

        Raises
        ------
        NotFoundError
            No such decision, or none that the actor may see: the two cannot be told apart.
        LogUnavailableError
            The database does not answer.
        """
        record = self._log.decision(Chain.of(actor), decision_id)
        if record is None or not record.is_visible_to(actor):
            raise NotFoundError("no such decision, or none that this agency may see")
        return record

    def decisions(self, actor: Actor, wanted: DecisionFilter, cursor: str | None = None) -> DecisionPage:
        """Return a page of what the actor may see.

        Raises
        ------
        InvalidRequestError
            The cursor is not one of ours, or the limit is out of bounds.
        LogUnavailableError
            The database does not answer.
        """
        return self._log.decisions(actor, wanted, cursor)

    def reviews(self, actor: Actor, decision_id: str) -> tuple[Review, ...]:
        """Return the reviews of a decision, oldest first; the last one of an agency counts.

        Raises
        ------
        NotFoundError
            No such decision, or none that the actor may see.
        LogUnavailableError
            The database does not answer.
        """
        record = self.decision(actor, decision_id)
        return self._log.reviews(record.chain, decision_id)

    def results(self, actor: Actor, record: DecisionRecord) -> tuple[InspectionRecord, ...]:
        """Return the results of a decision's crossing in domains that the actor sees; the newest revision of each.

        Parameters
        ----------
        actor : Actor
        record : DecisionRecord
            One that the actor may see.

        Raises
        ------
        LogUnavailableError
            The database does not answer.
        """
        found = self._log.results(record.chain, record.crossing.crossing_id)
        return tuple(one for one in found if self._sees(actor, one.inspection.domain, record))

    def _sees(self, actor: Actor, domain: str, record: DecisionRecord) -> bool:
        if domain not in self._policy.domains:
            return False
        agencies = self._policy.agencies(domain, record.decision.crossing_point)
        return sees_domain(actor, agencies.lead, agencies.informed)
