"""The catalogue is whole: same keys and placeholders in every language, and a text for every word of the product."""

from __future__ import annotations

import ast
import re
import string
import tomllib
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

import chekara
from chekara import errors, messages
from chekara.data.schema import CROSSING_COLUMNS, HEADER_COLUMNS, ITEM_COLUMNS
from chekara.domain import vocabulary as words
from chekara.errors import ChekaraError, ConfigurationError
from chekara.features import declared
from chekara.features.catalogue import FEATURES
from chekara.messages.catalogue import catalogue

SOURCE = Path(chekara.__file__).parent
ROOT = SOURCE.parents[1]
LOCALES = SOURCE / "messages" / "locale"
DOMAINS = ("revenue_fraud", "contraband", "vehicle_crime", "concealed_persons", "sps_violation")
KYRGYZ_LETTERS = set("ңөүҢӨҮ")


def placeholders(text: str) -> list[str]:
    return sorted(field for _, field, _, _ in string.Formatter().parse(text) if field is not None)


def text_keys_in_source() -> set[str]:
    """Keys written out in code and templates; those put together at run time are tested by family below."""
    called = re.compile(r"""\b(?:t|text)\(\s*["']([a-z_0-9.]+)["']""")
    sources = [*SOURCE.rglob("*.py"), *SOURCE.rglob("*.html")]
    return {key for path in sources for key in called.findall(path.read_text("utf-8")) if "." in key}


def error_codes() -> set[str]:
    def below(kind: type[ChekaraError]) -> set[type[ChekaraError]]:
        return {kind}.union(*(below(child) for child in kind.__subclasses__()))

    return {kind.code for kind in below(ChekaraError) if kind.__module__ == errors.__name__}


def warning_codes() -> set[str]:
    """First arguments of every ``Notice(...)`` of the product."""
    trees = (ast.parse(path.read_text("utf-8")) for path in SOURCE.rglob("*.py"))
    calls = (n for tree in trees for n in ast.walk(tree) if isinstance(n, ast.Call) and n.args)
    return {
        call.args[0].value
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id == "Notice" and isinstance(call.args[0], ast.Constant)
    }


def policy_keys() -> set[str]:
    policy = tomllib.loads((SOURCE / "policy" / "default.toml").read_text("utf-8"))
    lanes = [lane for domain in policy["domains"].values() for lane in domain["lanes"].values()]
    return {lane[kind] for lane in lanes for kind in ("control", "instruction")}


def spec_extensions() -> set[str]:
    specs = (tomllib.loads(path.read_text("utf-8")) for path in (ROOT / "models").glob("*/model.toml"))
    return {name for spec in specs for name in spec.get("extensions", {})}


def expected_keys() -> set[str]:
    assert declared.CROSSING_INDEX, "importing the module fills the feature catalogue"
    features = {*FEATURES, *spec_extensions()}
    coded = [column for column in (*HEADER_COLUMNS, *ITEM_COLUMNS) if column.values]
    return {
        *(f"feature.{name}.{kind}" for name in features for kind in ("label", "reason")),
        *(f"error.{code}" for code in error_codes()),
        *(f"warning.{code}" for code in warning_codes()),
        *(f"lane.{lane}{ending}" for lane in words.Lane for ending in ("", ".short", ".meaning")),
        *(f"role.{role}" for role in words.Role),
        *(f"action.{action}" for action in words.ReviewAction),
        *(f"page.review.did_{action}" for action in words.ReviewAction),
        *(f"agency.{agency}" for agency in words.AGENCIES),
        *(f"domain.{domain}" for domain in DOMAINS),
        *(f"selected_by.{word}" for word in words.SELECTED_BY),
        *(f"code.{column.name}.{value}" for column in coded for value in column.values),
        *(f"column.{column.name}" for column in CROSSING_COLUMNS),
        *policy_keys(),
        *text_keys_in_source(),
    }


