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

from chekara.adapters.event_feed import SqlEventFeed
from chekara.domain.actor import Actor
from chekara.domain.decision import DecidedElsewhere
from chekara.domain.referral import ReferralState
from chekara.domain.vocabulary import Lane, ReviewAction, Role
from chekara.service.events import Event
from tests.service.test_referrals import COORDINATOR, CUSTOMS, FARM, HOUR, MIA, STRANGER, Agencies
from tests.small_house import START, actor, crossing, policy_asking, request, small_house, small_model


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
