"""One raw column to its contract dtype, against plain Python as the oracle."""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekara.api.fields import Refusal, check_number, text_check
from chekara.data.coerce import VALUE_REASONS, Coerced, as_arrow, coerce_column, coerce_extension, empty_column, trimmed
from chekara.data.schema import CROSSING_COLUMNS, INSPECTION_COLUMNS, LONGEST_TEXT, TABLES, Column, columns_by_name

COLUMNS = columns_by_name(INSPECTION_COLUMNS) | columns_by_name(CROSSING_COLUMNS)
DTYPES = {
    "string": "str",
    "code": "str",
    "number": "float64",
    "integer": "float64",
    "boolean": "boolean",
    "instant": "datetime64[us, UTC]",
    "date": "datetime64[us]",
}


def coerce(name: str, values: list[Any], dtype: str | None = None) -> Coerced:
    return coerce_column(pd.Series(values, dtype=dtype), COLUMNS[name])


def reasons(coerced: Coerced, row: int = 0) -> list[str]:
    return [reason for reason, mask in coerced.problems.items() if mask[row]]


@pytest.mark.parametrize("column", [column for columns in TABLES.values() for column in columns], ids=lambda c: c.name)
def test_every_column_has_its_dtype_even_when_nothing_is_there(column: Column) -> None:
    for values in (empty_column(column, 2), coerce_column(pd.Series(["", "  "]), column).values):
        assert str(values.dtype) == DTYPES[column.kind]
        assert values.isna().all()


def test_one_text_is_trimmed_as_a_column_is() -> None:
    letters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    padded = [f"{letter}a {letter}b{letter}" for letter in letters]
    assert as_arrow(pd.Series(padded, dtype="str")).to_pylist() == [trimmed(text) for text in padded]


@given(
    st.lists(
        st.one_of(
            st.floats(allow_nan=False).map(repr),
            st.integers(-(10**6), 10**6).map(str),
            st.text("0123456789.eE+-, ", max_size=8),
            st.sampled_from(["inf", "-inf", "nan", "0x1F", "1_0", "١٢", "1,5", "½", "True"]),
        ),
        max_size=20,
    )
)
def test_numbers_are_what_python_reads(values: list[str]) -> None:
    coerced = coerce_column(pd.Series(values, dtype="str"), COLUMNS["propensity"])
    for row, raw in enumerate(values):
        text = raw.strip()
        try:
            number = float(text) if text.isascii() and "_" not in text else None
        except ValueError:
            number = None
        usable = number is not None and not math.isnan(number) and 0 <= number <= 1
        got = coerced.values[row]
        assert (got == number) if usable else math.isnan(got)
        assert bool(reasons(coerced, row)) == (bool(text) and not usable)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("net_mass_kg", "heavy", "not_a_number"),
        ("net_mass_kg", "1e999", "not_a_number"),
        ("net_mass_kg", "-1", "out_of_range"),
        ("net_mass_kg", True, "not_a_number"),
        ("declared_value", "NaN", "not_a_number"),
        ("declared_value", "nan", "not_a_number"),
        ("declared_value", "1e300", "out_of_range"),
        ("declared_value", 1.1e15, "out_of_range"),
        ("packages", "9" * 40, "out_of_range"),
        ("item_no", "1e30", "out_of_range"),
        ("revision", 2.0**31, "out_of_range"),
        ("goods_description", "T-shirts\0", "unsafe_character"),
        ("goods_description", "T-shirts\u202e", "unsafe_character"),
        ("crossing_id", "c1\x1b[2J", "unsafe_character"),
        ("carrier_id", "\x85\u0416\x85\u0416", "unsafe_character"),
        ("goods_description", "\u0416" * 513, "text_too_long"),
        ("packages", "1.5", "not_an_integer"),
        ("hs_code", "123", "wrong_form"),
        ("hs_code", "6109.10", "wrong_form"),
        ("hs_code", "٦١٠٩", "wrong_form"),
        ("hs_code", 101, "number_not_text"),
        ("origin_country", "cn", "wrong_form"),
        ("mode", "Road", "not_in_code_list"),
        ("journey_id", 1.5, "not_text"),
        ("authorised_operator", "maybe", "not_a_boolean"),
        ("occurred_at", "2025-01-01T10:00:00", "naive_instant"),
        ("occurred_at", "2025-01-01", "naive_instant"),
        ("occurred_at", pd.Timestamp("2025-01-01"), "naive_instant"),
        ("occurred_at", date(2025, 1, 1), "naive_instant"),
        ("occurred_at", "yesterday", "not_an_instant"),
        ("occurred_at", "2025-02-30T10:00:00Z", "not_an_instant"),
        ("occurred_at", 1735689600, "not_an_instant"),
        ("occurred_at", "1750-01-01T00:00:00Z", "out_of_range"),
        ("occurred_at", "2900-01-01T00:00:00Z", "out_of_range"),
        ("importer_registered_at", "01.05.2020", "not_a_date"),
        ("importer_registered_at", "2020-02-30", "not_a_date"),
    ],
)
def test_a_value_that_does_not_fit_is_blanked_with_its_reason(name: str, value: object, reason: str) -> None:
    coerced = coerce(name, [value, None])
    assert reasons(coerced) == [reason]
    assert reason in VALUE_REASONS
    assert coerced.values.isna().all()
    assert not reasons(coerced, row=1)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("origin_country", " NA ", "NA"),
        ("crossing_id", 12345678901234567, "12345678901234567"),
        ("importer_id", 7.0, "7"),
        ("hs_code", "0101", "0101"),
        ("packages", "3.0", 3.0),
        ("packages", "2147483647", 2147483647.0),
        ("goods_description", "two\nlines\tof text", "two\nlines\tof text"),
        ("goods_description", "\u0416" * 512, "\u0416" * 512),
        (
            "goods_description",
            "\u041a\u04af\u0440\u04e9\u04a3\u0434\u04af \u2116 5",
            "\u041a\u04af\u0440\u04e9\u04a3\u0434\u04af \u2116 5",
        ),
        ("declared_value", Decimal("1.25"), 1.25),
        ("net_mass_kg", "1e3", 1000.0),
        ("authorised_operator", "TRUE", True),
        ("authorised_operator", 0, False),
        ("importer_registered_at", date(2020, 5, 1), pd.Timestamp("2020-05-01")),
        ("importer_registered_at", "2020-05-01", pd.Timestamp("2020-05-01")),
    ],
)
def test_a_value_that_fits_is_kept_as_it_is(name: str, value: object, expected: object) -> None:
    coerced = coerce(name, [value])
    assert not coerced.problems
    assert coerced.values[0] == expected


