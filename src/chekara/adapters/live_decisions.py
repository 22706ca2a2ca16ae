"""What is read of the live log to watch over models: scores, results, reviews, and the features of a sample.

One consistent read. Every crossing counts once, in the revision that was scored last before its first result, and not
at all if it was withdrawn. Ids of crossings and decisions are there to join by and go no further.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import Connection, Select, func, select

from chekara.adapters import tables
from chekara.adapters.database import Database
from chekara.adapters.export_beside import undone_draws
from chekara.data.checks import validate_table
from chekara.domain.inspection import Inspection
from chekara.features.joined import JoinedFeatures
from chekara.service.chain import instant_text
from chekara.service.name_lists import expand_names
from chekara.service.payload import inspection_record_from, parsed, scoring_from
from chekara.service.records import Chain

FEATURES_OF_MOST: Final = 20_000
"""Decisions whose features are read; of more, a sample."""

_PAGE: Final = 500
_AT_ONCE: Final = 50_000
_RESULT_COLUMNS: Final = (
    *("inspection_id", "crossing_id", "domain", "inspected_at", "known_at", "selected_by", "found", "propensity"),
    *("revision", "status", "method", "result", "item_no", "inspector_id", "agency"),
    *("revenue_recovered", "seized_value"),
)


@dataclass(frozen=True, slots=True)
class SampledFeatures:
    """Features of the goods lines of some decisions, as they were scored.

    Attributes
    ----------
    decision : ndarray of int64, shape (n_lines,)
        Row of the decision in ``LiveDecisions.decisions``.
    numbers : mapping of str to ndarray of shape (n_lines,), float32
        NaN where missing, or where a decision was scored without the feature.
    categories : mapping of str to ndarray of shape (n_lines,), object
        None where missing.
    """

    decision: npt.NDArray[np.int64]
    numbers: Mapping[str, npt.NDArray[np.float32]]
    categories: Mapping[str, npt.NDArray[np.object_]]


@dataclass(frozen=True, slots=True)
class LiveDecisions:
    """What a live log holds of a time.

    Attributes
    ----------
    decisions : DataFrame
        One row per crossing: ``decision_id``, ``crossing_id``, ``crossing_point``, ``scored_at``.
    scores : DataFrame
        One row per crossing and domain: ``decision`` (row in ``decisions``), ``domain``, ``agency``, ``lane``,
        ``probability``, ``risk``, ``margin``, ``model_digest``.
    inspections : DataFrame
        Validated results of these crossings known before the end, draws that nobody made in time among them.
    reviews : DataFrame
        Newest review of each decision by each agency: ``decision_id``, ``agency``, ``action``; of all revisions.
    features : SampledFeatures
    withdrawn : int
        Crossings that never came, left out.
    """

    decisions: pd.DataFrame
    scores: pd.DataFrame
    inspections: pd.DataFrame
    reviews: pd.DataFrame
    features: SampledFeatures
    withdrawn: int


def read_live_decisions(
    database: Database, since: datetime | None, until: datetime, *, sample: int = FEATURES_OF_MOST, seed: int = 1
) -> LiveDecisions:
    """Read what was decided in a time, and what became known of it before its end.

    Parameters
    ----------
    database : Database
        Only read.
    since : datetime with offset or None
        Crossings scored at or after it.
    until : datetime with offset
        Crossings scored, results known and reviews written before it.
    sample : int
        Most decisions whose features are read.
    seed : int
        Of the sample.

    Returns
    -------
    LiveDecisions

    Raises
    ------
    LogUnavailableError
        The database does not answer.
    AuditError
        A decision of the sample cannot be read: another version wrote it, or its list of names was changed.
    """
    with database.reading() as connection:
        every = _revisions(connection, since, until)
        inspections, result_at = _inspections(connection, set(every["crossing_id"]), until)
        decisions = _as_scored(every, result_at)
        came = ~decisions["is_withdrawn"].to_numpy(dtype=bool)
        withdrawn = int((~came).sum())
        decisions = decisions[came].reset_index(drop=True)
        own = decisions["crossing_id"]
        return LiveDecisions(
            decisions=decisions[["decision_id", "crossing_id", "crossing_point", "scored_at"]],
            scores=_scores(connection, decisions),
            inspections=inspections[inspections["crossing_id"].isin(own)].reset_index(drop=True),
            reviews=_reviews(connection, until),
            features=_features(connection, decisions, sample, seed),
            withdrawn=withdrawn,
        )


def _revisions(connection: Connection, since: datetime | None, until: datetime) -> pd.DataFrame:
    """Read all revisions that were scored in the time, in order of the log."""
    d, v = tables.decisions, tables.voids
    query = select(d.c.decision_id, d.c.crossing_id, d.c.crossing_point, d.c.scored_at, d.c.position).where(
        d.c.chain == Chain.LIVE.value, d.c.scored_at < instant_text(until)
    )
    if since is not None:
        query = query.where(d.c.scored_at >= instant_text(since))
    frame = _frame(connection, query.order_by(d.c.position))
    frame["scored_at"] = pd.to_datetime(frame["scored_at"], utc=True, format="ISO8601")
    voids = (
        select(v.c.crossing_id, func.max(v.c.position)).where(v.c.chain == Chain.LIVE.value).group_by(v.c.crossing_id)
    )
    last_void = {row[0]: row[1] for row in connection.execute(voids)}
    last = frame.groupby("crossing_id")["position"].transform("max")
    frame["is_withdrawn"] = frame["crossing_id"].map(last_void).fillna(-1) > last
    return frame


def _as_scored(revisions: pd.DataFrame, result_at: Mapping[str, int]) -> pd.DataFrame:
    """Keep of each crossing the newest revision scored before anybody knew; the first where there is none.

    The position in the log tells what came first: of one writer, it is the order in which the service knew.
    """
    first_result = revisions["crossing_id"].map(dict(result_at)).astype(np.float64)
    is_before = first_result.isna() | (revisions["position"] < first_result)
    # The log is in order: among those before the result the last, among those after it the first.
    place = np.arange(len(revisions))
    worth = np.where(is_before, place, -1.0 - place)
    best = pd.Series(worth, index=revisions.index).groupby(revisions["crossing_id"]).idxmax()
    return revisions.loc[np.sort(best.to_numpy(dtype=np.int64))].reset_index(drop=True)


def _scores(connection: Connection, decisions: pd.DataFrame) -> pd.DataFrame:
    s = tables.decision_domains
    columns = (s.c.domain, s.c.agency, s.c.lane, s.c.probability, s.c.risk, s.c.margin, s.c.model_digest)
    query = select(s.c.decision_id, *columns).where(s.c.chain == Chain.LIVE.value).order_by(s.c.position)
    row_of = pd.Series(np.arange(len(decisions)), index=decisions["decision_id"])
    frame = _frame(connection, query, keep=row_of.index)
    frame.insert(0, "decision", frame["decision_id"].map(row_of).astype(np.int64))
    return frame.drop(columns="decision_id").reset_index(drop=True)


def _reviews(connection: Connection, until: datetime) -> pd.DataFrame:
    r, t = tables.reviews, tables.log
    query = (
        select(r.c.decision_id, r.c.agency, r.c.action)
        .join(t, (t.c.chain == r.c.chain) & (t.c.position == r.c.position))
        .where(r.c.chain == Chain.LIVE.value, t.c.recorded_at < instant_text(until))
        .order_by(r.c.position)
    )
    return _frame(connection, query).drop_duplicates(["decision_id", "agency"], keep="last").reset_index(drop=True)


def _inspections(
    connection: Connection, crossing_ids: set[str], until: datetime
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Read results and draws that nobody made, as a history would hold them, and where each first result stands."""
    i, p = tables.inspections, tables.payloads
    query = (
        select(i.c.position, p.c.body)
        .join(p, (p.c.chain == i.c.chain) & (p.c.position == i.c.position))
        .where(i.c.chain == Chain.LIVE.value)
        .order_by(i.c.position)
    )
    found: list[Inspection] = []
    first: dict[str, int] = {}
    for page in connection.execution_options(stream_results=True).execute(query).partitions(_PAGE):
        for position, body in page:
            record = inspection_record_from(parsed(body), chain=Chain.LIVE, position=position)
            own = replace(record.inspection, known_at=record.as_of)
            if own.crossing_id in crossing_ids and own.known_at < until:
                found.append(own)
                if own.is_done:
                    first.setdefault(own.crossing_id, position)
    found += [one for one in undone_draws(connection, None, until) if one.crossing_id in crossing_ids]
    frame = pd.DataFrame([_row(one) for one in found], columns=list(_RESULT_COLUMNS))
    for name in ("inspected_at", "known_at"):
        frame[name] = pd.to_datetime(frame[name], utc=True)
    return validate_table(frame, "inspections").frame, first


