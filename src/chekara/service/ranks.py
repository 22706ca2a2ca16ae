"""Rank of a margin among the crossings that were scored last, with the same model."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Callable
from typing import Final

import numpy as np

from chekara.service.champions import Champion, Floats

WINDOW: Final = 10_000
BLOCK: Final = 128
"""Margins of a sorted block when it begins; one of twice as many is cut in two."""


class RankWindow:
    """The newest margins of one model, kept sorted in blocks: a crossing touches one block, not all ten thousand.

    Parameters
    ----------
    oldest_first : ndarray of shape (n,), float64
        Margins to begin with; of more than ``size`` the newest are kept.
    size : int
        Most margins kept.

    Examples
    --------
    >>> window = RankWindow(np.array([1.0, 2.0, 2.0, 3.0]))
    >>> window.rank(2.0)
    0.5
    """

    def __init__(self, oldest_first: Floats, size: int = WINDOW) -> None:
        kept = np.asarray(oldest_first, dtype=np.float64)[-size:]
        self._size = size
        self._arrived = deque(kept.tolist())
        ascending = np.sort(kept).tolist()
        self._blocks = [ascending[start : start + BLOCK] for start in range(0, len(ascending), BLOCK)] or [[]]
        # Of each block: its largest margin, and how many it holds.
        self._highs = [block[-1] if block else math.inf for block in self._blocks]
        self._counts = [len(block) for block in self._blocks]

    def __len__(self) -> int:
        return len(self._arrived)

    def rank(self, margin: float) -> float:
        """Return the share of margins below, ties half, in [0, 1]; 0.5 where the window is empty."""
        if not self._arrived:
            return 0.5
        below = self._count_to(bisect_left(self._highs, margin), margin, bisect_left)
        up_to = self._count_to(bisect_right(self._highs, margin), margin, bisect_right)
        return (below + up_to) / (2 * len(self._arrived))

    def _count_to(self, block: int, margin: float, bisect: Callable[[list[float], float], int]) -> int:
        """Count the margins of all blocks before one, and of that one those before a place in it."""
        before = sum(self._counts[:block])
        return before + bisect(self._blocks[block], margin) if block < len(self._blocks) else before

    def add(self, margin: float) -> None:
        """Let a margin in; the oldest leaves once the window is full."""
        if len(self._arrived) == self._size:
            self._take_out(self._arrived.popleft())
        self._arrived.append(margin)
        place = min(bisect_right(self._highs, margin), len(self._blocks) - 1)
        block = self._blocks[place]
        insort(block, margin)
        self._counts[place] += 1
        self._highs[place] = block[-1]
        if len(block) > 2 * BLOCK:
            self._blocks[place : place + 1] = block[:BLOCK], block[BLOCK:]
            self._highs[place : place + 1] = block[BLOCK - 1], block[-1]
            self._counts[place : place + 1] = BLOCK, len(block) - BLOCK

    def _take_out(self, margin: float) -> None:
        place = bisect_left(self._highs, margin)
        block = self._blocks[place]
        del block[bisect_left(block, margin)]
        self._counts[place] -= 1
        if block:
            self._highs[place] = block[-1]
        elif len(self._blocks) > 1:
            del self._blocks[place], self._highs[place], self._counts[place]
        else:
            self._highs[place] = math.inf


def begun_with(champion: Champion) -> Floats:
    """Return the margins that a window of this model begins with, oldest first.

    The bundle lists them sorted. Shuffled (always alike), scored margins displace high and low ones evenly.
    """
    return np.random.default_rng(0).permutation(champion.reference_margins)


class RankWindows:
    """One rank window per model digest, begun from the log, so that a restart ranks as if there had been none.

    A window starts with the bundle's reference margins, which live ones displace. A crossing enters once, with the
    margin of its first revision, and only on the live chain.

    Parameters
    ----------
    ranked_margins : callable
        ``(model_digest, limit) -> margins``, oldest first: what the log holds.
    """

    def __init__(self, ranked_margins: Callable[[str, int], Floats]) -> None:
        self._ranked_margins = ranked_margins
        self._windows: dict[str, RankWindow] = {}
        self._pending: list[tuple[str, float]] = []

    def rank(self, champion: Champion, margin: float, *, enters: bool) -> float:
        """Return the rank of a margin, and let it in if asked; `settle` or `forget` follows the commit."""
        digest = champion.identity.digest
        rank = self._window(champion).rank(margin)
        if enters:
            self._windows[digest].add(margin)
            self._pending.append((digest, margin))
        return rank

    def prepare(self, champion: Champion) -> None:
        """Begin the window of a model that does not score yet, so that its first crossing does not wait for it."""
        digest = champion.identity.digest
        if digest not in self._windows:
            # From another thread than the one that scores: put in whole, and only if nobody was first.
            self._windows.setdefault(digest, self._begun(champion))

    def settle(self) -> None:
        """Keep what entered since the last call: it is durable."""
        self._pending.clear()

    def forget(self) -> None:
        """Drop what entered since the last call: it was not recorded. The windows are begun anew from the log."""
        for digest, _ in self._pending:
            self._windows.pop(digest, None)
        self._pending.clear()

    def _window(self, champion: Champion) -> RankWindow:
        digest = champion.identity.digest
        if digest not in self._windows:
            self._windows[digest] = self._begun(champion)
        return self._windows[digest]

    def _begun(self, champion: Champion) -> RankWindow:
        margins = self._ranked_margins(champion.identity.digest, WINDOW)
        return RankWindow(np.concatenate([begun_with(champion), margins]))
