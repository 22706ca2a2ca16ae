"""Features of goods lines for several models at once: each feature stands once, whichever models ask for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import methodcaller

import numpy as np
import numpy.typing as npt

from chekara.features.build import FeatureTable, extension_column, narrow, plan_features, require_reference
from chekara.features.catalogue import FeatureKind, ItemColumns, Sides, divide
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
        if (first, end) == (0, self.n_lines):
            return self
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


class FeaturesTogether:
    """Computes the features of several models over the same goods lines, each once, by the functions of each alone.

    Parameters
    ----------
    models : iterable of (sequence of str, mapping of str to {'number', 'category'})
        Per model: its features, and the kinds of the national columns among them. Such a column may be a number to
        one model and a category to another.

    Attributes
    ----------
    categories : tuple of str
        Those that some model asks for, each once.

    Raises
    ------
    ConfigurationError
        A name is not in the catalogue.

    Examples
    --------
    >>> together = FeaturesTogether([(("value_per_kg",), {}), (("mode", "value_per_kg"), {})])
    >>> given = {"declared_value": np.array([30.0]), "net_mass_kg": np.array([10.0])}
    >>> given["mode"] = np.array(["rail"], dtype=object)
    >>> laid = LaidColumns(("importer_volume_long",), np.float32([[2.0]]))
    >>> joined = together.of(ItemColumns(given, 1).beside(laid))
    >>> joined.names, joined.numbers.tolist(), joined.categories
    (('importer_volume_long', 'value_per_kg'), [[2.0, 3.0]], {'mode': ['rail']})
    """

    def __init__(self, models: Iterable[tuple[Sequence[str], Mapping[str, FeatureKind]]]) -> None:
        plans = [plan_features(tuple(names), tuple(sorted(kinds.items())), None) for names, kinds in models]
        computed = dict.fromkeys(feature for plan in plans for feature in plan.computed)
        national = dict.fromkeys(pair for plan in plans for pair in plan.extensions)
        self._numbers = tuple(feature for feature in computed if feature.kind == "number")
        self._profiles = tuple(dict.fromkeys(name for plan in plans for name in plan.profiles))
        self._national_numbers = tuple(name for name, kind in national if kind == "number")
        self._categories = {feature.name: feature.compute for feature in computed if feature.kind == "category"} | {
            name: partial(extension_column, name=name, kind=kind) for name, kind in national if kind == "category"
        }
        self.categories = tuple(self._categories)
        self._compared = next((plan.is_compared for plan in plans if plan.is_compared), "")
        self._layouts: dict[tuple[str, ...], _Layout] = {}

    def of(self, items: ItemColumns) -> JoinedFeatures:
        """Compute.

        Parameters
        ----------
        items : ItemColumns
            All lines of each crossing, with what the profile engine laid beside them: that is joined, too.

        Raises
        ------
        ConfigurationError
            A feature compares with what is usual and nobody laid that beside the lines.
        """
        if self._compared:
            require_reference(items, self._compared)
        laid = LaidColumns((), np.empty((0, items.n_items), dtype=np.float32)) if items.laid is None else items.laid
        layout = self._layouts.get(laid.names)
        if layout is None:
            layout = self._layouts[laid.names] = self._layout(laid.names)
        numbers = np.empty((items.n_items, len(layout.names)), dtype=np.float32)
        numbers[:, : len(laid.names)] = laid.matrix.T
        numbers[:, len(laid.names) :] = layout.computed(items).T
        categories = {name: compute(items).tolist() for name, compute in self._categories.items()}
        return JoinedFeatures(layout.names, numbers, categories)

    def _layout(self, laid: tuple[str, ...]) -> _Layout:
        rows = row_of(laid)
        own = [feature for feature in self._numbers if feature.name not in rows]
        sides = {feature.name: feature.sides for feature in own if feature.sides is not None}
        compute: dict[str, Callable[[ItemColumns], Column]] = {
            feature.name: feature.compute for feature in own if feature.name not in sides
        }
        compute |= {name: methodcaller("number", name) for name in self._profiles if name not in rows}
        compute |= {name: partial(extension_column, name=name, kind="number") for name in self._national_numbers}
        return _Layout((*laid, *sides, *compute), tuple(sides.values()), tuple(compute.values()))


@dataclass(frozen=True, slots=True)
class _Layout:
    """Columns of the numbers: those that were laid, ratios, and others to compute."""

    names: tuple[str, ...]
    sides: tuple[Callable[[ItemColumns], Sides], ...]
    compute: tuple[Callable[[ItemColumns], Column], ...]

    def computed(self, items: ItemColumns) -> npt.NDArray[np.float32]:
        """Compute what was not laid; shape (n_computed, n_lines)."""
        n_ratios = len(self.sides)
        out = np.empty((n_ratios + len(self.compute), items.n_items))
        numerators, denominators = np.empty((2, n_ratios, items.n_items))
        with np.errstate(over="ignore"):  # beyond float64 is beyond the bound that is put on it here
            for place, sides in enumerate(self.sides):
                numerators[place], denominators[place] = sides(items)
            out[:n_ratios] = divide(numerators, denominators)
            for place, compute in enumerate(self.compute, n_ratios):
                out[place] = compute(items)
        return narrow(out)
