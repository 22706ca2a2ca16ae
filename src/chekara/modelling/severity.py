"""How large a harm would be if there is one: money beside likelihood, from the few hits whose amount is known.

The logarithm of the amount is the mean over all hits, a departure of the HS chapter shrunk towards it, and, from
fifty hits on, a ridge regression on a handful of numbers that the spec names. Back from logarithms the mean of the
exponentiated residuals (the smearing estimate of Duan 1983) restores the level that a mean of logarithms loses.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from chekara.explain.curves import FARTHEST, fill_amounts
from chekara.features.build import FeatureTable
from chekara.modelling.dataset import Dataset

Floats: TypeAlias = npt.NDArray[np.float64]

FEWEST_FOR_NUMBERS = 50
CHAPTER_STRENGTH = 20.0  # hits that the mean of all goods weighs as, in that of one chapter
RIDGE = 10.0  # as if each coefficient had been seen at zero ten times
LARGEST_SMEARING = 10.0
CHAPTER = "hs_chapter"
"""Feature by which amounts are told apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Severity:
    """Expected amount of a hit.

    Attributes
    ----------
    n_hits : int
        Hits that it was fitted on.
    level : float
        Mean logarithm.
    chapters : mapping of str to float
        Departure from the level by HS chapter.
    numbers : tuple of str
        Features of the regression; empty with fewer than fifty hits.
    centre, scale, weight : tuple of float
        Of each number's signed logarithm; a missing number says nothing.
    smearing : float
        Mean of the exponentiated residuals, at least 1.
    largest : float
        Largest amount that was ever seen: no expectation goes beyond it.
    """

    n_hits: int
    level: float
    chapters: Mapping[str, float]
    numbers: tuple[str, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    weight: tuple[float, ...]
    smearing: float
    largest: float

    @property
    def reads(self) -> tuple[str, ...]:
        """Features that the amount depends on."""
        return (*self.numbers, CHAPTER)

    def expected(self, table: FeatureTable, rows: npt.NDArray[np.int64] | None = None) -> Floats:
        """Tell the amount to expect of each goods line, if it is a hit; currency to the cent, shape (n_items,).

        The same alone and among others: never negative, never beyond the largest amount that was seen. With ``rows``
        only of the lines at these places, shape (n,).
        """
        lines = slice(None) if rows is None else rows
        n_lines = table.n_items if rows is None else len(rows)
        values = np.empty((len(self.numbers), 1, n_lines), dtype=np.float32)
        for place, name in enumerate(self.numbers):
            values[place, 0] = table.values[name][lines]
        codes = table.values[CHAPTER][lines].tolist() if CHAPTER in table.values else [None] * n_lines
        amounts: Floats = Severities([self]).expected(values, [codes])[0]
        return amounts

    def _logs(self, table: FeatureTable) -> Floats:
        logs = np.full(table.n_items, self.level)
        if self.chapters and CHAPTER in table.values:
            logs += np.array([self.chapters.get(code, 0.0) for code in table.values[CHAPTER]])
        if self.numbers:
            Z = _standardised(table, self.numbers, self.centre, self.scale)
            for column, weight in zip(Z.T, self.weight, strict=True):  # a matrix product adds otherwise for one row
                logs += column * weight
        return logs

    def to_json(self) -> dict[str, Any]:
        """Plain mapping for the bundle."""
        return asdict(self) | {"chapters": dict(sorted(self.chapters.items()))}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Severity:
        """Read what `to_json` wrote."""
        listed = {name: tuple(stored[name]) for name in ("numbers", "centre", "scale", "weight")}
        return cls(**{**stored, **listed})


class Severities:
    """Several models' expected amounts, asked at once: the very numbers of each alone.

    Parameters
    ----------
    members : sequence of (Severity or None)
        None: of this model's amounts nothing is known.

    Attributes
    ----------
    numbers : tuple of tuple of str
        Per member, the numbers that its amount depends on, filled with "" to the same length.
    """

    def __init__(self, members: Sequence[Severity | None]) -> None:
        self._members = tuple(members)
        most = max((len(own.numbers) for own in members if own is not None), default=0)
        self.numbers = tuple((*(() if own is None else own.numbers), *[""] * most)[:most] for own in members)
        filled = [_filled(own, most) for own in members]
        self._scalars = np.array([scalars for scalars, _ in filled], dtype=np.float64)
        self._curve = np.array([numbers for _, numbers in filled], dtype=np.float64).reshape(len(filled), most, 3)

    def expected(self, values: npt.NDArray[np.float32], chapters: Sequence[Sequence[str | None]]) -> Floats:
        """Tell the amounts to expect of lines, one of each crossing and member.

        Parameters
        ----------
        values : ndarray of shape (n_numbers, n_members, n), float32
            Of ``numbers``; anything where the name is "".
        chapters : sequence of sequence of (str or None)
            HS chapter, per member and line.

        Returns
        -------
        ndarray of shape (n_members, n)
            Currency, NaN where nothing is known.
        """
        departures = np.array(
            [
                [0.0] * len(codes) if own is None else [own.chapters.get(code, 0.0) for code in codes]  # type: ignore[arg-type]
                for own, codes in zip(self._members, chapters, strict=True)
            ],
            dtype=np.float64,
        )
        out = np.empty(departures.shape)
        fill_amounts(self._scalars, self._curve, departures, values, out)
        return out


def _filled(own: Severity | None, most: int) -> tuple[tuple[float, ...], list[tuple[float, float, float]]]:
    """Lay out one member's numbers; what is filled up adds nothing."""
    if own is None:
        return (np.nan,) * 4, [(0.0, 1.0, 0.0)] * most
    numbers = [*zip(own.centre, own.scale, own.weight, strict=True)]
    scalars = (own.level, math.log(own.largest), own.largest, own.smearing)
    return scalars, numbers + [(0.0, 1.0, 0.0)] * (most - len(numbers))


def fit_severity(table: FeatureTable, amount: Floats, numbers: Sequence[str]) -> Severity | None:
    """Fit on the lines of hits.

    Parameters
    ----------
    table : FeatureTable
        One line per hit.
    amount : ndarray of shape (n_hits,)
        Revenue recovered and value seized, currency; hits whose amount is 0 or missing say nothing of its size.
    numbers : sequence of str
        Features for the regression; those that the table lacks are left out.

    Returns
    -------
    Severity or None
        None where no amount is known.
    """
    known = np.asarray(amount > 0, dtype=bool)
    if not known.any():
        return None
    table, logs = table.take(known), np.log(amount[known])
    level = float(logs.mean())
    used = [n for n in numbers if n in table.values and not np.isnan(table.values[n]).all()]
    used = used if len(logs) >= FEWEST_FOR_NUMBERS else []
    centre, scale = _centres(table, used)
    Z = _standardised(table, used, centre, scale)
    weight = np.linalg.solve(Z.T @ Z + RIDGE * np.eye(len(used)), Z.T @ (logs - level))
    chapters = _chapter_departures(table, logs - level - Z @ weight)
    bare = Severity(
        n_hits=len(logs),
        level=level,
        chapters=chapters,
        numbers=tuple(used),
        centre=centre,
        scale=scale,
        weight=tuple(weight.tolist()),
        smearing=1.0,
        largest=float(amount[known].max()),
    )
    smearing = float(np.exp(logs - bare._logs(table)).mean())
    fitted = asdict(bare) | {"smearing": min(max(smearing, 1.0), LARGEST_SMEARING)}
    return Severity(**fitted)


def severity_of_hits(dataset: Dataset, numbers: Sequence[str], crossings: npt.NDArray[np.bool_]) -> Severity | None:
    """Fit on one line of each hit: the one that the hit was in, else the one of the highest declared value.

    Parameters
    ----------
    dataset : Dataset
    numbers : sequence of str
        As of `fit_severity`.
    crossings : ndarray of bool, shape (n_crossings,)
        Those that may teach; only the hits among them do.

    Returns
    -------
    Severity or None
    """
    hits = crossings & (dataset.hit == 1.0)
    lines = np.flatnonzero(hits[dataset.crossing_of_item])
    crossing = dataset.crossing_of_item[lines]
    is_named = dataset.item_no[lines] == dataset.hit_item_no[crossing]
    value = np.nan_to_num(dataset.items.number("declared_value")[lines])
    order = np.lexsort((lines, -value, ~is_named, crossing))
    chosen = lines[order[np.unique(crossing[order], return_index=True)[1]]]
    return fit_severity(dataset.table.take(chosen), dataset.amount[dataset.crossing_of_item[chosen]], numbers)


def _signed_logs(table: FeatureTable, names: Sequence[str]) -> Floats:
    columns = [table.values[name].astype(np.float64) for name in names]
    values = np.column_stack(columns) if columns else np.empty((table.n_items, 0))
    logs: Floats = np.sign(values) * np.log1p(np.abs(values))
    return logs


def _centres(table: FeatureTable, names: Sequence[str]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    logs = _signed_logs(table, names)
    scale = np.nanstd(logs, axis=0)
    return tuple(np.nanmean(logs, axis=0).tolist()), tuple(np.where(scale > 0, scale, 1.0).tolist())


def _standardised(table: FeatureTable, names: Sequence[str], centre: Sequence[float], scale: Sequence[float]) -> Floats:
    Z = (_signed_logs(table, names) - np.array(centre)) / np.array(scale)
    known: Floats = np.nan_to_num(Z, nan=0.0, posinf=FARTHEST, neginf=-FARTHEST)
    return np.clip(known, -FARTHEST, FARTHEST)


def _chapter_departures(table: FeatureTable, residual: Floats) -> dict[str, float]:
    if CHAPTER not in table.values:
        return {}
    by_chapter: dict[str, list[float]] = {}
    for code, value in zip(table.values[CHAPTER], residual.tolist(), strict=True):
        if code is not None:
            by_chapter.setdefault(code, []).append(value)
    return {code: sum(found) / (len(found) + CHAPTER_STRENGTH) for code, found in by_chapter.items()}
