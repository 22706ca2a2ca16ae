"""The queue: what waits for the reader's agency, strictest lane first; coloured by what the own agency is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, urlencode

from chekara import messages
from chekara.domain.actor import Actor
from chekara.domain.vocabulary import Lane, Role
from chekara.service.records import DecisionFilter, DecisionPage, DecisionRecord
from chekara.service.visibility import judges_blind, own_actions, own_scores
from chekara.web.glance import others_lane, own_lane, what_asked
from chekara.web.likelihood import likelihood_of
from chekara.web.lines import Choice
from chekara.web.pages import Frame, QueuePage, QueueRow
from chekara.web.words import named

ROWS_PER_PAGE = 25


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """What the reader wants to see of the queue, as it stands in the address; empty means all.

    Attributes
    ----------
    lane, domain, crossing_point : str
    cursor : str
        Where a page goes on.
    """

    lane: str = ""
    domain: str = ""
    crossing_point: str = ""
    cursor: str = ""

    def wanted(self) -> DecisionFilter:
        """Return the query for the decision log; a lane that does not exist is no filter."""
        return DecisionFilter(
            lane=Lane(self.lane) if self.lane in set(Lane) else None,
            domain=self.domain or None,
            crossing_point=self.crossing_point or None,
            is_newest_revision_only=True,
            is_unreviewed_only=True,
            order="strictest",
            limit=ROWS_PER_PAGE,
        )

    def link(self, cursor: str = "") -> str:
        """Return the address of the queue with this filter."""
        fields = {"lane": self.lane, "domain": self.domain, "crossing_point": self.crossing_point, "cursor": cursor}
        query = urlencode({name: value for name, value in fields.items() if value})
        return f"/queue?{query}" if query else "/queue"


def build_queue(
    found: DecisionPage,
    actor: Actor,
    chosen: QueueFilter,
    domains: Sequence[str],
    *,
    frame: Frame,
    now: datetime,
) -> QueuePage:
    """Build the queue's page.

    Released crossings (green lane) need no review: they are shown only where that lane is asked for.

    Parameters
    ----------
    found : DecisionPage
        In the order to be shown, strictest lane first.
    actor : Actor
    chosen : QueueFilter
    domains : sequence of str
        Domains to choose from.
    frame : Frame
    now : datetime

    Returns
    -------
    QueuePage
    """
    language = frame.language
    records = [r for r in found.records if r.decision.lane is not Lane.GREEN or chosen.lane == Lane.GREEN]
    # Of the crossings of a page those come first that ask most of the own agency.
    by_own_lane = sorted(records, key=lambda record: -(own_lane(record, actor) or Lane.GREEN).strictness)
    # The order is strictest first: once green ones are met, only green ones follow.
    next_cursor = found.next_cursor if len(records) == len(found.records) else None
    return QueuePage(
        frame=frame,
        rows=tuple(_row(record, actor, frame, now) for record in by_own_lane),
        lanes=_choices(((lane, messages.text(f"lane.{lane}.short", language)) for lane in Lane), chosen.lane),
        domains=_choices(((domain, named("domain", domain, language)) for domain in domains), chosen.domain),
        crossing_point=chosen.crossing_point,
        next_link=chosen.link(next_cursor) if next_cursor else None,
        first_link=chosen.link() if chosen.cursor else None,
        is_filtered=bool(chosen.lane or chosen.domain or chosen.crossing_point),
    )


def case_link(decision_id: str) -> str:
    """Return the address of a case."""
    return f"/cases/{quote(decision_id, safe='')}"


def _row(record: DecisionRecord, actor: Actor, frame: Frame, now: datetime) -> QueueRow:
    language, decision = frame.language, record.decision
    is_blind = judges_blind(record, actor, (), blind_first=frame.blind_first)  # what waits was not reviewed
    scores = own_scores(record, actor)
    task = next((action for action in own_actions(record, actor) if action.agency == actor.agency), None)
    asked = what_asked(record, actor).domain
    wanted = asked if not is_blind else None if task is None else task.domain
    main = next((one for one in scores if one.domain == wanted), None)
    own, others = own_lane(record, actor), others_lane(record, actor)
    is_shown_scores = actor.role is not Role.INSPECTOR and not is_blind
    is_referred = any(actor.agency in agencies for agencies in record.referred.values())
    control = None if task is None else messages.text(task.control, language)
    words = likelihood_of(main, language, frame.currency) if main is not None and is_shown_scores else None
    return QueueRow(
        link=case_link(decision.decision_id),
        crossing_id=decision.crossing_id,
        lane=None if own is None else own.value,
        lane_label=messages.text(f"lane.{own}.short", language) if own is not None else None,
        others_lane=None
        if others is None
        else messages.text("page.queue.others_lane", language, lane=messages.text(f"lane.{others}.short", language)),
        control=messages.text("page.queue.referred", language) if control is None and is_referred else control,
        domain=None if main is None else named("domain", main.domain, language),
        likelihood=None if words is None else words.short,
        size=None if words is None else words.amount_short,
        crossing_point=decision.crossing_point,
        scored_at=messages.instant(decision.scored_at, language),
        waiting=messages.duration(now - decision.scored_at, language),
        is_overdue=task is not None and task.due_at < now,
    )


def _choices(options: Iterable[tuple[str, str]], chosen: str) -> tuple[Choice, ...]:
    return tuple(Choice(value, label, value == chosen) for value, label in options)
