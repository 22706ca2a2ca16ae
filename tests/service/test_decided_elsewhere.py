"""What was decided elsewhere reaches results, corrections and exported history; older payloads are as they were."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from chekara.adapters.export import export_history
from chekara.data.identity import EntityTokens, load_entity_secret
from chekara.data.sources import load_history
from chekara.domain.decision import DecidedElsewhere
from chekara.domain.vocabulary import Lane, ReviewAction, Role
from chekara.service.payload import content_bytes, parsed
from chekara.service.records import Chain, InspectionRecord
from chekara.service.review import ReviewRequest
from tests.small_house import START, SmallHouse, actor, crossing, got, policy_asking, request, result, sent, small_house

LOT = DecidedElsewhere(Lane.RED, START - timedelta(minutes=9), "asycuda-7", "random", 0.25)
RULE = DecidedElsewhere(Lane.YELLOW, START - timedelta(minutes=9), "asycuda-7", "rule")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[SmallHouse]:
    opened = small_house(tmp_path / "home", policy=policy_asking("red"))
    yield opened
    opened.database.close()


def told(house: SmallHouse, of, elsewhere: DecidedElsewhere | None):
    return got(house.score([replace(request(of), decided_elsewhere=elsewhere)])[0])


def recorded(house: SmallHouse, **changes) -> tuple[str | None, float | None]:
    [outcome] = house.score([sent(result(**changes))])
    assert isinstance(outcome, InspectionRecord), outcome
    return outcome.inspection.selected_by, outcome.inspection.propensity


def test_it_is_kept_as_it_was_told_and_the_recommendation_stays(house: SmallHouse) -> None:
    record = told(house, crossing(), LOT)
    assert record.decision.lane is Lane.RED, "what the model recommends"
    assert record.decision.actions, "what would have been asked for"
    assert record.decision.selected_by == "random"
    assert house.log.decision(Chain.LIVE, record.decision.decision_id) == record


@pytest.mark.parametrize(
    ("elsewhere", "expected"),
    [
        (LOT, ("random", 0.25)),
        (RULE, ("rule", None)),
        (replace(LOT, lane=Lane.GREEN), ("officer", None)),
        (None, ("model", None)),
    ],
)
def test_a_result_was_selected_by_what_demanded_the_lane(
    house: SmallHouse, elsewhere: DecidedElsewhere | None, expected: tuple[str, float | None]
) -> None:
    told(house, crossing(), elsewhere)
    assert recorded(house) == expected


def test_what_the_sender_of_a_result_says_counts_more_except_of_a_draw(house: SmallHouse) -> None:
    told(house, crossing(), RULE)
    assert recorded(house, selected_by="mandatory") == ("mandatory", None)
    told(house, crossing("c2"), LOT)
    assert recorded(house, inspection_id="i2", crossing_id="c2", selected_by="mandatory") == ("random", 0.25)


@pytest.mark.parametrize(("elsewhere", "expected"), [(RULE, ("officer", None)), (LOT, ("random", 0.25))])
def test_an_officer_who_chose_another_lane_afterwards_selected_it_unless_it_was_drawn(
    house: SmallHouse, elsewhere: DecidedElsewhere, expected: tuple[str, float | None]
) -> None:
    record = told(house, crossing(), elsewhere)
    analyst = actor(role=Role.ANALYST, holder="officer 9")
    house.review(
        analyst,
        ReviewRequest(
            decision_id=record.decision.decision_id,
            action=ReviewAction.OVERRIDE,
            reason="Audit its books",
            lane=Lane.BLUE,
        ),
    )
    assert recorded(house) == expected


def test_a_draw_that_is_told_of_a_decided_crossing_is_somebodys_choice(house: SmallHouse) -> None:
    """Whoever has read the score could choose what enters the sample."""
    told(house, crossing(), None)
    record = told(house, crossing(revision=1), LOT)
    assert record.decision.decided_elsewhere == replace(LOT, basis="officer", propensity=None)
    assert recorded(house) == ("officer", None)
    told(house, crossing("c2"), RULE)
    assert told(house, crossing("c2", revision=1), LOT).decision.decided_elsewhere.propensity is None
    told(house, crossing("c3"), LOT)
    changed = replace(LOT, lane=Lane.YELLOW)
    assert told(house, crossing("c3", revision=1), changed).decision.decided_elsewhere == changed, "told at once"


def test_a_correction_takes_nothing_back_and_lowers_no_lane(house: SmallHouse, tmp_path: Path) -> None:
    told(house, crossing(), LOT)
    house.database.close()
    calm = small_house(tmp_path / "home", policy=policy_asking("blue"))
    corrected = told(calm, crossing(revision=1, value=77.0), None)
    assert corrected.decision.decided_elsewhere == LOT
    assert corrected.decision.lane is Lane.RED
    assert recorded(calm) == ("random", 0.25)
    calm.database.close()


def test_the_exported_history_holds_the_draw(house: SmallHouse, tmp_path: Path) -> None:
    told(house, crossing(), LOT)
    told(house, crossing("c2"), RULE)
    house.score([sent(result("i1")), sent(result("i2", crossing_id="c2"))])
    export_history(house.settings, tmp_path / "out")
    history = load_history(tmp_path / "out", tokens=EntityTokens(load_entity_secret(house.settings)))
    rows = history.inspections.set_index("inspection_id")
    assert rows.loc["i1", ["selected_by", "propensity"]].tolist() == ["random", 0.25]
    assert rows.loc["i2", "selected_by"] == "rule"


def test_where_nothing_was_decided_elsewhere_nothing_is_written(house: SmallHouse) -> None:
    told(house, crossing(), None)
    told(house, crossing("c2"), LOT)
    with house.database.reading() as connection:
        bodies = [parsed(row[0]) for row in connection.exec_driver_sql("SELECT body FROM payloads ORDER BY position")]
        rows = connection.exec_driver_sql("SELECT position FROM decided_elsewhere").fetchall()
    assert ["decided_elsewhere" in body for body in bodies if "decision_id" in body] == [False, True]
    assert len(rows) == 1
    assert b"elsewhere" not in content_bytes(crossing(), {}, is_void=False), "an older body keeps its fingerprint"
