"""What was decided while the service was away: told once, kept, told back, and asking nobody to act."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.serving import Reply, Server, crossing
from tests.web.browsing import Browser, text_of

AN_HOUR_AGO = datetime.now(UTC) - timedelta(hours=1)
LOT: dict[str, Any] = {
    "lane": "red",
    "at": AN_HOUR_AGO.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    "by": "asycuda-7",
    "basis": "random",
    "propensity": 0.25,
}
RULE: dict[str, Any] = {name: value for name, value in LOT.items() if name != "propensity"} | {"basis": "rule"}


def backfill(server: Server, crossing_id: str, told: Any, key: str = "system", **changes: Any) -> Reply:
    whole = {"decided_elsewhere": told, "occurred_at": AN_HOUR_AGO.isoformat()} | changes
    return server.score(crossing(crossing_id, **whole), key=key)


def test_it_is_scored_and_told_back_and_nobody_is_asked_to_act(server: Server) -> None:
    before = datetime.now(UTC)
    reply = backfill(server, "away-1", LOT)
    assert reply.status == 200, reply.body
    answer = reply.json
    assert answer["decided_elsewhere"] == LOT
    assert answer["actions"] == []
    assert "decided_elsewhere" in [warning["code"] for warning in answer["warnings"]]
    assert answer["domains"][0]["probability"] > 0
    assert datetime.fromisoformat(answer["scored_at"]) > before - timedelta(seconds=1), "known from its receipt on"
    assert backfill(server, "away-1", dict(reversed(LOT.items()))).body == reply.body
    assert backfill(server, "away-1", LOT | {"basis": "lot"}).body == reply.body, "two words for the lot"
    assert backfill(server, "away-1", LOT | {"propensity": 0.5}).status == 409
    assert backfill(server, "away-1", None).status == 409


def test_the_basis_is_withheld_like_what_selected_a_crossing(server: Server) -> None:
    decision = backfill(server, "away-2", LOT).json["decision_id"]

    def read(key: str) -> Any:
        return server.send("GET", f"/v1/decisions/{decision}", key).json

    blind = {"lane": "red", "at": LOT["at"], "by": "asycuda-7", "basis": "withheld"}
    assert read("analyst")["decided_elsewhere"] == read("inspector")["decided_elsewhere"] == blind
    assert read("auditor")["decided_elsewhere"] == LOT
    assert read("auditor")["selected_by"] == "random"
    listed = server.send("GET", "/v1/decisions?crossing_id=away-2", "auditor").json["decisions"]
    assert [one["decided_elsewhere"] for one in listed] == [LOT]
    review = {"action": "follow", "reason": "It was opened then, and nothing was found"}
    assert server.send("POST", f"/v1/decisions/{decision}/reviews", "analyst", review).status == 201
    assert read("analyst")["decided_elsewhere"] == LOT


def test_it_stands_on_the_case_and_in_no_queue(server: Server) -> None:
    browser = Browser(server)
    assert browser.sign_in().status == 303
    waiting = server.score(crossing("away-queue-1", crossing_point="AWAY7")).json
    told = backfill(server, "away-queue-2", RULE, crossing_point="AWAY7").json
    queues = [browser.get(f"/queue?crossing_point=AWAY7&lane={one['lane']}").body.decode() for one in (waiting, told)]
    assert waiting["decision_id"] in queues[0]
    assert told["decision_id"] not in "".join(queues)
    case = text_of(browser.get(f"/cases/{told['decision_id']}"))
    assert "Decided while this service could not be reached" in case
    assert "asycuda-7" in case
    assert "On the basis of" not in case


def test_of_a_batch_each_row_tells_its_own(server: Server) -> None:
    rows = [
        crossing("away-row-1", decided_elsewhere=LOT),
        crossing("away-row-2", decided_elsewhere=LOT | {"lane": "purple"}),
        crossing("away-row-3"),
    ]
    answers = server.send("POST", "/v1/scores/batch", "system", rows).json
    assert [answer["status"] for answer in answers] == [200, 422, 200]
    assert answers[0]["decision"]["decided_elsewhere"] == LOT
    assert "decided_elsewhere" not in answers[2]["decision"]


@pytest.mark.parametrize(
    ("told", "pointer", "code"),
    [
        (RULE | {"at": "2199-01-01T00:00:00Z"}, "/at", "after_receipt"),
        (RULE | {"at": "2026-11-24T08:30:00"}, "/at", "naive_instant"),
        (RULE | {"lane": "purple"}, "/lane", "not_allowed"),
        (RULE | {"basis": "hunch"}, "/basis", "not_allowed"),
        (RULE | {"by": "Aibek Asanov"}, "/by", "bad_pattern"),
        (RULE | {"basis": "random"}, "/propensity", "required"),
        (RULE | {"propensity": 0.5}, "/propensity", "propensity_without_lot"),
        (LOT | {"propensity": 0}, "/propensity", "out_of_range"),
        (LOT | {"propensity": 1.01}, "/propensity", "out_of_range"),
        (LOT | {"colour": 1}, "/colour", "unknown_field"),
        (LOT | {"at": None}, "/at", "required"),
        ([], "", "not_an_object"),
    ],
)
def test_what_is_wrong_is_told_by_its_place_and_not_repeated(
    server: Server, told: Any, pointer: str, code: str
) -> None:
    reply = backfill(server, "away-wrong", told)
    assert reply.status == 422, reply.body
    assert [(one["pointer"], one["code"]) for one in reply.json["problems"]] == [(f"/decided_elsewhere{pointer}", code)]
    assert "Aibek" not in json.dumps(reply.json)


def test_a_crossing_that_never_came_was_decided_nowhere(server: Server) -> None:
    server.score(crossing("away-void"))
    reply = backfill(server, "away-void", RULE, revision=1, void=True)
    assert [one["code"] for one in reply.json["problems"]] == ["not_with_void"]
