"""Referrals, delays and releases in the database."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, func, or_, select

from chekara.adapters import tables
from chekara.adapters.chain_writer import ChainWriter
from chekara.adapters.database import Database
from chekara.domain.actor import Actor
from chekara.domain.referral import Delay, Referral, ReferralStep, Release, Step
from chekara.domain.vocabulary import COORDINATOR, Role
from chekara.errors import FieldProblem, InvalidRequestError
from chekara.service.chain import instant_from, instant_text
from chekara.service.payload import Plain, parsed
from chekara.service.records import Chain, DecisionRecord
from chekara.service.referral_payload import (
    OPENED,
    RELEASED,
    kind_of,
    plain_referral,
    plain_release,
    plain_step,
    referral_from,
    release_from,
)
from chekara.service.referral_ports import Due, ReferralPage, Standing

LARGEST_PAGE: Final = 200
_CURSOR: Final = re.compile(r"[0-9]{1,18}")


class TransactionReferrals:
    """Referrals and releases within one transaction of the log.

    Parameters
    ----------
    connection : Connection
    writer : ChainWriter
        Of the same transaction.
    """

    def __init__(self, connection: Connection, writer: ChainWriter) -> None:
        self._connection = connection
        self._writer = writer

    def referral(self, chain: Chain, referral_id: str) -> Referral | None:
        """Return a referral with its steps; earlier appends count."""
        self._writer.flush()
        return next(iter(read_referrals(self._connection, chain, tables.referrals.c.referral_id == referral_id)), None)

    def of_decision(self, chain: Chain, decision_id: str) -> tuple[Referral, ...]:
        """Return the referrals of a decision, oldest first; earlier appends count."""
        self._writer.flush()
        return read_referrals(self._connection, chain, tables.referrals.c.decision_id == decision_id)

    def of_crossing(self, chain: Chain, crossing_id: str) -> tuple[Referral, ...]:
        """Return the referrals of all revisions of a crossing, oldest first; earlier appends count."""
        self._writer.flush()
        return read_referrals(self._connection, chain, _is_of_crossing(chain, crossing_id))

    def is_released_since(self, chain: Chain, delay: Delay) -> bool:
        """Whether the crossing, in whichever revision, was released after this delay; earlier appends count."""
        self._writer.flush()
        query = select(tables.releases.c.position).where(
            tables.releases.c.chain == chain.value,
            _is_of_delay(delay.review_id, delay.decision_id, delay.position),
        )
        return self._connection.execute(query.limit(1)).first() is not None

    def append_opened(self, chain: Chain, referral: Referral, record: DecisionRecord) -> None:
        """Open a referral; the agency that is asked finds the decision from now on."""
        self._writer.flush()
        a = tables.decision_agencies
        found = select(a.c.agency).where(a.c.decision_id == referral.decision_id, a.c.agency == referral.asked_agency)
        is_admitted = self._connection.execute(found).first() is not None
        row = {"agency": referral.asked_agency, "strictness": record.decision.lane.strictness}
        audience = {*referral.parties, COORDINATOR}
        plain = plain_referral(referral, audience=audience, admits=None if is_admitted else row)
        self._writer.append(chain, OPENED, plain)

    def append_step(self, chain: Chain, referral: Referral, step: ReferralStep) -> Referral:
        """Append a step; returns the referral after it."""
        after = referral.after(step)
        plain = plain_step(referral, step, audience={*after.parties, COORDINATOR})
        self._writer.append(chain, kind_of(step.step), plain)
        return after

    def append_release(self, chain: Chain, release: Release, audience: Iterable[str]) -> None:
        """Append the release of a delayed crossing."""
        self._writer.append(chain, RELEASED, plain_release(release, audience=audience))


class SqlReferrals:
    """Referrals, delays and releases, as readers see them.

    Parameters
    ----------
    database : Database
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def referral(self, chain: Chain, referral_id: str) -> Referral | None:
        """Return a referral with its steps."""
        with self._database.reading() as connection:
            return next(iter(read_referrals(connection, chain, tables.referrals.c.referral_id == referral_id)), None)

    def of_decision(self, chain: Chain, decision_id: str) -> tuple[Referral, ...]:
        """Return the referrals of a decision, oldest first."""
        with self._database.reading() as connection:
            return read_referrals(connection, chain, tables.referrals.c.decision_id == decision_id)

    def of_crossing(self, chain: Chain, crossing_id: str) -> tuple[Referral, ...]:
        """Return the referrals of all revisions of a crossing, oldest first."""
        with self._database.reading() as connection:
            return read_referrals(connection, chain, _is_of_crossing(chain, crossing_id))

    def delays_of(self, chain: Chain, decision_id: str) -> tuple[Delay, ...]:
        """Return the delays that reviews of any revision of a decision's crossing asked for, oldest first."""
        t = tables.delays
        is_of_it = t.c.decision_id.in_(_revisions_beside(decision_id))
        query = select(t).where(t.c.chain == chain.value, is_of_it).order_by(t.c.position)
        with self._database.reading() as connection:
            return tuple(map(_delay, connection.execute(query)))

    def release_of(self, chain: Chain, decision_id: str) -> Release | None:
        """Return the newest release of a decision's crossing, in whichever revision."""
        t, p = tables.releases, tables.payloads
        query = (
            select(p.c.body)
            .join(t, (t.c.chain == p.c.chain) & (t.c.position == p.c.position))
            .where(t.c.chain == chain.value, t.c.decision_id.in_(_revisions_beside(decision_id)))
            .order_by(t.c.position.desc())
            .limit(1)
        )
        with self._database.reading() as connection:
            body = connection.execute(query).scalar()
        return None if body is None else release_from(parsed(body))

    def page(
        self, actor: Actor, standing: Standing | None, *, now: datetime, cursor: str | None, limit: int
    ) -> ReferralPage:
        """Return a page of the referrals that the actor's agency has a part in, the newest first.

        Parameters
        ----------
        actor : Actor
            Auditors and the coordinator see all of their chain.
        standing : {'open', 'overdue', 'closed'} or None
            Overdue ones are open, too.
        now : datetime
        cursor : str or None
            What the page before returned.
        limit : int
            From 1 to 200.

        Raises
        ------
        InvalidRequestError
            The cursor is not one of ours, or the limit is out of bounds.
        """
        if not 1 <= limit <= LARGEST_PAGE:
            raise _refused("limit", "out_of_bounds", f"between 1 and {LARGEST_PAGE}")
        r, chain = tables.referrals, Chain.of(actor)
        conditions = [*_is_party(actor), *_stands(standing, now)]
        if cursor is not None:
            conditions.append(r.c.position < _read_cursor(cursor))
        ids = _standing_query(r.c.referral_id, r.c.position).where(r.c.chain == chain.value, *conditions)
        with self._database.reading() as connection:
            rows = connection.execute(ids.order_by(r.c.position.desc()).limit(limit + 1)).all()
            page = rows[:limit]
            found = read_referrals(connection, chain, r.c.referral_id.in_([row.referral_id for row in page]))
        next_cursor = _cursor(page[-1].position) if len(rows) > limit else None
        return ReferralPage(found[::-1], next_cursor)

    def opened_since(self, chain: Chain, instant: datetime) -> Sequence[Referral]:
        """Return the referrals opened at or after an instant, oldest first."""
        with self._database.reading() as connection:
            # Deadlines lie after the opening, so that none is left out by looking at them.
            found = read_referrals(connection, chain, tables.referrals.c.answer_by >= instant_text(instant))
        return tuple(one for one in found if one.opened_at >= instant)

    def due(self, chain: Chain, now: datetime, limit: int) -> Due:
        """Return what the clock has to look at: at most ``limit`` referrals and as many delays, the oldest first."""
        r, s, d = tables.referrals, tables.referral_steps, tables.delays
        unanswered = (
            select(r.c.referral_id)
            .where(
                r.c.chain == chain.value,
                r.c.answer_by <= instant_text(now),
                r.c.asked_agency != COORDINATOR,
                ~exists().where(s.c.referral_id == r.c.referral_id),
                ~exists().where(tables.voids.c.decision_id == r.c.decision_id),
            )
            .order_by(r.c.position)
            .limit(limit)
        )
        past = (
            select(d)
            .where(d.c.chain == chain.value, d.c.until <= instant_text(now), *_is_still_delayed())
            .order_by(d.c.until, d.c.position)
            .limit(limit)
        )
        with self._database.reading() as connection:
            ids = connection.execute(unanswered).scalars().all()
            referrals = read_referrals(connection, chain, r.c.referral_id.in_(ids)) if ids else ()
            return Due(chain, referrals, tuple(map(_delay, connection.execute(past))))


