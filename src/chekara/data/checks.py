"""Validation of history frames against the column contract, every refusal counted by reason.

A bad value in an optional column is blanked and the row stays; a bad value in a required column refuses the row.
So does a bad value in a key column, in ``known_at`` and in ``status``: their defaults stand for an absent value,
and filling one in for a wrong value would invent a revision, a date of knowledge or an inspection that was made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from chekara.data.coerce import Coerced, Mask, coerce_column, coerce_extension, empty_column
from chekara.data.denied import refuse_denied_columns
from chekara.data.identity import canonical_ids
from chekara.data.row_rules import ROW_RULES, Action
from chekara.data.schema import EARLIEST_CONTROL, KEYS, TABLES, Column, is_extension
from chekara.errors import HistoryError, MissingColumnError

EXAMPLES = 5
REFERENCE_REASONS: dict[str, str] = {
    "missing": "a required column without a value",
    "unknown_crossing": "an inspection of a crossing that is not in the history",
    "inspected_long_before": f"an inspection more than {EARLIEST_CONTROL.days} days before the crossing",
    "no_such_item": "an item that the crossing does not have; the inspection then means the whole crossing",
}
_NEVER_DEFAULTED_WHEN_WRONG = {"known_at", "status"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Rows or values that were refused for one reason.

    Attributes
    ----------
    table : str
    column : str
        Column meant; the first key column where the whole row is meant.
    reason : str
        Stable code such as ``not_a_number``; all are described in ``docs/data-contract.md``.
    action : {'row_refused', 'value_blanked'}
    rows : int
        How many rows.
    example_rows : tuple of int
        Up to five of them, numbered from 1 without the header line. Never values.
    """

    table: str
    column: str
    reason: str
    action: Action
    rows: int
    example_rows: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidatedTable:
    """A frame that meets the contract, and what had to go for it.

    Attributes
    ----------
    frame : DataFrame
        Every contract column in contract order and dtype, defaults filled, entity ids in one spelling; then the
        ``x_`` columns as float64 or str. The index is the row number of the raw frame, from 0.
    refusals : tuple of Refusal
    ignored_columns : tuple of str
        Columns that are neither of the contract nor extensions; dropped.
    """

    frame: pd.DataFrame
    refusals: tuple[Refusal, ...]
    ignored_columns: tuple[str, ...] = ()


def validate_table(frame: pd.DataFrame, table: str) -> ValidatedTable:
    """Coerce a raw frame to the contract.

    Parameters
    ----------
    frame : DataFrame
        Raw columns: strings, or any type that a Parquet file may have.
    table : {'crossings', 'inspections', 'crossing_points'}

    Returns
    -------
    ValidatedTable

    Raises
    ------
    DeniedColumnError
        A column describes people.
    MissingColumnError
        A required column is absent; all absent ones are named.
    HistoryError
        Two columns share a name, or there is no such table.

    Examples
    --------
    >>> points = validate_table(pd.DataFrame({"code": ["KG01", ""], "latitude": ["91", "40"]}), "crossing_points")
    >>> [(r.column, r.reason, r.action, r.example_rows) for r in points.refusals]
    [('code', 'missing', 'row_refused', (2,)), ('latitude', 'out_of_range', 'value_blanked', (1,))]
    """
    _require_columns(frame, table)
    refuse_denied_columns(frame, table)
    columns = TABLES[table]
    tally = _Tally(table, len(frame))
    values: dict[str, pd.Series[Any]] = {}
    for column in columns:
        if column.name in frame.columns:
            values[column.name] = _checked_column(frame[column.name], column, tally)
        else:
            values[column.name] = empty_column(column, len(frame))
    _fill_defaults(values, columns)
    for name in map(str, frame.columns):
        if is_extension(name):
            values[name] = tally.blanked(name, coerce_extension(frame[name]))
    clean = pd.DataFrame(values, copy=False)
    clean = clean[~tally.refused]
    for rule in ROW_RULES[table]:
        clean = tally.apply(clean, rule.reason, rule.action, rule.broken(clean))
    known = {column.name for column in columns}
    ignored = tuple(name for name in map(str, frame.columns) if name not in known and not is_extension(name))
    return ValidatedTable(frame=clean, refusals=tally.refusals(), ignored_columns=ignored)


