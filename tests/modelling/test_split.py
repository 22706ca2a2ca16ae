"""Cuts in time: nothing that was not known teaches, and the judged come later."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekara.errors import NotEnoughHitsError
from chekara.modelling.split import LONGEST_EMBARGO, cut_at, forward_blocks, require_hits, result_delay, split_in_time

START = np.datetime64("2026-01-01", "us")
HOUR = np.timedelta64(1, "h").astype("timedelta64[us]")
NAT = np.datetime64("NaT", "us")


@st.composite
def histories(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(30, 300))
    as_of = START + generator.integers(0, 5000, n) * HOUR
    known_at = as_of + generator.integers(0, draw(st.sampled_from([1, 48, 2000])) + 1, n) * HOUR
    hit = (generator.random(n) < 0.4).astype(float)
    unknown = generator.random(n) < 0.3
    return as_of, np.where(unknown, NAT, known_at), np.where(unknown, np.nan, hit)


@given(histories(), st.integers(0, 5000))
def test_a_cut_never_lets_the_future_teach(history: tuple[np.ndarray, np.ndarray, np.ndarray], hour: int) -> None:
    as_of, known_at, _ = history
    begins_at = START + hour * HOUR
    block = cut_at(as_of, known_at, begins_at)
    assert not (block.fit & block.judge).any()
    assert (known_at[block.fit] < begins_at).all()
    assert (as_of[block.fit] < begins_at - block.embargo).all()
    assert (as_of[block.judge] >= begins_at).all()
    assert not np.isnat(known_at[block.fit | block.judge]).any()
    before = as_of < begins_at
    if before.any():
        assert block.embargo <= (begins_at - as_of[before].min()) * LONGEST_EMBARGO + np.timedelta64(1, "us")


@given(histories())
def test_blocks_step_forward_and_judge_nobody_twice(history: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    as_of, known_at, hit = history
    blocks = forward_blocks(as_of, known_at, hit, 4)
    assert list(blocks) == sorted(blocks, key=lambda b: b.begins_at)
    judged = np.sum([b.judge for b in blocks], axis=0) if blocks else np.zeros(len(as_of))
    assert (judged <= 1).all()
    for block in blocks:
        assert hit[block.fit].sum() >= 10
        assert not (block.fit & block.judge).any()


@given(histories())
def test_the_parts_of_a_split_do_not_overlap(history: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    as_of, known_at, hit = history
    try:
        split = split_in_time(as_of, known_at, hit, test_share=0.25, n_blocks=3, minimum_hits=5)
    except NotEnoughHitsError:
        return
    labelled = ~np.isnan(hit)
    assert (split.train.astype(int) + split.embargo + split.test == labelled).all()
    assert (split.calibrate <= split.train).all()
    assert (as_of[split.test] >= split.begins_at).all()
    assert (known_at[split.train] < split.begins_at).all()
    for block in split.blocks:
        assert (block.fit <= split.train).all()


def test_the_delay_is_a_quantile_of_the_waits() -> None:
    as_of = np.full(100, START)
    known_at = as_of + np.arange(100) * HOUR
    assert result_delay(as_of, known_at) == 95 * HOUR
    assert result_delay(as_of, np.full(100, NAT)) == 0 * HOUR
    assert result_delay(as_of, as_of - HOUR) == 0 * HOUR


def test_an_embargo_keeps_the_quickly_decided_from_standing_for_all() -> None:
    # Clear cases are known after an hour, hits after ten days: near the cut only clear ones are known.
    as_of = START + np.arange(2000) * HOUR
    hit = (np.arange(2000) % 10 == 0).astype(float)
    known_at = as_of + np.where(hit == 1, 240, 1) * HOUR
    block = cut_at(as_of, known_at, START + 1500 * HOUR)
    late = block.fit & (as_of >= START + 1000 * HOUR)
    assert hit[late].mean() == pytest.approx(0.1, abs=0.01)


def test_too_little_is_said_with_its_count() -> None:
    with pytest.raises(NotEnoughHitsError, match="2 hits somewhere, at least 3"):
        require_hits(np.array([1.0, 1.0, 0.0, np.nan]), 3, "somewhere")
    with pytest.raises(NotEnoughHitsError, match="is a hit"):
        require_hits(np.array([1.0, 1.0, np.nan]), 1, "somewhere")
    with pytest.raises(NotEnoughHitsError, match="no crossing"):
        split_in_time(
            np.array([START]), np.array([NAT]), np.array([np.nan]), test_share=0.2, n_blocks=2, minimum_hits=1
        )


@pytest.mark.parametrize(("minimum", "said"), [(10, None), (11, "10 hits known, at least 11"), (5, None)])
def test_all_known_hits_count_for_the_gate(minimum: int, said: str | None) -> None:
    """Ten hits in all, six of them early: a domain of just enough hits is handled, and judged on what lies before."""
    as_of = START + np.arange(100) * HOUR
    hit = np.zeros(100)
    hit[[3, 13, 23, 33, 43, 53, 85, 88, 92, 97]] = 1.0

    def split(minimum_hits: int) -> None:
        split_in_time(as_of, as_of + HOUR, hit, test_share=0.2, n_blocks=2, minimum_hits=minimum_hits)

    if said is None:
        split(minimum)
    else:
        with pytest.raises(NotEnoughHitsError, match=said):
            split(minimum)
    hit[[3, 13, 23]] = 0.0
    hit[[80, 81, 82]] = 1.0
    with pytest.raises(NotEnoughHitsError, match="3 hits before the test slice, at least 5"):
        split(10)
