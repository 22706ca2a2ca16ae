"""Goods lines that several domains learn from, with every feature that any of them asks for, computed once.

The fold behind the profiles sees the whole history; kept are only the lines that something is learned from: crossings
with a known outcome in any domain, the newest ones, and a sample of the others. So memory is bounded by what was
inspected, not by what crossed the border.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from chekara.data.labels import first_results, label_crossings
from chekara.data.leakage import revisions_before_result
from chekara.data.sources import History
from chekara.errors import NotEnoughHitsError
from chekara.features.build import FeatureTable, build_features, items_from_frame
from chekara.features.catalogue import FeatureKind, ItemColumns, laid_columns
from chekara.features.profiles import profile_columns
from chekara.modelling.spec import ModelSpec

Mask: TypeAlias = npt.NDArray[np.bool_]

NEWEST_CROSSINGS = 10_000
SAMPLED_CROSSINGS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedLines:
    """What was known before an instant, laid out once for several domains.

    Attributes
    ----------
    until : datetime
    frame : DataFrame
        Goods lines kept, each crossing as it could have been scored: in the newest revision before its first
        result, whichever domain that is of. Ordered by ``known_at``, crossing and item.
    items : ItemColumns
        The same lines as columns, profiles laid beside them.
    table : FeatureTable
        Every feature that some domain asks for.
    labels : mapping of str to DataFrame
        By domain: outcomes, as `chekara.data.labels.label_crossings` returns them.
    is_common : ndarray of bool, shape (n_items,)
        Lines that every domain looks at, inspected or not: those of the newest crossings and of a sample. The others
        are there for the domain that inspected them.
    n_known : int
        Goods lines that were known, kept or not.
    """

    until: datetime
    frame: pd.DataFrame
    items: ItemColumns
    table: FeatureTable
    labels: Mapping[str, pd.DataFrame]
    is_common: Mask
    n_known: int


def lay_out_lines(
    history: History, specs: Sequence[ModelSpec], until: datetime, *, seed: int = 1, keeps_all: bool = False
) -> SharedLines:
    """Choose the lines that several domains learn from and compute their features once.

    Parameters
    ----------
    history : History
    specs : sequence of ModelSpec
    until : datetime with offset
        Crossings and results with ``known_at`` strictly before it.
    seed : int
        Of the sample of crossings that nobody inspected.
    keeps_all : bool
        Keep every line, inspected or not: to score them all, at the price of memory.

    Returns
    -------
    SharedLines

    Raises
    ------
    NotEnoughHitsError
        No crossing was known before the instant.
    """
    at = pd.Timestamp(until)
    known = replace(
        history,
        crossings=_known_before(history.crossings, at),
        inspections=history.inspections[history.inspections["known_at"] < at],
    )
    if known.crossings.empty:
        raise NotEnoughHitsError("no crossing before the instant", hint="see --until")
    labels = {spec.domain: label_crossings(known.inspections, spec.target, until) for spec in specs}
    common = np.ones(len(known.crossings), dtype=bool)
    chosen = known.crossings
    if not keeps_all:
        keep, common = _lines_to_keep(chosen, list(labels.values()), seed)
        chosen = chosen[keep]
    kept = np.zeros(len(known.crossings), dtype=bool)
    kept[revisions_before_result(chosen, first_results(known.inspections, until)).index] = True
    frame = known.crossings[kept].reset_index(drop=True)
    keys = ["known_at", "crossing_id", "item_no"]
    in_order = frame[keys].sort_values(keys, kind="stable").index.to_numpy()
    items = _in_order(with_profiles(items_from_frame(frame), known, specs, rows=kept), in_order)
    return SharedLines(
        until=until,
        frame=frame.iloc[in_order].reset_index(drop=True),
        items=items,
        table=_all_features(items, specs, frame),
        labels=labels,
        is_common=common[kept][in_order],
        n_known=len(known.crossings),
    )


def _known_before(crossings: pd.DataFrame, at: pd.Timestamp) -> pd.DataFrame:
    is_known = crossings["known_at"] < at
    if is_known.all() and isinstance(crossings.index, pd.RangeIndex) and crossings.index.start == 0:
        return crossings  # a history can be large: no copy without need
    return crossings[is_known].reset_index(drop=True)


def with_profiles(
    items: ItemColumns, history: History, specs: Sequence[ModelSpec], *, rows: Mask | None = None
) -> ItemColumns:
    """Lay what was known of each line's entities, and its usual price, beside it.

    Parameters
    ----------
    items : ItemColumns
        Lines of ``history.crossings``, or of those ``rows`` of it.
    history : History
        The fold reads all of it.
    specs : sequence of ModelSpec
        What is computed is what they ask for.
    rows : ndarray of bool, shape (len(history.crossings),), optional

    Returns
    -------
    ItemColumns
    """
    wanted = laid_columns(dict.fromkeys(name for spec in specs for name in spec.features))
    domains = sorted({domain for spec in specs for domain in (spec.domain, *spec.results_of)})
    columns = profile_columns(history, wanted, domains=domains, rows=rows)
    return ItemColumns(items.values | columns, items.n_items)


def _in_order(items: ItemColumns, order: npt.NDArray[np.int64]) -> ItemColumns:
    """Bring lines into an order, column after column: a second copy of all of them would be the peak of memory."""
    for name in list(items.values):
        items.values[name] = items.values[name][order]
    return items


def take_lines(items: ItemColumns, lines: npt.NDArray[np.int64] | Mask) -> ItemColumns:
    """Keep some goods lines, by position or by mask."""
    n_items = int(lines.sum()) if lines.dtype == np.bool_ else len(lines)
    return ItemColumns({name: column[lines] for name, column in items.values.items()}, n_items)


def absent_extensions(spec: ModelSpec, frame: pd.DataFrame) -> tuple[str, ...]:
    """National columns that a domain asks for and a history does not have."""
    return tuple(name for name in spec.extensions if name not in frame.columns)


def _all_features(items: ItemColumns, specs: Sequence[ModelSpec], frame: pd.DataFrame) -> FeatureTable:
    """Compute features one by one; a profile that is a column and a feature stays one array."""
    names = dict.fromkeys(n for s in specs for n in s.features if n not in s.extensions or n in frame.columns)
    extensions = {name: kind for spec in specs for name, kind in spec.extensions.items()}
    kinds: dict[str, FeatureKind] = {}
    values = {}
    for name in names:
        table = build_features(items, [name], extensions)
        kinds[name], values[name] = table.kinds[0], table.values[name]
        if name in items.values and items.values[name].dtype == np.float32:
            items.values[name] = values[name]
    return FeatureTable(tuple(names), tuple(kinds.values()), values, items.n_items)


def _lines_to_keep(crossings: pd.DataFrame, labels: Sequence[pd.DataFrame], seed: int) -> tuple[Mask, Mask]:
    """Lines of crossings with a known outcome, of the newest and of a sample of the rest; then the latter two alone.

    Crossings are kept whole.
    """
    codes, ids = pd.factorize(crossings["crossing_id"])
    keep = np.zeros(len(ids), dtype=bool)
    for told in labels:
        keep |= ids.isin(told["crossing_id"])
    first_known = np.full(len(ids), np.iinfo(np.int64).max)
    np.minimum.at(first_known, codes, crossings["known_at"].dt.tz_localize(None).to_numpy("datetime64[us]").view("i8"))
    common = np.zeros(len(ids), dtype=bool)
    common[np.argsort(first_known, kind="stable")[-NEWEST_CROSSINGS:]] = True
    others = np.flatnonzero(~common)
    # By rank in time, not by position in the file, so that the order of rows changes nothing.
    others = others[np.lexsort((ids[others], first_known[others]))]
    drawn = np.random.default_rng(seed).permutation(len(others))[:SAMPLED_CROSSINGS]
    common[others[drawn]] = True
    return np.asarray((keep | common)[codes]), np.asarray(common[codes])
