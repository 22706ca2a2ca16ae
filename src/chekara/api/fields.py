"""One check per column of the contract, made from ``chekara.data.schema`` and from nothing else.

A check takes a JSON value and returns the value as the domain holds it, or a ``Refusal``. Checks never see where
the value stood and never keep it, so that no message can repeat it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from chekara.data.coerce import trimmed
from chekara.data.schema import EARLIEST, LARGEST_INTEGER, LARGEST_NUMBER, LATEST, UNSAFE_CHARACTERS, Column
from chekara.domain.crossing import Value

# A surrogate without a partner cannot be written as UTF-8 at all.
_UNSAFE: Final = re.compile(f"[{UNSAFE_CHARACTERS}\ud800-\udfff]")

_INSTANT: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(?P<offset>[Zz]|[+-]\d{2}:?\d{2})?", re.ASCII
)
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a value was refused: a stable code and a sentence that holds no value."""

    code: str
    message: str


Check = Callable[[Any], Value | Refusal | None]

NOT_A_STRING: Final = Refusal("not_a_string", "Give a string.")
NOT_A_NUMBER: Final = Refusal("not_a_number", "Give a JSON number, without quotation marks.")
NOT_AN_INTEGER: Final = Refusal("not_an_integer", "Give a whole number, without quotation marks.")
NOT_A_BOOLEAN: Final = Refusal("not_a_boolean", "Give true or false.")
NOT_FINITE: Final = Refusal("not_finite", "NaN and infinity are no numbers here; leave the field out if it is unknown.")
OUT_OF_RANGE: Final = Refusal("out_of_range", "The number is outside of what the contract allows.")
TOO_LONG: Final = Refusal("text_too_long", "The string is longer than the limit.")
UNSAFE_CHARACTER: Final = Refusal(
    "unsafe_character", "Control characters, bidirectional marks and lone surrogates are refused."
)
NOT_ALLOWED: Final = Refusal("not_allowed", "This is none of the values that the contract lists.")
BAD_PATTERN: Final = Refusal("bad_pattern", "The value does not have the form that the contract asks for.")
EMPTY: Final = Refusal("empty", "A required field must not be empty.")
BAD_INSTANT: Final = Refusal("bad_instant", "Give an instant such as 2026-11-24T08:30:00+06:00.")
INSTANT_OUT_OF_RANGE: Final = Refusal("out_of_range", "An instant lies from the year 1900 up to the year 2199, in UTC.")
NAIVE_INSTANT: Final = Refusal("naive_instant", "An instant needs its offset from UTC, such as +06:00 or Z.")
BAD_DATE: Final = Refusal("bad_date", "Give a calendar day such as 2019-05-31.")


def text_check(longest: int) -> Check:
    """Make the check that every string of a body passes; it reads a string without its outer white space, as files do.

    Parameters
    ----------
    longest : int
        Most characters as sent.

    Examples
    --------
    >>> text_check(512)(" Хлопок "), text_check(3)("Хлопок").code
    ('Хлопок', 'text_too_long')
    """

    def check(value: Any) -> Value | Refusal:
        if type(value) is not str:
            return NOT_A_STRING
        if len(value) > longest:
            return TOO_LONG
        # Printable ASCII is nearly every value and needs no search.
        if not (value.isascii() and value.isprintable()) and _UNSAFE.search(value) is not None:
            return UNSAFE_CHARACTER
        return trimmed(value)

    return check


def column_check(column: Column, longest: int) -> Check:
    """Make the check of one column.

    Parameters
    ----------
    column : Column
    longest : int
        Most characters of a string.

    Returns
    -------
    Check
        Gives the value as the domain holds it (instants in UTC, whole numbers as int), None for an empty optional
        string (as in a CSV file, empty is not given), or a Refusal.
    """
    match column.kind:
        case "number":
            return _number_check(column)
        case "integer":
            return _integer_check(column)
        case "boolean":
            return check_boolean
        case "instant":
            return check_instant
        case "date":
            return _check_date
        case _:
            return _string_check(column, longest)


def checks_for(columns: Iterable[Column], longest: int) -> dict[str, Check]:
    """Make the checks of a table, by column name."""
    return {column.name: column_check(column, longest) for column in columns}


