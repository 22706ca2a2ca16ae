"""Evidence against plain counting, privacy, size and the JSON round trip."""

from __future__ import annotations

import json
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chekara.errors import BundleRefusedError
from chekara.explain.evidence import FEWEST_CROSSINGS, GOODS_DEPENDENT, Evidence
from chekara.explain.evidence_build import MOST_BYTES, build_evidence
from chekara.features.build import FeatureTable

LIMIT_BYTES = 300_000


def make_table(numbers: np.ndarray, categories: np.ndarray) -> FeatureTable:
    values = {"mass": numbers.astype(np.float32), "origin": categories}
    return FeatureTable(("mass", "origin"), ("number", "category"), values, len(numbers))


def make_history(seed: int, n_items: int, n_crossings: int) -> tuple[FeatureTable, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    numbers = np.where(rng.random(n_items) < 0.1, np.nan, np.round(rng.lognormal(size=n_items), 2))
    names = np.array(["CN", "KZ", "TR", "DE", None], dtype=object)
    categories = names[rng.choice(5, n_items, p=[0.5, 0.3, 0.1, 0.02, 0.08])]
    crossing = np.sort(rng.integers(0, n_crossings, n_items))
    hit = np.where(rng.random(n_items) < 0.5, np.nan, (rng.random(n_items) < 0.3).astype(float))
    return make_table(numbers, categories), hit, crossing


def count_alike(alike: np.ndarray, hit: np.ndarray, crossing: np.ndarray) -> tuple[int, int, int]:
    """Count the slow, obvious way."""
    rows = np.flatnonzero(alike)
    return (
        len({crossing[i] for i in rows}),
        len({crossing[i] for i in rows if not np.isnan(hit[i])}),
        len({crossing[i] for i in rows if hit[i] == 1.0}),
    )


def assert_numbers(numbers: dict[str, float], counted: tuple[int, int, int], n_crossings: int) -> None:
    crossings, inspected, hits = counted
    if crossings < FEWEST_CROSSINGS:
        assert "crossings_share" not in numbers
        assert "inspected" not in numbers
        return
    assert numbers["crossings_share"] == pytest.approx(crossings / n_crossings)
    if inspected < FEWEST_CROSSINGS:
        assert "hits" not in numbers
        return
    assert (numbers["inspected"], numbers["hits"]) == (inspected, hits)
    assert numbers["share"] == pytest.approx(hits / inspected)


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), n_items=st.integers(1, 400), n_crossings=st.integers(1, 300))
def test_numbers_are_what_counting_says(seed: int, n_items: int, n_crossings: int) -> None:
    table, hit, crossing = make_history(seed, n_items, n_crossings)
    evidence = Evidence.from_json(json.loads(json.dumps(build_evidence(table, hit, crossing).to_json())))
    n_seen = len(set(crossing))
    mass, origin = table.values["mass"].astype(float), table.values["origin"]
    for row in range(min(n_items, 40)):
        expected, numbers = evidence.of("mass", mass[row])
        low, high = numbers.get("low", -np.inf), numbers.get("high", np.inf)
        alike = np.isnan(mass) if np.isnan(mass[row]) else (mass > low) & (mass <= high)
        assert alike[row]
        assert_numbers(numbers, count_alike(alike, hit, crossing), n_seen)
        expected, numbers = evidence.of("origin", origin[row])
        assert_numbers(numbers, count_alike(origin == origin[row], hit, crossing), n_seen)
        assert expected in {"CN", "KZ", "TR", "DE", None}


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), n_items=st.integers(1, 120), n_crossings=st.integers(1, 60))
def test_nothing_is_published_of_a_handful(seed: int, n_items: int, n_crossings: int) -> None:
    stored = build_evidence(*make_history(seed, n_items, n_crossings)).to_json()
    counts = [c for f in stored["features"].values() for c in (*f.get("bins", ()), f["missing"]) if c]
    counts += list(stored["features"]["origin"]["categories"].values())
    assert all(crossings >= FEWEST_CROSSINGS for crossings, _, _ in counts)


def test_usual_values() -> None:
    numbers = np.arange(1.0, 101.0)
    categories = np.array(["CN"] * 60 + ["KZ"] * 36 + ["DE"] * 4, dtype=object)
    hit = np.where(np.arange(100) < 50, 1.0, 0.0)
    evidence = build_evidence(make_table(numbers, categories), hit)
    expected, numbers_of = evidence.of("mass", 3.0)
    assert expected == pytest.approx(50.5)
    assert (numbers_of["lower_quartile"], numbers_of["upper_quartile"]) == pytest.approx((25.75, 75.25))
    assert numbers_of["share"] == 1.0
    assert numbers_of["share_all"] == 0.5
    assert evidence.of("mass", 99.0)[1]["share"] == 0.0
    assert evidence.of("origin", "KZ")[0] == "CN"
    assert "inspected" not in evidence.of("origin", "DE")[1], "four crossings are too few to publish"
    assert evidence.of("origin", "XX") == ("CN", evidence.of("origin", "DE")[1])
    assert evidence.of("no_such_feature", 1.0)[0] is None


def test_a_crossing_with_many_alike_lines_counts_once() -> None:
    table = make_table(np.ones(60), np.array(["CN"] * 60, dtype=object))
    crossing = np.repeat(np.arange(6), 10)
    hit = np.zeros(60)
    hit[3] = 1.0
    numbers = build_evidence(table, hit, crossing).of("origin", "CN")[1]
    assert (numbers["inspected"], numbers["hits"]) == (6, 1)


