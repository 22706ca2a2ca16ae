"""What is usual and how often it was a hit: the numbers behind a reason, frozen with the model.

Everything is counted in crossings of the training history: a crossing with ten alike goods lines counts once, and
is a hit if any of those lines is. Nothing is published of fewer than `FEWEST_CROSSINGS` crossings, so that no figure
tells one trader another's declaration: narrow bins are merged, rare categories left out, bounds rounded.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from chekara.errors import BundleRefusedError
from chekara.features.build import FeatureTable

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

FEWEST_CROSSINGS = 5
"""No figure is published of fewer crossings than this."""
MOST_BYTES = 250_000
"""Size of the JSON text at most, for categories; the rarest ones are left out first."""

_N_BINS = 10
_SIGNIFICANT_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Count:
    """How often something was seen: crossings, how many of them were inspected, and how many of those were hits."""

    crossings: int
    inspected: int
    hits: int


@dataclass(frozen=True, slots=True)
class NumberEvidence:
    """What is usual for a number.

    Attributes
    ----------
    quartiles : tuple of float or None
        Lower quartile, median, upper quartile of the known values; None where too few crossings have one.
    edges : tuple of float
        Inner edges of the bins, ascending; bin i holds ``edges[i - 1] < value <= edges[i]``.
    bins : tuple of Count
        One more than edges; empty where too few crossings have a value.
    missing : Count or None
        Crossings without a value; None where there are too few.
    """

    quartiles: tuple[float, float, float] | None
    edges: tuple[float, ...]
    bins: tuple[Count, ...]
    missing: Count | None


@dataclass(frozen=True, slots=True)
class CategoryEvidence:
    """What is usual for a category.

    Attributes
    ----------
    counts : mapping of str to Count
        By category, the commonest first; rare ones are left out.
    missing : Count or None
    """

    counts: Mapping[str, Count]
    missing: Count | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Evidence of one training history.

    Attributes
    ----------
    total : Count
        Of all crossings.
    features : mapping of str to NumberEvidence or CategoryEvidence
    """

    total: Count
    features: Mapping[str, NumberEvidence | CategoryEvidence]

    def of(self, feature: str, value: float | str | None) -> tuple[float | str | None, dict[str, float]]:
        """Return what is usual for a feature, and the numbers behind a value.

        Parameters
        ----------
        feature : str
        value : float, str or None
            None and NaN: not given.

        Returns
        -------
        expected : float, str or None
            Median of a number, commonest category; None where nothing may be published.
        numbers : dict of str to float
            Each key only where it is known and may be published: ``crossings_share`` (share of all crossings that
            have such a value, in [0, 1]), ``inspected``, ``hits``, ``share`` (of those, inspected ones and hits),
            ``inspected_all``, ``hits_all``, ``share_all`` (of all crossings); for numbers ``lower_quartile``,
            ``upper_quartile``, and ``low``, ``high``: "such a value" is ``low < value <= high``, open where absent.

        Examples
        --------
        >>> mode = CategoryEvidence({"road": Count(80, 20, 5)}, None)
        >>> evidence = Evidence(Count(100, 25, 6), {"mode": mode})
        >>> expected, numbers = evidence.of("mode", "road")
        >>> expected, numbers["inspected"], numbers["share"], numbers["share_all"]
        ('road', 20.0, 0.25, 0.24)
        """
        numbers = _rates(self.total, "_all")
        known = self.features.get(feature)
        if known is None:
            return None, numbers
        expected: float | str | None
        if isinstance(known, NumberEvidence):
            expected, alike, more = _of_number(known, value)
            numbers |= more
        else:
            expected = next(iter(known.counts), None)
            alike = known.missing if value is None else known.counts.get(str(value))
        if alike is not None:
            numbers |= _rates(alike, "")
            numbers["crossings_share"] = alike.crossings / self.total.crossings
        return expected, numbers

    def to_json(self) -> dict[str, Any]:
        """Plain mapping for the bundle; the same history gives the same bytes."""
        return {
            "total": _counts_to_json(self.total),
            "features": {name: _feature_to_json(self.features[name]) for name in sorted(self.features)},
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Evidence:
        """Read what `to_json` wrote.

        Raises
        ------
        BundleRefusedError
            It is something else.
        """
        try:
            features = {name: _feature_from_json(feature) for name, feature in stored["features"].items()}
            return cls(_required(_count_from_json(stored["total"])), features)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BundleRefusedError("evidence of the model cannot be read", where="evidence") from error


def build_evidence(table: FeatureTable, hit: npt.NDArray[np.float64], crossing_index: Ints | None = None) -> Evidence:
    """Count what is usual and how often it was a hit.

    Parameters
    ----------
    table : FeatureTable
        Features of the goods lines of the training history.
    hit : ndarray of float64, shape (n_items,)
        1 hit, 0 inspected without a hit, NaN unknown.
    crossing_index : ndarray of int64, shape (n_items,), optional
        Crossing of each goods line, from 0; without it every line is a crossing of its own.

    Returns
    -------
    Evidence
    """
    index = np.arange(table.n_items) if crossing_index is None else crossing_index
    history = _History(np.asarray(index, dtype=np.int64), np.asarray(hit, dtype=np.float64))
    total = history.count(np.zeros(table.n_items, dtype=np.int64), 1)[0]
    features: dict[str, NumberEvidence | CategoryEvidence] = {}
    for name, kind in zip(table.names, table.kinds, strict=True):
        column = table.values[name]
        features[name] = _describe_number(column, history) if kind == "number" else _describe_category(column, history)
    return Evidence(total, _within_size(features))


class _History:
    """Counts goods lines by group, once per crossing."""

    def __init__(self, crossing: Ints, hit: Floats) -> None:
        self._crossing = crossing
        self._n_crossings = int(crossing.max(initial=-1)) + 1
        self._known = ~np.isnan(hit)
        self._hit = hit == 1.0

    def count(self, group: Ints, n_groups: int) -> list[Count]:
        """Count the crossings of each group 0 ... n_groups - 1; a negative group counts nowhere."""
        chosen = (np.ones(len(group), dtype=np.bool_), self._known, self._hit)
        columns = [self._crossings_by_group(group, of & (group >= 0), n_groups) for of in chosen]
        return [Count(*(int(n) for n in row)) for row in zip(*columns, strict=True)]

    def _crossings_by_group(self, group: Ints, rows: npt.NDArray[np.bool_], n_groups: int) -> Ints:
        pairs = np.unique(group[rows] * self._n_crossings + self._crossing[rows])
        return np.bincount(pairs // max(self._n_crossings, 1), minlength=n_groups)


def _describe_number(column: npt.NDArray[Any], history: _History) -> NumberEvidence:
    values = column.astype(np.float64)
    is_known = ~np.isnan(values)
    missing, known_total = history.count(is_known.astype(np.int64), 2)
    if known_total.crossings < FEWEST_CROSSINGS:
        return NumberEvidence(None, (), (), _published(missing))
    ranks = np.linspace(0.0, 1.0, _N_BINS + 1)[1:-1]
    lower, median, upper, *cuts = np.quantile(values[is_known], [0.25, 0.5, 0.75, *ranks])
    edges = sorted({_rounded(cut) for cut in cuts if cut < values[is_known].max()})
    edges, bins = _merge_narrow(edges, values, history)
    return NumberEvidence((_rounded(lower), _rounded(median), _rounded(upper)), tuple(edges), bins, _published(missing))


def _merge_narrow(edges: list[float], values: Floats, history: _History) -> tuple[list[float], tuple[Count, ...]]:
    """Drop edges until every bin has enough crossings."""
    while True:
        group = np.where(np.isnan(values), -1, np.searchsorted(edges, values))
        bins = history.count(group.astype(np.int64), len(edges) + 1)
        narrow = next((i for i, found in enumerate(bins) if found.crossings < FEWEST_CROSSINGS), None)
        if narrow is None or not edges:
            return edges, tuple(bins)
        edges = edges[: max(narrow - 1, 0)] + edges[max(narrow, 1) :]


def _describe_category(column: npt.NDArray[Any], history: _History) -> CategoryEvidence:
    codes, categories = pd.factorize(column)
    counts = dict(zip(map(str, categories), history.count(codes.astype(np.int64), len(categories)), strict=True))
    missing = history.count(np.where(codes < 0, 0, -1).astype(np.int64), 1)[0]
    enough = {name: found for name, found in counts.items() if found.crossings >= FEWEST_CROSSINGS}
    return CategoryEvidence(_commonest_first(enough), _published(missing))


def _commonest_first(counts: Mapping[str, Count]) -> dict[str, Count]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1].crossings, item[0])))


