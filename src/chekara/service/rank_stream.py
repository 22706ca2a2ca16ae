"""Ranks of a whole history: what `chekara.service.ranks.RankWindow` would answer one by one, in blocks."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from chekara.service.champions import Floats
from chekara.service.ranks import WINDOW

Side: TypeAlias = Literal["left", "right"]

_BLOCK = 256
"""Rows ranked at once: what enters and leaves within a block is compared row by row, what stays is sorted once."""


class RankStream:
    """The newest margins of one model, through which a history flows in the order of scoring.

    Ranks are exact, and do not depend on how the history is cut into calls.

    Parameters
    ----------
    oldest_first : ndarray of shape (n,), float64
        Margins to begin with; of more than ``size`` the newest are kept.
    size : int
        Most margins kept.

    Examples
    --------
    >>> stream = RankStream(np.array([1.0, 2.0, 2.0, 3.0]))
    >>> stream.ranks(np.array([2.0, 2.0]), np.array([True, True])).tolist()
    [0.5, 0.5]
    """

    def __init__(self, oldest_first: Floats, size: int = WINDOW) -> None:
        self._size = size
        self._window = np.asarray(oldest_first, dtype=np.float64)[-size:]

    def ranks(self, margins: Floats, enters: npt.NDArray[np.bool_]) -> Floats:
        """Rank margins, each among those that entered before it, and let some of them in.

        Parameters
        ----------
        margins : ndarray of shape (n,)
            In the order of scoring.
        enters : ndarray of bool, shape (n,)
            Whether each stays for those after it.

        Returns
        -------
        ndarray of shape (n,)
            Share of the window below, ties half, in [0, 1]; 0.5 where the window is empty.
        """
        out = np.empty(len(margins))
        # A block no longer than the window: whatever leaves during it was there when it began.
        step = min(_BLOCK, self._size)
        for start in range(0, len(margins), step):
            block = slice(start, start + step)
            out[block] = self._rank_block(margins[block], enters[block])
        return out

    def _rank_block(self, margins: Floats, enters: npt.NDArray[np.bool_]) -> Floats:
        known = np.sort(self._window)
        arrivals = margins[enters]
        n_arrived: npt.NDArray[np.int64] = np.cumsum(enters, dtype=np.int64) - enters
        n_left = np.maximum(len(known) + n_arrived - self._size, 0)
        leavers = self._window[: n_left[-1]]
        count = len(known) + n_arrived - n_left
        twice_below = np.zeros(len(margins), dtype=np.int64)
        sides: tuple[Side, ...] = ("left", "right")
        for side in sides:
            twice_below += np.searchsorted(known, margins, side=side)
            twice_below += _how_many(arrivals, n_arrived, margins, side)
            twice_below -= _how_many(leavers, n_left, margins, side)
        self._window = np.concatenate([self._window, arrivals])[-self._size :]
        return np.where(count > 0, twice_below / (2 * np.maximum(count, 1)), 0.5)


def _how_many(others: Floats, first: npt.NDArray[np.int64], margins: Floats, side: Side) -> npt.NDArray[np.int64]:
    """Count, for each margin, how many of the first so many others are below it (right: or equal)."""
    is_met = np.arange(len(others)) < first[:, np.newaxis]
    is_below = others < margins[:, np.newaxis] if side == "left" else others <= margins[:, np.newaxis]
    counts: npt.NDArray[np.int64] = np.count_nonzero(is_met & is_below, axis=1)
    return counts