@given(
    moment=st.datetimes(datetime(1901, 1, 1), datetime(2199, 1, 1)),
    minutes=st.integers(-14 * 60, 14 * 60),
    separator=st.sampled_from("T "),
)
def test_instants_keep_their_moment_in_every_spelling(moment: datetime, minutes: int, separator: str) -> None:
    local = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    written = local.isoformat(sep=separator)
    coerced = coerce("occurred_at", [written, written.replace("+00:00", "Z")])
    assert not coerced.problems
    assert (coerced.values == pd.Timestamp(local.astimezone(UTC))).all()
    typed = coerce("occurred_at", [pd.Timestamp(local)])
    assert typed.values[0] == coerced.values[0]


ARABIC_INDIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
DEVANAGARI = str.maketrans("0123456789", "०१२३४५६७८९")
WRITTEN = {
    "hs_code": "610910",
    "hs_version": "2022",
    "declared_value": "1250.5",
    "packages": "12",
    "duty_rate": "1e-2",
    "occurred_at": "2025-01-01T10:00:00+06:00",
    "importer_registered_at": "2020-05-01",
    "authorised_operator": "1",
}


@pytest.mark.parametrize("digits", [ARABIC_INDIC, DEVANAGARI])
@pytest.mark.parametrize("name", WRITTEN)
def test_digits_of_other_scripts_are_refused_and_not_guessed(name: str, digits: dict[int, int]) -> None:
    coerced = coerce(name, [WRITTEN[name], WRITTEN[name].translate(digits)])
    assert not reasons(coerced, row=0)
    assert reasons(coerced, row=1)
    assert coerced.values.isna().tolist() == [False, True]


def test_no_pattern_of_the_contract_leaves_digits_to_the_engine() -> None:
    patterns = {column.pattern for table in TABLES.values() for column in table if column.pattern}
    assert patterns
    for pattern in patterns:
        assert "\\" not in pattern
        with_unicode = re.compile(pattern)  # without re.ASCII, as another reader of the contract would
        assert not any(with_unicode.fullmatch("٦" * length) for length in range(1, 13))


def test_categories_and_mixed_objects_are_read_by_their_text() -> None:
    categorical = coerce_column(pd.Series(["road", "air", None], dtype="category"), COLUMNS["mode"])
    assert categorical.values[:2].tolist() == ["road", "air"]
    mixed = coerce_column(pd.Series(["a", 5, None], dtype=object), COLUMNS["journey_id"])
    assert mixed.values[:2].tolist() == ["a", "5"]
    assert mixed.values.isna().tolist() == [False, False, True]


def test_extensions_keep_strings_that_look_like_numbers() -> None:
    assert coerce_extension(pd.Series(["011", ""])).values.tolist()[0] == "011"
    assert str(coerce_extension(pd.Series([1, 2])).values.dtype) == "float64"
    assert coerce_extension(pd.Series([True, False])).values.tolist() == [1.0, 0.0]
    assert coerce_extension(pd.Series([date(2020, 1, 1)])).values.tolist() == ["2020-01-01"]


@given(st.one_of(st.floats(allow_nan=False), st.floats(-2e15, 2e15), st.sampled_from([1e15, -1e15])))
def test_a_number_of_an_extension_is_taken_from_a_file_where_a_request_takes_it(value: float) -> None:
    found = coerce_extension(pd.Series([value, 1.0]))
    is_taken = not isinstance(check_number(value), Refusal)
    assert (found.values[0] == value) == is_taken
    assert sum(mask.sum() for mask in found.problems.values()) == (not is_taken)


@given(
    st.text(min_size=1, max_size=4), st.sampled_from([0, 508, 513]), st.sampled_from(["", "\u202e", "\x00", "\u2028"])
)
def test_a_text_of_an_extension_is_taken_from_a_file_where_a_request_takes_it(text: str, more: int, odd: str) -> None:
    value = "a" + text + odd + "b" * (1 + more)  # no outer white space: in a file it is no part of a value
    if any(blank in value for blank in "\t\n\r"):
        return  # spreadsheets write these into cells, and no request may
    found = coerce_extension(pd.Series([value, "c"]))
    is_taken = not isinstance(text_check(LONGEST_TEXT)(value), Refusal)
    assert (found.values.tolist()[0] == value) == is_taken
    assert bool(found.problems) != is_taken
