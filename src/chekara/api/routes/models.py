"""What serves."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from chekara.api.access import requires
from chekara.api.batch import json_response
from chekara.api.context import context_of, language_of
from chekara.api.openapi import KEY_ERRORS, MODELS, json_answer, problem_responses
from chekara.domain.actor import Actor, Permission

router = APIRouter(prefix="/v1", tags=["models"])


@router.get(
    "/models",
    summary="Which models serve",
    responses={**json_answer(MODELS, "Champions per domain"), **problem_responses(KEY_ERRORS)},
)
async def read_models(request: Request, _: Annotated[Actor, Depends(requires(Permission.READ_MODELS))]) -> Response:
    """Read which model serves each domain, and why promoted bundles do not serve where they do not."""
    champions = context_of(request).house.champions
    shown = {
        "models": [
            {
                "domain": domain,
                "name": champion.identity.name,
                "version": champion.identity.version,
                "digest": champion.identity.digest,
            }
            for domain, champion in sorted(champions.serving().items())
        ],
        "problems": list(champions.problems()),
    }
    return json_response(shown, language_of(request))
