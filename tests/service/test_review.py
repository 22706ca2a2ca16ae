"""Reviews: by persons, with a reason, of what their agency sees, of the newest revision."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from chekara.domain.vocabulary import Lane, ReviewAction, Role
from chekara.errors import ForbiddenError, InvalidRequestError, NotFoundError, SupersededRevisionError
from chekara.service.review import ReviewRequest
from tests.small_house import SmallHouse, actor, crossing, small_house

FOLLOW = {"action": ReviewAction.FOLLOW, "reason": "goods seen"}
TOMORROW = datetime.now(UTC) + timedelta(days=1)
YESTERDAY = TOMORROW - timedelta(days=2)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallHouse]:
    opened = small_house(tmp_path_factory.mktemp("house"))
    yield opened
    opened.database.close()


def test_a_review_is_stored_as_told_and_the_newest_is_last(house: SmallHouse) -> None:
    record = house.score_one(crossing("told"))
    officer = actor(role=Role.ANALYST, holder="A. Officer")
    first = house.review(officer, ReviewRequest(decision_id=record.decision.decision_id, **FOLLOW))
    second = house.review(
        officer,
        ReviewRequest(
            decision_id=record.decision.decision_id, action=ReviewAction.OVERRIDE, lane=Lane.RED, reason="  new seal "
        ),
    )
    assert house.read.reviews(officer, record.decision.decision_id) == (first, second)
    assert (second.officer, second.agency, second.reason) == ("A. Officer", "customs", "new seal")


@pytest.mark.parametrize("role", [role for role in Role if role not in (Role.ANALYST, Role.SUPERVISOR)])
def test_only_persons_who_may_review_can(house: SmallHouse, role: Role) -> None:
    record = house.score_one(crossing("persons"))
    with pytest.raises(ForbiddenError):
        house.review(actor(role=role), ReviewRequest(decision_id=record.decision.decision_id, **FOLLOW))


@pytest.mark.parametrize(
    ("given", "where", "code"),
    [
        (FOLLOW | {"reason": " \t\n"}, "/reason", "missing"),
        (FOLLOW | {"lane": Lane.RED}, "/lane", "unexpected"),
        (FOLLOW | {"until": TOMORROW}, "/until", "unexpected"),
        ({"action": ReviewAction.OVERRIDE, "reason": "r"}, "/lane", "missing"),
        ({"action": ReviewAction.REFER, "reason": "r"}, "/to", "missing"),
        ({"action": ReviewAction.REFER, "reason": "r", "refer_to": "nobody"}, "/to", "unknown_agency"),
        ({"action": ReviewAction.DELAY, "reason": "r"}, "/until", "missing"),
        (
            {"action": ReviewAction.DELAY, "reason": "r", "until": TOMORROW - timedelta(days=2)},
            "/until",
            "not_in_future",
        ),
        *((FOLLOW | {"reason": said}, "/reason", "missing") for said in ("\u200b", "\u00ad", "\u2800", "...")),
        ({"action": ReviewAction.REFER, "reason": "r", "refer_to": "customs"}, "/to", "own_agency"),
        *(
            ({"action": ReviewAction.DELAY, "reason": "r", "until": until}, "/until", "too_far_ahead")
            for until in (TOMORROW + timedelta(days=365), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
        ),
    ],
)
def test_fields_must_fit_the_action(house: SmallHouse, given: dict, where: str, code: str) -> None:
    record = house.score_one(crossing("fields"))
    with pytest.raises(InvalidRequestError) as caught:
        house.review(actor(role=Role.ANALYST), ReviewRequest(decision_id=record.decision.decision_id, **given))
    assert [(problem.where, problem.code) for problem in caught.value.problems] == [(where, code)]
    assert house.read.reviews(actor(), record.decision.decision_id) == ()


def test_another_agency_cannot_tell_a_foreign_decision_from_none(house: SmallHouse) -> None:
    record = house.score_one(crossing("foreign"))
    stranger = actor("agriculture", Role.ANALYST)
    with pytest.raises(NotFoundError) as foreign:
        house.review(stranger, ReviewRequest(decision_id=record.decision.decision_id, **FOLLOW))
    with pytest.raises(NotFoundError) as none:
        house.review(stranger, ReviewRequest(decision_id="no such", **FOLLOW))
    assert str(foreign.value) == str(none.value)


def test_a_superseded_revision_is_not_reviewed(house: SmallHouse) -> None:
    old = house.score_one(crossing("old"))
    house.score_one(crossing("old", revision=1))
    with pytest.raises(SupersededRevisionError):
        house.review(actor(role=Role.ANALYST), ReviewRequest(decision_id=old.decision.decision_id, **FOLLOW))


def test_a_withdrawn_crossing_is_not_reviewed(house: SmallHouse) -> None:
    record = house.score_one(crossing("withdrawn"))
    house.score_one(crossing("withdrawn", revision=1), is_void=True)
    with pytest.raises(SupersededRevisionError, match="withdrawn"):
        house.review(actor(role=Role.ANALYST), ReviewRequest(decision_id=record.decision.decision_id, **FOLLOW))


def test_a_test_key_reviews_only_the_test_log(house: SmallHouse) -> None:
    live = house.score_one(crossing("apart"))
    with pytest.raises(NotFoundError):
        house.review(
            actor(role=Role.ANALYST, is_test=True), ReviewRequest(decision_id=live.decision.decision_id, **FOLLOW)
        )
