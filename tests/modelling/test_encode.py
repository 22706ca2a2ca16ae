"""Encodings: frozen, blind to a row's own label, honest about what they never met."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chekara.features.build import FeatureTable
from chekara.modelling.encode import MISSING, Encoder, fit_codes, fit_risk, look_up_risk, risk_as_known

DAY = np.timedelta64(1, "D")
START = np.datetime64("2026-01-01", "us")

categories = st.lists(st.sampled_from(["610910", "610990", "61", "850440", None]), min_size=1, max_size=40)


def _objects(values: list[str | None]) -> np.ndarray:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def _table(**columns: list[str | None] | list[float]) -> FeatureTable:
    kinds = ["number" if all(isinstance(v, float) for v in c) else "category" for c in columns.values()]
    values = {
        name: np.array(c, dtype=np.float32) if kind == "number" else _objects(c)  # type: ignore[arg-type]
        for (name, c), kind in zip(columns.items(), kinds, strict=True)
    }
    return FeatureTable(tuple(columns), tuple(kinds), values, len(next(iter(columns.values()))))  # type: ignore[arg-type]


@pytest.fixture
def encoder() -> Encoder:
    return Encoder(
        names=("packages", "mode", "hs6"),
        codes={"mode": {"road": 0, MISSING: 1, "rail": -1}},
        risks={"hs6": {"": -2.0, "61": -1.5, "610910": -1.0}},
    )


def test_columns_are_bound_by_name_not_by_place(encoder: Encoder) -> None:
    table = _table(hs6=["610910", "6104", None], packages=[3.0, 4.0, 5.0], mode=["road", None, "rail"])
    expected = [[3.0, 0.0, -1.0], [4.0, 1.0, -1.5], [5.0, np.nan, np.nan]]
    assert np.array_equal(encoder.encode(table), expected, equal_nan=True)


def test_one_row_is_encoded_as_among_others(encoder: Encoder) -> None:
    table = _table(packages=[3.0, 4.0], mode=["road", "air"], hs6=["99", "610910"])
    together = encoder.encode(table)
    for row in range(2):
        assert encoder.encode(table.take(np.array([row]))).tobytes() == together[row : row + 1].tobytes()


def test_unseen_is_told_rare_and_missing_are_not(encoder: Encoder) -> None:
    table = _table(packages=[1.0] * 4, mode=["air", "rail", None, "road"], hs6=["610910", "850440", None, "610910"])
    assert encoder.unseen(table) == [(0, "mode"), (1, "hs6")]


def test_a_new_pair_of_known_codes_is_not_worth_a_warning() -> None:
    encoder = Encoder(names=("goods_and_origin",), codes={"goods_and_origin": {"6109 CN": 0}}, risks={})
    assert encoder.unseen(_table(goods_and_origin=["6109 TR"])) == []


def test_it_survives_json(encoder: Encoder) -> None:
    assert Encoder.from_json(json.loads(json.dumps(encoder.to_json()))) == encoder


@settings(deadline=None)
@given(categories, st.integers(1, 5))
def test_codes_number_the_common_and_mark_the_rare(values: list[str | None], minimum: int) -> None:
    column = _objects(values)
    codes = fit_codes(column, np.ones(len(values), dtype=bool), minimum)
    given_names = [MISSING if v is None else v for v in values]
    assert set(codes) == set(given_names)
    for name, code in codes.items():
        assert (code >= 0) == (given_names.count(name) >= minimum)
    told = sorted(code for code in codes.values() if code >= 0)
    assert told == list(range(len(told)))


@settings(deadline=None)
@given(categories, st.integers(0, 2**32 - 1), st.floats(0.5, 100))
def test_a_smoothed_risk_lies_between_its_category_and_its_parent(
    values: list[str | None], seed: int, strength: float
) -> None:
    generator = np.random.default_rng(seed)
    label, weight = generator.integers(0, 2, len(values)).astype(float), generator.uniform(0.1, 1, len(values))
    risks = fit_risk(_objects(values), label, weight, strength, is_goods=True)
    rate = {key: 1 / (1 + np.exp(-risk)) for key, risk in risks.items()}
    for key in set(values) - {None}:
        member = np.array([v is not None and v.startswith(key) for v in values])  # type: ignore[arg-type]
        own = np.average(label[member], weights=weight[member])
        parent = rate[next(k for k in (key[:4], key[:2], "") if k in rate and k != key)]  # type: ignore[index]
        assert min(own, parent) - 1e-6 <= rate[key] <= max(own, parent) + 1e-6  # type: ignore[index]


def test_goods_that_nobody_met_get_their_nearest_parents_risk() -> None:
    risks = {"": -3.0, "61": -2.0, "6109": -1.0}
    column = _objects(["610990", "6104", "99", None])
    assert np.array_equal(look_up_risk(column, risks, is_goods=True), [-1.0, -2.0, -3.0, np.nan], equal_nan=True)
    assert look_up_risk(_objects(["610990"]), risks, is_goods=False).tolist() == [-3.0]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 40))
def test_no_training_row_sees_a_label_that_was_not_known_yet(seed: int, n: int) -> None:
    generator = np.random.default_rng(seed)
    column = _objects([str(v) for v in generator.choice(["a", "b", "c"], n)])
    as_of = START + np.sort(generator.integers(0, 100, n)) * DAY
    known_at = as_of + generator.integers(1, 30, n) * DAY
    label = generator.integers(0, 2, n).astype(float)

    def risks(labels: np.ndarray) -> np.ndarray:
        return risk_as_known(column, labels, np.ones(n), as_of, known_at, 5.0, 4, is_goods=False)

    row = int(generator.integers(0, n))
    turned = label.copy()
    turned[row] = 1 - turned[row]
    # Before anything is known the only source is the overall rate, which every label moves a little.
    ever_known = (known_at[:, None] < as_of[None, :]).any(axis=0)
    before, after = risks(label), risks(turned)
    changed = (before != after) & ever_known & (as_of <= known_at[row])
    blocks = np.array_split(np.argsort(as_of, kind="stable"), 4)
    first_of_block = np.empty(n, dtype=as_of.dtype)
    for block in blocks:
        if len(block):
            first_of_block[block] = as_of[block].min()
    knew_something = np.array([(known_at < first).any() for first in first_of_block])
    assert not (changed & knew_something).any()
