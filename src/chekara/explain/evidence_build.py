"""Count a training history into evidence: once, when a model is made."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from numba import njit

from chekara.explain.evidence import (
    CHAPTER_DIGITS,
    FEWEST_CROSSINGS,
    GOODS_DEPENDENT,
    HEADING_DIGITS,
    CategoryEvidence,
    Count,
    Evidence,
    NumberEvidence,
    commonest_first,
    count_to_json,
    feature_to_json,
)
from chekara.features.build import FeatureTable

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
_Group: TypeAlias = tuple[Ints, tuple[str, ...]]  # number of each line's group or -1, and the groups' keys
_Usual: TypeAlias = tuple[float, int]  # median and crossings behind it
_Entry: TypeAlias = tuple[str, str]  # feature, and category or group of goods

MOST_BYTES = 250_000
"""Size of the JSON text at most, all in all; the rarest categories and goods are left out first."""

_N_BINS = 10
_SIGNIFICANT_DIGITS = 4


def build_evidence(
    table: FeatureTable,
    hit: npt.NDArray[np.float64],
    crossing_index: Ints | None = None,
    goods: npt.NDArray[np.object_] | None = None,
) -> Evidence:
    """Count what is usual and how often it was a hit.

    Parameters
    ----------
    table : FeatureTable
        Features of the goods lines of the training history.
    hit : ndarray of float64, shape (n_items,)
        1 hit, 0 inspected without a hit, NaN unknown.
    crossing_index : ndarray of int64, shape (n_items,), optional
        Crossing of each goods line, from 0; without it every line is a crossing of its own.
    goods : ndarray of object, shape (n_items,), optional
        HS code of each goods line, None where not given; without it nothing is told per kind of goods.

    Returns
    -------
    Evidence
    """
    index = np.arange(table.n_items) if crossing_index is None else crossing_index
    history = _History(np.asarray(index, dtype=np.int64), np.asarray(hit, dtype=np.float64))
    total = history.count(np.zeros(table.n_items, dtype=np.int64), 1)[0]
    groups = () if goods is None else tuple(_group_goods(goods, digits) for digits in (CHAPTER_DIGITS, HEADING_DIGITS))
    features: dict[str, NumberEvidence | CategoryEvidence] = {}
    weights: dict[_Entry, int] = {}
    for name, kind in zip(table.names, table.kinds, strict=True):
        column = table.values[name]
        if kind == "category":
            category = _describe_category(column, history)
            features[name] = category
            weights |= {(name, key): count.crossings for key, count in category.counts.items()}
        else:
            number = _describe_number(column, history)
            if name in GOODS_DEPENDENT:
                usual = {key: found for group in groups for key, found in _usual_by_goods(column, group, history)}
                number = replace(number, by_goods={key: median for key, (median, _) in usual.items()})
                weights |= {(name, key): crossings for key, (_, crossings) in usual.items()}
            features[name] = number
    return Evidence(total, _within_size(features, weights))


class _History:
    """Counts goods lines by group, once per crossing."""

    def __init__(self, crossing: Ints, hit: Floats) -> None:
        self._crossing = crossing
        # 0 unknown, 1 inspected, 2 hit: the highest of a crossing's lines is the crossing's.
        self._outcome = np.where(np.isnan(hit), 0, np.where(hit == 1.0, 2, 1))
        self._by_crossing = np.argsort(crossing, kind="stable")

    def count(self, group: Ints, n_groups: int) -> list[Count]:
        """Count the crossings of each group 0 ... n_groups - 1; a negative group counts nowhere."""
        cells = np.zeros((n_groups, 3), dtype=np.int64)
        _count_crossings(self._by_crossing, self._crossing, self._outcome, group, cells)
        return [Count(u + m + h, m + h, h) for u, m, h in cells.tolist()]


@njit(cache=True, nogil=True)
def _count_crossings(by_crossing: Ints, crossing: Ints, outcome: Ints, group: Ints, cells: Ints) -> None:
    """Add one to the cell (group, highest outcome) of every crossing that has lines in the group."""
    latest = np.full(len(cells), -1, dtype=np.int64)
    highest = np.zeros(len(cells), dtype=np.int64)
    for line in by_crossing:
        of = group[line]
        if of < 0:
            continue
        if latest[of] == crossing[line]:
            highest[of] = max(highest[of], outcome[line])
            continue
        if latest[of] >= 0:
            cells[of, highest[of]] += 1
        latest[of], highest[of] = crossing[line], outcome[line]
    for of in range(len(cells)):
        if latest[of] >= 0:
            cells[of, highest[of]] += 1


def _describe_number(column: npt.NDArray[Any], history: _History) -> NumberEvidence:
    is_known = ~np.isnan(column)
    missing, known_total = history.count(is_known.astype(np.int64), 2)
    if known_total.crossings < FEWEST_CROSSINGS:
        return NumberEvidence(None, (), (), _published(missing))
    values = np.sort(column[is_known]).astype(np.float64)
    ranks = np.linspace(0.0, 1.0, _N_BINS + 1)[1:-1]
    lower, median, upper, *cuts = np.quantile(values, [0.25, 0.5, 0.75, *ranks])
    edges = sorted({_rounded(cut) for cut in cuts if cut < values[-1]})
    edges, bins = _merge_narrow(edges, column, history)
    return NumberEvidence((_rounded(lower), _rounded(median), _rounded(upper)), tuple(edges), bins, _published(missing))


def _merge_narrow(
    edges: list[float], column: npt.NDArray[Any], history: _History
) -> tuple[list[float], tuple[Count, ...]]:
    """Drop edges until every bin has enough crossings."""
    values = column.astype(np.float64)
    group = np.where(np.isnan(values), -1, np.searchsorted(edges, values)).astype(np.int64)
    while True:
        bins = history.count(group, len(edges) + 1)
        narrow = next((i for i, found in enumerate(bins) if found.crossings < FEWEST_CROSSINGS), None)
        if narrow is None or not edges:
            return edges, tuple(bins)
        dropped = max(narrow - 1, 0)
        edges = edges[:dropped] + edges[dropped + 1 :]
        group -= group > dropped


def _describe_category(column: npt.NDArray[Any], history: _History) -> CategoryEvidence:
    codes, categories = pd.factorize(column)
    counts = dict(zip(map(str, categories), history.count(codes.astype(np.int64), len(categories)), strict=True))
    missing = history.count(np.where(codes < 0, 0, -1).astype(np.int64), 1)[0]
    enough = {name: found for name, found in counts.items() if found.crossings >= FEWEST_CROSSINGS}
    return CategoryEvidence(commonest_first(enough), _published(missing))


def _group_goods(goods: npt.NDArray[np.object_], digits: int) -> _Group:
    """Give numbers to the headings or chapters of goods lines; -1 where the code is shorter or not given."""
    codes, known = pd.factorize(goods)
    shorter = np.array([code[:digits] if len(code) >= digits else None for code in known] + [None], dtype=object)
    of_code, keys = pd.factorize(shorter)
    return of_code[codes].astype(np.int64), tuple(map(str, keys))


def _usual_by_goods(column: npt.NDArray[Any], group: _Group, history: _History) -> Iterator[tuple[str, _Usual]]:
    """Give the median of each group of goods that has enough crossings."""
    of_line, keys = group
    of_line = np.where(np.isnan(column), -1, of_line)
    medians = pd.Series(column.astype(np.float64)).groupby(of_line).median()
    for number, count in enumerate(history.count(of_line, len(keys))):
        if count.crossings >= FEWEST_CROSSINGS:
            yield keys[number], (_rounded(medians[number]), count.crossings)


def _within_size(
    features: Mapping[str, NumberEvidence | CategoryEvidence], weights: Mapping[_Entry, int]
) -> dict[str, NumberEvidence | CategoryEvidence]:
    """Leave the rarest categories and goods out, over all features alike, until the JSON text is small enough."""
    bare = {name: _kept(known, name, frozenset()) for name, known in features.items()}
    room = MOST_BYTES - _size({name: feature_to_json(known) for name, known in bare.items()}, depth=1)
    kept: set[_Entry] = set()
    for feature, key in sorted(weights, key=lambda entry: (-weights[entry], entry)):
        known = features[feature]
        entry = count_to_json(known.counts[key]) if isinstance(known, CategoryEvidence) else known.by_goods[key]
        room -= _size({key: entry}, depth=3)
        if room < 0:
            break
        kept.add((feature, key))
    return {name: _kept(known, name, kept) for name, known in features.items()}


def _kept(
    known: NumberEvidence | CategoryEvidence, name: str, kept: Collection[_Entry]
) -> NumberEvidence | CategoryEvidence:
    if isinstance(known, NumberEvidence):
        return replace(known, by_goods={key: usual for key, usual in known.by_goods.items() if (name, key) in kept})
    return replace(known, counts={key: count for key, count in known.counts.items() if (name, key) in kept})


def _size(stored: Mapping[str, Any], depth: int) -> int:
    """Bytes of a mapping's entries in a bundle's JSON, which is indented by one per level."""
    entries = json.dumps(stored, indent=1, ensure_ascii=False)[1:-2] + ","
    return len(entries.encode()) + depth * entries.count("\n")


def _published(count: Count) -> Count | None:
    return count if count.crossings >= FEWEST_CROSSINGS else None


def _rounded(number: float) -> float:
    return float(f"{number:.{_SIGNIFICANT_DIGITS}g}")
