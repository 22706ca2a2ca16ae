"""A small border with known truth, made from the column contract."""

from __future__ import annotations

from pathlib import Path


def simulate_border(out: Path, *, months: int, per_day: int, seed: int) -> None:
    """Write the history files of a simulated border and ``truth.parquet``."""
    raise NotImplementedError
