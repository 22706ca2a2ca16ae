"""Rules of a policy: a folder scored at once meets what a service met that lived it, and lanes are alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as arrow
import pytest

from chekara.data.identity import EntityTokens, load_entity_secret
from chekara.policy import Policy, load_policy
from chekara.policy.load import policy_of, policy_texts
from chekara.service.grounds import GatherGrounds
from chekara.service.match_rules import MatchPolicyRules
from chekara.service.records import DecisionRecord
from chekara.service.score_history import score_history
from chekara.settings import Settings
from tests.service.test_live_profiles import requests_of
from tests.service.test_score_parity import in_file_order, leaning_model
from tests.small_house import small_house
from tests.streams import dirty_history

RISK = """
[[risks]]
id = "any"
title = "Anything"
domain = "{domain}"
threat = "Something may happen."
owner = "customs"
review_at = 2027-06-01
"""
RULE = """
[[rules]]
id = "r{number}"
risk = "any"
lane = "{lane}"
reason = {{ en = "Rule {number}." }}
criteria = '''{criteria}'''
valid_from = 2000-01-01
expires_at = 2100-01-01
review_at = 2027-06-01
"""


HARM = """
[risk]
half_at = 2
[[risk.posts]]
crossing_points = ["AK-JOL"]
equipment = 0.5
staff = 0.5
detection = 0.5
"""


def policy_with(*rules: tuple[str, str], domain: str = "contraband", combiner: str = "rank") -> Policy:
    (name, text), *_ = policy_texts().items()
    text = text.replace('combiner = "rank"', f'combiner = "{combiner}"') + HARM
    own = [RULE.format(number=i, lane=lane, criteria=criteria) for i, (lane, criteria) in enumerate(rules)]
    return policy_of({name: text, "risks/a.toml": RISK.format(domain=domain), "rules/a.toml": "".join(own)})


RULES = (
    ("red", "net_mass_kg > 10 and declared_value / net_mass_kg < 50"),
    ("yellow", "starts_with(hs_code, '0', '1', '2', '3')"),
    ("blue", "importer_volume_long > 0.2"),
    ("red", "declared_value > 10000 and value_per_kg > 3 and not given(seal_status)"),
)


@pytest.mark.parametrize(("seed", "combiner"), [(3, "rank"), (8, "expected_harm")])
def test_a_folder_meets_the_rules_that_a_service_met(tmp_path: Path, seed: int, combiner: str) -> None:
    history = dirty_history(tmp_path / "history", seed=seed)
    history = replace(history, crossing_points=history.crossing_points.iloc[:0])
    champions, policy = {"revenue_fraud": leaning_model()}, policy_with(*RULES, combiner=combiner)
    rules = MatchPolicyRules(policy)
    settings = Settings.from_environment({"CHEKARA_HOME": str(tmp_path / "home"), "CHEKARA_ENV": "dev"})
    house = small_house(
        tmp_path / "home",
        champions=champions,
        policy=policy,
        tokens=EntityTokens(load_entity_secret(settings)),
        clock="replay",
        grounds=GatherGrounds(rules=rules, laid=rules.laid),
    )
    said: dict[tuple[str, int], DecisionRecord] = {}
    for request in requests_of(in_file_order(history)):
        (outcome,) = house.score([request])
        if isinstance(outcome, DecisionRecord):
            said[outcome.decision.crossing_id, outcome.decision.revision] = outcome
    house.database.close()
    if combiner == "expected_harm":
        risks = {score.risk for record in said.values() for score in record.decision.domains}
        assert len(risks) > len(said) / 2
        assert all(score.risk_parts for record in said.values() for score in record.decision.domains)
        assert any(record.decision.selected_by == "model" for record in said.values())
    met = {hit.rule for record in said.values() for hit in record.decision.grounds.rules}
    assert met == {"r0", "r1", "r2", "r3"}
    rows = arrow.concat_tables(score_history(history, champions, policy, rules=rules, chunk_size=17)).to_pylist()
    assert [row["lane"] for row in rows] == [
        said[row["crossing_id"], row["revision"]].decision.lane.value for row in rows
    ]
    without = arrow.concat_tables(score_history(history, champions, load_policy(), chunk_size=17)).to_pylist()
    assert [row["lane"] for row in rows] != [row["lane"] for row in without]
