"""Rows that show what a registered model takes: made up column by column, so that no real crossing is stored."""

from __future__ import annotations

import pandas as pd

from chekara.modelling.model import Model

_EXAMPLE_ROWS = 5


def example_rows(model: Model) -> pd.DataFrame:
    """Return a few of the model's golden rows as raw contract columns, every value as text.

    Parameters
    ----------
    model : Model

    Returns
    -------
    DataFrame
        One crossing of one goods line per row.
    """
    rows = [
        {"crossing_id": f"example-{number}", **{name: _text(value) for name, value in row.items()}}
        for number, row in enumerate(model.golden["rows"][:_EXAMPLE_ROWS], start=1)
    ]
    return pd.DataFrame(rows)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
