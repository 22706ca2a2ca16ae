"""Bytes to JSON values without losing what a strict reader must refuse.

The standard reader keeps the last of two equal keys, takes ``NaN`` and turns ``1e999`` into infinity. Here each
of them survives as a marker, so that validation can name the field (a JSON pointer) instead of failing blindly:
repeated keys as ``RepeatedFields``, unusable numbers as ``NOT_FINITE`` or ``TOO_MANY_DIGITS``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from chekara.errors import MalformedBodyError

# Every integer of up to 15 digits is exact as float64; a longer one is no count and no revision.
_EXACT_DIGITS: Final = 15


class UnusableNumber:
    """Marker for a number that JSON can spell and nobody can compute with."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def __repr__(self) -> str:
        return f"UnusableNumber({self.reason})"


NOT_FINITE: Final = UnusableNumber("not_finite")
TOO_MANY_DIGITS: Final = UnusableNumber("out_of_range")


class RepeatedFields(dict[str, Any]):
    """An object in which a key was written twice; ``repeated`` names such keys."""

    repeated: tuple[str, ...]


def _object_of(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) == len(pairs):
        return fields
    seen: set[str] = set()
    repeated = dict.fromkeys(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
    marked = RepeatedFields(fields)
    marked.repeated = tuple(repeated)
    return marked


def _integer_of(digits: str) -> int | UnusableNumber:
    return int(digits) if len(digits) <= _EXACT_DIGITS else TOO_MANY_DIGITS


def _constant_of(_: str) -> UnusableNumber:
    return NOT_FINITE


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_object_of, parse_constant=_constant_of, parse_int=_integer_of)


def read_json(body: bytes | str, *, is_row: bool = False) -> Any:
    r"""Read one JSON value.

    Parameters
    ----------
    body : bytes or str
        UTF-8 without a byte order mark.
    is_row : bool
        One line of many, of which only the reader's caller knows the number: an error names the column alone.

    Returns
    -------
    Any
        Objects are dicts (``RepeatedFields`` where a key came twice), numbers are int, float or ``UnusableNumber``.
        Infinity from a number such as ``1e999`` stays a float and is for the caller to refuse.

    Raises
    ------
    MalformedBodyError
        Not UTF-8, not JSON, or nested deeper than the reader's stack.

    Examples
    --------
    >>> read_json(b'{"packages": NaN}')
    {'packages': UnusableNumber(not_finite)}
    """
    try:
        text = body.decode("utf-8") if isinstance(body, bytes) else body
        return _DECODER.decode(text)
    except UnicodeDecodeError:
        raise MalformedBodyError("the body is not UTF-8", hint="send JSON encoded as UTF-8") from None
    except json.JSONDecodeError as error:
        # Line and column help to mend it; the text around them would echo the body.
        where = f"column {error.colno}" if is_row else f"line {error.lineno}, column {error.colno}"
        raise MalformedBodyError("the body is not valid JSON", where=where, hint="send one JSON value") from None
    except RecursionError:
        raise MalformedBodyError("the body is nested too deep", hint="a crossing needs three levels") from None
