"""The feature catalogue: every feature with its name, unit, source and the sentence that explains it.

A feature is a function from item columns to one array. It is registered where it is defined, and the first line
of its docstring is its public explanation: model cards, the documentation and the analyst's pages show it, and a
test asserts that it is there. The sentence an officer reads lies in the message catalogue under
``feature.<name>`` (see ``chekara.messages``).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field, replace
from functools import cache, wraps
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from chekara.errors import ConfigurationError
from chekara.features.laid import LaidColumns
from chekara.features.profile_measures import REFERENCE_LEVEL, REFERENCE_PRICE, parse_profile_name

Array: TypeAlias = npt.NDArray[Any]
Sides: TypeAlias = tuple[npt.NDArray[Any], npt.NDArray[Any]]
FeatureKind = Literal["number", "category"]
FeatureSource = Literal["declared", "reference", "profile", "extension"]


@dataclass(frozen=True, slots=True)
class ItemColumns:
    """Goods lines as columns, header values repeated: what features are computed from.

    Attributes
    ----------
    values : dict of str to ndarray of shape (n_items,)
        By contract name. Numbers, integers and booleans are float64 with NaN for missing; strings and codes are
        object arrays with None for missing; instants and dates are ``datetime64[us]`` in UTC with NaT.
        A column that nobody gave may be absent.
    n_items : int
    computed : dict of hashable to ndarray of shape (n_items,)
        Features of these very lines that somebody asked for already, and what they were made of (`once`).
    laid : LaidColumns or None
        What the profile engine laid beside them, where it came as one matrix.
    """

    values: dict[str, Array]
    n_items: int
    computed: dict[Hashable, Array] = field(default_factory=dict, compare=False, repr=False)
    laid: LaidColumns | None = field(default=None, compare=False, repr=False)

    def beside(self, laid: LaidColumns) -> ItemColumns:
        """Return the same lines with what the profile engine laid beside them."""
        return ItemColumns(self.values, self.n_items, laid=laid)

    def once(self, key: Hashable, compute: Callable[[ItemColumns], Array]) -> Array:
        """Compute something of these very lines that several features read, the first time that one asks for it.

        Parameters
        ----------
        key : hashable
            No feature's name: a text with a space in it, or a tuple.
        compute : callable
        """
        found = self.computed.get(key)
        if found is None:
            found = self.computed[key] = compute(self)
        return found

    def has(self, name: str) -> bool:
        """Whether somebody gave a column, or laid it beside the lines."""
        return name in self.values or (self.laid is not None and name in self.laid)

    def number(self, name: str) -> npt.NDArray[Any]:
        """Return a numeric column, given or laid beside, all NaN where nobody gave it; shape (n_items,)."""
        found = self.values.get(name)
        if found is None and self.laid is not None and name in self.laid:
            found = self.laid[name]
        return np.full(self.n_items, np.nan) if found is None else found

    def text(self, name: str) -> npt.NDArray[np.object_]:
        """Return a string column, all None where nobody gave it; shape (n_items,)."""
        found = self.values.get(name)
        return np.full(self.n_items, None, dtype=object) if found is None else found

    def instant(self, name: str) -> npt.NDArray[np.datetime64]:
        """Return an instant column in UTC, all NaT where nobody gave it; shape (n_items,)."""
        found = self.values.get(name)
        return np.full(self.n_items, np.datetime64("NaT", "us")) if found is None else found


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature of the catalogue.

    Attributes
    ----------
    name : str
    kind : {'number', 'category'}
        A number becomes float32 with NaN for missing; a category is an object array of str with None for missing.
    unit : str
        Unit of the value as shown to people, such as ``currency/kg``; ``code`` for categories.
    source : {'declared', 'reference', 'profile', 'extension'}
        ``reference``: compares the row with what is usual, which the profile engine lays beside it.
    reads : tuple of str
        Contract columns that it is computed from.
    explanation : str
        First line of the function's docstring.
    sensitive : bool
        True where a contract column that it reads is sensitive: a spec must name it with a reason.
    compute : callable
        ``ItemColumns -> ndarray of shape (n_items,)``.
    sides : callable or None
        Of a ratio: numerator and denominator, so that many can be divided at once.
    """

    name: str
    kind: FeatureKind
    unit: str
    source: FeatureSource
    reads: tuple[str, ...]
    explanation: str
    sensitive: bool
    compute: Callable[[ItemColumns], Array]
    sides: Callable[[ItemColumns], Sides] | None = None


FEATURES: dict[str, Feature] = {}


