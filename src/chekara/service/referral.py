"""Open a referral with a review, and answer one: accept, decline, report back."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from chekara.domain.actor import Actor, Permission, may
from chekara.domain.referral import REFERRAL_RESULTS, Referral, ReferralAction, ReferralState, ReferralStep, Step
from chekara.domain.review import Review
from chekara.domain.vocabulary import COORDINATOR, Lane, Role
from chekara.errors import FieldProblem, ForbiddenError, InvalidRequestError, NotFoundError, ReferralStateError
from chekara.policy.policy import Policy
from chekara.service.ports import DecisionLog, LogTransaction
from chekara.service.records import Chain, DecisionRecord
from chekara.service.referral_ports import ReferralBook, ReferralPage, Standing
from chekara.service.words import has_words

# Which step an answer is, and where the referral has to stand for it.
_STEPS: Final = {
    ReferralAction.ACCEPT: (Step.ACCEPTED, ReferralState.OPEN),
    ReferralAction.DECLINE: (Step.DECLINED, ReferralState.OPEN),
    ReferralAction.CLOSE: (Step.CLOSED, ReferralState.ACCEPTED),
}


def open_referral(
    transaction: LogTransaction,
    record: DecisionRecord,
    review: Review,
    actor: Actor,
    *,
    policy: Policy,
    domain: str | None,
) -> Referral | None:
    """Open the referral that a review asks for; None where the same is asked already and not finished.

    Parameters
    ----------
    transaction : LogTransaction
    record : DecisionRecord
        What was reviewed.
    review : Review
        With the action ``refer``.
    actor : Actor
        Who reviewed.
    policy : Policy
        Its clock.
    domain : str or None
        What it is about; None chooses: the strictest domain that the agency asked leads, else the strictest of all
        that the reviewer sees.

    Raises
    ------
    InvalidRequestError
        The reviewer sees no such domain of the decision.
    """
    to_agency = review.refer_to
    if to_agency is None:
        return None
    about = _domain_for(record, actor, to_agency, domain)
    known = transaction.referrals.of_decision(record.chain, review.decision_id)
    if any(one.to_agency == to_agency and one.domain == about and not one.is_finished for one in known):
        return None
    referral = Referral(
        referral_id=str(uuid.uuid4()),
        decision_id=review.decision_id,
        crossing_id=record.decision.crossing_id,
        crossing_point=record.decision.crossing_point,
        from_agency=review.agency,
        asked_agency=to_agency,
        domain=about,
        reason=review.reason,
        opened_by=review.officer,
        opened_at=review.reviewed_at,
        answer_by=review.reviewed_at + timedelta(minutes=policy.joint.referral_minutes),
    )
    transaction.referrals.append_opened(record.chain, referral, record)
    return referral


def _domain_for(record: DecisionRecord, actor: Actor, to_agency: str, wanted: str | None) -> str:
    leads = record.leads()
    lanes = {action.domain: action.lane for action in record.decision.actions if action.leads_domain}
    risks = {score.domain: score.risk for score in record.decision.domains}

    def urgency(domain: str) -> tuple[bool, int, float, str]:
        lane = lanes.get(domain, Lane.GREEN)
        return (leads[domain] != to_agency, -lane.strictness, -risks.get(domain, 0.0), domain)

    seen = sorted(record.domains_seen_by(actor), key=urgency)
    if wanted is None and seen:
        return seen[0]
    if wanted is not None and wanted in seen:
        return wanted
    problem = FieldProblem("/domain", "unknown_domain", "A domain of this decision that your agency sees is referred.")
    raise InvalidRequestError("the review cannot be recorded like this", problems=(problem,))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferralAnswer:
    """What an officer of the agency that is asked sends.

    Attributes
    ----------
    referral_id : str
    action : ReferralAction
    reason : str
    result : str or None
        One of `REFERRAL_RESULTS`; only of ``close``.
    """

    referral_id: str
    action: ReferralAction
    reason: str
    result: str | None = None


class AnswerReferral:
    """The use case behind ``POST /v1/referrals/{id}``.

    Parameters
    ----------
    log : DecisionLog
    policy : Policy
        Its clock.
    now : callable
        The present instant, with offset.
    """

    def __init__(
        self, *, log: DecisionLog, policy: Policy, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._log = log
        self._policy = policy
        self._now = now

    def __call__(self, actor: Actor, answer: ReferralAnswer) -> Referral:
        """Record an answer durably; of two at once the first one counts.

        Parameters
        ----------
        actor : Actor
            A person with the right to review, of the agency that is asked now.
        answer : ReferralAnswer

        Returns
        -------
        Referral
            As it stands after the answer.

        Raises
        ------
        ForbiddenError
            The actor may not review, or another agency is asked.
        InvalidRequestError
            The reason says nothing, or a field does not fit the action.
        NotFoundError
            No such referral, or none that the actor's agency has a part in.
        ReferralStateError
            It was answered before, or is not accepted yet.
        LogUnavailableError
            The answer could not be made durable.
        """
        if not may(actor, Permission.REVIEW):
            raise ForbiddenError("only a person who may review can answer", hint="ask an analyst or a supervisor")
        problems = tuple(_problems(answer))
        if problems:
            raise InvalidRequestError("the answer cannot be recorded like this", problems=problems)
        chain = Chain.of(actor)
        with self._log.transaction() as transaction:
            referral = transaction.referrals.referral(chain, answer.referral_id)
            if referral is None or not may_see(actor, referral):
                raise no_such_referral()
            if actor.agency != referral.to_agency:
                raise ForbiddenError("another agency is asked by this referral", hint="the agency under `to` answers")
            step, stands = _STEPS[answer.action]
            if referral.state is not stands:
                raise ReferralStateError(
                    f"the referral is {referral.state}, so it cannot be {step} now", hint="read where it stands"
                )
            return transaction.referrals.append_step(chain, referral, self._step(actor, answer, step))

    def _step(self, actor: Actor, answer: ReferralAnswer, step: Step) -> ReferralStep:
        at = self._now()
        report_by = at + timedelta(minutes=self._policy.joint.report_back_minutes)
        return ReferralStep(
            step=step,
            at=at,
            agency=actor.agency,
            officer=actor.holder,
            reason=answer.reason.strip(),
            result=answer.result,
            due_at=report_by if step is Step.ACCEPTED else None,
        )


class ReadReferrals:
    """The queries behind ``GET /v1/referrals`` and the pages.

    Parameters
    ----------
    book : ReferralBook
    now : callable
        The present instant, with offset.
    """

    def __init__(self, book: ReferralBook, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._book = book
        self._now = now

    @property
    def now(self) -> datetime:
        """The instant against which deadlines are read."""
        return self._now()

    def page(
        self, actor: Actor, standing: Standing | None, *, cursor: str | None = None, limit: int = 50
    ) -> ReferralPage:
        """Return a page of the referrals that the actor's agency has a part in, the newest first.

        Parameters
        ----------
        actor : Actor
        standing : {'open', 'overdue', 'closed'} or None
        cursor : str or None
        limit : int

        Raises
        ------
        InvalidRequestError
            The cursor is not one of ours, or the limit is out of bounds.
        LogUnavailableError
            The database does not answer.
        """
        return self._book.page(actor, standing, now=self._now(), cursor=cursor, limit=limit)

    def of_decision(self, actor: Actor, record: DecisionRecord) -> tuple[Referral, ...]:
        """Return the referrals of a decision that the actor's agency has a part in, oldest first."""
        found = self._book.of_decision(record.chain, record.decision.decision_id)
        return tuple(one for one in found if may_see(actor, one))


def may_see(actor: Actor, referral: Referral) -> bool:
    """Whether the actor's agency has a part in a referral, coordinates, or the actor audits."""
    return actor.role is Role.AUDITOR or actor.agency in {COORDINATOR, *referral.parties}


def no_such_referral() -> NotFoundError:
    """Return the error for a referral that is not there, or of others: the two cannot be told apart."""
    return NotFoundError("no such referral, or none that this agency has a part in")


def _problems(answer: ReferralAnswer) -> Iterator[FieldProblem]:
    if not has_words(answer.reason):
        yield FieldProblem("/reason", "missing", "An answer needs a reason.")
    if answer.result is not None and answer.action is not ReferralAction.CLOSE:
        yield FieldProblem("/result", "unexpected", "Only a referral that is closed takes this field.")
    if answer.result is not None and answer.result not in REFERRAL_RESULTS:
        yield FieldProblem("/result", "not_allowed", f"One of {', '.join(REFERRAL_RESULTS)}.")
