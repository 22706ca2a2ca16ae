"""Specs: reviewed text, in which nothing is guessed and every complaint names its line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chekara.domain import vocabulary as words
from chekara.errors import ConfigurationError
from chekara.features.catalogue import FEATURES, find_feature
from chekara.features.profile_measures import parse_profile_name
from chekara.modelling.spec import ModelSpec, load_spec, parse_spec
from chekara.policy import load_policy

MODELS = Path(__file__).parents[2] / "models"


@pytest.mark.parametrize("path", sorted(MODELS.glob("*/model.toml")), ids=lambda p: p.parent.name)
def test_every_shipped_spec_can_be_read(path: Path) -> None:
    spec = load_spec(path)
    assert spec.domain == path.parent.name
    assert spec.text == path.read_text(encoding="utf-8")
    assert set(spec.target.negative_methods) <= set(words.INSPECTION_METHODS)


def test_extensions_join_the_features_by_kind(shipped_spec: ModelSpec) -> None:
    spec = parse_spec(shipped_spec.text.replace("[extensions]", '[extensions]\nx_weight_class = "number"'), "a.toml")
    assert spec.extensions["x_weight_class"] == "number"
    assert spec.features[-1] == "x_weight_class"
    assert "x_import_use" in spec.encoding.codes
    assert all(find_feature(name) is not None for name in set(spec.features) - set(spec.extensions))


CHANGES = {
    "not TOML": ("[gates]", "[gates", "not valid TOML"),
    "unknown table": ("[gates]", "[gate]", "gate: unknown key"),
    "unknown key": ("forward_blocks", "forward_block", "training.forward_block: unknown key"),
    "missing key": ("minimum_hits = 80", "", "missing key minimum_hits"),
    "not a number": ("minimum_hits = 80", 'minimum_hits = "80"', "must be a whole number above zero"),
    "not a share": ("test_share = 0.2", "test_share = 1.2", "must be a fraction"),
    "rounds not ascending": ("rounds = [", "rounds = [2500, ", "must be an ascending list"),
    "no rounds": ("rounds = [", "rounds = []  # [", "must be an ascending list"),
    "unknown feature": ('"hs_chapter"', '"hs5"', "no such feature: hs5"),
    "feature of another kind": ('"hs_chapter"', '"occupants"', "occupants is a number"),
    "code twice": ('"hs_chapter"', '"mode"', "must be a list of different texts"),
    "feature twice": ('"hs_chapter"', '"packages"', "packages is named twice"),
    "kind of profile unknown": ("kinds = [", 'kinds = ["driver",', "no such kind of profile: driver"),
    "results that a lead does not see": (
        '"contraband", "sps_violation"]',
        '"contraband", "vehicle_crime"]',
        "vehicle_crime: not all who may lead revenue_fraud see its results",
    ),
    "results of no domain": ('"contraband", "sps_violation"]', '"smuggling"]', "smuggling: not all who may lead"),
    "nothing to leave out": ("leave_out = [", 'leave_out = ["driver_*",', r"driver_\* fits no feature"),
    "monotone in nothing": ("[monotone]", '[monotone]\n"driver_*" = 1', "fits no number among the features"),
    "monotone both ways": ("[monotone]", "[monotone]\npackages = 0", "must be 1 or -1"),
    "monotone by position": ("num_leaves", "monotone_constraints = 1\nnum_leaves", r"by feature under \[monotone"),
    "size from a code": ('"crossing_value", "duty_rate", "unit', '"mode", "unit', "mode is no number"),
    "not a country column": ("load_status =", "net_mass_kg =", "is no code column"),
    "value not in the contract": ('"transit"', '"transfer"', "values must be of"),
    "deep trees": ("max_depth = 6", "max_depth = 9", "must be between 1 and 8"),
    "no depth": ("max_depth = 6", "", "must be between 1 and 8"),
    "seed in the spec": ("num_leaves", "seed = 3\nnum_leaves", "is given by the training run"),
    "not reproducible": ("num_leaves", "deterministic = false\nnum_leaves", "must be true"),
    "extension without x_": ("x_import_use", "import_use", "must read x_<name>"),
    "extension of no kind": ('x_import_use = "category"', 'x_import_use = "text"', "must read x_<name>"),
    "target unknown": ('["suspected", "confirmed"]', '["suspected", "sure"]', "unknown positive result"),
}


@pytest.mark.parametrize(("old", "new", "complaint"), CHANGES.values(), ids=CHANGES)
def test_a_wrong_spec_is_refused(shipped_spec: ModelSpec, old: str, new: str, complaint: str) -> None:
    assert old in shipped_spec.text
    with pytest.raises(ConfigurationError, match=complaint):
        parse_spec(shipped_spec.text.replace(old, new, 1), "country/model.toml")


def test_the_line_is_named(shipped_spec: ModelSpec) -> None:
    text = shipped_spec.text.replace("forward_blocks", "forward_block")
    line = next(i for i, row in enumerate(text.splitlines(), 1) if row.startswith("forward_block"))
    with pytest.raises(ConfigurationError) as refused:
        parse_spec(text, "country/model.toml")
    assert refused.value.where == f"country/model.toml, line {line}"


def test_a_sensitive_feature_needs_a_reason(shipped_spec: ModelSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    sensitive = FEATURES["mode"].__class__(
        "vehicle_country",
        "category",
        "code",
        "declared",
        ("vehicle_country",),
        "Country.",
        True,
        FEATURES["mode"].compute,
    )
    monkeypatch.setitem(FEATURES, "vehicle_country", sensitive)
    text = shipped_spec.text.replace("codes = [", 'codes = ["vehicle_country",', 1)
    with pytest.raises(ConfigurationError, match="is sensitive: give its reason"):
        parse_spec(text, "a.toml")
    reasoned = text.replace(
        "[extensions]", '[features.sensitive]\nvehicle_country = "approved 12 of 2026"\n[extensions]'
    )
    assert "vehicle_country" in parse_spec(reasoned, "a.toml").features


def test_a_spec_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such model spec"):
        load_spec(tmp_path / "model.toml")


def test_the_shipped_profiles_use_results_that_all_leads_see(shipped_spec: ModelSpec) -> None:
    policy = load_policy()
    for path in sorted(MODELS.glob("*/model.toml")):
        spec = load_spec(path)
        told = {parsed.domain for name in spec.features if (parsed := parse_profile_name(name)) and parsed.domain}
        assert told <= set(spec.results_of) <= policy.seen_by_every_lead(spec.domain)
        assert {name: 1 for name in spec.features if name.endswith(f"_hit_rate_{spec.domain}")}.items() <= (
            spec.monotone.items()
        )


def test_a_domain_that_a_country_adds_uses_its_own_results(shipped_spec: ModelSpec) -> None:
    text = shipped_spec.text.replace('domain = "revenue_fraud"', 'domain = "tobacco"')
    with pytest.raises(ConfigurationError, match="revenue_fraud: not all who may lead tobacco"):
        parse_spec(text, "tobacco/model.toml")
    own = re.sub(r"(?ms)^leave_out = \[.*?^\]|^results_of = .*?$|^\"\*.*?$", "", text)
    spec = parse_spec(own.replace("[monotone]", 'results_of = ["tobacco"]\n[monotone]'), "tobacco/model.toml")
    assert "importer_hit_rate_tobacco" in spec.features


def test_the_first_fitting_pattern_tells_the_direction(shipped_spec: ModelSpec) -> None:
    text = shipped_spec.text.replace("[monotone]", '[monotone]\n"importer_hit_rate_*" = -1')
    spec = parse_spec(text, "a.toml")
    assert spec.monotone["importer_hit_rate_revenue_fraud"] == -1
    assert spec.monotone["exporter_hit_rate_revenue_fraud"] == 1
    assert "importer_volume_long" not in spec.monotone
