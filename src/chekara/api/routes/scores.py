"""``POST /v1/scores`` and its batch: parse -> score and log (in the writer) -> respond."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from chekara.api.access import authenticate, bearer, requires
from chekara.api.answers import BATCH_ROW, DECISION
from chekara.api.batch import NDJSON, ROW_SECONDS, answer_batch, json_response, row_value, rows_of
from chekara.api.body import JSON, media_type_of, read_body
from chekara.api.connected import in_time, while_connected
from chekara.api.context import Context, context_of, language_of
from chekara.api.openapi import (
    CROSSING_EXAMPLE,
    SCORE_ERRORS,
    described,
    json_answer,
    json_body,
    problem_responses,
    score_body_schema,
)
from chekara.api.parse import ParsedScore
from chekara.api.present import present_decision
from chekara.domain.actor import Actor, Permission
from chekara.service.records import Chain, DecisionRecord, ScoreRequest
from chekara.settings import Limits

_PATH: Final = "/v1/scores"
_guard = requires(Permission.SCORE)
MAY_SCORE = Depends(_guard)

WithContributions = Annotated[
    bool, Query(alias="contributions", description="false leaves the list of contributions out")
]


def scores_router(limits: Limits) -> APIRouter:
    """Make the routes that score.

    Parameters
    ----------
    limits : Limits
        Written into the schema of the body.
    """
    router = APIRouter(prefix="/v1", tags=["scores"])
    router.add_api_route(
        "/scores",
        score,
        methods=["POST"],
        summary="Score one crossing",
        description=described(score),
        responses={**json_answer(DECISION, "The stored decision"), **problem_responses(SCORE_ERRORS)},
        openapi_extra=json_body(score_body_schema(limits), CROSSING_EXAMPLE),
    )
    rows = {"type": "array", "items": score_body_schema(limits), "maxItems": limits.batch_rows}
    router.add_api_route(
        "/scores/batch",
        score_batch,
        methods=["POST"],
        summary="Score many crossings, each as if it were posted alone",
        description=described(score_batch),
        responses={
            **json_answer({"type": "array", "items": BATCH_ROW}, "A decision or a problem per row, in order"),
            **problem_responses(SCORE_ERRORS),
        },
        openapi_extra=json_body(rows, [CROSSING_EXAMPLE]),
    )
    return router


class ScoreAtOnce(Route):
    """``POST /v1/scores`` as nearly every border system sends it, without a query: the same guard and the same handler.

    It stands before the route that is documented, which serves everything else: reading parameters of any kind takes
    a good part of a request that has none.
    """

    def __init__(self) -> None:
        super().__init__(_PATH, _score_at_once, methods=["POST"], include_in_schema=False)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a request is one of these."""
        is_own = scope["type"] == "http" and scope["method"] == "POST" and scope["path"] == _PATH
        if not is_own or scope["query_string"]:
            return Match.NONE, {}
        return Match.FULL, {"endpoint": self.endpoint, "path_params": {}, "route": self}


async def _score_at_once(request: Request) -> Response:
    actor = await _guard(await authenticate(request, await bearer(request)))
    return await score(request, actor)


async def score(
    request: Request, actor: Annotated[Actor, MAY_SCORE], with_contributions: WithContributions = True
) -> Response:
    """Score one crossing in every domain that has a model; the answer comes after the decision is durable.

    Sending the same body again is safe: it returns the decision that was stored.

    Parameters
    ----------
    request : Request
    actor : Actor
        From the guard.
    with_contributions : bool
        ``?contributions=``.
    """
    context = context_of(request)
    answer_by = time.monotonic() + context.settings.limits.answer_seconds
    body = await read_body(request, context.settings.limits.body_bytes, seconds=context.settings.limits.answer_seconds)
    received_at = context.now()
    parsed = context.score_parser.parse(body, received_at=received_at, is_replay=context.clock == "replay")
    record = await _decide(request, actor, parsed, received_at, answer_by)
    language = language_of(request)
    shown = present_decision(record, actor, language, with_contributions=with_contributions)
    return json_response(shown, language)


async def score_batch(
    request: Request, actor: Annotated[Actor, MAY_SCORE], with_contributions: WithContributions = True
) -> Response:
    """Score up to 1,000 crossings: a JSON array, or one JSON object per line. A bad row is its own problem only.

    Parameters
    ----------
    request : Request
    actor : Actor
        From the guard.
    with_contributions : bool
        ``?contributions=``.
    """
    context = context_of(request)
    limits = context.settings.limits
    body = await read_body(request, limits.batch_bytes, (JSON, NDJSON))
    received_at = context.now()
    language = language_of(request)

    async def answer(row: Any) -> dict[str, Any]:
        record = await _decide_row(request, actor, row, received_at)
        return {"decision": present_decision(record, actor, language, with_contributions=with_contributions)}

    return await answer_batch(request, rows_of(body, media_type_of(request), limits), answer)


async def _decide_row(request: Request, actor: Actor, row: Any, received_at: datetime) -> DecisionRecord:
    context = context_of(request)
    is_replay = context.clock == "replay"
    value = row_value(row, context.settings.limits)
    parsed = context.score_parser.validate(value, received_at=received_at, is_replay=is_replay)
    return await _decide(request, actor, parsed, received_at, time.monotonic() + ROW_SECONDS, is_bulk=True)


async def _decide(
    request: Request,
    actor: Actor,
    parsed: ParsedScore,
    received_at: datetime,
    answer_by: float,
    *,
    is_bulk: bool = False,
) -> DecisionRecord:
    """Hand a crossing to the writer and wait until its decision is durable, or the time is over."""
    context: Context = context_of(request)
    wanted = ScoreRequest(
        crossing=parsed.crossing,
        actor=actor,
        received_at=received_at,
        labels=parsed.labels,
        is_void=parsed.is_void,
        decided_elsewhere=parsed.decided_elsewhere,
        answer_by=answer_by,
    )
    answer = asyncio.wrap_future(context.house.writer.submit(wanted, is_bulk=is_bulk))
    record = await (in_time(answer, answer_by) if is_bulk else while_connected(request, answer, answer_by))
    decision = record.decision
    chain = Chain.of(actor)
    context.metrics.decisions.labels(decision.lane.value, chain.value).inc()
    context.metrics.log_position.labels(chain.value).set(decision.position)
    return record
