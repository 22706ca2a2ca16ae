"""What is usual and how often it was a hit: the numbers behind a reason, frozen with the model.

Everything is counted in crossings of the training history: a crossing with ten alike goods lines counts once, and
is a hit if any of those lines is. Nothing is published of fewer than `FEWEST_CROSSINGS` crossings, so that no figure
tells one trader another's declaration: narrow bins are merged, rare categories and goods left out, bounds rounded.
What is usual for a number that depends on the goods (`GOODS_DEPENDENT`) is told per HS heading, else per chapter.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chekara.errors import BundleRefusedError

FEWEST_CROSSINGS = 5
"""No figure is published of fewer crossings than this."""
GOODS_DEPENDENT = frozenset(
    {
        "declared_value",
        "net_mass_kg",
        "gross_mass_kg",
        "packages",
        "value_per_kg",
        "value_per_package",
        "value_per_unit",
        "mass_per_package_kg",
        "mass_per_unit_kg",
        "gross_over_net",
        "duty_rate",
        "duty_share",
    }
)
"""Features of which "usual" over all goods says nothing: a car weighs 1,500 kg per unit, a shirt 0.2."""
GOODS_DIGITS = "goods_digits"
"""Key in a reason's evidence: digits of the HS code that "usual" is meant for; 0 for all goods."""

