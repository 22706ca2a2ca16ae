"""A promoted policy takes the place of the one that serves: tried first, whole, between two groups, nothing lost."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import pytest

from chekara.adapters import bundle_store, policy_swap
from chekara.adapters.assembly import House, open_house, verify_log_of
from chekara.adapters.capacity_log import SqlCapacityLog
from chekara.adapters.database import open_database
from chekara.adapters.in_force import Foundations, InForce
from chekara.adapters.policies import SqlPolicies, promote_policy
from chekara.api.openapi import CROSSING_EXAMPLE
from chekara.api.warm import example_crossing
from chekara.domain.vocabulary import ReviewAction, Role
from chekara.errors import LogUnavailableError
from chekara.policy import Policy, load_policy
from chekara.policy.load import policy_of, policy_texts
from chekara.service.agency_mode import Mode
from chekara.service.capacity import MeterFromLog
from chekara.service.records import DecisionRecord
from chekara.service.review import ReviewRequest
from chekara.settings import Settings
from tests.serving import serving, settings_of
from tests.small_house import POINTS, actor, crossing, request

WHO = {"proposed_by": "P. Poser", "approved_by": "A. Prover", "reason": "shifts change"}
RULE = {
    "risks/cheap.toml": """[[risks]]
id = "cheap"
title = "Cheap goods"
domain = "revenue_fraud"
threat = "Values far below what is usual."
owner = "customs"
review_at = 2030-01-01
""",
    "rules/cheap.toml": """[[rules]]
id = "cheap-goods"
risk = "cheap"
lane = "yellow"
reason = { en = "Cheap." }
criteria = 'declared_value > 0 and importer_volume_recent >= 0'
valid_from = 2026-01-01
expires_at = 2099-01-01
review_at = 2098-01-01
""",
}


def budgets(inspections: int) -> str:
    """Return the plan of a budget."""
    return f'[[capacity.budgets]]\nagency = "customs"\nlane = "red"\ninspections = {inspections}\n'


def with_more(*more: str, **changes: str) -> dict[str, str]:
    """Return the texts of the shipped policy with something added at the end, and some words replaced."""
    (name, text), *others = policy_texts().items()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return {name: "\n".join((text, *more)), **dict(others)}


def wait_for(is_so: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until something holds."""
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, "it never came to be"
        time.sleep(0.02)


def serves(house: House, texts: dict[str, str]) -> bool:
    return house.policy.digest == policy_of(texts).digest


