"""``POST /v1/scores`` and its batch: parse -> score and log (in the writer) -> respond."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from chekara.api.access import requires
from chekara.api.body import JSON, media_type_of, read_body
from chekara.api.context import Context, context_of, language_of
from chekara.api.openapi import (
    BATCH_ROW,
    CROSSING_EXAMPLE,
    DECISION,
    SCORE_ERRORS,
    described,
    json_answer,
    json_body,
    problem_responses,
    score_body_schema,
)
from chekara.api.parse import ParsedScore
from chekara.api.present import present_decision
from chekara.api.problems import problem_of
from chekara.api.strict_json import read_json
from chekara.domain.actor import Actor, Permission
from chekara.errors import BodyTooLargeError, ChekaraError, DeadlineExceededError, InvalidRequestError
from chekara.service.records import Chain, DecisionRecord, ScoreRequest
from chekara.settings import Limits

NDJSON: Final = "application/x-ndjson"
# Rows of a batch that wait at once: one commit's worth, so that a batch never fills the queue of single requests.
BATCH_GROUP: Final = 64
MAY_SCORE = Depends(requires(Permission.SCORE))

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
    body = await read_body(request, context.settings.limits.body_bytes)
    received_at = context.now()
    parsed = context.score_parser.parse(body, received_at=received_at, is_replay=context.clock == "replay")
    record = await _decide(context, actor, parsed, received_at, answer_by)
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
    rows = _rows_of(body, is_ndjson=media_type_of(request) == NDJSON, limits=limits)
    received_at = context.now()
    language = language_of(request)

    async def answer(number: int, row: Any) -> dict[str, Any]:
        try:
            record = await _decide_row(context, actor, row, received_at)
        except ChekaraError as error:
            problem = problem_of(error, request_id=request.state.request_id, language=language)
            return {"row": number, "status": error.status, "problem": problem}
        shown = present_decision(record, actor, language, with_contributions=with_contributions)
        return {"row": number, "status": 200, "decision": shown}

    answers: list[dict[str, Any]] = []
    for start in range(0, len(rows), BATCH_GROUP):
        group = enumerate(rows[start : start + BATCH_GROUP], start)
        answers += await asyncio.gather(*(answer(number, row) for number, row in group))
    if media_type_of(request) == NDJSON:
        lines = b"".join(msgspec.json.encode(row) + b"\n" for row in answers)
        return Response(lines, media_type=NDJSON, headers=_language_headers(language))
    return json_response(answers, language)


def json_response(content: Any, language: str) -> Response:
    """Answer with JSON that was written in a language."""
    return Response(msgspec.json.encode(content), media_type=JSON, headers=_language_headers(language))


def _language_headers(language: str) -> dict[str, str]:
    return {"Content-Language": language, "Vary": "Accept-Language"}


def _rows_of(body: bytes, *, is_ndjson: bool, limits: Limits) -> list[Any]:
    """Split a batch into rows: bytes of a line, or values that were read already."""
    rows: Any = [line for line in body.split(b"\n") if line.strip()] if is_ndjson else read_json(body)
    if not isinstance(rows, list):
        raise InvalidRequestError("a batch is a JSON array, or one JSON object per line")
    if len(rows) > limits.batch_rows:
        raise BodyTooLargeError(f"the batch has more than {limits.batch_rows} rows", hint="send several batches")
    return rows


async def _decide_row(context: Context, actor: Actor, row: Any, received_at: datetime) -> DecisionRecord:
    is_replay = context.clock == "replay"
    parser = context.score_parser
    if isinstance(row, bytes):
        if len(row) > context.settings.limits.body_bytes:
            raise BodyTooLargeError(f"the row is over {context.settings.limits.body_bytes} bytes")
        parsed = parser.parse(row, received_at=received_at, is_replay=is_replay)
    else:
        parsed = parser.validate(row, received_at=received_at, is_replay=is_replay)
    return await _decide(context, actor, parsed, received_at, time.monotonic() + context.settings.limits.answer_seconds)


async def _decide(
    context: Context, actor: Actor, parsed: ParsedScore, received_at: datetime, answer_by: float
) -> DecisionRecord:
    """Hand a crossing to the writer and wait until its decision is durable, or the time is over."""
    wanted = ScoreRequest(
        crossing=parsed.crossing,
        actor=actor,
        received_at=received_at,
        labels=parsed.labels,
        is_void=parsed.is_void,
        answer_by=answer_by,
    )
    future = context.house.writer.submit(wanted)
    try:
        record = await asyncio.wait_for(asyncio.wrap_future(future), answer_by - time.monotonic())
    except TimeoutError:
        raise DeadlineExceededError("no answer within the time promised") from None
    decision = record.decision
    chain = Chain.of(actor)
    context.metrics.decisions.labels(decision.lane.value, chain.value).inc()
    context.metrics.log_position.labels(chain.value).set(decision.position)
    return record
