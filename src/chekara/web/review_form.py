"""The review form: from what a browser sent to what the use case takes, or to words about what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from chekara import messages
from chekara.domain.vocabulary import Lane, ReviewAction
from chekara.service.review import LONGEST_DELAY, ReviewRequest
from chekara.service.words import has_words
from chekara.web.lines import Choice
from chekara.web.pages import ReviewForm
from chekara.web.words import named

Word = TypeVar("Word", Lane, ReviewAction)


@dataclass(frozen=True, slots=True)
class FormLimits:
    """What a form is judged by.

    Attributes
    ----------
    agencies : tuple of str
        Agencies that a crossing may be referred to: all but the reader's own.
    reason_characters : int
        Longest reason.
    now : datetime
        A delay must end after it.
    """

    agencies: tuple[str, ...]
    reason_characters: int
    now: datetime


def parse_review(
    decision_id: str, sent: Mapping[str, str], limits: FormLimits, language: str
) -> tuple[ReviewRequest | None, ReviewForm]:
    """Read a form; fields that the chosen action does not use are not looked at.

    Parameters
    ----------
    decision_id : str
    sent : mapping of str to str
        Form fields ``action``, ``lane``, ``to``, ``until`` (``2026-11-24T11:07``, local time), ``reason``.
    limits : FormLimits
    language : str

    Returns
    -------
    request : ReviewRequest or None
        None where something is missing or wrong.
    form : ReviewForm
        The form as sent, with what is wrong by field.
    """
    reason = " ".join(sent.get("reason", "").split())
    action = _one_of(ReviewAction, sent.get("action", ""))
    lane = _one_of(Lane, sent.get("lane", "")) if action is ReviewAction.OVERRIDE else None
    agency = sent.get("to", "") if action is ReviewAction.REFER else ""
    until = _local_instant(sent.get("until", "")) if action is ReviewAction.DELAY else None
    problems = {
        "action": "action_missing" if action is None else "",
        "lane": "lane_missing" if action is ReviewAction.OVERRIDE and lane is None else "",
        "to": "agency_missing" if action is ReviewAction.REFER and agency not in limits.agencies else "",
        "until": "until_missing" if action is ReviewAction.DELAY and not _is_ahead(until, limits.now) else "",
        "reason": "" if has_words(reason) else "reason_missing",
    }
    if len(reason) > limits.reason_characters:
        problems["reason"] = "reason_long"
    if not reason.isprintable():  # control characters, and those that turn the direction of writing
        problems["reason"] = "reason_odd"
    found = {
        field: messages.text(f"page.review.{problem}", language, n=str(limits.reason_characters))
        for field, problem in problems.items()
        if problem
    }
    form = build_form(limits.agencies, language, sent=sent, problems=found)
    if found or action is None:
        return None, form
    request = ReviewRequest(
        decision_id=decision_id, action=action, reason=reason, lane=lane, refer_to=agency or None, until=until
    )
    return request, form


def build_form(
    agencies: Iterable[str],
    language: str,
    *,
    sent: Mapping[str, str] | None = None,
    problems: Mapping[str, str] | None = None,
) -> ReviewForm:
    """Build the form, empty or as it was sent.

    Parameters
    ----------
    agencies : iterable of str
        Agencies that the crossing may be referred to.
    language : str
    sent : mapping of str to str, optional
        Form fields to fill in again.
    problems : mapping of str to str, optional
        What is wrong, in words, by field.
    """
    given = sent or {}
    return ReviewForm(
        actions=tuple(
            Choice(action, messages.text(f"action.{action}", language), given.get("action") == action)
            for action in ReviewAction
        ),
        lanes=tuple(Choice(lane, messages.text(f"lane.{lane}", language), given.get("lane") == lane) for lane in Lane),
        agencies=tuple(
            Choice(agency, named("agency", agency, language), given.get("to") == agency) for agency in agencies
        ),
        until=given.get("until", ""),
        reason=given.get("reason", ""),
        problems=dict(problems or {}),
    )


def _one_of(words: type[Word], code: str) -> Word | None:
    return words(code) if code in {word.value for word in words} else None


def _is_ahead(until: datetime | None, now: datetime) -> bool:
    return until is not None and now < until <= now + LONGEST_DELAY


def _local_instant(typed: str) -> datetime | None:
    """Read a local time without offset as browsers send it."""
    try:
        local = datetime.strptime(typed, "%Y-%m-%dT%H:%M").replace(tzinfo=ZoneInfo(messages.DISPLAY_ZONE))
        return local.astimezone(UTC)
    except (ValueError, OverflowError):  # no time at all, or one before the calendar begins
        return None
