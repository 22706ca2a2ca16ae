"""The stop button of an agency."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from chekara.api.access import requires
from chekara.api.answers import Schema
from chekara.api.batch import json_response
from chekara.api.body import read_body
from chekara.api.context import context_of, language_of
from chekara.api.openapi import (
    BODY_ERRORS,
    KEY_ERRORS,
    ErrorClass,
    body_schema,
    described,
    json_answer,
    json_body,
    problem_responses,
)
from chekara.api.section import NOT_AN_OBJECT, Findings, Section
from chekara.api.strict_json import read_json
from chekara.data.schema import Column
from chekara.domain.actor import Actor, Permission
from chekara.errors import LogUnavailableError, NotFoundError
from chekara.service.agency_mode import Mode
from chekara.service.chain import instant_text
from chekara.settings import Limits

MODE_ERRORS: Final[tuple[ErrorClass, ...]] = (*KEY_ERRORS, *BODY_ERRORS, NotFoundError, LogUnavailableError)
MODE_COLUMNS: Final = (
    Column(
        name="mode",
        kind="code",
        required=True,
        values=tuple(Mode),
        description="`rules`: models ask for nothing any more; `models`: they do again",
    ),
    Column(name="reason", kind="string", description="Why, in the supervisor's words"),
)
AGENCY_MODE: Final[Schema] = {
    "title": "AgencyMode",
    "type": "object",
    "properties": {
        "agency": {"type": "string"},
        "mode": {"type": "string", "enum": list(Mode)},
        "set_by": {"type": "string"},
        "set_at": {"type": "string", "format": "date-time"},
        "reason": {"type": ["string", "null"]},
    },
}


def agencies_router(limits: Limits) -> APIRouter:
    """Make the route of the stop button.

    Parameters
    ----------
    limits : Limits
        Written into the schema of the body.
    """
    router = APIRouter(prefix="/v1", tags=["models"])
    router.add_api_route(
        "/agencies/{agency}/mode",
        set_mode,
        methods=["POST"],
        summary="Stop the models for an agency, or let them ask again",
        description=described(set_mode),
        responses={**json_answer(AGENCY_MODE, "The mode from now on"), **problem_responses(MODE_ERRORS)},
        openapi_extra=json_body(
            body_schema("AgencyModeRequest", MODE_COLUMNS, limits),
            {"mode": "rules", "reason": "Every second truck is yellow since this morning"},
        ),
    )
    return router


async def set_mode(
    request: Request, agency: str, actor: Annotated[Actor, Depends(requires(Permission.SET_MODE))]
) -> Response:
    """Stop the models for one's own agency: rules, priority control areas and the lot go on; or let them ask again.

    It holds for every crossing that is decided from the answer on, in the domains that the agency leads, and across
    restarts. Crossings are scored and stored all the same, so that it can be seen afterwards what models would have
    asked for. `GET /readyz` tells which agencies work without models.

    Parameters
    ----------
    request : Request
    agency : str
    actor : Actor
        From the guard.
    """
    context = context_of(request)
    limits, findings = context.settings.limits, Findings()
    value = read_json(await read_body(request, limits.body_bytes))
    if not isinstance(value, dict):
        findings.add("", NOT_AN_OBJECT)
        findings.raise_if_any()
    fields = Section(MODE_COLUMNS, limits.text_characters, takes_extensions=False).validate(value, "", findings)
    findings.raise_if_any()
    mode, reason = Mode(str(fields["mode"])), fields.get("reason")
    given = None if reason is None else str(reason)
    set_to = await run_in_threadpool(context.house.set_mode, actor, agency, mode, given)
    shown = {
        "agency": set_to.agency,
        "mode": set_to.mode,
        "set_by": set_to.set_by,
        "set_at": instant_text(set_to.set_at),
        "reason": set_to.reason,
    }
    return json_response(shown, language_of(request))
