"""One path from rows to features: a file and a request give the same bytes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chekara.data.schema import CROSSING_COLUMNS, HEADER_COLUMNS, columns_by_name
from chekara.domain.crossing import Crossing
from chekara.errors import ConfigurationError
from chekara.features.build import FeatureTable, build_features, items_from_crossings, items_from_frame
from chekara.features.catalogue import FEATURES, ItemColumns
from chekara.features.profile_measures import REFERENCE_PRICE

COLUMNS = columns_by_name(CROSSING_COLUMNS)
HEADER = set(columns_by_name(HEADER_COLUMNS))
BISHKEK = timezone(timedelta(hours=6))
FIXED = {"crossing_id", "occurred_at", "known_at", "revision", "item_no"}
EXTENSIONS = {"x_code": "category", "x_amount": "number"}

instants = st.datetimes(datetime(2000, 1, 1), datetime(2030, 1, 1), timezones=st.sampled_from([UTC, BISHKEK]))


def _values(name: str) -> st.SearchStrategy[Any]:
    column = COLUMNS[name]
    if column.kind == "instant":
        return instants
    if column.kind == "date":
        return st.dates(date(1990, 1, 1), date(2025, 1, 1))
    if column.kind == "boolean":
        return st.booleans()
    if column.kind in ("number", "integer"):
        return st.integers(0, 10**6) if column.kind == "integer" else st.floats(0, 1e12)
    return st.from_regex(r"[0-9]{4,12}", fullmatch=True) if name == "hs_code" else st.sampled_from(["CN", "KG", "x"])


def _some(draw: st.DrawFn, names: set[str]) -> dict[str, Any]:
    return {name: draw(_values(name)) for name in sorted(names - FIXED) if draw(st.booleans())}


@st.composite
def some_crossings(draw: st.DrawFn) -> list[Crossing]:
    crossings = []
    for number in range(draw(st.integers(1, 3))):
        items = []
        for item_no in range(1, draw(st.integers(1, 3)) + 1):
            item = _some(draw, set(COLUMNS) - HEADER) | {"item_no": item_no}
            if draw(st.booleans()):
                item |= {"x_code": draw(st.sampled_from(["A", "7"])), "x_amount": draw(st.floats(-1e6, 1e6))}
            items.append(item)
        occurred_at = draw(instants)
        known_at = occurred_at - timedelta(hours=draw(st.integers(0, 48)))
        crossings.append(Crossing(f"c{number}", 0, occurred_at, known_at, _some(draw, HEADER), tuple(items)))
    return crossings


def _as_frame(crossings: list[Crossing]) -> pd.DataFrame:
    """Lay crossings out as a history reader would, cell by cell: an independent second way."""
    rows = [
        {"crossing_id": c.crossing_id, "revision": 0, "occurred_at": c.occurred_at, "known_at": c.known_at}
        | dict(c.header)
        | dict(item)
        for c in crossings
        for item in c.items
    ]
    frame = pd.DataFrame({name: [row.get(name) for row in rows] for name in [*COLUMNS, *EXTENSIONS]})
    for name, column in COLUMNS.items():
        if column.kind == "instant":
            frame[name] = pd.to_datetime(frame[name], utc=True).astype("datetime64[us, UTC]")
        elif column.kind == "date":
            frame[name] = pd.to_datetime(frame[name]).astype("datetime64[us]")
        elif column.kind == "boolean":
            frame[name] = frame[name].astype("boolean")
        elif column.kind in ("number", "integer"):
            frame[name] = frame[name].astype("float64")
        else:
            frame[name] = frame[name].astype("str")
    return frame.astype({"x_code": "str", "x_amount": "float64"})


def _assert_equal(left: FeatureTable, right: FeatureTable) -> None:
    assert left.names == right.names
    for name, kind in zip(left.names, left.kinds, strict=True):
        if kind == "category":
            assert left.values[name].tolist() == right.values[name].tolist(), name
        else:
            assert left.values[name].dtype == np.float32
            assert left.values[name].tobytes() == right.values[name].tobytes(), name


def _with_usual_price(items: ItemColumns) -> ItemColumns:
    return ItemColumns(items.values | {REFERENCE_PRICE: np.full(items.n_items, 4.0)}, items.n_items)


@settings(max_examples=30)
@given(some_crossings())
def test_a_file_and_a_request_give_the_same_bytes(crossings: list[Crossing]) -> None:
    names = [*FEATURES, *EXTENSIONS]
    served, index = items_from_crossings(crossings)
    read = items_from_frame(_as_frame(crossings))
    assert index.tolist() == read.values["crossing_index"].tolist()
    laid = [_with_usual_price(items) for items in (served, read)]
    _assert_equal(*(build_features(items, names, EXTENSIONS) for items in laid))


@settings(max_examples=15)
@given(some_crossings())
def test_a_crossing_scores_alike_alone_and_in_a_batch(crossings: list[Crossing]) -> None:
    names = [*FEATURES, *EXTENSIONS]
    together, index = items_from_crossings(crossings)
    batch = build_features(_with_usual_price(together), names, EXTENSIONS)
    for number, crossing in enumerate(crossings):
        alone = build_features(_with_usual_price(items_from_crossings([crossing])[0]), names, EXTENSIONS)
        _assert_equal(batch.take(index == number), alone)


def test_numbers_are_finite_float32_even_at_the_edge() -> None:
    items = ItemColumns({"declared_value": np.array([1e300, 1.0]), "net_mass_kg": np.array([1e-300, 3.0])}, 2)
    table = build_features(items, ["declared_value", "value_per_kg"], {})
    assert np.isfinite(table.values["declared_value"]).all()
    assert table.values["value_per_kg"].dtype == np.float32


@pytest.mark.parametrize(
    ("given", "kind", "expected"),
    [
        ([10.0, np.nan], "category", ["10", None]),
        (["10", None], "category", ["10", None]),
        ([10, 2.5], "category", ["10", "2.5"]),
        (["3.5", "?", None], "number", [3.5, np.nan, np.nan]),
    ],
)
def test_an_extension_reads_alike_from_text_and_number(given: list[Any], kind: Any, expected: list[Any]) -> None:
    column = np.array(given, dtype=float if all(isinstance(v, float) for v in given) else object)
    table = build_features(ItemColumns({"x_one": column}, len(given)), ["x_one"], {"x_one": kind})
    if kind == "category":
        assert table.values["x_one"].tolist() == expected
    else:
        assert np.array_equal(table.values["x_one"], np.array(expected, dtype=np.float32), equal_nan=True)


def test_what_nobody_gave_is_missing() -> None:
    table = build_features(ItemColumns({}, 2), ["mode", "packages", "x_a"], {"x_a": "number"})
    assert table.values["mode"].tolist() == [None, None]
    assert np.isnan(table.values["packages"]).all()
    assert np.isnan(table.values["x_a"]).all()


def test_two_revisions_in_one_frame_are_two_crossings() -> None:
    frame = pd.DataFrame({"crossing_id": ["a", "a", "b"], "revision": [0, 1, 0], "declared_value": [1.0, 2.0, 3.0]})
    assert items_from_frame(frame).values["crossing_index"].tolist() == [0, 1, 2]


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no such feature"):
        build_features(ItemColumns({}, 1), ["x_not_named"], {})


def test_a_comparison_without_its_reference_is_refused_not_missing() -> None:
    with pytest.raises(ConfigurationError, match="what is usual"):
        build_features(ItemColumns({}, 1), ["unit_price_vs_reference"], {})


def test_a_feature_is_computed_once_for_all_who_ask() -> None:
    items = ItemColumns({"declared_value": np.array([30.0]), "net_mass_kg": np.array([10.0])}, 1)
    first = build_features(items, ["value_per_kg"], {})
    second = build_features(items, ["net_mass_kg", "value_per_kg"], {})
    assert second.values["value_per_kg"] is first.values["value_per_kg"]
    assert build_features(ItemColumns(items.values, 1), ["value_per_kg"], {}).values["value_per_kg"].tolist() == [3.0]
