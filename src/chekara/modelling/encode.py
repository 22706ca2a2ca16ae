"""Frozen encodings: categories to codes or to smoothed risk, the same for training and for one row.

A *code* is an integer that LightGBM splits natively, as a set of categories. A *risk* is the log-odds of a hit among
the lines of that category, shrunk to its parent's (goods: HS6 -> HS4 -> chapter -> all; anything else: all), so that
a category met three times says little. The risk that a training row gets is what was known when it was lodged: it is
fitted on earlier blocks of time alone, else a row would read its own label (Prokhorenkova et al. 2018, "CatBoost:
unbiased boosting with categorical features", call this target leakage).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from chekara.features.build import FeatureTable
from chekara.features.catalogue import FEATURES
from chekara.features.goods import ALL_GOODS, ancestors

Floats: TypeAlias = npt.NDArray[np.float64]
Instants: TypeAlias = npt.NDArray[np.datetime64]
RiskMap: TypeAlias = Mapping[str, float]

GOODS_FEATURES = frozenset({"hs_chapter", "hs4", "hs6", "goods_and_origin"})
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
    risks : mapping of str to mapping of str to float
        Categories given as smoothed log-odds; ``""`` holds what a category without known parent gets.
    """

    names: tuple[str, ...]
    codes: Mapping[str, Mapping[str, int]]
    risks: Mapping[str, RiskMap]

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
            Every number is exactly a float32. A code that is unseen or rare is NaN.
        """
        X = np.empty((table.n_items, len(self.names)), dtype=np.float64)
        for place, name in enumerate(self.names):
            column = table.values[name]
            if name in self.codes:
                X[:, place] = _coded(column, self.codes[name])
            elif name in self.risks:
                X[:, place] = look_up_risk(column, self.risks[name], is_goods=name in GOODS_FEATURES)
            else:
                X[:, place] = column
        return X

    def unseen(self, table: FeatureTable) -> list[tuple[int, str]]:
        """Find categories that training never met.

        Only features that show one contract column as it is: a new pair of goods and origin is everyday trade.

        Returns
        -------
        list of (int, str)
            Row and feature, in order of rows.
        """
        found = []
        for name in self.names:
            known = self.codes.get(name) or self.risks.get(name)
            if known is None or not _shows_one_column(name):
                continue
            rows = enumerate(table.values[name])
            found += [(row, name) for row, value in rows if value is not None and value not in known]
        return sorted(found, key=lambda place: place[0])

    def to_json(self) -> dict[str, Any]:
        """Plain mapping for the bundle, keys sorted."""
        return {
            "columns": list(self.names),
            "codes": {name: dict(sorted(codes.items())) for name, codes in sorted(self.codes.items())},
            "risks": {name: dict(sorted(risks.items())) for name, risks in sorted(self.risks.items())},
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Encoder:
        """Read what `to_json` wrote."""
        return cls(names=tuple(stored["columns"]), codes=stored["codes"], risks=stored["risks"])


def _shows_one_column(name: str) -> bool:
    return name not in FEATURES or len(FEATURES[name].reads) == 1


def _coded(column: npt.NDArray[np.object_], codes: Mapping[str, int]) -> Floats:
    coded = np.array([codes.get(MISSING if v is None else v, -1) for v in column], dtype=np.float64)
    return np.where(coded < 0, np.nan, coded)


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


def fit_risk(
    column: npt.NDArray[np.object_], label: Floats, weight: Floats, strength: float, *, is_goods: bool
) -> dict[str, float]:
    """Smooth the log-odds of a hit per category.

    Parameters
    ----------
    column : ndarray of shape (n_items,), object
    label, weight : ndarray of shape (n_items,)
        Label 0.0 or 1.0; a line of weight 0 does not count.
    strength : float
        How many lines the parent weighs as; above zero.
    is_goods : bool
        Parents are shorter goods codes; else everything has one parent, all lines.

    Returns
    -------
    dict of str to float
        Log-odds by category and parent; ``""`` for all lines.

    Examples
    --------
    >>> values, hits = np.array(["a", "a", "b", "b"], dtype=object), np.array([1.0, 1.0, 0.0, 0.0])
    >>> risk = fit_risk(values, hits, np.ones(4), 1.0, is_goods=False)
    >>> risk["a"] > risk[""] > risk["b"]
    True
    """
    at, categories = pd.factorize(column)
    given = at >= 0
    hits = np.bincount(at[given], weights=(label * weight)[given], minlength=len(categories))
    lines = np.bincount(at[given], weights=weight[given], minlength=len(categories))
    totals: dict[str, list[float]] = {}
    for category, n_hits, n_lines in zip(categories, hits, lines, strict=True):
        own = str(category)
        for key in (own, *(ancestors(own)[:-1] if is_goods else ())):
            total = totals.setdefault(key, [0.0, 0.0])
            total[0] += n_hits
            total[1] += n_lines
    # Half a hit and half a miss keep the root finite where a block has no hits at all.
    rates = {ALL_GOODS: (float((label * weight).sum()) + 0.5) / (float(weight.sum()) + 1.0)}
    for key in sorted(totals, key=lambda k: len(ancestors(k)) if is_goods else 0):
        parent = next(k for k in ancestors(key) if k in rates) if is_goods else ALL_GOODS
        rates[key] = (totals[key][0] + strength * rates[parent]) / (totals[key][1] + strength)
    return {key: float(np.float32(np.log(rate / (1.0 - rate)))) for key, rate in rates.items()}


def look_up_risk(column: npt.NDArray[np.object_], risks: RiskMap, *, is_goods: bool) -> Floats:
    """Give each line the log-odds of its category, or of the nearest parent known.

    Parameters
    ----------
    column : ndarray of shape (n_items,), object
    risks : mapping of str to float
        From `fit_risk`.
    is_goods : bool
        As it was fitted.

    Returns
    -------
    ndarray of shape (n_items,)
        NaN where no category was given.
    """
    found: dict[str | None, float] = {None: np.nan}
    for value in column:
        if value not in found:
            parents = ancestors(value) if is_goods else (ALL_GOODS,)
            found[value] = next(risks[key] for key in (value, *parents) if key in risks)
    return np.array([found[value] for value in column], dtype=np.float64)


def risk_as_known(
    column: npt.NDArray[np.object_],
    label: Floats,
    weight: Floats,
    as_of: Instants,
    known_at: Instants,
    strength: float,
    n_blocks: int,
    *,
    is_goods: bool,
) -> Floats:
    """Give training lines the risk that was known when they were lodged.

    Lines are cut into blocks of equal size in order of ``as_of``; the risk of a block is fitted on lines whose
    outcome was known before the block begins. Where nothing was known yet, all lines get the overall log-odds.

    Parameters
    ----------
    column, label, weight, strength, is_goods
        As in `fit_risk`.
    as_of, known_at : ndarray of shape (n_items,), datetime64
        When the line was lodged, and when its outcome became known.
    n_blocks : int

    Returns
    -------
    ndarray of shape (n_items,)
    """
    order = np.argsort(as_of, kind="stable")
    risk = np.full(len(column), np.nan)
    for block in np.array_split(order, n_blocks):
        if not len(block):
            continue
        known = known_at < as_of[block].min()
        source = known if known.any() else np.ones(len(column), dtype=bool)
        fitted = fit_risk(column[source], label[source], weight[source], strength, is_goods=is_goods)
        # Before anything is known there is only the prior; the categories themselves would be the rows' own labels.
        usable = fitted if known.any() else {ALL_GOODS: fitted[ALL_GOODS]}
        risk[block] = look_up_risk(column[block], usable, is_goods=is_goods)
    return risk