HEADING_DIGITS, CHAPTER_DIGITS = 4, 2


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
    by_goods : mapping of str to float
        Median by HS heading ("6109") and chapter ("61"); empty where it does not depend on the goods.
    """

    quartiles: tuple[float, float, float] | None
    edges: tuple[float, ...]
    bins: tuple[Count, ...]
    missing: Count | None
    by_goods: Mapping[str, float] = field(default_factory=dict)


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
    _told: dict[tuple[str, int | str | None, str | None], tuple[float | str | None, Mapping[str, float]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def of(
        self, feature: str, value: float | str | None, goods: str | None = None
    ) -> tuple[float | str | None, Mapping[str, float]]:
        """Return what is usual for a feature, and the numbers behind a value.

        Parameters
        ----------
        feature : str
        value : float, str or None
            None and NaN: not given.
        goods : str, optional
            HS code of the goods line, 4 digits or more.

        Returns
        -------
        expected : float, str or None
            Median of a number, of such goods where it depends on them; commonest category; None where nothing may be
            published.
        numbers : mapping of str to float
            One object for all such values, not to be changed. Each key only where it is known and may be published:
            ``crossings_share`` (share of all crossings that have such a value, in [0, 1]), ``inspected``, ``hits``,
            ``share`` (of those, inspected ones and hits), ``inspected_all``, ``hits_all``, ``share_all`` (of all
            crossings); for numbers ``lower_quartile``, ``upper_quartile`` (of all goods), and ``low``, ``high``: "such
            a value" is ``low < value <= high``, open where absent; ``goods_digits`` where it depends on the goods: 4
            where ``expected`` is that of their HS heading, 2 of their chapter, 0 of all goods.

        Examples
        --------
        >>> mode = CategoryEvidence({"road": Count(80, 20, 5)}, None)
        >>> evidence = Evidence(Count(100, 25, 6), {"mode": mode})
        >>> expected, numbers = evidence.of("mode", "road")
        >>> expected, numbers["inspected"], numbers["share"], numbers["share_all"]
        ('road', 20.0, 0.25, 0.24)
        """
        known = self.features.get(feature)
        group: str | None = None
        if feature in GOODS_DEPENDENT and isinstance(known, NumberEvidence) and known.quartiles is not None:
            group = _goods_group(known, goods)
        key = (feature, _alike(known, value), group)
        told = self._told.get(key)
        if told is None:
            # There are some ten thousand kinds of values, and every request asks for some tens of them.
            told = self._told[key] = self._numbers(known, value, group)
        return told

    def _numbers(
        self, known: NumberEvidence | CategoryEvidence | None, value: float | str | None, group: str | None
    ) -> tuple[float | str | None, dict[str, float]]:
        numbers = _rates(self.total, "_all")
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
        numbers = {key: number for key, number in numbers.items() if math.isfinite(number)}
        if group is not None:
            numbers[GOODS_DIGITS] = float(len(group))
            if group and isinstance(known, NumberEvidence):
                expected = known.by_goods[group]
        return expected, numbers

    def to_json(self) -> dict[str, Any]:
        """Plain mapping for the bundle; the same history gives the same bytes."""
        return {
            "total": count_to_json(self.total),
            "features": {name: feature_to_json(self.features[name]) for name in sorted(self.features)},
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


def _alike(known: NumberEvidence | CategoryEvidence | None, value: float | str | None) -> int | str | None:
    """Return what such values have in common: their bin, their category; None for missing and for rare ones."""
    if known is None or value is None:
        return None
    if isinstance(known, NumberEvidence):
        number = float(value)
        return None if number != number else bisect_left(known.edges, number)  # noqa: PLR0124  # NaN: not given
    category = str(value)
    return category if category in known.counts else ""


def _of_number(known: NumberEvidence, value: float | str | None) -> tuple[float | None, Count | None, dict[str, float]]:
    numbers: dict[str, float] = {}
    if known.quartiles is None:
        return None, known.missing if _is_missing(value) else None, numbers
    numbers["lower_quartile"], median, numbers["upper_quartile"] = known.quartiles
    if value is None or _is_missing(value):
        return median, known.missing, numbers
    place = bisect_left(known.edges, float(value))
    if place > 0:
        numbers["low"] = known.edges[place - 1]
    if place < len(known.edges):
        numbers["high"] = known.edges[place]
    return median, known.bins[place], numbers


def _goods_group(known: NumberEvidence, goods: str | None) -> str:
    """Return the heading or chapter of goods for which it is known what is usual; "" for all goods."""
    if goods:
        for digits in (HEADING_DIGITS, CHAPTER_DIGITS):
            if goods[:digits] in known.by_goods:
                return goods[:digits]
    return ""


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


def count_to_json(count: Count | None) -> list[int] | None:
    """Plain numbers of a count for the bundle."""
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


def feature_to_json(known: NumberEvidence | CategoryEvidence) -> dict[str, Any]:
    """Plain mapping of one feature's evidence for the bundle."""
    if isinstance(known, CategoryEvidence):
        counts = {name: count_to_json(count) for name, count in known.counts.items()}
        return {"categories": counts, "missing": count_to_json(known.missing)}
    return {
        "quartiles": None if known.quartiles is None else list(known.quartiles),
        "edges": list(known.edges),
        "bins": [count_to_json(count) for count in known.bins],
        "missing": count_to_json(known.missing),
        "by_goods": dict(sorted(known.by_goods.items())),
    }


def _feature_from_json(stored: Mapping[str, Any]) -> NumberEvidence | CategoryEvidence:
    missing = _count_from_json(stored["missing"])
    if "categories" in stored:
        counts = {str(name): _required(_count_from_json(count)) for name, count in stored["categories"].items()}
        # Stored by name (a bundle's JSON has sorted keys), so the order is made again.
        return CategoryEvidence(commonest_first(counts), missing)
    quartiles = None
    if stored["quartiles"] is not None:
        lower, median, upper = (float(number) for number in stored["quartiles"])
        quartiles = (lower, median, upper)
    edges = tuple(float(edge) for edge in stored["edges"])
    bins = tuple(_required(_count_from_json(count)) for count in stored["bins"])
    if len(bins) != (len(edges) + 1 if quartiles else 0):
        raise ValueError("bins and edges do not fit")
    by_goods = {str(key): float(usual) for key, usual in stored["by_goods"].items()}
    return NumberEvidence(quartiles, edges, bins, missing, by_goods)


def commonest_first(counts: Mapping[str, Count]) -> dict[str, Count]:
    """Order categories by how often they were seen."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1].crossings, item[0])))
