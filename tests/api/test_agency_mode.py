"""The stop button: a supervisor stops the models of the agency, rules and the lot go on, and a restart keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.capacity_month import policy_text
from chekara.adapters.assembly import verify_log_of
from tests.serving import Server, copied_home, crossing, serving

MODE = "/v1/agencies/customs/mode"
BUDGET = """
[[capacity.budgets]]
agency = "customs"
lane = "red"
inspections = 10_000
"""


@pytest.fixture(scope="module")
def home(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with copied_home(trained, tmp_path_factory.mktemp("stopped") / "home") as copied:
        yield copied


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Write a policy with more places than crossings: models send every one to a control."""
    path = tmp_path_factory.mktemp("policy") / "policy.toml"
    path.write_text(policy_text(BUDGET), encoding="utf-8")
    return str(path)


def channels(server: Server, prefix: str, crossings: int = 12) -> set[str]:
    """Return what asked customs for controls."""
    found = set()
    for number in range(crossings):
        decision_id = server.score(crossing(f"{prefix}-{number}")).json["decision_id"]
        stored = server.send("GET", f"/v1/decisions/{decision_id}", "auditor").json
        if any(action["agency"] == "customs" for action in stored["actions"]):
            found.add(stored["selected_by"])
    return found


def test_a_stopped_agency_gets_nothing_from_models_until_it_lets_them_ask_again(home: Path, policy: str) -> None:
    with serving(home, CHEKARA_POLICY=policy) as server:
        assert "model" in channels(server, "before")
        place = b'{agency="customs",crossing_point="TORUGART",lane="red"}'
        metrics = server.send("GET", "/metrics", "admin").body
        assert b"chekara_capacity_budget" + place + b" 10000.0" in metrics
        assert b"chekara_capacity_used" + place + b" 12.0" in metrics
        assert b"chekara_capacity_expected" + place in metrics
        refused = server.send("POST", "/v1/agencies/agriculture/mode", "supervisor", {"mode": "rules"})
        assert (refused.status, refused.json["type"]) == (403, "urn:chekara:problem:forbidden")
        assert server.send("POST", "/v1/agencies/nobody/mode", "supervisor", {"mode": "rules"}).status == 404
        assert server.send("POST", MODE, "supervisor", {"mode": "off"}).status == 422
        pressed = server.send("POST", MODE, "supervisor", {"mode": "rules", "reason": "Too many false alarms"})
        assert (pressed.status, pressed.json["mode"]) == (200, "rules"), pressed.body
        assert "model" not in channels(server, "stopped")
        warnings = server.send("GET", "/readyz", None).json["warnings"]
        assert "rules and the lot alone ask for customs" in [one["message"] for one in warnings]
        assert b'chekara_agency_without_models{agency="customs"} 1.0' in server.send("GET", "/metrics", "admin").body
    with serving(home, CHEKARA_POLICY=policy) as server:
        assert "model" not in channels(server, "restarted")
        assert server.send("POST", MODE, "supervisor", {"mode": "models"}).status == 200
        assert "model" in channels(server, "again")
        settings = replace(server.settings, policy_path=Path(policy))
    report = verify_log_of(settings)
    assert not [one for one in report.findings if one.code == "other_lane"]
    assert (report.lanes.derived, report.lanes.no_policy) == (48, 0)
