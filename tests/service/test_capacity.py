"""A meter that begins from the log says what one says that never stopped, bit for bit; nothing is counted twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from benchmarks.capacity_month import policy_with_budgets
from chekara.adapters.capacity_log import SqlCapacityLog
from chekara.adapters.database import Database, open_database
from chekara.domain.crossing import Crossing
from chekara.domain.decision import DecidedElsewhere
from chekara.domain.selection import CapacityState, RuleHit
from chekara.domain.vocabulary import Lane
from chekara.policy import decide
from chekara.service.capacity import MeterFromLog
from chekara.service.grounds import GatherGrounds
from chekara.service.records import Chain, DecisionRecord, ScoreRequest
from chekara.settings import Settings
from tests.small_house import POINTS, SmallHouse, actor, crossing, got, request, small_house

MONDAY = datetime(2026, 5, 4, 2, tzinfo=UTC)  # 08:00 in Bishkek
POLICY = policy_with_budgets(
    """
least_share = 0.2  # one of five

[[capacity.budgets]]
agency = "customs"
lane = "red"
inspections = 4
shifts = ["08:00"]

[[capacity.budgets]]
agency = "customs"
lane = "red"
inspections = 2

[[capacity.budgets]]
agency = "customs"
lane = "yellow"
inspections = 5
"""
)


def sometimes_a_rule(crossing: Crossing, features: object, scores: object) -> tuple[RuleHit, ...]:
    """Every ninth crossing meets a rule."""
    if int(crossing.crossing_id[1:]) % 9:
        return ()
    return (RuleHit("watch", "contraband", Lane.RED, "customs", "rule", None, {}),)


class Metered:
    """A small house whose decisions are metered, on a clock that the test sets."""

    def __init__(self, home: Path) -> None:
        settings = Settings.from_environment({"CHEKARA_HOME": str(home), "CHEKARA_ENV": "dev"})
        self.database: Database = open_database(settings)
        self.meter = MeterFromLog(POLICY, SqlCapacityLog(self.database))
        grounds = GatherGrounds(rules=sometimes_a_rule, capacity=self.meter)
        self.house: SmallHouse = small_house(home, policy=POLICY, clock="replay", grounds=grounds)
        self.at = MONDAY

    def crossing(self, number: int, *, revision: int = 0, value: float = 1000.0) -> Crossing:
        made = crossing(f"c{number}", revision=revision, value=value, crossing_point=POINTS[number % 3])
        return replace(made, occurred_at=self.at, known_at=self.at)

    def score(self, of: Crossing, **more: object) -> DecisionRecord:
        return got(self.house.score([self.request(of, **more)])[0])

    def request(self, of: Crossing, **more: object) -> ScoreRequest:
        return replace(request(of, **more), received_at=self.at)  # type: ignore[arg-type]

    def states(self, meter: MeterFromLog | None = None) -> list[CapacityState]:
        """Return every state at every point, for crossings with and without a score."""
        asked = meter or self.meter
        return [one for number in range(3) for one in asked.states(self.crossing(number), (), self.at)]

    def used(self, number: int = 0) -> dict[Lane, int]:
        states = self.meter.states(self.crossing(number), (), self.at)
        return {one.lane: one.used for one in states}

    def begun_anew(self) -> MeterFromLog:
        meter = MeterFromLog(POLICY, SqlCapacityLog(self.database))
        meter.begin(self.at)
        return meter

    def close(self) -> None:
        self.database.close()
        self.house.database.close()


@pytest.fixture
def metered(tmp_path: Path) -> Iterator[Metered]:
    house = Metered(tmp_path)
    yield house
    house.close()


def keep_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the meter look back to so few crossings that most are forgotten."""
    for module in ("chekara.policy.capacity_recent", "chekara.adapters.capacity_log"):
        monkeypatch.setattr(f"{module}.RECENT", 20)
        monkeypatch.setattr(f"{module}.RECENT_OF_ALL", 25)
    monkeypatch.setattr("chekara.policy.capacity_recent.ENOUGH", 12)


