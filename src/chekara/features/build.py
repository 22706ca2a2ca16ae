"""From rows to features: the one path that training, batch scoring and the service share.

Rows come in two shapes, a history frame or parsed crossings, and are laid out as the same columns; from there on
nothing knows how many there are. A feature never sees another crossing's row.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from chekara.data.schema import CROSSING_COLUMNS, columns_by_name, is_extension
from chekara.domain.crossing import Crossing, Value
from chekara.errors import ConfigurationError
from chekara.features import declared
from chekara.features.catalogue import Array, Feature, FeatureKind, ItemColumns, find_feature
from chekara.features.laid import ValuesBeside, row_of
from chekara.features.profile_measures import REFERENCE_PRICE

Layout: TypeAlias = tuple[ItemColumns, npt.NDArray[np.int64]]

_COLUMNS = columns_by_name(CROSSING_COLUMNS)
_TEXT_KINDS = ("string", "code")
_TIME_KINDS = ("instant", "date")
_TEXTS, _NUMBERS, _INSTANTS = "O", "f8", "M8[us]"
_FLOAT32_MAX = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True)
class FeatureTable:
    """Features of goods lines, by name.

    Attributes
    ----------
    names : tuple of str
        Order of the columns.
    kinds : tuple of {'number', 'category'}
        Same order.
    values : mapping of str to ndarray of shape (n_items,)
        Numbers are float32 with NaN for missing, never infinite; categories are object arrays of str with None.
    n_items : int
    """

    names: tuple[str, ...]
    kinds: tuple[FeatureKind, ...]
    values: Mapping[str, Array]
    n_items: int

    def take(self, rows: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> FeatureTable:
        """Keep some rows, by position or by mask."""
        values = {name: column[rows] for name, column in self.values.items()}
        n_items = int(rows.sum()) if rows.dtype == np.bool_ else len(rows)
        return FeatureTable(self.names, self.kinds, values, n_items)


def items_from_frame(frame: pd.DataFrame) -> ItemColumns:
    """Lay out a history frame (``History.crossings``, one row per goods line).

    Parameters
    ----------
    frame : DataFrame
        Contract dtypes; one revision per crossing, or several: each revision is a crossing of its own here.

    Returns
    -------
    ItemColumns
        With ``crossing_index``: int64, 0 for the first crossing met, in order of appearance.
    """
    values = {str(name): _column_from_series(str(name), frame[name]) for name in frame.columns}
    key: pd.Series[str] | pd.MultiIndex = frame["crossing_id"]
    if "revision" in frame.columns:
        key = pd.MultiIndex.from_arrays([frame["crossing_id"], frame["revision"]])
    values[declared.CROSSING_INDEX] = pd.factorize(key)[0].astype(np.int64)
    return ItemColumns(values, len(frame))


def _column_from_series(name: str, series: pd.Series[Any]) -> Array:
    column = _COLUMNS.get(name)
    if column is None:
        is_number = pd.api.types.is_numeric_dtype(series.dtype)
        return series.to_numpy(np.float64, na_value=np.nan) if is_number else _objects(series)
    if column.kind in _TIME_KINDS:
        instants = pd.to_datetime(series, utc=True)
        return np.asarray(instants.dt.tz_localize(None).to_numpy(), dtype="datetime64[us]")
    if column.kind in _TEXT_KINDS:
        return _objects(series)
    return series.to_numpy(np.float64, na_value=np.nan)


def _objects(series: pd.Series[Any]) -> npt.NDArray[np.object_]:
    out = series.to_numpy(dtype=object)
    missing = pd.isna(series).to_numpy()
    if missing.any():
        out = out.copy()
        out[missing] = None
    return out


def items_from_crossings(crossings: Sequence[Crossing]) -> Layout:
    """Lay out parsed crossings: what the service does with the rows of one micro-batch.

    Parameters
    ----------
    crossings : sequence of Crossing

    Returns
    -------
    items : ItemColumns
    crossing_index : ndarray of shape (n_items,), int64
        Position in ``crossings`` of each goods line; also the column ``crossing_index``.
    """
    headers = [
        {
            "crossing_id": c.crossing_id,
            "revision": c.revision,
            "occurred_at": c.occurred_at,
            "known_at": c.known_at,
            **c.header,
        }
        for c in crossings
    ]
    lines = [(item, header) for header, c in zip(headers, crossings, strict=True) for item in c.items]
    index = np.repeat(np.arange(len(crossings), dtype=np.int64), [len(c.items) for c in crossings])
    of_items = dict.fromkeys(chain.from_iterable(item for item, _ in lines))
    of_headers = [name for name in dict.fromkeys(chain.from_iterable(headers)) if name not in of_items]
    # What the header says is read once per crossing and repeated.
    values = _columns_from_values(of_headers, [[h.get(name) for h in headers] for name in of_headers], index)
    of_lines = [[item[name] if name in item else header.get(name) for item, header in lines] for name in of_items]
    values |= _columns_from_values([*of_items], of_lines)
    values[declared.CROSSING_INDEX] = index
    return ItemColumns(values, len(lines)), index


def _columns_from_values(
    names: Sequence[str], given: Sequence[Sequence[Value | None]], index: npt.NDArray[np.int64] | None = None
) -> dict[str, Array]:
    """Lay out columns, those of one type together: a request cannot pay for an array each."""
    values: dict[str, Array] = {}
    for dtype, own in _by_type(tuple(names)):
        rows: Any = [given[place] for place, _ in own]
        if dtype == _INSTANTS:
            rows = [[_without_zone(value) for value in row] for row in rows]
        block = np.empty((len(own), len(rows[0])), dtype=dtype)
        block[:] = rows  # None becomes NaN and NaT
        block = block if index is None else block[:, index]
        values |= {name: row for (_, name), row in zip(own, block, strict=True)}
    return values


@lru_cache(maxsize=256)
def _by_type(names: tuple[str, ...]) -> tuple[tuple[str, tuple[tuple[int, str], ...]], ...]:
    """Group columns by the type of their values, each with its place: most bodies name the same ones."""
    found: dict[str, list[tuple[int, str]]] = {}
    for place, name in enumerate(names):
        column = _COLUMNS.get(name)
        if column is None or column.kind in _TEXT_KINDS:
            dtype = _TEXTS
        else:
            dtype = _INSTANTS if column.kind in _TIME_KINDS else _NUMBERS
        found.setdefault(dtype, []).append((place, name))
    return tuple((dtype, tuple(own)) for dtype, own in found.items())


def _without_zone(value: Value | None) -> Value | None:
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value


def build_features(
    items: ItemColumns,
    names: Iterable[str],
    extensions: Mapping[str, FeatureKind],
) -> FeatureTable:
    """Compute features of goods lines.

    Parameters
    ----------
    items : ItemColumns
    names : iterable of str
        Names in the catalogue, of profile features (whose columns the profile engine lays beside the items; where
        nobody laid them they are missing), or of national extensions (``x_...``) listed in ``extensions``.
    extensions : mapping of str to {'number', 'category'}
        Kind of each national extension that the model names.

    Returns
    -------
    FeatureTable

    Raises
    ------
    ConfigurationError
        A name is not in the catalogue, or a feature compares with what is usual and nobody laid that beside the items.

    Examples
    --------
    >>> import numpy as np
    >>> items = ItemColumns({"declared_value": np.array([30.0]), "net_mass_kg": np.array([10.0])}, 1)
    >>> build_features(items, ["value_per_kg"], {}).values["value_per_kg"]
    array([3.], dtype=float32)
    """
    wanted, laid = tuple(names), items.laid
    plan = plan_features(wanted, tuple(sorted(extensions.items())), None if laid is None else laid.names)
    if plan.is_compared:
        require_reference(items, plan.is_compared)
    with np.errstate(over="ignore"):  # beyond float64 is beyond every bound that is put on it later
        values: dict[str, Array] = {feature.name: _computed_once(feature, items) for feature in plan.computed}
    for name, kind in plan.extensions:
        column = extension_column(items, name, kind)
        values[name] = narrow(column) if kind == "number" else column
    for name in plan.profiles:
        column = items.number(name)
        values[name] = column if column.dtype == np.float32 else narrow(column)
    if laid is None:
        return FeatureTable(wanted, plan.kinds, values, items.n_items)
    return FeatureTable(wanted, plan.kinds, ValuesBeside(wanted, values, laid), items.n_items)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeaturePlan:
    """What some features are made from.

    Attributes
    ----------
    kinds : tuple of {'number', 'category'}
    profiles : tuple of str
        Those that are columns beside the lines, but no rows of the matrix that lies there.
    computed : tuple of Feature
    extensions : tuple of (str, {'number', 'category'})
    is_compared : str
        A feature that compares with what is usual; empty where there is none.
    """

    kinds: tuple[FeatureKind, ...]
    profiles: tuple[str, ...]
    computed: tuple[Feature, ...]
    extensions: tuple[tuple[str, FeatureKind], ...]
    is_compared: str


@lru_cache(maxsize=64)
def plan_features(
    wanted: tuple[str, ...], extensions: tuple[tuple[str, FeatureKind], ...], laid: tuple[str, ...] | None
) -> FeaturePlan:
    """Find what some features are made from: every request asks for the same ones."""
    national = dict(extensions)
    found = {name: find_feature(name) for name in wanted}
    own = {name: feature for name, feature in found.items() if feature is not None}
    beyond = [name for name, feature in found.items() if feature is None]
    for name in beyond:
        if not (is_extension(name) and name in national):
            raise ConfigurationError("no such feature", where=name, hint="see docs/features.md")
    compared = [name for name, feature in own.items() if feature.source == "reference"]
    rows = row_of(laid or ())
    unlaid = {name: feature for name, feature in own.items() if name not in rows}
    return FeaturePlan(
        kinds=tuple(own[name].kind if name in own else national[name] for name in wanted),
        profiles=tuple(name for name, feature in unlaid.items() if feature.source == "profile"),
        computed=tuple(feature for feature in unlaid.values() if feature.source != "profile"),
        extensions=tuple((name, national[name]) for name in beyond),
        is_compared=compared[0] if compared else "",
    )


def require_reference(items: ItemColumns, feature: str) -> None:
    """Refuse to compute a feature that compares with what is usual where nobody laid that beside the lines.

    Raises
    ------
    ConfigurationError
    """
    if not items.has(REFERENCE_PRICE):
        raise ConfigurationError(
            "this feature compares with what is usual; lay the profile columns beside the items", where=feature
        )


def _computed_once(found: Feature, items: ItemColumns) -> Array:
    column = items.computed.get(found.name)
    if column is None:
        column = found.compute(items)
        column = items.computed[found.name] = narrow(column) if found.kind == "number" else column
    return column


def narrow(column: Array) -> npt.NDArray[np.float32]:
    """Round to float32, before training as before scoring, so that a last-bit difference cannot cross a split."""
    return np.minimum(np.maximum(column, -_FLOAT32_MAX), _FLOAT32_MAX).astype(np.float32)


def extension_column(items: ItemColumns, name: str, kind: FeatureKind) -> Array:
    """Read a national column as the model's spec wants it, whether it came from a file or from JSON.

    Parameters
    ----------
    items : ItemColumns
    name : str
        Such as ``x_tonnage``; all missing where no line has it.
    kind : {'number', 'category'}
    """
    found = items.values.get(name)
    if found is None:
        return items.number(name) if kind == "number" else items.text(name)
    if kind == "number":
        return np.array([_as_number(v) for v in found], dtype=np.float64)
    return np.array([_as_code(v) for v in found], dtype=object)


def _as_number(value: object) -> float:
    try:
        return math.nan if value is None else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return math.nan


def _as_code(value: object) -> str | None:
    if isinstance(value, float):
        # 10.0 from a file of numbers and 10 from JSON are the same code.
        return None if math.isnan(value) else f"{value:g}" if not value.is_integer() else str(int(value))
    return None if value is None else str(value)
