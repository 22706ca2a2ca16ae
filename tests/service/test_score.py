"""Scoring a micro-batch: numbers add up, revisions behave, one bad crossing sinks nobody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import func, select, text

from chekara.adapters.tables import decisions, log, payloads
from chekara.domain.vocabulary import Lane, ReviewAction, Role
from chekara.errors import (
    AuditError,
    LogUnavailableError,
    NotFoundError,
    NotReadyError,
    RevisionConflictError,
    SupersededRevisionError,
)
from chekara.features.build import items_from_crossings
from chekara.service.chain import canonical_json
from chekara.service.payload import decision_from, parsed, plain_decision, scoring_from
from chekara.service.records import Chain
from chekara.service.replay import replay_decision
from chekara.service.review import ReviewRequest
from tests.small_house import (
    START,
    SmallHouse,
    actor,
    crossing,
    got,
    policy_asking,
    request,
    small_house,
    small_model,
)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[SmallHouse]:
    opened = small_house(tmp_path)
    yield opened
    opened.database.close()


def rows(house: SmallHouse, table=decisions) -> int:
    with house.database.reading() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_contributions_add_up_to_the_margin_of_the_highest_item(house: SmallHouse) -> None:
    given = [crossing(f"c{i}", value=300.0 + 90 * i, items=1 + i % 4) for i in range(30)]
    for record, one in zip(house.score([request(one) for one in given]), given, strict=True):
        (score,) = got(record).decision.domains
        assert score.base_value + sum(score.contributions.values()) == pytest.approx(score.margin, abs=1e-6)
        items, _ = items_from_crossings([one])
        margins = small_model().booster.predict(small_model().encode(small_model().features(items)), raw_score=True)
        assert score.margin == pytest.approx(margins.max(), abs=1e-9)
        assert score.item_no == int(np.argmax(margins)) + 1
        assert score.interval[0] <= score.probability <= score.interval[1]
        amounts = small_model().expected_amount(small_model().features(items))
        assert score.expected_amount == amounts[score.item_no - 1]


def test_of_equal_goods_lines_the_lowest_number_is_told_wherever_it_stands(house: SmallHouse) -> None:
    (line,) = crossing("equal").items
    numbered = tuple({**line, "item_no": number} for number in (7, 3, 5))
    record = house.score_one(replace(crossing("equal"), items=numbered))
    assert [score.item_no for score in record.decision.domains] == [3]
    scoring = house.log.scoring(Chain.LIVE, record.decision.decision_id)
    assert scoring is not None
    assert replay_decision(record, scoring, lambda _: small_model()).is_same


def test_a_batch_scores_as_its_rows_one_by_one(house: SmallHouse, tmp_path: Path) -> None:
    given = [crossing(f"c{i}", value=200.0 * (i + 1), items=1 + i % 3) for i in range(12)]
    together = [got(one).decision.domains for one in house.score([request(one) for one in given])]
    alone = small_house(tmp_path / "alone")
    assert [alone.score_one(one).decision.domains for one in given] == together
    alone.database.close()


def test_what_is_answered_is_what_is_stored(house: SmallHouse) -> None:
    answered = house.score_one(crossing(items=3, weighed_mass_kg=900.0), labels={"plate": "01 KG 777 ABC"})
    assert house.log.decision(Chain.LIVE, answered.decision.decision_id) == answered
    assert answered.decision.position == 1


def test_entity_ids_are_tokens_and_labels_are_sealed(house: SmallHouse) -> None:
    record = house.score_one(crossing(), labels={"plate": "CANARY 01 KG"})
    assert record.labels == {"plate": "CANARY 01 KG"}
    assert str(record.crossing.header["vehicle_id"]).startswith("veh")
    house.database.close()
    dump = b"".join(path.read_bytes() for path in house.settings.home.glob("chekara.db*"))
    assert b"CANARY" not in dump
    assert b"01KG777ABC" not in dump
    assert b"importer 7" not in dump


def test_the_same_body_again_gives_the_stored_decision(house: SmallHouse) -> None:
    first = house.score_one(crossing(value=777.0))
    spelled_otherwise = crossing(value=777)
    same_instant = START.astimezone(timezone(timedelta(hours=6)))
    again = house.score_one(replace(spelled_otherwise, occurred_at=same_instant, known_at=same_instant))
    assert again == first
    assert rows(house) == 1


@pytest.mark.parametrize("different", [{"value": 2.0}, {"seal_status": "broken"}, {"items": 2}])
def test_the_same_revision_with_another_body_is_a_conflict(house: SmallHouse, different: dict) -> None:
    house.score_one(crossing())
    with pytest.raises(RevisionConflictError):
        house.score_one(crossing(**different))
    assert rows(house) == 1


def test_other_labels_are_another_body(house: SmallHouse) -> None:
    house.score_one(crossing(), labels={"plate": "A"})
    with pytest.raises(RevisionConflictError):
        house.score_one(crossing(), labels={"plate": "B"})


def test_fifty_copies_in_one_group_make_one_record(house: SmallHouse) -> None:
    outcomes = [got(one) for one in house.score([request(crossing())] * 50)]
    assert all(one == outcomes[0] for one in outcomes)
    assert rows(house) == rows(house, log) == rows(house, payloads) == 1


def test_a_higher_revision_supersedes_and_a_lower_one_is_too_late(house: SmallHouse) -> None:
    first = house.score_one(crossing())
    third = house.score_one(crossing(revision=3, value=5.0))
    seen = house.log.decision(Chain.LIVE, first.decision.decision_id)
    assert seen is not None
    assert seen.superseded_by == third.decision.decision_id
    with pytest.raises(SupersededRevisionError):
        house.score_one(crossing(revision=2))
    assert house.score_one(crossing()).decision.decision_id == first.decision.decision_id


def test_revisions_in_one_group_count_in_their_order(house: SmallHouse) -> None:
    outcomes = house.score([request(crossing(revision=r, value=100.0 + r)) for r in (0, 1, 1, 0)])
    assert [got(one).decision.revision for one in outcomes] == [0, 1, 1, 0]
    assert got(outcomes[3]).superseded_by == got(outcomes[1]).decision.decision_id
    assert rows(house) == 2


def test_no_lane_is_lowered_by_a_revision(tmp_path: Path) -> None:
    strict = small_house(tmp_path, policy=policy_asking("red"))
    assert strict.score_one(crossing()).decision.lane is Lane.RED
    strict.database.close()
    mild = small_house(tmp_path, policy=policy_asking("blue"))
    revised = mild.score_one(crossing(revision=1, value=9e6)).decision
    assert (revised.lane, revised.selected_by) == (Lane.RED, "model")
    assert {action.lane for action in revised.actions} == {Lane.RED}
    mild.database.close()


def test_a_person_lowers_a_lane_and_the_next_revision_keeps_to_it(tmp_path: Path) -> None:
    strict = small_house(tmp_path, policy=policy_asking("red"))
    first = strict.score_one(crossing())
    officer = actor(role=Role.ANALYST, holder="A. Officer")
    strict.review(
        officer,
        ReviewRequest(
            decision_id=first.decision.decision_id, action=ReviewAction.OVERRIDE, lane=Lane.YELLOW, reason="seen"
        ),
    )
    strict.database.close()
    mild = small_house(tmp_path, policy=policy_asking("blue"))
    revised = mild.score_one(crossing(revision=1)).decision
    assert (revised.lane, revised.selected_by) == (Lane.YELLOW, "officer")
    mild.database.close()


def test_a_withdrawn_crossing_keeps_its_decision_and_says_so(house: SmallHouse) -> None:
    first = house.score_one(crossing())
    withdrawn = house.score_one(crossing(), is_void=True)
    assert withdrawn.is_void
    assert [notice.code for notice in withdrawn.decision.warnings][-1] == "void"
    assert withdrawn.decision.decision_id == first.decision.decision_id
    assert house.score_one(crossing(), is_void=True) == withdrawn
    assert rows(house, log) == 2
    assert not house.score_one(crossing(revision=1)).is_void


def test_what_was_never_scored_cannot_be_withdrawn(house: SmallHouse) -> None:
    with pytest.raises(NotFoundError):
        house.score_one(crossing("never"), is_void=True)
    assert rows(house, log) == 0


def test_test_keys_have_a_chain_and_a_memory_of_their_own(house: SmallHouse) -> None:
    trial = house.score_one(crossing(), by=actor(is_test=True))
    live = house.score_one(crossing(value=5.0))
    assert (trial.chain, live.chain) == (Chain.TEST, Chain.LIVE)
    assert (trial.decision.position, live.decision.position) == (1, 1)
    assert "test_key" in {notice.code for notice in trial.decision.warnings}
    assert len(house.log.ranked_margins(small_model().identity.digest, 10)) == 1


@pytest.mark.parametrize("place", range(5))
def test_a_poison_crossing_gets_its_own_error(house: SmallHouse, place: int) -> None:
    group = [crossing(f"c{i}", value=100.0 * (i + 1)) for i in range(5)]
    group[place] = replace(group[place], items=({"item_no": 1, "declared_value": "not a number"},))
    outcomes = house.score([request(one) for one in group])
    assert [isinstance(one, Exception) for one in outcomes] == [i == place for i in range(5)]
    assert rows(house) == 4
    good = next(i for i in range(5) if i != place)
    assert got(outcomes[good]) == house.score_one(group[good])


def test_domains_without_a_champion_are_left_out_with_a_warning(house: SmallHouse) -> None:
    decision = house.score_one(crossing()).decision
    missing = {notice.domain for notice in decision.warnings if notice.code == "no_model"}
    assert missing == set(house.policy.domains) - {"revenue_fraud"}


def test_without_any_champion_nothing_is_scored_but_stored_decisions_are_told(house: SmallHouse) -> None:
    first = house.score_one(crossing())
    house.champions.models.clear()
    with pytest.raises(NotReadyError):
        house.score_one(crossing("c2"))
    assert house.score_one(crossing()) == first


def test_unseen_categories_and_foreign_movements_are_told(house: SmallHouse) -> None:
    decision = house.score_one(crossing(crossing_point="NEW-POST")).decision
    assert ("unseen_category", "crossing_point", "revenue_fraud") in {
        (notice.code, notice.field, notice.domain) for notice in decision.warnings
    }
    transit = house.score_one(crossing("c2", movement="transit")).decision
    assert transit.domains == ()
    assert transit.lane is Lane.GREEN
    assert ("not_applicable", "revenue_fraud") in {(notice.code, notice.domain) for notice in transit.warnings}


def test_a_value_that_training_always_had_is_told_once_where_it_is_missing(house: SmallHouse) -> None:
    whole, bare = crossing("c1", items=3), crossing("c2", items=3)
    bare = replace(bare, items=({"item_no": 1, "net_mass_kg": 250.0}, {"item_no": 2}, *bare.items[2:]))
    told = [
        [notice.field for notice in house.score_one(one).decision.warnings if notice.code == "missing_value"]
        for one in (whole, bare)
    ]
    assert told == [[], ["declared_value", "net_mass_kg", "origin_country"]]


def test_as_of_is_receipt_on_a_live_clock_and_known_at_on_a_replayed_one(house: SmallHouse, tmp_path: Path) -> None:
    live = house.score_one(crossing())
    assert live.crossing.known_at == START + timedelta(minutes=5)
    replaying = small_house(tmp_path / "replay", clock="replay")
    replayed = replaying.score_one(crossing())
    assert replayed.crossing.known_at == replayed.decision.scored_at == START
    assert replayed.decision.clock == "replay"
    assert "replayed_clock" in {notice.code for notice in replayed.decision.warnings}
    replaying.database.close()


def test_a_stored_decision_replays_to_the_same_numbers(house: SmallHouse) -> None:
    record = house.score_one(crossing(items=4, value=333.0))
    scoring = house.log.scoring(Chain.LIVE, record.decision.decision_id)
    assert scoring is not None
    assert replay_decision(record, scoring, lambda _: small_model()).is_same
    other = replay_decision(record, scoring, lambda _: small_model(2))
    assert "margin" in {difference.what for difference in other.differences}
    assert "expected_amount" in {difference.what for difference in other.differences}
    cheaper = replace(record, crossing=crossing(items=4, value=1.0))
    assert "feature declared_value" in {
        difference.what for difference in replay_decision(cheaper, scoring, lambda _: small_model()).differences
    }


def test_a_decision_of_another_format_is_refused_by_name(house: SmallHouse) -> None:
    record = house.score_one(crossing(items=2))
    scoring = house.log.scoring(Chain.LIVE, record.decision.decision_id)
    assert scoring is not None
    plain = parsed(canonical_json(plain_decision(record, content="", sealed_labels=None, scoring=scoring)))
    assert decision_from(plain, chain=Chain.LIVE, position=1, labels={}).decision.domains == record.decision.domains
    for read in (
        lambda: decision_from(plain | {"format": 1}, chain=Chain.LIVE, position=1, labels={}),
        lambda: scoring_from(plain | {"format": 1}),
    ):
        with pytest.raises(AuditError, match="another version"):
            read()


def test_a_model_that_knows_no_amounts_tells_none(tmp_path: Path) -> None:
    silent = replace(small_model(), severity=None)
    opened = small_house(tmp_path, champions={"revenue_fraud": silent})
    record = opened.score_one(crossing())
    assert [score.expected_amount for score in record.decision.domains] == [None]
    assert opened.log.decision(Chain.LIVE, record.decision.decision_id) == record
    scoring = opened.log.scoring(Chain.LIVE, record.decision.decision_id)
    assert scoring is not None
    assert replay_decision(record, scoring, lambda _: silent).is_same
    opened.database.close()


def test_ranks_count_a_crossing_once_and_survive_a_restart(tmp_path: Path) -> None:
    steady, stopping = small_house(tmp_path / "steady"), small_house(tmp_path / "stopping")
    given = [crossing(f"c{i % 7}", revision=i // 7, value=50.0 + 400 * (i % 5)) for i in range(20)]
    expected = [steady.score_one(one).decision.domains[0].rank for one in given]
    ranks = []
    for i, one in enumerate(given):
        if i in (5, 13):
            stopping = stopping.restarted()
        ranks.append(stopping.score_one(one).decision.domains[0].rank)
    assert ranks == expected
    assert len(stopping.log.ranked_margins(small_model().identity.digest, 100)) == 7
    steady.database.close()
    stopping.database.close()


def test_what_could_not_be_recorded_leaves_no_trace_in_the_ranks(house: SmallHouse, tmp_path: Path) -> None:
    with house.database.engine.connect() as connection:
        connection.execute(text("ALTER TABLE payloads RENAME TO away"))
        connection.commit()
        with pytest.raises(LogUnavailableError):
            house.score([request(crossing(f"lost {i}", value=1e7)) for i in range(200)])
        connection.execute(text("ALTER TABLE away RENAME TO payloads"))
        connection.commit()
    untouched = small_house(tmp_path / "untouched")
    expected = untouched.score_one(crossing(value=1e7)).decision.domains[0].rank
    assert house.score_one(crossing(value=1e7)).decision.domains[0].rank == expected
    untouched.database.close()


def test_what_nobody_expected_of_one_request_is_its_own_problem(tmp_path: Path) -> None:
    house = small_house(tmp_path, clock="replay", policy=policy_asking("red"))
    given = [crossing(f"c{i}", value=100.0 * (i + 1)) for i in range(9)]
    # Controls would be due after the end of the calendar.
    given[4] = replace(given[4], known_at=datetime.max.replace(tzinfo=UTC))
    outcomes = house.score([request(one) for one in given])
    assert isinstance(outcomes[4], OverflowError)
    others = [got(one) for i, one in enumerate(outcomes) if i != 4]
    assert [one.decision.position for one in others] == list(range(1, 9))
    assert rows(house) == 8
    with pytest.raises(OverflowError):
        house.score([request(given[4])])
    house.database.close()

    alone = small_house(tmp_path / "alone", clock="replay", policy=policy_asking("red"))
    assert [alone.score_one(one).decision.domains for i, one in enumerate(given) if i != 4] == [
        one.decision.domains for one in others
    ], "nothing that was taken back counts in ranks or profiles"
    alone.database.close()


STRANGER = actor("agriculture")  # neither asked, nor leads the one domain with a model


@pytest.mark.parametrize("is_void", [True, False])
def test_a_stranger_changes_no_crossing_and_cannot_tell_that_it_is_there(house: SmallHouse, is_void: bool) -> None:
    record = house.score_one(crossing("ours"))
    house.score_one(crossing("ours", revision=2))
    before = rows(house, log)
    for revision in (1, 3):
        with pytest.raises(NotFoundError) as refused:
            house.score_one(crossing("ours", revision=revision, value=1.0), by=STRANGER, is_void=is_void)
        with pytest.raises(NotFoundError) as never:
            house.score_one(crossing("never"), by=STRANGER, is_void=True)
        assert str(refused.value) == str(never.value)
    assert rows(house, log) == before
    stored = house.log.decision(Chain.LIVE, record.decision.decision_id)
    assert stored is not None
    assert not stored.is_void


@pytest.mark.parametrize("agency", ["customs", "border_service", "agriculture"])
def test_who_asked_leads_or_coordinates_may_change_a_crossing(house: SmallHouse, agency: str) -> None:
    house.score_one(crossing("theirs"), by=STRANGER)
    house.score_one(crossing("theirs", revision=1), by=actor("customs"))
    house.score_one(crossing("theirs", revision=2), by=actor(agency))
    assert house.score_one(crossing("theirs", revision=3), by=actor(agency), is_void=True).is_void
