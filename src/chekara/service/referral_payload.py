"""Referrals and releases as the log stores them, and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from chekara.domain.referral import Referral, ReferralStep, Release, Step
from chekara.service.chain import instant_from, instant_text
from chekara.service.payload import Plain

OPENED: Final = "referral_opened"
RELEASED: Final = "released"
_OPENED_TEXTS: Final = (
    *("referral_id", "decision_id", "crossing_id", "crossing_point", "from_agency", "asked_agency"),
    *("domain", "reason", "opened_by"),
)
_STEP_TEXTS: Final = ("agency", "officer", "reason", "result", "to_agency")
_RELEASE_TEXTS: Final = ("review_id", "decision_id", "crossing_id", "crossing_point", "agency")


def kind_of(step: Step) -> str:
    """Return the kind of log entry that a step is.

    Examples
    --------
    >>> kind_of(Step.REROUTED)
    'referral_rerouted'
    """
    return f"referral_{step}"


def plain_referral(referral: Referral, *, audience: Iterable[str], admits: Plain | None) -> Plain:
    """Write a referral that is opened.

    Parameters
    ----------
    referral : Referral
        Its steps are entries of their own.
    audience : iterable of str
        Agencies that are told.
    admits : dict or None
        ``agency`` and ``strictness`` of the row that lets an agency find the decision; None where it has one.
    """
    return {
        **{name: getattr(referral, name) for name in _OPENED_TEXTS},
        "opened_at": instant_text(referral.opened_at),
        "answer_by": instant_text(referral.answer_by),
        "audience": sorted(audience),
        "admits": admits,
    }


def referral_from(plain: Plain, steps: Sequence[Plain]) -> Referral:
    """Read a referral back with its steps, oldest first."""
    return Referral(
        **{name: plain[name] for name in _OPENED_TEXTS},
        opened_at=instant_from(plain["opened_at"]),
        answer_by=instant_from(plain["answer_by"]),
        steps=tuple(_step_from(one) for one in steps),
    )


def plain_step(referral: Referral, step: ReferralStep, *, audience: Iterable[str]) -> Plain:
    """Write a step.

    Parameters
    ----------
    referral : Referral
    step : ReferralStep
    audience : iterable of str
        Agencies that are told.
    """
    return {
        "referral_id": referral.referral_id,
        "decision_id": referral.decision_id,
        "step": step.step.value,
        **{name: getattr(step, name) for name in _STEP_TEXTS},
        "at": instant_text(step.at),
        "due_at": _text_or_none(step.due_at),
        "audience": sorted(audience),
    }


def plain_release(release: Release, *, audience: Iterable[str]) -> Plain:
    """Write a release; ``audience`` are the agencies that are told."""
    return {
        **{name: getattr(release, name) for name in _RELEASE_TEXTS},
        "until": instant_text(release.until),
        "released_at": instant_text(release.released_at),
        "audience": sorted(audience),
    }


def release_from(plain: Plain) -> Release:
    """Read a release back."""
    return Release(
        **{name: plain[name] for name in _RELEASE_TEXTS},
        until=instant_from(plain["until"]),
        released_at=instant_from(plain["released_at"]),
    )


def _step_from(plain: Plain) -> ReferralStep:
    told: dict[str, Any] = {name: plain[name] for name in _STEP_TEXTS}
    due_at = plain["due_at"]
    return ReferralStep(
        step=Step(plain["step"]),
        at=instant_from(plain["at"]),
        due_at=None if due_at is None else instant_from(due_at),
        **told,
    )


def _text_or_none(instant: datetime | None) -> str | None:
    return None if instant is None else instant_text(instant)
