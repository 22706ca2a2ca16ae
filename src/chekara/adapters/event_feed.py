"""An agency's events, from four indexes that each hold them in the order of the log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final, cast

from sqlalchemy import Connection, Select, exists, select

from chekara.adapters import tables
from chekara.adapters.chain_writer import head_of
from chekara.adapters.database import Database
from chekara.domain.actor import Actor
from chekara.domain.referral import Referral, Step
from chekara.domain.vocabulary import ReviewAction
from chekara.service.chain import instant_from
from chekara.service.events import Event, EventKind, EventPage
from chekara.service.payload import Plain, parsed, review_from
from chekara.service.records import Chain, DecisionRecord
from chekara.service.referral_payload import OPENED, RELEASED, release_from

_STEPS: Final = {f"referral_{step}": step for step in Step}


class SqlEventFeed:
    """Reads the events that an agency is told of.

    Parameters
    ----------
    database : Database
    decision : callable
        Returns a stored decision by chain and id.
    referral : callable
        Returns a referral by chain and id.
    """

    def __init__(
        self,
        database: Database,
        *,
        decision: Callable[[Chain, str], DecisionRecord | None],
        referral: Callable[[Chain, str], Referral | None],
    ) -> None:
        self._database = database
        self._decision = decision
        self._referral = referral

    def __call__(self, actor: Actor, after: int, limit: int) -> EventPage:
        """Return the own agency's events after a position, as `chekara.service.events.ReadEvents` says."""
        chain = Chain.of(actor)
        with self._database.reading() as connection:
            head, _ = head_of(connection, chain)
            found = _entries(connection, chain, actor.agency, after, limit)
        events = tuple(event for one in found if (event := self._event(chain, *one)) is not None)
        # A page that is not full has told everything up to the head.
        return EventPage(events, found[-1][0] if len(found) == limit else max(after, head))

    def _event(self, chain: Chain, position: int, kind: str, recorded_at: str, body: bytes | None) -> Event | None:
        """Build an event; None where what it tells of was removed when its retention ended."""
        if body is None:
            return None
        plain = parsed(body)
        if kind == RELEASED:
            release = release_from(plain)
            return Event(position=position, kind="released", at=release.released_at, release=release)
        if kind == OPENED or kind in _STEPS:
            return self._of_referral(chain, position, cast("EventKind", kind), plain)
        record = self._decision(chain, plain["decision_id"])
        return None if record is None else _of_decision(position, kind, recorded_at, plain, record)

    def _of_referral(self, chain: Chain, position: int, kind: EventKind, plain: Plain) -> Event | None:
        referral = self._referral(chain, plain["referral_id"])
        if referral is None:
            return None
        step = _STEPS.get(kind)
        if step is None:
            return Event(position=position, kind=kind, at=referral.opened_at, referral=replace(referral, steps=()))
        taken = [one.step for one in referral.steps]
        steps = referral.steps[: taken.index(step) + 1]
        return Event(position=position, kind=kind, at=steps[-1].at, referral=replace(referral, steps=steps))


def _of_decision(position: int, kind: str, recorded_at: str, plain: Plain, record: DecisionRecord) -> Event:
    if kind == "review":
        review = review_from(plain)
        return Event(position=position, kind="lane_changed", at=review.reviewed_at, record=record, review=review)
    if kind == "void":
        return Event(position=position, kind="withdrawn", at=instant_from(recorded_at), record=record)
    return Event(position=position, kind="lane", at=record.decision.scored_at, record=record)


def _entries(connection: Connection, chain: Chain, agency: str, after: int, limit: int) -> list[Any]:
    """Return position, kind, instant and payload of the first entries, in the order of the log."""
    found: set[int] = set()
    for query in _sources(chain, agency, after):
        found.update(connection.execute(query.limit(limit)).scalars().all())
    first = sorted(found)[:limit]
    t, p = tables.log, tables.payloads
    entries = (
        select(t.c.position, t.c.kind, t.c.recorded_at, p.c.body)
        .outerjoin(p, (p.c.chain == t.c.chain) & (p.c.position == t.c.position))
        .where(t.c.chain == chain.value, t.c.position.in_(first))
        .order_by(t.c.position)
    )
    return list(connection.execute(entries).all())


def _sources(chain: Chain, agency: str, after: int) -> Iterator[Select[Any]]:
    a, d, v, r, e = (
        tables.decision_agencies,
        tables.decisions,
        tables.voids,
        tables.reviews,
        tables.event_agencies,
    )
    is_own = (a.c.agency == agency, a.c.chain == chain.value, a.c.strictness > 0)
    # An agency that a referral let in has a row at the referral's position: that event tells it.
    is_decision = exists().where(d.c.decision_id == a.c.decision_id, d.c.position == a.c.position)
    has_left = exists().where(tables.decided_elsewhere.c.decision_id == a.c.decision_id)
    yield select(a.c.position).where(*is_own, a.c.position > after, is_decision, ~has_left).order_by(a.c.position)
    yield (
        select(v.c.position)
        .where(
            v.c.chain == chain.value,
            v.c.position > after,
            exists().where(a.c.decision_id == v.c.decision_id, *is_own),
        )
        .order_by(v.c.position)
    )
    yield (
        select(r.c.position)
        .where(
            r.c.agency == agency,
            r.c.chain == chain.value,
            r.c.position > after,
            r.c.action == ReviewAction.OVERRIDE.value,
        )
        .order_by(r.c.position)
    )
    yield (
        select(e.c.position)
        .where(e.c.agency == agency, e.c.chain == chain.value, e.c.position > after)
        .order_by(e.c.position)
    )