def feature(
    *,
    kind: FeatureKind = "number",
    unit: str,
    reads: tuple[str, ...],
    source: FeatureSource = "declared",
    sensitive: bool = False,
) -> Callable[[Callable[[ItemColumns], Array]], Callable[[ItemColumns], Array]]:
    """Register the decorated function as a feature under its own name.

    Parameters
    ----------
    kind : {'number', 'category'}
    unit : str
    reads : tuple of str
        Contract columns that the function reads.
    source : {'declared', 'reference', 'profile'}
    sensitive : bool

    Raises
    ------
    ConfigurationError
        Two features share a name, or one has no docstring.
    """

    def register(function: Callable[[ItemColumns], Array]) -> Callable[[ItemColumns], Array]:
        _register(function, Feature(function.__name__, kind, unit, source, reads, "", sensitive, function))
        return function

    return register


def ratio(
    *, unit: str, reads: tuple[str, ...], source: FeatureSource = "declared"
) -> Callable[[Callable[[ItemColumns], Sides]], Callable[[ItemColumns], Array]]:
    """Register a number that is one column over another; the decorated function returns both.

    Parameters
    ----------
    unit, reads, source
        As of `feature`.
    """

    def register(sides: Callable[[ItemColumns], Sides]) -> Callable[[ItemColumns], Array]:
        @wraps(sides)
        def compute(items: ItemColumns) -> Array:
            return divide(*sides(items))

        name = sides.__name__
        _register(
            sides, Feature(name, "number", unit, source, reads, "", sensitive=False, compute=compute, sides=sides)
        )
        return compute

    return register


def _register(documented: Callable[[ItemColumns], object], own: Feature) -> None:
    explanation = (documented.__doc__ or "").strip().split("\n")[0]
    if own.name in FEATURES:
        raise ConfigurationError("two features share a name", where=own.name)
    if not explanation:
        raise ConfigurationError("a feature needs a docstring: it is its public explanation", where=own.name)
    FEATURES[own.name] = replace(own, explanation=explanation)


def divide(numerator: npt.NDArray[np.float64], denominator: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Divide; missing where the denominator is not above zero.

    Whoever computes features lets numbers overflow: beyond float64 is beyond every bound that is put on it later.

    Examples
    --------
    >>> divide(np.array([6.0, 6.0]), np.array([3.0, 0.0]))
    array([ 2., nan])
    """
    out = np.empty(numerator.shape)
    out.fill(np.nan)
    return np.divide(numerator, denominator, out=out, where=denominator > 0)


def find_feature(name: str) -> Feature | None:
    """Find a feature: one of the static catalogue, or one that the grammar of profiles names.

    Parameters
    ----------
    name : str

    Returns
    -------
    Feature or None
        A profile feature reads the column of its own name, which the profile engine lays beside the goods lines;
        where nobody laid it, it is missing.

    Examples
    --------
    >>> find_feature("importer_hit_rate_contraband").unit
    'fraction'
    >>> find_feature("importer_shoe_size") is None
    True
    """
    return FEATURES.get(name) or _profile_feature(name)


@cache
def _profile_feature(name: str) -> Feature | None:
    parsed = parse_profile_name(name)
    if parsed is None:
        return None
    told = {"kind": parsed.kind.name, "domain": parsed.domain}
    return Feature(
        name=name,
        kind="number",
        unit=parsed.measure.unit,
        source="profile",
        reads=(name,),
        explanation=parsed.measure.explanation.format(**told),
        sensitive=False,
        compute=lambda items: items.number(name),
    )


def laid_columns(names: Iterable[str]) -> tuple[str, ...]:
    """Tell which columns the profile engine must lay beside goods lines before some features can be computed.

    Parameters
    ----------
    names : iterable of str
        Features of a model, of any source; unknown names are passed over.

    Returns
    -------
    tuple of str
        Each once: what ``profile_columns``, ``ProfileStream`` and ``LiveProfiles`` are asked for.

    Examples
    --------
    >>> laid_columns(["origin_country", "importer_volume_long"])
    ('importer_volume_long',)

    A comparison with what is usual for such goods needs to know what is usual:

    >>> import chekara.features.declared
    >>> laid_columns(["unit_price_vs_reference"])
    ('reference_price_per_kg', 'reference_goods_level')
    """
    wanted: dict[str, None] = {}
    for name in names:
        found = find_feature(name)
        if found is None:
            continue
        if found.source == "profile":
            wanted[name] = None
        elif found.source == "reference":
            wanted |= dict.fromkeys((REFERENCE_PRICE, REFERENCE_LEVEL))
    return tuple(wanted)
