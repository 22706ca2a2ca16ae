"""The application: routes, the guard of each, one error shape, one envelope."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI

from chekara.adapters.assembly import House
from chekara.api.access import KeyRing
from chekara.api.admission import Admission
from chekara.api.context import Context
from chekara.api.envelope import RequestEnvelope
from chekara.api.metrics import Metrics
from chekara.api.parse import ReviewParser, ScoreParser
from chekara.api.parse_inspection import InspectionParser
from chekara.api.problems import install_problem_handlers
from chekara.api.routes import events, health
from chekara.api.routes.agencies import agencies_router
from chekara.api.routes.decisions import decisions_router
from chekara.api.routes.inspections import inspections_router
from chekara.api.routes.models import models_router
from chekara.api.routes.referrals import referrals_router
from chekara.api.routes.scores import ScoreAtOnce, scores_router
from chekara.service.records import ClockMode
from chekara.settings import Settings

DESCRIPTION = """\
Risk profiling for border crossings. **Movements are scored, never people**, and every answer is a recommendation.

Errors are problem documents (RFC 9457) of type `urn:chekara:problem:<code>`; texts follow `Accept-Language`
(`en`, `ru`, `ky`); `X-Request-Id` comes back and stands in the service's log.
"""


def build_app(
    settings: Settings, house: House, *, clock: ClockMode = "live", metrics: Metrics | None = None
) -> FastAPI:
    """Build the application over an open house.

    Parameters
    ----------
    settings : Settings
    house : House
        Use cases and ports; the caller opens and closes it.
    clock : {'live', 'replay'}
        ``replay`` takes times of receipt from the bodies.
    metrics : Metrics, optional
        Where to count; made if it is not given.

    Returns
    -------
    FastAPI
    """
    counted = Metrics() if metrics is None else metrics
    app = FastAPI(
        title="Chekara",
        version=version("chekara"),
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
    )
    app.state.context = Context(
        settings=settings,
        house=house,
        clock=clock,
        metrics=counted,
        score_parser=ScoreParser(settings.limits),
        review_parser=ReviewParser(settings.limits),
        inspection_parser=InspectionParser(settings.limits),
    )
    app.state.keys = KeyRing(house.accounts.actor_for_key)
    app.include_router(scores_router(settings.limits))
    app.include_router(decisions_router(settings.limits))
    app.include_router(inspections_router(settings.limits))
    app.include_router(referrals_router(settings.limits))
    app.include_router(events.router)
    app.include_router(models_router(settings.limits))
    app.include_router(agencies_router(settings.limits))
    app.include_router(health.router)
    app.router.routes.insert(0, ScoreAtOnce())
    install_problem_handlers(app)
    app.add_middleware(RequestEnvelope, metrics=counted, admission=Admission(settings.limits.answer_seconds))
    return app
