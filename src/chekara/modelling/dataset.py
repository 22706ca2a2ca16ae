"""What a model learns from: crossings as known before an instant, with what is known of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
import numpy.typing as npt

from chekara.data.sources import History
from chekara.features.build import FeatureTable
from chekara.features.catalogue import ItemColumns
from chekara.modelling.spec import ModelSpec

Floats = npt.NDArray[np.float64]
Instants = npt.NDArray[np.datetime64]
Protocol = Literal["as_given", "leak_free"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Crossings of one domain, in order of what was known when. Unknown is never negative.

    Attributes
    ----------
    domain : str
    until : datetime
        Only crossings and results with ``known_at`` before it are in.
    items : ItemColumns
        Goods lines.
    table : FeatureTable
        Their features, but those that need a fitted reference.
    item_no : ndarray of shape (n_items,), int64
    crossing_of_item : ndarray of shape (n_items,), int64
        Position of the line's crossing in the arrays below.
    crossing_ids : ndarray of shape (n_crossings,), object
    as_of : ndarray of shape (n_crossings,), datetime64[us]
    hit : ndarray of shape (n_crossings,)
        1.0 hit, 0.0 none, NaN unknown.
    hit_item_no : ndarray of shape (n_crossings,)
        Item that the hit was in; NaN where it was the whole crossing or there is none.
    known_at : ndarray of shape (n_crossings,), datetime64[us]
        When the outcome became known; NaT where it is not.
    selected_by : ndarray of shape (n_crossings,), object
        None where nothing was inspected.
    propensity : ndarray of shape (n_crossings,)
        Probability of having been drawn; NaN outside the lot.
    amount : ndarray of shape (n_crossings,)
        Revenue recovered, currency; 0.0 where none.
    tuple_key : ndarray of shape (n_items,) or None
        Key of the leaking tuple, where one was named.
    protocol : {'as_given', 'leak_free'}
    notes : tuple of str
        What was left out and why, in sentences.
    """

    domain: str
    until: datetime
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
    tuple_key: npt.NDArray[np.object_] | None
    protocol: Protocol
    notes: tuple[str, ...]


def build_dataset(
    history: History,
    spec: ModelSpec,
    until: datetime,
    *,
    leaking_tuple: tuple[str, ...] | None = None,
    protocol: Protocol = "as_given",
) -> Dataset:
    """Lay out what was known before an instant."""
    raise NotImplementedError
