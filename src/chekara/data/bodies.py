"""History rows as request bodies: what a border system would have posted for each crossing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import pandas as pd

from chekara.data.schema import HEADER_COLUMNS, ITEM_COLUMNS, Column, is_extension


def request_bodies(crossings: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Turn history rows into bodies of ``POST /v1/scores``, in file order.

    Absent values are left out, so that the body says no more than the history did. Extension columns travel with
    the item.

    Parameters
    ----------
    crossings : DataFrame
        One row per (crossing_id, revision, item_no), as in ``History.crossings``.

    Yields
    ------
    dict
        Header fields and ``items``; every value is a JSON type, instants as ISO 8601 with offset.

    Examples
    --------
    >>> frame = pd.DataFrame({"crossing_id": ["c1"], "revision": [0.0], "item_no": [1.0], "mode": ["road"]})
    >>> next(request_bodies(frame))
    {'crossing_id': 'c1', 'mode': 'road', 'revision': 0, 'items': [{'item_no': 1}]}
    """
    header = [column for column in HEADER_COLUMNS if column.name in crossings.columns]
    item = [column for column in ITEM_COLUMNS if column.name in crossings.columns]
    item += [
        Column(
            name=str(name),
            kind="number" if pd.api.types.is_numeric_dtype(crossings[name]) else "string",
            description="",
        )
        for name in crossings.columns
        if is_extension(str(name))
    ]
    keys = [name for name in ("crossing_id", "revision") if name in crossings.columns]
    for _, rows in crossings.groupby(keys, sort=False):
        records = rows.to_dict("records")
        body = _given(records[0], header)
        body["items"] = [_given(record, item) for record in records]
        yield body


def _given(record: dict[Any, Any], columns: list[Column]) -> dict[str, Any]:
    return {
        column.name: _json_value(column, record[column.name])
        for column in columns
        if not pd.isna(record[column.name]) and record[column.name] != ""
    }


def _json_value(column: Column, value: Any) -> str | int | float | bool:
    if column.kind == "integer":
        return int(value)
    if column.kind == "number":
        return float(value)
    if column.kind == "boolean":
        return bool(value)
    if column.kind == "date":
        return (value.date() if isinstance(value, datetime) else value).isoformat()
    return value.isoformat() if isinstance(value, date) else str(value)
