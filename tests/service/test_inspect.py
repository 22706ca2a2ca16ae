"""Results of inspections: recorded once, by who sees the domain, with what the service knows filled in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from chekara.domain.inspection import Inspection
from chekara.domain.vocabulary import Lane, ReviewAction, Role
from chekara.errors import (
    ForbiddenError,
    InvalidRequestError,
    RevisionConflictError,
    SupersededRevisionError,
    UnknownCrossingError,
)
from chekara.policy import load_policy
from chekara.service.records import Chain, InspectionRecord
from chekara.service.review import ReviewRequest
from tests.small_house import (
    RECEIVED,
    START,
    SmallHouse,
    actor,
    crossing,
    got,
    policy_asking,
    request,
    result,
    sent,
    small_house,
)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[SmallHouse]:
    opened = small_house(tmp_path)
    yield opened
    opened.database.close()


def record(house: SmallHouse, of: Inspection, **more) -> InspectionRecord:
    [outcome] = house.score([sent(of, **more)])
    if isinstance(outcome, Exception):
        raise outcome
    assert isinstance(outcome, InspectionRecord)
    return outcome


def test_a_result_is_known_at_the_later_of_sent_and_received(house: SmallHouse) -> None:
    house.score_one(crossing())
    assert record(house, result("early")).inspection.known_at == RECEIVED
    ahead = RECEIVED + timedelta(hours=2)
    assert record(house, result("late", known_at=ahead)).inspection.known_at == ahead


def test_a_replay_clock_believes_the_body(tmp_path: Path) -> None:
    house = small_house(tmp_path, clock="replay")
    house.score_one(crossing())
    assert record(house, result()).inspection.known_at == START + timedelta(hours=1)
    house.database.close()


def test_what_is_answered_is_what_is_stored(house: SmallHouse) -> None:
    decision = house.score_one(crossing())
    answered = record(house, result())
    assert answered.position == decision.decision.position + 1
    assert house.log.results(Chain.LIVE, "c1") == (answered,)


def test_the_same_result_again_is_one_record_whenever_it_comes(house: SmallHouse) -> None:
    house.score_one(crossing())
    first = record(house, result())
    again = record(house, result(), received_at=RECEIVED + timedelta(days=2))
    spelled_otherwise = replace(result(), details=dict(reversed(result().details.items())) | {"revenue_recovered": 500})
    assert again == first == record(house, spelled_otherwise)
    assert len(house.log.results(Chain.LIVE, "c1")) == 1


@pytest.mark.parametrize("change", [{"found": False}, {"domain": "contraband"}, {"crossing_id": "c2"}, {"details": {}}])
def test_the_same_id_with_another_body_is_a_conflict(house: SmallHouse, change: dict) -> None:
    house.score([request(crossing("c1")), request(crossing("c2"))])
    record(house, result())
    with pytest.raises(RevisionConflictError):
        record(house, result(**change))


def test_a_higher_revision_replaces_and_a_lower_one_is_too_late(house: SmallHouse) -> None:
    house.score_one(crossing())
    first = record(house, result())
    overturned = record(house, result(revision=2, details={"status": "done", "result": "overturned"}))
    assert house.log.results(Chain.LIVE, "c1") == (overturned,)
    with pytest.raises(SupersededRevisionError):
        record(house, result(revision=1))
    assert record(house, result()) == first, "what was stored is the answer"
    with pytest.raises(RevisionConflictError):
        record(house, result(revision=3, domain="contraband"))


def test_a_result_of_a_crossing_that_nobody_scored_is_refused(house: SmallHouse) -> None:
    with pytest.raises(UnknownCrossingError):
        record(house, result())
    house.score_one(crossing(), by=actor(is_test=True))
    with pytest.raises(UnknownCrossingError):
        record(house, result())


def test_test_keys_have_a_log_of_their_own(house: SmallHouse) -> None:
    house.score([request(crossing()), request(crossing(), by=actor(is_test=True))])
    assert record(house, result(), is_test=True).chain is Chain.TEST
    assert house.log.results(Chain.LIVE, "c1") == ()
    assert record(house, result(found=False, details={})).chain is Chain.LIVE, "ids of the two logs do not meet"


@pytest.mark.parametrize("domain", list(load_policy().domains))
@pytest.mark.parametrize("agency", ["customs", "border_service", "internal_affairs", "labour_migration", "agriculture"])
@pytest.mark.parametrize("point", ["KG-01", "AK-JOL"])
def test_results_come_from_agencies_that_see_the_domain(
    house: SmallHouse, domain: str, agency: str, point: str
) -> None:
    house.score_one(crossing(crossing_point=point))
    own = load_policy().agencies(domain, point)
    if agency in {own.lead, *own.informed, "border_service"}:
        assert record(house, result(domain=domain), agency=agency).recorded_by == agency
    else:
        with pytest.raises(ForbiddenError):
            record(house, result(domain=domain), agency=agency)


def test_a_domain_that_no_policy_knows_is_refused(house: SmallHouse) -> None:
    house.score_one(crossing())
    with pytest.raises(InvalidRequestError) as raised:
        record(house, result(domain="tax"))
    assert raised.value.problems[0].where == "/domain"


def test_roles_that_do_not_inspect_record_nothing(house: SmallHouse) -> None:
    house.score_one(crossing())
    with pytest.raises(ForbiddenError):
        record(house, result(), role=Role.SUPERVISOR)


def review(house: SmallHouse, decision_id: str, **what) -> None:
    house.review(actor(role=Role.SUPERVISOR), ReviewRequest(decision_id=decision_id, reason="seen", **what))


def test_the_channel_is_filled_in_from_the_decision(tmp_path: Path) -> None:
    house = small_house(tmp_path, policy=policy_asking("red"))
    house.score_one(crossing())
    assert record(house, result("a")).inspection.selected_by == "model"
    assert record(house, result("b", domain="contraband")).inspection.selected_by == "officer", "nobody had asked"
    assert record(house, result("c", selected_by="intelligence")).inspection.selected_by == "intelligence"
    house.database.close()


def test_a_persons_choice_is_the_channel(tmp_path: Path) -> None:
    house = small_house(tmp_path, policy=policy_asking("red"))
    decision_id = house.score_one(crossing()).decision.decision_id
    review(house, decision_id, action=ReviewAction.REFER, refer_to="border_service")
    assert record(house, result("a"), agency="border_service").inspection.selected_by == "referral"
    assert record(house, result("b")).inspection.selected_by == "model"
    review(house, decision_id, action=ReviewAction.OVERRIDE, lane=Lane.YELLOW)
    assert record(house, result("c")).inspection.selected_by == "officer"
    house.database.close()


def test_results_and_scores_of_one_group_keep_their_order(house: SmallHouse) -> None:
    group = [sent(result()), request(crossing()), sent(result()), request(crossing("c2")), sent(result())]
    outcomes = house.score(group)
    assert isinstance(outcomes[0], UnknownCrossingError)
    assert got(outcomes[1]).decision.position == 1
    assert isinstance(outcomes[2], InspectionRecord)
    assert outcomes[2].position == 2
    assert got(outcomes[3]).decision.position == 3
    assert outcomes[4] == outcomes[2]


def test_readers_see_results_of_their_domains_only(house: SmallHouse) -> None:
    decision = house.score_one(crossing())
    record(house, result("a"))
    record(house, result("b", domain="vehicle_crime"), agency="internal_affairs")
    seen = {
        agency: [one.inspection.inspection_id for one in house.read.results(actor(agency), decision)]
        for agency in ("customs", "internal_affairs", "border_service", "agriculture")
    }
    assert seen == {"customs": ["a"], "internal_affairs": ["b"], "border_service": ["a", "b"], "agriculture": []}


def refused(house: SmallHouse, of: Inspection) -> list[tuple[str, str]]:
    with pytest.raises(InvalidRequestError) as raised:
        record(house, of)
    return [(problem.where, problem.code) for problem in raised.value.problems]


def test_a_goods_line_of_any_revision_may_be_meant_and_no_other(house: SmallHouse) -> None:
    house.score_one(crossing(items=3))
    house.score_one(crossing(revision=1, items=1))
    meant = {"status": "done", "item_no": 3}
    assert record(house, result(details=meant)).inspection.item_no == 3
    assert refused(house, result("i2", details=meant | {"item_no": 4})) == [("/item_no", "no_such_item")]


def test_a_control_long_before_its_crossing_is_another_crossings(house: SmallHouse) -> None:
    house.score_one(crossing())
    early = START - timedelta(days=366)
    assert record(house, result("i1", inspected_at=early)).inspection.inspected_at == early
    before = refused(house, result("i2", inspected_at=early - timedelta(seconds=1), details={"item_no": 9}))
    assert before == [("/item_no", "no_such_item"), ("/inspected_at", "inspected_long_before")]
