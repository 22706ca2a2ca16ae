"""Reasons: the strongest factors, and sentences that say what was counted, in every language."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekara import messages
from chekara.domain.decision import Action, Reason
from chekara.domain.vocabulary import Lane
from chekara.explain.evidence import CategoryEvidence, Count, Evidence, NumberEvidence
from chekara.explain.reasons import (
    NEGLIGIBLE,
    Item,
    Value,
    feature_label,
    goods_group,
    instruction,
    sentence,
    shown_value,
    strongest_reasons,
)
from chekara.features.catalogue import FEATURES
from chekara.features.profile_kinds import KIND_BY_NAME
from chekara.features.profile_measures import profile_names

LANGUAGES = messages.languages()
NAMES = tuple(FEATURES)
COUNTED = {"inspected": 212.0, "hits": 61.0, "share": 61 / 212, "share_all": 0.117}

TEE_SHIRTS = {"hs_code": "6109100000", "origin_country": "CN"}

HISTORY = Evidence(
    Count(1000, 400, 47),
    {
        "value_per_kg": NumberEvidence(
            (2.0, 7.4, 9.0), (2.0,), (Count(300, 212, 61), Count(700, 188, 7)), Count(20, 9, 1)
        ),
        "mode": CategoryEvidence({"road": Count(900, 380, 40), "rail": Count(90, 18, 7)}, None),
    },
)


def plain(text: str) -> str:
    return text.replace(messages.NO_BREAK_SPACE, " ")


def test_largest_factors_first_and_nothing_that_moved_nothing() -> None:
    names = ("mode", "value_per_kg", "hs4", "packages")
    reasons = strongest_reasons(names, ("road", np.float32(1.9), "6109", 3.0), (-0.2, 1.4, 0.0, 1e-12), HISTORY, 8)
    assert [(reason.feature, reason.contribution) for reason in reasons] == [("value_per_kg", 1.4), ("mode", -0.2)]
    assert reasons[0].value == 1.9, "the tail of digits of a float32 is not what was declared"
    assert (reasons[0].expected, reasons[0].evidence["goods_digits"]) == (7.4, 0)
    assert reasons[0].evidence["hits"] == 61


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=len(NAMES)), st.integers(1, 10))
def test_reasons_are_the_first_of_a_plain_sort(contributions: list[float], limit: int) -> None:
    names = NAMES[: len(contributions)]
    reasons = strongest_reasons(names, [None] * len(names), contributions, HISTORY, limit)
    by_size = sorted(((abs(c), c, n) for n, c in zip(names, contributions, strict=True)), key=lambda t: (-t[0], t[2]))
    oracle = [(name, amount) for size, amount, name in by_size if size > NEGLIGIBLE][:limit]
    assert [(reason.feature, reason.contribution) for reason in reasons] == oracle


@pytest.mark.parametrize("missing", [None, math.nan, math.inf, np.float32("nan")])
def test_what_was_not_given_is_none(missing: Value) -> None:
    (reason,) = strongest_reasons(("value_per_kg",), (missing,), (0.5,), HISTORY, 1)
    assert reason.value is None


def test_reference_feature_tells_both_sides_and_keeps_the_ratio() -> None:
    (reason,) = strongest_reasons(
        ("unit_price_vs_reference",), (0.257,), (1.4,), HISTORY, 1, {"unit_price_vs_reference": (1.9, 7.4, "6109")}
    )
    assert (reason.value, reason.expected, reason.evidence["ratio"]) == (1.9, 7.4, 0.257)
    assert sentence(reason, "en").startswith("Declared 1.90 per kg; usual: 7.40.")
    said = plain(sentence(reason, "en", TEE_SHIRTS))
    assert said.startswith("Declared 1.90 per kg; usual for HS 6109: 7.40."), "the heading answered, not the subheading"


def test_reference_that_knows_nothing_leaves_the_ratio() -> None:
    usual = {"unit_price_vs_reference": (1.9, math.nan, None)}
    (reason,) = strongest_reasons(("unit_price_vs_reference",), (0.25,), (1.4,), HISTORY, 1, usual)
    assert plain(sentence(reason, "en")).startswith("Declared price per kg is 25 % of what is usual for such goods.")


def test_sentence_of_the_contract() -> None:
    (reason,) = strongest_reasons(
        ("unit_price_vs_reference",), (0.257,), (1.4,), HISTORY, 1, {"unit_price_vs_reference": (1.9, 7.4, "610910 CN")}
    )
    said = plain(sentence(replace(reason, evidence={**reason.evidence, **COUNTED}), "en", TEE_SHIRTS))
    assert said == (
        "Declared 1.90 per kg; usual for HS 610910 from CN: 7.40. "
        "Of 212 inspected with such a value 61 were hits (29 %); of all inspected 12 %."
    )


def test_missing_unseen_and_rare_have_their_own_words() -> None:
    missing = sentence(Reason("value_per_kg", None, 7.4, 0.5, COUNTED), "en")
    unseen = sentence(Reason("crossing_point", "NEW", "OLD", 0.5, {**COUNTED, "unseen": 1.0}), "en")
    rare = sentence(Reason("crossing_point", "RARE", "OLD", 0.5, {"share_all": 0.1}), "en")
    assert missing.startswith("Value per kg: not given; usual: 7.40. Of 212 inspected without it")
    assert "does not occur in the history" in unseen
    assert "hits" not in unseen
    assert "Too few" in rare


def test_what_is_as_usual_is_not_said_twice() -> None:
    assert "usual" not in sentence(Reason("mode", "road", "road", 0.5, {}), "en")


def test_wide_world_of_a_goods_line() -> None:
    assert goods_group({}, 6, False, "en") == goods_group(TEE_SHIRTS, 0, False, "en") == "all goods"
    assert goods_group(TEE_SHIRTS, 4, False, "ru") == "ТН ВЭД 6109"
    assert goods_group(TEE_SHIRTS, 6, True, "ky") == "ТЭИ ТН 610910, келип чыккан өлкөсү CN"


@pytest.mark.parametrize(
    ("goods", "said"),
    [
        ("610910", "usual for HS 6109: 7.40"),
        ("610711", "usual for HS chapter 61: 6.10"),
        ("870323", "usual for all goods: 5.00"),
        (None, "usual for all goods: 5.00"),
    ],
)
def test_usual_names_the_goods_that_it_is_meant_for(goods: str | None, said: str) -> None:
    number = NumberEvidence((2.0, 5.0, 9.0), (), (Count(9, 9, 1),), None, {"6109": 7.4, "61": 6.1})
    history = Evidence(Count(9, 9, 1), {"value_per_kg": number})
    for value in (1.9, None):
        (reason,) = strongest_reasons(("value_per_kg",), (value,), (0.5,), history, goods=goods)
        assert said in plain(sentence(reason, "en", {"hs_code": goods}))


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("duty_rate", 0.125, "12 %"),
        ("unit_price_vs_reference", 0.25, "25 %"),
        ("authorised_operator", 1.0, "yes"),
        ("authorised_operator", 0.0, "no"),
        ("day_of_week", 6.0, "Sunday"),
        ("hour_of_day", 4.0, "04:00"),
        ("declared_value", 8056.0, "8,056"),
        ("net_mass_kg", 0.12345, "0.123"),
        ("origin_country", "CN", "China (CN)"),
        ("vehicle_type", "truck", "truck"),
        ("importer_days_since_last", 0.00101, "1 min"),
        ("importer_days_since_last", 0.3, "7 h"),
        ("importer_days_since_last", 412.3, "412 d"),
        ("importer_age_days", 0.0, "0 d"),
        ("importer_price_deviation", -0.00663, "−0.01"),
        ("importer_price_deviation", -1.237, "−1.24"),
        ("importer_volume_long", 0.00412, "0"),
        ("procedure", "Z" * 200, "Z" * 59 + "…"),
    ],
)
def test_values_as_people_read_them(name: str, value: Value, shown: str) -> None:
    assert plain(shown_value(name, value, "en")) == shown


def test_national_extension_without_texts_still_makes_a_sentence() -> None:
    said = sentence(Reason("x_lorry_park", "P4", None, 0.4, COUNTED), "ru")
    assert said.startswith("lorry park: P4. Проверено таких: 212")
    assert feature_label("x_lorry_park", "ky") == "lorry park"


VALUES = st.none() | st.floats() | st.text(max_size=80)


@given(
    st.sampled_from([*NAMES, "x_unknown"]),
    VALUES,
    VALUES,
    st.dictionaries(st.sampled_from([*COUNTED, "ratio", "unseen"]), st.floats(allow_nan=False, allow_infinity=False)),
    st.fixed_dictionaries({}, optional={"goods_digits": st.sampled_from([0.0, 2.0, 4.0, 6.0])}),
    st.sampled_from([None, {}, TEE_SHIRTS]),
    st.sampled_from(LANGUAGES),
)
def test_every_feature_and_value_makes_a_sentence(
    name: str,
    value: Value,
    expected: Value,
    evidence: dict[str, float],
    group: dict[str, float],
    item: Item | None,
    language: str,
) -> None:
    said = sentence(Reason(name, value, expected, 0.3, evidence | group), language, item)
    typed = " ".join(part for part in (value, expected) if isinstance(part, str))
    assert said
    assert not re.search(r"\b(nan|inf|None)\b", said.replace(typed, "")) or re.search("nan|inf|None", typed)
    assert not re.search(r"\{[a-z]+\}", said) or re.search(r"\{[a-z]+\}", typed)


def test_instruction_names_the_goods_line() -> None:
    def asked(item_no: int | None) -> str:
        action = Action(
            "customs",
            "lead",
            "revenue_fraud",
            Lane.RED,
            "control.partial_unloading",
            "instruction.check_value_and_mass",
            item_no,
            None,  # type: ignore[arg-type]  # not told by an instruction
        )
        return instruction(action, "en")

    assert asked(3) == "Item 3: Check mass and value against the goods and the invoice."
    assert asked(None) == "Check mass and value against the goods and the invoice."


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_and_measure_of_a_profile_has_its_words(language: str) -> None:
    for name in profile_names(KIND_BY_NAME, ["contraband"]):
        said = sentence(Reason(name, 2.5, None, 0.1), language)
        label = feature_label(name, language)
        assert "profile." not in label + said
        assert "{" not in label + said
        assert said.startswith(label.split(":")[0])


def test_the_domain_of_a_country_is_named_after_itself() -> None:
    assert feature_label("importer_hit_rate_fuel_smuggling", "en").endswith("(fuel smuggling)")
