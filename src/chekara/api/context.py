"""What the routes share: the house, the clock and the parsers, made once per process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.requests import Request

from chekara import messages
from chekara.adapters.assembly import House
from chekara.api.metrics import Metrics
from chekara.api.parse import ReviewParser, ScoreParser
from chekara.api.parse_inspection import InspectionParser
from chekara.service.records import ClockMode
from chekara.settings import Settings


def utc_now() -> datetime:
    """Return the instant of receipt: the machine's clock, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Context:
    """Everything that a route may use.

    Attributes
    ----------
    settings : Settings
    house : House
        Use cases and ports.
    clock : {'live', 'replay'}
    metrics : Metrics
    score_parser : ScoreParser
    review_parser : ReviewParser
    inspection_parser : InspectionParser
    now : callable
        The clock.
    """

    settings: Settings
    house: House
    clock: ClockMode
    metrics: Metrics
    score_parser: ScoreParser
    review_parser: ReviewParser
    inspection_parser: InspectionParser
    now: Callable[[], datetime] = utc_now


def context_of(request: Request) -> Context:
    """Return the context of the application that serves a request."""
    context: Context = request.app.state.context
    return context


def language_of(request: Request) -> str:
    """Return the language that the asker reads."""
    return messages.negotiate(request.headers.get("accept-language"))
