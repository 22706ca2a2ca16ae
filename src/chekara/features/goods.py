"""The family tree of goods codes: who speaks for goods that history hardly knows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chekara.features.catalogue import ItemColumns
from chekara.features.profile_measures import REFERENCE_LEVEL

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


def answering_groups(items: ItemColumns) -> npt.NDArray[np.object_]:
    """Name the group of goods whose price is each line's usual one.

    Parameters
    ----------
    items : ItemColumns
        With the column `REFERENCE_LEVEL` of the profile engine.

    Returns
    -------
    ndarray of shape (n_items,), object
        ``"610910 CN"``, ``"610910"``, ``"6109"``, ``"61"``, ``""`` for all goods; None where no price was known.

    Examples
    --------
    >>> codes, origins = np.array(["6109100000"], dtype=object), np.array(["CN"], dtype=object)
    >>> items = ItemColumns({"hs_code": codes, "origin_country": origins, REFERENCE_LEVEL: np.array([4.0])}, 1)
    >>> answering_groups(items).tolist()
    ['610910 CN']
    """
    lines = zip(items.number(REFERENCE_LEVEL), items.text("hs_code"), items.text("origin_country"), strict=True)
    return np.array([_group(level, code, origin) for level, code, origin in lines], dtype=object)


def _group(level: float, code: str | None, origin: str | None) -> str | None:
    if np.isnan(level):
        return None
    digits = (0, 2, 4, 6, 6)[int(level)]
    return f"{(code or '')[:digits]} {origin}" if level == 4 else (code or "")[:digits]
