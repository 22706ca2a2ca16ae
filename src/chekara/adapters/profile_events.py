"""Rows of a history as events, for those that have to be folded among live ones."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pandas as pd

from chekara.data.schema import HEADER_COLUMNS, INSPECTION_COLUMNS, ITEM_COLUMNS, Column
from chekara.domain.crossing import Crossing, Value
from chekara.domain.inspection import Inspection
from chekara.features.profile_live import CrossingEvent, ProfileEvent, ResultEvent

_OWN_OF_CROSSING = ("crossing_id", "revision", "occurred_at", "known_at")
_OWN_OF_INSPECTION = tuple(name for name in Inspection.__slots__ if name != "details")


def events_of_history(crossings: pd.DataFrame, inspections: pd.DataFrame) -> list[ProfileEvent]:
    """Turn history rows into events, with positions before every position of the log, in the order of the files.

    Parameters
    ----------
    crossings, inspections : DataFrame
        As in ``History``.
    """
    events: list[ProfileEvent] = [CrossingEvent(crossing=one, position=0) for one in _crossings(crossings)]
    events += [ResultEvent(inspection=one, position=0) for one in _inspections(inspections)]
    first = -len(events)
    return [_at(event, first + i) for i, event in enumerate(events)]


def _at(event: ProfileEvent, position: int) -> ProfileEvent:
    if isinstance(event, CrossingEvent):
        return CrossingEvent(crossing=event.crossing, position=position)
    assert isinstance(event, ResultEvent)  # noqa: S101  # histories know no withdrawal
    return ResultEvent(inspection=event.inspection, position=position)


def _crossings(frame: pd.DataFrame) -> Iterator[Crossing]:
    for _, rows in frame.groupby(["crossing_id", "revision"], sort=False):
        records = rows.to_dict("records")
        header = _given(records[0], HEADER_COLUMNS)
        own: dict[str, Any] = {name: header.pop(name) for name in _OWN_OF_CROSSING}
        yield Crossing(**own, header=header, items=tuple(_given(record, ITEM_COLUMNS) for record in records))


def _inspections(frame: pd.DataFrame) -> Iterator[Inspection]:
    for record in frame.to_dict("records"):
        details = _given(record, INSPECTION_COLUMNS)
        own: dict[str, Any] = {name: details.pop(name) for name in _OWN_OF_INSPECTION if name in details}
        yield Inspection(**own, details=details)


def _given(record: dict[Any, Any], columns: tuple[Column, ...]) -> dict[str, Value]:
    return {
        column.name: _value(column, record[column.name])
        for column in columns
        if column.name in record and not pd.isna(record[column.name]) and record[column.name] != ""
    }


def _value(column: Column, value: Any) -> Value:
    match column.kind:
        case "integer":
            return int(value)
        case "number":
            return float(value)
        case "boolean":
            return bool(value)
        case "instant":
            instant: datetime = value.to_pydatetime()
            return instant.astimezone(UTC)
        case "date":
            day: date = value.date() if isinstance(value, datetime) else value
            return day
        case _:
            return str(value)
