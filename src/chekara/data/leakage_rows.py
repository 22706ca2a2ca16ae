"""Goods lines laid out for the search for leakage: in order of time, with labels, every column as codes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from chekara.data.schema import CROSSING_COLUMNS, columns_by_name, is_extension

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Keys = npt.NDArray[np.uint64]

TIME_SLICES = 5
EARLIER_SLICES = 3  # look-ups are fitted on the first three of the five slices and judged on the last two
# Columns that name or date the row itself: they differ, or agree, by construction.
_BOOKKEEPING = frozenset(
    {
        "crossing_id",
        "occurred_at",
        "known_at",
        "revision",
        "stage",
        "item_no",
        "declaration_id",
        "journey_id",
        "hs_version",
    }
)
# Who trades. Those who only serve (declarants, carriers) have many clients and tie no two consignments together.
_TRADING_PARTIES = ("importer_id", "exporter_id", "vehicle_id", "trailer_id")
_SERVING_PARTIES = ("declarant_id", "carrier_id")
_FILLED_ENOUGH = 0.5
_NEARLY_CONSTANT = 0.98


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Goods lines in order of what was known when, n of them.

    Attributes
    ----------
    crossing : ndarray of shape (n,)
        Number of the crossing that a line belongs to.
    crossing_ids : Index
        Identity of the crossing with that number.
    item_no : ndarray of shape (n,)
        Number of the line in its crossing.
    hit : ndarray of shape (n,)
        1.0 hit, 0.0 none, NaN unknown. A hit in one item leaves the other items of the crossing without.
    time_slice : ndarray of shape (n,)
        0 to 4: five slices with equally many lines each.
    codes : dict of str to ndarray of shape (n,)
        Candidate columns as whole numbers from 0; equal values have equal codes, missing is a value of its own.
        A column in which nearly all lines agree is left out.
    chance : dict of str to float
        Probability that two lines drawn at random agree in a column, among lines that fill it.
    numbers : dict of str to ndarray of shape (n,)
        Candidate columns that hold measured numbers, as they are.
    column_at : callable
        Gives any column by name, at the lines where a mask of shape (n,) is true, as it was lodged.
    parties : tuple of str
        Columns that tell who stands behind a line, as far as they are filled.
    is_missing : dict of str to ndarray of shape (n,), bool
        Where a column is empty; also of columns that have no codes here.
    """

    crossing: Ints
    crossing_ids: pd.Index
    item_no: Floats
    hit: Floats
    time_slice: Ints
    codes: dict[str, Ints]
    chance: dict[str, float]
    numbers: dict[str, Floats]
    column_at: Callable[[str, Bools], pd.Series]
    parties: tuple[str, ...]
    is_missing: dict[str, Bools]

    @property
    def is_labelled(self) -> Bools:
        """Which lines have a known outcome; shape (n,)."""
        return ~np.isnan(self.hit)

    def with_labels(self, labels: pd.DataFrame) -> Rows:
        """Return the same lines with the outcomes of one domain.

        Parameters
        ----------
        labels : DataFrame
            As `chekara.data.labels.label_crossings` returns it.
        """
        return replace(self, hit=_line_labels(self.crossing, self.crossing_ids, self.item_no, labels))

    def key(self, columns: tuple[str, ...], at: Ints | None = None) -> Keys:
        """Return one key per line, equal where all given candidate columns are equal.

        Parameters
        ----------
        columns : tuple of str
        at : ndarray of shape (k,), optional
            Lines that are asked for; default all.

        Returns
        -------
        ndarray of shape (k,), uint64
        """
        codes = [self.codes[name] if at is None else self.codes[name][at] for name in columns]
        return mix([values.view(np.uint64) for values in codes], len(self.hit) if at is None else len(at))

    def is_of(self, crossing_ids: pd.Series) -> Bools:
        """Which lines belong to one of the given crossings; shape (n,)."""
        wanted = np.zeros(len(self.crossing_ids) + 1, dtype=bool)
        wanted[self.crossing_ids.get_indexer(pd.Index(crossing_ids.unique()))] = True  # -1 marks the spare last place
        wanted[-1] = False
        return np.asarray(wanted[self.crossing], dtype=bool)


