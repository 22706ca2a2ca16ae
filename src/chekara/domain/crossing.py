"""One movement through one crossing point, as lodged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

Value = str | int | float | bool | date | datetime


@dataclass(frozen=True, slots=True)
class Crossing:
    """One revision of one crossing: what is scored. People are never scored.

    Attributes
    ----------
    crossing_id : str
        Global identity.
    revision : int
        0 for the first lodging; a higher one supersedes.
    occurred_at, known_at : datetime
        When it happens, and when the authority had it (its *as_of*). Both carry an offset.
    header : mapping
        Every other header column that was given, by its contract name. Absent means not given.
    items : tuple of mapping
        Goods lines, at least one; each by contract name, ``item_no`` included.
    """

    crossing_id: str
    revision: int
    occurred_at: datetime
    known_at: datetime
    header: Mapping[str, Value]
    items: tuple[Mapping[str, Value], ...]
