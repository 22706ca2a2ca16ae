"""Live decisions, results, channels and propensities as history files: what a model is trained on again.

The log is read twice in one consistent read, page after page: first for which columns there are, then for the rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import pandas as pd
from sqlalchemy import Connection, func, select

from chekara.adapters import tables
from chekara.adapters.chain_writer import Clock, now
from chekara.adapters.database import open_database
from chekara.adapters.export_beside import undone_draws, write_beside
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
        Crossings that were scored here, each counted once.
    revisions : int
        All their revisions that were written.
    results : int
        Revisions of results, those of loaded crossings included.
    loaded : int
        Crossings of loaded histories, written because a result of them came here.
    left_out : int
        Revisions of results that stand in no file: their crossing is in no loaded history any more.
    undone : int
        Draws of the lot of which no result ever came; they stand among the results, too.
    draws, reviews : int
        Rows beside the history: every draw, and what officers did with decisions.
    """

    crossings: int
    revisions: int
    results: int
    loaded: int = 0
    left_out: int = 0
    undone: int = 0
    draws: int = 0
    reviews: int = 0


class _Part(NamedTuple):
    """What some events of the log leave to be written; of crossings that were never scored here, results alone."""

    crossings: list[Crossing]
    results: list[Inspection]
    of_loaded: list[Inspection]

    def with_loaded(self, crossing_ids: Collection[str]) -> _Part:
        """Return what is written beside the rows of these crossings, which were loaded."""
        known = [one for one in self.of_loaded if one.crossing_id in crossing_ids]
        return _Part(self.crossings, self.results + known, [])

    def rows(self) -> dict[str, list[Row]]:
        """Return rows by table."""
        return {
            "crossings": [row for one in self.crossings for row in _crossing_rows(one)],
            "inspections": [_inspection_row(one) for one in self.results],
        }


def export_history(
    settings: Settings,
    out: Path,
    *,
    since: datetime | None = None,
    at_once: int = EVENTS_AT_ONCE,
    clock: Clock = now,
) -> Exported:
    """Write what the service decided and learned as history files of the contract, in bounded memory.

    Entity ids are tokens of this installation; loaded back here, each is its own token. Crossings that never came and
    everything of test keys are left out. A crossing known before ``since`` is there if a result of it came after, and
    so is one of a loaded history (as it was kept: without goods in words). A draw of the lot whose time is over without
    a result is written as a result that says so. Beside the history stand ``draws.parquet`` and ``reviews.parquet``.
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
    clock : callable
        The present instant: it tells which draws nobody makes any more.

    Raises
    ------
    HistoryError
        The folder holds a table as CSV.
    LogUnavailableError
        The database does not answer.
    """
    refuse_shadowed(TABLES, out)
    histories = LoadedHistories(settings, EntityTokens(load_entity_secret(settings)))
    points = histories.crossing_points()
    database = open_database(settings)
    try:
        with database.reading() as connection:
            missing: set[str] = set()
            corrected: set[str] = set()
            undone = undone_draws(connection, since, clock())
            wanted = frozenset(one.crossing_id for one in undone)

            def parts() -> Iterator[_Part]:
                yield from _parts(connection, since, at_once, wanted)
                yield _Part([], undone, [])

            for part in parts():
                missing.update(one.crossing_id for one in part.of_loaded)
                corrected.update(one.crossing_id for one in part.crossings if one.revision)
            loaded = histories.crossings_of(missing)
            known = set(loaded["crossing_id"])
            scan = _Scan(loaded, corrected)
            for part in parts():
                scan.add(part.with_loaded(known), part)
            shapes = {table: scan.shape(table) for table in _COLUMNS}
            frames: Iterator[dict[str, pd.DataFrame]] = (
                {table: _frame(rows, table, shapes[table]) for table, rows in part.with_loaded(known).rows().items()}
                for part in parts()
            )
            frames = chain([{"crossings": loaded}], frames)
            if points is not None:
                shapes["crossing_points"] = shape_of(points, "crossing_points")
                frames = chain([{"crossing_points": points}], frames)
            write_parts(frames, shapes, out)
            beside = write_beside(connection, out, since)
    finally:
        database.close()
    return Exported(
        scan.crossings,
        scan.revisions,
        scan.results,
        loaded=len(known),
        left_out=scan.left_out,
        undone=len(undone),
        draws=beside.draws,
        reviews=beside.reviews,
    )


