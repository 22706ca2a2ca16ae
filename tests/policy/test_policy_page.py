"""The page of the policy: its examples are read, and its limits are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

from chekara.policy.criteria import DEEPEST, LONGEST, MOST_WORDS
from chekara.policy.load import policy_of
from chekara.policy.patterns import MOST
from chekara.policy.risk import LEAST_VULNERABLE

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "policy.md").read_text("utf-8")
SHIPPED = (ROOT / "src" / "chekara" / "policy" / "default.toml").read_text("utf-8")
_OWN = ("capacity", "lot", "joint", "risk", "risks", "rules", "areas")


def test_the_examples_of_the_page_are_one_policy() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 4
    # What the examples say takes the place of the same tables of the shipped policy.
    kept = re.split(r"(?m)^(?=\[)", SHIPPED.replace('combiner = "rank"\n', ""))
    shipped = "".join(part for part in kept if not re.match(r"\[+(capacity|lot|joint)[\].]", part))
    top = "".join(re.findall(r"(?m)^combiner = .*\n", "".join(blocks)))
    rest = re.sub(r"(?m)^combiner = .*\n", "", "\n".join(blocks))
    policy = policy_of({"policy.toml": top + shipped + rest})
    assert policy.combiner == "expected_harm"
    assert policy.capacity.budgets[0].inspections == 12
    assert policy.lot.exceptions[0].propensity == 0.03
    assert [rule.rule for rule in policy.rules.rules] == ["cheap-tyres"]
    assert [area.area for area in policy.rules.areas] == ["autumn-fruit"]
    assert policy.risk_plan.posts[0].detection == 0.6


def test_the_limits_on_the_page_are_those_of_the_code() -> None:
    assert f"At most {LONGEST:,} characters, {DEEPEST} levels and {MOST_WORDS} constants" in PAGE
    assert tuple(MOST.values()) == (1, 4)
    assert "one open-ended repetition and at most four optional characters and alternatives" in PAGE
    assert f"at least {LEAST_VULNERABLE}" in PAGE