def _is_of_delay(review_id: Any, decision_id: Any, position: Any) -> ColumnElement[bool]:
    t = tables.releases
    is_of_crossing = t.c.decision_id.in_(_revisions_beside(decision_id))
    return or_(t.c.review_id == review_id, and_(is_of_crossing, t.c.position > position))


def _is_of_crossing(chain: Chain, crossing_id: str) -> ColumnElement[bool]:
    return tables.referrals.c.decision_id.in_(tables.revisions_of(chain.value, crossing_id))


def _revisions_beside(decision_id: Any) -> Select[tuple[str]]:
    """Select the decisions of a decision's crossing, itself included."""
    one = tables.decisions.alias()
    found = tables.revisions_of(one.c.chain, one.c.crossing_id).where(one.c.decision_id == decision_id)
    # Two selects deep, the table that the decision comes from would be joined anew unless it is named.
    return found.correlate(tables.delays)


def _is_still_delayed() -> Iterable[ColumnElement[bool]]:
    d, v, later = tables.delays, tables.voids, tables.reviews.alias("later")
    yield ~exists(tables.releases.c.position).where(_is_of_delay(d.c.review_id, d.c.decision_id, d.c.position))
    came_after = tables.decisions.alias("came_after")
    yield ~exists().where(
        v.c.decision_id.in_(_revisions_beside(d.c.decision_id)),
        ~exists().where(
            came_after.c.chain == v.c.chain,
            came_after.c.crossing_id == v.c.crossing_id,
            came_after.c.revision > v.c.revision,
        ),
    )
    yield ~exists().where(
        later.c.decision_id.in_(_revisions_beside(d.c.decision_id)),
        # An expression, so that the reviews are found by their decision and not by going through all of an agency's.
        later.c.agency.concat("") == d.c.agency,
        later.c.position > d.c.position,
    )