def _row(inspection: Inspection) -> dict[str, Any]:
    own = {name: getattr(inspection, name) for name in Inspection.__slots__ if name != "details"}
    given = own | dict(inspection.details)
    return {name: given.get(name) for name in _RESULT_COLUMNS}


def _features(connection: Connection, decisions: pd.DataFrame, sample: int, seed: int) -> SampledFeatures:
    """Read the features of some decisions; those whose payload was removed are passed over."""
    rng = np.random.default_rng(seed)
    rows = np.arange(len(decisions))
    if len(rows) > sample:
        rows = np.sort(rng.choice(rows, sample, replace=False))
    row_at = dict(zip(decisions["position"].to_numpy()[rows].tolist(), rows.tolist(), strict=True))
    found = [(row_at[position], joined) for position, joined in _stored_features(connection, sorted(row_at))]
    return _stacked(found)


def _stored_features(connection: Connection, positions: Sequence[int]) -> Iterator[tuple[int, JoinedFeatures]]:
    p, t = tables.payloads, tables.name_lists
    stored = connection.execute(select(t.c.digest, tables.as_stored(t.c.names)))
    lists = {digest: tables.as_bytes(names) for digest, names in stored}
    for begin in range(0, len(positions), _PAGE):
        wanted = positions[begin : begin + _PAGE]
        query = select(p.c.position, p.c.body).where(p.c.chain == Chain.LIVE.value, p.c.position.in_(wanted))
        for position, body in connection.execute(query.order_by(p.c.position)):
            plain = expand_names(parsed(body), lambda _: lists)
            yield position, scoring_from(plain).features


