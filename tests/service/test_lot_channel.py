"""What a result of a drawn crossing is recorded as: the draw is the service's to tell, whoever sends what."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from chekara.domain.vocabulary import Lane, ReviewAction, Role
from chekara.service.review import ReviewRequest
from tests.lots import drawing_house, policy_drawing
from tests.small_house import SmallHouse, actor, crossing, request, result, sent

NOT_DONE = {"status": "not_done"}


@pytest.fixture
def drawn(tmp_path: Path) -> Iterator[SmallHouse]:
    """Open a house in which one crossing was drawn for revenue fraud alone, at a half of all crossings."""
    house = drawing_house(tmp_path, policy_drawing(0.5, "revenue_fraud"))
    house.score_one(crossing(drawn_id(house)))
    yield house
    house.database.close()


def drawn_id(house: SmallHouse, *, is_drawn: bool = True) -> str:
    """Return an id that the seed of zeros draws, or does not, by the written formula."""
    import hashlib
    import hmac

    for i in range(100):
        message = f"chekara-lot-1\nlot\nrevenue_fraud\nc{i}".encode()
        share = int(hmac.new(bytes(32), message, hashlib.sha256).hexdigest()[:16], 16) / 2**64
        if (share < house.policy.lot.propensity) is is_drawn:
            return f"c{i}"
    raise AssertionError


def channel(house: SmallHouse, inspection_id: str = "i1", **changes) -> tuple[str | None, float | None]:
    of = result(inspection_id, **({"crossing_id": drawn_id(house)} | changes))
    [outcome] = house.score([sent(of)])
    if isinstance(outcome, Exception):
        raise outcome
    return outcome.inspection.selected_by, outcome.inspection.propensity


def test_the_draw_fills_channel_and_propensity(drawn: SmallHouse) -> None:
    assert channel(drawn) == ("random", 0.5)
    assert channel(drawn, "i2", domain="contraband") == ("officer", None), "only revenue fraud was drawn"


@pytest.mark.parametrize("told", [("officer", None), ("random", 0.9), ("random", None), ("model", None)])
def test_no_sender_changes_what_was_drawn(drawn: SmallHouse, told: tuple[str, float | None]) -> None:
    assert channel(drawn, selected_by=told[0], propensity=told[1]) == ("random", 0.5)


def test_a_draw_that_never_was_is_not_recorded_as_one_and_nobody_is_told(drawn: SmallHouse) -> None:
    other = drawn_id(drawn, is_drawn=False)
    drawn.score_one(crossing(other))
    told = channel(drawn, crossing_id=other, selected_by="random", propensity=0.5)
    assert told[0] in ("model", "officer")
    assert told[1] is None
    assert channel(drawn, "i2", crossing_id=other, selected_by="intelligence") == ("intelligence", None)


def test_a_lot_of_somebody_else_is_their_word_where_the_service_draws_none(drawn: SmallHouse) -> None:
    told = channel(drawn, domain="contraband", selected_by="random", propensity=0.1)
    assert told == ("random", 0.1)


@pytest.mark.parametrize("action", [ReviewAction.OVERRIDE, ReviewAction.REFER])
def test_a_drawn_crossing_stays_random_whatever_officers_do(drawn: SmallHouse, action: ReviewAction) -> None:
    decision = drawn.log.decision(*_found(drawn))
    assert decision is not None
    what = {"lane": Lane.GREEN} if action is ReviewAction.OVERRIDE else {"refer_to": "border_service"}
    drawn.review(
        actor(role=Role.SUPERVISOR),
        ReviewRequest(decision_id=decision.decision.decision_id, action=action, reason="a queue", **what),
    )
    assert channel(drawn) == ("random", 0.5)


def test_a_control_that_somebody_chose_after_an_undone_draw_is_no_draw(drawn: SmallHouse) -> None:
    assert channel(drawn, "i1", found=False, details=NOT_DONE) == ("random", 0.5)
    assert channel(drawn, "i2") == ("officer", None)
    assert channel(drawn, "i1", revision=1) == ("random", 0.5), "made after all"


def test_a_correction_keeps_the_draw_and_draws_nothing_anew(drawn: SmallHouse) -> None:
    one = drawn_id(drawn)
    again = drawn.score_one(crossing(one, revision=1, value=5.0, crossing_point="KG-02"))
    assert [draw.is_drawn for draw in again.decision.grounds.draws] == [True]
    assert channel(drawn) == ("random", 0.5)


def test_what_a_test_key_sends_draws_nothing(drawn: SmallHouse) -> None:
    [trial] = drawn.score([request(crossing(drawn_id(drawn)), by=actor(is_test=True))])
    assert not isinstance(trial, Exception)
    assert trial.decision.grounds.draws == ()


def test_nobody_is_sent_to_a_control_that_cannot_be_made(drawn: SmallHouse) -> None:
    """A transit is no matter of revenue: its draw is kept for whoever checks the lot, and asks for nothing."""
    drawn_one = drawn_id(drawn)
    made = drawn.score_one(crossing(f"{drawn_one}-x"))
    transits = [drawn.score_one(crossing(f"t{n}", movement="transit")) for n in range(20)]
    [record, *_] = [one for one in transits if any(draw.is_drawn for draw in one.decision.grounds.draws)]
    assert record.decision.grounds.not_applicable == ("revenue_fraud",)
    assert (record.decision.lane, record.decision.actions, record.decision.selections) == (Lane.GREEN, (), ())
    assert made.decision.grounds.not_applicable == ()
    stored = drawn.read.decision(actor(role=Role.AUDITOR), record.decision.decision_id)
    assert stored.decision.grounds == record.decision.grounds
    with drawn.database.reading() as connection:
        query = text("SELECT count(*) FROM lot_draws WHERE crossing_id = :one")
        assert connection.execute(query, {"one": record.crossing.crossing_id}).scalar_one() == 0


def _found(house: SmallHouse):
    from chekara.service.records import Chain, DecisionFilter

    [record] = house.read.decisions(actor(), DecisionFilter()).records
    return Chain.LIVE, record.decision.decision_id
