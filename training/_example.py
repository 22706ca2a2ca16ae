"""Rows that show what a registered model takes: made up column by column, so that no real crossing is stored."""

from __future__ import annotations

import pandas as pd

from chekara.data.schema import CROSSING_COLUMNS, columns_by_name
from chekara.modelling.model import Model

_DAY_CHARACTERS = len("2026-01-05")
_COLUMNS = columns_by_name(CROSSING_COLUMNS)


def example_rows(model: Model, limit: int = 5) -> pd.DataFrame:
    """Return a few of the model's golden rows as raw contract columns, every value as text.

    Parameters
    ----------
    model : Model
    limit : int
        Most rows.

    Returns
    -------
    DataFrame
        One crossing of one goods line per row.
    """
    rows = [
        {"crossing_id": f"example-{number}", **{name: _text(name, value) for name, value in row.items()}}
        for number, row in enumerate(model.golden["rows"][:limit], start=1)
    ]
    return pd.DataFrame(rows)


def _text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    is_day = name in _COLUMNS and _COLUMNS[name].kind == "date"
    return str(value)[:_DAY_CHARACTERS] if is_day else str(value)