def _stacked(found: Sequence[tuple[int, JoinedFeatures]]) -> SampledFeatures:
    lines = [joined.n_lines for _, joined in found]
    decision = np.repeat(np.array([row for row, _ in found], dtype=np.int64), lines)
    numbers = _columns(
        [(joined.names, joined.numbers) for _, joined in found], int(sum(lines)), np.cumsum([0, *lines]).tolist()
    )
    names = dict.fromkeys(name for _, joined in found for name in joined.categories)
    categories = {
        name: _objects(value for _, joined in found for value in joined.categories.get(name, [None] * joined.n_lines))
        for name in names
    }
    return SampledFeatures(decision, numbers, categories)


def _columns(
    found: Sequence[tuple[tuple[str, ...], npt.NDArray[np.float32]]], n_lines: int, begins: Sequence[int]
) -> dict[str, npt.NDArray[np.float32]]:
    """Lay matrices whose columns may differ (models changed meanwhile) below each other."""
    places = {name: place for place, name in enumerate(dict.fromkeys(name for names, _ in found for name in names))}
    matrix = np.full((n_lines, len(places)), np.nan, dtype=np.float32)
    columns_of: dict[tuple[str, ...], list[int]] = {}
    for begin, (names, block) in zip(begins, found, strict=False):
        if names not in columns_of:
            columns_of[names] = [places[name] for name in names]
        matrix[begin : begin + len(block), columns_of[names]] = block
    return {name: matrix[:, place] for name, place in places.items()}


def _objects(values: Iterable[str | None]) -> npt.NDArray[np.object_]:
    return np.array([*values, None], dtype=object)[:-1]


def _frame(connection: Connection, query: Select[Any], *, keep: pd.Index | None = None) -> pd.DataFrame:
    """Read rows in parts, so that no list of all of them is ever held; of each part those of some decisions."""
    result = connection.execution_options(stream_results=True).execute(query)
    names = list(result.keys())
    parts = [pd.DataFrame(columns=names)]
    for page in result.partitions(_AT_ONCE):
        part = pd.DataFrame.from_records([tuple(row) for row in page], columns=names)
        parts.append(part if keep is None else part[part["decision_id"].isin(keep)])
    return pd.concat(parts if len(parts) == 1 else parts[1:], ignore_index=True)
