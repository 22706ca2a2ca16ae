"""The document for the hours without the service: its rules follow from counts, its lot can be repeated by anybody."""

from __future__ import annotations

import hashlib
import json
import math
import re
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from chekara.adapters.fallback_tables import export_fallback, tell
from chekara.adapters.key_files import load_checkpoint_key
from chekara.cli import app
from chekara.domain.decision import ModelIdentity
from chekara.errors import ConfigurationError, NotReadyError
from chekara.explain.evidence import Count
from chekara.policy import load_policy
from chekara.policy.fallback import FallbackTerms, RiskTable, fallback_document, seed_from
from chekara.policy.lot import ALL_DOMAINS, FALLBACK_ARM, is_drawn
from tests.serving import environment_of, settings_of

PAGE = (Path(__file__).parents[2] / "docs" / "fallback.md").read_text("utf-8")
ZEROS = bytes(32)
MADE_AT = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
TERMS = FallbackTerms(seed=ZEROS)
MODEL = ModelIdentity("revenue_fraud", "3", "sha256:00")
EXAMPLE = {
    "crossing_id": "KG-2026-000200",
    "crossing_point": "TORUGART",
    "movement": "import",
    "items": [{"hs_code": "610910"}],
}


def reader() -> dict[str, Any]:
    """Return the functions of the page, run as they stand there."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102  # our own page
    return names


READER = reader()


def table(counts: dict[str, dict[str, Count]], **applies_to: tuple[str, ...]) -> RiskTable:
    return RiskTable(MODEL, Count(9000, 2000, 234), counts, applies_to)


GOODS = table(
    {
        "hs_chapter": {"61": Count(900, 212, 81), "62": Count(900, 212, 30), "63": Count(60, 49, 49)},
        "origin_country": {"CN": Count(4000, 900, 400)},
        "vehicle_country": {"CN": Count(4000, 900, 900)},
        "stage": {"arrival": Count(4000, 900, 900)},
        "importer_id": {"T1": Count(4000, 900, 900)},
        "origin_and_dispatch": {"CN KZ": Count(4000, 900, 900)},
        "crossing_point": {"TORUGART": Count(1000, 300, 200)},
    },
    movement=("import",),
)


def made(domain: str = "revenue_fraud", given: RiskTable = GOODS, terms: FallbackTerms = TERMS) -> dict[str, Any]:
    return fallback_document(load_policy(), {domain: given}, terms, made_at=MADE_AT, tell=tell)


def ids(document: dict[str, Any]) -> list[str]:
    return [rule["id"] for rule in document["rules"]]


def test_strong_declared_codes_become_rules_and_nothing_else() -> None:
    expected = [
        "revenue_fraud:crossing_point:TORUGART",
        "revenue_fraud:origin_country:CN",
        "revenue_fraud:hs_chapter:61",
    ]
    assert ids(made()) == expected
    assert ids(made(terms=FallbackTerms(seed=ZEROS, rules=1))) == expected[:1]
    assert ids(made(terms=FallbackTerms(seed=ZEROS, times=3.5))) == expected[:2]
    assert ids(made(terms=FallbackTerms(seed=ZEROS, crossing_point="OSH"))) == expected[1:]


@given(inspected=st.integers(0, 3000), share=st.floats(0, 1))
def test_a_rule_is_beyond_chance(inspected: int, share: float) -> None:
    """The oracle solves Wilson's inequality itself: at the floor the score test must reject."""
    hits = round(inspected * share)
    floor = 2 * 234 / 2000
    deviation = math.sqrt(inspected * floor * (1 - floor))
    expected = inspected >= 50 and hits - inspected * floor > 1.6448536269514722 * deviation
    found = ids(made(given=table({"hs4": {"6109": Count(9000, inspected, hits)}})))
    assert found == (["revenue_fraud:hs4:6109"] if expected else [])


def test_a_domain_without_hits_or_lanes_has_no_rules() -> None:
    nothing = RiskTable(MODEL, Count(900, 0, 0), GOODS.tallies, {})
    assert made(given=nothing)["rules"] == []
    assert made(domain="unheard_of")["models"] == {}


def test_a_rule_tells_who_does_what_and_why_in_three_languages() -> None:
    rule = made()["rules"][-1]
    assert (rule["lane"], rule["basis"], rule["agency"]) == ("yellow", "rule", "customs")
    assert rule["reason"]["en"].replace("\u00a0", " ") == re.findall(r'"reason": {"en": "(.*?)"', PAGE)[0]
    for told in (rule["reason"], rule["control"], rule["instruction"]):
        texts = [told[language] for language in ("en", "ru", "ky")]
        assert len(set(texts)) == 3
        assert all(texts)


def test_agencies_are_those_of_the_policy_at_every_point() -> None:
    policy = load_policy()
    for domain in policy.domains:
        everywhere = made(domain)["lot"]["actions"][0]
        for point in (*policy.regimes, "UNLISTED"):
            lead = policy.agencies(domain, point).lead
            assert everywhere["agency_at"].get(point, everywhere["agency"]) == lead
            here = made(domain, terms=FallbackTerms(seed=ZEROS, crossing_point=point))["lot"]["actions"][0]
            assert (here["agency"], here["agency_at"]) == (lead, {})


