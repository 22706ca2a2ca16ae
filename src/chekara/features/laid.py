"""What the profile engine lays beside goods lines: many columns in one matrix, read by name like a dictionary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

Column = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class LaidColumns(Mapping[str, Column]):
    """Columns of a few goods lines. What reads all of them at once takes the matrix: a request cannot pay for each.

    Attributes
    ----------
    names : tuple of str
    matrix : ndarray of shape (n_names, n_lines), float32
        NaN for missing, never infinite.

    Examples
    --------
    >>> laid = LaidColumns(("importer_volume_long",), np.float32([[2.0, 3.0]]))
    >>> laid["importer_volume_long"].tolist(), len(laid)
    ([2.0, 3.0], 1)
    """

    names: tuple[str, ...]
    matrix: Column
    _rows: Mapping[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Find the rows once, for each look at a long tuple of names costs its hash."""
        object.__setattr__(self, "_rows", row_of(self.names))

    def __getitem__(self, name: str) -> Column:
        column: Column = self.matrix[self._rows[name]]
        return column

    def __contains__(self, name: object) -> bool:
        return name in self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def lines(self, first: int, end: int) -> LaidColumns:
        """Return some neighbouring lines."""
        return LaidColumns(self.names, self.matrix[:, first:end])


@dataclass(frozen=True, slots=True, eq=False)
class ValuesBeside(Mapping[str, npt.NDArray[Any]]):
    """Features by name: those computed, else those that were laid.

    Attributes
    ----------
    names : tuple of str
    computed : mapping of str to ndarray
    laid : LaidColumns
        May hold more columns than are asked for.
    """

    names: tuple[str, ...]
    computed: Mapping[str, npt.NDArray[Any]]
    laid: LaidColumns

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        found = self.computed.get(name)
        return self.laid[name] if found is None else found

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


@lru_cache(maxsize=64)
def row_of(names: tuple[str, ...]) -> Mapping[str, int]:
    """Return the place of each name."""
    return {name: place for place, name in enumerate(names)}
