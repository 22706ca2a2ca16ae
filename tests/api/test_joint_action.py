"""Referrals, delays and events through a real server: who sees what, races, a restart with something due."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.serving import Server, copied_home, crossing, policy_without_lot, serving

CHEAP = {"item_no": 1, "hs_code": "610910", "origin_country": "CN", "declared_value": 20.0, "net_mass_kg": 900.0}
REFER = {"action": "refer", "to": "internal_affairs", "reason": "Frame number looks altered"}


def strict_policy(folder: Path) -> Path:
    """Write the policy without its lot, in which every crossing is red for revenue fraud."""
    text = policy_without_lot().read_text("utf-8")
    for lane in ("yellow", "blue"):
        text = re.sub(rf"^\[domains\.revenue_fraud\.lanes\.{lane}\]\n(?:(?!\[).*\n)*", "", text, flags=re.MULTILINE)
    red = "[domains.revenue_fraud.lanes.red]\nfrom_risk = "
    assert text.count(red) == 1
    path = folder / "strict.toml"
    path.write_text(re.sub(re.escape(red) + r"[0-9.]+", red + "0.0", text), "utf-8")
    return path


@pytest.fixture(scope="module")
def server(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Yield a server of this module's own, where every crossing is to be inspected."""
    folder = tmp_path_factory.mktemp("strict")
    with (
        copied_home(trained, folder / "home") as home,
        serving(home, CHEKARA_POLICY=str(strict_policy(folder))) as running,
    ):
        yield running


def scored(server: Server) -> dict[str, Any]:
    return dict(server.score(crossing(f"joint-{uuid4().hex[:10]}", items=[CHEAP])).json)


def recorded(server: Server, decision: dict[str, Any], body: dict[str, Any], key: str = "analyst") -> Any:
    return server.send("POST", f"/v1/decisions/{decision['decision_id']}/reviews", key, body)


def review(server: Server, decision: dict[str, Any], body: dict[str, Any], key: str = "analyst") -> int:
    return int(recorded(server, decision, body, key).status)


def referred(server: Server, decision: dict[str, Any]) -> dict[str, Any]:
    reply = recorded(server, decision, REFER)
    assert reply.status == 201
    found = server.send("GET", "/v1/referrals?state=open&limit=200", "analyst").json["referrals"]
    referral = next(one for one in found if one["decision_id"] == decision["decision_id"])
    assert reply.json["referral_id"] == referral["referral_id"]
    return dict(referral)


def answer(server: Server, referral: dict[str, Any], action: str, key: str = "analyst:internal_affairs") -> Any:
    body = {"action": action, "reason": "Seen on the spot"}
    return server.send("POST", f"/v1/referrals/{referral['referral_id']}", key, body)


def head(server: Server, key: str = "system") -> int:
    """Return where the log stands now for an agency."""
    after = 0
    while True:
        found = server.send("GET", f"/v1/events?after={after}&limit=1000", key).json["next_after"]
        if found == after:
            return after
        after = found


def test_exactly_one_action_leads_and_the_control_has_an_id(server: Server) -> None:
    decision = scored(server)
    assert decision["lane"] != "green"
    assert [one["role"] for one in decision["actions"]].count("lead") == 1
    read = server.send("GET", f"/v1/decisions/{decision['decision_id']}", "analyst").json
    assert read["control_id"] == decision["control_id"]
    sent = {
        "inspection_id": f"i-{uuid4().hex}",
        "crossing_id": decision["crossing_id"],
        "domain": "revenue_fraud",
        "inspected_at": datetime.now(UTC).isoformat(),
        "found": False,
    }
    assert server.send("POST", "/v1/inspections", "system", sent).status == 200
    (result,) = server.send("GET", f"/v1/decisions/{decision['decision_id']}", "analyst").json["results"]
    assert result["control_id"] == decision["control_id"]


def test_the_agency_that_is_asked_finds_the_decision_and_answers(server: Server) -> None:
    decision = scored(server)
    path = f"/v1/decisions/{decision['decision_id']}"
    assert server.send("GET", path, "analyst:internal_affairs").status == 404
    referral = referred(server, decision)
    assert (referral["from"], referral["to"], referral["domain"]) == ("customs", "internal_affairs", "revenue_fraud")
    seen = server.send("GET", path, "analyst:internal_affairs").json
    assert [one["domain"] for one in seen["domains"]] == ["revenue_fraud"]
    assert [one["referral_id"] for one in seen["referrals"]] == [referral["referral_id"]]
    assert server.send("GET", path, "analyst:agriculture").status == 404
    # Asked again, it is the same referral.
    assert recorded(server, decision, REFER).json["referral_id"] == referral["referral_id"]
    assert answer(server, referral, "accept", "analyst").status == 403
    assert answer(server, referral, "accept", "analyst:agriculture").status == 404
    assert answer(server, referral, "close").status == 409
    accepted = answer(server, referral, "accept")
    assert (accepted.status, accepted.json["state"]) == (200, "accepted")
    assert accepted.json["due_at"] > referral["due_at"]
    assert answer(server, referral, "decline").json["type"] == "urn:chekara:problem:referral_state"
    closed = answer(server, referral, "close")
    assert (closed.status, closed.json["state"]) == (200, "closed")
    found = server.send("GET", "/v1/referrals?state=closed&limit=1", "auditor").json
    assert found["referrals"][0]["referral_id"] == referral["referral_id"]


