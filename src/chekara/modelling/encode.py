"""Frozen encodings: categories to codes, gaps to what stands in for them, the same for training and for one row.

A code is an integer that LightGBM splits natively, as a set of categories. A number that training hardly ever missed
has no learned direction for "missing": LightGBM would read it as 0 where it never was missing (``missing_type`` None),
so that a declaration without value would score as one that is far too cheap. There the median of training stands in.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from chekara.features.build import FeatureTable
from chekara.features.catalogue import ItemColumns, find_feature

Floats: TypeAlias = npt.NDArray[np.float64]

_MANY_LINES = 256  # from here on it pays to number the values of a column first

MISSING = "(missing)"
"""Stands for a value that was not given: a category of its own, since a field left empty says something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """Frozen maps from features to the matrix that the booster reads.

    Attributes
    ----------
    names : tuple of str
        Columns of the matrix, one per feature.
    codes : mapping of str to mapping of str to int
        Categories that the booster splits natively. -1: met in training, but too rarely to be told apart.
    stand_ins : mapping of str to float
        Numbers that training hardly ever missed, each with the value that stands in for a missing one.
    """

    names: tuple[str, ...]
    codes: Mapping[str, Mapping[str, int]]
    stand_ins: Mapping[str, float]
    _of_missing: Floats = field(init=False, repr=False, compare=False)
    _columns: Mapping[str, _Codes] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Lay out once, for every request, what stands in for a missing number and what each category becomes."""
        of_missing = np.array([self.stand_ins.get(name, np.nan) for name in self.names])
        object.__setattr__(self, "_of_missing", of_missing)
        columns = {name: _Codes(self.codes[name]) for name in self.names if name in self.codes}
        object.__setattr__(self, "_columns", columns)

    @property
    def categorical(self) -> tuple[int, ...]:
        """Positions of columns that hold codes."""
        return tuple(i for i, name in enumerate(self.names) if name in self.codes)

    def encode(self, table: FeatureTable) -> Floats:
        """Encode features.

        Parameters
        ----------
        table : FeatureTable
            Holds every feature of ``names``; order does not matter, columns are bound by name.

        Returns
        -------
        ndarray of shape (n_items, k), float64
            Every number is exactly a float32. A code that is unseen or rare is NaN, and so is a missing number
            where training saw enough of them to learn what that says.
        """
        X = np.empty((table.n_items, len(self.names)), dtype=np.float64)
        for place, name in enumerate(self.names):
            if name not in self.codes:
                column = table.values[name]
                X[:, place] = np.where(np.isnan(column), self._of_missing[place], column)
        X[:, self.categorical] = self._coded(table).T
        return X

    def _coded(self, table: FeatureTable) -> Floats:
        """Return the codes of all categories, NaN for unseen and rare ones; shape (n_categories, n_items)."""
        columns = ((table.values[name], codes) for name, codes in self._columns.items())
        coded: list[Floats] | list[float]
        if table.n_items >= _MANY_LINES:
            coded = [_many_coded(column, codes) for column, codes in columns]
        else:
            coded = [*chain.from_iterable(map(codes.__getitem__, column.tolist()) for column, codes in columns)]
        return np.array(coded, dtype=np.float64).reshape(len(self._columns), table.n_items)

    def code(self, name: str, value: str | None) -> float:
        """Return what one category becomes in the matrix: NaN where it is unseen or rare."""
        return self._columns[name][value]

    def unseen(self, table: FeatureTable) -> list[tuple[int, str]]:
        """Find categories that training never met.

        Only features that show one contract column as it is: a new pair of goods and origin is everyday trade.

        Returns
        -------
        list of (int, str)
            Row and feature, in order of rows.
        """
        found = []
        for name in showing_one_column(tuple(self.codes)):
            known, column = self.codes[name], table.values[name].tolist()
            if not known.keys() >= {*column} - {None}:
                found += [(row, name) for row, value in enumerate(column) if value is not None and value not in known]
        return sorted(found, key=lambda place: place[0])

    def missing(self, table: FeatureTable, among: Container[str] | None = None) -> list[tuple[int, str]]:
        """Find values that are missing although training had them: the score says nothing of them.

        Parameters
        ----------
        table : FeatureTable
        among : container of str, optional
            Features that are looked at; all where it is not given.

        Returns
        -------
        list of (int, str)
            Row and feature, in order of rows.
        """
        numbers = [name for name in self.stand_ins if among is None or name in among]
        columns = np.array([table.values[name] for name in numbers]).reshape(len(numbers), table.n_items)
        found = [(int(row), numbers[place]) for place, row in np.argwhere(np.isnan(columns))]
        for name, known in self.codes.items():
            if MISSING not in known and (among is None or name in among):
                found += [(row, name) for row, value in enumerate(table.values[name].tolist()) if value is None]
        return sorted(found, key=lambda place: place[0])

    def to_json(self) -> dict[str, Any]:
        """Plain mapping for the bundle, keys sorted."""
        return {
            "columns": list(self.names),
            "codes": {name: dict(sorted(codes.items())) for name, codes in sorted(self.codes.items())},
            "stand_ins": dict(sorted(self.stand_ins.items())),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Encoder:
        """Read what `to_json` wrote."""
        return cls(names=tuple(stored["columns"]), codes=stored["codes"], stand_ins=stored["stand_ins"])


def field_behind(name: str, items: ItemColumns, row: int) -> str:
    """Name the contract field for the want of which a feature has no value.

    Parameters
    ----------
    name : str
        Feature.
    items : ItemColumns
    row : int

    Returns
    -------
    str
        The first column it reads that is not given; else the first that is 0 or less; else the last one, whose fault
        lies in another line of the crossing.

    Examples
    --------
    >>> items = ItemColumns({"declared_value": np.array([9.0]), "net_mass_kg": np.array([0.0])}, 1)
    >>> field_behind("mass_per_package_kg", items, 0), field_behind("hs4", items, 0)
    ('packages', 'hs_code')
    """
    reads = reads_of(name)
    values = {column: items.values[column][row] for column in reads if column in items.values}
    lacking = [column for column in reads if _is_lacking(values.get(column))]
    useless = [c for c in reads if isinstance(values.get(c), float) and values[c] <= 0]
    return (*lacking, *useless, reads[-1])[0]


def _is_lacking(value: Any) -> bool:
    return value is None or bool(value != value)  # noqa: PLR0124  # neither NaN nor NaT equals itself


def reads_of(name: str) -> tuple[str, ...]:
    """Name the contract columns that a feature is computed from; a national column is its own."""
    found = find_feature(name)
    return (name,) if found is None else found.reads


@lru_cache(maxsize=64)
def showing_one_column(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the features that show one contract column as it is."""
    return tuple(name for name in names if len(reads_of(name)) == 1)


