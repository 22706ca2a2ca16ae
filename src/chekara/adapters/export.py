"""Live decisions, results, channels and propensities as history files: what a model is trained on again.

The log is read twice in one consistent read, page after page: first for which columns there are, then for the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import pandas as pd
from sqlalchemy import Connection, func, select

from chekara.adapters import database as tables
from chekara.adapters.database import open_database
from chekara.adapters.loaded_histories import LoadedHistories
from chekara.adapters.log_events import LogEvent, log_events
from chekara.data.identity import EntityTokens, load_entity_secret
from chekara.data.schema import CROSSING_COLUMNS, INSPECTION_COLUMNS, TABLES, is_extension
from chekara.data.write import TableShape, refuse_shadowed, shape_of, write_parts
from chekara.domain.crossing import Crossing
from chekara.domain.inspection import Inspection
from chekara.features.profile_live import CrossingEvent, ResultEvent
from chekara.service.payload import inspection_record_from, parsed
from chekara.service.records import Chain
from chekara.settings import Settings

EVENTS_AT_ONCE: Final = 500
_HAPPENED_STAGES: Final = ("arrival", "exit")
_COLUMNS: Final = {"crossings": CROSSING_COLUMNS, "inspections": INSPECTION_COLUMNS}

Row: TypeAlias = dict[str, Any]


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


class _Part(NamedTuple):
    """What some events of the log leave to be written."""

    crossings: list[Crossing]
    results: list[Inspection]

    def rows(self) -> dict[str, list[Row]]:
        """Return rows by table."""
        return {
            "crossings": [row for one in self.crossings for row in _crossing_rows(one)],
            "inspections": [_inspection_row(one) for one in self.results],
        }


def export_history(
    settings: Settings, out: Path, *, since: datetime | None = None, at_once: int = EVENTS_AT_ONCE
) -> Exported:
    """Write what the service decided and learned as history files of the contract, in bounded memory.

    Entity ids are tokens of this installation; loaded back here, each is its own token. Crossings that never came and
    everything of test keys are left out. A crossing known before ``since`` is there if a result of it came after.
    No file appears under its name before all are whole.

    Parameters
    ----------
    settings : Settings
    out : Path
        Folder to write; made if it is not there.
    since : datetime with offset, optional
        Only what became known at this instant or later.
    at_once : int
        Events of the log held in memory; the files do not depend on it.

    Raises
    ------
    HistoryError
        The folder holds a table as CSV.
    LogUnavailableError
        The database does not answer.
    """
    refuse_shadowed(TABLES, out)
    points = LoadedHistories(settings, EntityTokens(load_entity_secret(settings))).crossing_points()
    database = open_database(settings)
    try:
        with database.reading() as connection:
            scan = _Scan()
            for part in _parts(connection, since, at_once):
                scan.add(part)
            shapes = {table: scan.shape(table) for table in _COLUMNS}
            frames: Iterator[dict[str, pd.DataFrame]] = (
                {table: _frame(rows, table, shapes[table]) for table, rows in part.rows().items()}
                for part in _parts(connection, since, at_once)
            )
            if points is not None:
                shapes["crossing_points"] = shape_of(points, "crossing_points")
                frames = chain([{"crossing_points": points}], frames)
            write_parts(frames, shapes, out)
    finally:
        database.close()
    return Exported(scan.crossings, scan.results)


class _Scan:
    """What the files will hold, seen before the first row is written."""

    def __init__(self) -> None:
        self.crossings = 0
        self.results = 0
        self._columns = {t: {column.name for column in columns if column.required} for t, columns in _COLUMNS.items()}
        self._is_text: dict[str, bool] = {}

    def add(self, part: _Part) -> None:
        self.crossings += len(part.crossings)
        self.results += len(part.results)
        for table, rows in part.rows().items():
            for row in rows:
                self._columns[table].update(name for name, value in row.items() if value is not None)
                for name in filter(is_extension, row):
                    self._is_text[name] = self._is_text.get(name, False) or isinstance(row[name], str)

    def shape(self, table: str) -> TableShape:
        own = {column.name for column in _COLUMNS[table]}
        extensions = dict(sorted(self._is_text.items())) if table == "crossings" else {}
        return TableShape(frozenset(self._columns[table] & own), extensions)


def _parts(connection: Connection, since: datetime | None, at_once: int) -> Iterator[_Part]:
    """Read the log page after page; of each, what belongs into the files."""
    position = 0
    while events := log_events(connection, position, at_once):
        position = events[-1].event.position
        yield _part(connection, events, since)


def _part(connection: Connection, events: Sequence[LogEvent], since: datetime | None) -> _Part:
    crossings = [(one.as_of, one.event.crossing) for one in events if isinstance(one.event, CrossingEvent)]
    results = [(one.as_of, one.event.inspection) for one in events if isinstance(one.event, ResultEvent)]
    about = {one.crossing_id for _, one in crossings} | {one.crossing_id for _, one in results}
    came = about - _withdrawn(connection, about)
    still_wanted: set[str] = set()
    if since is not None:
        older = {one.crossing_id for as_of, one in crossings if as_of < since}
        still_wanted = _with_results_since(connection, older & came, since)
    return _Part(
        [one for as_of, one in crossings if one.crossing_id in (came if _is_due(as_of, since) else still_wanted)],
        [one for as_of, one in results if one.crossing_id in came and _is_due(as_of, since)],
    )


def _is_due(as_of: datetime, since: datetime | None) -> bool:
    return since is None or as_of >= since


def _withdrawn(connection: Connection, crossing_ids: Iterable[str]) -> set[str]:
    """Crossings whose newest event is a withdrawal."""
    last_voids = _newest(connection, tables.voids, crossing_ids)
    last_decisions = _newest(connection, tables.decisions, last_voids)
    return {one for one, position in last_voids.items() if position > last_decisions.get(one, 0)}


def _newest(connection: Connection, table: Any, crossing_ids: Iterable[str]) -> dict[str, int]:
    t = table.c
    query = (
        select(t.crossing_id, func.max(t.position))
        .where(t.chain == Chain.LIVE.value, t.crossing_id.in_(list(crossing_ids)))
        .group_by(t.crossing_id)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def _with_results_since(connection: Connection, crossing_ids: Iterable[str], since: datetime) -> set[str]:
    """Those of some crossings of which a result became known at an instant or later."""
    t, p = tables.inspections, tables.payloads
    query = (
        select(t.c.crossing_id, t.c.position, p.c.body)
        .join(p, (p.c.chain == t.c.chain) & (p.c.position == t.c.position))
        .where(t.c.chain == Chain.LIVE.value, t.c.crossing_id.in_(list(crossing_ids)))
    )
    return {
        crossing_id
        for crossing_id, position, body in connection.execute(query)
        if inspection_record_from(parsed(body), chain=Chain.LIVE, position=position).as_of >= since
    }


def _crossing_rows(crossing: Crossing) -> list[Row]:
    header: Row = {
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


def _inspection_row(inspection: Inspection) -> Row:
    own = {name: getattr(inspection, name) for name in Inspection.__slots__ if name != "details"}
    return own | dict(inspection.details)


def _frame(rows: list[Row], table: str, shape: TableShape) -> pd.DataFrame:
    texts = [name for name, is_text in shape.extensions.items() if is_text]
    for row in rows if texts else ():
        row.update({name: str(row[name]) for name in texts if row.get(name) is not None})
    columns = _COLUMNS[table]
    frame = pd.DataFrame(rows) if rows else pd.DataFrame(columns=[column.name for column in columns])
    for column in columns:
        if column.kind == "instant" and column.name in frame:
            frame[column.name] = pd.to_datetime(frame[column.name], utc=True)
    return frame
