"""Scratch of a fold: what the kinds of profile hand to each other while a history goes by."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from chekara.features.profile_state import Floats


class Planes(NamedTuple):
    """What children ask of their parents: by kind and line read; the last row is that of nobody.

    Attributes
    ----------
    rates : ndarray of shape (n_kinds + 1, n_read, n_domains), float64
    volumes, prices, levels : ndarray of shape (n_kinds + 1, n_read), float64
    """

    rates: Floats
    volumes: Floats
    prices: Floats
    levels: Floats


def make_planes(n_kinds: int, n_read: int, n_domains: int) -> Planes:
    """Make scratch for a fold.

    Parameters
    ----------
    n_kinds, n_read, n_domains : int
        Kinds gone through, lines read, domains kept.

    Returns
    -------
    Planes
    """
    plane = (n_kinds + 1, n_read)
    planes = Planes(np.empty((*plane, n_domains)), np.empty(plane), np.empty(plane), np.empty(plane))
    for one in planes:
        one[-1] = np.nan
    return planes
