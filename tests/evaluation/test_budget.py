"""Selections by budget: exact sums, ties shared, weights as copies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekara.evaluation.budget import found_by, list_overlap, selected_at

scores = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=40).map(np.array)
shares = st.floats(0, 1)


@given(scores, shares)
def test_a_budget_is_spent_to_the_last_crossing_on_the_highest(score: np.ndarray, share: float) -> None:
    selected = selected_at(score, share)
    assert selected.sum() == pytest.approx(share * len(score))
    assert ((selected >= 0) & (selected <= 1 + 1e-12)).all()
    for value in np.unique(score):
        assert len(set(selected[score == value])) == 1
        if selected[score == value][0] > 0:
            assert (selected[score > value] == 1).all()


@given(scores, shares, st.data())
def test_weights_are_copies_and_the_unknown_tells_nothing(score: np.ndarray, share: float, data: st.DataObject) -> None:
    n = len(score)
    hit = np.array(data.draw(st.lists(st.sampled_from([0.0, 1.0, np.nan]), min_size=n, max_size=n)))
    weight = np.array(data.draw(st.lists(st.integers(0, 3).map(float), min_size=n, max_size=n)))
    selected = selected_at(score, share)
    found = found_by(selected, hit, weight)
    copies = np.repeat(np.arange(n), np.where(np.isnan(hit), 0, weight).astype(int))
    assert found.crossings == len(copies)
    assert found.hits == hit[copies].sum()
    assert found.selected == pytest.approx(selected[copies].sum())
    assert found.found == pytest.approx((selected * hit)[copies].sum())
    assert found.n_hits == np.nansum(hit[weight > 0])


@given(scores, shares)
def test_a_list_overlaps_itself_wholly(score: np.ndarray, share: float) -> None:
    selected = selected_at(score, share)
    assert np.isnan(list_overlap(selected, selected)) or list_overlap(selected, selected) == pytest.approx(1)
    assert not list_overlap(selected_at(score, 0.0), selected) >= 0
