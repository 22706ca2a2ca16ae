"""Crossings on the move inside the simulator: header and item columns as arrays, joined by how many lines each has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chekara.data.simulator.world import Array, Ints

IMPORT, EXPORT, TRANSIT, REEXPORT, TEMPORARY, NO_MOVEMENT = range(6)
LOADED, EMPTY, PASSENGERS = range(3)


@dataclass(frozen=True, slots=True)
class Flow:
    """Some crossings and their goods lines.

    Attributes
    ----------
    header : dict of str to ndarray of shape (n,)
    item : dict of str to ndarray of shape (m,)
        In the order of the crossings that they belong to.
    lines : ndarray of shape (n,)
        Goods lines of each crossing, at least 1; ``lines.sum() == m``.
    """

    header: dict[str, Array]
    item: dict[str, Array]
    lines: Ints

    @property
    def size(self) -> int:
        """Number of crossings."""
        return len(self.lines)

    @property
    def of(self) -> Ints:
        """Position of the crossing that each line belongs to."""
        return np.repeat(np.arange(self.size), self.lines)

    def take(self, which: Ints) -> Flow:
        """Return some crossings, in the order asked for, with their lines."""
        starts = np.cumsum(self.lines) - self.lines
        lines = self.lines[which]
        rows = np.repeat(starts[which] - (np.cumsum(lines) - lines), lines) + np.arange(lines.sum())
        return Flow(
            {name: values[which] for name, values in self.header.items()},
            {name: values[rows] for name, values in self.item.items()},
            lines,
        )

    def any_line(self, on_line: Array) -> Array:
        """Whether any line of each crossing is marked."""
        return np.bincount(self.of, weights=on_line, minlength=self.size) > 0

    def sum_lines(self, on_line: Array) -> Array:
        """Sum over the lines of each crossing."""
        return np.bincount(self.of, weights=on_line, minlength=self.size)

    def changed(self, header: dict[str, Array] | None = None, item: dict[str, Array] | None = None) -> Flow:
        """Return the same crossings with columns replaced or added."""
        return Flow({**self.header, **(header or {})}, {**self.item, **(item or {})}, self.lines)


def join(flows: Sequence[Flow]) -> Flow:
    """Put flows with the same columns one after the other."""
    first = flows[0]
    return Flow(
        {name: np.concatenate([flow.header[name] for flow in flows]) for name in first.header},
        {name: np.concatenate([flow.item[name] for flow in flows]) for name in first.item},
        np.concatenate([flow.lines for flow in flows]),
    )