def _within_size(
    features: Mapping[str, NumberEvidence | CategoryEvidence],
) -> dict[str, NumberEvidence | CategoryEvidence]:
    """Leave the rarest categories out, over all features alike, until the JSON text is small enough."""
    entries = [
        (-count.crossings, feature, name, len(json.dumps({name: _counts_to_json(count)})))
        for feature, known in features.items()
        if isinstance(known, CategoryEvidence)
        for name, count in known.counts.items()
    ]
    entries.sort()
    room = MOST_BYTES - sum(
        len(json.dumps({name: _feature_to_json(known)}))
        for name, known in features.items()
        if isinstance(known, NumberEvidence)
    )
    sizes = np.cumsum([size for *_, size in entries])
    kept = {(feature, name) for (_, feature, name, _), size in zip(entries, sizes, strict=True) if size <= room}
    return {
        feature: known
        if isinstance(known, NumberEvidence)
        else CategoryEvidence({n: c for n, c in known.counts.items() if (feature, n) in kept}, known.missing)
        for feature, known in features.items()
    }


def _of_number(known: NumberEvidence, value: float | str | None) -> tuple[float | None, Count | None, dict[str, float]]:
    numbers: dict[str, float] = {}
    if known.quartiles is None:
        return None, known.missing if _is_missing(value) else None, numbers
    numbers["lower_quartile"], median, numbers["upper_quartile"] = known.quartiles
    if value is None or _is_missing(value):
        return median, known.missing, numbers
    place = int(np.searchsorted(known.edges, float(value)))
    if place > 0:
        numbers["low"] = known.edges[place - 1]
    if place < len(known.edges):
        numbers["high"] = known.edges[place]
    return median, known.bins[place], numbers


