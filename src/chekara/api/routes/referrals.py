"""Referrals between agencies: read them, and answer those that are yours to answer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from chekara.api.access import requires
from chekara.api.answers import REFERRAL, REFERRALS
from chekara.api.batch import json_response
from chekara.api.body import read_body
from chekara.api.context import context_of, language_of
from chekara.api.fields import may_be_id
from chekara.api.openapi import (
    BODY_ERRORS,
    READ_ERRORS,
    ErrorClass,
    body_schema,
    described,
    json_answer,
    json_body,
    problem_responses,
)
from chekara.api.present_joint import present_referral
from chekara.api.section import NOT_AN_OBJECT, Findings, Section
from chekara.api.strict_json import read_json
from chekara.data.schema import Column
from chekara.domain.actor import Actor, Permission
from chekara.domain.referral import REFERRAL_RESULTS, ReferralAction
from chekara.errors import LogUnavailableError, ReferralStateError
from chekara.service.referral import ReferralAnswer, no_such_referral
from chekara.service.referral_ports import Standing
from chekara.settings import Limits

MAY_READ = Depends(requires(Permission.READ_REFERRALS))
MAY_ANSWER = Depends(requires(Permission.REVIEW))
ANSWER_ERRORS: Final[tuple[ErrorClass, ...]] = (*READ_ERRORS, *BODY_ERRORS, ReferralStateError, LogUnavailableError)
ANSWER_COLUMNS: Final = (
    Column(name="action", kind="code", required=True, values=tuple(ReferralAction), description="What is answered"),
    Column(name="reason", kind="string", required=True, description="Why, or what was done, in the officer's words"),
    Column(name="result", kind="code", values=REFERRAL_RESULTS, description="What was found; only of close"),
)


def referrals_router(limits: Limits) -> APIRouter:
    """Make the routes that read and answer referrals.

    Parameters
    ----------
    limits : Limits
        Written into the schema of the body.
    """
    router = APIRouter(prefix="/v1", tags=["joint action"])
    router.add_api_route(
        "/referrals",
        list_referrals,
        methods=["GET"],
        summary="List referrals that your agency has a part in, the newest first",
        description=described(list_referrals),
        responses={**json_answer(REFERRALS, "One page"), **problem_responses((*READ_ERRORS, LogUnavailableError))},
    )
    answer = {"action": "close", "reason": "Frame number is genuine", "result": "clear"}
    router.add_api_route(
        "/referrals/{referral_id}",
        answer_referral,
        methods=["POST"],
        summary="Accept or decline a referral, or report back on it",
        description=described(answer_referral),
        responses={**json_answer(REFERRAL, "The referral as it stands now"), **problem_responses(ANSWER_ERRORS)},
        openapi_extra=json_body(body_schema("ReferralAnswer", ANSWER_COLUMNS, limits), answer),
    )
    return router


async def list_referrals(
    request: Request,
    actor: Annotated[Actor, MAY_READ],
    state: Annotated[Standing | None, Query(description="`overdue` ones are `open`, too")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=64, description="`next_cursor` of the page before")] = None,
) -> Response:
    """List the referrals that your agency sent or is asked by; the coordinator and auditors see all.

    Parameters
    ----------
    request : Request
    actor : Actor
        From the guard.
    state : {'open', 'overdue', 'closed'}, optional
        Open ones are not finished: waiting for an answer, or for a report. Closed ones were closed or declined.
    limit : int
    cursor : str, optional
    """
    referrals = context_of(request).house.joint.referrals

    def read() -> dict[str, Any]:
        page = referrals.page(actor, state, cursor=cursor, limit=limit)
        now = referrals.now
        return {
            "referrals": [present_referral(one, now) for one in page.referrals],
            "next_cursor": page.next_cursor,
        }

    return json_response(await run_in_threadpool(read), language_of(request))


async def answer_referral(request: Request, referral_id: str, actor: Annotated[Actor, MAY_ANSWER]) -> Response:
    """Answer a referral for the agency that is asked: accept, decline, or close it with what was done. Persons only.

    An accepted referral is to be reported back until its new ``due_at``. Of two answers at once the first one counts;
    the other is ``409 referral_state``.

    Parameters
    ----------
    request : Request
    referral_id : str
    actor : Actor
        From the guard.
    """
    context = context_of(request)
    limits = context.settings.limits
    answer = _parsed(referral_id, await read_body(request, limits.body_bytes), limits.text_characters)
    referral = await run_in_threadpool(context.house.joint.answer, actor, answer)
    return json_response(present_referral(referral, context.house.joint.referrals.now), language_of(request))


@cache
def _section(longest_text: int) -> Section:
    return Section(ANSWER_COLUMNS, longest_text, takes_extensions=False)


def _parsed(referral_id: str, body: bytes, longest_text: int) -> ReferralAnswer:
    if not may_be_id(referral_id):
        raise no_such_referral()
    value = read_json(body)
    findings = Findings()
    if not isinstance(value, dict):
        findings.add("", NOT_AN_OBJECT)
        findings.raise_if_any()
    fields: Mapping[str, Any] = _section(longest_text).validate(value, "", findings)
    findings.raise_if_any()
    return ReferralAnswer(
        referral_id=referral_id,
        action=ReferralAction(fields["action"]),
        reason=fields["reason"],
        result=fields.get("result"),
    )
