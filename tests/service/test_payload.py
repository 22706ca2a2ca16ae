"""What the log holds of features and contributions reads back bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as drawn

from chekara.features.joined import JoinedFeatures
from chekara.service.chain import canonical_json
from chekara.service.payload import (
    contributions_from,
    features_from,
    parsed,
    plain_contributions,
    plain_features,
)

FLOATS = st.one_of(st.sampled_from([np.nan, 0.0, -0.0, 1.0]), st.floats(width=32))


@given(drawn.arrays(np.float32, drawn.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=FLOATS))
def test_features_are_read_back_bit_for_bit(numbers: np.ndarray) -> None:
    names = tuple(f"f{place}" for place in range(numbers.shape[1]))
    features = JoinedFeatures(names, numbers, {"mode": ["road", None] * len(numbers)})
    again = features_from(parsed(canonical_json(plain_features(features))))
    assert (again.names, again.categories) == (names, features.categories)
    assert again.numbers.tobytes() == numbers.tobytes()


@given(st.lists(st.floats(-5, 5), max_size=9))
def test_contributions_are_read_back_bit_for_bit(amounts: list[float]) -> None:
    rounded = np.round(np.array(amounts, dtype=np.float64), 9).tolist()
    contributions = {f"f{place}": amount for place, amount in enumerate(rounded)}
    assert contributions_from(parsed(canonical_json(plain_contributions(contributions)))) == contributions


@pytest.mark.parametrize("largest", [2.147483647, 2.147483648, -3e9])
def test_a_contribution_beyond_billionths_of_int32_is_not_cut(largest: float) -> None:
    contributions = {"a": largest, "b": 1e-9}
    assert contributions_from(parsed(canonical_json(plain_contributions(contributions)))) == contributions
