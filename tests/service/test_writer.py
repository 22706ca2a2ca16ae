"""The group-commit writer: groups, deadlines, a full queue, failures that pass, an orderly end."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from chekara.errors import (
    DeadlineExceededError,
    LogUnavailableError,
    RevisionConflictError,
    TooManyRequestsError,
    UnavailableError,
)
from chekara.service.group import Outcome
from chekara.service.records import Chain, DecisionRecord, ScoreRequest
from chekara.service.writer import GroupCommitWriter
from tests.small_house import SmallHouse, crossing, request, small_house

ANSWER_SECONDS = 30


class Gate:
    """Holds groups back until it is opened, and remembers their sizes."""

    def __init__(self, house: SmallHouse) -> None:
        self.house = house
        self.open = threading.Event()
        self.entered = threading.Event()
        self.sizes: list[int] = []

    def __call__(self, requests: Sequence[ScoreRequest]) -> list[Outcome]:
        self.sizes.append(len(requests))
        self.entered.set()
        assert self.open.wait(ANSWER_SECONDS)
        return self.house.score(requests)


@pytest.fixture
def house(tmp_path: Path):
    opened = small_house(tmp_path)
    yield opened
    opened.database.close()


@pytest.fixture
def gate(house: SmallHouse) -> Gate:
    return Gate(house)


def start(gate: Gate, **more) -> GroupCommitWriter:
    writer = GroupCommitWriter(gate, **({"queue_length": 100} | more))
    writer.start()
    return writer


def first_held(writer: GroupCommitWriter, gate: Gate) -> Future[DecisionRecord]:
    """Have the writer busy with one request."""
    first = writer.submit(request(crossing("first")))
    assert gate.entered.wait(ANSWER_SECONDS)
    return first


def test_what_waits_is_served_together(gate: Gate) -> None:
    writer = start(gate)
    futures = [first_held(writer, gate), *(writer.submit(request(crossing(f"c{i}"))) for i in range(20))]
    assert writer.waiting == 20
    gate.open.set()
    assert {f.result(ANSWER_SECONDS).decision.position for f in futures} == set(range(1, 22))
    assert gate.sizes == [1, 20]
    writer.stop()


def test_a_group_has_a_limit(gate: Gate) -> None:
    writer = start(gate, group_limit=8)
    futures = [first_held(writer, gate), *(writer.submit(request(crossing(f"c{i}"))) for i in range(20))]
    gate.open.set()
    for future in futures:
        future.result(ANSWER_SECONDS)
    assert gate.sizes == [1, 8, 8, 4]
    writer.stop()


def test_a_full_queue_turns_new_requests_away(gate: Gate) -> None:
    writer = start(gate, queue_length=3)
    futures = [first_held(writer, gate), *(writer.submit(request(crossing(f"c{i}"))) for i in range(3))]
    with pytest.raises(TooManyRequestsError):
        writer.submit(request(crossing("too many")))
    gate.open.set()
    assert len([f.result(ANSWER_SECONDS) for f in futures]) == 4
    writer.stop()


def test_a_request_past_its_time_is_not_scored(gate: Gate, house: SmallHouse) -> None:
    writer = start(gate)
    first = first_held(writer, gate)
    late = writer.submit(replace(request(crossing("late")), answer_by=time.monotonic() + 0.01))
    given_up = writer.submit(request(crossing("given up")))
    assert given_up.cancel()
    time.sleep(0.05)
    gate.open.set()
    with pytest.raises(DeadlineExceededError):
        late.result(ANSWER_SECONDS)
    first.result(ANSWER_SECONDS)
    writer.stop()
    with house.database.reading() as connection:
        assert connection.execute(text("SELECT crossing_id FROM decisions")).scalars().all() == ["first"]


def test_each_request_gets_its_own_error(gate: Gate) -> None:
    gate.open.set()
    writer = start(gate)
    assert writer.submit(request(crossing())).result(ANSWER_SECONDS)
    with pytest.raises(RevisionConflictError):
        writer.submit(request(crossing(value=3.0))).result(ANSWER_SECONDS)
    assert writer.submit(request(crossing("c2"))).result(ANSWER_SECONDS)
    writer.stop()


def test_a_database_that_fails_fails_the_group_and_recovers_by_itself(gate: Gate, house: SmallHouse) -> None:
    gate.open.set()
    writer = start(gate)
    assert writer.submit(request(crossing("before"))).result(ANSWER_SECONDS)
    with house.database.engine.connect() as connection:
        connection.execute(text("ALTER TABLE payloads RENAME TO away"))
        connection.commit()
    failed = [writer.submit(request(crossing(f"c{i}"))) for i in range(3)]
    for future in failed:
        with pytest.raises(LogUnavailableError):
            future.result(ANSWER_SECONDS)
    with house.database.engine.connect() as connection:
        connection.execute(text("ALTER TABLE away RENAME TO payloads"))
        connection.commit()
    after = writer.submit(request(crossing("after"))).result(ANSWER_SECONDS)
    writer.stop()
    assert after.decision.position == 2
    assert house.log.decision(Chain.LIVE, after.decision.decision_id) == after


def test_stopping_serves_what_waits_and_refuses_the_rest(gate: Gate) -> None:
    writer = start(gate)
    futures = [first_held(writer, gate), *(writer.submit(request(crossing(f"c{i}"))) for i in range(5))]
    stopping = threading.Thread(target=writer.stop)
    stopping.start()
    gate.open.set()
    stopping.join(ANSWER_SECONDS)
    assert len([f.result(0) for f in futures]) == 6
    with pytest.raises(UnavailableError):
        writer.submit(request(crossing("late")))
    writer.stop()


def test_idle_work_that_fails_does_not_end_the_writer(gate: Gate) -> None:
    calls = []

    def fail() -> None:
        calls.append(1)
        raise OSError("disk full")

    gate.open.set()
    writer = start(gate, on_idle=fail)
    for i in range(3):
        writer.submit(request(crossing(f"c{i}"))).result(ANSWER_SECONDS)
    writer.stop()
    assert len(calls) >= 3


def test_single_requests_go_ahead_of_a_batch_that_keeps_its_share(gate: Gate) -> None:
    served: list[str] = []
    score = gate.house.score

    def serve(requests: Sequence[ScoreRequest]) -> list[Outcome]:
        served.extend(one.crossing.crossing_id for one in requests)
        return score(requests)

    gate.house.score = serve  # type: ignore[assignment]
    writer = start(gate, group_limit=8)
    futures = [first_held(writer, gate)]
    futures += [writer.submit(request(crossing(f"row{i}")), is_bulk=True) for i in range(10)]
    futures += [writer.submit(request(crossing(f"one{i}"))) for i in range(10)]
    gate.open.set()
    for future in futures:
        future.result(ANSWER_SECONDS)
    writer.stop()
    assert served[1:9] == [f"one{i}" for i in range(6)] + ["row0", "row1"]


def test_what_cannot_be_answered_in_time_is_refused_at_once_and_told_when(gate: Gate) -> None:
    gate.open.set()
    writer = start(gate)
    writer.submit(request(crossing("pace"))).result(ANSWER_SECONDS)
    writer._seconds_each = 0.5
    gate.open.clear()
    gate.entered.clear()
    futures = [first_held(writer, gate), *(writer.submit(request(crossing(f"c{i}"))) for i in range(9))]
    with pytest.raises(DeadlineExceededError) as refused:
        writer.submit(replace(request(crossing("late")), answer_by=time.monotonic() + 2.0))
    assert refused.value.retry_after_seconds == pytest.approx(5.0)
    futures.append(writer.submit(replace(request(crossing("patient")), answer_by=time.monotonic() + 60.0)))
    gate.open.set()
    for future in futures:
        future.result(ANSWER_SECONDS)
    # Nothing is ahead of it: it is let in however slow the groups before were.
    writer._seconds_each = 100.0
    writer.submit(replace(request(crossing("alone")), answer_by=time.monotonic() + 10.0)).result(ANSWER_SECONDS)
    writer.stop()


def test_one_slow_request_alone_turns_nobody_away_who_comes_meanwhile(gate: Gate) -> None:
    """A start, or one stall of the disk, tells nothing of the pace at which a group is served."""

    def slow(requests: Sequence[ScoreRequest]) -> list[Outcome]:
        time.sleep(0.4 if len(requests) == 1 else 0.0)
        return gate(requests)

    gate.open.set()
    writer = GroupCommitWriter(slow, queue_length=100)
    writer.start()
    writer.submit(request(crossing("cold"))).result(ANSWER_SECONDS)
    gate.open.clear()
    gate.entered.clear()
    futures = [first_held(writer, gate)]
    answer_by = time.monotonic() + 2.0
    futures += [writer.submit(replace(request(crossing(f"c{i}")), answer_by=answer_by)) for i in range(19)]
    gate.open.set()
    for future in futures:
        assert future.result(ANSWER_SECONDS).decision.decision_id
    assert writer.expected_wait() == 0.0
    writer.stop()