def check_references(inspections: ValidatedTable, crossings: pd.DataFrame) -> ValidatedTable:
    """Refuse inspections of crossings that are not there or were long before, and blank items that are not there.

    Parameters
    ----------
    inspections : ValidatedTable
    crossings : DataFrame
        Validated crossings.

    Returns
    -------
    ValidatedTable
        With three more possible reasons: ``unknown_crossing``, ``inspected_long_before`` and ``no_such_item``.
    """
    frame = inspections.frame
    tally = _Tally("inspections", 0)
    known = pd.Index(crossings["crossing_id"].unique())
    position = known.get_indexer(pd.Index(frame["crossing_id"]))
    frame = tally.apply(frame, "unknown_crossing", "row_refused", {"crossing_id": position < 0})
    first = crossings.groupby("crossing_id")["occurred_at"].min().reindex(known)
    occurred_at = first.iloc[position[position >= 0]].set_axis(frame.index)
    is_long_before = (frame["inspected_at"] < occurred_at - EARLIEST_CONTROL).to_numpy()
    frame = tally.apply(frame, "inspected_long_before", "row_refused", {"inspected_at": is_long_before})
    position = position[position >= 0][~is_long_before]
    code = pd.factorize(pd.concat([crossings["item_no"], frame["item_no"]]))[0].astype(np.int64)
    there = known.get_indexer(pd.Index(crossings["crossing_id"])) * (code.max(initial=0) + 1) + code[: len(crossings)]
    named = position * (code.max(initial=0) + 1) + code[len(crossings) :]
    has_item = frame["item_no"].notna().to_numpy()
    frame = tally.apply(frame, "no_such_item", "value_blanked", {"item_no": has_item & ~np.isin(named, there)})
    return ValidatedTable(
        frame=frame,
        refusals=inspections.refusals + tally.refusals(),
        ignored_columns=inspections.ignored_columns,
    )


def empty_table(table: str) -> pd.DataFrame:
    """Return a table without rows that has every contract column in its dtype."""
    return pd.DataFrame({column.name: empty_column(column, 0) for column in TABLES[table]})


class _Tally:
    """Counts refusals by column, reason and action, and remembers which rows go."""

    def __init__(self, table: str, rows: int) -> None:
        self._table = table
        self._found: list[Refusal] = []
        self.refused: Mask = np.zeros(rows, dtype=bool)

    def note(self, column: str, reason: str, action: Action, row_numbers: Any) -> None:
        examples = tuple(int(number) for number in row_numbers[:EXAMPLES])
        self._found.append(
            Refusal(
                table=self._table,
                column=column,
                reason=reason,
                action=action,
                rows=len(row_numbers),
                example_rows=examples,
            )
        )

    def blanked(self, column: str, coerced: Coerced) -> pd.Series[Any]:
        """Count the values of an optional column that had to go and return what is left."""
        for reason, mask in coerced.problems.items():
            self.note(column, reason, "value_blanked", np.flatnonzero(mask) + 1)
        return coerced.values

    def apply(self, frame: pd.DataFrame, reason: str, action: Action, broken: dict[str, Mask]) -> pd.DataFrame:
        """Count the rows that break a rule and return the frame without them, or without their values."""
        refused = np.zeros(len(frame), dtype=bool)
        for column, mask in broken.items():
            if not mask.any():
                continue
            self.note(column, reason, action, frame.index.to_numpy()[mask] + 1)
            if action == "row_refused":
                refused |= mask
            else:
                frame = frame.assign(**{column: frame[column].mask(mask)})
        return frame[~refused] if refused.any() else frame

    def refusals(self) -> tuple[Refusal, ...]:
        return tuple(self._found)


def _checked_column(raw: pd.Series[Any], column: Column, tally: _Tally) -> pd.Series[Any]:
    coerced = coerce_column(raw, column)
    is_key = column.name in KEYS[tally._table]
    action: Literal["row_refused", "value_blanked"] = (
        "row_refused" if column.required or is_key or column.name in _NEVER_DEFAULTED_WHEN_WRONG else "value_blanked"
    )
    wrong = np.zeros(len(raw), dtype=bool)
    for reason, mask in coerced.problems.items():
        tally.note(column.name, reason, action, np.flatnonzero(mask) + 1)
        wrong |= mask
    if column.required:
        missing = coerced.values.isna().to_numpy() & ~wrong
        if missing.any():
            tally.note(column.name, "missing", "row_refused", np.flatnonzero(missing) + 1)
        wrong |= missing
    if action == "row_refused":
        tally.refused |= wrong
    if column.entity is not None:  # one spelling before rows are compared, so that two spellings are no difference
        return canonical_ids(column.entity, coerced.values)
    return coerced.values


def _fill_defaults(values: dict[str, pd.Series[Any]], columns: tuple[Column, ...]) -> None:
    for column in columns:
        default = column.default
        if default is None:
            continue
        if isinstance(default, str) and default.startswith("<"):
            values[column.name] = values[column.name].fillna(values[default.strip("<>")])
        else:
            values[column.name] = values[column.name].fillna(default)


def _require_columns(frame: pd.DataFrame, table: str) -> None:
    if table not in TABLES:
        raise HistoryError("no such table", where=table, hint=f"tables are {', '.join(TABLES)}")
    names = pd.Index([str(name) for name in frame.columns])
    if names.has_duplicates:
        raise HistoryError("two columns share a name", where=f"{table}: {names[names.duplicated()][0]}")
    missing = [column.name for column in TABLES[table] if column.required and column.name not in names]
    if missing:
        raise MissingColumnError(
            "required columns are missing", where=f"{table}: {', '.join(missing)}", hint="see docs/data-contract.md"
        )
