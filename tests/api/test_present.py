"""What each asker may read of one decision, and nothing else."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from typing import Any

import msgspec
import pytest

from chekara.api.answers import DECISION
from chekara.api.present import present_decision, present_review
from chekara.domain.actor import Actor
from chekara.domain.crossing import Crossing
from chekara.domain.decision import Action, Decision, DomainScore, ModelIdentity, Notice, Reason
from chekara.domain.review import Review
from chekara.domain.vocabulary import AGENCIES, Lane, ReviewAction, Role
from chekara.service.records import Chain, DecisionRecord

AT = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
# Who sees which domain, written down again from CONTRACT section 1.
SEES = {
    "customs": {"revenue_fraud", "contraband", "sps_violation"},
    "internal_affairs": {"contraband", "vehicle_crime", "concealed_persons"},
    "border_service": {"revenue_fraud", "contraband", "vehicle_crime", "concealed_persons", "sps_violation"},
    "labour_migration": {"concealed_persons"},
    "agriculture": {"sps_violation"},
}
LEADS = {
    "revenue_fraud": ("customs", ()),
    "contraband": ("customs", ("internal_affairs", "border_service")),
    "vehicle_crime": ("internal_affairs", ("border_service",)),
    "concealed_persons": ("border_service", ("labour_migration", "internal_affairs")),
    "sps_violation": ("agriculture", ("customs",)),
}


def score(domain: str) -> DomainScore:
    return DomainScore(
        domain=domain,
        agency=LEADS[domain][0],
        probability=0.31,
        interval=(0.24, 0.39),
        rank=0.987,
        risk=0.72,
        item_no=1,
        model=ModelIdentity(domain, "7", "sha256:ab"),
        base_value=-3.1,
        margin=-0.8,
        contributions={"value_per_kg": 2.6, "hs_chapter": -0.3},
        reasons=(
            Reason("value_per_kg", math.inf, 7.4, 2.6, {"inspected": 212.0, "hits": 61.0}),
            Reason("hs_chapter", "61", None, -0.3),
        ),
    )


def record(*, wanting: str | None = None, clock: str = "live") -> DecisionRecord:
    """Make a decision scored in all five domains, one of which may want the crossing."""
    lane = Lane.GREEN if wanting is None else Lane.RED
    action = Action(
        agency=LEADS[wanting or "revenue_fraud"][0],
        role="lead",
        domain=wanting or "revenue_fraud",
        lane=lane,
        control="control.full",
        instruction="instruction.none_such",
        item_no=1,
        due_at=AT,
    )
    decision = Decision(
        decision_id="d1",
        position=1,
        crossing_id="C-1",
        revision=0,
        crossing_point="TORUGART",
        scored_at=AT,
        asked_by="customs",
        lane=lane,
        selected_by="model" if wanting else None,
        domains=tuple(score(domain) for domain in LEADS),
        actions=(action,) if wanting else (),
        warnings=tuple(Notice("unseen_category", "crossing_point", domain) for domain in LEADS),
        policy_digest="sha256:cd",
        clock=clock,
    )
    crossing = Crossing("C-1", 0, AT, AT, {"crossing_point": "TORUGART"}, ({"item_no": 1, "hs_code": "610910"},))
    informed = {domain: agencies for domain, (_, agencies) in LEADS.items()}
    return DecisionRecord(
        decision=decision, chain=Chain.LIVE, crossing=crossing, labels={"plate": "X"}, informed=informed
    )


def actor(role: Role, agency: str = "customs", *scopes: str) -> Actor:
    return Actor("k", "h", agency, role, frozenset(scopes))


def review(agency: str) -> Review:
    return Review("r", "d1", agency, "officer", ReviewAction.REFER, None, "customs", None, "because", AT)


@pytest.mark.parametrize("agency", AGENCIES)
def test_an_agency_sees_its_own_domains(agency: str) -> None:
    shown = present_decision(record(), actor(Role.ANALYST, agency), "en")
    assert {domain["domain"] for domain in shown["domains"]} == SEES[agency]
    assert {warning["domain"] for warning in shown["warnings"]} == SEES[agency]


@pytest.mark.parametrize(("agency", "wanting"), list(product(AGENCIES, LEADS)))
def test_a_hidden_domain_shows_only_that_somebody_wants_it(agency: str, wanting: str) -> None:
    shown = present_decision(record(wanting=wanting), actor(Role.ANALYST, agency), "en")
    codes = [warning["code"] for warning in shown["warnings"]]
    is_hidden = wanting not in SEES[agency]
    assert codes.count("another_agency") == int(is_hidden)
    assert bool(shown["actions"]) != is_hidden
    assert shown["lane"] == "red"
    if is_hidden:
        assert wanting not in json.dumps(shown)


def test_nobody_wants_a_green_crossing() -> None:
    shown = present_decision(record(), actor(Role.SYSTEM, "agriculture"), "en")
    assert "another_agency" not in json.dumps(shown)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("scopes", [(), ("reasons",)])
def test_reasons_go_to_those_with_a_right_to_them(role: Role, scopes: tuple[str, ...]) -> None:
    shown = present_decision(record(), actor(role, "customs", *scopes), "en")["domains"][0]
    may_read = role in (Role.ANALYST, Role.SUPERVISOR, Role.AUDITOR) or scopes == ("reasons",)
    if role is Role.INSPECTOR:
        assert set(shown) == {"domain", "agency", "item_no", "evidence"}
        assert [fact["feature"] for fact in shown["evidence"]] == ["value_per_kg"]
        assert set(shown["evidence"][0]) == {"feature", "value", "expected", "text"}
        return
    assert ("reasons" in shown) == ("contributions" in shown) == may_read
    assert shown["base_value"] + sum([2.6, -0.3]) == pytest.approx(shown["margin"], abs=1e-6)


def test_the_size_of_a_hit_stands_beside_its_likelihood() -> None:
    known = replace(record(), decision=replace(record().decision, domains=(score("revenue_fraud"),)))
    assert present_decision(known, actor(Role.SYSTEM), "en")["domains"][0]["expected_amount"] is None
    told = replace(score("revenue_fraud"), expected_amount=840.25)
    known = replace(known, decision=replace(known.decision, domains=(told,)))
    assert present_decision(known, actor(Role.SYSTEM), "en")["domains"][0]["expected_amount"] == 840.25


def test_contributions_can_be_left_out() -> None:
    shown = present_decision(record(), actor(Role.AUDITOR), "en", with_contributions=False)["domains"][0]
    assert "reasons" in shown
    assert "contributions" not in shown


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("reviewed_by", [None, "customs", "agriculture"])
def test_who_is_told_what_selected_it(role: Role, reviewed_by: str | None) -> None:
    reviews = () if reviewed_by is None else (replace(review(reviewed_by), action=ReviewAction.FOLLOW),)
    shown = present_decision(record(wanting="revenue_fraud"), actor(role), "en", reviews=reviews)
    always = role in (Role.AUDITOR, Role.DATA_SCIENTIST)
    officer = role in (Role.INSPECTOR, Role.ANALYST, Role.SUPERVISOR) and reviewed_by == "customs"
    assert shown["selected_by"] == ("model" if always or officer else "withheld")


@pytest.mark.parametrize("language", ["en", "ru", "ky"])
def test_texts_and_plain_json(language: str) -> None:
    shown = present_decision(record(wanting="revenue_fraud"), actor(Role.ANALYST), language)
    body = msgspec.json.decode(msgspec.json.encode(shown))
    assert body["scored_at"] == "2026-11-24T09:30:00.000Z"
    assert set(DECISION["required"]) <= body.keys() <= DECISION["properties"].keys()
    reasons = body["domains"][0]["reasons"]
    assert reasons[0]["value"] is None, "infinity is no JSON"
    assert all(reason["text"] for reason in reasons)
    assert "plate" not in json.dumps(body), "labels are for the case page"


def test_a_replayed_clock_is_marked() -> None:
    assert "clock" not in present_decision(record(), actor(Role.SYSTEM), "en")
    assert present_decision(record(clock="replay"), actor(Role.SYSTEM), "en")["clock"] == "replay"


def test_a_review_shows_what_its_action_used() -> None:
    shown: dict[str, Any] = present_review(review("customs"))
    assert shown["to"] == "customs"
    assert "lane" not in shown
    assert "until" not in shown
