"""An agency's events, from four indexes that each hold them in the order of the log."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from sqlalchemy import Connection, Select, exists, select

from chekara.adapters import tables
from chekara.adapters.chain_writer import head_of
from chekara.adapters.database import Database
from chekara.adapters.referrals import read_referrals
from chekara.domain.actor import Actor
from chekara.domain.referral import Referral, Step
from chekara.domain.vocabulary import ReviewAction
from chekara.service.chain import instant_from
from chekara.service.decision_head import DecisionHead, head_from
from chekara.service.events import Event, EventKind, EventPage
from chekara.service.payload import Plain, parsed, review_from
from chekara.service.records import Chain
from chekara.service.referral_payload import OPENED, RELEASED, release_from

_STEPS: Final = {f"referral_{step}": step for step in Step}
_ABOUT_DECISIONS: Final = frozenset({"review", "void"})


class SqlEventFeed:
    """Reads the events that an agency is told of.

    Parameters
    ----------
    database : Database
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def __call__(self, actor: Actor, after: int, limit: int) -> EventPage:
        """Return the own agency's events after a position, as `chekara.service.events.ReadEvents` says."""
        chain = Chain.of(actor)
        with self._database.reading() as connection:
            head, _ = head_of(connection, chain)
            positions = _positions(connection, chain, actor.agency, after, limit)
            events = tuple(_events(connection, chain, positions))
        # A page that is not full has told everything up to the head.
        return EventPage(events, positions[-1] if len(positions) == limit else max(after, head))


@dataclass(slots=True)
class _Entry:
    """A log entry of the page: a decision's head, or what else its payload holds; None where it was removed."""

    position: int
    kind: str
    recorded_at: str
    told: DecisionHead | Plain | None


def _events(connection: Connection, chain: Chain, positions: Sequence[int]) -> Iterator[Event]:
    """Build the events of a page in a handful of queries, whatever its length; what was removed brings none."""
    entries = list(_entries(connection, chain, positions))
    plain = [(entry.kind, entry.told) for entry in entries if isinstance(entry.told, dict)]
    about = _heads(connection, chain, {told["decision_id"] for kind, told in plain if kind in _ABOUT_DECISIONS})
    asked = {told["referral_id"] for kind, told in plain if kind == OPENED or kind in _STEPS}
    referrals = {
        one.referral_id: one for one in read_referrals(connection, chain, tables.referrals.c.referral_id.in_(asked))
    }
    for entry in entries:
        if isinstance(entry.told, DecisionHead):
            yield Event(position=entry.position, kind="lane", at=entry.told.scored_at, decision=entry.told)
        elif entry.kind == RELEASED and entry.told is not None:
            release = release_from(entry.told)
            yield Event(position=entry.position, kind="released", at=release.released_at, release=release)
        elif entry.kind in _ABOUT_DECISIONS and entry.told is not None and entry.told["decision_id"] in about:
            yield _of_decision(entry, entry.told, about[entry.told["decision_id"]])
        elif entry.told is not None and entry.told.get("referral_id") in referrals:
            yield _of_referral(entry, referrals[entry.told["referral_id"]])


def _of_referral(entry: _Entry, referral: Referral) -> Event:
    kind, step = cast("EventKind", entry.kind), _STEPS.get(entry.kind)
    if step is None:
        return Event(position=entry.position, kind=kind, at=referral.opened_at, referral=replace(referral, steps=()))
    taken = [one.step for one in referral.steps]
    steps = referral.steps[: taken.index(step) + 1]
    return Event(position=entry.position, kind=kind, at=steps[-1].at, referral=replace(referral, steps=steps))


def _of_decision(entry: _Entry, plain: Plain, head: DecisionHead) -> Event:
    if entry.kind == "review":
        review = review_from(plain)
        at = review.reviewed_at
        return Event(position=entry.position, kind="lane_changed", at=at, decision=head, review=review)
    return Event(position=entry.position, kind="withdrawn", at=instant_from(entry.recorded_at), decision=head)


def _positions(connection: Connection, chain: Chain, agency: str, after: int, limit: int) -> list[int]:
    """Return where the first entries after a position are, in the order of the log."""
    found: set[int] = set()
    for query in _sources(chain, agency, after):
        found.update(connection.execute(query.limit(limit)).scalars())
    return sorted(found)[:limit]


def _entries(connection: Connection, chain: Chain, positions: Sequence[int]) -> Iterator[_Entry]:
    """Read entries in the order of the log, payload after payload: a page of whole ones would be many megabytes."""
    t, p = tables.log, tables.payloads
    referred = _referred(connection, chain, positions)
    entries = (
        select(t.c.position, t.c.kind, t.c.recorded_at, p.c.body)
        .outerjoin(p, (p.c.chain == t.c.chain) & (p.c.position == t.c.position))
        .where(t.c.chain == chain.value, t.c.position.in_(positions))
        .order_by(t.c.position)
    )
    for position, kind, recorded_at, body in connection.execute(entries):
        told: DecisionHead | Plain | None = None
        if body is not None:
            told = head_from(body, referred.get(position, {})) if kind == "decision" else parsed(body)
        yield _Entry(position, kind, recorded_at, told)


def _referred(
    connection: Connection, chain: Chain, positions: Sequence[int]
) -> Mapping[int, Mapping[str, tuple[str, ...]]]:
    """Return which agencies decisions were referred to since, by position and domain."""
    r, d = tables.referrals, tables.decisions
    query = (
        select(d.c.position, r.c.domain, r.c.asked_agency)
        .join(r, r.c.decision_id == d.c.decision_id)
        .where(d.c.chain == chain.value, d.c.position.in_(positions))
        .order_by(r.c.position)
    )
    found: dict[int, dict[str, tuple[str, ...]]] = {}
    for position, domain, agency in connection.execute(query):
        own = found.setdefault(position, {})
        own[domain] = (*own.get(domain, ()), agency)
    return found


def _heads(connection: Connection, chain: Chain, decision_ids: Collection[str]) -> dict[str, DecisionHead]:
    t, p = tables.decisions, tables.payloads
    query = (
        select(t.c.decision_id, p.c.body)
        .join(p, (p.c.chain == t.c.chain) & (p.c.position == t.c.position))
        .where(t.c.chain == chain.value, t.c.decision_id.in_(decision_ids))
    )
    return {decision_id: head_from(body) for decision_id, body in connection.execute(query)}


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
