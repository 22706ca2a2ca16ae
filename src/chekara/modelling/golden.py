"""Golden vectors: contract rows whose scores travel with the model, so that every machine proves it scores alike.

A row holds what is declared and, beside it, what profiles said. No row of the history is published: each column is
drawn on its own, so a golden row is a crossing that never was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from chekara.data.schema import (
    COUNTRY,
    CROSSING_COLUMNS,
    HEADER_COLUMNS,
    LARGEST_INTEGER,
    LARGEST_NUMBER,
    Column,
    columns_by_name,
)
from chekara.domain.crossing import Crossing
from chekara.errors import BundleGoldenError
from chekara.features.build import items_from_crossings
from chekara.features.catalogue import ItemColumns, laid_columns
from chekara.modelling.encode import reads_of

if TYPE_CHECKING:
    from chekara.modelling.model import Model

Row: TypeAlias = dict[str, str | float | int | bool]

DRAWN_ROWS = 32
TOLERANCE = 1e-9

_COLUMNS = columns_by_name(CROSSING_COLUMNS)
_HEADER_NAMES = frozenset(columns_by_name(HEADER_COLUMNS))
_REQUIRED = {"crossing_point": "golden", "direction": "entry", "mode": "road"}
_FIXED_INSTANT = "2026-01-05T08:30:00+00:00"


def draw_golden_rows(items: ItemColumns, names: Sequence[str], seed: int) -> list[Row]:
    """Draw contract rows that look like the history, column by column, and three that look like nothing in it.

    Parameters
    ----------
    items : ItemColumns
        Goods lines of the history.
    names : sequence of str
        Features that the model reads.
    seed : int

    Returns
    -------
    list of dict
        One crossing of one item each; missing values are left out.
    """
    generator = np.random.default_rng(seed)
    read = {column for name in names for column in reads_of(name)}
    beside = {name for name in laid_columns(names) if name in items.values}
    columns = sorted((read | beside) - {"crossing_id", "item_no", "known_at"})
    rows: list[Row] = [{"occurred_at": _FIXED_INSTANT, **_REQUIRED} for _ in range(DRAWN_ROWS)]
    for name in columns:
        drawn = _draw(items, name, generator)
        for row, value in zip(rows, drawn, strict=True):
            if value is not None:
                row[name] = value
    numbers = [n for n in columns if n in beside or (n in _COLUMNS and _COLUMNS[n].kind in ("number", "integer"))]
    codes = [n for n in columns if n in _COLUMNS and _COLUMNS[n].kind == "code"]
    bare: Row = {"occurred_at": _FIXED_INSTANT, **_REQUIRED}
    zero = bare | {name: _typed(_COLUMNS.get(name), 0.0) for name in numbers}
    strange = bare | {name: _unseen_code(_COLUMNS[name]) for name in codes}
    strange |= {name: _largest(_COLUMNS.get(name)) for name in numbers}
    return [*rows, bare, zero, strange]


def _draw(items: ItemColumns, name: str, generator: np.random.Generator) -> list[str | float | bool | None]:
    column = _COLUMNS.get(name)
    if column is not None and column.entity is not None:
        # Only whether an operator is named can matter to a feature; who it is never leaves the history.
        return [("somebody" if given else None) for given in generator.random(DRAWN_ROWS) < 0.5]
    if name not in items.values:
        return [None] * DRAWN_ROWS
    picked = items.values[name][generator.integers(0, items.n_items, DRAWN_ROWS)]
    return [_plain(column, value) for value in picked]


def _plain(column: Column | None, value: Any) -> str | float | bool | None:
    if isinstance(value, np.datetime64):
        if np.isnat(value):
            return None
        moment: datetime = value.astype("datetime64[us]").item()
        is_day = column is not None and column.kind == "date"
        return moment.date().isoformat() if is_day else moment.replace(tzinfo=UTC).isoformat()
    if isinstance(value, float | np.floating):
        return None if np.isnan(value) else _typed(column, float(value))
    return None if value is None else str(value)


def _typed(column: Column | None, value: float) -> float | bool:
    match column.kind if column is not None else "number":
        case "boolean":
            return bool(value)
        case "integer":
            return int(value)
        case _:
            return float(value)


def _unseen_code(column: Column) -> str:
    """Return a value that the contract allows and a history hardly holds; of a closed list, its last."""
    if column.values:
        return column.values[-1]
    return "ZZ" if column.pattern == COUNTRY else "0000"


def _largest(column: Column | None) -> float:
    """Return a number far beyond any declaration that a request may still hold."""
    if column is None:
        return LARGEST_NUMBER
    if column.maximum is not None:
        return _typed(column, column.maximum)
    return LARGEST_INTEGER if column.kind == "integer" else LARGEST_NUMBER


def golden_items(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> ItemColumns:
    """Lay out golden rows as the service would: the declaration, and beside it what was known of its entities."""
    laid = laid_columns(names)
    declared_rows = [{name: value for name, value in row.items() if name not in laid} for row in rows]
    items, _ = items_from_crossings(golden_crossings(declared_rows))
    beside = {n: np.array([row.get(n, np.nan) for row in rows], dtype=np.float64) for n in laid}
    return ItemColumns(items.values | beside, items.n_items)


def golden_crossings(rows: Sequence[Mapping[str, Any]]) -> list[Crossing]:
    """Turn what golden rows declare into crossings."""
    crossings = []
    for number, row in enumerate(rows):
        values = {name: _parsed(name, value) for name, value in row.items()}
        occurred_at = values.pop("occurred_at")
        header = {name: value for name, value in values.items() if name in _HEADER_NAMES}
        item = {name: value for name, value in values.items() if name not in _HEADER_NAMES}
        crossings.append(Crossing(f"golden-{number}", 0, occurred_at, occurred_at, header, ({"item_no": 1, **item},)))
    return crossings


def _parsed(name: str, value: Any) -> Any:
    column = _COLUMNS.get(name)
    match column.kind if column is not None else "string":
        case "instant":
            return datetime.fromisoformat(value)
        case "date":
            return date.fromisoformat(value)
        case _:
            return value


def answer_golden(model: Model, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Score golden rows: ``{"rows", "margins", "probabilities"}``."""
    items = golden_items(rows, model.names)
    margins = model.margins(model.encode(model.features(items)))
    probabilities = model.calibration.probability(margins)
    return {"rows": list(rows), "margins": margins.tolist(), "probabilities": probabilities.tolist()}


