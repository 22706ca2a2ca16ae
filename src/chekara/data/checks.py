"""Validation of history frames against the column contract, every refusal counted by reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd

Action = Literal["row_refused", "value_blanked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Rows or values that were refused for one reason.

    Attributes
    ----------
    table, column : str
        ``column`` is empty where the whole row is meant.
    reason : str
        Stable code such as ``not_a_number``.
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
    """A frame that meets the contract, and what had to go for it."""

    frame: pd.DataFrame
    refusals: tuple[Refusal, ...]
    ignored_columns: tuple[str, ...] = ()


def validate_table(frame: pd.DataFrame, table: str) -> ValidatedTable:
    """Coerce a raw frame to the contract."""
    raise NotImplementedError
