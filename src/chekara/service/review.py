"""Record what an officer did with a decision."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from chekara.domain.actor import Actor, Permission, may
from chekara.domain.review import Review
from chekara.domain.vocabulary import Lane, ReviewAction
from chekara.errors import FieldProblem, ForbiddenError, InvalidRequestError, NotFoundError, SupersededRevisionError
from chekara.policy.policy import Policy
from chekara.service.ports import DecisionLog
from chekara.service.records import Chain
from chekara.service.referral import open_referral
from chekara.service.words import has_words

LONGEST_DELAY: Final = timedelta(days=365)


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
    domain : str or None
        What is referred, for ``refer``; left out, the strictest domain that the agency asked leads here, else the
        strictest of all that the reviewer sees.
    """

    decision_id: str
    action: ReviewAction
    reason: str
    lane: Lane | None = None
    refer_to: str | None = None
    until: datetime | None = None
    domain: str | None = None


class RecordReview:
    """The use case behind ``POST /v1/decisions/{id}/reviews`` and the review form.

    Parameters
    ----------
    log : DecisionLog
    policy : Policy
        Names the agencies that a crossing may be referred to.
    now : callable
        The present instant, with offset.
    """

    def __init__(
        self, *, log: DecisionLog, policy: Policy, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._log = log
        self._policy = policy
        self._now = now

    def __call__(self, actor: Actor, request: ReviewRequest) -> Review:
        """Record a review durably; of several by one agency the newest counts. ``refer`` also opens a referral.

        Parameters
        ----------
        actor : Actor
            A person with the right to review.
        request : ReviewRequest

        Returns
        -------
        Review

        Raises
        ------
        ForbiddenError
            The actor is not a person who may review.
        InvalidRequestError
            The reason says nothing, a field does not fit the action, or no domain that the reviewer sees is referred.
        NotFoundError
            No such decision, or none that the actor's agency may see.
        SupersededRevisionError
            A higher revision of the crossing was scored, or it was withdrawn.
        LogUnavailableError
            The review could not be made durable.
        """
        if not may(actor, Permission.REVIEW):
            raise ForbiddenError("only a person who may review can record one", hint="ask an analyst or a supervisor")
        reviewed_at = self._now()
        problems = tuple(_problems(request, actor.agency, reviewed_at, self._policy))
        if problems:
            raise InvalidRequestError("the review cannot be recorded like this", problems=problems)
        chain = Chain.of(actor)
        with self._log.transaction() as transaction:
            record = transaction.decision(chain, request.decision_id)
            if record is None or not record.is_visible_to(actor):
                raise NotFoundError("no such decision, or none that this agency may see")
            if record.superseded_by is not None:
                raise SupersededRevisionError(
                    "a newer revision of this crossing was scored", hint="review the newest decision"
                )
            if record.is_void:
                raise SupersededRevisionError("this crossing was withdrawn", hint="there is nothing to review")
            review = _review(actor, request, reviewed_at)
            transaction.append_review(chain, review)
            if review.action is ReviewAction.REFER:
                open_referral(transaction, record, review, actor, policy=self._policy, domain=request.domain)
        return review


def _review(actor: Actor, request: ReviewRequest, reviewed_at: datetime) -> Review:
    return Review(
        review_id=str(uuid.uuid4()),
        decision_id=request.decision_id,
        agency=actor.agency,
        officer=actor.holder,
        action=request.action,
        lane=request.lane,
        refer_to=request.refer_to,
        until=request.until,
        reason=request.reason.strip(),
        reviewed_at=reviewed_at,
    )


# The one field that each action needs; an action allows no other. Names are those of the API.
_NEEDS = {ReviewAction.OVERRIDE: "lane", ReviewAction.REFER: "to", ReviewAction.DELAY: "until"}


def _problems(request: ReviewRequest, agency: str, reviewed_at: datetime, policy: Policy) -> Iterator[FieldProblem]:
    if not has_words(request.reason):
        yield FieldProblem("/reason", "missing", "A review needs a reason.")
    given = {"lane": request.lane, "to": request.refer_to, "until": request.until}
    needed = _NEEDS.get(request.action)
    for name, value in given.items():
        if name == needed and value is None:
            yield FieldProblem(f"/{name}", "missing", f"The action {request.action} needs this field.")
        if name != needed and value is not None:
            yield FieldProblem(f"/{name}", "unexpected", f"The action {request.action} does not take this field.")
    if request.domain is not None and request.action is not ReviewAction.REFER:
        yield FieldProblem("/domain", "unexpected", f"The action {request.action} does not take this field.")
    if request.refer_to is not None and request.refer_to not in policy.known_agencies:
        yield FieldProblem("/to", "unknown_agency", "This agency is not known.")
    if request.refer_to == agency:
        yield FieldProblem("/to", "own_agency", "A crossing is referred to another agency.")
    if request.until is not None and request.until <= reviewed_at:
        yield FieldProblem("/until", "not_in_future", "Release can only be delayed until a later instant.")
    if request.until is not None and request.until > reviewed_at + LONGEST_DELAY:
        yield FieldProblem("/until", "too_far_ahead", f"Release is delayed for at most {LONGEST_DELAY.days} days.")
