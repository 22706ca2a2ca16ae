"""Officers cannot tell a random selection from another until they have reviewed: views that differ in it are equal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from chekara.api.present import present_decision
from chekara.domain.actor import Actor
from chekara.domain.review import Review
from chekara.domain.vocabulary import Lane, ReviewAction, Role
from chekara.policy import Policy
from chekara.service.records import DecisionFilter, DecisionRecord
from tests.lots import drawing_house, policy_drawing
from tests.small_house import SmallHouse, actor, crossing, policy_asking, result, sent

OFFICERS = (Role.INSPECTOR, Role.ANALYST, Role.SUPERVISOR)
KNOWING = (Role.AUDITOR, Role.DATA_SCIENTIST)
DOMAIN = "revenue_fraud"


def drawing(propensity: float) -> Policy:
    """Return a policy whose model sends every crossing to red, with a lot that draws all of them or none."""
    asking = policy_asking("red")
    return replace(asking, lot=policy_drawing(propensity, DOMAIN).lot)


@pytest.fixture(scope="module")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SmallHouse, SmallHouse]]:
    """Open two houses that saw the same three crossings: the model selected them in one, the lot in the other."""
    opened = tuple(drawing_house(tmp_path_factory.mktemp("house") / "home", drawing(share)) for share in (1e-12, 1.0))
    for house in opened:
        for i in range(3):
            house.score_one(crossing(f"c{i}", value=500.0 * (i + 1)))
    yield opened[0], opened[1]
    for house in opened:
        house.database.close()


def listed(house: SmallHouse, who: Actor, wanted: DecisionFilter) -> list[DecisionRecord]:
    return list(house.read.decisions(who, wanted).records)


def seen(record: DecisionRecord, who: Actor, reviews: tuple[Review, ...] = (), **more: Any) -> dict[str, Any]:
    """Return what a reader is told, without the names and instants that any two decisions differ in."""
    shown = present_decision(record, who, "en", reviews=reviews, **more)
    for name in ("decision_id", "scored_at", "control_id"):
        shown.pop(name, None)
    for action in shown["actions"]:
        # Time given, not the instant: the houses scored at different moments.
        due_at = datetime.fromisoformat(action.pop("due_at"))
        action["time_given"] = round((due_at - record.decision.scored_at).total_seconds(), 1)
    return shown


def reviewed(record: DecisionRecord, action: ReviewAction = ReviewAction.FOLLOW) -> tuple[Review, ...]:
    review = Review(
        review_id="r1",
        decision_id=record.decision.decision_id,
        agency="customs",
        officer="officer 9",
        action=action,
        lane=None,
        refer_to=None,
        until=None,
        reason="seen",
        reviewed_at=datetime.now(UTC),
    )
    return (review,)


@pytest.mark.parametrize("role", OFFICERS)
@pytest.mark.parametrize("blind_first", [False, True])
def test_views_of_officers_are_equal_until_they_review(
    houses: tuple[SmallHouse, SmallHouse], role: Role, blind_first: bool
) -> None:
    who = actor(role=role)
    pages = [listed(house, who, DecisionFilter()) for house in houses]
    assert [r.decision.selected_by for page in pages for r in page] == ["model"] * 3 + ["random"] * 3
    for by_model, by_lot in zip(*pages, strict=True):
        assert seen(by_model, who, blind_first=blind_first) == seen(by_lot, who, blind_first=blind_first)
        told = [seen(record, who, reviewed(record))["selected_by"] for record in (by_model, by_lot)]
        assert told == ["model", "random"]
        for action in (ReviewAction.DELAY, ReviewAction.REFER):
            assert seen(by_lot, who, reviewed(by_lot, action))["selected_by"] == "withheld", "nobody judged it yet"


@pytest.mark.parametrize("wanted", [DecisionFilter(), DecisionFilter(order="strictest", is_unreviewed_only=True)])
@pytest.mark.parametrize("narrowed", [{}, {"lane": Lane.RED}, {"domain": DOMAIN, "lane": Lane.RED}])
def test_lists_and_queue_have_one_order(
    houses: tuple[SmallHouse, SmallHouse], wanted: DecisionFilter, narrowed: dict[str, Any]
) -> None:
    orders = [
        [record.crossing.crossing_id for record in listed(house, actor(role=Role.ANALYST), replace(wanted, **narrowed))]
        for house in houses
    ]
    assert orders[0] == orders[1]
    assert len(orders[0]) == 3


@pytest.mark.parametrize("role", KNOWING)
def test_auditors_and_data_scientists_are_told_at_once(houses: tuple[SmallHouse, SmallHouse], role: Role) -> None:
    for house, channel in zip(houses, ("model", "random"), strict=True):
        [record] = listed(house, actor(role=Role.ANALYST), DecisionFilter(crossing_id="c1"))
        assert seen(record, actor(role=role))["selected_by"] == channel


def test_blind_first_withholds_numbers_from_officers_until_they_review(houses: tuple[SmallHouse, SmallHouse]) -> None:
    [record] = listed(houses[1], actor(role=Role.ANALYST), DecisionFilter(crossing_id="c1"))
    for role in OFFICERS:
        [blind] = seen(record, actor(role=role), blind_first=True)["domains"]
        assert blind.keys() == {"domain", "agency", "item_no", "evidence"}
        assert all(fact.keys() == {"feature", "value", "expected", "text"} for fact in blind["evidence"])
        names = [fact["feature"] for fact in blind["evidence"]]
        assert names == sorted(reason.feature for reason in record.decision.domains[0].reasons), "all, in no order"
    analyst = actor(role=Role.ANALYST)
    [after] = seen(record, analyst, reviewed(record), blind_first=True)["domains"]
    [open_] = seen(record, analyst)["domains"]
    assert after == open_
    assert {"probability", "contributions"} <= after.keys()
    others = replace(reviewed(record)[0], agency="border_service")
    [still] = seen(record, analyst, (others,), blind_first=True)["domains"]
    assert "probability" not in still, "another agency's review opens nothing"


def test_released_crossings_hide_nothing(houses: tuple[SmallHouse, SmallHouse]) -> None:
    [record] = listed(houses[0], actor(role=Role.ANALYST), DecisionFilter(crossing_id="c1"))
    green = replace(record, decision=replace(record.decision, lane=Lane.GREEN, actions=(), selections=()))
    [shown] = seen(green, actor(role=Role.ANALYST), blind_first=True)["domains"]
    assert "probability" in shown


def test_an_inspector_reads_the_score_after_the_result(houses: tuple[SmallHouse, SmallHouse]) -> None:
    inspector = actor(role=Role.INSPECTOR)
    [record] = listed(houses[1], inspector, DecisionFilter(crossing_id="c1"))
    [before] = seen(record, inspector)["domains"]
    [after] = seen(record, inspector, with_result={DOMAIN})["domains"]
    assert "probability" not in before
    assert "probability" in after
    assert "contributions" not in after


def test_what_recording_a_result_answers_tells_nothing(houses: tuple[SmallHouse, SmallHouse]) -> None:
    from chekara.api.present import present_inspection

    told = []
    for house in houses:
        [outcome] = house.score([sent(result("i1", crossing_id="c0", selected_by="random", propensity=0.5))])
        assert not isinstance(outcome, Exception)
        told.append(present_inspection(outcome) | {"known_at": ""})
    assert told[0] == told[1]
