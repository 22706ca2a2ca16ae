"""A history's frames as the records that a fold goes over: who each line belongs to, and what happened in which order.

The fold order is (``known_at``, crossings before results, revision, place in the file). Events that were known at
the same instant never see each other, so that only rounding could tell the order among them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from chekara.data.labels import finds_that_stand
from chekara.data.sources import History
from chekara.features import declared
from chekara.features.catalogue import ItemColumns
from chekara.features.profile_keys import COLUMN_OF_FIELD, field_reader, neighbourhoods
from chekara.features.profile_kinds import ProfileKind
from chekara.features.profile_state import EVENT, LINE, RESULT, REVISION, Ints, Records, days_of
from chekara.features.profile_step import Ledger

Texts: TypeAlias = npt.NDArray[np.object_]
Codes: TypeAlias = npt.NDArray[np.int64]
Field: TypeAlias = tuple[Codes, Texts]
"""Code of each line, -1 for missing, and the text of each code."""

DECLARED_NUMBERS = ("declared_value", "net_mass_kg", "gross_mass_kg", "weighed_mass_kg")
"""Contract columns that tell of prices and masses."""


@dataclass(frozen=True, slots=True)
class Events:
    """A history in fold order.

    Attributes
    ----------
    events : ndarray of EVENT
    ledger : Ledger
        Lines lie revision after revision in fold order; slots of one kind lie behind those of the kind before.
    row_of_line : ndarray of shape (n_lines,), int64
        Position in ``history.crossings`` of each line.
    n_keys : tuple of int
        By kind.
    fields : dict of str to Field
        Those that the kinds are made of.
    crossing_ids, inspection_ids : ndarray of str
        By number of the crossing and of the inspection.
    """

    events: Records
    ledger: Ledger
    row_of_line: Ints
    n_keys: tuple[int, ...]
    fields: dict[str, Field]
    crossing_ids: Texts
    inspection_ids: Texts


def lay_out_history(history: History, kinds: Sequence[ProfileKind], domains: Sequence[str]) -> Events:
    """Bring a history into fold order.

    Parameters
    ----------
    history : History
    kinds : sequence of ProfileKind
    domains : sequence of str

    Returns
    -------
    Events
    """
    frame, inspections = history.crossings, history.inspections
    crossing, crossing_ids = _crossings(frame, inspections)
    of_row = crossing[: len(frame)]
    results, inspection_ids = _results(inspections, crossing[len(frame) :], domains)
    group, revisions = _revisions(frame, of_row)
    events, order = _events(revisions, results)
    # Revisions are numbered anew in fold order, and their lines with them.
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    row_of_line = np.argsort(place[group], kind="stable").astype(np.int64)
    revisions = revisions[order]
    revisions["stop"] = np.cumsum(np.bincount(place[group], minlength=len(order)))
    revisions["start"][1:] = revisions["stop"][:-1]
    used = {name for kind in kinds for name in kind.fields}
    fields = _fields(frame, row_of_line, used, neighbourhoods(history.crossing_points))
    slots, n_keys = _slots(kinds, fields, len(frame))
    ledger = Ledger(_lines(frame, row_of_line, place[group][row_of_line]), revisions, results, slots)
    return Events(events, ledger, row_of_line, n_keys, fields, crossing_ids, inspection_ids)


def _instants(column: pd.Series[pd.Timestamp]) -> npt.NDArray[np.datetime64]:
    return column.dt.tz_localize(None).to_numpy("datetime64[us]")


def _crossings(frame: pd.DataFrame, inspections: pd.DataFrame) -> tuple[Codes, Texts]:
    """Enumerate the crossings that either table names: rows of the first table, then of the second."""
    codes, ids = pd.factorize(pd.concat([frame["crossing_id"], inspections["crossing_id"]], ignore_index=True))
    return codes.astype(np.int64), np.asarray(ids, dtype=object)


def _revisions(frame: pd.DataFrame, crossing: Codes) -> tuple[Codes, Records]:
    """Enumerate the revisions by their first row, and lay them out without their lines."""
    number = frame["revision"].to_numpy(np.int64)
    group, found = pd.factorize(crossing * (int(number.max(initial=0)) + 1) + number)
    rows = first_places(group, len(found))
    out = np.zeros(len(found), dtype=REVISION)
    out["crossing"], out["mark"], out["number"] = crossing[rows], crossing[rows] + 1, number[rows]
    out["at"] = days_of(_instants(frame["known_at"]))[rows]
    return group.astype(np.int64), out


def first_places(codes: Codes, n_codes: int) -> Ints:
    """Return where each code appears first."""
    first = np.zeros(n_codes, dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]  # the last to be written is the first in the row
    return first


def _results(inspections: pd.DataFrame, crossing: Codes, domains: Sequence[str]) -> tuple[Records, Texts]:
    """Lay out inspections; a revision that names another crossing is another inspection."""
    ids, texts = pd.factorize(inspections["inspection_id"])
    n_crossings = int(crossing.max(initial=0)) + 1
    inspection, found = pd.factorize(ids.astype(np.int64) * n_crossings + crossing)
    out = np.zeros(len(inspections), dtype=RESULT)
    out["inspection"], out["crossing"] = inspection, crossing
    out["number"] = inspections["revision"].to_numpy(np.int64)
    out["at"] = days_of(_instants(inspections["known_at"]))
    out["domain"] = pd.Index(list(domains), dtype=object).get_indexer(pd.Index(inspections["domain"].astype(object)))
    out["counts"] = (inspections["status"].fillna("done") == "done").to_numpy(bool) & (out["domain"] >= 0)
    out["hit"] = finds_that_stand(inspections)
    money = sum(inspections[name].fillna(0.0).to_numpy(np.float64) for name in ("revenue_recovered", "seized_value"))
    out["amount"] = np.where(out["hit"] > 0, money, 0.0)
    out["item_no"] = inspections["item_no"].fillna(-1).to_numpy(np.int64)
    return out, np.asarray(texts, dtype=object)[found // n_crossings]


def _events(revisions: Records, results: Records) -> tuple[Records, Ints]:
    """Put all events in fold order; also the old number of each revision in that order."""
    n = len(revisions)
    at = np.concatenate([revisions["at"], results["at"]])
    is_result = np.arange(len(at)) >= n
    number = np.concatenate([revisions["number"], results["number"]])
    fold_order = np.lexsort((number, is_result, at))  # stable: the rest is by place in the file
    events = np.zeros(len(at), dtype=EVENT)
    events["at"], events["is_result"] = at[fold_order], is_result[fold_order]
    events["reads"], events["applies"] = ~is_result[fold_order], 1
    order = fold_order[fold_order < n]
    events["index"] = fold_order - n
    events["index"][~is_result[fold_order]] = np.arange(n)
    return events, order


def _fields(frame: pd.DataFrame, row_of_line: Ints, used: set[str], neighbours: Mapping[str, str]) -> dict[str, Field]:
    """Enumerate the texts that keys are made of."""
    coded = {name: _factorised(frame, name, row_of_line) for name in {COLUMN_OF_FIELD[name] for name in used}}
    return {name: _renamed(coded[COLUMN_OF_FIELD[name]], field_reader(name, neighbours)) for name in used}


def _factorised(frame: pd.DataFrame, name: str, row_of_line: Ints) -> Field:
    if name not in frame.columns:
        return np.full(len(frame), -1, dtype=np.int64), np.zeros(0, dtype=object)
    codes, texts = pd.factorize(frame[name])
    return codes[row_of_line].astype(np.int64), np.asarray(texts, dtype=object)


def _renamed(field: Field, rename: Callable[[str], str | None]) -> Field:
    """Give each text another name; texts of one name become one, texts of none are missing."""
    codes, texts = field
    new, names = pd.factorize(np.array([rename(text) for text in texts], dtype=object))
    return np.append(new, -1)[codes].astype(np.int64), np.asarray(names, dtype=object)


def _slots(
    kinds: Sequence[ProfileKind], fields: Mapping[str, Field], n_lines: int
) -> tuple[npt.NDArray[np.int32], tuple[int, ...]]:
    """Enumerate the keys of each kind by first appearance, one kind's behind the other's."""
    slots = np.empty((len(kinds), n_lines), dtype=np.int32)
    n_keys: list[int] = []
    for k, kind in enumerate(kinds):
        codes = _codes(kind, fields, n_lines)
        known = codes >= 0
        numbers, found = pd.factorize(codes[known])
        slots[k] = -1
        slots[k, known] = numbers + sum(n_keys)
        n_keys.append(len(found))
    return slots, tuple(n_keys)


def _codes(kind: ProfileKind, fields: Mapping[str, Field], n_lines: int) -> Codes:
    """Return one number per line that tells its key; -1 where any part is missing."""
    codes = np.zeros(n_lines, dtype=np.int64)
    for name in kind.fields:
        part, texts = fields[name]
        codes = np.where((codes < 0) | (part < 0), -1, codes * len(texts) + part)
    return codes


def _lines(frame: pd.DataFrame, row_of_line: Ints, revision: Codes) -> Records:
    """Lay out what lines declare; ``revision``: number of each line's revision."""
    columns: dict[str, npt.NDArray[Any]] = {
        name: frame[name].to_numpy(np.float64, na_value=np.nan)[row_of_line]
        for name in DECLARED_NUMBERS
        if name in frame.columns
    }
    columns[declared.CROSSING_INDEX] = revision
    out = np.zeros(len(row_of_line), dtype=LINE)
    out["item_no"] = frame["item_no"].to_numpy(np.int64)[row_of_line]
    fill_lines(out, ItemColumns(columns, len(row_of_line)))
    return out


def fill_lines(lines: Records, items: ItemColumns) -> None:
    """Fill in what lines tell of price and mass, as batch and live alike understand it.

    Parameters
    ----------
    lines : ndarray of LINE, shape (n_items,)
        Changed.
    items : ItemColumns
        With ``crossing_index``.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        log_price = np.log(declared.value_per_kg(items))
        log_mass = np.log(declared.weighed_over_declared(items))
    lines["log_price"] = np.where(np.isfinite(log_price), log_price, np.nan)
    lines["log_mass"] = np.where(np.isfinite(log_mass), log_mass, np.nan)
    lines["centred"] = np.nan
