"""One crossing, one joint control: its id outlives revisions, and results are tied to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chekara.adapters.export import export_history
from chekara.data.identity import EntityTokens, load_entity_secret
from chekara.data.sources import load_history
from chekara.domain.vocabulary import Role
from chekara.service.records import InspectionRecord
from tests.small_house import SmallHouse, actor, crossing, policy_asking, result, sent, small_house


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallHouse]:
    opened = small_house(tmp_path_factory.mktemp("house"), policy=policy_asking("red"))
    yield opened
    opened.database.close()


def test_a_revision_stays_the_same_control(house: SmallHouse) -> None:
    first = house.score_one(crossing("one"))
    second = house.score_one(crossing("one", revision=1, value=2000.0))
    other = house.score_one(crossing("other"))
    assert first.decision.control_id is not None
    assert second.decision.control_id == first.decision.control_id != other.decision.control_id


def test_results_of_all_domains_are_tied_to_it(house: SmallHouse) -> None:
    record = house.score_one(crossing("tied"))
    results = [
        result("tied 1", crossing_id="tied"),
        result("tied 2", crossing_id="tied", domain="contraband", found=False, details={"status": "done"}),
        result("own", crossing_id="tied", details={"status": "done", "result": "confirmed", "control_id": "C 7"}),
    ]
    kept = house.score([sent(one) for one in results])
    ids = [one.inspection.details["control_id"] for one in kept if isinstance(one, InspectionRecord)]
    assert ids == [record.decision.control_id, record.decision.control_id, "C 7"]
    read = house.read.results(actor("border_service", Role.ANALYST), record)
    assert [one.inspection.details["control_id"] for one in read] == ids
    # The same body again is the same result, though it names no control.
    assert house.score([sent(results[0])]) == [kept[0]]


def test_where_nothing_was_asked_for_there_is_no_control(tmp_path_factory: pytest.TempPathFactory) -> None:
    house = small_house(tmp_path_factory.mktemp("quiet"), policy=policy_asking("none"))
    record = house.score_one(crossing("quiet"))
    (kept,) = house.score([sent(result("i", crossing_id="quiet"))])
    assert isinstance(kept, InspectionRecord)
    assert (record.decision.control_id, "control_id" in kept.inspection.details) == (None, False)
    house.database.close()


def test_an_export_ties_the_results_of_one_control_together(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("export")
    house = small_house(folder / "home", policy=policy_asking("red"))
    record = house.score_one(crossing("out"))
    results = [result("out 1", crossing_id="out"), result("out 2", crossing_id="out", domain="contraband")]
    house.score([sent(one) for one in results])
    export_history(house.settings, folder / "out")
    exported = load_history(folder / "out", tokens=EntityTokens(load_entity_secret(house.settings))).inspections
    assert exported["control_id"].tolist() == [record.decision.control_id] * 2
    house.database.close()