@pytest.mark.parametrize("language", messages.languages())
def test_every_word_of_the_product_has_its_text(language: str) -> None:
    assert expected_keys() - catalogue(language).keys() == set()


def test_the_search_for_keys_finds_them() -> None:
    assert {"page.case.waterfall", "reason.usual_for", "page.error.not_found"} - text_keys_in_source() == {
        "page.error.not_found"  # put together at run time
    }
    assert {"unseen_category", "no_model", "another_agency"} <= warning_codes()
    assert "not_found" in error_codes()


@pytest.mark.parametrize("language", [language for language in messages.languages() if language != "en"])
def test_languages_have_the_same_keys_and_placeholders(language: str) -> None:
    english, other = catalogue("en"), catalogue(language)
    assert other.keys() == english.keys()
    different = {key for key in english if placeholders(english[key]) != placeholders(other[key])}
    assert different == set()


@pytest.mark.parametrize("language", messages.languages())
def test_files_parse_strictly_and_hold_each_key_once(language: str) -> None:
    path = LOCALES / f"{language}.po"
    with path.open("rb") as stream:
        read_po(stream, locale=language, abort_invalid=True)
    keys = re.findall(r'^msgid "(.+)"$', path.read_text("utf-8"), re.MULTILINE)
    assert len(keys) == len(set(keys)) == len(catalogue(language))


def test_translations_are_in_their_own_letters() -> None:
    """No English left over, and Kyrgyz is no copy of the Russian."""
    latin_by_name = {"page.product", "language.name", "reason.number", "reason.category", "reason.said"}
    for language in ("ru", "ky"):
        without_fields = {key: re.sub(r"\{\w+\}", "", text) for key, text in catalogue(language).items()}
        foreign = {key for key, text in without_fields.items() if not re.search("[а-яёңөү]", text.lower())}
        assert foreign - latin_by_name == {"language.name"} - latin_by_name
    kyrgyz = catalogue("ky")
    assert sum(bool(KYRGYZ_LETTERS & set(text)) for text in kyrgyz.values()) > len(kyrgyz) / 3
    assert not any(KYRGYZ_LETTERS & set(text) for key, text in catalogue("ru").items() if key != "language.name")


def test_unknown_key_reads_as_itself_and_unknown_language_as_english() -> None:
    assert messages.text("control.drone", "ky") == "control.drone"
    assert messages.text("lane.red", "de") == messages.text("lane.red", "en")


def test_missing_translation_falls_back_to_english(monkeypatch: pytest.MonkeyPatch) -> None:
    from chekara.messages import catalogue as module

    cut = {key: text for key, text in catalogue("ky").items() if key != "lane.red"}
    known = {"ky": cut, "en": catalogue("en")}
    monkeypatch.setattr(module, "catalogue", lambda language: known[language])
    assert messages.text("lane.red", "ky") == "Red: physical inspection"
    assert messages.text("lane.green", "ky") == "Жашыл: чыгаруу"


def test_value_of_a_placeholder_is_never_read_as_a_template() -> None:
    assert messages.text("page.case.title", "en", crossing="{0.__class__}") == "Crossing {0.__class__}"


def test_a_placeholder_not_given_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(KeyError):
        messages.text("page.case.title", "en")


def test_catalogue_of_no_such_language() -> None:
    with pytest.raises(ConfigurationError):
        catalogue("de")


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("ky", "ky"),
        ("KY-kg", "ky"),
        ("de-DE, ru;q=0.8, en;q=0.9", "en"),
        ("ru;q=0, ky;q=0.1", "ky"),
        ("ru;q=nonsense", "en"),
        ("ru;q=7", "en"),
        ("ru,ky", "ru"),
        ("*", "en"),
        ("", "en"),
        (None, "en"),
    ],
)
def test_negotiate(header: str | None, language: str) -> None:
    assert messages.negotiate(header) == language


@given(st.text(max_size=300))
def test_negotiate_never_fails(header: str) -> None:
    assert messages.negotiate(header) in messages.languages()