def lay_out(crossings: pd.DataFrame, first_result: pd.Series[pd.Timestamp]) -> Rows:
    """Lay out crossings, at first without labels.

    Parameters
    ----------
    crossings : DataFrame
        ``History.crossings``: all revisions.
    first_result : Series
        As `chekara.data.labels.first_results` returns it.

    Returns
    -------
    Rows
        Of each crossing the newest revision that was known before its first result, and else its first one: what a
        model could have scored.
    """
    frame = revisions_before_result(crossings, first_result)
    crossing, crossing_ids = pd.factorize(frame["crossing_id"])
    order = np.lexsort((frame["item_no"], crossing, frame["known_at"].astype("int64")))
    crossing = crossing[order].astype(np.int64)
    candidates = [c for c in frame.columns if c not in _BOOKKEEPING and (c in _CONTRACT or is_extension(c))]
    codes = {name: pd.factorize(frame[name], use_na_sentinel=False)[0].astype(np.int64)[order] for name in candidates}
    is_missing = {name: frame[name].isna().to_numpy(dtype=bool)[order] for name in candidates}
    kept = {name: values for name, values in codes.items() if agreement_by_chance(values) < _NEARLY_CONSTANT}
    numbers = [name for name in kept if pd.api.types.is_float_dtype(frame[name].dtype)]
    return Rows(
        crossing=crossing,
        crossing_ids=pd.Index(crossing_ids),
        item_no=frame["item_no"].to_numpy(dtype=float)[order],
        hit=np.full(len(order), np.nan),
        time_slice=(np.arange(len(order)) * TIME_SLICES // max(len(order), 1)).astype(np.int64),
        codes=kept,
        chance={name: agreement_by_chance(values[~is_missing[name]]) for name, values in kept.items()},
        numbers={name: frame[name].to_numpy(dtype=float)[order] for name in numbers},
        column_at=lambda name, where: frame[name].iloc[order[where]],
        parties=_party_columns(is_missing),
        is_missing=is_missing,
    )


_CONTRACT = columns_by_name(CROSSING_COLUMNS)


def revisions_before_result(crossings: pd.DataFrame, first_result: pd.Series[pd.Timestamp]) -> pd.DataFrame:
    """Keep of each crossing what could have been scored: its newest revision known before its first result.

    A declaration that is mended after the inspection holds what the inspection found.

    Parameters
    ----------
    crossings : DataFrame
        All revisions.
    first_result : Series
        As `chekara.data.labels.first_results` returns it. A crossing without a result keeps its newest revision.

    Returns
    -------
    DataFrame
        Rows of ``crossings`` in their order; the first revision where even that was known after the result.
    """
    if not (crossings["revision"] > 0).any():
        return crossings
    in_time = np.ones(len(crossings), dtype=bool)
    if not first_result.empty:
        result_known_at = crossings["crossing_id"].map(first_result)
        in_time = (result_known_at.isna() | (crossings["known_at"] < result_known_at)).to_numpy()
    revision = crossings["revision"].to_numpy(dtype=float)
    crossing = pd.factorize(crossings["crossing_id"])[0]
    newest = np.full(crossing.max() + 1, -1.0)
    np.maximum.at(newest, crossing[in_time], revision[in_time])
    first = np.full(crossing.max() + 1, np.inf)
    np.minimum.at(first, crossing, revision)
    wanted = np.where(newest >= 0, newest, first)
    scored: pd.DataFrame = crossings[revision == wanted[crossing]]
    return scored


def _line_labels(crossing: Ints, crossing_ids: pd.Index, item_no: Floats, labels: pd.DataFrame) -> Floats:
    place = crossing_ids.get_indexer(pd.Index(labels["crossing_id"]))
    known = place >= 0
    hit, item = np.full(len(crossing_ids), np.nan), np.full(len(crossing_ids), np.nan)
    hit[place[known]] = labels["hit"].to_numpy(dtype=float)[known]
    item[place[known]] = labels["item_no"].to_numpy(dtype=float, na_value=np.nan)[known]
    of_line, item_of_line = hit[crossing], item[crossing]
    elsewhere = (of_line == 1.0) & ~np.isnan(item_of_line) & (item_of_line != item_no)
    return np.where(elsewhere, 0.0, of_line)


def agreement_by_chance(codes: Ints) -> float:
    """Probability that two of the given codes, drawn at random, are equal; 1 where there are none."""
    if not len(codes):
        return 1.0
    shares = np.bincount(codes) / len(codes)
    return float((shares**2).sum())


def _party_columns(is_missing: dict[str, Bools]) -> tuple[str, ...]:
    def filled(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(n for n in names if n in is_missing and 1 - is_missing[n].mean() >= _FILLED_ENOUGH)

    # An importer is missing on exports: either trading party counts where the two together fill the lines.
    both = [n for n in ("importer_id", "exporter_id") if n in is_missing]
    if both and 1 - np.logical_and.reduce([is_missing[n] for n in both]).mean() >= _FILLED_ENOUGH:
        others = filled(tuple(n for n in _TRADING_PARTIES if n not in both))
        return tuple(n for n in both if not is_missing[n].all()) + others
    return filled(_TRADING_PARTIES) or filled(_SERVING_PARTIES)


def mix(columns: list[Keys], n: int) -> Keys:
    """Mix columns of 64-bit values into one key per row, by multiplying and folding bits.

    Parameters
    ----------
    columns : list of ndarray of shape (n,), uint64
    n : int
        Number of rows; for a list without columns all keys are equal.

    Returns
    -------
    ndarray of shape (n,), uint64
        Equal rows have equal keys; a million distinct rows share one with a chance of about 3e-8.
    """
    key = np.zeros(n, dtype=np.uint64)
    for values in columns:
        key ^= values + np.uint64(0x9E3779B97F4A7C15)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            key ^= key >> np.uint64(shift)
            key *= np.uint64(factor)
        key ^= key >> np.uint64(31)
    return key
