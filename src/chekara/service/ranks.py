"""Rank of a margin among the crossings that were scored last, with the same model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from chekara.service.champions import Champion, Floats

WINDOW = 10_000


class RankWindow:
    """The newest margins of one model, kept sorted.

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
        # A ring in order of arrival says which one leaves; the sorted copy answers in O(log n). Inserting moves at
        # most 80 kB of memory, some microseconds.
        self._ring = np.empty(size)
        self._sorted = np.empty(size)
        self._count = len(kept)
        self._next = self._count % size
        self._ring[: self._count] = kept
        self._sorted[: self._count] = np.sort(kept)

    def __len__(self) -> int:
        return self._count

    def rank(self, margin: float) -> float:
        """Return the share of margins below, ties half, in [0, 1]; 0.5 where the window is empty."""
        if self._count == 0:
            return 0.5
        known = self._sorted[: self._count]
        below = int(np.searchsorted(known, margin, side="left"))
        up_to = int(np.searchsorted(known, margin, side="right"))
        return (below + up_to) / (2 * self._count)

    def add(self, margin: float) -> None:
        """Let a margin in; the oldest leaves once the window is full."""
        if self._count == len(self._ring):
            self._take_out(float(self._ring[self._next]))
        place = int(np.searchsorted(self._sorted[: self._count], margin, side="right"))
        self._sorted[place + 1 : self._count + 1] = self._sorted[place : self._count]
        self._sorted[place] = margin
        self._count += 1
        self._ring[self._next] = margin
        self._next = (self._next + 1) % len(self._ring)

    def _take_out(self, margin: float) -> None:
        place = int(np.searchsorted(self._sorted[: self._count], margin, side="left"))
        self._sorted[place : self._count - 1] = self._sorted[place + 1 : self._count]
        self._count -= 1


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