def test_the_example_of_the_page_is_true() -> None:
    document = made(given=table({"hs_chapter": {"61": Count(900, 212, 81)}}, movement=("import",)))
    decision, actions = READER["decide"](document, EXAMPLE)
    assert decision == {"lane": "yellow", "basis": "rule"}
    assert [action["id"] for action in actions] == ["revenue_fraud:hs_chapter:61"]
    assert READER["decide"](document, EXAMPLE | {"movement": "transit"}) == ({"lane": "green", "basis": "rule"}, [])
    unsaid = {name: value for name, value in EXAMPLE.items() if name != "movement"}
    assert READER["decide"](document, unsaid)[0]["lane"] == "yellow"
    assert READER["decide"](document, EXAMPLE | {"items": [{"hs_code": "6209"}, {}]})[0]["lane"] == "green"
    assert READER["decide"](document, EXAMPLE | {"items": []})[0]["lane"] == "green"


def test_the_lot_draws_its_share_and_says_the_same_again() -> None:
    document = made(terms=FallbackTerms(seed=ZEROS, lot=0.05))
    drawn = [
        name
        for name in map(str, range(20_000))
        if READER["decide"](document, EXAMPLE | {"crossing_id": name})[0]["lane"] == "red"
    ]
    expected = [
        n
        for n in map(str, range(20_000))
        if is_drawn(ZEROS, arm=FALLBACK_ARM, domain=ALL_DOMAINS, crossing_id=n, propensity=0.05)
    ]
    assert drawn == expected
    assert abs(len(drawn) - 1000) < 5 * math.sqrt(950), "five standard deviations"
    decision, actions = READER["decide"](document, EXAMPLE | {"crossing_id": f" {drawn[0]} "})
    assert decision == {"lane": "red", "basis": "random", "propensity": 0.05}
    assert actions == document["lot"]["actions"]
    assert document["lot"]["commitment"] == f"sha256:{hashlib.sha256(ZEROS).hexdigest()}"
    everybody = made(terms=FallbackTerms(seed=ZEROS, lot=1.0))
    assert READER["decide"](everybody, EXAMPLE)[0]["lane"] == "red"


@pytest.mark.parametrize(
    "wrong",
    [
        *({"lot": lot} for lot in (0.0, -0.1, 1.1, math.nan, 0.00005, 0.12345)),
        *({"days": days} for days in (0, 367)),
        *({"times": times} for times in (0.5, math.nan, math.inf)),
        {"rules": -1},
        {"seed": b"short"},
        *({"crossing_point": point} for point in ("", " A")),
    ],
    ids=str,
)
def test_numbers_out_of_range_are_refused_by_name(wrong: dict[str, Any]) -> None:
    option = "--" + next(iter(wrong)).replace("_", "-")
    with pytest.raises(ConfigurationError) as refused:
        FallbackTerms(**({"seed": ZEROS} | wrong))
    assert refused.value.where == option


def test_a_seed_is_random_or_given() -> None:
    assert seed_from(None) != seed_from(None)
    assert seed_from("00" * 32) == ZEROS
    with pytest.raises(ConfigurationError, match="hexadecimal"):
        seed_from("xyz")


def test_what_is_exported_is_signed_private_and_read(home: Path, tmp_path: Path) -> None:
    settings, out = settings_of(home), tmp_path / "fallback.json"
    out.write_text("an older one, open to all")
    environment = environment_of(home)
    options = ["policy", "export-fallback", "--out", str(out), "--seed", "00" * 32, "--times", "1.2"]
    result = CliRunner().invoke(app, options, env=environment)
    assert result.exit_code == 0, result.output
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    content, now = out.read_bytes(), datetime.now(UTC)
    public = load_checkpoint_key(settings).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    document = READER["read"](content, public, now)
    assert document["lot"]["commitment"] in result.output
    assert document["models"].keys() == {rule["domain"] for rule in document["rules"]}, "the world has strong codes"
    READER["decide"](document, EXAMPLE)
    for late in (now + timedelta(days=31), now - timedelta(days=1)):
        with pytest.raises(ValueError, match="not valid now"):
            READER["read"](content, public, late)
    other = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    changed = json.loads(content) | {"valid_until": "2099-01-01T00:00:00Z"}
    for forged, key in ((content, other), (json.dumps(changed), public)):
        with pytest.raises(InvalidSignature):
            READER["read"](forged, key, now)
    (bundle,) = settings.bundles_path.iterdir()
    (bundle / "evidence.json").write_bytes(b"{}")
    with pytest.raises(NotReadyError):
        export_fallback(settings, out, TERMS)
    assert out.read_bytes() == content
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [out.name]


def test_a_document_for_one_point_serves_no_other() -> None:
    document = made(terms=FallbackTerms(seed=ZEROS, crossing_point="OSH"))
    with pytest.raises(ValueError, match="another crossing point"):
        READER["decide"](document, EXAMPLE)


def test_without_a_model_or_a_folder_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(NotReadyError, match="no model serves"):
        export_fallback(settings_of(tmp_path / "home"), tmp_path / "out.json", TERMS)
    with pytest.raises(ConfigurationError, match="no such folder"):
        export_fallback(settings_of(tmp_path / "home"), tmp_path / "nowhere" / "out.json", TERMS)
    assert not (tmp_path / "out.json").exists()
