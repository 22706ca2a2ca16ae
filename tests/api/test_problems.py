"""Every error leaves as the same document, whoever raised it, and tells nothing that was sent."""

from __future__ import annotations

import asyncio
import inspect
import json
from typing import Any

import pytest
import structlog
from fastapi import FastAPI, Query, Request
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response
from structlog.testing import capture_logs

from chekara import errors, messages
from chekara.api.admission import Admission
from chekara.api.batch import answer_batch
from chekara.api.body import read_body
from chekara.api.envelope import RequestEnvelope
from chekara.api.metrics import Metrics
from chekara.api.problems import PROBLEM_JSON, install_problem_handlers, problem_of
from chekara.errors import ChekaraError, FieldProblem, InvalidRequestError

SECRET = "Zq7secretZq7"
CLASSES = [
    value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, errors.ChekaraError)
]


class Answer:
    """What came back over ASGI."""

    def __init__(self, sent: list[dict[str, Any]]) -> None:
        self.status: int = sent[0]["status"]
        self.headers = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
        self.body = b"".join(message.get("body", b"") for message in sent[1:])

    @property
    def problem(self) -> dict[str, Any]:
        assert self.headers["content-type"] == PROBLEM_JSON
        document = json.loads(self.body)
        assert {"type", "title", "status", "detail", "instance"} <= document.keys()
        assert document["status"] == self.status
        assert document["instance"] == self.headers["x-request-id"]
        assert document["type"].startswith("urn:chekara:problem:")
        assert SECRET not in self.body.decode()
        return dict(document)


