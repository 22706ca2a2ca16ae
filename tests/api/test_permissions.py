"""Role x route x agency: who may do what, against a real server, written down again from CONTRACT section 4."""

from __future__ import annotations

import pytest

from tests.serving import KEYS, Server, crossing

ROLES = ("system", "inspector", "analyst", "supervisor", "data_scientist", "approver", "auditor", "admin")
REVIEW = {"action": "follow", "reason": "As recommended"}
# Route -> roles that the contract lets in.
MATRIX: dict[tuple[str, str], set[str]] = {
    ("POST", "/v1/scores"): {"system"},
    ("POST", "/v1/scores/batch"): {"system"},
    ("GET", "/v1/decisions/{id}"): {"system", "inspector", "analyst", "supervisor", "auditor"},
    ("GET", "/v1/decisions"): {"system", "inspector", "analyst", "supervisor", "auditor"},
    ("POST", "/v1/decisions/{id}/reviews"): {"analyst", "supervisor"},
    ("POST", "/v1/inspections"): {"system", "inspector", "analyst"},
    ("GET", "/v1/events"): {"system", "analyst", "supervisor"},
    ("GET", "/v1/referrals"): {"system", "analyst", "supervisor", "auditor"},
    ("POST", "/v1/referrals/{id}"): {"analyst", "supervisor"},
    ("GET", "/v1/models"): {"data_scientist", "approver"},
    ("POST", "/v1/models/revenue_fraud/promote"): {"data_scientist", "approver"},
    ("POST", "/v1/models/revenue_fraud/rollback"): {"approver"},
    ("POST", "/v1/agencies/customs/mode"): {"supervisor"},
}
AGENCIES = ("customs", "border_service", "internal_affairs", "labour_migration", "agriculture")


@pytest.fixture(scope="module")
def decision_id(server: Server) -> str:
    return str(server.score(crossing("permissions-1")).json["decision_id"])


def send(server: Server, method: str, path: str, key: str | None, decision_id: str, **headers: str) -> int:
    bodies = {"/v1/scores": crossing(f"permissions-{key}"), "/v1/scores/batch": [], "/v1/inspections": []}
    body = bodies.get(path, REVIEW)
    sent = None if method == "GET" else body
    return server.send(method, path.replace("{id}", decision_id), key, sent, **headers).status


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("method", "path"), MATRIX, ids=lambda part: part)
def test_role_by_route(server: Server, decision_id: str, method: str, path: str, role: str) -> None:
    status = send(server, method, path, role, decision_id)
    # Who may move a model or answer a referral is let in as far as the body, which is a review's.
    has_other_body = any(part in path for part in ("/models/", "/referrals/", "/agencies/"))
    assert status in ({422 if has_other_body else 200, 201} if role in MATRIX[method, path] else {403})


@pytest.mark.parametrize(("method", "path"), MATRIX, ids=lambda part: part)
@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer ", "Bearer wrong", "Basic YTpi", "Bearer ключ", "Bearer " + "x" * 5000]
)
def test_without_a_key_nobody_enters(
    server: Server, decision_id: str, method: str, path: str, authorization: str
) -> None:
    latin = authorization.encode().decode("latin-1")
    reply = server.send(
        method, path.replace("{id}", decision_id), None, {} if method == "POST" else None, Authorization=latin
    )
    assert reply.status == 401
    assert reply.json["type"] == "urn:chekara:problem:unauthenticated"
    assert reply.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("agency", AGENCIES)
def test_agency_by_decision(server: Server, decision_id: str, agency: str) -> None:
    """Customs asked and leads revenue_fraud; border_service coordinates; to the others there is nothing."""
    key = "analyst" if agency == "customs" else f"analyst:{agency}"
    may_see = agency in ("customs", "border_service")
    assert send(server, "GET", "/v1/decisions/{id}", key, decision_id) == (200 if may_see else 404)
    assert send(server, "POST", "/v1/decisions/{id}/reviews", key, decision_id) == (201 if may_see else 404)
    listed = server.send("GET", "/v1/decisions?crossing_id=permissions-1", key).json["decisions"]
    assert bool(listed) == may_see


@pytest.mark.parametrize("agency", AGENCIES)
def test_a_system_of_any_agency_scores_and_sees_its_own_domains(server: Server, agency: str) -> None:
    key = "system" if agency == "customs" else f"system:{agency}"
    decision = server.score(crossing(f"permissions-by-{agency}"), key=key).json
    sees = agency in ("customs", "border_service")
    assert [domain["domain"] for domain in decision["domains"]] == (["revenue_fraud"] if sees else [])
    assert all(action["agency"] == agency or sees for action in decision["actions"])
    wanted = decision["lane"] != "green"
    assert ("another_agency" in str(decision["warnings"])) == (wanted and not sees)
    assert server.send("GET", f"/v1/decisions/{decision['decision_id']}", key).status == 200, "it asked itself"


def test_unknown_and_not_yours_look_the_same(server: Server, decision_id: str) -> None:
    hidden = server.send("GET", f"/v1/decisions/{decision_id}", "analyst:agriculture", X_Request_Id="same")
    absent = server.send("GET", "/v1/decisions/" + "0" * len(decision_id), "analyst:agriculture", X_Request_Id="same")
    strange = server.send("GET", "/v1/decisions/%00%0a..", "analyst:agriculture", X_Request_Id="same")
    assert hidden.status == absent.status == strange.status == 404
    assert hidden.body == absent.body == strange.body


def test_an_inspector_gets_evidence_and_no_number_of_the_model(server: Server, decision_id: str) -> None:
    decision = server.send("GET", f"/v1/decisions/{decision_id}", "inspector").json
    assert set(decision["domains"][0]) == {"domain", "agency", "item_no", "evidence"}


def test_every_key_of_the_fixture_is_known(server: Server) -> None:
    assert set(server.keys) == set(KEYS)
