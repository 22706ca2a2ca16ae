"""Encodings: frozen, blind to a row's own label, honest about what they never met."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekara.features.build import FeatureTable
from chekara.features.catalogue import ItemColumns
from chekara.modelling.encode import MISSING, Encoder, field_behind, fit_codes, fit_stand_in

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
        codes={"mode": {"road": 0, MISSING: 1, "rail": -1}, "hs6": {"610910": 0, "610990": 1}},
        stand_ins={"packages": 7.0},
    )


def test_columns_are_bound_by_name_not_by_place(encoder: Encoder) -> None:
    table = _table(hs6=["610910", "6104", None], packages=[3.0, 4.0, 5.0], mode=["road", None, "rail"])
    expected = [[3.0, 0.0, 0.0], [4.0, 1.0, np.nan], [5.0, np.nan, np.nan]]
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
    encoder = Encoder(names=("goods_and_origin",), codes={"goods_and_origin": {"6109 CN": 0}}, stand_ins={})
    assert encoder.unseen(_table(goods_and_origin=["6109 TR"])) == []


def test_the_training_median_stands_in_for_a_missing_number_and_is_told(encoder: Encoder) -> None:
    table = _table(packages=[float("nan"), 4.0], mode=[None, "road"], hs6=["610910", None])
    assert encoder.encode(table)[:, 0].tolist() == [7.0, 4.0]
    # An empty mode was met in training and is a code of its own; an empty goods code never was.
    assert encoder.missing(table) == [(0, "packages"), (1, "hs6")]
    learned = Encoder(names=("packages",), codes={}, stand_ins={})
    assert np.isnan(learned.encode(table)[0, 0])
    assert learned.missing(table) == []


numbers = st.lists(st.floats(-1e6, 1e6, width=32) | st.just(float("nan")), min_size=1, max_size=40)


@given(numbers, st.integers(1, 5))
def test_what_stands_in_is_a_middle_value_that_was_seen(values: list[float], minimum: int) -> None:
    known = sorted(value for value in values if not np.isnan(value))
    stand_in = fit_stand_in(np.array(values, dtype=np.float32), minimum)
    if not known or len(values) - len(known) >= minimum:
        assert stand_in is None
    else:
        assert stand_in in known
        assert sum(value < stand_in for value in known) <= len(known) / 2
        assert sum(value > stand_in for value in known) <= len(known) / 2


@pytest.mark.parametrize(
    ("feature", "given_values", "field"),
    [
        ("packages", {}, "packages"),
        ("value_per_kg", {"net_mass_kg": 5.0}, "declared_value"),
        ("value_per_kg", {"declared_value": 5.0}, "net_mass_kg"),
        ("value_per_kg", {"declared_value": 5.0, "net_mass_kg": 0.0, "gross_mass_kg": 0.0}, "net_mass_kg"),
        ("crossing_value", {"crossing_id": "c1", "declared_value": 5.0}, "declared_value"),
        ("hs6", {"hs_code": "6109"}, "hs_code"),
        ("x_weight_class", {}, "x_weight_class"),
    ],
)
def test_the_field_behind_a_missing_feature(feature: str, given_values: dict[str, float | str], field: str) -> None:
    columns = {
        name: np.array([value], dtype=object if isinstance(value, str) else np.float64)
        for name, value in given_values.items()
    }
    assert field_behind(feature, ItemColumns(columns, 1), 0) == field


def test_it_survives_json(encoder: Encoder) -> None:
    assert Encoder.from_json(json.loads(json.dumps(encoder.to_json()))) == encoder


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


@given(categories)
def test_many_lines_are_coded_as_few_are(values: list[str | None]) -> None:
    few = _table(hs6=values)
    many = few.take(np.resize(np.arange(len(values)), 700))
    encoder = Encoder(names=("hs6",), codes={"hs6": {"610910": 0, "61": 1, "610990": -1, MISSING: 2}}, stand_ins={})
    np.testing.assert_array_equal(encoder.encode(many)[:, 0], np.resize(encoder.encode(few)[:, 0], 700))
