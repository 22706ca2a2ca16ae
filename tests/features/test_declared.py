"""Features of the row itself: right for one line and for many, honest about what is missing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chekara.data.schema import CROSSING_COLUMNS, columns_by_name
from chekara.features import declared
from chekara.features.catalogue import FEATURES, ItemColumns
from chekara.features.profile_measures import REFERENCE_PRICE

COLUMNS = columns_by_name(CROSSING_COLUMNS)

amounts = st.one_of(st.just(np.nan), st.just(0.0), st.floats(0.001, 1e9), st.integers(0, 10**7).map(float))
codes = st.one_of(st.none(), st.sampled_from(["CN", "KG", "TR"]))
goods = st.one_of(st.none(), st.from_regex(r"[0-9]{4,12}", fullmatch=True))
instants = st.one_of(
    st.just(np.datetime64("NaT", "us")),
    st.integers(-(10**15), 2 * 10**15).map(lambda us: np.datetime64(us, "us")),
)


@st.composite
def some_items(draw: st.DrawFn) -> ItemColumns:
    n = draw(st.integers(1, 6))
    values = {}
    for name, column in COLUMNS.items():
        if draw(st.booleans()):
            continue
        if column.kind in ("instant", "date"):
            values[name] = np.array(draw(st.lists(instants, min_size=n, max_size=n)), dtype="datetime64[us]")
        elif column.kind in ("string", "code"):
            kind = goods if name == "hs_code" else codes
            values[name] = np.array([*draw(st.lists(kind, min_size=n, max_size=n)), None], dtype=object)[:n]
        else:
            values[name] = np.array(draw(st.lists(amounts, min_size=n, max_size=n)))
    values["crossing_index"] = np.arange(n)
    return ItemColumns(values, n)


@settings(max_examples=40)
@given(some_items())
def test_each_line_alone_gives_what_it_gives_among_others(items: ItemColumns) -> None:
    for name, feature in FEATURES.items():
        together = feature.compute(items)
        assert together.shape == (items.n_items,), name
        for row in range(items.n_items):
            one = {column: values[row : row + 1] for column, values in items.values.items()}
            alone = feature.compute(ItemColumns(one | {"crossing_index": np.zeros(1, dtype=np.int64)}, 1))
            if feature.kind == "category":
                assert alone[0] == together[row], name
            else:
                assert np.array_equal(alone, together[row : row + 1], equal_nan=True), name


@settings(max_examples=40)
@given(some_items())
def test_numbers_are_never_infinite_where_their_inputs_are_finite(items: ItemColumns) -> None:
    for name, feature in FEATURES.items():
        if feature.kind == "number":
            assert not np.isinf(feature.compute(items)).any(), name


def test_no_lines_give_no_values() -> None:
    for name, feature in FEATURES.items():
        assert feature.compute(ItemColumns({"crossing_index": np.zeros(0, dtype=np.int64)}, 0)).shape == (0,), name


@pytest.mark.parametrize("name", FEATURES)
def test_a_feature_reads_contract_columns_and_explains_itself(name: str) -> None:
    feature = FEATURES[name]
    assert set(feature.reads) <= set(COLUMNS)
    assert feature.explanation.endswith(".")
    assert feature.unit
    assert feature.sensitive == any(COLUMNS[column].sensitive for column in feature.reads)


@pytest.mark.parametrize("name", sorted(set(FEATURES) - {"missing_fields"}))
def test_a_feature_reads_nothing_that_it_does_not_name(name: str) -> None:
    full = _full_line()
    named = {c: v for c, v in full.values.items() if c in FEATURES[name].reads or c not in COLUMNS}
    expected, only = FEATURES[name].compute(full), FEATURES[name].compute(ItemColumns(named, 1))
    assert expected[0] == only[0]


def _full_line() -> ItemColumns:
    values: dict[str, object] = {}
    for name, column in COLUMNS.items():
        if column.kind in ("instant", "date"):
            values[name] = np.array(["2026-03-04T13:45:00" if name != "importer_registered_at" else "2020-01-01"])
            values[name] = values[name].astype("datetime64[us]")  # type: ignore[attr-defined]
        elif column.kind in ("string", "code"):
            values[name] = np.array(["6109100000" if name == "hs_code" else "CN"], dtype=object)
        else:
            values[name] = np.array([20.0])
    values |= {"crossing_index": np.zeros(1, dtype=np.int64), REFERENCE_PRICE: np.array([4.0])}
    return ItemColumns(values, 1)  # type: ignore[arg-type]


def _line(**given: object) -> ItemColumns:
    values = {}
    for name, value in given.items():
        if isinstance(value, str) and COLUMNS[name].kind in ("instant", "date"):
            values[name] = np.array([value], dtype="datetime64[us]")
        else:
            values[name] = np.array([value], dtype=object if isinstance(value, str) else float)
    return ItemColumns(values, 1)


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("value_per_kg", {"declared_value": 19.0, "net_mass_kg": 10.0, "gross_mass_kg": 19.0}, 1.9),
        ("value_per_kg", {"declared_value": 19.0, "net_mass_kg": 0.0, "gross_mass_kg": 19.0}, 1.0),
        ("value_per_kg", {"declared_value": 19.0}, np.nan),
        ("unit_price_vs_reference", {"declared_value": 19.0, "net_mass_kg": 10.0}, np.nan),
        ("hour_of_day", {"occurred_at": "2026-01-05T23:59:59"}, 23.0),
        ("hour_of_day", {"occurred_at": "1969-12-31T01:00:00"}, 1.0),
        ("day_of_week", {"occurred_at": "2026-01-05T00:00:00"}, 0.0),
        ("day_of_week", {"occurred_at": "1969-12-31T01:00:00"}, 2.0),
        ("notice_hours", {"occurred_at": "2026-01-05T06:00:00", "known_at": "2026-01-05T04:30:00"}, 1.5),
        ("importer_age_days", {"importer_registered_at": "2026-01-01", "known_at": "2026-01-05T12:00:00"}, 4.5),
        ("value_roundness", {"declared_value": 12_300.0}, 2.0),
        ("value_roundness", {"declared_value": 12_300.5}, 0.0),
        ("value_roundness", {"declared_value": 0.0}, np.nan),
        ("duty_over_rate", {"declared_value": 100.0, "duty_rate": 0.1, "duty_amount": 5.0}, 0.5),
        ("origin_differs_from_dispatch", {"origin_country": "CN", "dispatch_country": "KZ"}, 1.0),
        ("origin_differs_from_dispatch", {"origin_country": "CN"}, np.nan),
        ("missing_fields", {"origin_country": "CN", "declared_value": 5.0}, 8.0),
        ("item_count", {"declared_value": 5.0}, 1.0),
    ],
)
def test_known_answers(name: str, given: dict[str, object], expected: float) -> None:
    assert FEATURES[name].compute(_line(**given))[0] == pytest.approx(expected, nan_ok=True)


def test_goods_codes_are_cut_only_where_they_are_long_enough() -> None:
    items = ItemColumns({"hs_code": np.array(["610910", "6109", None], dtype=object)}, 3)
    assert declared.hs6(items).tolist() == ["610910", None, None]
    assert declared.hs4(items).tolist() == ["6109", "6109", None]
    assert declared.hs_chapter(items).tolist() == ["61", "61", None]


def test_lines_of_a_crossing_share_its_totals() -> None:
    items = ItemColumns(
        {
            "crossing_index": np.array([0, 1, 0]),
            "declared_value": np.array([30.0, 5.0, 10.0]),
            "gross_mass_kg": np.array([3.0, 2.0, np.nan]),
            "weighed_mass_kg": np.array([9.0, 3.0, 9.0]),
        },
        3,
    )
    assert declared.item_count(items).tolist() == [2, 1, 2]
    assert declared.share_of_crossing_value(items).tolist() == [0.75, 1.0, 0.25]
    # One line without mass makes the crossing's mass unknown, not smaller.
    assert np.array_equal(declared.weighed_over_declared(items), [np.nan, 1.5, np.nan], equal_nan=True)


def test_who_stands_behind_a_line_matters_only_by_being_named() -> None:
    named = ItemColumns({"importer_id": np.array(["a", "b", None], dtype=object)}, 3)
    assert declared.missing_fields(named).tolist() == [9, 9, 10]
