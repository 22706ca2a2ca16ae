"""What joint action needs of the log, as Protocols."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from chekara.domain.actor import Actor
from chekara.domain.referral import Delay, Referral, ReferralStep, Release
from chekara.service.records import Chain, DecisionRecord

Standing = Literal["open", "overdue", "closed"]


@dataclass(frozen=True, slots=True)
class ReferralPage:
    """One page of referrals, the newest first.

    Attributes
    ----------
    referrals : tuple of Referral
    next_cursor : str or None
        Opaque; give it back to read on. None at the end.
    """

    referrals: tuple[Referral, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Due:
    """What the clock has to look at in one chain.

    Attributes
    ----------
    chain : Chain
    referrals : tuple of Referral
        Not answered in time, and not with the coordinator.
    delays : tuple of Delay
        Past their instant, not released since, not replaced by a later review and not withdrawn.
    """

    chain: Chain
    referrals: tuple[Referral, ...]
    delays: tuple[Delay, ...]


class ReferralRows(Protocol):
    """Referrals and releases, as one transaction reads and appends them. Earlier appends count."""

    def referral(self, chain: Chain, referral_id: str) -> Referral | None:
        """Return a referral with its steps."""
        ...

    def of_decision(self, chain: Chain, decision_id: str) -> tuple[Referral, ...]:
        """Return the referrals of a decision, oldest first."""
        ...

    def of_crossing(self, chain: Chain, crossing_id: str) -> tuple[Referral, ...]:
        """Return the referrals of all revisions of a crossing, oldest first."""
        ...

    def is_released_since(self, chain: Chain, delay: Delay) -> bool:
        """Whether the crossing, in whichever revision, was released after this delay was asked for."""
        ...

    def append_opened(self, chain: Chain, referral: Referral, record: DecisionRecord) -> None:
        """Open a referral; the agency that is asked finds the decision from now on."""
        ...

    def append_step(self, chain: Chain, referral: Referral, step: ReferralStep) -> Referral:
        """Append a step; returns the referral after it."""
        ...

    def append_release(self, chain: Chain, release: Release, audience: Iterable[str]) -> None:
        """Append the release of a delayed crossing; ``audience`` are the agencies that are told."""
        ...


class ReferralBook(Protocol):
    """Referrals and delays, as readers see them."""

    def referral(self, chain: Chain, referral_id: str) -> Referral | None:
        """Return a referral with its steps."""
        ...

    def of_decision(self, chain: Chain, decision_id: str) -> tuple[Referral, ...]:
        """Return the referrals of a decision, oldest first."""
        ...

    def of_crossing(self, chain: Chain, crossing_id: str) -> tuple[Referral, ...]:
        """Return the referrals of all revisions of a crossing, oldest first."""
        ...

    def delays_of(self, chain: Chain, decision_id: str) -> tuple[Delay, ...]:
        """Return the delays that reviews of any revision of a decision's crossing asked for, oldest first."""
        ...

    def release_of(self, chain: Chain, decision_id: str) -> Release | None:
        """Return the newest release of a decision's crossing, in whichever revision."""
        ...

    def page(
        self, actor: Actor, standing: Standing | None, *, now: datetime, cursor: str | None, limit: int
    ) -> ReferralPage:
        """Return a page of the referrals that the actor's agency has a part in."""
        ...

    def opened_since(self, chain: Chain, instant: datetime) -> Sequence[Referral]:
        """Return the referrals opened at or after an instant, oldest first."""
        ...

    def due(self, chain: Chain, now: datetime, limit: int) -> Due:
        """Return what the clock has to look at."""
        ...