class _Codes(dict[str | None, float]):
    """What each category becomes in the matrix; None: a missing one."""

    def __init__(self, codes: Mapping[str, int]) -> None:
        super().__init__((value, float(code) if code >= 0 else np.nan) for value, code in codes.items())
        self[None] = self.get(MISSING, np.nan)

    def __missing__(self, _value: str | None) -> float:
        """Training never met it. A look-up in C alone: every request makes some hundreds."""
        return np.nan


def _many_coded(column: npt.NDArray[np.object_], codes: _Codes) -> Floats:
    """Look up once per value instead of once per line; a missing one is numbered -1, the last place."""
    numbers, values = pd.factorize(column)
    return np.array([codes[value] for value in [*values, None]], dtype=np.float64)[numbers]


def fit_codes(
    column: npt.NDArray[np.object_], is_labelled: npt.NDArray[np.bool_], minimum_count: int
) -> dict[str, int]:
    """Give each category of a column its number, the commonest first.

    Parameters
    ----------
    column : ndarray of shape (n_items,), object
    is_labelled : ndarray of bool, shape (n_items,)
        Lines that count; the others only make their category known.
    minimum_count : int
        Categories with fewer lines get -1.

    Returns
    -------
    dict of str to int

    Examples
    --------
    >>> values = np.array(["road", "rail", "road", "air"], dtype=object)
    >>> fit_codes(values, np.array([True, True, True, False]), 1)
    {'road': 0, 'rail': 1, 'air': -1}
    """
    given = pd.Series(column, dtype=object).fillna(MISSING).astype(str)
    lines = given[is_labelled].value_counts().reindex(given.unique(), fill_value=0)
    counted = sorted(lines.items(), key=lambda pair: (-pair[1], str(pair[0])))
    return {str(value): code if n >= minimum_count else -1 for code, (value, n) in enumerate(counted)}


def fit_stand_in(column: npt.NDArray[np.float32], minimum_count: int) -> float | None:
    """Choose what stands in for a missing number.

    Parameters
    ----------
    column : ndarray of shape (n_items,), float32
        Training lines.
    minimum_count : int
        From this many missing values on the booster learns what "missing" says, and nothing stands in.

    Returns
    -------
    float or None
        The lower median, a value that training saw; None where nothing stands in or no value is known.

    Examples
    --------
    >>> fit_stand_in(np.array([4.0, 1.0, 3.0, 2.0], dtype=np.float32), 1)
    2.0
    >>> fit_stand_in(np.array([4.0, np.nan, 3.0, 2.0], dtype=np.float32), 1) is None
    True
    """
    known = column[~np.isnan(column)]
    if not len(known) or len(column) - len(known) >= minimum_count:
        return None
    return float(np.quantile(known, 0.5, method="lower"))
