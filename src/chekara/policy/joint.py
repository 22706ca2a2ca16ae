"""One crossing that several domains flag is one joint control: one agency leads it, others join, others are informed.

The lead order of the policy says whose harm is most urgent where a truck is stopped. What is done only after release
(blue) leads nothing as long as a domain asks for a control at the border.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from chekara.domain.decision import Action
from chekara.domain.vocabulary import INFORMED, JOINED, LEAD, Lane
from chekara.policy.plans import JointPlan

_ROLES: Final = (LEAD, JOINED, INFORMED)  # the heaviest first


@dataclass(frozen=True, slots=True)
class JointControl:
    """The one control of a crossing.

    Attributes
    ----------
    lead_agency, lead_domain : str
        Who calls the others together, and for what.
    roles : tuple of (str, str)
        Agency and role: ``lead`` exactly once, then ``joined``, then ``informed``; of several roles the heaviest.
    due_at : datetime
        The earliest of all deadlines: the truck stands but once.
    actions : tuple of Action
        What each agency does, as given.
    """

    lead_agency: str
    lead_domain: str
    roles: tuple[tuple[str, str], ...]
    due_at: datetime
    actions: tuple[Action, ...]


def join_actions(actions: Sequence[Action], plan: JointPlan) -> tuple[Action, ...]:
    """Give one of several lead agencies the lead of the whole control; the other leads join it.

    Parameters
    ----------
    actions : sequence of Action
        Of one crossing; in each domain one ``lead`` and others ``informed``.
    plan : JointPlan
        Its lead order names every domain.

    Returns
    -------
    tuple of Action
        In the order given; exactly one of them has the role ``lead``, where there is any.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> at = datetime(2026, 12, 1, tzinfo=UTC)
    >>> asked = [Action(agency, "lead", domain, Lane.RED, "control.search", "instruction.search", None, at)
    ...          for agency, domain in (("customs", "revenue_fraud"), ("internal_affairs", "vehicle_crime"))]
    >>> [action.role for action in join_actions(asked, JointPlan())]
    ['joined', 'lead']
    """
    leads = [action for action in actions if action.role == LEAD]
    if len(leads) < 2:
        return tuple(actions)
    first = min(leads, key=lambda action: _place(action, plan))
    return tuple(_joined(action) if action.role == LEAD and action is not first else action for action in actions)


def joint_control(actions: Sequence[Action]) -> JointControl | None:
    """Return the joint control that stored actions are parts of; None where nothing is asked for.

    Parameters
    ----------
    actions : sequence of Action
        With their final roles. Of several leads, as decisions once had them, the first one counts.
    """
    lead = next((action for action in actions if action.role == LEAD), None)
    if lead is None:
        return None
    heaviest: dict[str, str] = {lead.agency: LEAD}
    for role in _ROLES[1:]:
        for action in actions:
            if role == INFORMED or action.role != INFORMED:
                heaviest.setdefault(action.agency, role)
    return JointControl(
        lead_agency=lead.agency,
        lead_domain=lead.domain,
        roles=tuple(heaviest.items()),
        due_at=min(action.due_at for action in actions if action.role != INFORMED),
        actions=tuple(actions),
    )


def _joined(action: Action) -> Action:
    # Not dataclasses.replace, which takes ten times as long, for every crossing that several domains flag.
    return Action(
        agency=action.agency,
        role=JOINED,
        domain=action.domain,
        lane=action.lane,
        control=action.control,
        instruction=action.instruction,
        item_no=action.item_no,
        due_at=action.due_at,
    )


def _place(action: Action, plan: JointPlan) -> tuple[bool, int]:
    return action.lane is Lane.BLUE, plan.lead_order.index(action.domain)
