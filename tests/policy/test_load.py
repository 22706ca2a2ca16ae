"""Policy files: what ships is sound, and every mistake is pointed at by key and line."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekara.domain.vocabulary import AGENCIES, Lane
from chekara.errors import ConfigurationError
from chekara.policy import Policy, load_policy
from chekara.toml_lines import LineIndex

SHIPPED = files("chekara.policy").joinpath("default.toml").read_text("utf-8")

SMALL = """name = "small"
format = 1

[border.regimes]
"P1" = "union"

[agencies]
more = ["tax_service"]

[domains.d]
lead = "customs"
informed = ["tax_service"]

[[domains.d.exceptions]]
border_regime = "union"
lead = "tax_service"

[[domains.d.exceptions]]
crossing_points = ["P2"]
lead = "agriculture"

[domains.d.lanes.red]
from_risk = 0.9
control = "control.search"
instruction = "instruction.search_conveyance_and_goods"
due_minutes = 60

[domains.d.lanes.blue]
from_risk = 0.5
control = "control.documents"
instruction = "instruction.check_registers"
due_minutes = 90
"""


def read(tmp_path: Path, text: str) -> Policy:
    path = tmp_path / "policy.toml"
    path.write_text(text, "utf-8")
    return load_policy(path)


def test_what_ships_covers_the_contract() -> None:
    policy = load_policy()
    expected = {
        "revenue_fraud": ("customs", set()),
        "contraband": ("customs", {"internal_affairs", "border_service"}),
        "vehicle_crime": ("internal_affairs", {"border_service"}),
        "concealed_persons": ("border_service", {"labour_migration", "internal_affairs"}),
        "sps_violation": ("agriculture", {"customs"}),
    }
    found = {name: (own.agencies.lead, set(own.agencies.informed)) for name, own in policy.domains.items()}
    assert found == expected
    assert policy.known_agencies == set(AGENCIES)


def test_agencies_follow_domain_regime_and_crossing_point(tmp_path: Path) -> None:
    policy = read(tmp_path, SMALL)
    assert policy.agencies("d", "P0").lead == "customs"
    assert policy.agencies("d", "P1").lead == "tax_service"
    assert policy.agencies("d", "P2").lead == "agriculture"
    assert "tax_service" in policy.known_agencies
    with pytest.raises(ConfigurationError, match="nothing of this domain"):
        policy.agencies("e", "P0")


def test_amounts_are_in_the_currency_of_the_policy(tmp_path: Path) -> None:
    assert load_policy().currency == read(tmp_path, SMALL).currency == "KGS"
    assert read(tmp_path, SMALL.replace("format = 1", 'format = 1\ncurrency = "KZT"')).currency == "KZT"
    with pytest.raises(ConfigurationError, match=r"currency in policy\.toml, line 3"):
        read(tmp_path, SMALL.replace("format = 1", 'format = 1\ncurrency = "som"'))


def test_digest_is_of_content_not_of_layout(tmp_path: Path) -> None:
    policy = read(tmp_path, SMALL)
    assert read(tmp_path, "# a comment\n" + SMALL.replace("\n\n", "\n\n\n")).digest == policy.digest
    assert read(tmp_path, SMALL.replace("0.9", "0.91")).digest != policy.digest
    assert policy.digest.startswith("sha256:")


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ('lead = "customs"', 'lead = "customz"', "domains.d.lead in policy.toml, line 11"),
        ('lead = "customs"', "", "domains.d.lead in policy.toml, line 10"),
        ('lead = "agriculture"', 'leads = "agriculture"', "domains.d.exceptions.1.leads in policy.toml, line 20"),
        (
            'border_regime = "union"',
            'border_regime = "none"',
            "domains.d.exceptions.0.border_regime in policy.toml, line 15",
        ),
        ('crossing_points = ["P2"]', "", "domains.d.exceptions.1 in policy.toml, line 18"),
        ("from_risk = 0.9", "from_risk = 1.9", "domains.d.lanes.red.from_risk in policy.toml, line 23"),
        ("from_risk = 0.9", 'from_risk = "high"', "domains.d.lanes.red.from_risk in policy.toml, line 23"),
        ("from_risk = 0.9", "from_risk = true", "domains.d.lanes.red.from_risk in policy.toml, line 23"),
        ("from_risk = 0.9", "from_risk = nan", "domains.d.lanes.red.from_risk in policy.toml, line 23"),
        ("from_risk = 0.5", "from_risk = 0.9", "domains.d.lanes.blue.from_risk in policy.toml, line 29"),
        ("due_minutes = 60", "due_minutes = 0", "domains.d.lanes.red.due_minutes in policy.toml, line 26"),
        ("due_minutes = 60", "due_minutes = 99_999_999_999", "domains.d.lanes.red.due_minutes in policy.toml, line 26"),
        ("due_minutes = 60", "due_minutes = 1.5", "domains.d.lanes.red.due_minutes in policy.toml, line 26"),
        ('"control.search"', '"search"', "domains.d.lanes.red.control in policy.toml, line 24"),
        ("[domains.d.lanes.blue]", "[domains.d.lanes.green]", "domains.d.lanes.green in policy.toml, line 28"),
        ('informed = ["tax_service"]', 'informed = ["customs"]', "domains.d.informed in policy.toml, line 12"),
        ('informed = ["tax_service"]', "informed = [7]", "domains.d.informed in policy.toml, line 12"),
        ('"P1" = "union"', '"P1" = "far"', "border.regimes.P1 in policy.toml, line 5"),
        ("format = 1", "format = 2", "format in policy.toml, line 2"),
        ("format = 1", "format = 1\ncombiner = 'sum'", "combiner in policy.toml, line 3"),
        ('name = "small"', 'name = "small"\nlots = 3', "lots in policy.toml, line 2"),
    ],
)
def test_a_mistake_is_pointed_at(tmp_path: Path, old: str, new: str, where: str) -> None:
    assert SMALL.count(old) >= 1
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, SMALL.replace(old, new, 1))
    assert caught.value.where == where


def test_a_file_that_is_no_policy(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read") as caught:
        load_policy(tmp_path / "absent.toml")
    assert "CHEKARA_POLICY" not in str(caught.value), "a command was given the path, no variable"
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_policy(tmp_path / "latin.toml")
    with pytest.raises(ConfigurationError, match=r"policy\.toml, at line 2|policy\.toml, line 2"):
        read(tmp_path, 'name = "secret value"\nformat = = 1')


@given(st.floats(0, 1))
def test_lanes_follow_their_thresholds(risk: float) -> None:
    own = load_policy().domains["revenue_fraud"]
    expected = next((lane for lane in (Lane.RED, Lane.YELLOW, Lane.BLUE) if risk >= own.thresholds[lane]), Lane.GREEN)
    assert own.lane(risk) is expected


def test_every_key_of_the_shipped_file_has_its_line() -> None:
    index, lines = LineIndex.of(SHIPPED), SHIPPED.splitlines()
    for name in load_policy().domains:
        for lane in ("red", "yellow"):
            found = index.line(("domains", name, "lanes", lane, "from_risk"))
            assert found is not None
            assert lines[found - 1].startswith("from_risk")
            assert f"[domains.{name}.lanes.{lane}]" in lines[:found][-1:] + lines[found - 2 : found - 1]


def test_results_serve_only_domains_whose_every_lead_sees_them(tmp_path: Path) -> None:
    shipped = load_policy()
    everything = frozenset(shipped.domains)
    # Internal affairs lead contraband on union borders, and see nothing of customs' own revenue cases.
    assert shipped.seen_by_every_lead("contraband") == {"contraband"}
    assert shipped.seen_by_every_lead("vehicle_crime") == {"vehicle_crime", "contraband", "concealed_persons"}
    assert shipped.seen_by_every_lead("concealed_persons") == everything
    assert shipped.seen_by_every_lead("sps_violation") == {"sps_violation"}
    told = SHIPPED.replace("informed = []", 'informed = ["internal_affairs"]', 1)
    assert read(tmp_path, told).seen_by_every_lead("contraband") == {"contraband", "revenue_fraud"}
