"""Rank windows against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chekara.service.ranks import WINDOW, RankWindow, RankWindows
from tests.small_house import small_model

margins = st.lists(st.integers(-5, 5).map(float), max_size=60)


def brute_force(kept: list[float], margin: float) -> float:
    if not kept:
        return 0.5
    return (sum(m < margin for m in kept) + sum(m == margin for m in kept) / 2) / len(kept)


@given(begun=margins, arriving=margins, size=st.integers(1, 20))
@settings(max_examples=200)
def test_rank_is_the_share_below_with_ties_half(begun: list[float], arriving: list[float], size: int) -> None:
    window = RankWindow(np.array(begun), size)
    kept = begun[-size:]
    for margin in arriving:
        assert window.rank(margin) == pytest.approx(brute_force(kept, margin), abs=1e-12)
        window.add(margin)
        kept = [*kept, margin][-size:]
        assert len(window) == len(kept)


def test_blocks_that_grow_are_cut_and_fade_away() -> None:
    rng = np.random.default_rng(3)
    window = RankWindow(rng.normal(size=300).round(1), 900)
    kept: list[float] = []
    # First all high, then all low, then mixed with ties: blocks fill, split and empty at both ends.
    arriving = np.concatenate([5 + rng.random(1500), -5 - rng.random(1500), rng.normal(size=1500).round(1)]).tolist()
    for count, margin in enumerate(arriving, 1):
        if count % 7 == 0 and len(kept) >= 900:
            assert window.rank(margin) == pytest.approx(brute_force(kept, margin), abs=1e-12)
        window.add(margin)
        kept = [*kept, margin][-900:]
        assert len(window) == min(300 + count, 900)


def test_live_margins_displace_reference_margins_of_every_height() -> None:
    model = small_model()
    reference = np.arange(WINDOW, dtype=np.float64)
    windows = RankWindows(lambda _digest, _limit: np.full(WINDOW // 2, 1e9))
    champion = type("Champion", (), {"identity": model.identity, "reference_margins": reference})()
    # Half of the window is far above; of the rest, the middle is still in the middle.
    assert windows.rank(champion, WINDOW / 2, enters=False) == pytest.approx(0.25, abs=0.02)


def test_what_was_not_recorded_leaves_no_trace() -> None:
    model = small_model()
    windows = RankWindows(lambda _digest, _limit: np.empty(0))
    before = windows.rank(model, 0.0, enters=False)
    for _ in range(100):
        windows.rank(model, -50.0, enters=True)
    windows.forget()
    assert windows.rank(model, 0.0, enters=True) == before
    windows.settle()
    windows.forget()
    assert len(windows._windows) == 1