def sentences_of(written: Exported, out: Path) -> list[str]:
    """Say what was written, and what was not."""
    crossings = f"{written.crossings:,} crossings"
    if written.revisions != written.crossings:
        crossings += f" in {written.revisions:,} revisions"
    sentences = [f"Wrote {crossings} and {written.results:,} results to {out}."]
    if written.loaded:
        sentences.append(f"With them {written.loaded:,} crossings of loaded histories, of which results came here.")
    if written.left_out:
        sentences.append(
            f"{written.left_out:,} results were left out: their crossing is in no loaded history and not in the log."
        )
    if written.undone:
        sentences.append(f"{written.undone:,} of the results are draws of the lot that nobody made in time.")
    if written.draws or written.reviews:
        sentences.append(f"Beside them {written.draws:,} draws and {written.reviews:,} rows of reviews.")
    return sentences


class _Scan:
    """What the files will hold, seen before the first row is written."""

    def __init__(self, loaded: pd.DataFrame, corrected: Collection[str]) -> None:
        # Only crossings that were corrected come more than once; to remember those alone keeps the memory bounded.
        self._corrected = corrected
        self.crossings = len(corrected)
        self.revisions = 0
        self.results = 0
        self.left_out = 0
        self._columns = {t: {column.name for column in columns if column.required} for t, columns in _COLUMNS.items()}
        self._columns["crossings"] |= set(loaded.columns[loaded.notna().any()])
        self._is_text: dict[str, bool] = {}

    def add(self, part: _Part, read: _Part) -> None:
        """Count a part that is written, of what was read."""
        self.left_out += len(read.results) + len(read.of_loaded) - len(part.results)
        self.crossings += sum(one.crossing_id not in self._corrected for one in part.crossings)
        self.revisions += len(part.crossings)
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


def _parts(connection: Connection, since: datetime | None, at_once: int, wanted: frozenset[str]) -> Iterator[_Part]:
    """Read the log page after page; of each, what belongs into the files. Some crossings are wanted however old."""
    position = 0
    while events := log_events(connection, position, at_once):
        position = events[-1].event.position
        yield _part(connection, events, since, wanted)


def _part(connection: Connection, events: Sequence[LogEvent], since: datetime | None, wanted: frozenset[str]) -> _Part:
    crossings = [(one.as_of, one.event.crossing) for one in events if isinstance(one.event, CrossingEvent)]
    results = [(one.as_of, one.event.inspection) for one in events if isinstance(one.event, ResultEvent)]
    about = {one.crossing_id for _, one in crossings} | {one.crossing_id for _, one in results}
    came = about - _withdrawn(connection, about)
    scored = _scored(connection, came)
    still_wanted: set[str] = set()
    if since is not None:
        older = {one.crossing_id for as_of, one in crossings if as_of < since}
        still_wanted = _with_results_since(connection, older & came, since) | (older & came & wanted)
    due = [one for as_of, one in results if one.crossing_id in came and _is_due(as_of, since)]
    return _Part(
        [one for as_of, one in crossings if one.crossing_id in (came if _is_due(as_of, since) else still_wanted)],
        [one for one in due if one.crossing_id in scored],
        [one for one in due if one.crossing_id not in scored],
    )


def _is_due(as_of: datetime, since: datetime | None) -> bool:
    return since is None or as_of >= since


def _withdrawn(connection: Connection, crossing_ids: Iterable[str]) -> set[str]:
    """Crossings whose newest event is a withdrawal."""
    last_voids = _newest(connection, tables.voids, crossing_ids)
    last_decisions = _newest(connection, tables.decisions, last_voids)
    return {one for one, position in last_voids.items() if position > last_decisions.get(one, 0)}


def _scored(connection: Connection, crossing_ids: Iterable[str]) -> set[str]:
    """Those of some crossings of which a decision is there, its payload not removed; others can only be loaded ones."""
    t, p = tables.decisions, tables.payloads
    query = (
        select(t.c.crossing_id)
        .join(p, (p.c.chain == t.c.chain) & (p.c.position == t.c.position))
        .where(t.c.chain == Chain.LIVE.value, t.c.crossing_id.in_(list(crossing_ids)))
        .distinct()
    )
    return set(connection.execute(query).scalars())


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
