"""What is scored, in which order, and which revision speaks for its crossing."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from chekara.data.sources import History
from chekara.errors import ConfigurationError
from chekara.service.score_plan import plan_scores
from tests.service.histories import dirty_history, history_of, result
from tests.small_house import START


def crossings(*rows: tuple[str, int, int]) -> pd.DataFrame:
    """Make crossings of one item from (id, revision, hour known)."""
    found = [
        {"crossing_id": i, "revision": r, "known_at": START + timedelta(hours=h), "occurred_at": START, "item_no": 1}
        | {"crossing_point": "KG-01", "direction": "entry", "mode": "road"}
        for i, r, h in rows
    ]
    return pd.DataFrame(found)


def told(history: History, since: datetime | None = None) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """Return (id, revision) of what is scored, and of what is reported."""
    plan = plan_scores(history, since)
    first = history.crossings.iloc[plan.rows[plan.starts[:-1]]]
    named = list(zip(first["crossing_id"], first["revision"].astype(int), strict=True))
    return named, [one for one, reported in zip(named, plan.is_reported, strict=True) if reported]


def test_order_is_by_instant_then_by_place_in_the_file() -> None:
    scored, reported = told(history_of(crossings(("b", 0, 2), ("a", 0, 1), ("c", 0, 1))))
    assert scored == [("a", 0), ("c", 0), ("b", 0)] == reported


def test_a_crossing_is_reported_once_in_its_newest_revision() -> None:
    scored, reported = told(history_of(crossings(("a", 0, 1), ("b", 0, 2), ("a", 1, 3))))
    assert scored == [("a", 0), ("b", 0), ("a", 1)]
    assert reported == [("b", 0), ("a", 1)]


def test_a_revision_that_came_after_a_higher_one_was_refused() -> None:
    assert told(history_of(crossings(("a", 2, 1), ("a", 1, 2), ("a", 3, 3))))[0] == [("a", 2), ("a", 3)]


def test_what_is_lodged_after_a_result_is_no_matter_of_selection() -> None:
    lodged = crossings(("a", 0, 1), ("a", 1, 2), ("a", 2, 4), ("b", 0, 5))
    results = [result("a", START + timedelta(hours=3)), result("b", START + timedelta(hours=1))]
    scored, reported = told(history_of(lodged, pd.DataFrame(results)))
    assert scored == [("a", 0), ("a", 1), ("b", 0)]
    assert reported == [("a", 1), ("b", 0)]


def test_an_inspection_that_was_not_done_tells_nothing() -> None:
    undone = result("a", START + timedelta(hours=1), status="not_done", found=False)
    scored, _ = told(history_of(crossings(("a", 0, 1), ("a", 1, 2)), pd.DataFrame([undone])))
    assert scored == [("a", 0), ("a", 1)]


def test_since_limits_what_is_reported_and_nothing_else() -> None:
    history = history_of(crossings(("a", 0, 1), ("b", 0, 2), ("a", 1, 3)))
    scored, reported = told(history, START + timedelta(hours=2))
    assert (scored, reported) == ([("a", 0), ("b", 0), ("a", 1)], [("b", 0), ("a", 1)])
    assert told(history, START + timedelta(hours=2, microseconds=1))[1] == [("a", 1)]
    with pytest.raises(ConfigurationError):
        plan_scores(history, datetime(2026, 1, 1))


def test_every_line_of_a_revision_is_scored_once_and_in_its_place() -> None:
    history = dirty_history()
    plan = plan_scores(history)
    frame = history.crossings.iloc[plan.rows]
    place = np.repeat(np.arange(len(plan)), np.diff(plan.starts))
    assert len(set(plan.rows.tolist())) == len(plan.rows)
    assert (frame.groupby(place)[["crossing_id", "revision"]].nunique() == 1).all().all()
    assert frame["known_at"].is_monotonic_increasing
    assert plan.enters.sum() == plan.is_reported.sum() == plan.n_crossings == history.crossings.crossing_id.nunique()
    sizes = history.crossings.groupby(["crossing_id", "revision"]).size()
    assert frame.groupby(["crossing_id", "revision"]).size().eq(sizes.loc[list(told(history)[0])]).all()
