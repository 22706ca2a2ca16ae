"""Rules that look at several columns or rows of one table.

Each rule names what is broken and what follows; ``chekara.data.checks`` applies them in order, so that a later rule
sees no row that an earlier one refused. Rules of one result (``RESULT_RULES``) read a frame and a single row alike: the
door of ``POST /v1/inspections`` refuses by the very same ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, reduce
from operator import and_
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from chekara.data.coerce import Mask
from chekara.data.schema import HEADER_COLUMNS, KEYS

Action = Literal["row_refused", "value_blanked"]


@dataclass(frozen=True, slots=True)
class RowRule:
    """A rule over a validated frame.

    Attributes
    ----------
    reason : str
        Stable code.
    action : {'row_refused', 'value_blanked'}
    meaning : str
        One line for the documentation.
    broken : callable
        ``DataFrame -> dict``: by the column that is meant, which rows break the rule.
    """

    reason: str
    action: Action
    meaning: str
    broken: Callable[[pd.DataFrame], dict[str, Mask]]


@dataclass(frozen=True, slots=True)
class ResultRule:
    """A rule over the columns of one result of an inspection.

    Attributes
    ----------
    reason, action, meaning : as of `RowRule`
    column : str
        The column that is meant.
    condition : callable
        From a row to whether it breaks the rule: of a frame a mask, of a mapping with every column (None where
        nothing was given) a bool.
    """

    reason: str
    action: Action
    column: str
    meaning: str
    condition: Callable[[Any], Any]

    def over_frame(self) -> RowRule:
        """Return the rule of a whole table."""
        return RowRule(
            self.reason,
            self.action,
            self.meaning,
            _where(self.column, lambda frame: _mask(self.condition(frame))),
        )


def _where(column: str, condition: Callable[[pd.DataFrame], Mask]) -> Callable[[pd.DataFrame], dict[str, Mask]]:
    return lambda frame: {column: condition(frame)}


def _is_duplicate(frame: pd.DataFrame, table: str) -> Mask:
    return _mask(frame.duplicated(list(KEYS[table])))


def _is_known_too_early(frame: pd.DataFrame) -> Mask:
    # A pre-arrival notice and a declaration may be lodged before the crossing; an arrival or exit cannot be.
    happened = frame["stage"].isin(["arrival", "exit"])
    return _mask(happened & (frame["known_at"] < frame["occurred_at"]))


def _differing_headers(frame: pd.DataFrame) -> dict[str, Mask]:
    """By header column: the rows of every revision whose items do not agree on it."""
    key = ["crossing_id", "revision"]
    several = _mask(frame.duplicated(key, keep=False))
    if not several.any():
        return {}
    part = frame[several]
    group = part.groupby(key, sort=False).ngroup().to_numpy()
    first_row = np.zeros(group.max() + 1, dtype=np.int64)
    first_row[group[::-1]] = np.arange(len(group))[::-1]
    differing: dict[str, Mask] = {}
    for column in HEADER_COLUMNS:
        value = pd.factorize(part[column.name], use_na_sentinel=True)[0]
        other = value != value[first_row[group]]
        if column.name in key or not other.any():
            continue
        broken = np.zeros(group.max() + 1, dtype=bool)
        broken[group[other]] = True
        mask = np.zeros(len(frame), dtype=bool)
        mask[several] = broken[group]
        differing[column.name] = mask
    return differing


LEAST_PROPENSITY: Final = 1e-6
"""A draw weighs 1 / propensity: a smaller one would be a slip of the pen that outweighs all others together."""


def _is(row: Any, **wanted: object) -> Any:
    """Whether columns hold these values: a mask of a frame, a bool of a single row."""
    return reduce(and_, (row[name] == value for name, value in wanted.items()))


def _is_below(value: Any, limit: float) -> Any:
    return value is not None and value < limit


def _mask(condition: pd.Series[Any]) -> Mask:
    return condition.fillna(False).to_numpy(dtype=bool)


def _duplicate_rule(table: str) -> RowRule:
    return RowRule(
        "duplicate_key",
        "row_refused",
        f"({', '.join(KEYS[table])}) came before; the first row stays",
        _where(KEYS[table][0], partial(_is_duplicate, table=table)),
    )


RESULT_RULES: tuple[ResultRule, ...] = (
    ResultRule(
        "known_before_inspected",
        "row_refused",
        "known_at",
        "a result known before the inspection",
        lambda row: row["known_at"] < row["inspected_at"],
    ),
    ResultRule(
        "propensity_without_random",
        "value_blanked",
        "propensity",
        "a propensity belongs to selected_by random",
        lambda row: pd.notna(row["propensity"]) & (row["selected_by"] != "random"),
    ),
    ResultRule(
        "propensity_of_zero",
        "value_blanked",
        "propensity",
        "what was drawn cannot have had no chance, or one below a millionth",
        lambda row: _is(row, selected_by="random") & _is_below(row["propensity"], LEAST_PROPENSITY),
    ),
    ResultRule(
        "result_contradicts_found",
        "row_refused",
        "result",
        "found with result clear, or not found with result confirmed",
        lambda row: _is(row, found=True, result="clear") | _is(row, found=False, result="confirmed"),
    ),
)

ROW_RULES: dict[str, tuple[RowRule, ...]] = {
    "crossings": (
        _duplicate_rule("crossings"),
        RowRule(
            "header_differs",
            "row_refused",
            "items of one revision differ in a header column; all rows of the revision go",
            _differing_headers,
        ),
        RowRule(
            "known_before_it_happened",
            "row_refused",
            "an arrival or exit known before it occurred",
            _where("known_at", _is_known_too_early),
        ),
    ),
    "inspections": (
        _duplicate_rule("inspections"),
        *(rule.over_frame() for rule in RESULT_RULES),
    ),
    "crossing_points": (_duplicate_rule("crossing_points"),),
}
