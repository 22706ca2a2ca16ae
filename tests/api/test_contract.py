"""The walk through CONTRACT section 4 against a real serving process."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from tests.serving import Server, crossing

DOMAIN = "revenue_fraud"


def test_a_score_from_end_to_end(server: Server) -> None:
    reply = server.score(crossing("walk-1"), key="system_with_reasons", Accept_Language="en", X_Request_Id="walk.1")
    assert reply.status == 200, reply.body
    assert reply.headers["x-request-id"] == "walk.1"
    assert reply.headers["content-language"] == "en"
    assert "accept-language" in reply.headers["vary"].lower()
    decision = reply.json
    assert (decision["crossing_id"], decision["revision"]) == ("walk-1", 0)
    assert decision["lane"] in ("red", "yellow", "blue", "green")
    assert decision["selected_by"] == "withheld"
    scored_at = datetime.fromisoformat(decision["scored_at"])
    assert abs(datetime.now(UTC) - scored_at) < timedelta(seconds=30)
    [domain] = decision["domains"]
    assert (domain["domain"], domain["agency"], domain["item_no"]) == (DOMAIN, "customs", 1)
    low, high = domain["interval"]
    assert 0 < low <= domain["probability"] <= high < 1
    assert 0 <= domain["rank"] <= 1
    assert 0 <= domain["risk"] <= 1
    assert domain["model"]["digest"].startswith("sha256:")
    assert domain["expected_amount"] > 0, "the bundle of revenue_fraud knows amounts"
    total = domain["base_value"] + sum(domain["contributions"].values())
    assert total == pytest.approx(domain["margin"], abs=1e-6)
    strengths = [abs(reason["contribution"]) for reason in domain["reasons"]]
    assert strengths == sorted(strengths, reverse=True)
    assert strengths
    for reason in domain["reasons"]:
        assert reason["text"]
        assert domain["contributions"][reason["feature"]] == reason["contribution"]
    missing = {warning["domain"] for warning in decision["warnings"] if warning["code"] == "no_model"}
    assert missing == {"contraband", "vehicle_crime", "concealed_persons", "sps_violation"}
    again = server.send("GET", f"/v1/decisions/{decision['decision_id']}", "system_with_reasons")
    assert again.json == decision


def test_contributions_and_reasons(server: Server) -> None:
    body = crossing("walk-2")
    assert "reasons" not in server.score(body).json["domains"][0]
    short = server.send("POST", "/v1/scores?contributions=false", "system_with_reasons", body).json["domains"][0]
    assert "reasons" in short
    assert "contributions" not in short
    assert server.send("POST", "/v1/scores?contributions=maybe", "system", body).status == 422


def test_reasons_in_three_languages(server: Server) -> None:
    body = crossing("walk-3")
    texts = {}
    for language in ("en", "ru", "ky"):
        reply = server.score(body, key="system_with_reasons", Accept_Language=f"{language};q=0.9, de")
        assert reply.headers["content-language"] == language
        texts[language] = [reason["text"] for reason in reply.json["domains"][0]["reasons"]]
    assert len({json.dumps(value) for value in texts.values()}) == 3
    assert server.score(body, Accept_Language="de").headers["content-language"] == "en"


def test_the_same_body_gives_the_stored_decision(server: Server) -> None:
    body = crossing("same-1")
    first = server.score(body)
    reordered = dict(reversed(body.items())) | {"carrier_id": None, "revision": 0}
    again = server.score(reordered)
    assert (first.status, again.status) == (200, 200)
    assert first.body == again.body


def test_with_a_query_or_without_one_it_is_the_same_route(server: Server) -> None:
    # Without a query a request takes the short way: its answers, refusals and counts are those of the long one.
    body = crossing("queried-1")
    for path, key, sent in product(
        ("/v1/scores", "/v1/scores?contributions=true"),
        ("system_with_reasons", "auditor", None),
        (body, body | {"mode": "sea"}),
    ):
        reply = server.send("POST", path, key, sent)
        expected = {None: 401, "auditor": 403}.get(key, 200 if sent is body else 422)
        assert reply.status == expected, (path, key, reply.json)
        assert "x-request-id" in reply.headers
    whole = [server.send("POST", path, "system_with_reasons", body) for path in ("/v1/scores", "/v1/scores?x=1")]
    assert whole[0].body == whole[1].body
    assert server.send("PUT", "/v1/scores", "system", body).status == 405
    counted = server.send("GET", "/metrics", None).body.decode()
    assert 'route="/v1/scores",status="200"' in counted
    assert 'route="unmatched",status="200"' not in counted


def test_fifty_copies_at_once_are_one_decision(server: Server) -> None:
    body = crossing("copies-1")
    with ThreadPoolExecutor(50) as pool:
        replies = list(pool.map(lambda _: server.score(body), range(50)))
    # Where the machine has too much to do, some are asked to come again: then they get the same answer.
    early = [reply for reply in replies if reply.status in (429, 503)]
    assert all(reply.headers["retry-after"] for reply in early)
    replies = [reply for reply in replies if reply not in early] + [server.score(body) for _ in early]
    assert {reply.status for reply in replies} == {200}
    assert len({reply.body for reply in replies}) == 1
    listed = server.send("GET", "/v1/decisions?crossing_id=copies-1", "system").json["decisions"]
    assert len(listed) == 1


def test_other_content_of_the_same_revision_is_a_conflict(server: Server) -> None:
    assert server.score(crossing("conflict-1")).status == 200
    reply = server.score(crossing("conflict-1", weighed_mass_kg=1))
    assert (reply.status, reply.json["type"]) == (409, "urn:chekara:problem:revision_conflict")


def test_a_higher_revision_supersedes(server: Server) -> None:
    first = crossing("revised-1")
    old = server.score(first).json
    new = server.score(first | {"revision": 1, "weighed_mass_kg": 9000}).json
    assert new["revision"] == 1
    assert new["decision_id"] != old["decision_id"]
    assert server.score(first).json == old, "the stored decision again"
    read = server.send("GET", f"/v1/decisions/{old['decision_id']}", "system").json
    assert read.pop("superseded_by") == new["decision_id"]
    assert read == old
    late = server.score(first | {"revision": 0, "occupants": 3})
    assert late.status == 409


def test_a_crossing_that_never_came_is_withdrawn(server: Server) -> None:
    first = crossing("void-1")
    decision = server.score(first).json
    reply = server.score(first | {"revision": 1, "void": True})
    assert reply.status == 200, reply.body
    assert "void" in [warning["code"] for warning in reply.json["warnings"]]
    assert reply.json["crossing_id"] == decision["crossing_id"]


def test_an_unseen_value_is_warned_of(server: Server) -> None:
    reply = server.score(crossing("unseen-1", crossing_point="KG-NEW-POST"))
    warned = [(warning["code"], warning.get("field")) for warning in reply.json["warnings"]]
    assert ("unseen_category", "crossing_point") in warned


def test_several_items_are_scored_as_their_highest(server: Server) -> None:
    def one(crossing_id: str, *items: dict[str, Any]) -> dict[str, Any]:
        return server.score(crossing(crossing_id, items=list(items))).json["domains"][0]  # type: ignore[no-any-return]

    cheap = {"item_no": 7, "hs_code": "610910", "origin_country": "CN", "declared_value": 10.0, "net_mass_kg": 800}
    both = one("items-1", crossing("x")["items"][0], cheap)
    assert both["item_no"] in (1, 7)


def test_test_keys_write_to_a_log_of_their_own(server: Server) -> None:
    body = crossing("test-key-1")
    tested = server.score(body, key="test_system").json
    assert server.send("GET", f"/v1/decisions/{tested['decision_id']}", "system").status == 404
    assert server.send("GET", f"/v1/decisions/{tested['decision_id']}", "test_system").status == 200
    live = server.score(body, key="system").json
    assert live["decision_id"] != tested["decision_id"]
    listed = server.send("GET", "/v1/decisions?crossing_id=test-key-1", "system").json["decisions"]
    assert [decision["decision_id"] for decision in listed] == [live["decision_id"]]


def test_list_filters_and_pages(server: Server) -> None:
    point = "KG-LIST"
    ids = [server.score(crossing(f"list-{n}", crossing_point=point)).json["decision_id"] for n in range(7)]
    found: list[str] = []
    cursor = ""
    pages = 0
    while True:
        page = server.send("GET", f"/v1/decisions?crossing_point={point}&limit=3{cursor}", "analyst").json
        found += [decision["decision_id"] for decision in page["decisions"]]
        pages += 1
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert found == ids[::-1]
    assert pages == 3
    lane = server.send("GET", f"/v1/decisions/{ids[0]}", "analyst").json["lane"]
    by_lane = server.send("GET", f"/v1/decisions?crossing_point={point}&lane={lane}&limit=200", "analyst").json
    assert ids[0] in [decision["decision_id"] for decision in by_lane["decisions"]]
    assert (
        server.send("GET", f"/v1/decisions?crossing_point={point}&domain=contraband", "analyst").json["decisions"] == []
    )
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert server.send("GET", f"/v1/decisions?crossing_point={point}&since={soon}", "analyst").json["decisions"] == []


@pytest.mark.parametrize(
    "query",
    [
        "lane=violet",
        "limit=0",
        "limit=201",
        "limit=x",
        "since=yesterday",
        "since=2026-01-01T00:00:00",
        "cursor=%00",
        "cursor=zz",
    ],
)
def test_bad_queries_are_problems(server: Server, query: str) -> None:
    reply = server.send("GET", f"/v1/decisions?{query}", "analyst")
    assert (reply.status, reply.headers["content-type"]) == (422, "application/problem+json"), reply.body
    assert reply.json["problems"][0]["parameter"] == query.partition("=")[0]


def test_reviews(server: Server) -> None:
    decision = server.score(crossing("review-1")).json
    path = f"/v1/decisions/{decision['decision_id']}/reviews"
    assert server.send("POST", path, "system", {"action": "follow", "reason": "x"}).status == 403
    assert server.send("POST", path, "analyst", {"action": "follow"}).status == 422
    assert server.send("POST", path, "analyst", {"action": "follow", "reason": " "}).status == 422
    assert server.send("POST", path, "analyst", {"action": "override", "reason": "no lane"}).status == 422
    assert server.send("GET", f"/v1/decisions/{decision['decision_id']}", "analyst").json["selected_by"] == "withheld"
    good = {"action": "override", "lane": "yellow", "reason": "Weighed again"}
    reply = server.send("POST", path, "analyst", good)
    assert reply.status == 201, reply.body
    assert good.items() <= reply.json.items()
    assert reply.json["agency"] == "customs"
    assert reply.json["officer"] == "analyst"
    read = server.send("GET", f"/v1/decisions/{decision['decision_id']}", "analyst").json
    assert read["selected_by"] != "withheld"
    still = server.send("GET", f"/v1/decisions/{decision['decision_id']}", "system").json
    assert still == decision
    server.score(crossing("review-1", revision=1, occupants=2))
    assert server.send("POST", path, "analyst", good).json["type"] == "urn:chekara:problem:superseded_revision"
    assert server.send("POST", "/v1/decisions/nothing/reviews", "analyst", good).status == 404


def test_models_health_and_metrics(server: Server) -> None:
    models = server.send("GET", "/v1/models", "data_scientist").json
    [model] = models["models"]
    assert model["domain"] == DOMAIN
    assert models["problems"] == []
    assert server.send("GET", "/healthz").json == {"status": "alive"}
    assert [server.send("HEAD", path).status for path in ("/healthz", "/readyz")] == [200, 200]
    assert server.send("GET", "/readyz").json == {"status": "ready", "domains": [DOMAIN]}
    assert server.score(crossing("metrics-1")).status == 200
    text = server.send("GET", "/metrics").body.decode()
    assert 'chekara_requests_total{method="POST",route="/v1/scores",status="200"}' in text
    assert f'digest="{model["digest"]}"' in text
    assert "chekara_ready 1.0" in text
    assert 'chekara_log_position{chain="live"}' in text
    assert "chekara_commit_group_size_count" in text
    assert server.send("GET", "/metrics", X_Forwarded_For="203.0.113.9").status == 401
    assert server.send("GET", "/metrics", "admin", X_Forwarded_For="203.0.113.9").status == 200
    assert server.send("GET", "/metrics", "analyst").status == 403


def test_openapi_declares_every_problem(server: Server) -> None:
    api = server.send("GET", "/openapi.json").json
    scores = api["paths"]["/v1/scores"]["post"]
    assert set(scores["responses"]) == {"200", "400", "401", "403", "409", "413", "415", "422", "429", "500", "503"}
    for path, methods in api["paths"].items():
        for method, route in methods.items():
            if path.startswith("/v1"):
                assert {"401", "403"} <= route["responses"].keys(), (method, path)
                assert route["security"] == [{"key": []}]
            for status, response in route["responses"].items():
                if not status.startswith("2"):
                    assert list(response["content"]) == ["application/problem+json"], (path, status)
    example = scores["requestBody"]["content"]["application/json"]["example"]
    assert server.score(example, key="test_system").status == 200
