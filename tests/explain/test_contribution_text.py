"""Contributions as JSON: another reader gets the same floats back, under the same names, in the same order."""

from __future__ import annotations

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from chekara.api.written import json_bytes
from chekara.domain.once import MadeOnce
from chekara.explain.contribution_text import contributions_json
from chekara.service.contributions import Contributions

BILLIONTHS = st.one_of(st.integers(-(10**16), 10**16), st.integers(-5, 5), st.integers(-9, 9).map(lambda n: n * 10**9))


@given(st.lists(st.tuples(st.text(min_size=1), BILLIONTHS), max_size=40, unique_by=lambda pair: pair[0]))
def test_whole_billionths_read_back_bit_for_bit(pairs: list[tuple[str, int]]) -> None:
    amounts = np.round(np.array([n for _, n in pairs], dtype=np.float64) / 1e9, 9)
    names = tuple(name for name, _ in pairs)
    read = json.loads(contributions_json(names, amounts))
    assert list(read) == list(names)
    assert all(type(amount) is float for amount in read.values())
    np.testing.assert_array_equal(np.array(list(read.values()), dtype=np.float64), amounts)


@given(st.lists(st.floats(), min_size=1, max_size=10))
def test_any_other_number_is_written_as_json_has_it(amounts: list[float]) -> None:
    read = json.loads(contributions_json(tuple(f"f{i}" for i in range(len(amounts))), np.array(amounts)))
    expected = {f"f{i}": amount if np.isfinite(amount) else None for i, amount in enumerate(amounts)}
    assert read == expected


def test_views_into_a_matrix_are_written_alike() -> None:
    matrix = np.asfortranarray(np.round(np.random.default_rng(5).normal(size=(3, 50)), 9))
    names = tuple(f"f{i}" for i in range(50))
    for row in matrix:
        assert json.loads(contributions_json(names, row)) == dict(zip(names, row.tolist(), strict=True))


def test_a_digit_group_of_zeros_keeps_its_place() -> None:
    amounts = np.array([0.000000001, 0.001000001, -12.000001, 100.0])
    assert (
        contributions_json(("a", "b", "c", "d"), amounts)
        == b'{"a":0.000000001,"b":0.001000001,"c":-12.000001,"d":100.0}'
    )


def test_an_answer_may_hold_them_anywhere() -> None:
    told = Contributions(("mode",), np.array([0.5]))
    assert json_bytes([{"contributions": told}, None]) == b'[{"contributions":{"mode":0.5}},null]'


def test_what_is_made_once_belongs_to_the_object_and_not_to_its_place_in_memory() -> None:
    calls: list[int] = []

    def count(shared: tuple[int, ...]) -> int:
        calls.append(len(shared))
        return len(shared)

    made = MadeOnce(count, most=4)
    for n in range(20):
        assert made(tuple(range(n))) == n  # freed at once, were it not kept: the next would take its place
    kept = tuple(range(3))
    assert made(kept) == made(kept) == 3
    assert len(calls) == 21
