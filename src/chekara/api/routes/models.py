"""What serves, and what moves it: a bundle is proposed, an approver promotes it, or takes the newest promotion back."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from chekara.api.access import requires, requires_one_of
from chekara.api.answers import MODELS, Schema
from chekara.api.batch import json_response
from chekara.api.body import read_body
from chekara.api.context import Context, context_of, language_of
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
from chekara.domain.actor import Actor, Permission, may
from chekara.errors import (
    BundleColumnsError,
    BundleDigestError,
    BundleGoldenError,
    BundleRefusedError,
    BundleSignatureError,
    ForbiddenError,
    LogUnavailableError,
    NoSuchBundleError,
    NotFoundError,
    NothingBeforeError,
)
from chekara.service.chain import instant_text
from chekara.service.records import Promotion, Proposal
from chekara.settings import Limits

PROMOTION_ERRORS: Final[tuple[ErrorClass, ...]] = (
    *KEY_ERRORS,
    *BODY_ERRORS,
    NotFoundError,
    NoSuchBundleError,
    BundleRefusedError,
    BundleSignatureError,
    BundleDigestError,
    BundleColumnsError,
    BundleGoldenError,
    NothingBeforeError,
    LogUnavailableError,
)
_TEXTS: Final = ("promotion_id", "domain", "name", "version", "digest", "approved_by")
PROMOTION: Final[Schema] = {
    "title": "Promotion",
    "type": "object",
    "properties": {
        **{name: {"type": "string"} for name in _TEXTS},
        "assessment_id": {"type": ["string", "null"]},
        "promoted_at": {"type": "string", "format": "date-time"},
        "reason": {"type": ["string", "null"]},
        "takes_back": {"type": ["string", "null"], "description": "Of a rollback: the promotion that it takes back"},
        "serves": {"type": "boolean", "description": "Whether it serves here now; else GET /v1/models tells why"},
    },
}
MAY_PROMOTE = Depends(requires(Permission.PROMOTE_MODEL))
MAY_PROMOTE_OR_PROPOSE = Depends(requires_one_of(Permission.PROMOTE_MODEL, Permission.PROPOSE_MODEL))
_REASON: Final = Column(name="reason", kind="string", required=True, description="Why, in the approver's words")
ROLLBACK_COLUMNS: Final = (_REASON,)
PROMOTE_COLUMNS: Final = (
    Column(
        name="digest",
        kind="code",
        pattern=r"sha256:[0-9a-f]{64}",
        required=True,
        description="The bundle, which lies under CHEKARA_HOME/bundles",
    ),
    Column(name="assessment_id", kind="string", required=True, description="Impact assessment that it rests on"),
    Column(name="reason", kind="string", description="Why, in one's own words"),
)


def models_router(limits: Limits) -> APIRouter:
    """Make the routes of models.

    Parameters
    ----------
    limits : Limits
        Written into the schemas of the bodies.
    """
    router = APIRouter(prefix="/v1", tags=["models"])
    router.add_api_route(
        "/models",
        read_models,
        methods=["GET"],
        summary="Which models serve",
        description=described(read_models),
        responses={**json_answer(MODELS, "Champions per domain"), **problem_responses(KEY_ERRORS)},
    )
    example = {"digest": "sha256:" + "0" * 64, "assessment_id": "IA-2026-001"}
    for name, handler, columns, sent in (
        ("promote", promote_model, PROMOTE_COLUMNS, example),
        ("rollback", roll_back_model, ROLLBACK_COLUMNS, {"reason": "Twice as many false alarms since Monday"}),
    ):
        router.add_api_route(
            f"/models/{{domain}}/{name}",
            handler,
            methods=["POST"],
            summary="Let a bundle serve, or propose it" if name == "promote" else "Let the model before serve again",
            description=described(handler),
            responses={
                **json_answer(PROMOTION, "The promotion"),
                **({202: {"description": "It was proposed"}} if name == "promote" else {}),
                **problem_responses(PROMOTION_ERRORS),
            },
            openapi_extra=json_body(body_schema("PromotionRequest", columns, limits), sent),
        )
    return router


async def read_models(request: Request, _: Annotated[Actor, Depends(requires(Permission.READ_MODELS))]) -> Response:
    """Read which model serves each domain, which are proposed, and why promoted bundles do not serve if they do not."""
    house = context_of(request).house
    champions, proposals = house.champions, await run_in_threadpool(house.proposals)
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
        "proposals": [_shown_proposal(one) for one in proposals],
        "problems": list(champions.problems()),
    }
    return json_response(shown, language_of(request))


async def promote_model(request: Request, domain: str, actor: Annotated[Actor, MAY_PROMOTE_OR_PROPOSE]) -> Response:
    """Let a bundle serve: by a person who neither trained nor proposed it, on an impact assessment.

    From a data scientist it is a proposal: the bundle is verified, the proposal is logged and shown under
    `GET /v1/models` until the bundle is promoted (202), and what serves goes on serving.

    The bundle is verified in a process of its own and scores an example before it serves; what is scored meanwhile is
    scored by the model before, which stays at hand for a rollback. The answer comes when it serves, after some seconds.

    Parameters
    ----------
    request : Request
    domain : str
    actor : Actor
        From the guard.
    """
    context, fields = await _asked(request, domain, actor, PROMOTE_COLUMNS)
    folder = context.house.bundle_folder(fields["digest"])
    if not folder.is_dir():
        hint = "a bundle is promoted from CHEKARA_HOME/bundles/<digest>, where training puts it; carry it there"
        raise NoSuchBundleError("no such bundle lies here", where="digest", hint=hint)

    named = {"assessment_id": fields["assessment_id"], "domain": domain, "reason": fields.get("reason")}
    if not may(actor, Permission.PROMOTE_MODEL):
        proposal = await run_in_threadpool(lambda: context.house.propose(folder, proposed_by=actor.holder, **named))
        return json_response(_shown_proposal(proposal), language_of(request), status=202)

    def promote() -> Promotion:
        return context.house.promote(
            folder,
            approved_by=actor.holder,
            **named,
        )

    return _shown(request, await run_in_threadpool(promote))


async def roll_back_model(request: Request, domain: str, actor: Annotated[Actor, MAY_PROMOTE]) -> Response:
    """Let the model before serve again, with a reason: a promotion that takes the newest one back.

    It serves at once where it is still in memory. Going back again goes further back.

    Parameters
    ----------
    request : Request
    domain : str
    actor : Actor
        From the guard.
    """
    context, fields = await _asked(request, domain, actor, ROLLBACK_COLUMNS)

    def roll_back() -> Promotion:
        return context.house.roll_back(domain, approved_by=actor.holder, reason=fields["reason"])

    return _shown(request, await run_in_threadpool(roll_back))


async def _asked(
    request: Request, domain: str, actor: Actor, columns: tuple[Column, ...]
) -> tuple[Context, dict[str, Any]]:
    context = context_of(request)
    if actor.is_test:
        raise ForbiddenError("a test key moves no model", hint="use an approver's own key")
    if domain not in context.house.policy.domains:
        raise NotFoundError("no such domain", where="domain")
    limits, findings = context.settings.limits, Findings()
    value = read_json(await read_body(request, limits.body_bytes))
    if not isinstance(value, dict):
        findings.add("", NOT_AN_OBJECT)
        findings.raise_if_any()
    fields = Section(columns, limits.text_characters, takes_extensions=False).validate(value, "", findings)
    findings.raise_if_any()
    return context, dict(fields)


def _shown_proposal(proposal: Proposal) -> dict[str, Any]:
    return {
        "proposal_id": proposal.proposal_id,
        "domain": proposal.domain,
        "name": proposal.model.name,
        "version": proposal.model.version,
        "digest": proposal.model.digest,
        "proposed_by": proposal.proposed_by,
        "assessment_id": proposal.assessment_id,
        "proposed_at": instant_text(proposal.proposed_at),
        "reason": proposal.reason,
    }


def _shown(request: Request, promotion: Promotion) -> Response:
    serving = context_of(request).house.champions.serving().get(promotion.domain)
    shown = {
        "promotion_id": promotion.promotion_id,
        "domain": promotion.domain,
        "name": promotion.model.name,
        "version": promotion.model.version,
        "digest": promotion.model.digest,
        "approved_by": promotion.approved_by,
        "assessment_id": promotion.assessment_id,
        "promoted_at": instant_text(promotion.promoted_at),
        "reason": promotion.reason,
        "takes_back": promotion.takes_back,
        "serves": serving is not None and serving.identity.digest == promotion.model.digest,
    }
    return json_response(shown, language_of(request))
