"""A batch is its rows, as if each had been posted alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.serving import Reply, Server, crossing

ROWS = 40


def post(server: Server, rows: Any, content_type: str = "application/json", query: str = "") -> Reply:
    headers = {"Authorization": f"Bearer {server.keys['system_with_reasons']}", "Content-Type": content_type}
    return server.send("POST", f"/v1/scores/batch{query}", None, rows, **headers)


def ndjson(rows: list[Any]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


@pytest.mark.parametrize("content_type", ["application/json", "application/x-ndjson"])
@pytest.mark.parametrize("bad", [0, 17, ROWS - 1])
def test_one_bad_row_sinks_nobody(server: Server, content_type: str, bad: int) -> None:
    rows: list[Any] = [crossing(f"batch-{content_type}-{bad}-{n}") for n in range(ROWS)]
    rows[bad] = {"crossing_id": "x", "nationality": "y"}
    is_lines = content_type.endswith("ndjson")
    reply = post(server, ndjson(rows) if is_lines else rows, content_type)
    assert reply.status == 200
    answers = [json.loads(line) for line in reply.body.splitlines()] if is_lines else reply.json
    assert [answer["row"] for answer in answers] == list(range(ROWS))
    for n, answer in enumerate(answers):
        if n == bad:
            assert answer["status"] == 422
            assert "/nationality" in [problem["pointer"] for problem in answer["problem"]["problems"]]
            assert "decision" not in answer
        else:
            alone = server.score(rows[n], key="system_with_reasons")
            assert alone.json == answer["decision"]


def test_a_line_that_is_no_json_is_its_own_problem(server: Server) -> None:
    lines = ndjson([crossing("batch-line-1")]) + b"\n{broken\n" + b"[" * 100_000 + b"\n"
    answers = [json.loads(line) for line in post(server, lines, "application/x-ndjson").body.splitlines()]
    assert [answer["status"] for answer in answers] == [200, 400, 400]
    broken = json.dumps(answers[1])
    assert "column 2" in broken
    assert "line" not in broken, "the first line of the row is not the first of the batch"


def test_copies_in_one_batch_are_one_decision(server: Server) -> None:
    body = crossing("batch-copies")
    answers = post(server, [body] * 5 + [body | {"occupants": 9}]).json
    assert [answer["status"] for answer in answers] == [200] * 5 + [409]
    assert len({answer["decision"]["decision_id"] for answer in answers[:5]}) == 1


def test_a_batch_has_limits(server: Server) -> None:
    assert post(server, []).json == []
    too_many = post(server, [{}] * 1001)
    assert (too_many.status, too_many.json["type"]) == (413, "urn:chekara:problem:body_too_large")
    assert post(server, {"not": "an array"}).status == 422
    assert post(server, b"{", "application/json").status == 400
    assert post(server, [], "text/plain").status == 415
    assert post(server, b" " * (16 * 1024 * 1024 + 1)).status == 413


def test_contributions_can_be_left_out(server: Server) -> None:
    [answer] = post(server, [crossing("batch-short")], query="?contributions=false").json
    assert "contributions" not in answer["decision"]["domains"][0]


@pytest.mark.slow
def test_a_thousand_rows_with_one_poisoned(server: Server) -> None:
    rows: list[Any] = [crossing(f"batch-thousand-{n}") for n in range(1000)]
    rows[500] = 7
    answers = post(server, rows, query="?contributions=false").json
    assert [answer["row"] for answer in answers if answer["status"] != 200] == [500]
