"""Where a delayed release stands, for readers of the case."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from chekara.domain.vocabulary import ReviewAction
from chekara.service.ports import DecisionLog
from chekara.service.records import DecisionRecord
from chekara.service.referral_ports import ReferralBook
from chekara.service.release import Hold, what_holds


@dataclass(frozen=True, slots=True)
class DelayedRelease:
    """A delayed release.

    Attributes
    ----------
    agency : str
        Who delayed it.
    until : datetime
    held_by : str or None
        What would keep it from being released now; None where nothing does, or where it was released.
    released_at : datetime or None
    """

    agency: str
    until: datetime
    held_by: Hold | None
    released_at: datetime | None


class ReadDelays:
    """The query behind the case and ``GET /v1/decisions/{id}``.

    Parameters
    ----------
    log : DecisionLog
    book : ReferralBook
    now : callable
        The present instant, with offset.
    """

    def __init__(
        self, *, log: DecisionLog, book: ReferralBook, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._log = log
        self._book = book
        self._now = now

    def __call__(self, record: DecisionRecord) -> DelayedRelease | None:
        """Return the delay of a decision's crossing that ends last; None where nobody delays it.

        Parameters
        ----------
        record : DecisionRecord
            Of whichever revision: a correction lifts no delay.

        Raises
        ------
        LogUnavailableError
            The database does not answer.
        """
        chain, crossing_id = record.chain, record.decision.crossing_id
        reviews = self._log.reviews_of_crossing(chain, crossing_id)
        newest = {review.agency: review for review in reviews}
        delaying = {review.review_id for review in newest.values() if review.action is ReviewAction.DELAY}
        if not delaying:
            return None
        decision_id = record.decision.decision_id
        own = [one for one in self._book.delays_of(chain, decision_id) if one.review_id in delaying]
        if not own:
            return None
        last = max(own, key=lambda one: one.until)
        release = self._book.release_of(chain, decision_id)
        if release is not None and release.until >= last.until:
            return DelayedRelease(last.agency, last.until, None, release.released_at)
        held = what_holds(
            last,
            self._newest(record),
            reviews=reviews,
            results=self._log.results(chain, crossing_id),
            referrals=self._book.of_crossing(chain, crossing_id),
            now=max(self._now(), last.until),
        )
        return DelayedRelease(last.agency, last.until, held, None)

    def _newest(self, record: DecisionRecord) -> DecisionRecord:
        newer = None if record.superseded_by is None else self._log.decision(record.chain, record.superseded_by)
        return record if newer is None else newer
