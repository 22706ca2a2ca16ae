"""Read decisions and record reviews, own agency only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from chekara.api.access import requires
from chekara.api.answers import DECISION, DECISIONS, REVIEW
from chekara.api.batch import json_response
from chekara.api.body import read_body
from chekara.api.context import Context, context_of, language_of
from chekara.api.fields import BAD_INSTANT, Refusal, check_instant, may_be_id, text_check
from chekara.api.openapi import (
    READ_ERRORS,
    REVIEW_ERRORS,
    described,
    json_answer,
    json_body,
    problem_responses,
    review_body_schema,
)
from chekara.api.present import present_decision, present_result, present_review
from chekara.api.present_joint import present_delay, present_referral
from chekara.api.routes.scores import WithContributions
from chekara.api.section import Findings
from chekara.domain.actor import Actor, Permission
from chekara.domain.review import Review
from chekara.domain.vocabulary import Lane, ReviewAction
from chekara.errors import NotFoundError
from chekara.service.records import DecisionFilter, DecisionRecord, InspectionRecord
from chekara.service.review import ReviewRequest
from chekara.service.visibility import tells_selection_after_review
from chekara.settings import Limits

MAY_READ = Depends(requires(Permission.READ_DECISION))
MAY_REVIEW = Depends(requires(Permission.REVIEW))


def decisions_router(limits: Limits) -> APIRouter:
    """Make the routes that read decisions and record reviews.

    Parameters
    ----------
    limits : Limits
        Written into the schema of the body.
    """
    router = APIRouter(prefix="/v1", tags=["decisions"])
    reading = problem_responses(READ_ERRORS)
    router.add_api_route(
        "/decisions/{decision_id}",
        read_decision,
        methods=["GET"],
        summary="Read one decision",
        description=described(read_decision),
        responses={**json_answer(DECISION, "The decision"), **reading},
    )
    router.add_api_route(
        "/decisions",
        list_decisions,
        methods=["GET"],
        summary="List decisions, the newest first",
        description=described(list_decisions),
        responses={**json_answer(DECISIONS, "One page"), **reading},
    )
    review = {"action": "override", "lane": "yellow", "reason": "Weighed again: the difference is packing"}
    router.add_api_route(
        "/decisions/{decision_id}/reviews",
        record_review,
        methods=["POST"],
        status_code=201,
        summary="Record what an officer did with a decision",
        description=described(record_review),
        responses={
            201: {"description": "The review", "content": {"application/json": {"schema": REVIEW}}},
            **problem_responses(REVIEW_ERRORS),
        },
        openapi_extra=json_body(review_body_schema(limits), review),
    )
    return router


async def read_decision(
    request: Request,
    decision_id: str,
    actor: Annotated[Actor, MAY_READ],
    with_contributions: WithContributions = True,
) -> Response:
    """Read a decision as the asker's agency may see it; what it may not see is not there (404).

    Parameters
    ----------
    request : Request
    decision_id : str
    actor : Actor
        From the guard.
    with_contributions : bool
        ``?contributions=``.
    """
    context = context_of(request)

    language = language_of(request)

    def read() -> dict[str, Any]:
        record = context.house.read.decision(actor, _plain_id(decision_id))
        results = context.house.read.results(actor, record)
        shown = present_decision(
            record,
            actor,
            language,
            with_contributions=with_contributions,
            reviews=_reviews(context, actor, record),
            blind_first=context.house.policy.lot.blind_first,
            with_result={one.inspection.domain for one in results if one.inspection.is_done},
        )
        return shown | _since_then(context, actor, record, results)

    return json_response(await run_in_threadpool(read), language)


async def list_decisions(
    request: Request,
    actor: Annotated[Actor, MAY_READ],
    lane: Lane | None = None,
    domain: str | None = None,
    crossing_point: str | None = None,
    crossing_id: str | None = None,
    since: Annotated[str | None, Query(description="Scored at or after; an instant with offset")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the page before")] = None,
    with_contributions: WithContributions = False,
) -> Response:
    """List what the asker's agency may see, the newest first. Contributions are left out unless asked for.

    Parameters
    ----------
    request : Request
    actor : Actor
        From the guard.
    lane, domain, crossing_point, crossing_id, since, limit, cursor : as in `DecisionFilter`
    with_contributions : bool
        ``?contributions=``.
    """
    context = context_of(request)
    given = {"domain": domain, "crossing_point": crossing_point, "crossing_id": crossing_id, "cursor": cursor}
    texts = _read_texts(given, context.settings.limits)
    wanted = DecisionFilter(
        lane=lane,
        domain=texts["domain"],
        crossing_point=texts["crossing_point"],
        crossing_id=texts["crossing_id"],
        since=_since(since),
        limit=limit,
    )
    language = language_of(request)

    def read() -> dict[str, Any]:
        page = context.house.read.decisions(actor, wanted, texts["cursor"])
        shown = [
            present_decision(
                record,
                actor,
                language,
                with_contributions=with_contributions,
                reviews=_reviews(context, actor, record),
                blind_first=context.house.policy.lot.blind_first,
            )
            for record in page.records
        ]
        return {"decisions": shown, "next_cursor": page.next_cursor}

    return json_response(await run_in_threadpool(read), language)


async def record_review(request: Request, decision_id: str, actor: Annotated[Actor, MAY_REVIEW]) -> Response:
    """Record a review of (decision, own agency). Persons only, always with a reason; the newest one counts.

    ``refer`` opens a referral to the agency under ``to`` and tells its ``referral_id``; ``delay`` has the crossing
    released at its instant.

    Parameters
    ----------
    request : Request
    decision_id : str
    actor : Actor
        From the guard.
    """
    context = context_of(request)
    parsed = context.review_parser.parse(await read_body(request, context.settings.limits.body_bytes))
    wanted = ReviewRequest(
        decision_id=_plain_id(decision_id),
        action=parsed.action,
        reason=parsed.reason,
        lane=parsed.lane,
        refer_to=parsed.refer_to,
        until=parsed.until,
        domain=parsed.domain,
    )
    review = await run_in_threadpool(context.house.review, actor, wanted)
    told = present_review(review)
    if review.action is ReviewAction.REFER:
        told |= await run_in_threadpool(_referral_of, context, actor, review)
    response = json_response(told, language_of(request))
    response.status_code = 201
    return response


def _referral_of(context: Context, actor: Actor, review: Review) -> dict[str, str]:
    """Name the referral that a review opened, or the only one that was open already; else nothing."""
    record = context.house.read.decision(actor, review.decision_id)
    own = [
        one
        for one in context.house.joint.referrals.of_decision(actor, record)
        if one.from_agency == review.agency and one.to_agency == review.refer_to and not one.is_finished
    ]
    opened = [one for one in own if one.opened_at == review.reviewed_at] or own
    return {"referral_id": opened[0].referral_id} if len(opened) == 1 else {}


def _since_then(
    context: Context, actor: Actor, record: DecisionRecord, results: Sequence[InspectionRecord]
) -> dict[str, Any]:
    """Tell what happened to a crossing since it was decided; what did not is left out."""
    joint = context.house.joint
    referrals = joint.referrals.of_decision(actor, record)
    delay = joint.delays(record)
    told = {
        "results": [present_result(result) for result in results],
        "referrals": [present_referral(referral, joint.referrals.now) for referral in referrals],
        "delayed": None if delay is None else present_delay(delay),
        "superseded_by": record.superseded_by,
    }
    return {name: value for name, value in told.items() if value}


def _reviews(context: Context, actor: Actor, record: DecisionRecord) -> tuple[Review, ...]:
    """Reviews matter only to those whom they open ``selected_by``."""
    if not tells_selection_after_review(actor):
        return ()
    return context.house.read.reviews(actor, record.decision.decision_id)


def _plain_id(decision_id: str) -> str:
    """Refuse what can be no id of ours before it reaches a database."""
    if not may_be_id(decision_id):
        raise NotFoundError("there is no such decision that you may see")
    return decision_id


def _read_texts(given: dict[str, str | None], limits: Limits) -> dict[str, str | None]:
    """Read filters as the fields of a body are read, which they are compared with."""
    check, findings = text_check(limits.text_characters), Findings()
    texts: dict[str, str | None] = {}
    for name, value in given.items():
        checked = None if value is None else check(value)
        if isinstance(checked, Refusal):
            findings.add(f"?{name}", checked)
        texts[name] = checked if isinstance(checked, str) else None
    findings.raise_if_any()
    return texts


def _since(value: str | None) -> datetime | None:
    if value is None:
        return None
    # A plus sign that was not escaped arrives as a space.
    checked = check_instant(re.sub(r" (\d\d:?\d\d)$", r"+\1", value))
    if isinstance(checked, datetime):
        return checked
    findings = Findings()
    findings.add("?since", checked if isinstance(checked, Refusal) else BAD_INSTANT)
    findings.raise_if_any()
    return None
