"""``POST /v1/inspections``: results of controls, one or many; durable before the answer."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from chekara.api.access import requires
from chekara.api.answers import INSPECTION_ANSWER
from chekara.api.batch import NDJSON, answer_batch, json_response, row_value, rows_of
from chekara.api.body import JSON, media_type_of, read_body
from chekara.api.connected import in_time, while_connected
from chekara.api.context import Context, context_of, language_of
from chekara.api.openapi import (
    INSPECTION_ERRORS,
    INSPECTION_EXAMPLE,
    described,
    inspection_body_schema,
    json_answer,
    json_body,
    problem_responses,
)
from chekara.api.present import present_inspection
from chekara.api.strict_json import read_json
from chekara.domain.actor import Actor, Permission
from chekara.service.records import InspectionRecord, InspectionRequest
from chekara.settings import Limits

MAY_RECORD = Depends(requires(Permission.RECORD_INSPECTION))


def inspections_router(limits: Limits) -> APIRouter:
    """Make the route that records results.

    Parameters
    ----------
    limits : Limits
        Written into the schema of the body.
    """
    router = APIRouter(prefix="/v1", tags=["inspections"])
    router.add_api_route(
        "/inspections",
        record_inspections,
        methods=["POST"],
        summary="Record what inspections found, one or many",
        description=described(record_inspections),
        responses={
            **json_answer(INSPECTION_ANSWER, "What was recorded; of many, a result or a problem per row, in order"),
            **problem_responses(INSPECTION_ERRORS),
        },
        openapi_extra=json_body(inspection_body_schema(limits), INSPECTION_EXAMPLE),
    )
    return router


async def record_inspections(request: Request, actor: Annotated[Actor, MAY_RECORD]) -> Response:
    """Record results of controls: one object, an array, or one object per line; of many, a bad row is its own problem.

    Results change what is known of traders and vehicles from then on, never a model. Sending the same body again is
    safe. A changed result comes with a higher revision. What sent the crossing to the control, and with what
    probability, is filled in where it is left out, and is not told.

    Parameters
    ----------
    request : Request
    actor : Actor
        From the guard.
    """
    context = context_of(request)
    limits = context.settings.limits
    body = await read_body(request, limits.batch_bytes, (JSON, NDJSON))
    received_at = context.now()
    is_lines = media_type_of(request) == NDJSON
    value = None if is_lines else read_json(body)
    if not is_lines and not isinstance(value, list):
        record = await while_connected(request, *_submit(context, actor, value, received_at))
        return json_response(present_inspection(record), language_of(request))

    async def answer(row: Any) -> dict[str, Any]:
        record = await in_time(*_submit(context, actor, row_value(row, limits), received_at))
        return {"inspection": present_inspection(record)}

    return await answer_batch(request, rows_of(body, media_type_of(request), limits), answer)


def _submit(
    context: Context, actor: Actor, value: Any, received_at: datetime
) -> tuple[asyncio.Future[InspectionRecord], float]:
    """Hand a result to the writer; what it resolves to once it is durable, and until when somebody waits for it."""
    answer_by = time.monotonic() + context.settings.limits.answer_seconds
    is_replay = context.clock == "replay"
    inspection = context.inspection_parser.validate(value, received_at=received_at, is_replay=is_replay)
    wanted = InspectionRequest(inspection=inspection, actor=actor, received_at=received_at, answer_by=answer_by)
    return asyncio.wrap_future(context.house.writer.submit(wanted)), answer_by
