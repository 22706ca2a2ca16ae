"""How agencies act together on a case: the joint control, referrals with their clocks, a delayed release, results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from chekara import messages
from chekara.domain.actor import Actor, Permission, may
from chekara.domain.referral import (
    REFERRAL_RESULTS,
    Referral,
    ReferralAction,
    ReferralState,
    ReferralStep,
    Step,
)
from chekara.policy.joint import joint_control
from chekara.service.delayed import DelayedRelease
from chekara.service.overdue import OverdueShare
from chekara.service.records import DecisionRecord, InspectionRecord
from chekara.service.referral import ReferralAnswer
from chekara.service.visibility import own_actions
from chekara.service.words import has_words
from chekara.web.lines import AgencyRow, AnswerForm, Choice, ControlLine, DelayLine, ReferralLine, ResultLine
from chekara.web.pages import AgenciesPage, Frame
from chekara.web.words import named

BAR_WIDTH = 100.0


@dataclass(frozen=True, slots=True)
class SinceThen:
    """What happened to a crossing since it was decided, as far as the reader may see it.

    Attributes
    ----------
    now : datetime
    referrals : tuple of Referral
        Oldest first.
    delay : DelayedRelease or None
    results : tuple of InspectionRecord
        Oldest first.
    problem : tuple of str or None
        Id of a referral whose answer could not be taken, and why, in words.
    """

    now: datetime
    referrals: tuple[Referral, ...] = ()
    delay: DelayedRelease | None = None
    results: tuple[InspectionRecord, ...] = ()
    problem: tuple[str, str] | None = None


def control_line(record: DecisionRecord, actor: Actor, language: str) -> ControlLine | None:
    """Tell the joint control; None where at most one agency has anything to do.

    Parameters
    ----------
    record : DecisionRecord
    actor : Actor
        Of agencies whose domains it does not see it is told that there are some, without a name.
    language : str
    """
    actions = own_actions(record, actor)
    acting = {action.agency for action in record.decision.actions if action.leads_domain}
    if record.decision.decided_elsewhere is not None or len(acting) < 2 or not actions:
        return None
    control = joint_control(actions)
    if control is None:
        lead, due_key = messages.text("page.case.joint.hidden", language), "page.case.joint.own_due"
        due_at = min(action.due_at for action in actions)
        others: list[str] = []
    else:
        agency = named("agency", control.lead_agency, language)
        lead = messages.text(
            "page.case.joint.lead", language, agency=agency, domain=named("domain", control.lead_domain, language)
        )
        due_at, due_key = control.due_at, "page.case.joint.due"
        others = [named("agency", name, language) for name, role in control.roles if role == "joined"]
    return ControlLine(
        lead=lead,
        others=messages.text("page.case.joint.with", language, agencies=", ".join(others)) if others else None,
        due_at=messages.text(due_key, language, when=messages.instant(due_at, language)),
    )


def referral_lines(since: SinceThen, actor: Actor, language: str) -> tuple[ReferralLine, ...]:
    """Tell referrals, the newest first; where the reader may answer one, with the form.

    Parameters
    ----------
    since : SinceThen
    actor : Actor
        The reader.
    language : str
    """
    return tuple(_referral(one, since, actor, language) for one in reversed(since.referrals))


def _referral(referral: Referral, since: SinceThen, actor: Actor, language: str) -> ReferralLine:
    return ReferralLine(
        referral_id=referral.referral_id,
        title=messages.text(
            "page.case.referral.title",
            language,
            sender=named("agency", referral.from_agency, language),
            agency=named("agency", referral.to_agency, language),
            domain=named("domain", referral.domain, language),
        ),
        state=referral.state.value,
        state_label=messages.text(f"referral_state.{referral.state}", language),
        clock=_clock(referral, since.now, language),
        is_overdue=referral.is_overdue(since.now),
        reason=referral.reason,
        opened=f"{referral.opened_by}, {messages.instant(referral.opened_at, language)}",
        steps=tuple(_steps(referral, language)),
        form=_form(referral, since, actor, language),
    )


def _clock(referral: Referral, now: datetime, language: str) -> str | None:
    if referral.is_finished:
        return None
    key = f"page.case.referral.{'late' if referral.is_overdue(now) else 'left'}_{referral.state}"
    return messages.text(
        key,
        language,
        when=messages.instant(referral.due_at, language),
        time=messages.duration(abs(referral.due_at - now), language),
    )


def _steps(referral: Referral, language: str) -> Iterator[str]:
    for step in referral.steps:
        agency = referral.asked_agency if step.step is Step.REROUTED else step.agency
        said = messages.text(
            f"page.case.referral.{step.step}",
            language,
            agency=named("agency", agency or "", language),
            when=messages.instant(step.at, language),
        )
        yield " ".join((said, *_words_of(step, language)))


def _words_of(step: ReferralStep, language: str) -> Iterator[str]:
    if step.result is not None:
        yield f"{messages.text(f'referral_result.{step.result}', language)}."
    if step.reason is not None:
        yield f"{step.reason} ({step.officer})"


def _form(referral: Referral, since: SinceThen, actor: Actor, language: str) -> AnswerForm | None:
    if referral.is_finished or actor.agency != referral.to_agency or not may(actor, Permission.REVIEW):
        return None
    is_accepted = referral.state is ReferralState.ACCEPTED
    actions = (ReferralAction.CLOSE,) if is_accepted else (ReferralAction.ACCEPT, ReferralAction.DECLINE)
    is_meant = since.problem is not None and since.problem[0] == referral.referral_id
    return AnswerForm(
        actions=tuple(Choice(one, messages.text(f"referral_action.{one}", language)) for one in actions),
        results=tuple(Choice(one, messages.text(f"referral_result.{one}", language)) for one in REFERRAL_RESULTS)
        if is_accepted
        else (),
        problem=since.problem[1] if is_meant and since.problem is not None else None,
    )


def parse_answer(
    referral_id: str, sent: Mapping[str, str], reason_characters: int, language: str
) -> tuple[ReferralAnswer | None, str]:
    """Read the form of an answer.

    Parameters
    ----------
    referral_id : str
    sent : mapping of str to str
        Form fields ``action``, ``reason``, ``result``.
    reason_characters : int
        Longest reason.
    language : str

    Returns
    -------
    answer : ReferralAnswer or None
        None where something is missing or wrong.
    problem : str
        What, in words.
    """
    reason = " ".join(sent.get("reason", "").split())
    actions = {one.value: one for one in ReferralAction}
    action = actions.get(sent.get("action", ""))
    problem = ""
    if action is None:
        problem = "action_missing"
    elif not has_words(reason):
        problem = "reason_missing"
    elif len(reason) > reason_characters:
        problem = "reason_long"
    elif not reason.isprintable():
        problem = "reason_odd"
    if action is None or problem:
        return None, messages.text(f"page.review.{problem}", language, n=str(reason_characters))
    result = sent.get("result") or None
    told = result if action is ReferralAction.CLOSE and result in REFERRAL_RESULTS else None
    return ReferralAnswer(referral_id=referral_id, action=action, reason=reason, result=told), ""


def delay_line(delay: DelayedRelease | None, now: datetime, language: str) -> DelayLine | None:
    """Tell where a delayed release stands; None where nobody delays it.

    Parameters
    ----------
    delay : DelayedRelease or None
    now : datetime
    language : str
    """
    if delay is None:
        return None
    agency, when = named("agency", delay.agency, language), messages.instant(delay.until, language)
    if delay.released_at is not None:
        at = messages.instant(delay.released_at, language)
        return DelayLine("released", messages.text("page.case.delay.released", language, agency=agency, when=at), None)
    key = "page.case.delay.waits" if delay.until > now else "page.case.delay.past"
    held = None if delay.held_by is None else messages.text(f"page.case.delay.held_{delay.held_by}", language)
    said = messages.text(
        key, language, agency=agency, when=when, time=messages.duration(abs(delay.until - now), language)
    )
    return DelayLine("waits" if held is None else "held", said, held)


def result_lines(results: Iterable[InspectionRecord], language: str) -> tuple[ResultLine, ...]:
    """Tell what controls found, the newest last."""
    return tuple(_result(record, language) for record in results)


def _result(record: InspectionRecord, language: str) -> ResultLine:
    inspection = record.inspection
    word = "not_done" if not inspection.is_done else "found" if inspection.found else "clear"
    return ResultLine(
        domain=named("domain", inspection.domain, language),
        outcome=word,
        outcome_label=messages.text(f"page.case.result.{word}", language),
        told=f"{named('agency', record.recorded_by, language)}, {messages.instant(inspection.inspected_at, language)}",
    )


def build_agencies(shares: Iterable[OverdueShare], *, frame: Frame) -> AgenciesPage:
    """Build the supervisors' page: how often each agency misses its deadlines.

    Parameters
    ----------
    shares : iterable of OverdueShare
    frame : Frame

    Returns
    -------
    AgenciesPage
        The agency that misses most comes first.
    """
    language = frame.language
    worst_first = sorted(shares, key=lambda one: (-one.share, -one.duties, one.agency))
    return AgenciesPage(
        frame=frame,
        rows=tuple(
            AgencyRow(
                agency=named("agency", one.agency, language),
                share=messages.share(one.share, language) if one.duties else messages.DASH,
                missed=messages.text(
                    "page.agencies.missed_of",
                    language,
                    missed=messages.number(one.missed, language),
                    of=messages.number(one.duties, language),
                ),
                waiting=messages.number(one.waiting, language),
                width=BAR_WIDTH * one.share,
            )
            for one in worst_first
        ),
    )
