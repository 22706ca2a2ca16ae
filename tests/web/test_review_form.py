"""The review form: a reason always, and the one field that the action needs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from chekara.domain.vocabulary import Lane, ReviewAction
from chekara.web.review_form import FormLimits, parse_review
from tests.web import examples

LIMITS = FormLimits(("agriculture", "border_service"), 512, examples.SCORED_AT)
WHY = "Weighed again: packing explains it"


def problems_of(**sent: str) -> dict[str, str]:
    request, form = parse_review("d-1", sent, LIMITS, "en")
    assert (request is None) == bool(form.problems)
    return form.problems


def test_follow_needs_a_reason_alone() -> None:
    request, form = parse_review("d-1", {"action": "follow", "reason": f"  {WHY}\r\n "}, LIMITS, "en")
    assert request is not None
    assert (request.action, request.reason, request.lane, request.refer_to, request.until) == (
        ReviewAction.FOLLOW,
        WHY,
        None,
        None,
        None,
    )
    assert form.problems == {}


def test_fields_of_other_actions_are_not_looked_at() -> None:
    sent = {"action": "override", "lane": "green", "to": "agriculture", "until": "nonsense", "reason": WHY}
    request, _ = parse_review("d-1", sent, LIMITS, "en")
    assert request is not None
    assert (request.lane, request.refer_to, request.until) == (Lane.GREEN, None, None)


def test_delay_is_local_time() -> None:
    request, _ = parse_review("d-1", {"action": "delay", "until": "2026-11-24T18:30", "reason": WHY}, LIMITS, "en")
    assert request is not None
    assert request.until == datetime(2026, 11, 24, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"action": "follow", "reason": " \t\r\n"}, "reason"),
        ({"action": "follow"}, "reason"),
        ({"action": "follow", "reason": "x" * 513}, "reason"),
        ({"action": "follow", "reason": "turned \u202e around"}, "reason"),
        ({"action": "follow", "reason": "nul \x00"}, "reason"),
        ({"action": "", "reason": WHY}, "action"),
        ({"action": "release", "reason": WHY}, "action"),
        ({"action": "override", "reason": WHY}, "lane"),
        ({"action": "override", "lane": "violet", "reason": WHY}, "lane"),
        ({"action": "refer", "to": "customs", "reason": WHY}, "to"),
        ({"action": "refer", "to": "", "reason": WHY}, "to"),
        ({"action": "delay", "until": "", "reason": WHY}, "until"),
        ({"action": "delay", "until": "2026-11-24T11:07", "reason": WHY}, "until"),
        ({"action": "delay", "until": "tomorrow", "reason": WHY}, "until"),
        ({"action": "delay", "until": "0001-01-01T00:00", "reason": WHY}, "until"),
        ({"action": "delay", "until": "9999-12-31T23:59", "reason": WHY}, "until"),
        ({"action": "follow", "reason": "..."}, "reason"),
    ],
)
def test_what_is_missing_is_told_beside_its_field(sent: dict[str, str], field: str) -> None:
    assert list(problems_of(**sent)) == [field]


def test_form_comes_back_as_it_was_sent() -> None:
    _, form = parse_review("d-1", {"action": "refer", "to": "agriculture", "reason": ""}, LIMITS, "ky")
    assert [choice.value for choice in form.actions if choice.is_chosen] == ["refer"]
    assert [choice.value for choice in form.agencies if choice.is_chosen] == ["agriculture"]
    assert form.problems["reason"].startswith("Себебин жазыңыз")


def test_a_delay_may_be_a_minute_ahead() -> None:
    ahead = (examples.SCORED_AT + timedelta(hours=6, minutes=1)).strftime("%Y-%m-%dT%H:%M")
    assert problems_of(action="delay", until=ahead, reason=WHY) == {}