@pytest.fixture
def settings(home: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(bundle_store, "verify_in_child", lambda *_: None)
    monkeypatch.setattr(policy_swap, "WATCH_SECONDS", 0.1)
    return settings_of(home, CHEKARA_POLICY="")


@contextmanager
def opened(settings: Settings) -> Iterator[House]:
    house = open_house(settings, example=example_crossing(CROSSING_EXAMPLE, settings.limits))
    try:
        yield house
    finally:
        house.close()


def scored(house: House, name: str, number: int) -> Future[DecisionRecord]:
    made = crossing(f"{name} {number}", crossing_point=POINTS[number % 3], value=20.0 + 400.0 * (number % 7))
    return house.writer.submit(replace(request(made), received_at=datetime.now(UTC)))


def test_policies_change_places_under_load_and_every_decision_is_of_one(settings: Settings) -> None:
    """Four policies one after the other while three threads score: each lane follows from the policy that it names."""
    wanted = [with_more(budgets(3)), with_more() | RULE, with_more(budgets(9)) | RULE, policy_texts()]
    stop, records, seconds = threading.Event(), list[DecisionRecord](), list[float]()

    def post(client: int, house: House) -> None:
        n = 0
        while not stop.is_set():
            began = time.monotonic()
            waiting = [scored(house, f"client {client}", n + i) for i in range(3)]
            records.extend(one.result(60) for one in waiting)
            seconds.append(time.monotonic() - began)
            n += 3

    with opened(settings) as house:
        threads = [threading.Thread(target=post, args=(client, house)) for client in range(3)]
        for thread in threads:
            thread.start()
        try:
            for texts in wanted:
                promote_policy(settings, texts, **WHO)
                wait_for(lambda texts=texts: serves(house, texts))  # type: ignore[misc]
                before = len(records)
                wait_for(lambda before=before: len(records) > before + 9)  # type: ignore[misc]
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert house.policies.problem() is None
    decisions = sorted((record.decision for record in records), key=lambda one: one.position)
    shipped = load_policy().digest
    in_order = [digest for digest, _ in groupby(decision.policy_digest for decision in decisions)]
    assert in_order == [shipped, *(policy_of(texts).digest for texts in wanted[:3]), shipped]
    by_rule = {one.policy_digest for one in decisions if one.grounds.rules}
    metered = {one.policy_digest for one in decisions if one.grounds.capacity}
    first, second, third = in_order[1:4]
    assert (by_rule, metered) == ({second, third}, {first, third})
    report = verify_log_of(settings)
    assert report.is_intact, report.findings
    assert report.lanes.derived == len(decisions)
    median, slowest = statistics.median(seconds), max(seconds)
    print(f"{len(decisions)} crossings in threes, median {median:.4f} s, slowest {slowest:.4f} s")
    assert slowest < 1.5, "nobody waits for a policy to be read, begun or tried"


def hold_back(house: House, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Keep the writer from taking a policy up until the event is set."""
    may, take_up = threading.Event(), house.policies.take_up
    monkeypatch.setattr(house.policies, "take_up", lambda: take_up() if may.is_set() else None)
    return may


def test_capacity_goes_on_as_if_the_service_had_begun_with_the_new_plan(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Places taken under the old plan are taken under the new one, also those taken while the new one was tried."""
    first, second = with_more(budgets(5)), with_more(budgets(11))
    promote_policy(settings, first, **WHO)
    with opened(settings) as house:
        may = hold_back(house, monkeypatch)
        for number in range(20):
            scored(house, "before", number).result(60)
        before = house.capacity
        promote_policy(settings, second, **WHO)
        wait_for(lambda: house.policies._next is not None)
        for number in range(20):
            assert scored(house, "meanwhile", number).result(60).decision.policy_digest == policy_of(first).digest
        may.set()
        wait_for(lambda: serves(house, second))
        for number in range(20):
            scored(house, "after", number).result(60)
        assert house.capacity is not before
        database = open_database(settings)
        anew = MeterFromLog(house.policy, SqlCapacityLog(database))
        at = datetime.now(UTC)
        anew.begin(at)
        for point in POINTS:
            asker = crossing("asker", crossing_point=point)
            told = house.capacity.states(asker, (), at)
            assert told == anew.states(asker, (), at)
            assert [one.budget for one in told] == [11]
        assert sum(one.used for one in house.capacity.standing()) > 0, "places were taken"
        database.close()


def test_what_needs_a_restart_is_told_and_the_old_policy_goes_on(settings: Settings) -> None:
    tobacco = (
        '[domains.tobacco]\nlead = "customs"\n[domains.tobacco.lanes.red]\nfrom_risk = 0.9\n'
        'control = "control.search"\ninstruction = "instruction.check_registers"\ndue_minutes = 60\n'
    )
    texts = with_more(tobacco, **{'"revenue_fraud"]': '"revenue_fraud", "tobacco"]'})
    with opened(settings) as house:
        was = house.policy
        promote_policy(settings, texts, **WHO)
        wait_for(lambda: house.policies.problem() is not None)
        told = house.policies.problem()
        assert told is not None
        assert "restart the service" in told
        assert scored(house, "still", 1).result(60).decision.policy_digest == was.digest
        promote_policy(settings, with_more() | RULE, **WHO)
        wait_for(lambda: serves(house, with_more() | RULE))
        assert house.policies.problem() is None


def test_a_policy_that_is_pinned_or_cannot_decide_or_be_read_does_not_serve(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy_swap, "WATCH_SECONDS", 3600.0)
    with opened(settings) as house:
        swap, was = house.policies, house.policy

        def told_of(texts: dict[str, str]) -> str | None:
            promote_policy(settings, texts, **WHO)
            swap.look()
            return swap.problem()

        def fail(_self: Foundations, _inside: InForce) -> None:
            raise ZeroDivisionError

        with monkeypatch.context() as patched:
            patched.setattr(Foundations, "rehearse", fail)
            told = told_of(with_more(budgets(1)))
            assert told is not None
            assert "cannot decide an example" in told
            patched.setattr(Foundations, "why_not_hot", lambda *_: "pinned")
            assert "pinned" in (told_of(with_more(budgets(2))) or "")
        database = open_database(settings)
        newest = SqlPolicies(database).newest()
        assert newest is not None
        SqlPolicies(database).record(replace(newest, promotion_id="later", policy_digest="sha256:1", texts={"p": "?"}))
        swap.look()
        assert "does not serve" in (swap.problem() or "")
        assert house.policy is was
        # Going back to what serves ends the matter.
        assert told_of(policy_texts()) is None
        database.close()


def test_a_database_that_is_away_refuses_nothing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy_swap, "WATCH_SECONDS", 3600.0)

    def away(_self: Foundations, _policy: Policy) -> InForce:
        raise LogUnavailableError("the database cannot be used")

    with opened(settings) as house:
        promote_policy(settings, with_more(budgets(2)), **WHO)
        with monkeypatch.context() as patched:
            patched.setattr(Foundations, "under", away)
            with pytest.raises(LogUnavailableError):
                house.policies.look()
        assert house.policies.problem() is None
        house.policies.look()
        wait_for(lambda: serves(house, with_more(budgets(2))))


def test_of_two_promotions_in_a_row_the_last_one_serves(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one waits for the writer when the second one comes."""
    monkeypatch.setattr(policy_swap, "WATCH_SECONDS", 3600.0)
    with opened(settings) as house:
        may = hold_back(house, monkeypatch)
        for texts in (with_more(budgets(2)), policy_texts()):
            promote_policy(settings, texts, **WHO)
            house.policies.look()
        may.set()
        time.sleep(1.5)  # an idle writer looks once a second
        assert house.policy.digest == load_policy().digest


def test_agencies_and_stop_buttons_are_those_of_the_new_policy_at_once(settings: Settings) -> None:
    """A new agency can be asked and can stop its models; what was stopped before stays stopped."""
    texts = with_more(**{"more = []": 'more = ["tax_service"]'})
    analyst = actor(role=Role.ANALYST)
    with opened(settings) as house:
        assert "tax_service" not in house.policy.known_agencies
        house.set_mode(actor(role=Role.SUPERVISOR), "customs", Mode.RULES)
        promote_policy(settings, texts, **WHO)
        wait_for(lambda: serves(house, texts))
        record = scored(house, "asked", 1).result(60)
        assert record.decision.grounds.without_models == ("customs",)
        decision_id = record.decision.decision_id
        ask = ReviewRequest(
            decision_id=decision_id, action=ReviewAction.REFER, refer_to="tax_service", reason="its business"
        )
        house.review(analyst, ask)
        house.set_mode(actor("tax_service", Role.SUPERVISOR), "tax_service", Mode.RULES)
        later = scored(house, "later", 2).result(60)
        assert later.decision.grounds.without_models == ("customs", "tax_service")


def test_a_server_takes_a_policy_up_and_tells_one_that_it_cannot(home: Path) -> None:
    settings = settings_of(home, CHEKARA_POLICY="")
    texts = with_more() | RULE
    with serving(home, CHEKARA_POLICY="") as server:

        def warned() -> set[str]:
            return {one["code"] for one in server.send("GET", "/readyz").json.get("warnings", ())}

        def is_told(digest: str) -> bool:
            return f'digest="{digest}"' in server.send("GET", "/metrics").body.decode()

        assert is_told(load_policy().digest)
        promote_policy(settings, texts, **WHO)
        wait_for(lambda: is_told(policy_of(texts).digest))
        assert "policy_refused" not in warned()
        promote_policy(settings, {"policy.toml": 'name = "none"\nformat = 1\n[domains]\n'}, **WHO)
        wait_for(lambda: "policy_refused" in warned())
        assert is_told(policy_of(texts).digest)
        assert "chekara_policy_refused 1.0" in server.send("GET", "/metrics").body.decode()
