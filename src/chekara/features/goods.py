"""The family tree of goods codes: who speaks for goods that history hardly knows."""

from __future__ import annotations

ALL_GOODS = ""
"""Key of the root: all goods together."""


def ancestors(key: str) -> tuple[str, ...]:
    """Name the groups that a group of goods belongs to, nearest first, all goods last.

    Parameters
    ----------
    key : str
        HS digits, with an origin behind a space or without: ``"610910 CN"``, ``"6109"``, ``"61"``.

    Examples
    --------
    >>> ancestors("610910 CN")
    ('610910', '6109', '61', '')
    >>> ancestors("61"), ancestors("")
    (('',), ())
    """
    code, space, _ = key.partition(" ")
    nearest = (code,) if space and code else ()
    shorter = tuple(code[:digits] for digits in (6, 4, 2) if digits < len(code))
    return (*nearest, *shorter, ALL_GOODS) if key != ALL_GOODS else ()
