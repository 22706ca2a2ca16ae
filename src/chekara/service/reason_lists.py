"""Reasons of many crossings as one Arrow column: the strongest factors of each, without a loop over crossings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as arrow
from pyarrow import compute

from chekara.explain.reasons import NEGLIGIBLE
from chekara.features.build import FeatureTable
from chekara.service.champions import Floats, Usual

REASONS_TYPE: Any = arrow.list_(
    arrow.struct(
        [("feature", arrow.string()), ("value", arrow.string()), ("contribution", arrow.float64())],
    )
)
"""Strongest first. ``value`` is text, since a feature is a number or a code: ``"1.9"``, ``"CN"``; null: not given."""


def reason_lists(
    names: Sequence[str], table: FeatureTable, contributions: Floats, usual: Mapping[str, Usual], limit: int
) -> Any:
    """Choose what moved each score most: the features, values and amounts of `explain.reasons.strongest_reasons`.

    Parameters
    ----------
    names : sequence of str, length k
        Features in the order of the columns of ``contributions``.
    table : FeatureTable
        One row per score.
    contributions : ndarray of shape (n, k + 1)
        Log-odds; the base value last, which is no reason.
    usual : mapping of str to Usual
        Of ``Champion.usual`` for the same rows: these features show what was declared, not its ratio to the usual.
    limit : int
        Most reasons of one score.

    Returns
    -------
    pyarrow.ListArray of length n
        Of `REASONS_TYPE`.
    """
    by_name = np.argsort(np.array(names))
    amounts = contributions[:, by_name]
    order = _largest(np.abs(amounts), limit)
    strongest = np.take_along_axis(amounts, order, axis=1)
    is_reason = np.abs(strongest) > NEGLIGIBLE
    n_reasons = is_reason.sum(axis=1)
    feature = by_name[order][is_reason]
    row = np.repeat(np.arange(len(amounts)), n_reasons)
    told = arrow.StructArray.from_arrays(
        [
            arrow.DictionaryArray.from_arrays(feature.astype(np.int32), list(names)).cast(arrow.string()),
            _texts(names, table, usual, feature, row),
            arrow.array(strongest[is_reason]),
        ],
        fields=list(REASONS_TYPE.value_type),
    )
    return arrow.ListArray.from_arrays(np.concatenate([[0], np.cumsum(n_reasons)]).astype(np.int32), told)


def _largest(sizes: Floats, limit: int) -> npt.NDArray[np.int64]:
    """Return the places of the largest sizes of each row, largest first; equals in the order of their columns.

    Columns are in order of their names, so equal amounts read in that order, as they do in the service.
    """
    if sizes.shape[1] <= limit:
        return np.argsort(-sizes, axis=1, kind="stable")
    # Most rows need no whole sort, which with two hundred features would cost a tenth of all scoring.
    places = np.sort(np.argpartition(-sizes, limit - 1, axis=1)[:, :limit], axis=1)
    of_places = np.take_along_axis(sizes, places, axis=1)
    places = np.take_along_axis(places, np.argsort(-of_places, axis=1, kind="stable"), axis=1)
    least = of_places.min(axis=1)
    is_tied = (least > NEGLIGIBLE) & (np.count_nonzero(sizes >= least[:, np.newaxis], axis=1) > limit)
    places[is_tied] = np.argsort(-sizes[is_tied], axis=1, kind="stable")[:, :limit]
    return places


def _texts(
    names: Sequence[str],
    table: FeatureTable,
    usual: Mapping[str, Usual],
    feature: npt.NDArray[np.int64],
    row: npt.NDArray[np.int64],
) -> Any:
    """Write the value of a feature in a row, for many such pairs."""
    number = np.full(len(feature), np.nan, dtype=np.float32)
    declared = np.full(len(feature), np.nan)
    code = np.full(len(feature), None, dtype=object)
    pairs = np.argsort(feature, kind="stable")
    ends = np.searchsorted(feature[pairs], np.arange(len(names) + 1))
    for place, name in enumerate(names):
        own = pairs[ends[place] : ends[place + 1]]
        values = table.values[name][row[own]]
        if values.dtype == object:
            code[own] = values
            continue
        number[own] = values
        if name in usual:
            said, expected = (side[row[own]] for side in usual[name][:2])
            declared[own] = np.where(np.isfinite(said) & np.isfinite(expected) & np.isfinite(values), said, np.nan)
    return compute.coalesce(
        arrow.array(code, type=arrow.string()),
        arrow.array(declared, from_pandas=True).cast(arrow.string()),
        arrow.array(number, from_pandas=True).cast(arrow.string()),
    )