def call(app: FastAPI, path: str, *, method: str = "GET", body: bytes = b"", **headers: str) -> Answer:
    """Send one request to an application over ASGI, as a server does."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path.partition("?")[0],
        "raw_path": path.partition("?")[0].encode(),
        "query_string": path.partition("?")[2].encode(),
        "root_path": "",
        "headers": [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("test", 80),
    }
    asyncio.run(app(scope, receive, send))
    return Answer(sent)


@pytest.fixture(scope="module")
def app() -> FastAPI:
    app = FastAPI()

    @app.get("/raise/{code}")
    async def raise_error(code: str) -> None:
        kind = next(error for error in CLASSES if error.code == code)
        raise kind("what is wrong", where="/field", hint="do this")

    @app.get("/broken")
    async def broken() -> None:
        raise ValueError(f"could not convert {SECRET}\nforged line")

    @app.get("/number")
    async def number(n: int = Query(ge=0)) -> int:
        return n

    @app.post("/body")
    async def body(request: Request) -> int:
        return len(await read_body(request, 10))

    @app.post("/batch")
    async def batch(request: Request) -> Response:
        async def answer(row: int) -> dict[str, float]:
            return {"quotient": 12 / row}

        return await answer_batch(request, [3, 0, 4], answer)

    install_problem_handlers(app)
    app.add_middleware(RequestEnvelope, metrics=Metrics(), admission=Admission(answer_seconds=2.0))
    return app


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.code)
@pytest.mark.parametrize("language", ["en", "ru", "ky"])
def test_every_error_class(app: FastAPI, kind: type[ChekaraError], language: str) -> None:
    answer = call(app, f"/raise/{kind.code}", accept_language=language)
    problem = answer.problem
    assert answer.status == kind.status
    assert problem["type"] == f"urn:chekara:problem:{kind.code}"
    assert problem["title"]
    if messages.has_text(f"error.{kind.code}"):
        assert problem["title"] == messages.text(f"error.{kind.code}", language)
    assert answer.headers["content-language"] == language
    assert "accept-language" in answer.headers["vary"].lower()
    assert answer.headers["cache-control"] == "no-store"
    assert (answer.headers.get("www-authenticate") is not None) == (kind.status == 401)
    assert (answer.headers.get("retry-after") is not None) == (kind.status in (429, 503))
    if kind.status == 500:
        assert "what is wrong" not in problem["detail"], "inside matters stay inside"
    if kind.status < 500 and kind.status != 404:
        assert "what is wrong" in problem["detail"]


@pytest.mark.parametrize(
    ("path", "method", "status", "code"),
    [
        ("/nowhere", "GET", 404, "not_found"),
        (f"/{SECRET}", "GET", 404, "not_found"),
        ("/number", "DELETE", 405, "method_not_allowed"),
        (f"/number?n={SECRET}", "GET", 422, "invalid_request"),
        ("/number?n=-1", "GET", 422, "invalid_request"),
        ("/broken", "GET", 500, "error"),
    ],
)
def test_the_framework_speaks_the_same_language(app: FastAPI, path: str, method: str, status: int, code: str) -> None:
    answer = call(app, path, method=method)
    assert answer.status == status
    assert answer.problem["type"] == f"urn:chekara:problem:{code}"
    if status == 405:
        assert answer.headers["allow"] == "GET"
    if status == 422:
        assert answer.problem["problems"][0]["parameter"] == "n"


def test_an_unexpected_error_is_one_log_line_without_its_text(app: FastAPI) -> None:
    with capture_logs() as lines:
        call(app, "/broken", x_request_id="abc")
    assert [line["event"] for line in lines] == ["unexpected_error", "request"]
    assert lines[0]["error"] == "ValueError"
    assert lines[0]["place"].startswith(f"{__name__}:")
    assert lines[0]["request_id"] == "abc"
    assert SECRET not in json.dumps(lines)
    assert "forged" not in json.dumps(lines)


def test_what_nobody_expected_of_one_row_of_a_batch_is_that_rows_problem(app: FastAPI) -> None:
    with capture_logs() as lines:
        answer = call(app, "/batch", method="POST", x_request_id="abc")
    first, broken, last = json.loads(answer.body)
    assert (first["quotient"], last["quotient"]) == (4, 3)
    assert (broken["row"], broken["status"], broken["problem"]["type"]) == (1, 500, "urn:chekara:problem:error")
    assert [(line["event"], line["error"]) for line in lines[:-1]] == [("unexpected_error", "ZeroDivisionError")]


def test_bodies_over_the_limit_or_of_another_kind(app: FastAPI) -> None:
    good = {"content_type": "application/json"}
    assert call(app, "/body", method="POST", body=b"x" * 10, **good).status == 200
    answer = call(app, "/body", method="POST", body=b"x" * 11, **good)
    assert (answer.status, answer.problem["type"]) == (413, "urn:chekara:problem:body_too_large")
    assert answer.headers["connection"] == "close"
    assert call(app, "/body", method="POST", body=b"", content_length="11", **good).status == 413
    for content_type in (
        "",
        "text/plain",
        "application/xml",
        "application/json; charset=latin-1",
        "application/jsonx",
        "application/json; boundary=x; charset=utf-16",
    ):
        answer = call(app, "/body", method="POST", body=b"{}", content_type=content_type)
        assert (answer.status, answer.problem["type"]) == (415, "urn:chekara:problem:unsupported_media_type")
    for content_type in ("application/json; charset=utf-8", 'Application/JSON; charset="UTF-8"'):
        assert call(app, "/body", method="POST", body=b"{}", content_type=content_type).status == 200


@given(st.text(st.characters(max_codepoint=255), max_size=100))
def test_a_request_id_is_echoed_only_where_it_is_sane(app: FastAPI, given_id: str) -> None:
    with capture_logs() as lines:
        answer = call(app, "/nowhere", x_request_id=given_id)
    echoed = answer.headers["x-request-id"]
    is_sane = given_id.isascii() and given_id.replace("-", "a").replace(".", "a").replace("_", "a").isalnum()
    assert (echoed == given_id) == (is_sane and 1 <= len(given_id) <= 64)
    assert lines[-1]["request_id"] == echoed
    assert lines[-1]["route"] == "unmatched", "the log holds no path"


def test_problems_of_fields() -> None:
    error = InvalidRequestError(
        "three fields",
        problems=(FieldProblem("/a", "b", "C."), FieldProblem("?d", "e", "F."), FieldProblem("g", "h", "I.")),
    )
    problem = problem_of(error, request_id="r", language="en")
    assert problem["problems"] == [
        {"pointer": "/a", "code": "b", "detail": "C."},
        {"parameter": "d", "code": "e", "detail": "F."},
        {"parameter": "g", "code": "h", "detail": "I."},
    ]


def test_log_lines_are_json_and_one_per_event(capfd: pytest.CaptureFixture[str]) -> None:
    import logging

    from chekara.api.logs import configure_logs

    root = logging.getLogger()
    before = root.handlers[:], root.level, structlog.get_config()
    try:
        configure_logs()
        structlog.get_logger("test").info("event", text='a\nb"c\u2028d')
        logging.getLogger("some.library").error("line one\nline two")
        lines = [json.loads(line) for line in capfd.readouterr().err.split("\n") if line]
    finally:
        root.handlers, root.level = before[0], before[1]
        structlog.configure(**before[2])
    assert [line["event"] for line in lines] == ["event", "line one\nline two"]
    assert lines[0]["text"] == 'a\nb"c\u2028d'
