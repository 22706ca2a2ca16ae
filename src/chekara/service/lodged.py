"""What was lodged, as bytes: written once at the door, fingerprinted there, and stored as they are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final, NamedTuple

import msgspec

from chekara.domain.crossing import Crossing, Value
from chekara.service.chain import canonical_json, instant_text

Plain = dict[str, Any]

_PLAIN: Final = frozenset({str, int, bool})


class LodgedBody(NamedTuple):
    """Header and goods lines of a crossing as canonical JSON.

    Attributes
    ----------
    header : msgspec.Raw
    items : msgspec.Raw
        A list, in the order of the body.
    numbered : msgspec.Raw
        The same by number.
    """

    header: msgspec.Raw
    items: msgspec.Raw
    numbered: msgspec.Raw


def lodged_body(crossing: Crossing) -> LodgedBody:
    """Write header and goods lines; equal crossings give equal bytes, whatever the order or number type of the body.

    Examples
    --------
    >>> at = datetime(2026, 1, 2)
    >>> body = lodged_body(Crossing("c1", 0, at, at, {"weighed_mass_kg": 10.0}, ({"item_no": 2}, {"item_no": 1})))
    >>> bytes(body.header), bytes(body.items), bytes(body.numbered)
    (b'{"weighed_mass_kg":10}', b'[{"item_no":2},{"item_no":1}]', b'[{"item_no":1},{"item_no":2}]')
    """
    items = [plain_values(item) for item in crossing.items]
    written = msgspec.Raw(canonical_json(items))
    numbers = [item["item_no"] for item in items]
    if numbers == sorted(numbers):
        numbered = written
    else:
        numbered = msgspec.Raw(canonical_json(sorted(items, key=lambda item: item["item_no"])))
    return LodgedBody(msgspec.Raw(canonical_json(plain_values(crossing.header))), written, numbered)


def plain_values(values: Mapping[str, Value]) -> Plain:
    """Write values by name as plain data: whole floats as integers, instants in UTC."""
    plain: Plain = dict(values)
    for name, value in values.items():
        if value.__class__ not in _PLAIN:  # as most are
            plain[name] = plain_value(value)
    return plain


def plain_value(value: Value) -> str | int | float | bool:
    """Write one value as plain data.

    Examples
    --------
    >>> plain_value(3.0), plain_value(0.5), plain_value(date(2026, 1, 2))
    (3, 0.5, '2026-01-02')
    """
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if isinstance(value, datetime):
        return instant_text(value)
    return value.isoformat() if isinstance(value, date) else value
