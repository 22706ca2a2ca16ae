"""Live decisions, results, channels and propensities as history files: what a model is trained on again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pandas as pd
from sqlalchemy import Connection, select

from chekara.adapters import database as tables
from chekara.adapters.database import open_database
from chekara.adapters.loaded_histories import LoadedHistories
from chekara.adapters.log_events import LogEvent, log_events
from chekara.data.identity import EntityTokens, load_entity_secret
from chekara.data.schema import CROSSING_COLUMNS, INSPECTION_COLUMNS, Column
from chekara.data.sources import write_history
from chekara.domain.crossing import Crossing
from chekara.domain.inspection import Inspection
from chekara.features.profile_live import CrossingEvent, ResultEvent
from chekara.service.records import Chain
from chekara.settings import Settings

EVENTS_AT_ONCE: Final = 2_000
_HAPPENED_STAGES: Final = ("arrival", "exit")


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes
    ----------
    crossings : int
        Revisions of crossings.
    results : int
        Revisions of results.
    """

    crossings: int
    results: int


def export_history(settings: Settings, out: Path, *, since: datetime | None = None) -> Exported:
    """Write what the service decided and learned as history files of the contract.

    Entity ids are tokens of this installation; loaded back here, each is its own token. Crossings that never came and
    everything of test keys are left out. A crossing known before ``since`` is there if a result of it came after.

    Parameters
    ----------
    settings : Settings
    out : Path
        Folder to write; made if it is not there.
    since : datetime with offset, optional
        Only what became known at this instant or later.

    Raises
    ------
    HistoryError
        The folder holds a table as CSV.
    LogUnavailableError
        The database does not answer.
    """
    database = open_database(settings)
    try:
        with database.reading() as connection:
            never_came = _withdrawn(connection)
            events = _events(connection, since)
    finally:
        database.close()
    crossings = [one for one in events[0] if one.crossing_id not in never_came]
    results = [one for one in events[1] if one.crossing_id not in never_came]
    frames = {
        "crossings": _frame([row for one in crossings for row in _crossing_rows(one)], CROSSING_COLUMNS),
        "inspections": _frame([_inspection_row(one) for one in results], INSPECTION_COLUMNS),
    }
    loaded = LoadedHistories(settings, EntityTokens(load_entity_secret(settings))).read()
    if loaded is not None and len(loaded.crossing_points):
        frames["crossing_points"] = loaded.crossing_points
    write_history(frames, out)
    return Exported(len(crossings), len(results))


def _withdrawn(connection: Connection) -> set[str]:
    """Crossings whose newest event is a withdrawal."""
    v, d = tables.voids, tables.decisions
    last_voids = dict(_newest(connection, v))
    last_decisions = dict(_newest(connection, d))
    return {one for one, position in last_voids.items() if position > last_decisions.get(one, 0)}


def _newest(connection: Connection, table: Any) -> list[tuple[str, int]]:
    query = select(table.c.crossing_id, table.c.position).where(table.c.chain == Chain.LIVE.value)
    return [(row.crossing_id, row.position) for row in connection.execute(query.order_by(table.c.position))]


def _events(connection: Connection, since: datetime | None) -> tuple[list[Crossing], list[Inspection]]:
    events = _read(connection)
    results = [
        one.event.inspection
        for one in events
        if isinstance(one.event, ResultEvent) and (since is None or one.as_of >= since)
    ]
    inspected = {result.crossing_id for result in results}
    crossings = [
        one.event.crossing
        for one in events
        if isinstance(one.event, CrossingEvent)
        and (since is None or one.as_of >= since or one.event.crossing.crossing_id in inspected)
    ]
    return crossings, results


def _read(connection: Connection) -> list[LogEvent]:
    found: list[LogEvent] = []
    while part := log_events(connection, found[-1].event.position if found else 0, EVENTS_AT_ONCE):
        found += part
    return found


def _crossing_rows(crossing: Crossing) -> list[dict[str, Any]]:
    header: dict[str, Any] = {
        "crossing_id": crossing.crossing_id,
        "revision": crossing.revision,
        "occurred_at": crossing.occurred_at,
        "known_at": crossing.known_at,
        **crossing.header,
    }
    if header.get("stage", "arrival") in _HAPPENED_STAGES:
        # Some lodge an arrival shortly before it happens; a history holds what happened.
        header["known_at"] = max(crossing.known_at, crossing.occurred_at)
    return [header | dict(item) for item in crossing.items]


def _inspection_row(inspection: Inspection) -> dict[str, Any]:
    own = {name: getattr(inspection, name) for name in Inspection.__slots__ if name != "details"}
    return own | dict(inspection.details)


def _frame(rows: list[dict[str, Any]], columns: tuple[Column, ...]) -> pd.DataFrame:
    frame = pd.DataFrame(rows) if rows else pd.DataFrame(columns=[column.name for column in columns])
    for column in columns:
        if column.kind == "instant" and column.name in frame:
            frame[column.name] = pd.to_datetime(frame[column.name], utc=True)
    return frame
