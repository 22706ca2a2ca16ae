"""How agencies act together, as the case and the supervisors' page tell it."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from chekara import messages
from chekara.domain.actor import Actor
from chekara.domain.referral import Step
from chekara.domain.vocabulary import Role
from chekara.service.delayed import DelayedRelease
from chekara.service.overdue import OverdueShare
from chekara.service.records import DecisionRecord
from chekara.web.case import build_case
from chekara.web.pages import CasePage
from chekara.web.render import render
from chekara.web.together import SinceThen, build_agencies, parse_answer
from tests.web import examples

BORDER = Actor("k9", "C. Asanova", "border_service", Role.ANALYST)
FARM = Actor("k8", "D. Farm", "agriculture", Role.ANALYST)


def joint() -> DecisionRecord:
    """Return the example with vehicle crime in the lead: customs joins."""
    record = examples.record()
    customs, police = record.decision.actions
    actions = (dataclasses.replace(customs, role="joined"), police)
    return dataclasses.replace(record, decision=dataclasses.replace(record.decision, actions=actions))


def case(since: SinceThen, actor: Actor = examples.ANALYST, record: DecisionRecord | None = None) -> CasePage:
    return build_case(record or examples.record(), (), actor, None, frame=examples.frame(), since=since)


def test_the_joint_control_names_its_lead_to_who_may_see_it() -> None:
    control = case(examples.since(), BORDER, joint()).control
    assert control is not None
    assert control.lead == "Internal affairs leads, for: Stolen or altered vehicle."
    assert control.others == "Joins: Customs."
    assert control.due_at == "Due by 24 Nov 2026, 12:07: the earliest of all deadlines."
    hidden = case(examples.since(), examples.ANALYST, joint()).control
    assert hidden is not None
    assert (hidden.lead, hidden.others) == ("Another agency leads it.", None)
    assert hidden.due_at == "Your part is due by 24 Nov 2026, 13:07."


def test_one_agency_alone_needs_no_joint_control() -> None:
    record = examples.record()
    alone = dataclasses.replace(
        record, decision=dataclasses.replace(record.decision, actions=record.decision.actions[:1])
    )
    assert case(examples.since(), record=alone).control is None


@pytest.mark.parametrize(
    ("steps", "minutes", "clock", "is_late"),
    [
        ((), 50, "To be answered by 24 Nov 2026, 12:27 · 30 min left", False),
        ((), 140, "Overdue for 1 h: an answer was due by 24 Nov 2026, 12:27", True),
        ((examples.step(Step.ACCEPTED, 40),), 100, "To be reported back by 25 Nov 2026, 11:47 · 23 h left", False),
        ((examples.step(Step.ACCEPTED, 40), examples.step(Step.CLOSED, 90)), 9999, None, False),
        ((examples.step(Step.DECLINED, 40),), 9999, None, False),
    ],
)
def test_a_referral_tells_its_clock(steps: tuple, minutes: int, clock: str | None, is_late: bool) -> None:  # type: ignore[type-arg]
    (line,) = case(examples.since(minutes, referrals=(examples.referral(*steps),))).referrals
    said = None if line.clock is None else line.clock.replace("\u00a0", " ")
    assert (said, line.is_overdue) == (clock, is_late)
    assert len(line.steps) == len(steps)


def test_only_the_agency_that_is_asked_has_a_form() -> None:
    asked = examples.since(referrals=(examples.referral(),))
    moved = examples.since(referrals=(examples.referral(examples.step(Step.REROUTED, 90)),))
    supervisor = dataclasses.replace(examples.ANALYST, role=Role.SUPERVISOR)
    for since, actor, buttons in (
        (asked, examples.ANALYST, ["accept", "decline"]),
        (asked, supervisor, ["accept", "decline"]),
        (asked, examples.INSPECTOR, None),
        (asked, BORDER, None),
        (moved, examples.ANALYST, None),
        (moved, BORDER, ["accept", "decline"]),
    ):
        form = case(since, actor).referrals[0].form
        assert (None if form is None else [one.value for one in form.actions]) == buttons
    accepted = examples.since(referrals=(examples.referral(examples.step(Step.ACCEPTED, 40)),))
    form = case(accepted).referrals[0].form
    assert form is not None
    assert [one.value for one in form.actions] == ["close"]
    assert len(form.results) == 4


@pytest.mark.parametrize("language", messages.languages())
def test_a_delay_tells_what_holds_it(language: str) -> None:
    until = examples.SCORED_AT + timedelta(hours=2)
    for held in (None, "referral", "lane", "delay", "replaced", "withdrawn"):
        since = examples.since(delay=DelayedRelease("customs", until, held, None))
        page = build_case(examples.record(), (), examples.ANALYST, None, frame=examples.frame(language), since=since)
        assert page.delay is not None
        assert (page.delay.state, page.delay.held is None) == ("waits" if held is None else "held", held is None)
    released = DelayedRelease("customs", until, None, until)
    line = case(examples.since(300, delay=released)).delay
    assert line is not None
    assert line.said == "Released by the clock, 24 Nov 2026, 13:07. Customs had delayed it."


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        ({"reason": "why"}, "Choose"),
        ({"action": "reopen", "reason": "why"}, "Choose"),
        ({"action": "accept", "reason": " ... "}, "reason"),
        ({"action": "accept", "reason": "x" * 41}, "40"),
        ({"action": "accept", "reason": "odd \u202e"}, ""),
    ],
)
def test_an_answer_that_is_missing_something_is_told_so(sent: dict[str, str], problem: str) -> None:
    wanted, said = parse_answer("f-1", sent, 40, "en")
    assert wanted is None
    assert said
    assert problem.lower() in said.lower()


def test_answers_are_read_from_the_form() -> None:
    sent = {"action": "close", "reason": "  Frame   is genuine ", "result": "clear"}
    wanted, said = parse_answer("f-1", sent, 40, "en")
    assert wanted is not None
    assert (wanted.action.value, wanted.reason, wanted.result, said) == ("close", "Frame is genuine", "clear", "")
    other, _ = parse_answer("f-1", sent | {"action": "accept"}, 40, "en")
    assert other is not None
    assert other.result is None


def test_the_agency_that_misses_most_comes_first_with_the_longest_bar() -> None:
    shares = (
        OverdueShare("customs", 10, 1, 2),
        OverdueShare("agriculture", 0, 0, 1),
        OverdueShare("internal_affairs", 4, 2, 0),
    )
    page = build_agencies(shares, frame=examples.frame())
    assert [row.agency for row in page.rows] == [
        "Internal affairs",
        "Customs",
        "Agriculture (veterinary and plant health)",
    ]
    assert [row.width for row in page.rows] == [50.0, 10.0, 0.0]
    assert [row.missed for row in page.rows] == ["2 of 4", "1 of 10", "0 of 0"]
    assert "<rect" in render(page)
