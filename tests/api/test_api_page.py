"""The examples of docs/api.md do what the page says, against a real server."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from chekara.domain.actor import PERMISSIONS, Permission
from chekara.domain.vocabulary import Role
from tests.serving import Reply, Server

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
CURLS = [block for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) if block.startswith("curl")]


def run(server: Server, command: str, **variables: str) -> Reply:
    """Send what a curl command would send; a shell reads it, as it would read the user's."""
    shell = subprocess.run(
        ["sh", "-c", f"curl() {{ printf '%s\\0' curl \"$@\"; }}\n{command}"],
        env=variables,
        capture_output=True,
        text=True,
        check=True,
    )
    words = shell.stdout.removesuffix("\0").split("\0")
    assert words[:2] == ["curl", "-s"]
    url, data, headers = words[2], None, {}
    rest = words[3:]
    while rest:
        option, value, *rest = rest
        if option == "-H":
            name, _, text = value.partition(": ")
            headers[name] = text
        elif option == "-d":
            data = value.encode()
        else:
            pytest.fail(f"the example uses {option}, which this test does not know")
    path = url.removeprefix(server.url)
    assert path.startswith("/")
    return server.send("GET" if data is None else "POST", path, None, data, **headers)


def test_examples_in_the_order_of_the_page(server: Server) -> None:
    keys = {"URL": server.url, "KEY": server.keys["system_with_reasons"], "ANALYST_KEY": server.keys["analyst"]}
    keys["APPROVER_KEY"] = server.keys["approver"]
    first, correction, batch, backfill, result, listing, review, events, referrals, answer, promote, roll_back = CURLS
    scored = run(server, first, **keys)
    assert scored.status == 200, scored.body
    assert scored.json["domains"][0]["reasons"][0]["text"]
    corrected = run(server, correction, **keys)
    assert (corrected.status, corrected.json["revision"]) == (200, 1), corrected.body
    rows = run(server, batch, **keys).json
    assert [row["status"] for row in rows] == [200, 422]
    assert rows[1]["problem"]["problems"][0]["pointer"] == "/occurred_at"
    told = run(server, backfill, **keys)
    assert (told.status, told.json["actions"]) == (200, []), told.body
    recorded = run(server, result, **keys)
    assert (recorded.status, recorded.json["crossing_id"]) == (200, scored.json["crossing_id"]), recorded.body
    assert "decisions" in run(server, listing, **keys).json
    reviewed = run(server, review, DECISION=corrected.json["decision_id"], **keys)
    assert reviewed.status == 201, reviewed.body
    assert run(server, events, **keys).json["next_after"] > 0
    assert "referrals" in run(server, referrals, **keys).json
    refer = {"action": "refer", "to": "internal_affairs", "reason": "Frame number looks altered"}
    server.send("POST", f"/v1/decisions/{corrected.json['decision_id']}/reviews", "analyst", refer)
    referral = run(server, referrals, **keys).json["referrals"][0]
    other = server.keys["analyst:internal_affairs"]
    accepted = run(server, answer, REFERRAL=referral["referral_id"], OTHER_KEY=other, **keys)
    assert (accepted.status, accepted.json["state"]) == (200, "accepted"), accepted.body
    (digest,) = (bundle.name for bundle in server.settings.bundles_path.iterdir())
    nowhere = run(server, promote, DIGEST="sha256:" + "0" * 64, **keys)
    assert (nowhere.status, "bundles/<digest>" in nowhere.json["detail"]) == (404, True), nowhere.body
    promoted = run(server, promote, DIGEST=digest, **keys)
    assert (promoted.status, promoted.json["serves"]) == (200, True), promoted.body
    assert run(server, roll_back, **keys).json["type"] == "urn:chekara:problem:nothing_before"


def test_the_table_of_who_may_do_what_is_the_permission_table() -> None:
    lines = PAGE.partition("## Who may do what")[2].split("\n")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    roles = [Role(name) for name in rows[0][1:]]
    needed = {
        "POST /v1/scores": Permission.SCORE,
        "GET /v1/decisions": Permission.READ_DECISION,
        "POST /v1/decisions/{id}/reviews": Permission.REVIEW,
        "POST /v1/referrals/{id}": Permission.REVIEW,
        "GET /v1/referrals": Permission.READ_REFERRALS,
        "GET /v1/events": Permission.READ_EVENTS,
        "POST /v1/inspections": Permission.RECORD_INSPECTION,
        "GET /v1/models": Permission.READ_MODELS,
        "POST /v1/models/{domain}/promote": Permission.PROMOTE_MODEL,
        "POST /v1/models/{domain}/rollback": Permission.PROMOTE_MODEL,
        "POST /v1/agencies/{agency}/mode": Permission.SET_MODE,
        "GET /metrics": Permission.READ_METRICS,
    }
    told = {re.findall(r"`([^`]+)`", row[0])[0]: row[1:] for row in rows[2:]}
    assert told.keys() == needed.keys()
    for route, permission in needed.items():
        allowed = {role for role, cell in zip(roles, told[route], strict=True) if cell}
        also = {Role.DATA_SCIENTIST} if route.endswith("/promote") else set()  # who proposes
        assert allowed == {role for role in Role if permission in PERMISSIONS[role]} | also, route


def test_the_page_names_every_warning_that_is_made() -> None:
    source = Path(__file__).parents[2] / "src" / "chekara"
    made = {
        code
        for path in [*source.glob("service/*.py"), *source.glob("api/*.py")]
        for code in re.findall(r'Notice\("([a-z_]+)"', path.read_text(encoding="utf-8"))
    }
    assert made
    assert made <= set(re.findall(r"`([a-z_]+)`", PAGE)), json.dumps(sorted(made))
