"""When a delayed crossing may be released by the clock, and what holds it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, Literal

from chekara.domain.referral import Delay, Referral
from chekara.domain.review import Review
from chekara.domain.vocabulary import Lane, ReviewAction
from chekara.service.records import DecisionRecord, InspectionRecord

Hold = Literal["replaced", "withdrawn", "referral", "delay", "lane"]
_AT_THE_BORDER: Final = (Lane.RED, Lane.YELLOW)


def what_holds(
    delay: Delay,
    record: DecisionRecord,
    *,
    reviews: Sequence[Review],
    results: Iterable[InspectionRecord],
    referrals: Iterable[Referral],
    now: datetime,
) -> Hold | None:
    """Return what keeps a delayed crossing from being released; None where nothing does, once its instant has come.

    Parameters
    ----------
    delay : Delay
    record : DecisionRecord
        The newest decision of the crossing.
    reviews : sequence of Review
        Of all revisions of the crossing, oldest first.
    results : iterable of InspectionRecord
        Of the crossing, the newest revision of each.
    referrals : iterable of Referral
        Of all revisions of the crossing.
    now : datetime

    Returns
    -------
    {'replaced', 'withdrawn', 'referral', 'delay', 'lane'} or None
        ``replaced``: the agency reviewed again. ``delay``: another agency still delays it. ``lane``: an agency that
        has not let it go asks for a control at the border, and no control of that domain was reported.

    Notes
    -----
    A correction lifts no delay: of each agency its newest review counts, of whichever revision. What an agency lets
    go, with its delay or by a lane, it lets go of the revision that it reviewed; its domains of a later one hold.
    """
    if record.is_void:
        return "withdrawn"
    newest = {review.agency: review for review in reviews}
    own = newest.get(delay.agency)
    if own is not None and own.review_id != delay.review_id:
        return "replaced"
    if any(not one.is_finished for one in referrals):
        return "referral"
    others = [review for agency, review in newest.items() if agency != delay.agency]
    if any(one.action is ReviewAction.DELAY and one.until is not None and one.until > now for one in others):
        return "delay"
    done = {one.inspection.domain for one in results if one.inspection.is_done}
    reviewed = {
        agency: review for agency, review in newest.items() if review.decision_id == record.decision.decision_id
    }
    let_go = {agency for agency, review in reviewed.items() if _lets_go(review)}
    asked = [action for action in record.decision.actions if action.leads_domain and action.lane in _AT_THE_BORDER]
    is_asked_for = any(action.domain not in done and action.agency not in let_go for action in asked)
    return "lane" if is_asked_for else None


def _lets_go(review: Review) -> bool:
    if review.action is ReviewAction.OVERRIDE:
        return review.lane not in _AT_THE_BORDER
    return review.action is ReviewAction.DELAY
