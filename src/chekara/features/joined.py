"""Features of goods lines for several models at once: each feature stands once, whichever models ask for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from chekara.features.build import FeatureTable
from chekara.features.catalogue import FeatureKind
from chekara.features.laid import Column, LaidColumns, row_of


@dataclass(frozen=True, slots=True)
class JoinedFeatures:
    """What goods lines are scored with.

    Attributes
    ----------
    names : tuple of str
        Columns of ``numbers``: what is known of entities, then what is declared.
    numbers : ndarray of shape (n_lines, n_names), float32
        NaN for missing.
    categories : mapping of str to sequence of (str or None)
        By feature, one value per line.
    """

    names: tuple[str, ...]
    numbers: Column
    categories: Mapping[str, Sequence[str | None]]

    @property
    def n_lines(self) -> int:
        """Goods lines."""
        return len(self.numbers)

    def lines(self, first: int, end: int) -> JoinedFeatures:
        """Return some neighbouring lines, those of one crossing."""
        categories = {name: column[first:end] for name, column in self.categories.items()}
        return JoinedFeatures(self.names, self.numbers[first:end], categories)

    def columns(self, names: Iterable[str]) -> dict[str, Column]:
        """Return numbers by name; those that are not here are left out."""
        places = {name: place for place, name in enumerate(self.names)}
        return {name: self.numbers[:, places[name]].copy() for name in names if name in places}

    def table(self, names: Sequence[str], kinds: Sequence[FeatureKind]) -> FeatureTable:
        """Return the features of one model.

        Parameters
        ----------
        names : sequence of str
        kinds : sequence of {'number', 'category'}
            A national column may be a number to one model and a category to another.

        Raises
        ------
        KeyError
            One of them is not here.
        """
        numbers = self.columns(names)
        values = {
            name: numbers[name] if kind == "number" else np.array([*self.categories[name], None], dtype=object)[:-1]
            for name, kind in zip(names, kinds, strict=True)
        }
        return FeatureTable(tuple(names), tuple(kinds), values, self.n_lines)


def join_features(tables: Sequence[FeatureTable], laid: LaidColumns) -> JoinedFeatures:
    """Join the features of several models over the same goods lines.

    Parameters
    ----------
    tables : sequence of FeatureTable
        One per model.
    laid : LaidColumns
        What the profile engine laid beside the lines.

    Examples
    --------
    >>> cheap = FeatureTable(("value_per_kg",), ("number",), {"value_per_kg": np.float32([3.0])}, 1)
    >>> by_rail = FeatureTable(("mode",), ("category",), {"mode": np.array(["rail"], dtype=object)}, 1)
    >>> joined = join_features([cheap, by_rail], LaidColumns(("importer_volume_long",), np.float32([[2.0]])))
    >>> joined.names, joined.numbers.tolist(), joined.categories
    (('importer_volume_long', 'value_per_kg'), [[2.0, 3.0]], {'mode': ['rail']})
    """
    numbers, categories = _declared(tuple((table.names, table.kinds) for table in tables), laid.names)
    columns = np.array([tables[t].values[name] for t, name in numbers], dtype=np.float32)
    matrix = np.concatenate([laid.matrix, columns.reshape(len(numbers), laid.matrix.shape[1])])
    return JoinedFeatures(
        (*laid.names, *(name for _, name in numbers)),
        np.ascontiguousarray(matrix.T),
        {name: tables[t].values[name].tolist() for t, name in categories},
    )


@lru_cache(maxsize=64)
def _declared(
    tables: tuple[tuple[tuple[str, ...], tuple[FeatureKind, ...]], ...], laid: tuple[str, ...]
) -> tuple[tuple[tuple[int, str], ...], tuple[tuple[int, str], ...]]:
    """Return the numbers and the categories that are not laid, each once, with the first table that holds it."""
    found: dict[FeatureKind, dict[str, int]] = {"number": {}, "category": {}}
    for t, (names, kinds) in enumerate(tables):
        for name, kind in zip(names, kinds, strict=True):
            if name not in row_of(laid):
                found[kind].setdefault(name, t)
    numbers, categories = (tuple((t, name) for name, t in found[kind].items()) for kind in ("number", "category"))
    return numbers, categories
