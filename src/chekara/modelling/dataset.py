"""What a model learns from: crossings as known before an instant, with what is known of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Literal, TypeAlias, TypedDict

import numpy as np
import numpy.typing as npt
import pandas as pd

from chekara.data.leakage import tuple_key
from chekara.data.sources import History
from chekara.errors import NotEnoughHitsError
from chekara.features import declared
from chekara.features.build import FeatureTable
from chekara.features.catalogue import ItemColumns, laid_columns
from chekara.modelling.shared import SharedLines, absent_extensions, lay_out_lines
from chekara.modelling.spec import ModelSpec

Floats: TypeAlias = npt.NDArray[np.float64]
Instants: TypeAlias = npt.NDArray[np.datetime64]
Protocol: TypeAlias = Literal["as_given", "leak_free"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Crossings of one domain, in the order in which they became known. Unknown is never negative.

    Attributes
    ----------
    domain : str
    until : datetime
        Only crossings and results with ``known_at`` before it are in.
    digest : str
        Of the history files, ``sha256:...``.
    items : ItemColumns
        Goods lines, in order of their crossings.
    table : FeatureTable
        Their features in the order of the spec; extensions that this history does not have are left out.
    item_no : ndarray of shape (n_items,), int64
    crossing_of_item : ndarray of shape (n_items,), int64
        Position of the line's crossing in the arrays below.
    crossing_ids : ndarray of shape (n_crossings,), object
    as_of : ndarray of shape (n_crossings,), datetime64[us]
        ``known_at`` of the crossing.
    hit : ndarray of shape (n_crossings,)
        1.0 hit, 0.0 none, NaN unknown.
    hit_item_no : ndarray of shape (n_crossings,)
        Item that the hit was in; NaN where it was the whole crossing or there is none.
    known_at : ndarray of shape (n_crossings,), datetime64[us]
        When the outcome became known; NaT where it is not.
    selected_by : ndarray of shape (n_crossings,), object
        None where the outcome is unknown.
    propensity : ndarray of shape (n_crossings,)
        Probability of having been drawn; NaN outside the lot.
    amount : ndarray of shape (n_crossings,)
        Revenue recovered and value seized, currency; 0.0 where none.
    tuple_key : ndarray of shape (n_items,), uint64, or None
        Key of the leaking tuple, where one was named.
    protocol : {'as_given', 'leak_free'}
    notes : tuple of str
        What was left out and why, in sentences.
    """

    domain: str
    until: datetime
    digest: str
    items: ItemColumns
    table: FeatureTable
    item_no: npt.NDArray[np.int64]
    crossing_of_item: npt.NDArray[np.int64]
    crossing_ids: npt.NDArray[np.object_]
    as_of: Instants
    hit: Floats
    hit_item_no: Floats
    known_at: Instants
    selected_by: npt.NDArray[np.object_]
    propensity: Floats
    amount: Floats
    tuple_key: npt.NDArray[np.uint64] | None
    protocol: Protocol
    notes: tuple[str, ...]

    @property
    def n_crossings(self) -> int:
        """Crossings, inspected or not."""
        return len(self.as_of)

    def with_labels(self, labels: pd.DataFrame) -> Dataset:
        """Return the same crossings with other outcomes, such as those known at an earlier instant.

        Parameters
        ----------
        labels : DataFrame
            Of `chekara.data.labels.label_crossings`.
        """
        return replace(self, **_outcomes(labels, self.crossing_ids))


