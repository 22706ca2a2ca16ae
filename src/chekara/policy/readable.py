"""What criteria may read: contract columns, national extensions, and features of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import chekara.features.declared  # noqa: F401  # fills the catalogue
from chekara.data.denied import denied_by_name
from chekara.data.schema import CROSSING_COLUMNS, HEADER_COLUMNS, Column
from chekara.errors import ConfigurationError
from chekara.features.catalogue import find_feature
from chekara.policy.conditions import Kind, Readable

_KINDS: Final[Mapping[str, Kind]] = {"number": "number", "integer": "number", "boolean": "boolean"}
_COLUMNS: Final = {column.name: column for column in CROSSING_COLUMNS}
_HEADER: Final = frozenset(column.name for column in HEADER_COLUMNS)
# They are no values that a crossing has: which one it is, and when.
_NEVER: Final = frozenset({"crossing_id", "revision", "occurred_at", "known_at"})
_IDS: Final = frozenset({"journey_id", "declaration_id"})
EXTENSION_KINDS: Final[Mapping[str, Kind]] = {"number": "number", "text": "text"}


def readable(
    name: str, *, sensitive: Mapping[str, str] | None = None, extensions: Mapping[str, str] | None = None
) -> Readable:
    """Find what a name in a criterion stands for.

    Parameters
    ----------
    name : str
        A contract column, an extension ``x_...`` or a feature; where a column and a feature share a name, the column.
    sensitive : mapping of str to str, optional
        Reasons by name, for what describes more than the movement.
    extensions : mapping of str to str, optional
        ``number`` or ``text`` by name.

    Returns
    -------
    Readable

    Raises
    ------
    ConfigurationError
        There is no such thing, it describes people, it is sensitive and no reason is given, or it is an instant.

    Examples
    --------
    >>> readable("weighed_mass_kg")
    Readable(kind='number', is_header=True, values=(), pattern=None, is_given=True)
    >>> readable("driver_nationality")
    Traceback (most recent call last):
    chekara.errors.ConfigurationError: criteria may not read nationality: movements are judged, never people
    """
    column = _COLUMNS.get(name)
    if column is not None:
        _refuse_sensitive(name, is_sensitive=column.sensitive, reasons=sensitive)
        return _of_column(column)
    described = denied_by_name(name)
    if described is not None:
        raise ConfigurationError(f"criteria may not read {described}", hint="movements are judged, never people")
    if name.startswith("x_"):
        kind = EXTENSION_KINDS.get((extensions or {}).get(name, ""))
        if kind is None:
            raise ConfigurationError("say what kind of column this is", hint=f'extensions = {{ {name} = "number" }}')
        return Readable(kind)
    found = find_feature(name)
    if found is None:
        raise ConfigurationError("no such column or feature", hint="see docs/data-contract.md and docs/features.md")
    _refuse_sensitive(name, is_sensitive=found.sensitive, reasons=sensitive)
    return Readable("number" if found.kind == "number" else "text", is_given=False)


def _of_column(column: Column) -> Readable:
    is_header = column.name in _HEADER
    if column.name in _NEVER or column.kind in ("instant", "date"):
        raise ConfigurationError("criteria do not read this", hint="valid_from and expires_at bound a rule in time")
    if column.entity is not None or column.name in _IDS:
        return Readable(None, is_header)
    return Readable(_KINDS.get(column.kind, "text"), is_header, column.values, column.pattern)


def _refuse_sensitive(name: str, *, is_sensitive: bool, reasons: Mapping[str, str] | None) -> None:
    if is_sensitive and not (reasons or {}).get(name, "").strip():
        raise ConfigurationError("this is sensitive", hint=f'give the reason: sensitive = {{ {name} = "..." }}')
