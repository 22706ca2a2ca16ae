"""Referrals: opened by a review, answered by the agency that is asked, re-routed once by the clock; each an event."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from chekara.adapters.audit_source import SqlAuditSource
from chekara.adapters.joint_action import joint_action
from chekara.adapters.referrals import SqlReferrals
from chekara.domain.actor import Actor
from chekara.domain.referral import Referral, ReferralAction, ReferralState, Step
from chekara.domain.vocabulary import Lane, ReviewAction, Role
from chekara.errors import ChekaraError, ForbiddenError, InvalidRequestError, NotFoundError, ReferralStateError
from chekara.service.audit import verify_log
from chekara.service.delayed import ReadDelays
from chekara.service.due_events import RecordDueEvents
from chekara.service.overdue import overdue_shares
from chekara.service.records import Chain, DecisionFilter, DecisionRecord, InspectionRecord
from chekara.service.referral import AnswerReferral, ReadReferrals, ReferralAnswer
from chekara.service.referral_ports import Due
from chekara.service.review import RecordReview, ReviewRequest
from tests.older_schema import go_back
from tests.small_house import START, SmallHouse, actor, crossing, policy_asking, result, sent, small_house, small_model

HOUR = timedelta(hours=1)
MORNING = datetime(2026, 12, 1, 8, 0, tzinfo=UTC)
CUSTOMS = actor(role=Role.ANALYST, holder="A. Customs")
MIA = actor("internal_affairs", Role.ANALYST, holder="B. Police")
FARM = actor("agriculture", Role.SUPERVISOR, holder="C. Farm")
COORDINATOR = actor("border_service", Role.SUPERVISOR, holder="D. Border")
STRANGER = actor("labour_migration", Role.ANALYST)


@dataclass
class Agencies:
    """Several agencies around one log, and a clock that a test turns."""

    house: SmallHouse
    at: datetime = MORNING
    book: SqlReferrals = field(init=False)

    def __post_init__(self) -> None:
        log, policy = self.house.log, self.house.policy
        self.book = SqlReferrals(self.house.database)
        self.review = RecordReview(log=log, policy=policy, now=lambda: self.at)
        self.answer = AnswerReferral(log=log, policy=policy, now=lambda: self.at)
        self.read = ReadReferrals(self.book, now=lambda: self.at)
        self.clock = RecordDueEvents(log=log, book=self.book, policy=policy, now=lambda: self.at)

    def refer(self, record: DecisionRecord, to: str, *, by: Actor = CUSTOMS, domain: str | None = None) -> Referral:
        self.tell(record, by, ReviewAction.REFER, refer_to=to, domain=domain)
        return self.book.of_decision(record.chain, record.decision.decision_id)[-1]

    def tell(self, record: DecisionRecord, by: Actor, action: ReviewAction, **more: object) -> None:
        decision_id = record.decision.decision_id
        self.review(by, ReviewRequest(decision_id=decision_id, action=action, reason="seen on the spot", **more))  # type: ignore[arg-type]

    def say(self, referral: Referral, action: str, *, by: Actor = MIA, result: str | None = None) -> Referral:
        answer = ReferralAnswer(
            referral_id=referral.referral_id, action=ReferralAction(action), reason="because", result=result
        )
        return self.answer(by, answer)

    def after(self, delay: timedelta) -> int:
        """Let time pass, then let the clock act."""
        self.at += delay
        return self.clock()

    def kinds(self) -> list[str]:
        with self.house.database.reading() as connection:
            return list(connection.execute(text("SELECT kind FROM log ORDER BY position")).scalars())


@pytest.fixture
def agencies(tmp_path: Path) -> Iterator[Agencies]:
    opened = Agencies(small_house(tmp_path, policy=policy_asking("red")))
    yield opened
    findings = verify_log(SqlAuditSource(opened.house.database, None), (), now=datetime.now(UTC)).findings
    assert findings == ()
    opened.house.database.close()


def test_a_referral_goes_its_way_and_each_step_is_an_entry(agencies: Agencies) -> None:
    record = agencies.house.score_one(crossing("way"))
    opened = agencies.refer(record, "internal_affairs")
    assert (opened.state, opened.from_agency, opened.to_agency, opened.domain) == (
        ReferralState.OPEN,
        "customs",
        "internal_affairs",
        "revenue_fraud",
    )
    assert opened.due_at == MORNING + HOUR
    agencies.at += HOUR / 2
    accepted = agencies.say(opened, "accept")
    assert (accepted.state, accepted.due_at) == (ReferralState.ACCEPTED, agencies.at + 24 * HOUR)
    agencies.at += HOUR
    closed = agencies.say(opened, "close", result="confirmed")
    step = closed.step(Step.CLOSED)
    assert step is not None
    assert (step.result, step.officer, step.reason) == ("confirmed", "B. Police", "because")
    assert agencies.book.referral(Chain.LIVE, opened.referral_id) == closed
    assert agencies.kinds()[-4:] == ["review", "referral_opened", "referral_accepted", "referral_closed"]
    assert agencies.after(100 * HOUR) == 0


def test_the_agency_that_is_asked_sees_the_part_that_is_referred_and_no_more(agencies: Agencies) -> None:
    record = agencies.house.score_one(crossing("part"))
    decision_id = record.decision.decision_id
    with pytest.raises(NotFoundError):
        agencies.house.read.decision(FARM, decision_id)
    agencies.refer(record, "agriculture")
    seen = agencies.house.read.decision(FARM, decision_id)
    assert seen.domains_seen_by(FARM) == {"revenue_fraud"}
    page = agencies.house.read.decisions(FARM, DecisionFilter())
    assert [one.decision.decision_id for one in page.records] == [decision_id]
    with pytest.raises(NotFoundError):
        agencies.house.read.decision(STRANGER, decision_id)
    # What it finds there, it may report.
    (kept,) = agencies.house.score([sent(result("farm", crossing_id="part"), agency="agriculture", role=Role.SYSTEM)])
    assert isinstance(kept, InspectionRecord)
    assert kept.inspection.selected_by == "referral"


def test_only_the_agency_that_is_asked_answers_and_others_do_not_find_it(agencies: Agencies) -> None:
    referral = agencies.refer(agencies.house.score_one(crossing("who")), "internal_affairs")
    for stranger in (FARM, STRANGER, actor("internal_affairs", Role.ANALYST, is_test=True)):
        with pytest.raises(NotFoundError):
            agencies.say(referral, "accept", by=stranger)
    for party in (CUSTOMS, COORDINATOR, actor("internal_affairs"), actor("internal_affairs", Role.INSPECTOR)):
        with pytest.raises(ForbiddenError):
            agencies.say(referral, "accept", by=party)
    for who, number in ((CUSTOMS, 1), (MIA, 1), (COORDINATOR, 1), (FARM, 0), (actor(role=Role.AUDITOR), 1)):
        assert len(agencies.read.page(who, None).referrals) == number


@pytest.mark.parametrize(
    ("before", "answer"), [((), "close"), (("accept",), "accept"), (("accept",), "decline"), (("decline",), "accept")]
)
def test_answers_that_do_not_fit_are_conflicts(agencies: Agencies, before: tuple[str, ...], answer: str) -> None:
    referral = agencies.refer(agencies.house.score_one(crossing("fit")), "internal_affairs")
    for one in before:
        agencies.say(referral, one)
    with pytest.raises(ReferralStateError):
        agencies.say(referral, answer)


@pytest.mark.parametrize("turn", range(4))
def test_of_accept_and_decline_at_once_one_wins(agencies: Agencies, turn: int) -> None:
    referral = agencies.refer(agencies.house.score_one(crossing(f"race {turn}")), "internal_affairs")
    together, outcomes = threading.Barrier(4), []

    def say(answer: str) -> None:
        together.wait()
        try:
            outcomes.append(agencies.say(referral, answer).state.value)
        except ChekaraError as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=say, args=(answer,)) for answer in ("accept", "decline") * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 4
    assert outcomes.count("referral_state") == 3
    assert len(agencies.book.referral(Chain.LIVE, referral.referral_id).steps) == 1  # type: ignore[union-attr]


def test_what_nobody_answers_goes_to_the_coordinator_once(agencies: Agencies) -> None:
    referral = agencies.refer(agencies.house.score_one(crossing("late")), "internal_affairs")
    assert agencies.after(HOUR - timedelta(seconds=1)) == 0
    assert agencies.after(timedelta(seconds=1)) == 1
    moved = agencies.book.referral(Chain.LIVE, referral.referral_id)
    assert moved is not None
    assert (moved.to_agency, moved.due_at, moved.state) == ("border_service", agencies.at + HOUR, ReferralState.OPEN)
    with pytest.raises(ForbiddenError):
        agencies.say(referral, "accept")
    assert agencies.after(2 * HOUR) == 0
    assert [one.referral_id for one in agencies.read.page(COORDINATOR, "overdue").referrals] == [referral.referral_id]
    assert agencies.say(referral, "accept", by=COORDINATOR).due_at == agencies.at + 24 * HOUR
    assert agencies.read.page(COORDINATOR, "overdue").referrals == ()
    assert agencies.after(25 * HOUR) == 0
    assert agencies.read.page(CUSTOMS, "overdue").referrals == agencies.read.page(MIA, "open").referrals != ()
    shares = {
        one.agency: (one.duties, one.missed, one.waiting)
        for one in overdue_shares(agencies.book.opened_since(Chain.LIVE, MORNING), agencies.at)
    }
    assert shares == {"internal_affairs": (1, 1, 0), "border_service": (2, 2, 1)}


def test_an_answer_between_the_look_and_the_record_keeps_it_where_it_is(agencies: Agencies) -> None:
    referral = agencies.refer(agencies.house.score_one(crossing("between")), "internal_affairs")
    agencies.say(referral, "accept")

    class LookedBefore(SqlReferrals):
        def due(self, chain: Chain, now: datetime, limit: int) -> Due:
            return Due(chain, (referral,) if chain is Chain.LIVE else (), ())

    house = agencies.house
    clock = RecordDueEvents(
        log=house.log, book=LookedBefore(house.database), policy=house.policy, now=lambda: MORNING + 5 * HOUR
    )
    assert clock() == 0
    assert agencies.book.referral(Chain.LIVE, referral.referral_id).to_agency == "internal_affairs"  # type: ignore[union-attr]


def test_a_replay_clock_is_as_late_as_the_newest_crossing(tmp_path: Path) -> None:
    house = small_house(tmp_path, policy=policy_asking("red"), clock="replay")
    joint = joint_action(house.database, house.log, house.policy, "replay")
    first = house.score_one(crossing("replayed"))
    assert joint.referrals.now == first.decision.scored_at == START
    until = START + HOUR
    wanted = ReviewRequest(
        decision_id=first.decision.decision_id, action=ReviewAction.DELAY, reason="papers are awaited", until=until
    )
    assert joint.review(CUSTOMS, wanted).reviewed_at == START
    house.score_one(replace(crossing("later"), known_at=until, occurred_at=until))
    clock = RecordDueEvents(
        log=house.log, book=SqlReferrals(house.database), policy=house.policy, now=lambda: joint.referrals.now
    )
    assert clock() == 1
    house.database.close()


def test_asking_the_coordinator_is_never_rerouted(agencies: Agencies) -> None:
    referral = agencies.refer(agencies.house.score_one(crossing("coordinator")), "border_service")
    assert agencies.after(5 * HOUR) == 0
    assert [one.referral_id for one in agencies.read.page(CUSTOMS, "overdue").referrals] == [referral.referral_id]


def test_the_same_referral_is_opened_once_until_it_is_finished(agencies: Agencies) -> None:
    record = agencies.house.score_one(crossing("again"))
    first = agencies.refer(record, "internal_affairs")
    assert agencies.refer(record, "internal_affairs") == first
    agencies.say(first, "decline")
    assert agencies.refer(record, "internal_affairs") != first


def test_the_domain_is_the_one_that_the_agency_asked_leads(tmp_path: Path) -> None:
    models = {name: small_model() for name in ("revenue_fraud", "contraband", "sps_violation", "vehicle_crime")}
    agencies = Agencies(small_house(tmp_path, champions=models))
    record = agencies.house.score_one(crossing("choice"))
    assert agencies.refer(record, "agriculture").domain == "sps_violation"
    assert agencies.refer(record, "agriculture", domain="contraband").domain == "contraband"
    for hidden in ("vehicle_crime", "no such"):
        with pytest.raises(InvalidRequestError) as caught:
            agencies.refer(record, "agriculture", domain=hidden)
        assert caught.value.problems[0].where == "/domain"
    agencies.house.database.close()


def test_pages_of_referrals_are_whole_and_in_order(agencies: Agencies) -> None:
    wanted: list[str] = []
    for n in range(7):
        opened = agencies.refer(
            agencies.house.score_one(crossing(f"page {n}")), ("internal_affairs", "agriculture")[n % 2]
        )
        wanted.insert(0, opened.referral_id)
        if n % 3 == 0:
            agencies.say(opened, "decline", by=(MIA, FARM)[n % 2])
    found, cursor = [], None
    while True:
        page = agencies.read.page(CUSTOMS, None, cursor=cursor, limit=2)
        found += [one.referral_id for one in page.referrals]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert found == wanted
    standing = {s: len(agencies.read.page(CUSTOMS, s, limit=200).referrals) for s in ("open", "overdue", "closed")}
    assert standing == {"open": 4, "overdue": 0, "closed": 3}
    for cursor, limit in (("x", 5), ("!", 5), (None, 0), (None, 201)):
        with pytest.raises(InvalidRequestError):
            agencies.read.page(CUSTOMS, None, cursor=cursor, limit=limit)


# --- delayed releases --------------------------------------------------------------------------------------------


def delayed(agencies: Agencies, crossing_id: str, *, by: Actor = CUSTOMS, hours: float = 2) -> DecisionRecord:
    record = agencies.house.score_one(crossing(crossing_id))
    agencies.tell(record, by, ReviewAction.DELAY, until=agencies.at + hours * HOUR)
    return record


def test_a_delayed_crossing_is_released_once_at_its_instant(agencies: Agencies) -> None:
    record = delayed(agencies, "once")
    assert agencies.after(2 * HOUR - timedelta(seconds=1)) == 0
    assert agencies.after(timedelta(seconds=1)) == 1
    assert agencies.after(HOUR) == 0
    release = agencies.book.release_of(Chain.LIVE, record.decision.decision_id)
    assert release is not None
    assert (release.until, release.agency, release.crossing_id) == (MORNING + 2 * HOUR, "customs", "once")
    assert agencies.kinds().count("released") == 1


def test_a_restart_catches_up_and_two_clocks_at_once_release_once(agencies: Agencies) -> None:
    delayed(agencies, "restart")
    referral = agencies.refer(agencies.house.score_one(crossing("restart 2")), "internal_affairs")
    again = Agencies(agencies.house.restarted(), at=MORNING + 50 * HOUR)
    counts: list[int] = []
    threads = [threading.Thread(target=lambda: counts.append(again.clock())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(counts) == 4
    assert sum(counts) == 2
    assert again.kinds().count("released") == again.kinds().count("referral_rerouted") == 1
    assert again.book.referral(Chain.LIVE, referral.referral_id).to_agency == "border_service"  # type: ignore[union-attr]
    agencies.house = again.house


def test_a_referral_holds_a_delayed_crossing_until_it_is_finished(agencies: Agencies) -> None:
    record = agencies.house.score_one(crossing("held"))
    referral = agencies.refer(record, "internal_affairs")
    agencies.tell(record, CUSTOMS, ReviewAction.DELAY, until=agencies.at + HOUR / 2)
    assert agencies.after(HOUR / 2) == 0
    agencies.say(referral, "accept")
    assert agencies.clock() == 0
    agencies.say(referral, "close", result="clear")
    assert agencies.clock() == 1


def test_a_later_review_takes_the_place_of_a_delay(agencies: Agencies) -> None:
    record = delayed(agencies, "replaced")
    agencies.tell(record, CUSTOMS, ReviewAction.OVERRIDE, lane=Lane.RED)
    assert agencies.after(3 * HOUR) == 0


def test_a_withdrawn_crossing_is_not_released(agencies: Agencies) -> None:
    delayed(agencies, "void")
    agencies.house.score_one(crossing("void", revision=1), is_void=True)
    assert agencies.after(3 * HOUR) == 0


def test_of_two_delays_the_later_one_counts_and_one_release_is_told(agencies: Agencies) -> None:
    record = delayed(agencies, "two")
    agencies.tell(record, COORDINATOR, ReviewAction.DELAY, until=agencies.at + 4 * HOUR)
    assert agencies.after(3 * HOUR) == 0
    assert agencies.after(HOUR) == 1
    assert agencies.after(HOUR) == 0


def test_another_agencys_lane_holds_until_it_is_done_or_let_go(agencies: Agencies) -> None:
    """The coordinator delays what customs is to inspect: customs' lane holds it."""
    inspected = delayed(agencies, "lane 1", by=COORDINATOR)
    let_go = delayed(agencies, "lane 2", by=COORDINATOR)
    assert agencies.after(3 * HOUR) == 0
    not_done = result("lane 0", crossing_id="lane 1", found=False, details={"status": "not_done"})
    agencies.house.score([sent(not_done)])
    agencies.tell(let_go, CUSTOMS, ReviewAction.FOLLOW)
    assert agencies.after(HOUR) == 0
    agencies.house.score([sent(result("lane 1", crossing_id="lane 1"))])
    assert agencies.after(HOUR) == 1
    agencies.tell(let_go, CUSTOMS, ReviewAction.OVERRIDE, lane=Lane.BLUE)
    assert agencies.after(HOUR) == 1
    for record in (inspected, let_go):
        assert agencies.book.release_of(Chain.LIVE, record.decision.decision_id) is not None