def build_dataset(
    history: History,
    spec: ModelSpec,
    until: datetime,
    *,
    leaking_tuple: tuple[str, ...] | None = None,
    protocol: Protocol = "as_given",
    shared: SharedLines | None = None,
) -> Dataset:
    """Lay out what was known before an instant.

    Parameters
    ----------
    history : History
    spec : ModelSpec
    until : datetime with offset
        Strictly before it: the newest revision of each crossing that was lodged before its result, newest results.
    leaking_tuple : tuple of str, optional
        Columns that carry their label along, from `chekara.data.leakage.find_leakage`.
    protocol : {'as_given', 'leak_free'}
        Leak-free: train without copies of a tuple, judge and calibrate on unseen tuples only.
    shared : SharedLines, optional
        Of `chekara.modelling.shared.lay_out_lines`, for the same history and instant, with this domain among its
        specs; default: laid out for this domain alone, every crossing kept.

    Returns
    -------
    Dataset

    Raises
    ------
    NotEnoughHitsError
        No crossing was known before the instant, or the domain applies to none.
    """
    lines = lay_out_lines(history, [spec], until, keeps_all=True) if shared is None else shared
    applies = lines_that_apply(lines.items, spec)
    if not applies.any():
        raise NotEnoughHitsError(
            f"no crossing before the instant that {spec.domain} applies to", hint="see applies_to in model.toml"
        )
    looks_at = lines.is_common | lines.frame["crossing_id"].isin(lines.labels[spec.domain]["crossing_id"]).to_numpy()
    chosen = np.flatnonzero(applies & looks_at)
    absent = absent_extensions(spec, lines.frame)
    items, table = _own_columns(lines, spec, tuple(name for name in spec.features if name not in absent), chosen)
    # Lines are ordered by `known_at`, and so are crossings numbered as they appear.
    crossing_of_item = pd.factorize(items.values[declared.CROSSING_INDEX])[0].astype(np.int64)
    first_lines = np.unique(crossing_of_item, return_index=True)[1]
    crossing_ids = items.text("crossing_id")[first_lines]
    return Dataset(
        domain=spec.domain,
        until=until,
        digest=history.digest,
        items=items,
        table=table,
        item_no=items.number("item_no").astype(np.int64),
        crossing_of_item=crossing_of_item,
        crossing_ids=crossing_ids,
        as_of=items.instant("known_at")[first_lines],
        **_outcomes(lines.labels[spec.domain], crossing_ids),
        tuple_key=None if leaking_tuple is None else tuple_key(lines.frame.iloc[chosen], leaking_tuple),
        protocol=protocol,
        notes=_notes(absent, int((looks_at & ~applies).sum())),
    )


def _notes(absent: Sequence[str], n_left_out: int) -> tuple[str, ...]:
    notes = [f"{n_left_out} goods lines that the domain does not apply to"] if n_left_out else []
    return (*notes, *(f"extension {name} is not in this history" for name in absent))


def _own_columns(
    lines: SharedLines, spec: ModelSpec, names: tuple[str, ...], chosen: npt.NDArray[np.int64]
) -> tuple[ItemColumns, FeatureTable]:
    """Take one domain's columns at its lines; a profile that is a column and a feature stays one array."""
    taken: dict[int, npt.NDArray[Any]] = {}

    def take(column: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if id(column) not in taken:
            taken[id(column)] = column[chosen]
        return taken[id(column)]

    of_others = set(laid_columns(lines.table.names)) - set(laid_columns(spec.features))
    columns = {name: take(column) for name, column in lines.items.values.items() if name not in of_others}
    kinds = dict(zip(lines.table.names, lines.table.kinds, strict=True))
    values = {name: take(lines.table.values[name]) for name in names}
    n_items = len(chosen)
    return ItemColumns(columns, n_items), FeatureTable(names, tuple(kinds[name] for name in names), values, n_items)


def lines_that_apply(items: ItemColumns, spec: ModelSpec) -> npt.NDArray[np.bool_]:
    """Tell which goods lines a domain applies to; a missing value applies; shape (n_items,)."""
    applies = np.ones(items.n_items, dtype=bool)
    for name, allowed in spec.applies_to.items():
        # The models of several domains ask for the same.
        applies &= items.once((name, allowed), partial(_is_allowed, name=name, allowed=allowed))
    return applies


def _is_allowed(items: ItemColumns, name: str, allowed: Collection[str]) -> npt.NDArray[np.bool_]:
    known = {None, *allowed}
    return np.array([value in known for value in items.text(name).tolist()], dtype=bool)


class _Outcomes(TypedDict):
    hit: Floats
    hit_item_no: Floats
    known_at: Instants
    selected_by: npt.NDArray[np.object_]
    propensity: Floats
    amount: Floats


def _outcomes(labels: pd.DataFrame, crossing_ids: npt.NDArray[np.object_]) -> _Outcomes:
    """Line up labels with crossings; everything is missing where no outcome is known."""
    labels = labels.set_index("crossing_id").reindex(pd.Index(crossing_ids))
    known_at = pd.to_datetime(labels["known_at"], utc=True).dt.tz_localize(None)
    return _Outcomes(
        hit=np.asarray(labels["hit"].astype("Float64").to_numpy(np.float64, na_value=np.nan)),
        hit_item_no=labels["item_no"].to_numpy(np.float64, na_value=np.nan),
        known_at=known_at.to_numpy().astype("datetime64[us]"),
        selected_by=labels["selected_by"].astype(object).where(labels["selected_by"].notna(), None).to_numpy(),
        propensity=labels["propensity"].to_numpy(np.float64, na_value=np.nan),
        amount=labels[["revenue_recovered", "seized_value"]].sum(axis=1).to_numpy(np.float64),
    )
