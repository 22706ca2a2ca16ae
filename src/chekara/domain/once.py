"""What is made of objects that many crossings share is made once per object: a model's names, the evidence of a bin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, TypeVar

Shared = TypeVar("Shared")
Made = TypeVar("Made")

MOST_KEPT: Final = 16_384


class MadeOnce(Generic[Shared, Made]):
    """Calls a function once for each object, told by identity: no hash of a list of three hundred names.

    An object that is kept stays alive, so that no other one can take its identity. It must not change. Safe from any
    thread; two that come at once may both call.

    Parameters
    ----------
    make : callable
        Pure.
    most : int
        Objects kept; once there are as many, all are dropped.

    Examples
    --------
    >>> joined = MadeOnce(",".join)
    >>> names = ("a", "b")
    >>> joined(names), joined(names) is joined(names)
    ('a,b', True)
    """

    __slots__ = ("_kept", "_make", "_most")

    def __init__(self, make: Callable[[Shared], Made], most: int = MOST_KEPT) -> None:
        self._make = make
        self._most = most
        self._kept: dict[int, tuple[Shared, Made]] = {}

    def __call__(self, shared: Shared) -> Made:
        """Return what was made of an object, or make it."""
        kept = self._kept.get(id(shared))
        if kept is not None and kept[0] is shared:
            return kept[1]
        made = self._make(shared)
        if len(self._kept) >= self._most:
            self._kept.clear()
        self._kept[id(shared)] = (shared, made)
        return made