def test_a_later_revision_holds_by_its_own_lanes(agencies: Agencies) -> None:
    delayed(agencies, "revised")
    newest = agencies.house.score_one(crossing("revised", revision=1, value=9.0))
    assert agencies.after(3 * HOUR) == 0
    agencies.house.score([sent(result("revised", crossing_id="revised"))])
    assert agencies.clock() == 1
    release = agencies.book.release_of(Chain.LIVE, newest.decision.decision_id)
    assert release is not None
    assert release.decision_id == newest.decision.decision_id


def corrected(agencies: Agencies, crossing_id: str, revision: int) -> DecisionRecord:
    """Score a later revision whose domain has a result already, so that no lane holds it."""
    record = agencies.house.score_one(crossing(crossing_id, revision=revision, value=9.0 + revision))
    agencies.house.score([sent(result(f"{crossing_id} {revision}", crossing_id=crossing_id))])
    return record


def test_a_correction_lifts_no_delay_of_another_agency(agencies: Agencies) -> None:
    first = delayed(agencies, "corrected", hours=1)
    agencies.tell(first, COORDINATOR, ReviewAction.DELAY, until=agencies.at + 4 * HOUR)
    newest = corrected(agencies, "corrected", 1)
    read = ReadDelays(log=agencies.house.log, book=agencies.book, now=lambda: agencies.at)
    for record in (first, newest):
        told = read(agencies.house.log.decision(Chain.LIVE, record.decision.decision_id) or record)
        assert told is not None
        assert (told.agency, told.until, told.released_at) == ("border_service", MORNING + 4 * HOUR, None)
    assert agencies.after(2 * HOUR) == agencies.after(1.5 * HOUR) == 0
    assert agencies.after(HOUR) == 1
    assert agencies.after(HOUR) == 0
    release = agencies.book.release_of(Chain.LIVE, first.decision.decision_id)
    assert release is not None
    assert (release.agency, release.decision_id) == ("border_service", newest.decision.decision_id)
    after = read(newest)
    assert after is not None
    assert after.released_at == release.released_at


