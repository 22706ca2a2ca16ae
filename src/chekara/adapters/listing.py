"""Which decisions an actor sees, page by page: keyset pagination, so that a page costs the same however deep."""

from __future__ import annotations

import base64
import binascii
import re

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, or_, select

from chekara.adapters.tables import decided_elsewhere, decision_agencies, decision_domains, decisions, reviews, voids
from chekara.domain.actor import Actor
from chekara.domain.vocabulary import COORDINATOR, Role
from chekara.errors import FieldProblem, InvalidRequestError
from chekara.service.chain import instant_text
from chekara.service.records import Chain, DecisionFilter

LARGEST_PAGE = 200
# No more digits than the database's integers hold.
_CURSOR = re.compile(r"(?P<strictness>[0-9]{1,2})\.(?P<position>[0-9]{1,18})")


def list_decisions(
    connection: Connection, actor: Actor, wanted: DecisionFilter, cursor: str | None
) -> tuple[list[str], str | None]:
    """Return the ids of one page and the cursor of the next.

    Parameters
    ----------
    connection : Connection
    actor : Actor
        Auditors see every decision of their chain, others what their agency may see.
    wanted : DecisionFilter
    cursor : str or None
        What the page before returned.

    Raises
    ------
    InvalidRequestError
        The cursor is not one of ours, or the limit is out of bounds.
    """
    if not 1 <= wanted.limit <= LARGEST_PAGE:
        raise _refused("limit", "out_of_bounds", f"between 1 and {LARGEST_PAGE}")
    query = _visible(actor).where(*_conditions(actor, wanted))
    if cursor is not None:
        query = query.where(_after(wanted, *_read_cursor(cursor)))
    order = [decisions.c.position.desc()]
    if wanted.order == "strictest":
        order = [decisions.c.strictness.desc(), decisions.c.position.asc()]
    # One row more than asked says whether there is a next page.
    rows = connection.execute(query.order_by(*order).limit(wanted.limit + 1)).all()
    page = rows[: wanted.limit]
    next_cursor = _cursor(page[-1].strictness, page[-1].position) if len(rows) > wanted.limit else None
    return [row.decision_id for row in page], next_cursor


def _visible(actor: Actor) -> Select[tuple[str, int, int]]:
    d, a = decisions, decision_agencies
    query = select(d.c.decision_id, d.c.strictness, d.c.position).where(d.c.chain == Chain.of(actor).value)
    if actor.role is Role.AUDITOR or actor.agency == COORDINATOR:
        return query
    return query.join(a, (a.c.decision_id == d.c.decision_id) & (a.c.agency == actor.agency))


def _conditions(actor: Actor, wanted: DecisionFilter) -> list[ColumnElement[bool]]:
    d, newer = decisions, decisions.alias("newer")
    found: list[ColumnElement[bool]] = []
    if wanted.domain is not None:
        found.append(_scored_in(wanted))
    elif wanted.lane is not None:
        found.append(d.c.lane == wanted.lane.value)
    for column, value in ((d.c.crossing_point, wanted.crossing_point), (d.c.crossing_id, wanted.crossing_id)):
        if value is not None:
            found.append(column == value)
    if wanted.since is not None:
        found.append(d.c.scored_at >= instant_text(wanted.since))
    if wanted.is_newest_revision_only:
        found.append(
            ~exists().where(
                newer.c.chain == d.c.chain,
                newer.c.crossing_id == d.c.crossing_id,
                newer.c.revision > d.c.revision,
            )
        )
        found.append(~exists().where(voids.c.decision_id == d.c.decision_id))
    if wanted.is_unreviewed_only:
        found.append(~exists().where(decided_elsewhere.c.decision_id == d.c.decision_id))
        found.append(~exists().where(reviews.c.decision_id == d.c.decision_id, reviews.c.agency == actor.agency))
    return found


def _scored_in(wanted: DecisionFilter) -> ColumnElement[bool]:
    t = decision_domains
    scored = [t.c.decision_id == decisions.c.decision_id, t.c.domain == wanted.domain]
    if wanted.lane is not None:
        scored.append(t.c.lane == wanted.lane.value)
    return exists().where(*scored)


def _after(wanted: DecisionFilter, strictness: int, position: int) -> ColumnElement[bool]:
    d = decisions.c
    if wanted.order == "newest":
        return d.position < position
    return or_(d.strictness < strictness, and_(d.strictness == strictness, d.position > position))


def _cursor(strictness: int, position: int) -> str:
    return base64.urlsafe_b64encode(f"{strictness}.{position}".encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[int, int]:
    try:
        plain = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
        found = _CURSOR.fullmatch(plain)
    except (ValueError, binascii.Error):
        found = None
    if found is None:
        raise _refused("cursor", "unknown_cursor", "give back the cursor of the page before, as it was")
    return int(found["strictness"]), int(found["position"])


def _refused(where: str, code: str, message: str) -> InvalidRequestError:
    problem = FieldProblem(where, code, message)
    return InvalidRequestError("the list cannot be read like this", problems=(problem,), where=where, hint=message)
