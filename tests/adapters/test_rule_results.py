"""A rule that finds nothing for too long is suspended; a hit, a review of the rule or a later result wakes it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from chekara.adapters.rule_results import LOOK_AGAIN_SECONDS, RuleResults
from chekara.domain.vocabulary import Lane
from chekara.policy.rules import Rule, RuleText
from chekara.service.dry_run import RuleRecord
from chekara.service.grounds import GatherGrounds
from chekara.service.match_rules import MatchPolicyRules
from tests.policy.test_rules_match import NOW, rule
from tests.small_house import RECEIVED, SmallHouse, crossing, policy_asking, result, sent, small_house

CAPPED = rule(
    "capped",
    "mode == 'road'",
    domain="revenue_fraud",
    lane=Lane.RED,
    valid_from=NOW - timedelta(days=3650),
    expires_at=NOW + timedelta(days=3650),
    most_without_result=3,
)


class House:
    """A house whose policy has one rule, looked at anew before each crossing."""

    def __init__(self, home: Path, own: Rule) -> None:
        policy = replace(policy_asking("blue"), rules=RuleText(rules=(own,)))
        self.seconds = 0.0
        self.results: RuleResults | None = None
        rules = MatchPolicyRules(policy, suspended=lambda: self.looked().suspended())
        self.small: SmallHouse = small_house(home, policy=policy, grounds=GatherGrounds(rules=rules))
        self.own = own

    def looked(self) -> RuleResults:
        self.seconds += LOOK_AGAIN_SECONDS
        if self.results is None:
            self.results = RuleResults(self.small.database, (self.own,), monotonic=lambda: self.seconds)
        return self.results

    def met(self, name: str) -> bool:
        return bool(self.small.score_one(crossing(name)).decision.grounds.rules)

    def controlled(
        self, name: str, *, found: bool, status: str = "done", revision: int = 0, stands: bool = True
    ) -> None:
        details = {"status": status, "method": "full"} | ({} if stands else {"result": "overturned"})
        own = result(f"i-{name}", crossing_id=name, found=found, revision=revision, details=details)
        (outcome,) = self.small.score([sent(own, received_at=RECEIVED)])
        assert not isinstance(outcome, Exception), outcome


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path, CAPPED)
    yield made
    made.small.database.close()


def test_a_rule_rests_after_controls_without_a_hit_in_a_row(house: House) -> None:
    for i in range(5):
        assert house.met(f"c{i}")
    house.controlled("c0", found=False)
    house.controlled("c1", found=True)
    house.controlled("c2", found=False)
    house.controlled("c3", found=False)
    assert house.met("c5"), "a hit lies among the last three"
    house.controlled("c4", found=False, status="not_done")
    assert house.met("c6"), "what was not done is no control"
    house.controlled("c5", found=False)
    assert not house.met("c7")
    assert house.looked().records() == (RuleRecord("capped", 7, 5, 1, 3, is_suspended=True),)
    house.controlled("c5", found=True, revision=1)
    assert house.met("c8"), "the newest revision of a result counts"
    house.controlled("c5", found=True, revision=2, stands=False)
    assert not house.met("c9"), "what a court overturned is no hit, whatever was found"


def test_a_rule_that_was_reviewed_begins_anew(house: House, tmp_path: Path) -> None:
    for i in range(3):
        assert house.met(f"c{i}")
        house.controlled(f"c{i}", found=False)
    assert not house.met("c3")
    house.small.database.close()
    renewed = House(tmp_path, replace(CAPPED, valid_from=NOW + timedelta(days=300)))
    try:
        assert renewed.looked().suspended() == frozenset()
    finally:
        renewed.small.database.close()