def _is_missing(value: float | str | None) -> bool:
    return value is None or math.isnan(float(value))


def _rates(count: Count, ending: str) -> dict[str, float]:
    """Inspected, hits and their share; nothing where too few were inspected."""
    if count.inspected < FEWEST_CROSSINGS:
        return {}
    return {
        f"inspected{ending}": float(count.inspected),
        f"hits{ending}": float(count.hits),
        f"share{ending}": count.hits / count.inspected,
    }


def _published(count: Count) -> Count | None:
    return count if count.crossings >= FEWEST_CROSSINGS else None


def _rounded(number: float) -> float:
    return float(f"{number:.{_SIGNIFICANT_DIGITS}g}")


def _counts_to_json(count: Count | None) -> list[int] | None:
    return None if count is None else [count.crossings, count.inspected, count.hits]


def _count_from_json(stored: Sequence[int] | None) -> Count | None:
    if stored is None:
        return None
    crossings, inspected, hits = (int(number) for number in stored)
    return Count(crossings, inspected, hits)


def _required(count: Count | None) -> Count:
    if count is None:
        raise ValueError("a count is missing")
    return count


def _feature_to_json(known: NumberEvidence | CategoryEvidence) -> dict[str, Any]:
    if isinstance(known, CategoryEvidence):
        counts = {name: _counts_to_json(count) for name, count in known.counts.items()}
        return {"categories": counts, "missing": _counts_to_json(known.missing)}
    return {
        "quartiles": None if known.quartiles is None else list(known.quartiles),
        "edges": list(known.edges),
        "bins": [_counts_to_json(count) for count in known.bins],
        "missing": _counts_to_json(known.missing),
    }


def _feature_from_json(stored: Mapping[str, Any]) -> NumberEvidence | CategoryEvidence:
    missing = _count_from_json(stored["missing"])
    if "categories" in stored:
        counts = {str(name): _required(_count_from_json(count)) for name, count in stored["categories"].items()}
        # Stored by name (a bundle's JSON has sorted keys), so the order is made again.
        return CategoryEvidence(_commonest_first(counts), missing)
    quartiles = None
    if stored["quartiles"] is not None:
        lower, median, upper = (float(number) for number in stored["quartiles"])
        quartiles = (lower, median, upper)
    edges = tuple(float(edge) for edge in stored["edges"])
    bins = tuple(_required(_count_from_json(count)) for count in stored["bins"])
    if len(bins) != (len(edges) + 1 if quartiles else 0):
        raise ValueError("bins and edges do not fit")
    return NumberEvidence(quartiles, edges, bins, missing)
