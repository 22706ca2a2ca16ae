"""Lay out what criteria read, of one crossing at the door and of the crossings of a history, in the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, Final, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from chekara.data.schema import CROSSING_COLUMNS, HEADER_COLUMNS, is_extension
from chekara.domain.crossing import Crossing
from chekara.features.build import build_features, items_from_crossings
from chekara.features.catalogue import ItemColumns, laid_columns
from chekara.features.joined import JoinedFeatures
from chekara.features.laid import LaidColumns, row_of
from chekara.policy.conditions import Row

Lines: TypeAlias = Callable[[], Sequence[Row]]

_COLUMNS: Final = {column.name: column for column in CROSSING_COLUMNS}
_HEADER: Final = frozenset(column.name for column in HEADER_COLUMNS)
_LINE_NUMBER: Final = "item_no"


class CriteriaRows:
    """Lays out crossings for the criteria of a policy.

    Parameters
    ----------
    names : iterable of str
        Everything that is read: contract columns, national extensions and features.
    """

    def __init__(self, names: Iterable[str]) -> None:
        read = sorted(set(names))
        self._columns = tuple(name for name in read if name in _COLUMNS or is_extension(name))
        self._features = tuple(name for name in read if name not in self._columns)
        self.laid = laid_columns(self._features)
        """Columns that the profile engine must lay beside the lines."""

    def of_crossing(self, crossing: Crossing, features: JoinedFeatures) -> tuple[Row, Lines]:
        """Return what was given of a crossing, and of each of its lines.

        Parameters
        ----------
        crossing : Crossing
        features : JoinedFeatures
            Of its lines; what is not there and can be computed, is.
        """
        if not self._features:
            rows = _MergedRows(crossing.header, crossing.items)
            return crossing.header, lambda: rows
        found: list[Row] = []

        def lines() -> Sequence[Row]:
            if not found:
                known = self._known(crossing, features)
                found.extend(
                    {**crossing.header, **item, **own} for item, own in zip(crossing.items, known, strict=True)
                )
            return found

        return crossing.header, lines

    def _known(self, crossing: Crossing, features: JoinedFeatures) -> list[dict[str, Any]]:
        places = row_of(features.names)
        here = [name for name in self._features if name in places]
        values = features.numbers[:, [places[name] for name in here]].tolist()
        rows = [_given(zip(here, own, strict=True)) for own in values]
        for name in self._features:
            if name in features.categories:
                for row, value in zip(rows, features.categories[name], strict=True):
                    row.update(_given([(name, value)]))
        left = [name for name in self._features if name not in places and name not in features.categories]
        if left:
            items, _ = items_from_crossings([crossing])
            columns = _feature_columns(items.beside(LaidColumns(features.names, features.numbers.T)), left)
            for i, row in enumerate(rows):
                row.update(_given((name, column[i]) for name, column in columns))
        return rows

    def of_items(self, items: ItemColumns, starts: npt.NDArray[np.int64]) -> Iterator[tuple[Row, Sequence[Row], Lines]]:
        """Yield what was given of each crossing of many, of each of its lines, and all that is read of these.

        Parameters
        ----------
        items : ItemColumns
            Lines of one crossing after the other, with what the profile engine laid beside them.
        starts : ndarray of shape (n_crossings + 1,), int64
            Where the lines of each crossing begin.
        """
        names = {_LINE_NUMBER, *self._columns}
        columns = [(name, _listed(name, items)) for name in sorted(names) if name in items.values]
        header = [(name, column) for name, column in columns if name in _HEADER]
        computed = _feature_columns(items, self._features)
        for first, end in pairwise(starts.tolist()):
            given = [_given((name, column[i]) for name, column in columns) for i in range(first, end)]
            yield _given((name, column[first]) for name, column in header), given, _lazily(given, computed, first)


class _MergedRows(Sequence[Row]):
    """Goods lines with the header's values, each put together when it is looked at: few are."""

    def __init__(self, header: Row, items: Sequence[Row]) -> None:
        self._header = header
        self._items = items
        self._rows: dict[int, Row] = {}

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Row]: ...
    def __getitem__(self, place: int | slice) -> Row | Sequence[Row]:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        row = self._rows.get(place)
        if row is None:
            row = self._rows[place] = {**self._header, **self._items[place]}
        return row


def _lazily(given: Sequence[Row], computed: Sequence[tuple[str, list[Any]]], first: int) -> Lines:
    if not computed:
        return lambda: given
    found: list[Row] = []

    def lines() -> Sequence[Row]:
        if not found:
            own = (_given((name, column[first + i]) for name, column in computed) for i in range(len(given)))
            found.extend({**row, **more} for row, more in zip(given, own, strict=True))
        return found

    return lines


def _given(values: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Leave out what was not given: None, and numbers that are none."""
    return {name: value for name, value in values if value is not None and value == value}  # noqa: PLR0124


def _listed(name: str, items: ItemColumns) -> list[Any]:
    column = _COLUMNS.get(name)
    values: list[Any] = items.values[name].tolist()
    if column is not None and column.kind == "boolean":
        return [None if value != value else bool(value) for value in values]  # noqa: PLR0124
    return values


def _feature_columns(items: ItemColumns, names: Sequence[str]) -> list[tuple[str, list[Any]]]:
    table = build_features(items, names, {})
    return [(name, table.values[name].tolist()) for name in names]
