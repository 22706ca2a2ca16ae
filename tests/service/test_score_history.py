"""A scored history against the service: one crossing after the other, with the same models."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as arrow
import pytest

from chekara.api.parse import ScoreParser
from chekara.data.bodies import request_bodies
from chekara.data.sources import History
from chekara.domain.crossing import Crossing
from chekara.domain.decision import DomainScore, Reason
from chekara.domain.selection import Floor, Grounds
from chekara.errors import HistoryError, NotReadyError
from chekara.features.build import items_from_crossings
from chekara.policy import decide, load_policy
from chekara.policy.decide import LaneDecision
from chekara.service import score_history as score_history_module
from chekara.service.champions import Champion
from chekara.service.predict import predict
from chekara.service.ranks import RankWindows
from chekara.service.score_history import score_history, score_schema
from chekara.service.score_plan import plan_scores
from chekara.settings import Limits
from tests.service.histories import dirty_history, history_of
from tests.small_house import START, small_model

POLICY = load_policy()
CHAMPIONS: dict[str, Champion] = {
    "revenue_fraud": small_model(1),
    "contraband": replace(small_model(2), severity=None),  # nothing is known of amounts
}


@dataclass
class Answer:
    """What the service would say last of a crossing."""

    lane: str
    scores: dict[str, DomainScore]


def table_of(history: History, **options: Any) -> Any:
    tables = list(score_history(history, CHAMPIONS, POLICY, **options))
    return arrow.concat_tables(tables)


def crossings_in_turn(history: History) -> list[Crossing]:
    """Return what a border system would have posted, in the order of scoring."""
    parser = ScoreParser(Limits())
    frame = history.crossings.iloc[plan_scores(history).rows]
    bodies = [json.dumps(body).encode() for body in request_bodies(frame)]
    at = START + timedelta(days=99)
    return [parser.parse(body, received_at=at, is_replay=True).crossing for body in bodies]


def one_by_one(history: History) -> dict[str, Answer]:
    """Score as the service does: each crossing alone, its rank from the live window, its lane with floors."""
    windows = RankWindows(lambda _digest, _limit: np.empty(0))
    decided: dict[str, tuple[LaneDecision, Answer]] = {}
    for crossing in crossings_in_turn(history):
        items, _ = items_from_crossings([crossing])
        told = predict(CHAMPIONS, [crossing], items, np.array([0, items.n_items]))[0].predictions
        previous = decided.get(crossing.crossing_id)
        scores = []
        for domain, champion in CHAMPIONS.items():
            found = told[domain]
            if found is None:
                continue
            rank = windows.rank(champion, found.margin, enters=previous is None)
            names = ("probability", "interval", "item_no", "base_value", "margin", "expected_amount")
            own = {name: getattr(found, name) for name in names}
            own |= {"contributions": found.contributions, "reasons": found.reasons, "rank": rank, "risk": rank}
            scores.append(DomainScore(domain=domain, agency="", model=champion.identity, **own))
        floors = {} if previous is None else {a.domain: Floor(a.lane, "model") for a in previous[0].actions}
        decision = decide(scores, POLICY, "KG-01", START, Grounds(floors=floors))
        answer = Answer(decision.lane.value, {score.domain: score for score in scores})
        decided[crossing.crossing_id] = (decision, answer)
    return {crossing_id: answer for crossing_id, (_, answer) in decided.items()}


def test_a_history_scores_as_its_crossings_do_one_by_one() -> None:
    history = dirty_history()
    expected = one_by_one(history)
    rows = table_of(history).to_pylist()
    assert sorted(row["crossing_id"] for row in rows) == sorted(expected)
    assert {answer.lane for answer in expected.values()} > {"green"}
    for row in rows:
        answer = expected[row["crossing_id"]]
        assert row["lane"] == answer.lane
        for domain in CHAMPIONS:
            score = answer.scores.get(domain)
            if score is None:
                columns = ("p", "margin", "rank", "reasons", "item_no", "expected_amount")
                assert [row[f"{column}_{domain}"] for column in columns] == [None] * len(columns)
                continue
            assert row[f"margin_{domain}"] == score.margin
            assert row[f"rank_{domain}"] == score.rank
            assert row[f"p_{domain}"] == score.probability
            assert row[f"item_no_{domain}"] == score.item_no
            assert row[f"expected_amount_{domain}"] == score.expected_amount
            assert (score.expected_amount is None) == (domain == "contraband")
            assert alike(row[f"reasons_{domain}"], score.reasons)


def alike(told: list[dict[str, Any]], reasons: Sequence[Reason]) -> bool:
    """Whether reasons as told in a file are those of the service; numbers are told as text."""
    pairs = [(str(t["value"]), r.value) for t, r in zip(told, reasons, strict=True)]
    return [(t["feature"], t["contribution"]) for t in told] == [(r.feature, r.contribution) for r in reasons] and all(
        float(text) == value if isinstance(value, float) else text == str(value) for text, value in pairs
    )


def test_chunks_and_threads_leave_no_trace() -> None:
    history = dirty_history()
    whole = table_of(history, chunk_size=10_000, threads=1)
    for chunk_size, threads in ((7, 2), (50, 3)):
        assert table_of(history, chunk_size=chunk_size, threads=threads).equals(whole)


def test_since_does_not_change_a_value() -> None:
    history = dirty_history()
    whole = table_of(history)
    since = START + timedelta(hours=25)
    part = table_of(history, since=since)
    assert 0 < len(part) < len(whole)
    assert part.equals(whole.filter(arrow.compute.is_in(whole["crossing_id"], part["crossing_id"])))


def test_the_future_changes_nothing() -> None:
    history = dirty_history()
    cut = START + timedelta(hours=25)
    frame = history.crossings
    past = history_of(frame[frame["known_at"] < cut])
    whole, before = table_of(history).to_pylist(), table_of(past).to_pylist()
    by_key = {(row["crossing_id"], row["revision"]): row for row in whole}
    same = [row for row in before if (row["crossing_id"], row["revision"]) in by_key]
    assert len(same) > 50
    for row in same:
        assert row == by_key[row["crossing_id"], row["revision"]]


def test_profiles_are_laid_beside_their_own_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    history = dirty_history()
    asked: list[int] = []

    class Stream:
        """Tells each line its own position instead of its value."""

        def __init__(self, of: History, names: Sequence[str], *, domains: Sequence[str], rows: np.ndarray) -> None:
            assert np.flatnonzero(rows).tolist() == sorted(plan_scores(history).rows)
            assert (of, names, domains) == (history, ("declared_value",), tuple(POLICY.domains))

        def columns(self, rows: np.ndarray) -> dict[str, np.ndarray]:
            asked.extend(rows.tolist())
            return {"declared_value": rows.astype(np.float64)}

    monkeypatch.setattr(score_history_module, "ProfileStream", Stream)
    monkeypatch.setattr(score_history_module, "laid_columns", lambda _names: ("declared_value",))
    table = table_of(history, chunk_size=13)
    assert asked == plan_scores(history).rows.tolist()
    lines = history.crossings.reset_index().set_index(["crossing_id", "revision", "item_no"])["index"]
    for row in table.to_pylist():
        for reason in row["reasons_revenue_fraud"] or ():
            if reason["feature"] == "declared_value":
                key = (row["crossing_id"], row["revision"], row["item_no_revenue_fraud"])
                assert float(reason["value"]) == lines[key]


def test_progress_ends_at_all_of_it() -> None:
    told: list[tuple[int, int]] = []
    table_of(dirty_history(), chunk_size=20, progress=lambda done, total: told.append((done, total)))
    done, total = zip(*told, strict=True)
    assert list(done) == sorted(done)
    assert done[-1] == total[-1] == total[0]


def test_nothing_to_score_with_and_nothing_to_score() -> None:
    with pytest.raises(NotReadyError, match="champion"):
        score_history(dirty_history(), {}, POLICY)
    empty = history_of(dirty_history().crossings.iloc[:0])
    with pytest.raises(HistoryError, match="no usable crossing"):
        score_history(empty, CHAMPIONS, POLICY)


def test_columns_are_those_of_the_contract() -> None:
    names = score_schema({"a": 1, "b": 2}).names
    assert names[:8] == ["crossing_id", "lane", "p_a", "p_b", "margin_a", "margin_b", "rank_a", "rank_b"]
    assert names[8:12] == ["reasons_a", "reasons_b", "item_no_a", "item_no_b"]
    assert names[12:] == ["expected_amount_a", "expected_amount_b", "revision"]
