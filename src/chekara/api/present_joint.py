"""Referrals, delays and events as their readers may see them: CONTRACT section 4, and nothing that is not theirs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chekara.api.present import present_actions, present_instant
from chekara.domain.actor import Actor
from chekara.domain.referral import Referral, ReferralStep, Step
from chekara.service.decision_head import DecisionHead
from chekara.service.delayed import DelayedRelease
from chekara.service.events import Event, EventPage
from chekara.service.visibility import is_wanted_by_another, own_actions


def present_referral(referral: Referral, now: datetime) -> dict[str, Any]:
    """Write a referral as its parties see it; what has not happened is left out.

    Parameters
    ----------
    referral : Referral
    now : datetime
        Tells whether it is overdue.
    """
    body: dict[str, Any] = {
        "referral_id": referral.referral_id,
        "decision_id": referral.decision_id,
        "crossing_id": referral.crossing_id,
        "crossing_point": referral.crossing_point,
        "from": referral.from_agency,
        "to": referral.to_agency,
        "asked_first": referral.asked_agency if referral.step(Step.REROUTED) is not None else None,
        "domain": referral.domain,
        "reason": referral.reason,
        "opened_by": referral.opened_by,
        "opened_at": present_instant(referral.opened_at),
        "state": referral.state.value,
        "due_at": present_instant(referral.due_at),
        "is_overdue": referral.is_overdue(now),
        **{f"{step}_at": _at(referral.step(step)) for step in Step},
    }
    answers = [step for step in referral.steps if step.reason is not None]
    if answers:
        body |= {"answer": answers[-1].reason, "answered_by": answers[-1].officer, "result": answers[-1].result}
    return {name: value for name, value in body.items() if value is not None}


def present_delay(delay: DelayedRelease) -> dict[str, Any]:
    """Write where a delayed release stands."""
    body = {
        "agency": delay.agency,
        "until": present_instant(delay.until),
        "held_by": delay.held_by,
        "released_at": None if delay.released_at is None else present_instant(delay.released_at),
    }
    return {name: value for name, value in body.items() if value is not None}


def present_events(page: EventPage, actor: Actor, language: str) -> dict[str, Any]:
    """Write a page of events.

    Parameters
    ----------
    page : EventPage
    actor : Actor
        Of a domain that it may not see it is told that another agency wants the crossing, and no more.
    language : {'en', 'ru', 'ky'}
    """
    return {
        "events": [_event(event, actor, language) for event in page.events],
        "next_after": page.next_after,
    }


def _event(event: Event, actor: Actor, language: str) -> dict[str, Any]:
    told: dict[str, Any] = {"position": event.position, "event": event.kind, "at": present_instant(event.at)}
    if event.referral is not None:
        # As it stood then: whether it is overdue changes with the clock, and an event stays what it was.
        shown = present_referral(event.referral, event.at)
        del shown["is_overdue"]
        return told | {"decision_id": shown["decision_id"], "crossing_id": shown["crossing_id"], "referral": shown}
    if event.release is not None:
        release = event.release
        return told | {
            "decision_id": release.decision_id,
            "crossing_id": release.crossing_id,
            "crossing_point": release.crossing_point,
            "delayed_by": release.agency,
            "until": present_instant(release.until),
        }
    if event.decision is not None:
        told |= _crossing(event.decision)
    if event.review is not None and event.review.lane is not None:
        return told | {"lane": event.review.lane.value, "reason": event.review.reason}
    if event.kind == "lane" and event.decision is not None:
        told |= _lane(event.decision, actor, language)
    return told


def _crossing(decision: DecisionHead) -> dict[str, Any]:
    return {
        "decision_id": decision.decision_id,
        "crossing_id": decision.crossing_id,
        "revision": decision.revision,
        "crossing_point": decision.crossing_point,
    }


def _lane(decision: DecisionHead, actor: Actor, language: str) -> dict[str, Any]:
    actions = own_actions(decision, actor)
    told = {
        "lane": decision.lane.value,
        "actions": present_actions(actions, language),
        "another_agency": is_wanted_by_another(decision, actor),
    }
    return told | ({"control_id": decision.control_id} if actions and decision.control_id else {})


def _at(step: ReferralStep | None) -> str | None:
    return None if step is None else present_instant(step.at)