def check_golden(model: Model) -> None:
    """Score the model's golden rows here and compare.

    The booster's own raw score is compared as well, so that explainer and booster vouch for each other.

    Raises
    ------
    BundleGoldenError
        A margin or probability differs by more than 1e-9, or there is no golden row.
    """
    rows = model.golden["rows"]
    if not rows:
        raise BundleGoldenError("there are no golden rows", where="golden.json")
    answered = answer_golden(model, rows)
    items = golden_items(rows, model.names)
    raw = model.booster.predict(model.encode(model.features(items)), raw_score=True, num_threads=1)
    _compare("margin", np.asarray(answered["margins"]), model.golden["margins"])
    _compare("raw score of LightGBM", np.asarray(raw), model.golden["margins"])
    _compare("probability", np.asarray(answered["probabilities"]), model.golden["probabilities"])


def _compare(what: str, here: npt.NDArray[np.float64], stored: Sequence[float]) -> None:
    there = np.asarray(stored, dtype=np.float64)
    if here.shape != there.shape:
        raise BundleGoldenError(f"{len(there)} golden values of {what} for {len(here)} rows", where="golden.json")
    off = np.abs(here - there)
    if not (off <= TOLERANCE).all():
        row = int(np.nanargmax(np.where(np.isnan(off), np.inf, off)))
        raise BundleGoldenError(
            f"{what} of golden row {row} is off by {off[row]:.3g}",
            where="golden.json",
            hint="this machine scores differently; do not serve this bundle here",
        )
