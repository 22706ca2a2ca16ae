"""Rules of a mapping file for one column: where a contract value comes from."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

from chekara.data.denied import refuse_denied_name
from chekara.data.schema import Kind
from chekara.errors import ConfigurationError

_KEYS = {"from", "constant", "codes", "default", "factor", "pad", "prefix", "date_format", "timezone"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnRule:
    """Where the value of one contract column comes from.

    Attributes
    ----------
    source : str or None
        Foreign column (``from``); None where ``constant`` is given.
    constant : str or None
        The same value in every row.
    codes : mapping of str to str
        Foreign value to contract value; empty means that values are taken as they are.
    default : str or None
        Stands for missing values, and for values that ``codes`` does not list. Without it those are kept, so that
        the checks count them.
    factor : float or None
        Multiplies a number, to bring it to the contract's unit.
    pad : int or None
        Fills up with zeros on the left to this length.
    prefix : str
        Put in front of a value, to make codes of several countries differ.
    date_format : str or None
        ``strptime`` format of an instant or date; None means ISO 8601.
    timezone : str or None
        Offset such as ``+09:00``, or zone such as ``Asia/Bishkek``, of instants that carry none.
    """

    source: str | None = None
    constant: str | None = None
    codes: dict[str, str] = field(default_factory=dict)
    default: str | None = None
    factor: float | None = None
    pad: int | None = None
    prefix: str = ""
    date_format: str | None = None
    timezone: str | None = None


def read_column_rule(recipe: Any, kind: Kind, *, where: str) -> ColumnRule:
    """Read one column of a mapping.

    Parameters
    ----------
    recipe : str or dict
        As in the TOML file; a bare string is the foreign column.
    kind : Kind
        Kind of the contract column: a factor needs a number, a time zone an instant.
    where : str
        Place for error messages.

    Raises
    ------
    ConfigurationError
        An unknown key, both or neither of ``from`` and ``constant``, or a key that does not fit the kind.
    DeniedColumnError
        The foreign column describes people.
    """
    if isinstance(recipe, str):
        recipe = {"from": recipe}
    if not isinstance(recipe, dict):
        raise ConfigurationError("must be a foreign column or a table of keys", where=where)
    unknown = sorted(set(recipe) - _KEYS)
    if unknown:
        raise ConfigurationError(
            f"unknown key {unknown[0]!r}", where=where, hint=f"known keys are {', '.join(sorted(_KEYS))}"
        )
    if ("from" in recipe) == ("constant" in recipe):
        raise ConfigurationError("needs either 'from' or 'constant'", where=where)
    _check_fit(recipe, kind, where)
    if "from" in recipe:
        refuse_denied_name(str(recipe["from"]), where=where)
    codes = recipe.get("codes", {})
    if not isinstance(codes, dict) or not all(isinstance(value, str) for value in codes.values()):
        raise ConfigurationError("codes must map strings to strings", where=where)
    if "timezone" in recipe:
        read_timezone(recipe["timezone"], where=where)
    return ColumnRule(
        source=recipe.get("from"),
        constant=_as_text(recipe.get("constant")),
        codes=codes,
        default=_as_text(recipe.get("default")),
        factor=None if recipe.get("factor") is None else float(recipe["factor"]),
        pad=recipe.get("pad"),
        prefix=recipe.get("prefix", ""),
        date_format=recipe.get("date_format"),
        timezone=recipe.get("timezone"),
    )


def map_column(foreign: pd.DataFrame, rule: ColumnRule) -> pd.Series[Any]:
    """Return one raw contract column.

    Parameters
    ----------
    foreign : DataFrame
        Every column ``str``; holds ``rule.source``.
    rule : ColumnRule

    Returns
    -------
    Series
        ``str``, ``float64`` where there is a factor, or instants in UTC. A value that the rule cannot read stays as
        it is, so that the checks count it with its row.

    Examples
    --------
    >>> rule = ColumnRule(source="code", codes={"10": "water"}, default="road")
    >>> map_column(pd.DataFrame({"code": ["10", "77"]}), rule).tolist()
    ['water', 'road']
    """
    if rule.constant is not None:
        return pd.Series(rule.constant, index=foreign.index, dtype="str")
    values = foreign[rule.source].astype("str")
    if rule.codes:
        known = values.map(rule.codes)
        values = known if rule.default is not None else known.where(known.notna(), values)
    if rule.default is not None:
        values = values.fillna(rule.default)
    if rule.pad is not None:
        values = values.str.zfill(rule.pad)
    if rule.prefix:
        values = rule.prefix + values
    if rule.date_format is not None or rule.timezone is not None:
        return _instants(values, rule)
    if rule.factor is not None:
        return _scaled(values, rule.factor)
    return values.astype("str")


def read_timezone(name: str, *, where: str) -> tzinfo:
    """Read an offset such as ``+09:00`` or a zone such as ``Asia/Bishkek``."""
    if isinstance(name, str) and name[:1] in "+-" and len(name) == 6 and name[3] == ":":
        hours, minutes = name[1:3], name[4:6]
        if hours.isdigit() and minutes.isdigit() and int(hours) < 24 and int(minutes) < 60:
            offset = timedelta(hours=int(hours), minutes=int(minutes))
            return timezone(-offset if name[0] == "-" else offset)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, TypeError):
        raise ConfigurationError("unknown time zone", where=where, hint="for example +06:00 or Asia/Bishkek") from None


def _instants(values: pd.Series[Any], rule: ColumnRule) -> pd.Series[Any]:
    """Readable instants become ISO 8601 text; the others stay as they are."""
    parsed = pd.to_datetime(values, format=rule.date_format or "ISO8601", errors="coerce", utc=rule.timezone is None)
    if rule.timezone is None:
        text = parsed.dt.strftime("%Y-%m-%d")
    else:
        zone = read_timezone(rule.timezone, where="timezone")
        # An hour that a zone skips or repeats cannot be told: it stays local, and the checks count it as naive.
        located = parsed.dt.tz_localize(zone, ambiguous="NaT", nonexistent="NaT")
        text = located.dt.tz_convert("UTC").dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return text.astype("str").where(text.notna(), values)


def _scaled(values: pd.Series[Any], factor: float) -> pd.Series[Any]:
    numbers = pd.to_numeric(values, errors="coerce")
    # 6.5 * 0.01 is 0.065 only when divided by 100: the nearest float to the decimal is what a reader expects.
    scaled = numbers / (1 / factor) if 0 < factor < 1 and (1 / factor).is_integer() else numbers * factor
    if (np.isnan(scaled) & values.notna()).any():
        return scaled.astype("str").where(scaled.notna(), values)
    return scaled


def _check_fit(recipe: dict[str, Any], kind: Kind, where: str) -> None:
    fitting: dict[str, tuple[Kind, ...]] = {
        "factor": ("number", "integer"),
        "timezone": ("instant",),
        "date_format": ("instant", "date"),
        "pad": ("string", "code"),
        "prefix": ("string", "code"),
    }
    for key, kinds in fitting.items():
        if key in recipe and kind not in kinds:
            raise ConfigurationError(f"key {key!r} does not fit a column of kind {kind}", where=where)
    if kind == "instant" and "from" in recipe and "date_format" in recipe and "timezone" not in recipe:
        raise ConfigurationError(
            "an instant needs an offset", where=where, hint="add the time zone that the table was written in"
        )
    for key, wanted in (("factor", int | float), ("pad", int), ("prefix", str), ("date_format", str), ("from", str)):
        if key in recipe and (isinstance(recipe[key], bool) or not isinstance(recipe[key], wanted)):
            raise ConfigurationError(f"key {key!r} has the wrong type", where=where)


def _as_text(value: Any) -> str | None:
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)
