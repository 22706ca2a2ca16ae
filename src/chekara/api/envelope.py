"""What surrounds every request: its id, its log line, its metrics, and the last net under unexpected errors."""

from __future__ import annotations

import http
import re
import time
import uuid
from typing import Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chekara import messages
from chekara.api.admission import GUARDED_PATHS, Admission
from chekara.api.logs import log_unexpected
from chekara.api.metrics import Metrics
from chekara.api.problems import problem_response
from chekara.errors import ChekaraError, TooManyRequestsError

log = structlog.get_logger("chekara.request")

_SANE_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
CLIENT_GONE: Final = 499  # nginx's word for a client that hung up; never sent


class RequestEnvelope:
    """Outermost middleware (plain ASGI, so that bodies stream through untouched).

    Gives each request an id (the caller's ``X-Request-Id`` where it is sane, else a new one), echoes it, writes one
    log line and counts it. The line holds the route's template, never the path, a header or a body. An exception
    that nobody expected becomes a 500 problem; its class and place are logged, its text is not, for it may quote data.

    Parameters
    ----------
    app : ASGIApp
    metrics : Metrics
    admission : Admission
        Turns away what could not be answered in time.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, admission: Admission) -> None:
        self._app = app
        self._metrics = metrics
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = _Observed(scope, send)
        try:
            if scope["method"] == "POST" and scope["path"] in GUARDED_PATHS:
                await self._serve_if_in_time(scope, receive, request)
            else:
                await self._app(scope, receive, request.send)
        except ClientDisconnect:
            request.status = CLIENT_GONE
        except Exception as error:  # noqa: BLE001  # process edge: the service lives on, the asker gets a 500 problem
            log_unexpected(error, request.id)
            if request.status is None:
                await self._fail(scope, receive, request, ChekaraError("unexpected"))
        finally:
            self._record(scope, request)

    async def _serve_if_in_time(self, scope: Scope, receive: Receive, request: _Observed) -> None:
        try:
            self._admission.enter()
        except TooManyRequestsError as error:
            self._metrics.refused.labels(error.code).inc()
            await self._fail(scope, receive, request, error)
            return
        try:
            await self._app(scope, receive, request.send)
        finally:
            self._admission.leave(is_served=request.status == http.HTTPStatus.OK)

    async def _fail(self, scope: Scope, receive: Receive, request: _Observed, error: ChekaraError) -> None:
        language = messages.negotiate(Headers(scope=scope).get("accept-language"))
        response = problem_response(error, request_id=request.id, language=language)
        await response(scope, receive, request.send)

    def _record(self, scope: Scope, request: _Observed) -> None:
        seconds = time.perf_counter() - request.started
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        route = getattr(scope.get("route"), "path", "unmatched")
        # No status at all: the client hung up before an answer.
        status = CLIENT_GONE if request.status is None else request.status
        self._metrics.requests.labels(method, route, str(status)).inc()
        self._metrics.request_seconds.labels(route).observe(seconds)
        actor = scope["state"].get("actor")
        log.info(
            "request",
            request_id=request.id,
            method=method,
            route=route,
            status=status,
            milliseconds=round(seconds * 1000, 2),
            key_id=None if actor is None else actor.key_id,
        )


class _Observed:
    """One request as the envelope sees it."""

    def __init__(self, scope: Scope, send: Send) -> None:
        given = Headers(scope=scope).get("x-request-id", "")
        self.id = given if _SANE_ID.fullmatch(given) else uuid.uuid4().hex
        self.started = time.perf_counter()
        self.status: int | None = None
        self._send = send
        scope.setdefault("state", {})["request_id"] = self.id

    async def send(self, message: Message) -> None:
        """Pass a message on; the first one gets the headers that every answer carries."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self.id
            headers.setdefault("X-Content-Type-Options", "nosniff")
            headers.setdefault("Cache-Control", "no-store")
        await self._send(message)
