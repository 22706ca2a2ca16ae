"""How agencies act together, put together over one database: reviews, referrals, delays, events, what falls due."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from chekara.adapters.chain_writer import now
from chekara.adapters.database import Database
from chekara.adapters.decision_log import SqlDecisionLog
from chekara.adapters.event_feed import SqlEventFeed
from chekara.adapters.referrals import SqlReferrals
from chekara.policy import Policy
from chekara.service.delayed import ReadDelays
from chekara.service.due_events import RecordDueEvents
from chekara.service.events import ReadEvents
from chekara.service.overdue import ReadOverdueShares
from chekara.service.records import ClockMode
from chekara.service.referral import AnswerReferral, ReadReferrals
from chekara.service.review import RecordReview


@dataclass(frozen=True, slots=True)
class JointAction:
    """The use cases.

    Attributes
    ----------
    review : RecordReview
    answer : AnswerReferral
    referrals : ReadReferrals
    delays : ReadDelays
    events : ReadEvents
    overdue : ReadOverdueShares
    due : RecordDueEvents
        Run every few seconds by whoever serves.
    """

    review: RecordReview
    answer: AnswerReferral
    referrals: ReadReferrals
    delays: ReadDelays
    events: ReadEvents
    overdue: ReadOverdueShares
    due: RecordDueEvents


def joint_action(database: Database, log: SqlDecisionLog, policy: Policy, clock: ClockMode) -> JointAction:
    """Put the use cases together.

    Parameters
    ----------
    database : Database
    log : SqlDecisionLog
        Of this database.
    policy : Policy
    clock : {'live', 'replay'}
        On a replay clock it is as late as the newest crossing that was scored.
    """
    book = SqlReferrals(database)
    told = now if clock == "live" else _newest_crossing(log)
    return JointAction(
        review=RecordReview(log=log, policy=policy, now=told),
        answer=AnswerReferral(log=log, policy=policy, now=told),
        referrals=ReadReferrals(book, told),
        delays=ReadDelays(log=log, book=book, now=told),
        events=SqlEventFeed(database),
        overdue=ReadOverdueShares(book, told),
        due=RecordDueEvents(log=log, book=book, policy=policy, now=told),
    )


def _newest_crossing(log: SqlDecisionLog) -> Callable[[], datetime]:
    def told() -> datetime:
        return log.newest_scored_at() or now()

    return told
