"""Two policies over one history, and rules before they are activated: counted again, crossing by crossing."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from chekara.adapters.policy_folder import compare_folder, dry_run_folder, write_comparison
from chekara.data.sources import History, load_history
from chekara.domain.vocabulary import Lane
from chekara.evaluation.calibration import wilson_interval
from chekara.policy import load_policy
from chekara.policy.load import policy_texts
from chekara.policy.rules import RuleText
from chekara.service.dry_run import dry_run
from chekara.service.match_rules import MatchPolicyRules
from chekara.service.policy_compare import compare_policies, known_results
from chekara.service.policy_page import comparison_page
from chekara.service.score_history import lanes_of_history, score_history
from chekara.settings import Settings
from tests.service.test_rules_parity import RISK, RULE, policy_with
from tests.service.test_score_parity import leaning_model
from tests.streams import dirty_history

RULES = (
    ("red", "net_mass_kg > 10 and declared_value / net_mass_kg < 50"),
    ("yellow", "starts_with(hs_code, '0', '1')"),
)
DOMAIN = "revenue_fraud"
CHAMPIONS = {DOMAIN: leaning_model()}


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    return dirty_history(tmp_path_factory.mktemp("history"), seed=3)


def test_lanes_under_several_policies_are_those_of_each_alone(history: History) -> None:
    policies = (load_policy(), policy_with(*RULES, domain=DOMAIN))
    pairs = [(policy, MatchPolicyRules(policy)) for policy in policies]
    chunks = list(lanes_of_history(history, CHAMPIONS, pairs, chunk_size=17))
    for i, policy in enumerate(policies):
        rows = [row for table in score_history(history, CHAMPIONS, policy) for row in table.to_pylist()]
        strictest = [max(own[j] for own in c.lanes[i].values()) for c in chunks for j in range(len(c.crossing_id))]
        assert strictest == [Lane(row["lane"]).strictness for row in rows]


def test_a_comparison_counts_each_agency_once_a_crossing(history: History) -> None:
    a, b = load_policy(), policy_with(*RULES, domain=DOMAIN)
    pairs = [(policy, MatchPolicyRules(policy)) for policy in (a, b)]
    compared = compare_policies(
        lanes_of_history(history, CHAMPIONS, pairs, chunk_size=17), (a, b), known_results(history)
    )
    lanes = [
        {row["crossing_id"]: row["lane"] for table in score_history(history, CHAMPIONS, p) for row in table.to_pylist()}
        for p in (a, b)
    ]
    expected = Counter((Lane(lanes[0][own]), Lane(lanes[1][own])) for own in lanes[0])
    assert compared.moved == dict(expected)
    assert compared.crossings == len(lanes[0])
    # Both policies ask in one domain alone, so an agency's lane is the crossing's.
    for side, own in enumerate(lanes):
        for lane in (Lane.RED, Lane.YELLOW, Lane.BLUE):
            counted = sum((row.a, row.b)[side].crossings for row in compared.rows if row.lane is lane)
            assert counted == sum(value == lane for value in own.values())
    hits = known_results(history)
    hits = hits[hits["domain"] == DOMAIN].set_index("crossing_id")["found"]
    asked = [crossing for crossing, lane in lanes[1].items() if lane != "green"]
    assert sum(row.b.controlled for row in compared.rows) == sum(crossing in hits.index for crossing in asked)
    assert sum(row.b.found for row in compared.rows) == sum(bool(hits.get(crossing, False)) for crossing in asked) > 0
    page = comparison_page(compared, None)
    assert all(f"| {row.crossing_point} | {row.agency} | {row.lane.value} |" in page for row in compared.rows)


def test_a_dry_run_counts_what_rules_meet_and_what_the_model_thinks_of_it(history: History) -> None:
    candidate = policy_with(*RULES, domain=DOMAIN)
    alone, rules = replace(candidate, rules=RuleText()), candidate.rules.rules
    pairs = [(policy, MatchPolicyRules(policy)) for policy in (alone, candidate)]
    runs = dry_run(lanes_of_history(history, CHAMPIONS, pairs), rules, known_results(history))
    newest = {row["crossing_id"]: row for t in score_history(history, CHAMPIONS, alone) for row in t.to_pylist()}
    lines = history.crossings.set_index(["crossing_id", "revision"]).sort_index()
    met = [
        crossing
        for crossing, row in newest.items()
        if any(
            pd.notna(line.net_mass_kg) and line.net_mass_kg > 10 and line.declared_value / line.net_mass_kg < 50
            for line in lines.loc[[(crossing, row["revision"])]].itertuples()
        )
    ]
    assert runs[0].met == len(met) > 0
    assert runs[0].in_model_red == pytest.approx(sum(newest[c]["lane"] == "red" for c in met) / len(met))
    known = known_results(history)
    hits = known[known["domain"].eq(DOMAIN) & known["crossing_id"].isin(met)]["found"]
    assert (runs[0].controlled, runs[0].found) == (len(hits), int(hits.sum()))
    assert runs[0].precision == pytest.approx((hits.mean(), *wilson_interval(int(hits.sum()), len(hits))))


def test_folders_are_compared_without_an_installation(tmp_path: Path, history: History) -> None:
    folder = Path(history.directory)
    assert len(load_history(folder).crossings) == len(history.crossings)
    (name, shipped), *_ = policy_texts().items()
    a, b = tmp_path / name, tmp_path / "b.toml"
    risk, rule = RISK.format(domain=DOMAIN), RULE.format(number=1, lane="red", criteria=RULES[0][1])
    a.write_text(shipped, "utf-8")
    b.write_text(shipped + risk + rule, "utf-8")
    rules = tmp_path / "rules.toml"
    rules.write_text(risk + rule, "utf-8")
    settings = Settings.from_environment({"CHEKARA_HOME": str(tmp_path / "nowhere"), "CHEKARA_ENV": "dev"})
    console = Console(width=200)
    compared = compare_folder(settings, a, b, folder, console)
    (run,) = dry_run_folder(settings, rules, folder, console)
    # An earlier revision may have met the rule, too: no lane is lowered.
    assert compared.moved[Lane.GREEN, Lane.RED] >= run.met > 0
    assert run.in_model_red is None
    written = write_comparison(compared, tmp_path / "page.md")
    assert all(path.stat().st_size > 0 for path in written)
    assert not (tmp_path / "nowhere").exists()
