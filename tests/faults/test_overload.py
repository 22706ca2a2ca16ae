"""A database that is held by somebody else, and more requests than can wait: told in time, and over by itself."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.api.test_overload import counted
from tests.serving import Reply, Server, copied_home, crossing, serving


@contextmanager
def held_database(home: Path) -> Iterator[None]:
    """Hold the one write lock of the database, as a stuck backup would."""
    other = sqlite3.connect(home / "chekara.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def timed(server: Server, body: dict[str, Any]) -> tuple[float, Reply]:
    began = time.monotonic()
    reply = server.score(body)
    return time.monotonic() - began, reply


@pytest.fixture(scope="module")
def small(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Yield a server in which three requests may wait."""
    folder = tmp_path_factory.mktemp("overload") / "home"
    with copied_home(trained, folder) as home, serving(home, CHEKARA_LIMIT_QUEUE_LENGTH="3") as server:
        assert server.score(crossing("before")).status == 200
        yield server


def test_no_answer_without_a_log_record_and_recovery_unaided(small: Server) -> None:
    body = crossing("during")
    with held_database(small.home):
        seconds, refused = timed(small, body)
        assert refused.status == 503
        assert refused.json["type"].split(":")[-1] in ("deadline_exceeded", "log_unavailable")
        assert int(refused.headers["retry-after"]) >= 1
        assert seconds < 3
        assert small.send("GET", "/healthz").status == 200
        assert small.send("GET", "/v1/decisions?crossing_id=before", "system").status == 200, "it keeps reading"
    again = until_scored(small, body)
    found = small.send("GET", "/v1/decisions?crossing_id=during", "system").json["decisions"]
    assert [decision["decision_id"] for decision in found] == [again.json["decision_id"]]


def test_more_than_can_wait_is_turned_away_at_once(small: Server) -> None:
    until_scored(small, crossing("calm"))
    with held_database(small.home), ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(lambda n: timed(small, crossing(f"crowd-{n}")), range(30)))
    turned_away = [(seconds, reply) for seconds, reply in answers if reply.status == 429]
    assert {reply.status for _, reply in answers} <= {429, 503}
    assert len(turned_away) >= 20
    for seconds, reply in turned_away:
        assert seconds < 1.5
        assert reply.json["type"] == "urn:chekara:problem:too_many_requests"
        assert int(reply.headers["retry-after"]) >= 1
    until_scored(small, crossing("calm again"))


def test_rows_of_a_batch_that_are_turned_away_say_when_to_come_again(small: Server) -> None:
    until_scored(small, crossing("calm before a batch"))
    before = counted(small, "chekara_refused_total", code="too_many_requests")
    with held_database(small.home):
        rows = small.send("POST", "/v1/scores/batch", "system", [crossing(f"row-{n}") for n in range(20)]).json
    assert {row["status"] for row in rows} <= {429, 503}
    assert all(row["retry_after"] >= 1 for row in rows)
    turned_away = sum(row["status"] == 429 for row in rows)
    assert turned_away >= 15
    assert counted(small, "chekara_refused_total", code="too_many_requests") == before + turned_away
    bad = small.send("POST", "/v1/scores/batch", "system", [{"crossing_id": "bad"}]).json
    assert "retry_after" not in bad[0], "sending it again as it is would not help"
    until_scored(small, crossing("calm after a batch"))


def until_scored(server: Server, body: dict[str, Any]) -> Reply:
    """Send the same body until it is scored, as a border system does on 503."""
    deadline = time.monotonic() + 15
    while (reply := server.score(body)).status != 200 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert reply.status == 200, reply.body
    return reply
