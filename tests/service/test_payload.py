"""What the log holds of features and contributions reads back bit for bit."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as drawn

from chekara.domain.crossing import Crossing, Value
from chekara.features.joined import JoinedFeatures
from chekara.service.chain import canonical_json
from chekara.service.lodged import lodged_body
from chekara.service.payload import content_bytes, crossing_from, parsed, plain_crossing
from chekara.service.payload_numbers import contributions_from, features_from, plain_contributions, plain_features

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


AT = datetime(2026, 11, 24, 4, 30, tzinfo=UTC)
VALUES = st.one_of(
    st.text(min_size=1, max_size=9),
    st.booleans(),
    st.integers(-(2**40), 2**40),
    st.floats(-1e12, 1e12),
    st.integers(-99, 99).map(float),
)
FIELDS = st.dictionaries(st.sampled_from(["x_a", "x_b", "x_c", "x_d"]), VALUES)


@given(FIELDS, st.lists(FIELDS, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_a_body_is_fingerprinted_alike_in_any_order_and_stored_as_it_came(header, items, random) -> None:  # type: ignore[no-untyped-def]
    lines = tuple(item | {"item_no": number} for number, item in enumerate(items, 1))
    moved = list(lines)
    random.shuffle(moved)
    one = Crossing("c1", 0, AT, AT, header, lines)
    other = Crossing("c1", 0, AT, AT, dict(reversed(header.items())), tuple(moved))
    bodies = [content_bytes(crossing, {"plate": "A"}, is_void=False) for crossing in (one, other)]
    assert bodies[0] == bodies[1] == content_bytes(one, {"plate": "A"}, is_void=False, lodged=lodged_body(one))
    assert bodies[0] == canonical_json(json.loads(bodies[0])), "sorted keys at every depth"
    assert crossing_from(parsed(canonical_json(plain_crossing(other, lodged_body(other))))) == other


def test_whole_floats_instants_and_days_have_one_spelling() -> None:
    header: dict[str, Value] = {"known_at": datetime(2026, 11, 24, 10, 30, tzinfo=UTC), "weighed_mass_kg": 21340.0}
    crossing = Crossing("c1", 0, AT, AT, header, ({"item_no": 1, "importer_registered_at": date(2019, 5, 31)},))
    told = json.loads(content_bytes(crossing, {}, is_void=True))
    assert told["crossing"]["header"] == {"known_at": "2026-11-24T10:30:00.000000Z", "weighed_mass_kg": 21340}
    assert told["crossing"]["items"] == [{"importer_registered_at": "2019-05-31", "item_no": 1}]
