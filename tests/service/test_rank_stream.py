"""Ranks in blocks against the window that answers one by one, and against counting."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from chekara.service.rank_stream import RankStream
from chekara.service.ranks import RankWindow

margins = st.lists(st.integers(-5, 5).map(float), max_size=60)
arrivals = st.lists(st.tuples(st.integers(-5, 5).map(float), st.booleans()), max_size=80)


def one_by_one(begun: list[float], arriving: list[tuple[float, bool]], size: int) -> list[float]:
    kept, ranks = begun[-size:], []
    for margin, enters in arriving:
        below = sum(m < margin for m in kept) + sum(m <= margin for m in kept)
        ranks.append(below / (2 * len(kept)) if kept else 0.5)
        kept = [*kept, margin][-size:] if enters else kept
    return ranks


@given(margins, arrivals, st.integers(1, 20), st.integers(1, 80))
@settings(max_examples=300)
def test_ranks_in_calls_of_any_length_are_those_counted_one_by_one(
    begun: list[float], arriving: list[tuple[float, bool]], size: int, call: int
) -> None:
    stream = RankStream(np.array(begun, dtype=np.float64), size)
    found: list[float] = []
    for start in range(0, len(arriving), call):
        part = arriving[start : start + call]
        found += stream.ranks(np.array([m for m, _ in part]), np.array([e for _, e in part], dtype=bool)).tolist()
    assert found == one_by_one(begun, arriving, size)


def test_a_long_history_ranks_as_the_live_window_does() -> None:
    rng = np.random.default_rng(5)
    begun, scored = rng.normal(size=3_000), np.round(rng.normal(size=5_000), 2)
    window, live = RankWindow(begun, 2_000), []
    for margin in scored.tolist():
        live.append(window.rank(margin))
        window.add(margin)
    stream = RankStream(begun, 2_000)
    assert stream.ranks(scored, np.ones(len(scored), dtype=bool)).tolist() == live
