"""Labels as known at an instant: what inspections say of a crossing, and what they leave unknown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from chekara.domain import vocabulary as words


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRule:
    """What counts as a hit and as a miss in one risk domain; a part of ``model.toml``."""

    domain: str
    positive_results: tuple[str, ...] = ("suspected", "confirmed")
    negative_methods: tuple[str, ...] = words.INSPECTION_METHODS
    unstated_method_makes_negative: bool = True


def label_crossings(inspections: pd.DataFrame, rule: TargetRule, known_before: datetime | None = None) -> pd.DataFrame:
    """Return one row per crossing with a known outcome."""
    raise NotImplementedError