@pytest.mark.parametrize("column", [np.full(8, np.nan), np.ones(8), np.array([1.0] * 7 + [np.nan]), np.zeros(0)])
def test_degenerate_columns(column: np.ndarray) -> None:
    table = make_table(column, np.array([None] * len(column), dtype=object))
    evidence = Evidence.from_json(build_evidence(table, np.zeros(len(column))).to_json())
    for value in (None, float("nan"), -1.0, 1.0, 2.0):
        expected, numbers = evidence.of("mass", value)
        assert expected in {None, 1.0}
        assert all(np.isfinite(number) for number in numbers.values())
    assert evidence.of("origin", "CN")[0] is None


def test_same_history_same_bytes_whatever_the_order_of_rows() -> None:
    table, hit, crossing = make_history(5, 2000, 900)
    order = np.random.default_rng(1).permutation(2000)
    first = json.dumps(build_evidence(table, hit, crossing).to_json(), sort_keys=True)
    again = json.dumps(build_evidence(table.take(order), hit[order], crossing[order]).to_json(), sort_keys=True)
    assert first == again


GOODS = ("610910", "610990", "6104", "870323", "87", None)


def goods_history(seed: int, n_items: int) -> tuple[FeatureTable, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    goods = np.array(GOODS, dtype=object)[rng.choice(6, n_items, p=[0.3, 0.1, 0.05, 0.3, 0.1, 0.15])]
    price = np.where(rng.random(n_items) < 0.1, np.nan, np.round(rng.lognormal(size=n_items), 2))
    table = FeatureTable(
        ("value_per_kg", "item_count"),
        ("number", "number"),
        {"value_per_kg": price.astype(np.float32), "item_count": np.ones(n_items, dtype=np.float32)},
        n_items,
    )
    return table, np.zeros(n_items), np.sort(rng.integers(0, max(n_items // 2, 1), n_items)), goods


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), n_items=st.integers(1, 200))
def test_usual_for_goods_is_the_median_of_the_narrowest_group_with_enough_crossings(seed: int, n_items: int) -> None:
    table, hit, crossing, goods = goods_history(seed, n_items)
    evidence = Evidence.from_json(json.loads(json.dumps(build_evidence(table, hit, crossing, goods).to_json())))
    price = table.values["value_per_kg"].astype(float)
    for code in (*GOODS, "610711000", "999999"):
        told, numbers = evidence.of("value_per_kg", 1.0, code)
        for digits in (4, 2, 0):
            group = (code or "")[:digits]
            if len(group) < digits:
                continue
            alike = [
                i
                for i in range(n_items)
                if not np.isnan(price[i]) and (not digits or (goods[i] or "")[:digits] == group)
            ]
            if len({crossing[i] for i in alike}) >= FEWEST_CROSSINGS:
                assert told == pytest.approx(statistics.median(price[i] for i in alike), rel=1e-3)
                assert numbers["goods_digits"] == digits
                break
        else:
            assert told is None
    assert "goods_digits" not in evidence.of("item_count", 1.0, "610910")[1], "it does not depend on the goods"


def test_without_goods_or_code_the_usual_value_is_that_of_all_goods() -> None:
    table, hit, crossing, goods = goods_history(1, 200)
    of_all = build_evidence(table, hit, crossing).of("value_per_kg", 1.0, "610910")
    assert of_all[1]["goods_digits"] == 0
    assert build_evidence(table, hit, crossing, goods).of("value_per_kg", 1.0) == of_all


def test_size_is_bounded_and_the_commonest_stay() -> None:
    n_items = 120_000
    codes = np.random.default_rng(2).geometric(2e-4, n_items)
    categories = np.array([f"category {code:06d} Ө" for code in codes], dtype=object)
    prices = {name: np.ones(n_items, dtype=np.float32) for name in sorted(GOODS_DEPENDENT)}
    table = FeatureTable(("origin", *prices), ("category", *["number"] * 12), {"origin": categories, **prices}, n_items)
    goods = np.array([f"{code % 10_000:04d}" for code in codes], dtype=object)
    evidence = build_evidence(table, np.zeros(n_items), goods=goods)
    # As a bundle writes it.
    size = len(json.dumps(evidence.to_json(), sort_keys=True, indent=1, ensure_ascii=False).encode())
    assert MOST_BYTES / 2 < size < LIMIT_BYTES
    commonest, most = np.unique(codes, return_counts=True)
    first = commonest[most.argmax()]
    assert evidence.of("origin", f"category {first:06d} Ө")[1]["crossings_share"] > 0
    assert evidence.of("packages", 1.0, f"{first % 10_000:04d}")[1]["goods_digits"] == 4


@pytest.mark.parametrize(
    "stored",
    [
        {},
        {"total": [1, 2], "features": {}},
        {"total": None, "features": {}},
        {"total": [1, 1, 1], "features": {"x": {"quartiles": [1, 2, 3], "edges": [1], "bins": [], "missing": None}}},
    ],
)
def test_damaged_evidence_is_refused(stored: dict[str, object]) -> None:
    with pytest.raises(BundleRefusedError, match="evidence"):
        Evidence.from_json(stored)
