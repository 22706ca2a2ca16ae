"""Lists of decisions: own agency only, every filter, page by page, against a plain filter over everything."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from chekara.domain.actor import Actor
from chekara.domain.vocabulary import AGENCIES, Lane, ReviewAction, Role
from chekara.errors import InvalidRequestError, NotFoundError
from chekara.service.records import Chain, DecisionFilter, DecisionRecord
from chekara.service.review import ReviewRequest
from tests.small_house import SmallHouse, actor, crossing, small_house, small_model

ALL = DecisionFilter(limit=200)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallHouse]:
    """Open a house with thirty crossings in two domains of different agencies, asked for by two agencies."""
    models = {"revenue_fraud": small_model(1), "vehicle_crime": small_model(2)}
    opened = small_house(tmp_path_factory.mktemp("house"), champions=models)
    for i in range(30):
        by = actor("agriculture" if i % 5 == 0 else "customs")
        if i == 20:
            opened.champions.models.pop("revenue_fraud")
        opened.score_one(
            crossing(f"c{i % 25}", revision=i // 25, value=40.0 * (1 + i), crossing_point=f"P{i % 3}"), by=by
        )
    opened.score_one(crossing("c24", value=1000.0, crossing_point="P0"), by=actor(is_test=True))
    opened.score_one(crossing("c10", value=440.0, crossing_point="P1"), by=actor(), is_void=True)
    yield opened
    opened.database.close()


@pytest.fixture(scope="module")
def everything(house: SmallHouse) -> list[DecisionRecord]:
    """Return all live decisions, newest first."""
    return list(house.read.decisions(actor("border_service"), ALL).records)


def listed(house: SmallHouse, by: Actor, wanted: DecisionFilter) -> list[DecisionRecord]:
    """Read all pages."""
    found: list[DecisionRecord] = []
    cursor = None
    while True:
        page = house.read.decisions(by, wanted, cursor)
        found += page.records
        cursor = page.next_cursor
        if cursor is None:
            return found
        assert len(page.records) == wanted.limit


def own_lane(record: DecisionRecord, domain: str) -> Lane:
    return next((a.lane for a in record.decision.actions if a.domain == domain and a.leads_domain), Lane.GREEN)


def test_the_world_is_worth_listing(everything: list[DecisionRecord]) -> None:
    assert len(everything) == 30
    assert len({record.decision.lane for record in everything}) >= 3


@pytest.mark.parametrize("agency", AGENCIES)
def test_an_agency_lists_what_it_may_open_and_nothing_else(
    house: SmallHouse, everything: list[DecisionRecord], agency: str
) -> None:
    by = actor(agency, Role.ANALYST)
    expected = [record for record in everything if record.is_visible_to(by)]
    assert listed(house, by, replace(ALL, limit=7)) == expected
    for record in everything:
        if record in expected:
            assert house.read.decision(by, record.decision.decision_id) == record
        else:
            with pytest.raises(NotFoundError):
                house.read.decision(by, record.decision.decision_id)


def test_agencies_see_different_worlds(house: SmallHouse) -> None:
    seen = {agency: len(listed(house, actor(agency), ALL)) for agency in AGENCIES}
    assert seen == {
        "border_service": 30,  # coordinates
        "customs": 29,  # all but the one without revenue fraud that another agency asked for
        "internal_affairs": 30,  # leads vehicle crime
        "labour_migration": 0,
        "agriculture": 6,  # asked for them itself
    }


def test_auditors_see_all_of_their_chain_and_test_keys_the_other_one(house: SmallHouse) -> None:
    assert len(listed(house, actor("agriculture", Role.AUDITOR), ALL)) == 30
    (trial,) = listed(house, actor(is_test=True), ALL)
    assert trial.chain is Chain.TEST


@pytest.mark.parametrize(
    "wanted",
    [
        {"lane": Lane.RED},
        {"lane": Lane.GREEN},
        {"domain": "vehicle_crime"},
        {"domain": "revenue_fraud"},
        {"domain": "revenue_fraud", "lane": Lane.YELLOW},
        {"domain": "vehicle_crime", "lane": Lane.GREEN},
        {"domain": "no such"},
        {"crossing_point": "P2"},
        {"crossing_id": "c3"},
        {"crossing_point": "P1", "lane": Lane.BLUE},
        {"is_newest_revision_only": True},
    ],
)
@pytest.mark.parametrize("order", ["newest", "strictest"])
def test_filters_and_orders(house: SmallHouse, everything: list[DecisionRecord], wanted: dict, order: str) -> None:
    def fits(record: DecisionRecord) -> bool:
        decision, domain, lane = record.decision, wanted.get("domain"), wanted.get("lane")
        asked = decision.lane if domain is None else own_lane(record, domain)
        return (
            (lane is None or asked is lane)
            and (domain is None or domain in {score.domain for score in decision.domains})
            and wanted.get("crossing_point") in (None, decision.crossing_point)
            and wanted.get("crossing_id") in (None, decision.crossing_id)
            and not ("is_newest_revision_only" in wanted and (record.superseded_by or record.is_void))
        )

    expected = [record for record in everything if fits(record)]
    if order == "strictest":
        expected.sort(key=lambda record: (-record.decision.lane.strictness, record.decision.position))
    found = listed(house, actor("border_service"), DecisionFilter(**wanted, order=order, limit=4))
    assert [r.decision.decision_id for r in found] == [r.decision.decision_id for r in expected]


def test_since_is_inclusive(house: SmallHouse, everything: list[DecisionRecord]) -> None:
    at = everything[12].decision.scored_at
    found = listed(house, actor("border_service"), replace(ALL, since=at))
    assert found == [record for record in everything if record.decision.scored_at >= at]
    assert listed(house, actor("border_service"), replace(ALL, since=at + timedelta(days=1))) == []


def test_what_an_agency_reviewed_leaves_its_queue_only(house: SmallHouse, everything: list[DecisionRecord]) -> None:
    queue = replace(ALL, is_unreviewed_only=True, is_newest_revision_only=True)
    officer, other = actor("customs", Role.ANALYST), actor("internal_affairs", Role.ANALYST)
    before = listed(house, officer, queue)
    decision_id = before[0].decision.decision_id
    house.review(officer, ReviewRequest(decision_id=decision_id, action=ReviewAction.FOLLOW, reason="seen"))
    assert listed(house, officer, queue) == before[1:]
    assert decision_id in {record.decision.decision_id for record in listed(house, other, queue)}


def encoded(plain: str) -> str:
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        *("", "x", "%%%", "MS4y.", "YWJj", "\u00e9", "A" * 1000),
        *map(encoded, ("1." + "9" * 25, "9" * 25 + ".1", "-1.2", "1.-2", "1. 2", "1_0.2", "1.2\n", "\u0661.2")),
    ],
)
def test_foreign_cursors_are_refused(house: SmallHouse, cursor: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        house.read.decisions(actor(), ALL, cursor)
    assert caught.value.problems[0].where == "cursor"


@pytest.mark.parametrize("limit", [0, -1, 201])
def test_a_page_has_bounds(house: SmallHouse, limit: int) -> None:
    with pytest.raises(InvalidRequestError):
        house.read.decisions(actor(), replace(ALL, limit=limit))


def test_an_auditor_opens_what_no_domain_applies_to(house: SmallHouse) -> None:
    record = house.score_one(crossing("of no domain", movement="transit"), by=actor("labour_migration"))
    assert record.leads() == {}
    auditor = actor("agriculture", Role.AUDITOR)
    assert record.decision.decision_id in {one.decision.decision_id for one in listed(house, auditor, ALL)}
    assert house.read.decision(auditor, record.decision.decision_id) == record
    with pytest.raises(NotFoundError):
        house.read.decision(actor("agriculture", Role.ANALYST), record.decision.decision_id)
