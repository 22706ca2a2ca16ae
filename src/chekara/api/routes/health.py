"""Alive, able to score, and what Prometheus reads."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.security import HTTPAuthorizationCredentials
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from chekara.api.access import authenticate, bearer
from chekara.api.context import Context, context_of
from chekara.api.openapi import problem_responses
from chekara.domain.actor import Permission, may
from chekara.errors import ForbiddenError, LogUnavailableError, NotReadyError, UnauthenticatedError
from chekara.policy.lot import has_lot

router = APIRouter(tags=["operation"])


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", summary="Alive")
async def healthz() -> dict[str, str]:
    """Tell that the process answers; it asks nothing else, so that a slow database does not get it killed."""
    return {"status": "alive"}


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", summary="Can score", responses=problem_responses([NotReadyError]))
async def readyz(request: Request) -> Response:
    """Tell whether crossings can be scored: a verified and warm model serves, and the log takes writes.

    A warning ``no_lot`` says that nothing is drawn at random, and why; ``models_stopped`` which agencies have stopped
    the models; ``policy_refused`` why the policy that was promoted last does not serve.
    Not ready is 503 with the problem ``not_ready``
    and the reason; while profiles are made for this version or policy, with how far that has come.
    """
    context = context_of(request)
    error = await _why_not_ready(context)
    if error is not None:
        raise error
    body: dict[str, object] = {"status": "ready", "domains": sorted(context.house.champions.serving())}
    warnings = []
    if (refused := context.house.policies.problem()) is not None:
        warnings.append({"code": "policy_refused", "message": refused})
    if (no_lot := await run_in_threadpool(context.house.lot_watch.problem)) is not None:
        warnings.append({"code": "no_lot", "message": no_lot})
    if stopped := context.house.set_mode.without_models():
        warnings.append({"code": "models_stopped", "message": f"rules and the lot alone ask for {', '.join(stopped)}"})
    if warnings:
        body["warnings"] = warnings
    return JSONResponse(body)


async def _why_not_ready(context: Context) -> NotReadyError | None:
    preparing = context.house.preparing()
    if preparing is not None:
        return NotReadyError(preparing, hint="wait until it is done")
    champions = context.house.champions
    if not champions.serving():
        refused = len(champions.problems())
        why = f"{refused} promoted bundles were refused" if refused else "no model was promoted yet"
        hint = "GET /v1/models and the log tell why" if refused else "train one and promote it"
        return NotReadyError(why, hint=hint)
    unwritable = await run_in_threadpool(context.house.unwritable)
    return None if unwritable is None else NotReadyError(unwritable, hint="no decision can be logged")


@router.get(
    "/metrics",
    summary="Prometheus metrics",
    responses=problem_responses([UnauthenticatedError, ForbiddenError]),
    response_class=Response,
)
async def metrics(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> Response:
    """Read counts and times in Prometheus' text format; on the machine itself, or with an admin's key."""
    if credentials is not None or not _is_from_this_machine(request):
        actor = await authenticate(request, credentials)
        if not may(actor, Permission.READ_METRICS):
            raise ForbiddenError("the key's role does not allow this", hint="use a key of the role admin")
    context = context_of(request)
    context.metrics.ready.set(1 if await _why_not_ready(context) is None else 0)
    _refresh(context)
    _refresh_capacity(context)
    await run_in_threadpool(_refresh_lot, context)
    await run_in_threadpool(_refresh_referrals, context)
    return Response(context.metrics.exposition(), media_type=CONTENT_TYPE_LATEST)


def _refresh(context: Context) -> None:
    """Bring the gauges up to what is true now."""
    serving = context.house.champions.serving()
    context.metrics.queue_depth.set(context.house.writer.waiting)
    context.metrics.model.clear()
    for domain, champion in serving.items():
        context.metrics.model.labels(domain, champion.identity.version, champion.identity.digest).set(1)
    policies = context.house.policies
    context.metrics.policy.clear()
    context.metrics.policy.labels(policies.now.policy.name, policies.now.policy.digest).set(1)
    context.metrics.policy_refused.set(0 if policies.problem() is None else 1)


def _refresh_capacity(context: Context) -> None:
    house, metrics = context.house, context.metrics
    metrics.without_models.clear()
    for agency in house.set_mode.without_models():
        metrics.without_models.labels(agency).set(1)
    for gauge in (metrics.capacity_budget, metrics.capacity_used, metrics.capacity_expected):
        gauge.clear()
    for one in house.capacity.standing():
        place = (one.agency, one.crossing_point, one.lane)
        metrics.capacity_budget.labels(*place).set(one.budget)
        metrics.capacity_used.labels(*place).set(one.used)
        metrics.capacity_expected.labels(*place).set(one.coming)


def _refresh_lot(context: Context) -> None:
    watch, metrics = context.house.lot_watch, context.metrics
    try:
        problem, alarms = watch.problem(), watch.alarms()
    except LogUnavailableError:
        return  # the other series say so; the last that was seen of the lot stays
    metrics.lot_draws.set(1 if has_lot(context.house.policy.lot) and problem is None else 0)
    metrics.lot_alarm.clear()
    for alarm in alarms:
        metrics.lot_alarm.labels(alarm.code, alarm.domain, alarm.crossing_point).set(1)


def _refresh_referrals(context: Context) -> None:
    metrics = context.metrics
    try:
        shares = context.house.joint.overdue()
    except LogUnavailableError:
        return  # as for the lot
    for gauge in (metrics.referral_overdue_share, metrics.referral_deadlines, metrics.referrals_waiting):
        gauge.clear()
    for one in shares:
        metrics.referral_overdue_share.labels(one.agency).set(one.share)
        metrics.referral_deadlines.labels(one.agency).set(one.duties)
        metrics.referrals_waiting.labels(one.agency).set(one.waiting)


def _is_from_this_machine(request: Request) -> bool:
    # Behind a proxy on the same machine everybody comes from loopback: what was forwarded needs a key.
    if any(name in request.headers for name in ("forwarded", "x-forwarded-for")) or request.client is None:
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
