"""The lane of every decision in the log follows from what is stored with it; the audit counts and says where not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chekara.adapters.audit_source import SqlAuditSource
from chekara.domain.selection import CapacityState, Floor, Grounds
from chekara.domain.vocabulary import Lane
from chekara.policy import Policy
from chekara.service.audit import AuditReport, verify_log
from chekara.service.derive_lanes import lane_differences
from chekara.service.records import Chain
from chekara.service.replay import replay_decision
from tests.small_house import SmallHouse, actor, crossing, small_house, small_model


@pytest.fixture
def house(tmp_path: Path) -> Iterator[SmallHouse]:
    opened = small_house(tmp_path)
    yield opened
    opened.database.close()


def audit(house: SmallHouse, policy: Policy | None) -> AuditReport:
    def by_digest(digest: str) -> Policy | None:
        return policy if policy is not None and policy.digest == digest else None

    return verify_log(SqlAuditSource(house.database, None), (), now=datetime.now(UTC), policy=by_digest)


def score_some(house: SmallHouse) -> None:
    for number in range(12):
        house.score_one(crossing(f"c{number}", value=10.0 * 3**number))
    house.score_one(crossing("c3", revision=1, value=5000.0))
    house.score_one(crossing("trial", value=20.0), by=actor(is_test=True))


def test_every_lane_of_the_log_is_derived_again(house: SmallHouse) -> None:
    score_some(house)
    report = audit(house, house.policy)
    assert (report.lanes.derived, report.lanes.differs) == (14, 0)
    assert not [one for one in report.findings if one.code == "other_lane"]


def test_a_lane_that_does_not_follow_is_found(house: SmallHouse) -> None:
    score_some(house)
    stricter = {
        name: replace(own, thresholds=dict.fromkeys(own.thresholds, 0.0)) for name, own in house.policy.domains.items()
    }
    report = audit(house, replace(house.policy, domains=stricter))  # pretends to the same digest
    assert report.lanes.differs > 5
    assert len([one for one in report.findings if one.code == "other_lane"]) == report.lanes.differs


def test_a_policy_whose_text_is_not_here_is_counted_apart(house: SmallHouse) -> None:
    score_some(house)
    report = audit(house, None)
    assert (report.lanes.derived, report.lanes.differs, report.lanes.no_policy) == (0, 0, 14)
    assert list(report.lanes.sentences()) == [
        "14 lanes were decided by policies whose text is not here: not derived again."
    ]


def test_a_replay_tells_lane_and_risk_that_come_out_otherwise(house: SmallHouse) -> None:
    record = house.score_one(crossing("c1", value=10.0))
    scoring = house.log.scoring(Chain.LIVE, record.decision.decision_id)
    assert scoring is not None

    def replayed(decision: object) -> set[tuple[str, str]]:
        changed = replace(record, decision=decision)  # type: ignore[arg-type]
        found = replay_decision(changed, scoring, lambda _: small_model(), lambda _: house.policy)  # type: ignore[arg-type]
        return {(one.domain, one.what) for one in found.differences}

    own = record.decision
    assert replayed(own) == set()
    other = Lane.YELLOW if own.lane is not Lane.YELLOW else Lane.RED
    assert replayed(replace(own, lane=other)) == {("", "lane")}
    less = replace(own.domains[0], risk=own.domains[0].risk / 2)
    assert ("revenue_fraud", "risk") in replayed(replace(own, domains=(less,)))


def test_grounds_decide_the_lane(house: SmallHouse) -> None:
    own = house.score_one(crossing("c1", value=50_000.0)).decision
    assert lane_differences(own, house.policy) == ()
    floor = Grounds(floors={"contraband": Floor(Lane.RED, "rule")})
    assert "selections" in lane_differences(replace(own, grounds=floor), house.policy)
    state = CapacityState("customs", Lane.RED, "2026-05-04T02:00:00+00:00", 5, 0, 9.0, 0.0)
    assert own.lane is not Lane.RED
    assert "lane" in lane_differences(replace(own, grounds=Grounds(capacity=(state,))), house.policy)