@pytest.mark.parametrize("keeps_little", [False, True])
def test_a_restart_in_mid_shift_says_the_same_to_the_bit(
    metered: Metered, monkeypatch: pytest.MonkeyPatch, *, keeps_little: bool
) -> None:
    if keeps_little:
        keep_little(monkeypatch)
    rng = np.random.default_rng(5)
    scored: list[int] = []
    for number in range(330):
        metered.at += timedelta(minutes=float(rng.exponential(14.0)))
        do = rng.random()
        if do < 0.06 and scored:
            gone = metered.crossing(int(rng.choice(scored)), revision=1)
            metered.house.score([metered.request(gone, is_void=True)])  # refused where it was withdrawn before
        elif do < 0.16 and scored:
            again = metered.crossing(int(rng.choice(scored)), revision=int(rng.integers(2, 4)), value=60.0)
            metered.house.score([metered.request(again)])  # a lower revision than the newest is refused
        elif do < 0.2:
            metered.score(metered.crossing(1000 + number), by=actor(is_test=True))
        else:
            metered.score(metered.crossing(number, value=float(rng.lognormal(7, 1))))
            scored.append(number)
        if number % 11 == 0:
            assert metered.states(metered.begun_anew()) == metered.states()
    assert metered.at > MONDAY + timedelta(days=2)
    assert sum(metered.used().values()) > 0


def test_every_lane_follows_from_what_is_stored_and_budgets_are_kept(metered: Metered) -> None:
    rng = np.random.default_rng(6)
    by_cell: dict[tuple[str, str, str], int] = {}
    for number in range(1, 400):
        metered.at += timedelta(minutes=float(rng.exponential(6.0)))
        metered.score(metered.crossing(9 * number + 1, value=float(rng.lognormal(7, 1))))  # no rule is met
    with metered.house.log.transaction() as log:
        for number in range(1, 400):
            (known,) = log.known_revisions(Chain.LIVE, [f"c{9 * number + 1}"]).values()
            record = log.decision(Chain.LIVE, known[0].decision_id)
            assert record is not None
            own = record.decision
            again = decide(own.domains, POLICY, own.crossing_point, own.scored_at, own.grounds)
            assert (again.lane, again.selections) == (own.lane, own.selections)
            if own.lane in (Lane.RED, Lane.YELLOW):
                (state,) = [one for one in own.grounds.capacity if one.lane is own.lane]
                key = (own.crossing_point, state.shift, own.lane.value)
                by_cell[key] = by_cell.get(key, 0) + 1
                assert by_cell[key] == state.used + 1 <= state.budget
    assert max(by_cell.values()) > 1


def test_what_was_not_recorded_is_not_counted(metered: Metered, monkeypatch: pytest.MonkeyPatch) -> None:
    metered.score(metered.crossing(9))
    assert metered.used()[Lane.RED] == 1

    def fail(*_: object, **__: object) -> None:
        raise OSError("no room")

    with monkeypatch.context() as broken:
        broken.setattr("chekara.adapters.decision_log.SqlLogTransaction.flush", fail)
        with pytest.raises(OSError, match="no room"):
            metered.house.score([metered.request(metered.crossing(18))])
    assert metered.used()[Lane.RED] == 1


def test_a_withdrawn_crossing_gives_its_place_back_and_may_take_it_again(metered: Metered) -> None:
    metered.score(metered.crossing(9))
    metered.score(metered.crossing(9, revision=1), is_void=True)
    assert metered.used()[Lane.RED] == 0
    metered.score(metered.crossing(9, revision=2))
    assert metered.used()[Lane.RED] == 1
    assert metered.states(metered.begun_anew()) == metered.states()


def test_what_was_decided_elsewhere_takes_no_place(metered: Metered) -> None:
    elsewhere = DecidedElsewhere(Lane.GREEN, metered.at - timedelta(hours=1), "post 7", "rule")
    told = replace(metered.request(metered.crossing(9)), decided_elsewhere=elsewhere)
    got(metered.house.score([told])[0])
    assert metered.used()[Lane.RED] == 0
    assert metered.states(metered.begun_anew()) == metered.states()


def test_test_keys_take_no_place(metered: Metered) -> None:
    metered.score(metered.crossing(9), by=actor(is_test=True))
    assert metered.used()[Lane.RED] == 0


@pytest.mark.parametrize("ahead", [timedelta(hours=13), timedelta(days=40)])
def test_a_new_shift_begins_with_all_its_places(metered: Metered, ahead: timedelta) -> None:
    metered.score(metered.crossing(9))
    metered.at += ahead
    assert metered.used()[Lane.RED] == 0
    assert metered.states(metered.begun_anew()) == metered.states()


def test_the_standing_tells_every_budget_of_the_shift(metered: Metered) -> None:
    metered.score(metered.crossing(9))
    standing = {(one.crossing_point, one.agency, one.lane): one for one in metered.meter.standing()}
    red = standing["KG-01", "customs", Lane.RED]
    assert (red.budget, red.used, red.seen) == (4, 1, 1)
    assert red.coming > 0.0
