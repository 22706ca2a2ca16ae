"""Rules that look at several columns or rows of one table.

Each rule names what is broken and what follows; ``chekara.data.checks`` applies them in order, so that a later rule
sees no row that an earlier one refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

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


def _is_known_before_inspected(frame: pd.DataFrame) -> Mask:
    return _mask(frame["known_at"] < frame["inspected_at"])


def _has_stray_propensity(frame: pd.DataFrame) -> Mask:
    return _mask(frame["propensity"].notna() & (frame["selected_by"] != "random"))


def _has_impossible_propensity(frame: pd.DataFrame) -> Mask:
    return _mask((frame["selected_by"] == "random") & (frame["propensity"] == 0))


def _contradicts_found(frame: pd.DataFrame) -> Mask:
    found = frame["found"].astype(bool)
    return _mask((found & (frame["result"] == "clear")) | (~found & (frame["result"] == "confirmed")))


def _mask(condition: pd.Series[Any]) -> Mask:
    return condition.fillna(False).to_numpy(dtype=bool)


def _duplicate_rule(table: str) -> RowRule:
    return RowRule(
        "duplicate_key",
        "row_refused",
        f"({', '.join(KEYS[table])}) came before; the first row stays",
        _where(KEYS[table][0], partial(_is_duplicate, table=table)),
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
        RowRule(
            "known_before_inspected",
            "row_refused",
            "a result known before the inspection",
            _where("known_at", _is_known_before_inspected),
        ),
        RowRule(
            "propensity_without_random",
            "value_blanked",
            "a propensity belongs to selected_by random",
            _where("propensity", _has_stray_propensity),
        ),
        RowRule(
            "propensity_of_zero",
            "value_blanked",
            "what was drawn cannot have had no chance",
            _where("propensity", _has_impossible_propensity),
        ),
        RowRule(
            "result_contradicts_found",
            "row_refused",
            "found with result clear, or not found with result confirmed",
            _where("result", _contradicts_found),
        ),
    ),
    "crossing_points": (_duplicate_rule("crossing_points"),),
}
