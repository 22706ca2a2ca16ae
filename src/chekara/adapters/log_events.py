"""Events of the live log that profiles are made of, in the order in which they were recorded."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, func, select

from chekara.adapters import tables
from chekara.features.profile_live import CrossingEvent, ProfileEvent, ResultEvent, VoidEvent, instant_of
from chekara.service.chain import instant_from
from chekara.service.payload import Plain, crossing_from, inspection_record_from, parsed
from chekara.service.records import Chain

KINDS: Final = ("decision", "void", "inspection")


class LogEvent(NamedTuple):
    """One event of the live log.

    Attributes
    ----------
    event : ProfileEvent
        Known from the instant from which it counts.
    received_at : datetime
        Newest instant of receipt when it was recorded.
    """

    event: ProfileEvent
    received_at: datetime

    @property
    def as_of(self) -> datetime:
        """From when it counts."""
        return instant_of(self.event)


def log_events(connection: Connection, after: int, limit: int) -> list[LogEvent]:
    """Read some events of the live log. What was removed when its retention ended is passed over.

    Parameters
    ----------
    connection : Connection
    after : int
        Position after which to begin.
    limit : int
        Most events.
    """
    t, p = tables.log, tables.payloads
    query = (
        select(t.c.kind, t.c.position, t.c.recorded_at, p.c.body)
        .join(p, (p.c.chain == t.c.chain) & (p.c.position == t.c.position))
        .where(t.c.chain == Chain.LIVE.value, t.c.position > after, t.c.kind.in_(KINDS))
        .order_by(t.c.position)
        .limit(limit)
    )
    return [_event(kind, position, at, parsed(body)) for kind, position, at, body in connection.execute(query)]


def count_events(connection: Connection, after: int) -> int:
    """Count the events of the live log after a position, removed ones included."""
    t = tables.log
    query = select(func.count()).where(t.c.chain == Chain.LIVE.value, t.c.position > after, t.c.kind.in_(KINDS))
    return int(connection.execute(query).scalar_one())


def _event(kind: str, position: int, recorded_at: str, plain: Plain) -> LogEvent:
    if kind == "decision":
        instant = instant_from(plain["as_of"])
        crossing = replace(crossing_from(plain["crossing"]), known_at=instant)
        return LogEvent(CrossingEvent(crossing=crossing, position=position), instant)
    if kind == "inspection":
        record = inspection_record_from(plain, chain=Chain.LIVE, position=position)
        inspection = replace(record.inspection, known_at=record.as_of)
        return LogEvent(ResultEvent(inspection=inspection, position=position), record.received_at)
    # Withdrawals were once recorded without the instant from which they count.
    instant = instant_from(plain.get("as_of", recorded_at))
    void = VoidEvent(crossing_id=plain["crossing_id"], revision=plain["revision"], known_at=instant, position=position)
    return LogEvent(void, instant)
