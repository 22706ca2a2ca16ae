"""Rows that show what a registered model takes: made up column by column, so that no real crossing is stored."""

from __future__ import annotations

import pandas as pd

from chekara.modelling.model import Model


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
        {"crossing_id": f"example-{number}", **{name: _text(value) for name, value in row.items()}}
        for number, row in enumerate(model.golden["rows"][:limit], start=1)
    ]
    return pd.DataFrame(rows)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