def read_referrals(connection: Connection, chain: Chain, wanted: ColumnElement[bool]) -> tuple[Referral, ...]:
    """Read referrals with their steps, oldest first; one whose payload was removed is passed over.

    Parameters
    ----------
    connection : sqlalchemy.Connection
    chain : Chain
    wanted : ColumnElement
        Condition on the table of referrals.
    """
    r, s, p = tables.referrals, tables.referral_steps, tables.payloads
    opened = (
        select(p.c.body)
        .join(r, (r.c.chain == p.c.chain) & (r.c.position == p.c.position))
        .where(r.c.chain == chain.value, wanted)
        .order_by(r.c.position)
    )
    found: list[Plain] = [parsed(body) for body in connection.execute(opened).scalars()]
    taken = (
        select(p.c.body)
        .join(s, (s.c.chain == p.c.chain) & (s.c.position == p.c.position))
        .where(s.c.chain == chain.value, s.c.referral_id.in_(select(r.c.referral_id).where(wanted)))
        .order_by(s.c.position)
    )
    steps: dict[str, list[Plain]] = {}
    for body in connection.execute(taken).scalars():
        step = parsed(body)
        steps.setdefault(step["referral_id"], []).append(step)
    return tuple(referral_from(one, steps.get(one["referral_id"], ())) for one in found)


_REROUTED, _ACCEPTED = (tables.referral_steps.alias(name) for name in ("rerouted", "accepted"))


def _standing_query(*columns: ColumnElement[Any]) -> Select[Any]:
    """Select of referrals beside the steps that set a new deadline."""
    r = tables.referrals
    query = select(*columns).select_from(r)
    for alias, step in ((_REROUTED, Step.REROUTED), (_ACCEPTED, Step.ACCEPTED)):
        query = query.outerjoin(alias, (alias.c.referral_id == r.c.referral_id) & (alias.c.step == step.value))
    return query


def _stands(standing: Standing | None, now: datetime) -> Iterable[ColumnElement[bool]]:
    r, s = tables.referrals, tables.referral_steps
    ends = [Step.DECLINED.value, Step.CLOSED.value]
    is_finished = exists().where(s.c.referral_id == r.c.referral_id, s.c.step.in_(ends))
    if standing == "closed":
        yield is_finished
    elif standing is not None:
        yield ~is_finished
    if standing == "overdue":
        yield func.coalesce(_ACCEPTED.c.due_at, _REROUTED.c.due_at, r.c.answer_by) <= instant_text(now)


def _is_party(actor: Actor) -> Iterable[ColumnElement[bool]]:
    if actor.role is not Role.AUDITOR and actor.agency != COORDINATOR:
        r = tables.referrals
        # Re-routed ones go to the coordinator alone.
        yield or_(r.c.from_agency == actor.agency, r.c.asked_agency == actor.agency)


def _delay(row: Any) -> Delay:
    return Delay(
        review_id=row.review_id,
        decision_id=row.decision_id,
        agency=row.agency,
        until=instant_from(row.until),
        position=row.position,
    )


def _cursor(position: int) -> str:
    return base64.urlsafe_b64encode(str(position).encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> int:
    try:
        plain = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (ValueError, binascii.Error):
        plain = ""
    if _CURSOR.fullmatch(plain) is None:
        raise _refused("cursor", "unknown_cursor", "give back the cursor of the page before, as it was")
    return int(plain)


def _refused(where: str, code: str, message: str) -> InvalidRequestError:
    problem = FieldProblem(where, code, message)
    return InvalidRequestError("the list cannot be read like this", problems=(problem,), where=where, hint=message)
