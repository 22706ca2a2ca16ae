"""The strict door: what comes in as the contract says comes in whole; everything else is named and never repeated."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chekara.api.parse import ReviewParser, ScoreParser
from chekara.api.section import MOST_PROBLEMS, MOST_REMEMBERED, Findings, Section
from chekara.data.coerce import coerce_column, coerce_extension
from chekara.data.schema import HEADER_COLUMNS, ITEM_COLUMNS, Column
from chekara.domain.vocabulary import Lane, ReviewAction
from chekara.errors import InvalidRequestError, MalformedBodyError, TextTooLongError, TooManyItemsError
from chekara.settings import Limits

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
PARSER = ScoreParser(Limits())
SECRET = "Zq7secretZq7"


def body(**changes: Any) -> dict[str, Any]:
    whole = {
        "crossing_id": "C-1",
        "occurred_at": "2026-11-24T08:30:00+06:00",
        "crossing_point": "TORUGART",
        "direction": "entry",
        "mode": "road",
        "items": [{"hs_code": "610910"}],
    }
    return {name: value for name, value in {**whole, **changes}.items() if value is not ...}


def item(**fields: Any) -> dict[str, Any]:
    return body(items=[fields])


def parse(value: Any, **options: Any) -> Any:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return PARSER.parse(raw, received_at=NOW, **options)


def problems(value: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidRequestError) as raised:
        parse(value)
    for problem in raised.value.problems:
        assert SECRET not in problem.where + problem.message
    assert SECRET not in str(raised.value)
    return [(problem.where, problem.code) for problem in raised.value.problems]


# One valid value of every kind of column, drawn from the column itself: an independent reading of the schema.
def values_of(column: Column) -> st.SearchStrategy[Any]:
    if column.values:
        return st.sampled_from(column.values)
    if column.pattern is not None:
        return st.from_regex(column.pattern.replace(r"\d", "[0-9]"), fullmatch=True)
    low = -1e15 if column.minimum is None else column.minimum
    high = 1e15 if column.maximum is None else column.maximum
    times = st.datetimes(datetime(2000, 1, 1), datetime(2026, 11, 24), timezones=st.just(UTC))
    by_kind: dict[str, st.SearchStrategy[Any]] = {
        "number": st.floats(low, high, allow_nan=False),
        "integer": st.integers(max(int(low), 0), 10**9),
        "boolean": st.booleans(),
        "instant": times.map(datetime.isoformat),
        "date": st.dates().map(str),
    }
    return by_kind.get(column.kind, st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=50))


def objects_of(columns: tuple[Column, ...]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {column.name: values_of(column) for column in columns if column.required},
        optional={
            column.name: values_of(column) for column in columns if not column.required and column.name != "item_no"
        },
    )


@given(header=objects_of(HEADER_COLUMNS), items=st.lists(objects_of(ITEM_COLUMNS), min_size=1, max_size=3))
def test_what_the_contract_allows_comes_in_whole(header: dict[str, Any], items: list[dict[str, Any]]) -> None:
    crossing = parse({**header, "items": items}).crossing
    known = {"crossing_id", "revision", "occurred_at", "known_at"}
    for name, value in header.items():
        found = getattr(crossing, name) if name in known else crossing.header[name]
        assert found == (datetime.fromisoformat(value) if name.endswith("_at") else value)
    for given_item, kept in zip(items, crossing.items, strict=True):
        for name, value in given_item.items():
            assert (str(kept[name]) if name == "importer_registered_at" else kept[name]) == value


def test_defaults_are_those_of_the_contract() -> None:
    crossing = parse(body(items=[{}, {}])).crossing
    assert crossing.revision == 0
    assert crossing.known_at == crossing.occurred_at == datetime(2026, 11, 24, 2, 30, tzinfo=UTC)
    assert crossing.header["stage"] == "arrival"
    assert [i["item_no"] for i in crossing.items] == [1, 2]
    assert {i["hs_version"] for i in crossing.items} == {"2022"}


def test_same_content_written_differently_is_the_same_crossing() -> None:
    first = parse(body(occurred_at="2026-11-24T08:30:00+06:00", occupants=2, carrier_id=None))
    other = parse(dict(reversed(body(occurred_at="2026-11-24T02:30:00Z", occupants=2.0).items())))
    assert first == other


SPACES = ("", " ", "\u00a0", "\u2003 ", "\u202f", "\u3000")  # white space that is no control character
TEXT_COLUMNS = tuple(column for column in HEADER_COLUMNS + ITEM_COLUMNS if column.kind in ("string", "code"))


@settings(max_examples=30)
@given(data=st.data(), before=st.sampled_from(SPACES), after=st.sampled_from(SPACES))
def test_padded_text_is_read_as_a_file_reads_it(data: st.DataObject, before: str, after: str) -> None:
    sent: dict[str, Any] = {"x_note": before + data.draw(st.sampled_from(("", "a b", "A\u0301"))) + after}
    sent |= {column.name: before + data.draw(values_of(column)) + after for column in TEXT_COLUMNS}
    heads = {column.name for column in HEADER_COLUMNS}
    header = {name: value for name, value in sent.items() if name in heads or name == "x_note"}
    crossing = parse(
        body(**header, items=[{name: value for name, value in sent.items() if name not in heads}])
    ).crossing
    read = {"crossing_id": crossing.crossing_id} | dict(crossing.header) | dict(crossing.items[0])
    for column in TEXT_COLUMNS:
        [of_file] = coerce_column(pd.Series([sent[column.name]], dtype="str"), column).values
        assert read[column.name] == of_file
    [of_file] = coerce_extension(pd.Series([sent["x_note"]], dtype="str")).values
    for fields in (crossing.header, crossing.items[0]):
        assert fields.get("x_note") == (None if pd.isna(of_file) else of_file)


def test_padded_ids_are_one_crossing() -> None:
    assert parse(body(crossing_id=" C-1\u00a0", labels={"plate": " 01 KG "})) == parse(body(labels={"plate": "01 KG"}))


REFUSED = [
    ("unknown field", body(colour=SECRET), [("/colour", "unknown_field")]),
    ("a fact about people", body(nationality=SECRET), [("/nationality", "unknown_field")]),
    ("unknown field of an item", item(colour=1), [("/items/0/colour", "unknown_field")]),
    ("a name that is an attack", body(**{f"<b>\u202e{SECRET}": 1}), [("", "unknown_field")]),
    ("a name of 200 letters", body(**{SECRET * 20: 1}), [("", "unknown_field")]),
    ("number as string", item(declared_value="12"), [("/items/0/declared_value", "not_a_number")]),
    ("true for one", item(packages=True), [("/items/0/packages", "not_an_integer")]),
    ("one for true", item(authorised_operator=1), [("/items/0/authorised_operator", "not_a_boolean")]),
    ("number for string", item(hs_code=610910), [("/items/0/hs_code", "not_a_string")]),
    ("half a package", item(packages=1.5), [("/items/0/packages", "not_an_integer")]),
    ("negative mass", item(net_mass_kg=-1), [("/items/0/net_mass_kg", "out_of_range")]),
    ("more than any mass", item(net_mass_kg=1e200), [("/items/0/net_mass_kg", "out_of_range")]),
    ("bad HS code", item(hs_code=SECRET), [("/items/0/hs_code", "bad_pattern")]),
    ("HS code in other digits", item(hs_code="٦١٠٩١٠"), [("/items/0/hs_code", "bad_pattern")]),
    ("HS version in other digits", item(hs_version="२०२२"), [("/items/0/hs_version", "bad_pattern")]),
    (
        "date in other digits",
        item(importer_registered_at="٢٠٢٠-٠٥-٠١"),
        [("/items/0/importer_registered_at", "bad_date")],
    ),
    ("instant in other digits", body(occurred_at="٢٠٢٦-١١-٢٤T08:30:00Z"), [("/occurred_at", "bad_instant")]),
    ("small country code", item(origin_country="cn"), [("/items/0/origin_country", "bad_pattern")]),
    ("bad lane word", body(direction=SECRET), [("/direction", "not_allowed")]),
    ("bad date", item(importer_registered_at="2026-02-30"), [("/items/0/importer_registered_at", "bad_date")]),
    ("week date", item(importer_registered_at="2026-W01-1"), [("/items/0/importer_registered_at", "bad_date")]),
    ("naive instant", body(occurred_at="2026-11-24T08:30:00"), [("/occurred_at", "naive_instant")]),
    ("no instant", body(occurred_at=SECRET), [("/occurred_at", "bad_instant")]),
    ("seconds since 1970", body(occurred_at=1700000000), [("/occurred_at", "not_a_string")]),
    ("before the calendar", body(occurred_at="0001-01-01T00:00:00+14:00"), [("/occurred_at", "out_of_range")]),
    ("two days ahead", body(occurred_at="2026-11-26T09:00:00Z"), [("/occurred_at", "too_far_ahead")]),
    ("required but absent", body(mode=...), [("/mode", "required")]),
    ("required but null", body(mode=None), [("/mode", "required")]),
    ("required but blank", body(crossing_id="  "), [("/crossing_id", "empty")]),
    ("no items", body(items=...), [("/items", "required")]),
    ("empty items", body(items=[]), [("/items", "no_items")]),
    ("items an object", body(items={}), [("/items", "not_an_array")]),
    ("an item a string", body(items=[SECRET]), [("/items/0", "not_an_object")]),
    (
        "two items of one number",
        body(items=[{"item_no": 1}, {"item_no": 1}]),
        [("/items/1/item_no", "repeated_item_no")],
    ),
    ("item zero", item(item_no=0), [("/items/0/item_no", "out_of_range")]),
    ("a list", [SECRET], [("", "not_an_object")]),
    ("a string", SECRET, [("", "not_an_object")]),
    ("extension a list", body(x_colour=[SECRET]), [("/x_colour", "not_an_extension_value")]),
    ("extension a boolean", item(x_colour=True), [("/items/0/x_colour", "not_an_extension_value")]),
    ("extension about people", body(x_nationality=SECRET), [("/x_nationality", "denied_field")]),
    ("extension of an item about people", item(x_driverSex=SECRET), [("/items/0/x_driverSex", "denied_field")]),
    ("label about people", body(labels={"passport": SECRET}), [("/labels/passport", "denied_field")]),
    ("label a number", body(labels={"plate": 1}), [("/labels/plate", "not_a_string")]),
    ("label name with a dot", body(labels={"a.b": SECRET}), [("/labels", "unknown_field")]),
    ("labels a list", body(labels=[SECRET]), [("/labels", "not_an_object")]),
    ("void a string", body(void="yes"), [("/void", "not_a_boolean")]),
    ("deep value", body(carrier_id={"a": {"b": SECRET}}), [("/carrier_id", "not_a_string")]),
]


@pytest.mark.parametrize(("value", "expected"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused_with_a_pointer_and_without_the_value(value: Any, expected: list[tuple[str, str]]) -> None:
    assert problems(value) == expected


@pytest.mark.parametrize("spelling", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_numbers_that_are_none(spelling: str) -> None:
    raw = json.dumps(item(declared_value="@")).replace('"@"', spelling).encode()
    assert problems(raw) == [("/items/0/declared_value", "not_finite")]


def test_a_number_of_five_thousand_digits() -> None:
    raw = json.dumps(item(packages="@")).replace('"@"', "9" * 5000).encode()
    assert problems(raw) == [("/items/0/packages", "out_of_range")]


UNSAFE = (0, 10, 13, 0x1B, 0x7F, 0x85, 0x061C, 0x200F, 0x2028, 0x202E, 0x2067, 0xD800, 0xDFFF)


@pytest.mark.parametrize("character", [chr(code) for code in UNSAFE], ids=[f"U+{code:04X}" for code in UNSAFE])
@pytest.mark.parametrize("where", ["/crossing_id", "/items/0/goods_description", "/labels/plate", "/x_note"])
def test_unsafe_characters(character: str, where: str) -> None:
    text = f"{SECRET}{character}"
    value = body(items=[{}], labels={})
    match where.split("/")[1:]:
        case ["items", _, name]:
            value["items"][0][name] = text
        case ["labels", name]:
            value["labels"][name] = text
        case [name]:
            value[name] = text
    assert problems(value) == [(where, "unsafe_character")]


def test_letters_of_all_three_languages_are_no_unsafe_characters() -> None:
    text = "Пахта көйнөктөр, ңөү; T-shirts “cotton” 100\u00a0% – №7"
    assert parse(item(goods_description=text)).crossing.items[0]["goods_description"] == text


@given(st.text(st.characters(categories=["Cc"]), min_size=1))
def test_no_control_character_passes(text: str) -> None:
    assert problems(item(goods_description=text)) in (
        [("/items/0/goods_description", "unsafe_character")],
        [("/items/0/goods_description", "text_too_long")],
    )


def test_repeated_keys_are_named() -> None:
    raw = b'{"mode": "road", ' + json.dumps(body()).encode()[1:]
    assert problems(raw) == [("/mode", "repeated_field")]
    raw = json.dumps(body(items=[])).replace("[]", '[{"hs_code": "610910", "hs_code": "610910"}]').encode()
    assert problems(raw) == [("/items/0/hs_code", "repeated_field")]


def test_limits_have_their_own_types() -> None:
    with pytest.raises(TooManyItemsError):
        parse(body(items=[{}] * 2001))
    with pytest.raises(TextTooLongError):
        parse(item(goods_description="x" * 513))
    assert parse(body(items=[{}] * 2000))
    assert parse(item(goods_description="ө" * 512))


def test_everything_wrong_is_told_at_once() -> None:
    found = problems(body(mode=..., colour=1, items=[{"packages": "1"}, {"hs_code": 1}], labels={"plate": 1}))
    assert {where for where, _ in found} == {
        "/mode", "/colour", "/items/0/packages", "/items/1/hs_code", "/labels/plate",
    }  # fmt: skip


def test_a_body_full_of_mistakes_is_cut() -> None:
    with pytest.raises(InvalidRequestError, match="4000 fields") as raised:
        parse(body(items=[{"a": 1, "b": 2}] * 2000))
    assert len(raised.value.problems) == MOST_PROBLEMS


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xff\xfe{}",
        b'\xef\xbb\xbf{"a": 1}',
        b'{"a": 1} {"b": 2}',
        b"[" * 100_000,
        b'{"items":' + b'[{"a":' * 50_000,
        b"{'a': 1}",
        b'{"a": "\n"}',
        b'{"a": 01}',
    ],
    ids=lambda raw: repr(raw[:12]),
)
def test_not_json(raw: bytes) -> None:
    with pytest.raises(MalformedBodyError):
        parse(raw)


def test_pre_arrival_may_be_45_days_ahead() -> None:
    ahead = (NOW + timedelta(days=45)).isoformat()
    assert parse(body(stage="pre_arrival", occurred_at=ahead))
    later = (NOW + timedelta(days=45, seconds=1)).isoformat()
    assert problems(body(stage="pre_arrival", occurred_at=later)) == [("/occurred_at", "too_far_ahead")]


def test_a_replay_takes_the_time_of_receipt_from_the_body() -> None:
    future = body(occurred_at="2030-01-01T00:00:00Z")
    assert parse(future, is_replay=True).crossing.known_at == datetime(2030, 1, 1, tzinfo=UTC)
    with pytest.raises(InvalidRequestError):
        parse(body(occurred_at="2030-01-03T00:00:00Z", known_at="2030-01-01T00:00:00Z"), is_replay=True)


def test_extensions_at_both_levels() -> None:
    crossing = parse(body(x_note="a", x_score=1, items=[{"x_score": 2.5, "x_none": None}])).crossing
    assert (crossing.header["x_note"], crossing.header["x_score"]) == ("a", 1.0)
    assert crossing.items[0]["x_score"] == 2.5
    assert "x_none" not in crossing.items[0]


def test_a_withdrawal_needs_no_items() -> None:
    parsed = parse(body(void=True, items=..., revision=1))
    assert parsed.is_void
    assert len(parsed.crossing.items) == 1


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_json_is_parsed_or_refused(value: Any) -> None:
    with pytest.raises((InvalidRequestError, MalformedBodyError)):
        parse(value)


@given(st.binary())
def test_any_bytes_are_refused_readably(raw: bytes) -> None:
    with pytest.raises((InvalidRequestError, MalformedBodyError)):
        parse(raw)


def test_review_body() -> None:
    parser = ReviewParser(Limits())
    parsed = parser.parse(b'{"action": "override", "lane": "yellow", "reason": "weighed again"}')
    assert (parsed.action, parsed.lane, parsed.reason) == (ReviewAction.OVERRIDE, Lane.YELLOW, "weighed again")
    for raw, where in (
        (b'{"action": "follow"}', "/reason"),
        (b'{"action": "follow", "reason": " "}', "/reason"),
        (b'{"action": "jump", "reason": "x"}', "/action"),
        (b'{"action": "delay", "until": "2026-01-01", "reason": "x"}', "/until"),
        (b'{"action": "refer", "to": "Not An Agency", "reason": "x"}', "/to"),
        (b'{"action": "follow", "reason": "x", "officer": "me"}', "/officer"),
        (b"[]", ""),
    ):
        with pytest.raises(InvalidRequestError) as raised:
            parser.parse(raw)
        assert [problem.where for problem in raised.value.problems] == [where]


def test_what_was_read_before_is_read_the_same_and_nothing_is_remembered_without_end() -> None:
    columns = (
        Column(name="mode", kind="code", required=True, values=("road", "rail"), description="."),
        Column(name="goods_description", kind="string", description="."),
        Column(name="day", kind="date", description="."),
    )
    section = Section(columns, 512)
    for _ in range(2):
        findings = Findings()
        read = section.validate({"mode": " road ", "goods_description": " tea", "day": "2026-01-02"}, "", findings)
        assert (read, findings.count) == ({"mode": "road", "goods_description": "tea", "day": date(2026, 1, 2)}, 0)
        refused = Findings()
        section.validate({"mode": "sea", "goods_description": "\u202e", "day": "2026-02-30"}, "", refused)
        assert [problem.where for problem in refused.problems] == ["/mode", "/goods_description", "/day"]
        assert section.validate({"mode": "rail", "goods_description": " "}, "", Findings()) == {"mode": "rail"}
    for number in range(3 * MOST_REMEMBERED):
        section.validate({"mode": "road", "goods_description": f"goods {number}"}, "", Findings())
    assert all(len(own) <= MOST_REMEMBERED for own in section._read.values())
