"""One JSON object against the columns that may stand in it: what is wrong is noted by JSON pointer, never by value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from chekara.api.fields import (
    NOT_A_NUMBER,
    TOO_LONG,
    Check,
    Refusal,
    check_number,
    checks_for,
    number_bounds,
    text_check,
)
from chekara.api.strict_json import RepeatedFields
from chekara.data.denied import denied_by_name
from chekara.data.schema import Column, is_extension
from chekara.domain.crossing import Value
from chekara.errors import FieldProblem, InvalidRequestError, TextTooLongError, TooManyItemsError

MOST_PROBLEMS: Final = 500
LONGEST_REMEMBERED: Final = 40
MOST_REMEMBERED: Final = 4096
"""Texts of a column that are kept as they were read; then all are dropped, so that no sender can fill the memory."""

PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)

NOT_AN_OBJECT: Final = Refusal("not_an_object", "Give a JSON object.")
NOT_AN_ARRAY: Final = Refusal("not_an_array", "Give a JSON array.")
UNKNOWN_FIELD: Final = Refusal("unknown_field", "This field is no part of the contract.")
DENIED_FIELD: Final = Refusal("denied_field", "This describes people; movements are scored, never people.")
REPEATED_FIELD: Final = Refusal("repeated_field", "This field was given more than once.")
REQUIRED: Final = Refusal("required", "This field is required.")
NOT_EXTENSION_VALUE: Final = Refusal("not_an_extension_value", "An extension holds a number or a string.")
TOO_MANY_ITEMS: Final = Refusal("too_many_items", "There are more items than the limit.")
_LIMIT_ERRORS: Final[Mapping[str, type[InvalidRequestError]]] = {
    TOO_MANY_ITEMS.code: TooManyItemsError,
    TOO_LONG.code: TextTooLongError,
}


@dataclass(slots=True)
class Findings:
    """Problems found so far, in the order of the body; a body full of them is cut at ``MOST_PROBLEMS``."""

    problems: list[FieldProblem] = field(default_factory=list)
    count: int = 0

    def add(self, where: str, refusal: Refusal) -> None:
        """Note one refused field."""
        self.count += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(FieldProblem(where, refusal.code, refusal.message))

    def raise_if_any(self) -> None:
        """Raise ``InvalidRequestError``, or the limit's own class where only that limit was broken."""
        if self.count:
            fields = "1 field is" if self.count == 1 else f"{self.count} fields are"
            codes = {problem.code for problem in self.problems}
            error = _LIMIT_ERRORS.get(codes.pop(), InvalidRequestError) if len(codes) == 1 else InvalidRequestError
            raise error(f"{fields} not what the contract asks for", problems=tuple(self.problems))


class Section:
    """The columns of one JSON object: what may stand in it, and what is there when nobody says.

    Parameters
    ----------
    columns : tuple of Column
    longest_text : int
        Most characters of a string.
    beside : tuple of str
        Further fields, which the caller checks itself.
    takes_extensions : bool
        Whether national extensions (``x_...``) may stand in it.
    """

    def __init__(
        self,
        columns: tuple[Column, ...],
        longest_text: int,
        beside: tuple[str, ...] = (),
        *,
        takes_extensions: bool = True,
    ) -> None:
        self._takes_extensions = takes_extensions
        self._checks: dict[str, Check] = checks_for(columns, longest_text)
        # Codes and days come again and again: what one was read as is kept. Ids and instants are new nearly every time.
        self._read: dict[str, dict[str, Value]] = {
            column.name: {}
            for column in columns
            if column.kind in ("code", "string", "date") and not (column.entity or column.name.endswith("_id"))
        }
        self._bounds = {column.name: number_bounds(column) for column in columns if column.kind == "number"}
        self._required = tuple(column.name for column in columns if column.required)
        self._beside = frozenset(beside)
        self._check_text = text_check(longest_text)
        # A default in angle brackets copies another column and is filled by who knows that column.
        self.defaults: dict[str, Value] = {
            column.name: column.default
            for column in columns
            if column.default is not None and not str(column.default).startswith("<")
        }

    def validate(self, fields: dict[str, Any], where: str, findings: Findings) -> dict[str, Value]:
        """Check every field of one object; JSON null is the same as leaving the field out."""
        note_repeated(fields, where, findings)
        values = dict(self.defaults)
        checks, read, bounds = self._checks, self._read, self._bounds
        for name, value in fields.items():
            kind = type(value)
            if kind is str and name in read:
                again = read[name].get(value)
                if again is not None:
                    values[name] = again
                    continue
            elif kind is float and name in bounds:
                lowest, highest = bounds[name]
                if lowest <= value <= highest:
                    values[name] = value
                    continue
            check = checks.get(name)
            if check is None:
                if name not in self._beside:
                    self._extension(name, value, where, values, findings)
                continue
            if value is None:
                continue
            checked = check(value)
            if type(checked) is Refusal:
                findings.add(f"{where}/{name}", checked)
            elif checked is not None:
                values[name] = checked  # type: ignore[assignment]  # mypy does not narrow on type() is
                if kind is str and name in read and len(value) <= LONGEST_REMEMBERED:
                    self._remember(name, value, values[name])
        self._note_missing(fields, where, findings)
        return values

    def _note_missing(self, fields: dict[str, Any], where: str, findings: Findings) -> None:
        for name in self._required:
            if fields.get(name) is None:
                findings.add(f"{where}/{name}", REQUIRED)

    def _remember(self, name: str, text: str, value: Value) -> None:
        own = self._read[name]
        if len(own) >= MOST_REMEMBERED:
            own.clear()
        own[text] = value

    def _extension(self, name: str, value: Any, where: str, values: dict[str, Value], findings: Findings) -> None:
        is_plain = PLAIN_NAME.fullmatch(name) is not None
        pointer = f"{where}/{name}" if is_plain else where
        if not (is_plain and self._takes_extensions and is_extension(name)):
            findings.add(pointer, UNKNOWN_FIELD)
        elif describes_people(name):
            findings.add(pointer, DENIED_FIELD)
        elif value is not None:
            checked = self._check_text(value) if type(value) is str else check_number(value)
            if isinstance(checked, Refusal):
                findings.add(pointer, NOT_EXTENSION_VALUE if checked is NOT_A_NUMBER else checked)
            elif checked not in (None, ""):  # as in a file, empty is not given
                values[name] = checked


@lru_cache(maxsize=1024)
def describes_people(name: str) -> bool:
    """Hold extensions and labels, whose names anybody may choose, against the words that history files refuse."""
    return denied_by_name(name) is not None


def note_repeated(fields: dict[str, Any], where: str, findings: Findings) -> None:
    """Note every field that was given twice in one object.

    Parameters
    ----------
    fields : dict
        As ``read_json`` made it.
    where : str
        JSON pointer of the object.
    findings : Findings
    """
    if isinstance(fields, RepeatedFields):
        for name in fields.repeated:
            findings.add(f"{where}/{name}" if PLAIN_NAME.fullmatch(name) else where, REPEATED_FIELD)
