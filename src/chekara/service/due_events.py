"""What falls due by the clock alone: referrals that nobody answered, delayed crossings to be released."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol, TypeAlias

from chekara.domain.referral import Delay, Referral, ReferralState, ReferralStep, Release, Step
from chekara.domain.review import Review
from chekara.domain.vocabulary import COORDINATOR
from chekara.policy.policy import Policy
from chekara.service.ports import DecisionLog, LogTransaction
from chekara.service.records import Chain, DecisionRecord, InspectionRecord
from chekara.service.referral_ports import ReferralBook
from chekara.service.release import what_holds

AT_ONCE: Final = 200
"""Events of each kind that one run records at most; the next run goes on."""


Results: TypeAlias = tuple[InspectionRecord, ...]


class _Decisions(Protocol):
    """What the log and its transactions share."""

    def decision(self, chain: Chain, decision_id: str) -> DecisionRecord | None: ...

    def reviews_of_crossing(self, chain: Chain, crossing_id: str) -> tuple[Review, ...]: ...


class _Referrals(Protocol):
    """What the book of referrals and the rows of a transaction share."""

    def of_crossing(self, chain: Chain, crossing_id: str) -> tuple[Referral, ...]: ...


class RecordDueEvents:
    """Records what has fallen due; the clock of the serving process runs it every few seconds.

    Running it twice records nothing twice: what is due is looked at again within the transaction that records it. What
    fell due while nobody ran it is recorded by the next run.

    Parameters
    ----------
    log : DecisionLog
    book : ReferralBook
    policy : Policy
        Its clock.
    now : callable
        The present instant, with offset.
    """

    def __init__(
        self,
        *,
        log: DecisionLog,
        book: ReferralBook,
        policy: Policy,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._log = log
        self._book = book
        self._policy = policy
        self._now = now

    def __call__(self) -> int:
        """Record what is due; returns how many events that were.

        Raises
        ------
        LogUnavailableError
            The database does not answer; nothing of a chain is recorded, and the next run tries again.
        """
        now = self._now()
        return sum(self._in_chain(chain, now) for chain in Chain)

    def _in_chain(self, chain: Chain, now: datetime) -> int:
        due = self._book.due(chain, now, AT_ONCE)
        free = [(delay, results) for delay in due.delays if (results := self._results_if_free(chain, delay, now))[0]]
        if not (due.referrals or free):
            return 0
        with self._log.transaction() as transaction:
            rerouted = sum(self._reroute(transaction, chain, referral, now) for referral in due.referrals)
            # The last to end releases for all: after it the others have nothing more to release.
            released = sum(_release(transaction, chain, delay, results, now) for delay, (_, results) in reversed(free))
        return rerouted + released

    def _reroute(self, transaction: LogTransaction, chain: Chain, found: Referral, now: datetime) -> bool:
        referral = transaction.referrals.referral(chain, found.referral_id)
        if referral is None or referral.state is not ReferralState.OPEN or referral.step(Step.REROUTED) is not None:
            return False
        due_at = now + timedelta(minutes=self._policy.joint.referral_minutes)
        step = ReferralStep(step=Step.REROUTED, at=now, to_agency=COORDINATOR, due_at=due_at)
        transaction.referrals.append_step(chain, referral, step)
        return True

    def _results_if_free(self, chain: Chain, delay: Delay, now: datetime) -> tuple[bool, Results]:
        """Whether nothing holds a delayed crossing, looked at before anything is locked; and its results."""
        record = self._log.decision(chain, delay.decision_id)
        results = () if record is None else self._log.results(chain, record.decision.crossing_id)
        return _free_decision(self._log, self._book, chain, delay, results, now) is not None, results


def _release(transaction: LogTransaction, chain: Chain, delay: Delay, results: Results, now: datetime) -> bool:
    """Release a crossing unless something has come to hold it since it was looked at."""
    newest = _free_decision(transaction, transaction.referrals, chain, delay, results, now)
    if newest is None or transaction.referrals.is_released_since(chain, delay):
        return False
    release = Release(
        review_id=delay.review_id,
        decision_id=newest.decision.decision_id,
        crossing_id=newest.decision.crossing_id,
        crossing_point=newest.decision.crossing_point,
        agency=delay.agency,
        until=delay.until,
        released_at=now,
    )
    transaction.referrals.append_release(chain, release, newest.agencies_told())
    return True


def _free_decision(
    log: _Decisions, book: _Referrals, chain: Chain, delay: Delay, results: Results, now: datetime
) -> DecisionRecord | None:
    """Return the newest decision of a delayed crossing; None where something holds it, or it was removed."""
    record = log.decision(chain, delay.decision_id)
    if record is None:
        return None
    newest = record if record.superseded_by is None else log.decision(chain, record.superseded_by)
    if newest is None:
        return None
    referrals = book.of_crossing(chain, record.decision.crossing_id)
    reviews = log.reviews_of_crossing(chain, record.decision.crossing_id)
    held = what_holds(delay, newest, reviews=reviews, results=results, referrals=referrals, now=now)
    return newest if held is None else None
