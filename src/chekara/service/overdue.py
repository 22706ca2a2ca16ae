"""How often agencies miss the deadlines of referrals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from chekara.domain.referral import Referral, Step
from chekara.service.records import Chain
from chekara.service.referral_ports import ReferralBook

LOOKED_BACK: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class OverdueShare:
    """Deadlines of one agency.

    Attributes
    ----------
    agency : str
    duties : int
        Deadlines that have passed, or were kept before: to answer, and to report back.
    missed : int
        Of these, not kept in time.
    waiting : int
        Referrals that the agency has in hand now.
    """

    agency: str
    duties: int
    missed: int
    waiting: int

    @property
    def share(self) -> float:
        """Share of deadlines missed, in [0, 1]; 0 where there were none."""
        return self.missed / self.duties if self.duties else 0.0


@dataclass(frozen=True, slots=True)
class _Duty:
    agency: str
    due_at: datetime
    done_at: datetime | None


def overdue_shares(referrals: Iterable[Referral], now: datetime) -> tuple[OverdueShare, ...]:
    """Count the deadlines that agencies kept and missed; by agency.

    Parameters
    ----------
    referrals : iterable of Referral
    now : datetime

    Notes
    -----
    A deadline to answer is kept by accepting or declining, one to report back by closing. What was re-routed was
    missed by the agency that was asked first.
    """
    duties: list[_Duty] = []
    waiting: dict[str, int] = {}
    for referral in referrals:
        duties += _duties(referral)
        if not referral.is_finished:
            waiting[referral.to_agency] = waiting.get(referral.to_agency, 0) + 1
    due = [duty for duty in duties if duty.done_at is not None or duty.due_at <= now]
    agencies = sorted({duty.agency for duty in due} | waiting.keys())
    return tuple(
        OverdueShare(
            agency=agency,
            duties=sum(duty.agency == agency for duty in due),
            missed=sum(duty.agency == agency and _is_missed(duty) for duty in due),
            waiting=waiting.get(agency, 0),
        )
        for agency in agencies
    )


def _duties(referral: Referral) -> Iterator[_Duty]:
    answered = referral.step(Step.ACCEPTED) or referral.step(Step.DECLINED)
    answered_at = None if answered is None else answered.at
    rerouted = referral.step(Step.REROUTED)
    yield _Duty(referral.asked_agency, referral.answer_by, answered_at if rerouted is None else None)
    if rerouted is not None and rerouted.due_at is not None:
        yield _Duty(referral.to_agency, rerouted.due_at, answered_at)
    accepted, closed = referral.step(Step.ACCEPTED), referral.step(Step.CLOSED)
    if accepted is not None and accepted.due_at is not None:
        yield _Duty(referral.to_agency, accepted.due_at, None if closed is None else closed.at)


def _is_missed(duty: _Duty) -> bool:
    return duty.done_at is None or duty.done_at > duty.due_at


class ReadOverdueShares:
    """The query behind the gauges and the supervisors' page: referrals of the last thirty days.

    Parameters
    ----------
    book : ReferralBook
    now : callable
        The present instant, with offset.
    """

    def __init__(self, book: ReferralBook, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._book = book
        self._now = now

    def __call__(self, chain: Chain = Chain.LIVE) -> tuple[OverdueShare, ...]:
        """Return the shares of all agencies that were asked.

        Parameters
        ----------
        chain : Chain

        Raises
        ------
        LogUnavailableError
            The database does not answer.
        """
        now = self._now()
        return overdue_shares(self._book.opened_since(chain, now - LOOKED_BACK), now)
