"""Rules, watch lists and expected harm through a real server, without a restart in between."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from chekara.adapters.watch_lists import WatchOrder, add_to_list
from tests.serving import Server, copied_home, crossing, policy_without_lot, serving, settings_of

PARTS = """
[[risks]]
id = "any"
title = "Anything"
domain = "contraband"
threat = "Something may happen."
owner = "customs"
review_at = 2027-06-01

[[rules]]
id = "broken-seal"
risk = "any"
lane = "yellow"
channel = "mandatory"
reason = { en = "The seal is broken.", ru = "Пломба нарушена." }
instruction = { en = "Count the packages." }
criteria = 'seal_status == "broken" and net_mass_kg > 100'
valid_from = 2020-01-01
expires_at = 2100-01-01
review_at = 2027-06-01

[[rules]]
id = "watched"
risk = "any"
lane = "red"
reason = { en = "Somebody looks for this vehicle." }
watch_list = "stolen"
valid_from = 2020-01-01
expires_at = 2100-01-01
review_at = 2027-06-01

[risk]
half_at = 1000
[risk.domains.revenue_fraud]
amount = 5000
"""


@pytest.fixture(scope="module")
def server(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Yield a server whose policy has rules and ranks by expected harm."""
    folder = tmp_path_factory.mktemp("rules")
    text = policy_without_lot().read_text("utf-8").replace('combiner = "rank"', 'combiner = "expected_harm"')
    policy = folder / "policy.toml"
    policy.write_text(text + PARTS, "utf-8")
    with copied_home(trained, folder / "home") as home, serving(home, CHEKARA_POLICY=str(policy)) as running:
        yield running


def test_a_rule_binds_and_says_why_in_the_readers_language(server: Server) -> None:
    body = crossing(f"rule-{uuid4().hex[:8]}", seal_status="broken")
    answer = server.score(body).json
    assert [(own["rule"], own["lane"], own["item_no"]) for own in answer["rules"]] == [("broken-seal", "yellow", 1)]
    assert answer["lane"] in ("yellow", "red")
    assert any(action["control"] and action["agency"] for action in answer["actions"])
    path = f"/v1/decisions/{answer['decision_id']}"
    told = {
        language: server.send("GET", path, "analyst", Accept_Language=language).json["rules"][0]["text"]
        for language in ("en", "ru", "ky")
    }
    assert told["en"] == told["ky"] == "The seal is broken. Count the packages."
    assert told["ru"] == "Пломба нарушена."
    assert server.score(crossing(f"rule-{uuid4().hex[:8]}", seal_status="intact")).json["rules"] == []


def test_risk_by_expected_harm_shows_its_parts_to_who_may_read_reasons(server: Server) -> None:
    answer = server.score(crossing(f"harm-{uuid4().hex[:8]}")).json
    (score,) = [own for own in answer["domains"] if own["domain"] == "revenue_fraud"]
    harm = score["probability"] * 5000
    assert score["risk"] == pytest.approx(harm / (harm + 1000))
    shown = server.send("GET", f"/v1/decisions/{answer['decision_id']}", "analyst").json["domains"][0]
    assert shown["risk_parts"]["expected_harm"] == pytest.approx(harm)


def test_an_entry_on_a_watch_list_counts_in_a_service_that_runs(server: Server, tmp_path: Path) -> None:
    plate = f"01KG{uuid4().hex[:6].upper()}"
    before = server.score(crossing(f"w-{uuid4().hex[:8]}", vehicle_id=plate)).json
    assert before["rules"] == []
    order = WatchOrder(
        name="stolen",
        column="vehicle_id",
        raw_ids=(plate,),
        ends_at=datetime.now(UTC) + timedelta(days=1),
        agency="internal_affairs",
        added_by="a test",
        reason="reported stolen",
    )
    assert add_to_list(settings_of(server.home), order) == 1
    until = time.monotonic() + 20
    while True:
        answer = server.score(crossing(f"w-{uuid4().hex[:8]}", vehicle_id=f" {plate.lower()} ")).json
        if answer["rules"] or time.monotonic() > until:
            break
        time.sleep(0.3)
    assert [own["rule"] for own in answer["rules"]] == ["watched"]
    assert answer["lane"] == "red"
    assert plate not in json.dumps(answer)
