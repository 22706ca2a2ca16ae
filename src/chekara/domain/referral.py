"""One agency asks another to take over a part of a crossing: with a clock, an answer, and a duty to report back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

REFERRAL_RESULTS: Final = ("clear", "suspected", "confirmed", "not_done")
"""What may be reported back with a closed referral."""


class ReferralState(StrEnum):
    """Where a referral stands."""

    OPEN = "open"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    CLOSED = "closed"


class Step(StrEnum):
    """What happens to an open referral; each at most once."""

    REROUTED = "rerouted"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    CLOSED = "closed"


class ReferralAction(StrEnum):
    """What the agency that is asked may do."""

    ACCEPT = "accept"
    DECLINE = "decline"
    CLOSE = "close"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferralStep:
    """One step of a referral.

    Attributes
    ----------
    step : Step
    at : datetime
        UTC.
    agency, officer : str or None
        Who took it; None where the clock did.
    reason : str or None
    result : str or None
        One of `REFERRAL_RESULTS`, where something is reported back.
    to_agency : str or None
        Of a re-routing: who is asked now.
    due_at : datetime or None
        The next deadline: of a re-routing to answer, of an acceptance to report back.
    """

    step: Step
    at: datetime
    agency: str | None = None
    officer: str | None = None
    reason: str | None = None
    result: str | None = None
    to_agency: str | None = None
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Referral:
    """A referral as its steps have left it.

    Attributes
    ----------
    referral_id, decision_id, crossing_id, crossing_point : str
    from_agency : str
        Who asked, by a review.
    asked_agency : str
        Who was asked first.
    domain : str
        What it is about: the agency that is asked may see this domain of the decision.
    reason : str
    opened_by : str
        The officer.
    opened_at : datetime
    answer_by : datetime
        Deadline of the agency that was asked first.
    steps : tuple of ReferralStep
        Oldest first.
    """

    referral_id: str
    decision_id: str
    crossing_id: str
    crossing_point: str
    from_agency: str
    asked_agency: str
    domain: str
    reason: str
    opened_by: str
    opened_at: datetime
    answer_by: datetime
    steps: tuple[ReferralStep, ...] = ()

    def step(self, kind: Step) -> ReferralStep | None:
        """Return the step of a kind, where it was taken."""
        return next((one for one in self.steps if one.step is kind), None)

    def after(self, step: ReferralStep) -> Referral:
        """Return the referral with one step more."""
        return replace(self, steps=(*self.steps, step))

    @property
    def to_agency(self) -> str:
        """Who is asked now: whoever was asked first, until it was re-routed."""
        rerouted = self.step(Step.REROUTED)
        return self.asked_agency if rerouted is None or rerouted.to_agency is None else rerouted.to_agency

    @property
    def parties(self) -> tuple[str, ...]:
        """Return who has a part in it, in order: sender, asked first, asked now."""
        return tuple(dict.fromkeys((self.from_agency, self.asked_agency, self.to_agency)))

    @property
    def state(self) -> ReferralState:
        """Where it stands."""
        for step in (Step.CLOSED, Step.DECLINED, Step.ACCEPTED):
            if self.step(step) is not None:
                return ReferralState(step.value)
        return ReferralState.OPEN

    @property
    def is_finished(self) -> bool:
        """Whether nothing more is to come."""
        return self.state in (ReferralState.CLOSED, ReferralState.DECLINED)

    @property
    def due_at(self) -> datetime:
        """Return the deadline that counts now, or counted last: to answer, or once accepted to report back."""
        newest = [one.due_at for one in self.steps if one.due_at is not None]
        return newest[-1] if newest else self.answer_by

    def is_overdue(self, now: datetime) -> bool:
        """Whether somebody should have answered or reported back by now."""
        return not self.is_finished and self.due_at <= now


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """A release that a review delayed until an instant.

    Attributes
    ----------
    review_id, decision_id, agency : str
    until : datetime
    position : int
        Of the review in the log.
    """

    review_id: str
    decision_id: str
    agency: str
    until: datetime
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A delayed crossing was released by the clock.

    Attributes
    ----------
    review_id : str
        The review that delayed it.
    decision_id : str
        Newest decision of the crossing.
    crossing_id, crossing_point : str
    agency : str
        Who had delayed it.
    until, released_at : datetime
        When it was due, and when it was recorded.
    """

    review_id: str
    decision_id: str
    crossing_id: str
    crossing_point: str
    agency: str
    until: datetime
    released_at: datetime