def _string_check(column: Column, longest: int) -> Check:
    check_text = text_check(longest)
    allowed = frozenset(column.values)
    pattern = None if column.pattern is None else re.compile(column.pattern, re.ASCII)
    when_empty = EMPTY if column.required else None
    is_free = not allowed and pattern is None

    def check(value: Any) -> Value | Refusal | None:
        if type(value) is str and (value in allowed or (is_free and _is_plain(value, longest))):
            return value
        text = check_text(value)
        if type(text) is not str:
            return text
        if allowed:
            return text if text in allowed else NOT_ALLOWED
        if pattern is not None:
            return text if pattern.fullmatch(text) is not None else BAD_PATTERN
        return text or when_empty

    return check


def _is_plain(text: str, longest: int) -> bool:
    """Whether a text is printable ASCII without outer spaces, as nearly every one is: there is nothing to change."""
    return 0 < len(text) <= longest and text.isascii() and text.isprintable() and text[0] != " " and text[-1] != " "


def _finite(value: Any) -> float | Refusal:
    """Tell a usable JSON number from everything that only looks like one."""
    kind = type(value)
    if kind is not float and kind is not int:  # bool is an int to Python, not to JSON
        reason = getattr(value, "reason", None)
        if reason is None:
            return NOT_A_NUMBER
        return NOT_FINITE if reason == "not_finite" else OUT_OF_RANGE
    if not math.isfinite(value):
        return NOT_FINITE
    return OUT_OF_RANGE if abs(value) > LARGEST_NUMBER else float(value)


def number_bounds(column: Column) -> tuple[float, float]:
    """Return the least and the largest number that a column holds."""
    lowest = -LARGEST_NUMBER if column.minimum is None else column.minimum
    return lowest, LARGEST_NUMBER if column.maximum is None else column.maximum


def _number_check(column: Column) -> Check:
    lowest, highest = number_bounds(column)

    def check(value: Any) -> Value | Refusal:
        if type(value) is float and lowest <= value <= highest:
            return value
        number = _finite(value)
        if isinstance(number, Refusal):
            return number
        return number if lowest <= number <= highest else OUT_OF_RANGE

    return check


def _integer_check(column: Column) -> Check:
    lowest = -LARGEST_INTEGER if column.minimum is None else column.minimum
    highest = LARGEST_INTEGER if column.maximum is None else column.maximum

    def check(value: Any) -> Value | Refusal:
        if type(value) is int and lowest <= value <= highest:
            return value
        number = _finite(value)
        if isinstance(number, Refusal):
            return NOT_AN_INTEGER if number is NOT_A_NUMBER else number
        # 3.0 is the whole number 3 in JSON; columns with gaps are often written so.
        if number != int(number):
            return NOT_AN_INTEGER
        return int(number) if lowest <= number <= highest else OUT_OF_RANGE

    return check


def may_be_id(text: str) -> bool:
    """Whether a part of a path can be an id of ours; nothing else reaches a database.

    Examples
    --------
    >>> may_be_id("0b7c-4d"), may_be_id("' OR 1")
    (True, False)
    """
    return _ID.fullmatch(text) is not None


def check_number(value: Any) -> Value | Refusal:
    """Check a number without a column: a national extension."""
    return _finite(value)


def check_boolean(value: Any) -> Value | Refusal:
    """Check a JSON true or false; 0, 1 and "true" are refused."""
    return value if value is True or value is False else NOT_A_BOOLEAN


def check_instant(value: Any) -> Value | Refusal:
    """Check an RFC 3339 instant with offset and bring it to UTC.

    Examples
    --------
    >>> check_instant("2026-11-24T08:30:00+06:00")
    datetime.datetime(2026, 11, 24, 2, 30, tzinfo=datetime.timezone.utc)
    """
    if type(value) is not str:
        return NOT_A_STRING
    match = _INSTANT.fullmatch(value)
    if match is None:
        return BAD_INSTANT
    if match["offset"] is None:
        return NAIVE_INSTANT
    try:
        instant = datetime.fromisoformat(value.upper()).astimezone(UTC)
    except ValueError:
        return BAD_INSTANT
    except OverflowError:
        return INSTANT_OUT_OF_RANGE
    return instant if EARLIEST <= instant < LATEST else INSTANT_OUT_OF_RANGE


def _check_date(value: Any) -> Value | Refusal:
    if type(value) is not str:
        return NOT_A_STRING
    if _DATE.fullmatch(value) is None:
        return BAD_DATE
    try:
        return date.fromisoformat(value)
    except ValueError:
        return BAD_DATE
