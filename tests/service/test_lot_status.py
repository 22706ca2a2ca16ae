"""Alarms of the lot: a planted cause raises each, a clean month raises none."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from types import SimpleNamespace

import numpy as np
import pytest

from chekara.domain.vocabulary import Lane
from chekara.policy.lot import is_drawn
from chekara.service.lot import DrawFromSeeds
from chekara.service.lot_status import GRACE, DrawnCase, LotAlarm, LotTraffic, lot_alarms, tally_lot
from tests.lots import ZEROS, policy_drawing, zero_seed
from tests.small_house import crossing

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DOMAIN = "revenue_fraud"
POLICY = policy_drawing(0.02, DOMAIN)
POLICY = replace(POLICY, lot=replace(POLICY.lot, floor=0.01, alarm_share=0.8))
DAY, NIGHT = time(8), time(20)
TRAFFIC = {(DOMAIN, "P1", DAY): 6000, (DOMAIN, "P1", NIGHT): 2000, (DOMAIN, "P2", DAY): 4000}


def cases(done_at_p1: float, done_at_p2: float = 0.95, *, share: float = 0.02, seed: int = 1) -> list[DrawnCase]:
    """Draw from the traffic; a share of the draws is done at each post, the rest never."""
    rng, found = np.random.default_rng(seed), []
    for (_, point, _), n in TRAFFIC.items():
        done = done_at_p1 if point == "P1" else done_at_p2
        for i in range(rng.binomial(n, share)):
            drawn_at = NOW - timedelta(days=5 + i % 25)
            found.append(
                DrawnCase(
                    crossing_id=f"{point} {len(found)}",
                    crossing_point=point,
                    domain=DOMAIN,
                    agency="customs",
                    drawn_at=drawn_at,
                    due_at=drawn_at + timedelta(hours=2),
                    is_done=True if rng.random() < done else None,
                )
            )
    return found


def alarms(of: list[DrawnCase]) -> set[tuple[str, str]]:
    found: tuple[LotAlarm, ...] = lot_alarms(tally_lot(of, LotTraffic(TRAFFIC), POLICY, now=NOW), POLICY)
    assert all(alarm.sentence for alarm in found)
    return {(alarm.code, alarm.crossing_point) for alarm in found}


@pytest.mark.parametrize("seed", range(20))
def test_clean_months_raise_none(seed: int) -> None:
    assert alarms(cases(0.93, seed=seed)) == set()


def test_a_post_that_lets_its_draws_go_is_named() -> None:
    assert alarms(cases(0.55)) == {("few_done", "P1"), ("few_done", "*")}
    assert alarms(cases(0.95, 0.5)) >= {("few_done", "P2")}


def test_less_than_the_floor_is_an_alarm_also_where_nothing_was_drawn() -> None:
    assert ("below_floor", "P1") in alarms(cases(0.95, share=0.002))
    assert {code for code, _ in alarms([])} == {"below_floor"}


def test_three_draws_do_not_cry_wolf() -> None:
    few = [replace(case, is_done=n > 0) for n, case in enumerate(cases(1.0)[:3])]
    assert "few_done" not in {code for code, _ in alarms(few)}
    assert "few_done" not in {code for code, _ in alarms([replace(case, is_done=False) for case in few])}
    five = [replace(case, is_done=False) for case in cases(1.0)[:5]]
    assert ("few_done", "*") in alarms(five), "many small posts show together"


def test_a_domain_that_applies_to_few_is_planned_for_those() -> None:
    elsewhere = {("contraband", point, at): 9 * n for (_, point, at), n in TRAFFIC.items()}
    whole, *_ = tally_lot(cases(0.9), LotTraffic(TRAFFIC | elsewhere), POLICY, now=NOW)
    assert whole.crossings == sum(TRAFFIC.values())


def test_what_is_planned_follows_traffic_and_propensities() -> None:
    whole, first, second = tally_lot(cases(0.9), LotTraffic(TRAFFIC), POLICY, now=NOW)
    assert [one.crossing_point for one in (whole, first, second)] == ["*", "P1", "P2"]
    assert [one.planned for one in (whole, first, second)] == pytest.approx([240, 160, 80])
    for name in ("crossings", "drawn", "done", "not_done", "waiting"):
        assert getattr(whole, name) == getattr(first, name) + getattr(second, name)


@pytest.mark.parametrize(
    ("is_done", "late", "expected"),
    [(True, True, "done"), (False, False, "not_done"), (None, False, "waiting"), (None, True, "not_done")],
)
def test_a_draw_waits_until_its_time_and_the_grace_are_over(is_done: bool | None, late: bool, expected: str) -> None:
    due_at = NOW - GRACE - timedelta(seconds=1 if late else -1)
    case = replace(cases(1.0)[0], due_at=due_at, is_done=is_done)
    assert case.outcome(NOW) == expected


def test_priority_areas_draw_beside_the_lot_under_their_own_names() -> None:
    area = SimpleNamespace(area="textiles-at-night", domain=DOMAIN, rate=0.5, lane=Lane.YELLOW)
    lots = DrawFromSeeds(POLICY, zero_seed, lambda crossing, features: [area])  # type: ignore[arg-type,list-item]
    for i in range(40):
        of_lot, of_area = lots(crossing(f"c{i}"), None)  # type: ignore[arg-type]  # features are the areas' business
        assert (of_lot.arm, of_area.arm) == ("lot", area.area)
        assert (of_area.propensity, of_area.lane) == (0.5, Lane.YELLOW)
        falls = is_drawn(ZEROS, arm=area.area, domain=DOMAIN, crossing_id=f"c{i}", propensity=0.5)
        assert of_area.is_drawn is falls


def test_who_withdraws_what_is_drawn_and_sends_it_again_is_seen() -> None:
    """Of all crossings one in a hundred is withdrawn; of those drawn at one post one in five."""
    gone = {place: n // 100 for place, n in TRAFFIC.items()}
    drawn, told = cases(0.95), {}
    fair = [replace(case, is_withdrawn=n % 100 == 0) for n, case in enumerate(drawn)]
    cheat = [replace(case, is_withdrawn=n % 5 == 0 and case.crossing_point == "P2") for n, case in enumerate(drawn)]
    for name, of in (("fair", fair), ("cheat", cheat)):
        tallies = tally_lot(of, LotTraffic(TRAFFIC, gone, {(DOMAIN, "P1", DAY): 7}), POLICY, now=NOW)
        told[name] = {(one.code, one.crossing_point) for one in lot_alarms(tallies, POLICY)}
        assert sum(one.drawn + one.withdrawn for one in tallies[1:]) == len(of), "each draw is counted in one place"
        assert [one.elsewhere for one in tallies] == [7, 7, 0]
    assert told["fair"] == set()
    assert {place for code, place in told["cheat"] if code == "drawn_withdrawn"} == {"P2", "*"}