def test_a_referral_and_a_replaced_delay_count_whatever_revision_came_between(agencies: Agencies) -> None:
    first = delayed(agencies, "between", hours=1)
    second = corrected(agencies, "between", 1)
    referral = agencies.refer(second, "internal_affairs")
    agencies.tell(second, CUSTOMS, ReviewAction.DELAY, until=agencies.at + HOUR / 2)
    third = corrected(agencies, "between", 2)
    assert agencies.after(2 * HOUR) == 1, "the clock re-routes, and releases nothing"
    assert agencies.kinds().count("released") == 0
    agencies.say(referral, "decline", by=COORDINATOR)
    assert agencies.clock() == 1
    release = agencies.book.release_of(Chain.LIVE, first.decision.decision_id)
    assert release is not None
    assert (release.until, release.decision_id) == (MORNING + HOUR / 2, third.decision.decision_id)
    assert agencies.after(HOUR) == 0


def test_a_later_review_of_any_revision_takes_the_place_of_a_delay(agencies: Agencies) -> None:
    delayed(agencies, "replaced later", hours=1)
    second = corrected(agencies, "replaced later", 1)
    agencies.tell(second, CUSTOMS, ReviewAction.OVERRIDE, lane=Lane.RED)
    corrected(agencies, "replaced later", 2)
    assert agencies.after(3 * HOUR) == 0


