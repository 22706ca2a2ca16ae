"""What the lot brought leaves with arm and propensity, and what nobody made leaves as not done."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from chekara.adapters.export import export_history, sentences_of
from chekara.adapters.lot_seeds import LotBook, ServingSeeds
from chekara.adapters.lot_watch import LotWatch
from chekara.data.labels import TargetRule, label_crossings
from chekara.data.lot import draws_by_intention, lot_controls
from chekara.data.report import check_history
from chekara.data.sources import load_history
from chekara.domain.vocabulary import Lane, ReviewAction, Role
from chekara.evaluation.intention import lot_rate
from chekara.policy.lot import is_drawn
from chekara.service.records import DecisionFilter
from chekara.service.review import ReviewRequest
from tests.lots import ZEROS, drawing_house, policy_drawing
from tests.small_house import SmallHouse, actor, crossing, request, result, sent

DOMAIN = "revenue_fraud"
SHARE = 0.5
IDS = [f"c{i}" for i in range(40)]
DRAWN = [i for i in IDS if is_drawn(ZEROS, arm="lot", domain=DOMAIN, crossing_id=i, propensity=SHARE)]
RULE = TargetRule(domain=DOMAIN)
NOT_DONE = {"status": "not_done"}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[SmallHouse]:
    """Open a house that drew half of forty crossings: most were made, one was given up, two nobody ever made."""
    opened = drawing_house(tmp_path / "home", policy_drawing(SHARE, DOMAIN))
    opened.score([request(crossing(one)) for one in IDS])
    opened.score([request(crossing(DRAWN[1], revision=1, value=5.0))])
    made = [sent(result(f"i{one}", crossing_id=one, found=n % 4 == 0, details={})) for n, one in enumerate(DRAWN[3:])]
    opened.score([sent(result("given up", crossing_id=DRAWN[2], found=False, details=NOT_DONE)), *made])
    yield opened
    opened.database.close()


def later() -> datetime:
    return datetime.now(UTC) + timedelta(days=10)


def test_every_draw_is_there_once_drawn_or_not(house: SmallHouse, tmp_path: Path) -> None:
    written = export_history(house.settings, tmp_path / "out")
    draws = pd.read_parquet(tmp_path / "out" / "draws.parquet")
    assert written.draws == len(draws) == len(IDS)
    assert set(draws.loc[draws["is_drawn"], "crossing_id"]) == set(DRAWN)
    assert (set(draws["arm"]), set(draws["domain"]), set(draws["propensity"])) == ({"lot"}, {DOMAIN}, {SHARE})


def test_a_crossing_that_cannot_be_controlled_is_no_part_of_the_sample(house: SmallHouse, tmp_path: Path) -> None:
    house.score([request(crossing(f"t{n}", movement="transit")) for n in range(20)])
    assert export_history(house.settings, tmp_path / "out", clock=later).undone == 2
    draws = pd.read_parquet(tmp_path / "out" / "draws.parquet")
    assert set(draws["crossing_id"]) == set(IDS)


def test_a_draw_that_nobody_made_is_a_result_that_says_so(house: SmallHouse, tmp_path: Path) -> None:
    early = export_history(house.settings, tmp_path / "early")
    written = export_history(house.settings, tmp_path / "out", clock=later)
    assert (early.undone, written.undone, written.results - early.results) == (0, 2, 2)
    assert any("2 of the results are draws" in said for said in sentences_of(written, tmp_path))
    history = load_history(tmp_path / "out")
    assert history.refusals == ()
    undone = history.inspections.query("status == 'not_done'").set_index("crossing_id")
    assert set(undone.index) == set(DRAWN[:3])
    assert (undone["selected_by"].unique().tolist(), undone["propensity"].unique().tolist()) == (["random"], [SHARE])
    assert not check_history(tmp_path / "out").has_violations


def test_a_withdrawn_crossing_that_comes_after_all_keeps_its_draw(house: SmallHouse, tmp_path: Path) -> None:
    """Void, then a higher revision: the crossing came, so its draw counts; one that stays void is counted apart."""
    first, second = DRAWN[0], DRAWN[1]
    house.score(
        [request(crossing(first, revision=1), is_void=True), request(crossing(second, revision=2), is_void=True)]
    )
    watch = LotWatch(house.database, house.policy, ServingSeeds(LotBook(house.database, house.settings)), clock=later)
    whole = watch.status()[0]
    assert (whole.drawn, whole.withdrawn, whole.withdrawn_crossings) == (len(DRAWN) - 2, 2, 2)
    assert (whole.crossings, whole.elsewhere) == (len(IDS) - 2, 0)
    house.score([request(crossing(first, revision=2))])
    whole = watch.status()[0]
    assert (whole.drawn, whole.withdrawn, whole.crossings) == (len(DRAWN) - 1, 1, len(IDS) - 1)
    assert export_history(house.settings, tmp_path / "out", clock=later).undone == 1
    undone = load_history(tmp_path / "out").inspections.query("status == 'not_done'")
    assert set(undone["crossing_id"]) == {first, DRAWN[2]}


def test_a_draw_whose_time_ran_out_since_comes_with_its_crossing(house: SmallHouse, tmp_path: Path) -> None:
    since = datetime.now(UTC) + timedelta(days=1)
    written = export_history(house.settings, tmp_path / "out", since=since, clock=later)
    history = load_history(tmp_path / "out")
    assert written.undone == 2
    assert set(history.crossings["crossing_id"]) == set(history.inspections["crossing_id"]) == set(DRAWN[:2])


def test_labels_and_the_rate_of_the_lot_see_the_propensities(house: SmallHouse, tmp_path: Path) -> None:
    export_history(house.settings, tmp_path / "out", clock=later)
    history = load_history(tmp_path / "out")
    labels = label_crossings(history.inspections, RULE, later())
    assert set(labels["selected_by"]) == {"random"}
    assert labels["propensity"].tolist() == [SHARE] * (len(DRAWN) - 3)
    draws = draws_by_intention(lot_controls(history.inspections, RULE), history.crossings, history.crossing_points)
    rate = lot_rate(draws["hit"], 1 / draws["propensity"], draws["post"] + draws["shift"])
    assert (rate.drawn, rate.unknown) == (len(DRAWN), 3)
    hits = -(-(len(DRAWN) - 3) // 4)
    assert rate.hits == hits
    assert rate.rate.value == pytest.approx(hits / (len(DRAWN) - 3))
    assert rate.bounds == pytest.approx((hits / len(DRAWN), (hits + 3) / len(DRAWN)))


def test_overrides_and_referrals_leave_beside_the_history(house: SmallHouse, tmp_path: Path) -> None:
    [decision] = house.read.decisions(actor(), DecisionFilter(crossing_id=DRAWN[4])).records
    what = {"decision_id": decision.decision.decision_id, "reason": "a secret of an officer"}
    supervisor = actor(role=Role.SUPERVISOR)
    house.review(supervisor, ReviewRequest(action=ReviewAction.OVERRIDE, lane=Lane.BLUE, **what))
    house.review(supervisor, ReviewRequest(action=ReviewAction.REFER, refer_to="border_service", **what))
    written = export_history(house.settings, tmp_path / "out")
    reviews = pd.read_parquet(tmp_path / "out" / "reviews.parquet")
    of_domain = reviews[reviews["domain"] == DOMAIN]
    assert written.reviews == len(reviews)
    assert of_domain["action"].tolist() == ["override", "refer"]
    assert of_domain["asked_lane"].tolist() == ["red", "red"]
    assert of_domain["lane"].tolist()[0] == "blue"
    assert of_domain["refer_to"].tolist()[1] == "border_service"
    assert b"secret" not in (tmp_path / "out" / "reviews.parquet").read_bytes()
    load_history(tmp_path / "out")
