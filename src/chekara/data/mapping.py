"""Mapping files: a foreign table brought to the contract without code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """A mapping file, read and checked."""

    name: str
    title: str
    source: str


def load_mapping(path: Path) -> Mapping:
    """Read a mapping file."""
    raise NotImplementedError


def shipped_mappings() -> tuple[Mapping, ...]:
    """Return the mappings that ship with Chekara."""
    raise NotImplementedError


def apply_mapping(mapping: Mapping, tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Turn foreign tables into raw contract tables."""
    raise NotImplementedError
