"""Numbers, shares, times and countries as a person reads them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from babel.numbers import parse_decimal
from hypothesis import given
from hypothesis import strategies as st

from chekara import messages

LANGUAGES = st.sampled_from(messages.languages())
FINITE = st.floats(allow_nan=False, allow_infinity=False, min_value=-9e14, max_value=9e14)
NBSP = messages.NO_BREAK_SPACE


@given(FINITE, LANGUAGES)
def test_number_reads_back_to_three_digits(x: float, language: str) -> None:
    shown = messages.number(x, language)
    assert "e" not in shown.lower()
    back = float(parse_decimal(shown.replace("−", "-"), locale=language))
    # Independent of how it is made: half a unit of the third digit, never a lost whole digit, nothing below 1e-9.
    assert abs(back - x) <= max(abs(x) * 5.1e-3, 6e-10)
    assert abs(back - x) <= 0.5 + abs(x) * 1e-15


@given(st.floats(), LANGUAGES)
def test_no_format_shows_nan_or_infinity(x: float, language: str) -> None:
    for shown in (messages.number(x, language), messages.money(x, language), messages.share(x, language)):
        assert not re.search("nan|inf|∞", shown.lower())
        assert shown


@pytest.mark.parametrize(
    ("amount", "shown"),
    [(1.9, "1.90"), (7.4, "7.40"), (0.05, "0.05"), (0.0, "0.00"), (999.999, "1,000.00"), (12345.6, "12,346")],
)
def test_money(amount: float, shown: str) -> None:
    assert messages.money(amount, "en") == shown


@pytest.mark.parametrize(
    ("fraction", "shown"),
    [
        (0, "0 %"),
        (0.0004, "< 0.1 %"),
        (0.0123, "1.2 %"),
        (0.0996, "10 %"),
        (0.2877, "29 %"),
        (1, "100 %"),
        (3.4, "340 %"),
    ],
)
def test_share(fraction: float, shown: str) -> None:
    assert messages.share(fraction, "en").replace(NBSP, " ") == shown


@given(st.integers(-10_000, 10_000), LANGUAGES)
def test_signed_tells_the_way(cents: int, language: str) -> None:
    shown = messages.signed(cents / 100, language)
    assert shown.startswith("+") == (cents > 0)
    assert shown.startswith("−") == (cents < 0)
    digits = shown.lstrip("+−")
    assert abs(float(parse_decimal(digits, locale=language)) - abs(cents) / 100) < 1e-9


def test_marks_of_the_language() -> None:
    assert messages.number(21340.5, "ru") == messages.number(21340.5, "ky") == f"21{NBSP}340"
    assert messages.number(7.25, "ru") == messages.number(7.25, "ky") == "7,25"


def test_instant_is_told_in_the_zone_of_the_reader() -> None:
    late = datetime(2026, 11, 23, 20, 5, tzinfo=UTC)
    assert messages.instant(late, "en") == "24 Nov 2026, 02:05"
    assert messages.instant(late, "ky") == "24 ноя. 2026, 02:05"
    assert messages.instant(late, "en", zone="UTC") == "23 Nov 2026, 20:05"


@pytest.mark.parametrize(
    ("span", "shown"),
    [
        (timedelta(seconds=-5), "under 1 min"),
        (timedelta(seconds=59), "under 1 min"),
        (timedelta(minutes=61), "1 h 1 min"),
        (timedelta(hours=2), "2 h"),
        (timedelta(days=2, hours=4, minutes=30), "2 d 4 h"),
        (timedelta(days=1, minutes=30), "1 d"),
    ],
)
def test_duration(span: timedelta, shown: str) -> None:
    assert messages.duration(span, "en").replace(NBSP, " ") == shown


def test_weekdays_are_seven_words() -> None:
    for language in messages.languages():
        assert len({messages.weekday(day, language) for day in range(7)}) == 7


@given(st.text(max_size=4), LANGUAGES)
def test_country_keeps_the_code(code: str, language: str) -> None:
    assert code in messages.country(code, language)


@pytest.mark.parametrize("moment", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
def test_an_instant_at_either_end_of_the_calendar_is_shown(moment: datetime) -> None:
    for language in messages.languages():
        assert str(moment.year) in messages.instant(moment, language)
        assert messages.instant(moment, language, "America/Lima")
