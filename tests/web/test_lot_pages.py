"""The pages give no draw away: not by what they show, not by its order; a policy may hold numbers back at first."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from chekara.domain.actor import Actor
from chekara.domain.review import Review
from chekara.domain.selection import Draw, Grounds, Selection
from chekara.domain.vocabulary import Lane, Role
from chekara.service.records import DecisionPage, DecisionRecord
from chekara.web.case import build_case
from chekara.web.pages import CasePage, QueuePage
from chekara.web.queue import QueueFilter, build_queue
from chekara.web.render import render
from tests.web import examples

SUPERVISOR = Actor("k3", "C. Toktosunov", "customs", Role.SUPERVISOR)
OFFICERS = (examples.ANALYST, examples.INSPECTOR, SUPERVISOR)
OF_CUSTOMS = (replace(examples.review(), agency="customs"),)


def selected_by(channel: str) -> DecisionRecord:
    """Return the example as the model selected it, or as the lot drew it."""
    drawn, whole = channel == "random", examples.record()
    draw = Draw("lot", "revenue_fraud", 0.01, drawn, Lane.RED, "sha256:00")
    selection = Selection("revenue_fraud", Lane.RED, channel, 0.01 if drawn else None)
    decision = replace(
        whole.decision, selected_by=channel, selections=(selection,), grounds=Grounds(draws=(draw,)), control_id="k"
    )
    return replace(whole, decision=decision)


def case(
    record: DecisionRecord, who: Actor, reviews: tuple[Review, ...] = (), *, blind_first: bool = True, **since: object
) -> CasePage:
    frame = replace(examples.frame(), blind_first=blind_first)
    return build_case(record, reviews, who, None, frame=frame, since=examples.since(**since))  # type: ignore[arg-type]


def queue(record: DecisionRecord, who: Actor, *, blind_first: bool) -> QueuePage:
    frame = replace(examples.frame(), blind_first=blind_first)
    now = examples.SCORED_AT + timedelta(minutes=9)
    return build_queue(DecisionPage((record,), None), who, QueueFilter(), (), frame=frame, now=now)


@pytest.mark.parametrize("who", OFFICERS, ids=lambda who: who.role)
@pytest.mark.parametrize("blind_first", [False, True])
def test_case_and_queue_are_equal_whatever_selected(who: Actor, blind_first: bool) -> None:
    by_model, by_lot = selected_by("model"), selected_by("random")
    assert case(by_model, who, blind_first=blind_first) == case(by_lot, who, blind_first=blind_first)
    assert queue(by_model, who, blind_first=blind_first) == queue(by_lot, who, blind_first=blind_first)


def weaker(record: DecisionRecord) -> DecisionRecord:
    """Return the same facts with a score that no model would have selected."""
    of = record.decision.domains[0]
    low = replace(
        of,
        probability=0.01,
        interval=(0.005, 0.02),
        rank=0.3,
        risk=0.3,
        margin=-4.5,
        reasons=tuple(replace(reason, contribution=-reason.contribution / 9) for reason in of.reasons[::-1]),
    )
    return replace(record, decision=replace(record.decision, domains=(low, *record.decision.domains[1:])))


@pytest.mark.parametrize("who", OFFICERS, ids=lambda who: who.role)
def test_with_blind_first_a_low_score_gives_no_draw_away(who: Actor) -> None:
    usual, low = selected_by("model"), weaker(selected_by("random"))
    assert case(usual, who) == case(low, who)
    assert queue(usual, who, blind_first=True) == queue(low, who, blind_first=True)
    shown = render(case(low, who))
    assert "What is known" in shown
    assert "Raises the risk" not in shown
    assert "of 100 such crossings" not in shown


def test_a_review_of_the_own_agency_opens_the_numbers() -> None:
    record = selected_by("random")
    assert case(record, examples.ANALYST).domains[0].waterfall is None
    opened = case(record, examples.ANALYST, OF_CUSTOMS)
    assert opened.domains == case(record, examples.ANALYST, OF_CUSTOMS, blind_first=False).domains
    assert opened.domains[0].waterfall is not None


def test_an_inspector_reads_the_score_once_the_result_is_recorded() -> None:
    record = selected_by("model")
    before = case(record, examples.INSPECTOR, blind_first=False)
    after = case(record, examples.INSPECTOR, blind_first=False, results=(examples.inspected(),))
    assert before.domains[0].likelihood is None
    assert after.domains[0].likelihood is not None
    assert after.domains[0].waterfall is None