def test_a_delay_counts_again_where_a_withdrawn_crossing_comes_after_all(agencies: Agencies) -> None:
    delayed(agencies, "after all", hours=1)
    agencies.house.score_one(crossing("after all", revision=1), is_void=True)
    assert agencies.after(2 * HOUR) == 0
    corrected(agencies, "after all", 2)
    assert agencies.clock() == 1


def test_test_keys_delay_and_refer_in_a_log_of_their_own(agencies: Agencies) -> None:
    tester = actor(role=Role.ANALYST, is_test=True)
    record = agencies.house.score_one(crossing("test"), by=actor(is_test=True))
    agencies.tell(record, tester, ReviewAction.DELAY, until=agencies.at + HOUR)
    agencies.refer(agencies.house.score_one(crossing("test 2"), by=actor(is_test=True)), "internal_affairs", by=tester)
    assert agencies.after(2 * HOUR) == 2
    assert agencies.read.page(CUSTOMS, None).referrals == ()
    assert len(agencies.read.page(tester, None).referrals) == 1


def test_delays_of_before_come_over_with_the_migration(tmp_path: Path) -> None:
    agencies = Agencies(small_house(tmp_path))
    record = delayed(agencies, "before")
    before = agencies.book.delays_of(Chain.LIVE, record.decision.decision_id)
    agencies.house.database.close()
    go_back(Path(str(agencies.house.database.engine.url.database)), "0007")
    again = Agencies(agencies.house.restarted(), at=MORNING + 9 * HOUR)
    assert again.book.delays_of(Chain.LIVE, record.decision.decision_id) == before != ()
    assert again.clock() == 1
    assert verify_log(SqlAuditSource(again.house.database, None), (), now=datetime.now(UTC)).findings == ()
    again.house.database.close()
