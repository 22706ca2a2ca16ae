"""Rules, areas and risks as files: what they say is read, and every mistake is pointed at in its own file."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from chekara.domain.vocabulary import Lane
from chekara.errors import ConfigurationError
from chekara.policy import Policy, load_policy
from tests.policy.test_load import SMALL

RISKS = """[[risks]]
id = "used-tyres"
title = "Used tyres declared as new"
domain = "d"
threat = "Worn tyres are lodged under another heading."
owner = "customs"
review_at = 2027-06-01
"""
RULES = """[[rules]]
id = "cheap-tyres"
risk = "used-tyres"
lane = "blue"
reason = { en = "Tyres at the price of used ones.", ru = "Шины по цене подержанных." }
instruction = { en = "Look at the tread." }
criteria = 'starts_with(hs_code, "4011") and declared_value / net_mass_kg < 2.5'
valid_from = 2026-01-01
expires_at = 2027-01-01T00:00:00+06:00
review_at = 2026-06-01
most_without_result = 30

[[rules]]
id = "watched"
risk = "used-tyres"
owner = "tax_service"
lane = "red"
reason = { en = "A vehicle that somebody looks for." }
watch_list = "stolen"
valid_from = 2026-01-01
expires_at = 2027-01-01
review_at = 2026-06-01
"""
AREAS = """[[areas]]
id = "autumn-fruit"
title = "Fruit in autumn"
risk = "used-tyres"
scope = 'starts_with(hs_code, "08")'
rate = 0.1
from = 2026-09-01
until = 2026-12-01
interim_review_at = 2026-10-15
"""


def write(folder: Path, *, rules: str = RULES, risks: str = RISKS, areas: str = AREAS, main: str = SMALL) -> Path:
    (folder / "policy.toml").write_text(main, "utf-8")
    for part, text in (("rules", rules), ("risks", risks), ("areas", areas)):
        (folder / part).mkdir(exist_ok=True)
        (folder / part / "tyres.toml").write_text(text, "utf-8")
    return folder


def read(folder: Path, **texts: str) -> Policy:
    return load_policy(write(folder, **texts))


def test_a_folder_is_read_as_a_whole(tmp_path: Path) -> None:
    own = read(tmp_path).rules
    cheap, watched = own.rules
    assert (cheap.rule, cheap.domain, cheap.owner, cheap.lane, cheap.selected_by) == (
        *("cheap-tyres", "d", "customs"),
        *(Lane.BLUE, "rule"),
    )
    assert cheap.told["en"] == "Tyres at the price of used ones. Look at the tread."
    assert cheap.expires_at == datetime(2026, 12, 31, 18, tzinfo=UTC)
    assert (watched.owner, watched.selected_by, watched.watch_list) == ("tax_service", "intelligence", "stolen")
    assert own.areas[0].rate == 0.1
    assert own.risks["used-tyres"].review_at == date(2027, 6, 1)
    assert own.names == {"hs_code", "declared_value", "net_mass_kg"}


def test_a_rule_holds_up_to_its_end_and_not_at_it(tmp_path: Path) -> None:
    rule = read(tmp_path).rules.rules[0]
    moment = timedelta(microseconds=1)
    assert not rule.holds_at(rule.valid_from - moment)
    assert rule.holds_at(rule.valid_from)
    assert rule.holds_at(rule.expires_at - moment)
    assert not rule.holds_at(rule.expires_at)


def test_the_digest_is_of_the_whole_however_it_is_cut_into_files(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "many").mkdir()
    one = tmp_path / "one.toml"
    one.write_text(SMALL + RISKS + RULES + AREAS, "utf-8")
    folder = write(tmp_path / "many")
    assert load_policy(one).digest == load_policy(folder).digest
    assert read(tmp_path / "one", rules=RULES.replace("2.5", "2.6")).digest != load_policy(folder).digest
    assert read(tmp_path / "one", rules=RULES.replace("2026-01-01", "2026-01-02", 1)).digest != load_policy(one).digest


@pytest.mark.parametrize(
    ("part", "old", "new", "key"),
    [
        ("rules", "declared_value / net", "declared_vale / net", "rules.0.criteria"),
        ("rules", 'lane = "blue"', 'lane = "green"', "rules.0.lane"),
        ("rules", 'id = "watched"', 'id = "cheap-tyres"', "rules.1.id"),
        ("rules", 'id = "watched"', 'id = "Watched One"', "rules.1.id"),
        ("rules", 'owner = "tax_service"', 'owner = "nobody"', "rules.1.owner"),
        ("rules", "expires_at = 2027-01-01T00:00:00+06:00", "expires_at = 2025-01-01", "rules.0.expires_at"),
        ("rules", "expires_at = 2027-01-01T00:00:00+06:00", "expires_at = 2027-01-01T00:00:00", "rules.0.expires_at"),
        ("rules", 'watch_list = "stolen"', 'watch_list = "stolen"\nchannel = "rule"', "rules.1.channel"),
        ("rules", 'watch_list = "stolen"', "", "rules.1.criteria"),
        ("rules", "most_without_result = 30", 'most_without_result = 30\nchannel = "mandatory"', "most_without_result"),
        ("rules", 'reason = { en = "A vehicle', 'reason = { ru = "A vehicle', "rules.1.reason.en"),
        (
            "rules",
            "valid_from = 2026-01-01\nexp",
            'sensitive = { mode = "x" }\nvalid_from = 2026-01-01\nexp',
            "sensitive",
        ),
        ("risks", 'domain = "d"', 'domain = "e"', "risks.0.domain"),
        ("risks", "[[risks]]", "[[rules]]", "rules"),
        ("areas", "rate = 0.1", "rate = 0", "areas.0.rate"),
        ("areas", 'id = "autumn-fruit"', 'id = "lot"', "areas.0.id"),
        ("areas", 'id = "autumn-fruit"', 'id = "fallback"', "areas.0.id"),
        ("areas", "2026-10-15", "2026-12-01", "areas.0.interim_review_at"),
        ("areas", 'risk = "used-tyres"', 'risk = "other"', "areas.0.risk"),
    ],
)
def test_a_mistake_is_pointed_at_in_its_file(tmp_path: Path, part: str, old: str, new: str, key: str) -> None:
    text = {"rules": RULES, "risks": RISKS, "areas": AREAS}[part]
    assert old in text
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, **{part: text.replace(old, new, 1)})
    assert caught.value.where is not None
    assert key in caught.value.where
    assert f"in {part}/tyres.toml, line " in caught.value.where
