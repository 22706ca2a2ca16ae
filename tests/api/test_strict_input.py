"""Hostile and careless bodies against a real server: a problem, no echo in body or log, and the service lives on."""

from __future__ import annotations

import http.client
import json
import socket
import time
from contextlib import suppress
from typing import Any

import pytest

from tests.serving import Server, crossing

SECRET = "Zq7secretZq7"


def with_item(**fields: Any) -> bytes:
    return json.dumps(crossing(SECRET, items=[fields])).encode()


def raw(text: str, name: str = "declared_value") -> bytes:
    """Write a value that no JSON writer would."""
    return with_item(**{name: "@"}).replace(b'"@"', text.encode())


TABLE: list[tuple[str, bytes, int, str]] = [
    ("unknown key", json.dumps(crossing(SECRET, colour=SECRET)).encode(), 422, "/colour"),
    ("nationality", json.dumps(crossing(SECRET, nationality=SECRET)).encode(), 422, "/nationality"),
    ("NaN", raw("NaN"), 422, "/items/0/declared_value"),
    ("Infinity", raw("-Infinity"), 422, "/items/0/declared_value"),
    ("1e999", raw("1e999"), 422, "/items/0/declared_value"),
    ("5,000 digits", raw("9" * 5000), 422, "/items/0/declared_value"),
    ("a number as a string", raw(f'"{SECRET}12"'), 422, "/items/0/declared_value"),
    ("true for one", raw("true", "packages"), 422, "/items/0/packages"),
    ("NUL", with_item(goods_description=SECRET + "\0"), 422, "/items/0/goods_description"),
    ("newline", with_item(goods_description=SECRET + '\n{"event": "forged"}'), 422, "/items/0/goods_description"),
    ("bidi override", with_item(goods_description=SECRET + "\u202e"), 422, "/items/0/goods_description"),
    ("lone surrogate", with_item(goods_description=SECRET + "\ud800"), 422, "/items/0/goods_description"),
    ("long string", with_item(goods_description=SECRET * 50), 422, "/items/0/goods_description"),
    ("repeated key", b'{"mode": "' + SECRET.encode() + b'", ' + json.dumps(crossing("x")).encode()[1:], 422, "/mode"),
    ("naive time", json.dumps(crossing(SECRET, occurred_at="2026-01-01T00:00:00")).encode(), 422, "/occurred_at"),
    ("far ahead", json.dumps(crossing(SECRET, occurred_at="2099-01-01T00:00:00Z")).encode(), 422, "/occurred_at"),
    *(
        (
            f"the year {year}",
            json.dumps(crossing(SECRET, **{name: f"{year}-06-01T00:00:00Z"})).encode(),
            422,
            f"/{name}",
        )
        for name in ("occurred_at", "known_at")
        for year in ("0001", "0500", "0999", "1899", "2200", "9999")
        if name == "known_at" or year < "2200"
    ),
    ("bad enum", json.dumps(crossing(SECRET, mode=SECRET)).encode(), 422, "/mode"),
    ("bad pattern", with_item(hs_code=SECRET), 422, "/items/0/hs_code"),
    ("2,001 items", json.dumps(crossing(SECRET, items=[{}] * 2001)).encode(), 422, "/items"),
    ("nested 100,000 deep", b'{"items": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, ""),
    ("not JSON", b'{"crossing_id": ' + SECRET.encode(), 400, ""),
    ("not UTF-8", b'{"crossing_id": "\xff' + SECRET.encode() + b'"}', 400, ""),
    ("empty", b"", 400, ""),
    ("pickle", b"\x80\x04\x95" + SECRET.encode(), 400, ""),
]


@pytest.mark.parametrize(("body", "status", "pointer"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_refused_without_echo(server: Server, body: bytes, status: int, pointer: str) -> None:
    reply = server.score(body, Accept_Language="en")
    assert (reply.status, reply.headers["content-type"]) == (status, "application/problem+json"), reply.body
    assert SECRET not in reply.body.decode()
    if status == 422:
        assert [problem["pointer"] for problem in reply.json["problems"]] == [pointer]
    assert SECRET not in server.log_text()


def test_one_event_is_one_log_line(server: Server) -> None:
    before = len(server.log_text().splitlines())
    forged = 'x\r\n{"event": "forged"}'
    with socket.create_connection(("127.0.0.1", server.port)) as link:
        link.sendall(
            b"POST /v1/scores?x=%0a%7b%22event%22 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
            b"X-Request-Id: a\tb\r\nAuthorization: Bearer \x0bq\r\n\r\n{}"
        )
        assert link.recv(1000).startswith(b"HTTP/1.1 4")
    server.score(crossing("log-line", carrier_id=forged))
    server.send("GET", f"/{forged.encode().hex()}%0a%0d", "system")
    time.sleep(0.2)
    lines = server.log_text().splitlines()[before:]
    assert all(json.loads(line)["event"] in ("request", "library", "Invalid HTTP request received.") for line in lines)
    assert "forged" not in "".join(lines)


def test_a_declared_length_over_the_limit_is_refused_unread(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as link:
        key = server.keys["system"]
        link.sendall(
            f"POST /v1/scores HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {3 * 1024 * 1024}\r\n\r\n".encode()
        )
        answer = b""
        while b"}" not in answer and (part := link.recv(10_000)):  # head and body may come apart
            answer += part
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"urn:chekara:problem:body_too_large" in answer


def resident_bytes(server: Server) -> int:
    """Peak memory of the server process."""
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as status:  # noqa: PTH123
        line = next(line for line in status if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def test_fifty_megabytes_in_chunks_are_refused_before_they_are_buffered(server: Server) -> None:
    before = resident_bytes(server)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    sent = 0

    def chunks() -> Any:
        nonlocal sent
        for _ in range(800):
            sent += 64 * 1024
            yield b" " * (64 * 1024)

    headers = {"Authorization": f"Bearer {server.keys['system']}", "Content-Type": "application/json"}
    try:
        with suppress(BrokenPipeError, ConnectionResetError):  # it may hang up while we still send
            connection.request("POST", "/v1/scores", chunks(), headers, encode_chunked=True)
        answer = connection.getresponse()
        assert answer.status == 413
        assert json.loads(answer.read())["type"] == "urn:chekara:problem:body_too_large"
    except (ConnectionResetError, BrokenPipeError, http.client.RemoteDisconnected):
        pytest.fail("the server hung up without an answer")
    finally:
        connection.close()
    assert resident_bytes(server) - before < 20 * 1024 * 1024
    assert server.send("GET", "/healthz").status == 200


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/x-ndjson"])
def test_another_content_type_has_its_own_problem(server: Server, content_type: str) -> None:
    reply = server.send(
        "POST",
        "/v1/scores",
        None,
        crossing("x"),
        Authorization=f"Bearer {server.keys['system']}",
        **{"Content-Type": content_type},
    )
    assert (reply.status, reply.json["type"]) == (415, "urn:chekara:problem:unsupported_media_type")


def test_the_framework_and_the_unknown_speak_problem_json(server: Server) -> None:
    for method, path, status in (("GET", "/v1/nothing", 404), ("PUT", "/v1/scores", 405), ("GET", "/v1/scores", 405)):
        reply = server.send(method, path, "system", {} if method == "PUT" else None)
        assert (reply.status, reply.headers["content-type"]) == (status, "application/problem+json"), (method, path)
        assert reply.json["instance"] == reply.headers["x-request-id"]


def test_two_mebibytes_of_honest_body_are_read(server: Server) -> None:
    items = [{"goods_description": "ө" * 500} for _ in range(1500)]
    body = json.dumps(crossing("large-1", items=items), ensure_ascii=False).encode()
    assert 1_500_000 < len(body) < 2 * 1024 * 1024
    assert server.score(body).status == 200
