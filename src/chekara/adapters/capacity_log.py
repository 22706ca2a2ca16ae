"""What a meter of capacity reads of the log when it begins: counts by hour, recent risks, and the present shift."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, func, or_, select

from chekara.adapters import tables
from chekara.adapters.chain_writer import head_of
from chekara.adapters.database import Database
from chekara.domain.vocabulary import Lane
from chekara.policy.capacity_meter import KEPT_FOR, TRAFFIC_KEPT_FOR, Asked, CountedCrossing
from chekara.policy.capacity_recent import RECENT, RECENT_OF_ALL
from chekara.policy.capacity_traffic import hour_of
from chekara.service.capacity import CapacityPast, Withdrawn
from chekara.service.chain import instant_from, instant_text
from chekara.service.records import Chain

BATCH = 500
_EARLIER = tables.decisions.alias("earlier")


class _Score(msgspec.Struct):
    domain: str
    risk: float


class _Selection(msgspec.Struct):
    domain: str
    lane: Lane
    selected_by: str


class _Decided(msgspec.Struct):
    """The parts of a decision's payload that a meter counts; all others are skipped unread."""

    crossing_point: str
    scored_at: str
    domains: list[_Score]
    selections: list[_Selection]


_DECIDED = msgspec.json.Decoder(_Decided)