@pytest.mark.parametrize(
    "body",
    [
        {"action": "accept"},
        {"action": "accept", "reason": "..."},
        {"action": "reopen", "reason": "why"},
        {"action": "accept", "reason": "why", "result": "clear"},
        {"action": "close", "reason": "why", "result": "guilty"},
        {"action": "accept", "reason": "why", "to": "customs"},
        [],
    ],
)
def test_answers_are_read_strictly(server: Server, body: Any) -> None:
    reply = server.send("POST", f"/v1/referrals/{uuid4()}", "analyst", body)
    assert reply.status == 422
    assert "why" not in reply.body.decode()


@pytest.mark.parametrize("referral_id", ["no-such", "%00", "' OR 1", "x" * 65])
def test_what_is_not_there_is_404(server: Server, referral_id: str) -> None:
    path = f"/v1/referrals/{referral_id.replace(' ', '%20')}"
    assert server.send("POST", path, "analyst", {"action": "accept", "reason": "why"}).status == 404


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "after=-1", "after=x", "after=9999999999999999999999"])
def test_bounds_of_events(server: Server, query: str) -> None:
    assert server.send("GET", f"/v1/events?{query}", "system").status == 422


@pytest.mark.parametrize("query", ["state=x", "limit=0", "limit=201", "cursor=x", "cursor=%00"])
def test_bounds_of_referrals(server: Server, query: str) -> None:
    assert server.send("GET", f"/v1/referrals?{query}", "system").status == 422


def test_of_accept_and_decline_at_once_one_wins(server: Server) -> None:
    referral = referred(server, scored(server))
    together, statuses = threading.Barrier(6), []

    def say(action: str) -> None:
        together.wait()
        statuses.append(answer(server, referral, action).status)

    threads = [threading.Thread(target=say, args=(action,)) for action in ("accept", "decline") * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, *[409] * 5]


def test_metrics_tell_who_has_what_in_hand(server: Server) -> None:
    referred(server, scored(server))
    lines = server.send("GET", "/metrics").body.decode().splitlines()
    told = dict(line.rsplit(" ", 1) for line in lines if line.startswith("chekara_referral"))
    assert float(told['chekara_referrals_waiting{agency="internal_affairs"}']) >= 1
    assert 0 <= float(told['chekara_referral_overdue_share{agency="internal_affairs"}']) <= 1


def test_events_come_to_those_whom_they_concern(server: Server) -> None:
    others = {key: head(server, key) for key in ("system", "system:internal_affairs", "system:agriculture")}
    decision = scored(server)
    answer(server, referred(server, decision), "decline")
    told = {
        key: [
            one["event"]
            for one in server.send("GET", f"/v1/events?after={after}&limit=1000", key).json["events"]
            if one["crossing_id"] == decision["crossing_id"]
        ]
        for key, after in others.items()
    }
    assert told == {
        "system": ["lane", "referral_opened", "referral_declined"],
        "system:internal_affairs": ["referral_opened", "referral_declined"],
        "system:agriculture": [],
    }


def wait_for_release(server: Server, crossing_id: str, after: int, seconds: float = 15) -> list[dict[str, Any]]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        events = server.send("GET", f"/v1/events?after={after}&limit=1000", "system").json["events"]
        found = [one for one in events if one["event"] == "released" and one["crossing_id"] == crossing_id]
        if found:
            return found
        time.sleep(0.2)
    return []


def test_a_delayed_crossing_is_released_by_the_clock_and_after_a_restart(home: Path, tmp_path: Path) -> None:
    policy = str(strict_policy(tmp_path))
    with serving(home, CHEKARA_POLICY=policy) as server:
        soon, later = scored(server), scored(server)
        for decision, seconds in ((soon, 1), (later, 6)):
            until = datetime.now(UTC) + timedelta(seconds=seconds)
            body = {"action": "delay", "until": until.isoformat(), "reason": "Papers are on their way"}
            assert review(server, decision, body) == 201
        shown = server.send("GET", f"/v1/decisions/{later['decision_id']}", "analyst").json["delayed"]
        assert shown["agency"] == "customs"
        (released,) = wait_for_release(server, soon["crossing_id"], 0)
        assert released["delayed_by"] == "customs"
    time.sleep(max(0.0, (until - datetime.now(UTC)).total_seconds() + 0.5))
    with serving(home, CHEKARA_POLICY=policy) as server:
        assert len(wait_for_release(server, later["crossing_id"], 0)) == 1
        time.sleep(2.5)
        assert len(wait_for_release(server, later["crossing_id"], 0)) == 1
        assert len(wait_for_release(server, soon["crossing_id"], 0)) == 1
        read = server.send("GET", f"/v1/decisions/{later['decision_id']}", "analyst").json
        assert "released_at" in read["delayed"]
