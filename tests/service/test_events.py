"""What is new for an agency: in the order of the log, nothing lost, nothing twice, nothing of others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event as sqlalchemy_event

from chekara.adapters import event_feed
from chekara.adapters.event_feed import SqlEventFeed
from chekara.adapters.key_files import load_checkpoint_key
from chekara.adapters.retention import Retention
from chekara.domain.actor import Actor
from chekara.domain.decision import DecidedElsewhere
from chekara.domain.referral import ReferralState
from chekara.domain.vocabulary import Lane, ReviewAction, Role
from chekara.service.events import Event
from chekara.service.records import Chain
from chekara.service.visibility import is_wanted_by_another, own_actions
from tests.service.test_referrals import COORDINATOR, CUSTOMS, FARM, HOUR, MIA, STRANGER, Agencies
from tests.small_house import START, actor, crossing, got, policy_asking, request, small_house, small_model


def feed_of(agencies: Agencies) -> SqlEventFeed:
    return SqlEventFeed(agencies.house.database)


def polled(feed: SqlEventFeed, who: Actor, limit: int = 3, after: int = 0) -> list[Event]:
    """Read on until nothing more comes."""
    found: list[Event] = []
    while True:
        page = feed(who, after, limit)
        assert len(page.events) <= limit
        assert page.next_after >= after
        if page.next_after == after:
            return found
        found += page.events
        after = page.next_after


def kinds(events: list[Event]) -> list[str]:
    return [event.kind for event in events]


@pytest.fixture
def agencies(tmp_path: Path) -> Iterator[Agencies]:
    opened = Agencies(small_house(tmp_path, policy=policy_asking("red")))
    yield opened
    opened.house.database.close()


def test_each_agency_is_told_what_concerns_it(agencies: Agencies) -> None:
    feed = feed_of(agencies)
    record = agencies.house.score_one(crossing("one"))
    referral = agencies.refer(record, "internal_affairs")
    agencies.say(referral, "accept")
    agencies.say(referral, "close")
    agencies.tell(record, CUSTOMS, ReviewAction.OVERRIDE, lane=Lane.YELLOW)
    agencies.tell(record, CUSTOMS, ReviewAction.DELAY, until=agencies.at + HOUR)
    agencies.after(HOUR)
    agencies.house.score_one(crossing("one", revision=1), is_void=True)
    of_referral = ["referral_opened", "referral_accepted", "referral_closed"]
    assert kinds(polled(feed, CUSTOMS)) == ["lane", *of_referral, "lane_changed", "released", "withdrawn"]
    assert kinds(polled(feed, COORDINATOR)) == ["lane", *of_referral, "released", "withdrawn"]
    assert kinds(polled(feed, MIA)) == [*of_referral, "released", "withdrawn"]
    assert kinds(polled(feed, FARM)) == kinds(polled(feed, STRANGER)) == []
    states = [event.referral.state for event in polled(feed, MIA) if event.referral is not None]
    assert states == [ReferralState.OPEN, ReferralState.ACCEPTED, ReferralState.CLOSED]


def test_green_lanes_and_what_has_left_are_no_news(agencies: Agencies) -> None:
    feed = feed_of(agencies)
    left = DecidedElsewhere(Lane.RED, START, "post-7", "rule")
    agencies.house.score([replace(request(crossing("left")), decided_elsewhere=left)])
    assert polled(feed, CUSTOMS) == []
    agencies.house.score_one(crossing("here"))
    assert kinds(polled(feed, CUSTOMS)) == ["lane"]
    green = Agencies(small_house(agencies.house.settings.home / "green", policy=policy_asking("none")))
    green.house.score_one(crossing("green"))
    assert polled(feed_of(green), CUSTOMS) == []
    green.house.database.close()


def test_who_is_ahead_of_the_log_stays_there(agencies: Agencies) -> None:
    agencies.house.score_one(crossing("ahead"))
    page = feed_of(agencies)(CUSTOMS, 1_000_000, 5)
    assert (page.events, page.next_after) == ((), 1_000_000)


def test_test_keys_are_told_of_the_test_log_alone(agencies: Agencies) -> None:
    agencies.house.score_one(crossing("earnest"))
    agencies.house.score_one(crossing("test"), by=actor(is_test=True))
    feed = feed_of(agencies)
    for who, crossing_id in ((CUSTOMS, "earnest"), (actor(role=Role.ANALYST, is_test=True), "test")):
        (event,) = polled(feed, who)
        assert event.decision is not None
        assert event.decision.crossing_id == crossing_id


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 7), min_size=1, max_size=12))
def test_any_pages_give_the_same_events(agencies: Agencies, limits: list[int]) -> None:
    feed = feed_of(agencies)
    if feed(CUSTOMS, 0, 1).next_after == 0:
        for n in range(6):
            record = agencies.house.score_one(crossing(f"page {n}"))
            if n % 2:
                agencies.say(agencies.refer(record, "internal_affairs"), "decline")
    whole = [event.position for event in feed(CUSTOMS, 0, 1000).events]
    found, after = [], 0
    for limit in [*limits, *[2] * 20]:
        page = feed(CUSTOMS, after, limit)
        found += [event.position for event in page.events]
        after = page.next_after
    assert found == whole == sorted(set(whole))
    assert len(whole) == 6 + 3 * 2


def test_nothing_is_lost_or_doubled_while_others_write(agencies: Agencies) -> None:
    """One polls by cursor, two write: scores, referrals and answers in transactions of their own."""
    feed, is_over = feed_of(agencies), threading.Event()
    found: list[Event] = []

    def poll() -> None:
        after = 0
        while True:
            was_over = is_over.is_set()
            page = feed(CUSTOMS, after, 2)
            found.extend(page.events)
            if was_over and page.next_after == after:
                return
            after = page.next_after

    def write(writer: int) -> None:
        for n in range(8):
            record = agencies.house.score_one(crossing(f"busy {writer} {n}"))
            agencies.say(agencies.refer(record, "internal_affairs"), "accept")

    poller = threading.Thread(target=poll)
    writers = [threading.Thread(target=write, args=(n,)) for n in range(2)]
    for thread in (poller, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    is_over.set()
    poller.join()
    positions = [event.position for event in found]
    assert positions == sorted(set(positions))
    assert {kind: kinds(found).count(kind) for kind in kinds(found)} == {
        "lane": 16,
        "referral_opened": 16,
        "referral_accepted": 16,
    }


def test_a_domain_that_is_hidden_brings_the_crossing_and_not_its_reasons(tmp_path: Path) -> None:
    """Vehicle crime asks for red; agriculture leads another domain of the crossing and does not see that one."""
    models = {"vehicle_crime": small_model(), "sps_violation": small_model()}
    base = policy_asking("red", "vehicle_crime")
    quiet = replace(base.domains["sps_violation"], thresholds=dict.fromkeys((Lane.RED, Lane.YELLOW), 1.1))
    policy = replace(base, domains=dict(base.domains) | {"sps_violation": quiet})
    agencies = Agencies(small_house(tmp_path, champions=models, policy=policy))
    record = agencies.house.score_one(crossing("hidden"))
    (event,) = polled(feed_of(agencies), FARM)
    assert event.decision is not None
    assert "vehicle_crime" not in event.decision.domains_seen_by(FARM)
    agencies.refer(record, "border_service", by=MIA)
    assert agencies.after(timedelta(minutes=1)) == 0
    assert kinds(polled(feed_of(agencies), FARM)) == ["lane"]
    agencies.house.database.close()


def test_the_head_tells_what_the_whole_decision_tells(tmp_path: Path) -> None:
    """Every reader, before and after a referral, of what asks for controls, of what is green and of what has left."""
    models = {domain: small_model() for domain in ("vehicle_crime", "sps_violation", "revenue_fraud")}
    agencies = Agencies(small_house(tmp_path, champions=models, policy=policy_asking("red", "vehicle_crime")))
    left = DecidedElsewhere(Lane.RED, START, "post-7", "rule")
    asked = [request(crossing(f"c{n}", value=20.0 * 3**n, items=1 + n)) for n in range(4)]
    asked.append(replace(request(crossing("left")), decided_elsewhere=left))
    records = [got(outcome) for outcome in agencies.house.score(asked)]
    agencies.refer(records[0], "labour_migration", by=MIA, domain="vehicle_crime")
    feed = feed_of(agencies)
    told = {event.decision.decision_id: event.decision for event in polled(feed, COORDINATOR) if event.decision}
    assert len(told) == 4
    for decision_id, head in told.items():
        whole = agencies.house.log.decision(Chain.LIVE, decision_id)
        assert whole is not None
        assert head.has_left == whole.has_left
        same = (
            "decision_id",
            "crossing_id",
            "revision",
            "crossing_point",
            "scored_at",
            "lane",
            "actions",
            "control_id",
        )
        assert [getattr(head, name) for name in same] == [getattr(whole.decision, name) for name in same]
        for who in (CUSTOMS, MIA, FARM, COORDINATOR, STRANGER, actor(role=Role.AUDITOR)):
            assert head.domains_seen_by(who) == whole.domains_seen_by(who)
            assert own_actions(head, who) == own_actions(whole, who)
            assert is_wanted_by_another(head, who) == is_wanted_by_another(whole, who)
    assert own_actions(told[records[0].decision.decision_id], STRANGER)
    agencies.house.database.close()


def test_a_long_page_costs_no_more_questions_and_decodes_no_score(
    agencies: Agencies, monkeypatch: pytest.MonkeyPatch
) -> None:
    def page_of(limit: int) -> tuple[int, list[str]]:
        asked: list[str] = []

        def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
            asked.append(statement)

        engine = agencies.house.database.engine
        sqlalchemy_event.listen(engine, "before_cursor_execute", note)
        events = feed_of(agencies)(CUSTOMS, 0, limit).events
        sqlalchemy_event.remove(engine, "before_cursor_execute", note)
        return len(asked), kinds(list(events))

    for n in range(8):
        record = agencies.house.score_one(crossing(f"long {n}", items=1 + n % 3))
        agencies.say(agencies.refer(record, "internal_affairs"), "accept")
        agencies.tell(record, CUSTOMS, ReviewAction.OVERRIDE, lane=Lane.YELLOW)
        if n % 2:
            agencies.house.score_one(crossing(f"long {n}", revision=1), is_void=True)
    whole: list[str] = []
    decode = event_feed.parsed
    monkeypatch.setattr(event_feed, "parsed", lambda body: whole.append(body.decode()) or decode(body))
    short, _ = page_of(4)
    long, told = page_of(1000)
    assert long == short
    assert {kind: told.count(kind) for kind in told} == {
        "lane": 8,
        "referral_opened": 8,
        "referral_accepted": 8,
        "lane_changed": 8,
        "withdrawn": 4,
    }
    assert not [body for body in whole if "contributions" in body or "features" in body]


def test_what_was_removed_is_passed_over_and_the_reader_goes_on(agencies: Agencies) -> None:
    """Of two decisions one ended its retention: its lane and the override of it are told no more, all others are."""
    gone, kept = (agencies.house.score_one(crossing(name)) for name in ("gone", "kept"))
    for record in (gone, kept):
        agencies.tell(record, CUSTOMS, ReviewAction.OVERRIDE, lane=Lane.YELLOW)
    key = load_checkpoint_key(agencies.house.settings)
    retention = Retention(agencies.house.database, key)
    retention.remove_payloads(Chain.LIVE, [gone.decision.position], reason="a year is over", removed_by="A. Keeper")
    told = polled(feed_of(agencies), CUSTOMS, limit=1)
    assert [(event.kind, event.decision and event.decision.crossing_id) for event in told] == [
        ("lane", "kept"),
        ("lane_changed", "kept"),
    ]