class SqlCapacityLog:
    """Live decisions that were not taken elsewhere, and withdrawals.

    Parameters
    ----------
    database : Database
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def newest_at(self) -> datetime | None:
        """Return when the newest crossing was decided; None where none was."""
        d = tables.decisions
        newest = select(d.c.scored_at).where(_is_live()).order_by(d.c.position.desc()).limit(BATCH).subquery()
        with self._database.reading() as connection:
            found = connection.execute(select(func.max(newest.c.scored_at))).scalar()
        return None if found is None else instant_from(found)

    def past(self, shift_starts_at: datetime) -> CapacityPast:
        """Return what is known when a shift is under way; read at once, in one consistent view."""
        with self._database.reading() as connection:
            shift = _position_at(connection, shift_starts_at)
            risks_from = _position_at(connection, shift_starts_at - KEPT_FOR)
            return CapacityPast(
                hours=list(_hours(connection, shift_starts_at - TRAFFIC_KEPT_FOR)),
                earlier=list(_earlier(connection, risks_from, shift)),
                present=list(_present(connection, shift)),
                position=head_of(connection, Chain.LIVE)[0],
            )

    def since(self, position: int) -> list[CountedCrossing | Withdrawn]:
        """Return what was recorded after a position, in the order of the log."""
        with self._database.reading() as connection:
            return list(_present(connection, position + 1))


def _is_live() -> ColumnElement[bool]:
    return tables.decisions.c.chain == Chain.LIVE.value


def _counted() -> Select[Any]:
    d, elsewhere = tables.decisions, tables.decided_elsewhere
    return (
        select(d.c.position, d.c.crossing_point, d.c.crossing_id, d.c.revision)
        .where(_is_live())
        .where(d.c.decision_id.not_in(select(elsewhere.c.decision_id)))
    )


def _is_first() -> ColumnElement[bool]:
    """Whether a decision is the first one of its crossing: it may begin with a higher revision than 0."""
    d, e = tables.decisions, _EARLIER
    lower = select(e.c.position).where(
        e.c.chain == d.c.chain, e.c.crossing_id == d.c.crossing_id, e.c.revision < d.c.revision
    )
    return or_(d.c.revision == 0, ~lower.exists())


def _position_at(connection: Connection, at: datetime) -> int:
    """Return the position of the first decision at or after an instant: positions follow time, and have an index."""
    d, since = tables.decisions, instant_text(at)
    low = 1
    high = (connection.execute(select(func.max(d.c.position)).where(_is_live())).scalar() or 0) + 1
    while low < high:
        middle = (low + high) // 2
        query = select(d.c.scored_at).where(_is_live(), d.c.position >= middle).order_by(d.c.position).limit(1)
        scored_at = connection.execute(query).scalar()
        if scored_at is None or scored_at >= since:
            high = middle
        else:
            low = middle + 1
    return low


def _hours(connection: Connection, since: datetime) -> Iterator[tuple[str, int, int]]:
    d, first = tables.decisions, hour_of(since)
    begins_at = datetime.fromtimestamp(first * 3600, UTC)
    hour = func.substr(d.c.scored_at, 1, len("2026-01-01T00"))
    query = (
        _counted()
        .with_only_columns(d.c.crossing_point, hour, func.count())
        .where(d.c.position >= _position_at(connection, begins_at - timedelta(hours=1)), _is_first())
        .where(d.c.scored_at >= instant_text(begins_at))
        .group_by(d.c.crossing_point, hour)
    )
    for crossing_point, text, crossings in connection.execute(query):
        yield crossing_point, hour_of(instant_from(f"{text}:00:00Z")), crossings


def _earlier(connection: Connection, since: int, until: int) -> Iterator[CountedCrossing]:
    """Yield the newest crossings of every point before a position, oldest first; no more than a meter looks back to."""
    d = tables.decisions
    query = _counted().where(d.c.position >= since, d.c.position < until, _is_first()).order_by(d.c.position.desc())
    wanted: dict[int, str] = {}
    of_point: Counter[str] = Counter()
    for position, crossing_point, crossing_id, _ in connection.execute(query):
        if of_point[crossing_point] < RECENT or of_point.total() < RECENT_OF_ALL:
            wanted[position] = crossing_id
        of_point[crossing_point] += 1
    for position, decided in _decided(connection, sorted(wanted)):
        yield _counted_from(wanted[position], decided, is_first=True)


def _present(connection: Connection, since: int) -> Iterator[CountedCrossing | Withdrawn]:
    d, v = tables.decisions, tables.voids
    decisions = {
        position: (crossing_id, revision)
        for position, _, crossing_id, revision in connection.execute(_counted().where(d.c.position >= since))
    }
    withdrawn = select(v.c.position, v.c.crossing_id).where(v.c.chain == Chain.LIVE.value, v.c.position >= since)
    events: dict[int, CountedCrossing | Withdrawn] = {
        position: Withdrawn(crossing_id) for position, crossing_id in connection.execute(withdrawn)
    }
    for position, decided in _decided(connection, sorted(decisions)):
        crossing_id, revision = decisions[position]
        previous = _previous(connection, crossing_id, revision, position) if revision else None
        events[position] = _counted_from(crossing_id, decided, is_first=previous is None, before=previous)
    for position in sorted(events):
        yield events[position]


def _previous(connection: Connection, crossing_id: str, revision: int, position: int) -> dict[str, Lane] | None:
    """Return what the revision before asked for, by domain; empty where it was withdrawn; None where there is none."""
    d, v = tables.decisions, tables.voids
    query = (
        select(d.c.position, d.c.decision_id)
        .where(_is_live(), d.c.crossing_id == crossing_id, d.c.revision < revision)
        .order_by(d.c.revision.desc())
        .limit(1)
    )
    found = connection.execute(query).first()
    if found is None:
        return None
    is_void = select(v.c.position).where(v.c.decision_id == found.decision_id, v.c.position < position).limit(1)
    if connection.execute(is_void).first() is not None:
        return {}
    return {own.domain: own.lane for _, one in _decided(connection, [found.position]) for own in one.selections}


def _decided(connection: Connection, positions: Sequence[int]) -> Iterator[tuple[int, _Decided]]:
    """Read payloads, in the order of their positions; what retention has removed is left out."""
    p = tables.payloads
    for start in range(0, len(positions), BATCH):
        batch = positions[start : start + BATCH]
        query = select(p.c.position, p.c.body).where(p.c.chain == Chain.LIVE.value, p.c.position.in_(batch))
        for position, body in connection.execute(query.order_by(p.c.position)):
            yield position, _DECIDED.decode(body)


def _counted_from(
    crossing_id: str, decided: _Decided, *, is_first: bool, before: dict[str, Lane] | None = None
) -> CountedCrossing:
    return CountedCrossing(
        crossing_id=crossing_id,
        crossing_point=decided.crossing_point,
        at=instant_from(decided.scored_at),
        risks={score.domain: score.risk for score in decided.domains},
        asked={own.domain: Asked(own.lane, own.selected_by) for own in decided.selections},
        before=None if is_first else before,
    )
