"""``GET /v1/events``: what is new for an agency, polled by log position."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from chekara.api.access import requires
from chekara.api.answers import EVENTS
from chekara.api.batch import json_response
from chekara.api.context import context_of, language_of
from chekara.api.openapi import KEY_ERRORS, described, json_answer, problem_responses
from chekara.api.present_joint import present_events
from chekara.domain.actor import Actor, Permission
from chekara.errors import InvalidRequestError, LogUnavailableError
from chekara.service.events import MOST_EVENTS

MAY_READ = Depends(requires(Permission.READ_EVENTS))
USUAL_LIMIT: Final = 100
# No more digits than the database's integers hold.
LARGEST_POSITION: Final = 10**18


async def read_events(
    request: Request,
    actor: Annotated[Actor, MAY_READ],
    after: Annotated[int, Query(ge=0, le=LARGEST_POSITION, description="`next_after` of the page before")] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_EVENTS)] = USUAL_LIMIT,
) -> Response:
    """Read new lanes, referrals and releases that concern your agency, in the order of the log.

    Ask again with ``next_after``: nothing ever appears at or before it. What your agency may not see is not there; a
    domain that is hidden from it shows only as ``another_agency``.

    Parameters
    ----------
    request : Request
    actor : Actor
        From the guard.
    after : int
        Log position.
    limit : int
        Most events.
    """
    read, language = context_of(request).house.joint.events, language_of(request)

    def told() -> Response:
        return json_response(present_events(read(actor, after, limit), actor, language), language)

    # Reading, presenting and encoding a page of a thousand take a while: requests to score must not wait behind them.
    return await run_in_threadpool(told)


router = APIRouter(prefix="/v1", tags=["joint action"])
router.add_api_route(
    "/events",
    read_events,
    methods=["GET"],
    summary="What is new for your agency",
    description=described(read_events),
    responses={
        **json_answer(EVENTS, "Events, oldest first"),
        **problem_responses((*KEY_ERRORS, InvalidRequestError, LogUnavailableError)),
    },
)
