"""Usual prices: medians shrunk to their parents, silent about single traders."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chekara.features.catalogue import ItemColumns
from chekara.features.goods import ancestors
from chekara.features.reference import MINIMUM_LINES, PriceReference, fit_price_reference

lines = st.lists(
    st.tuples(
        st.sampled_from(["610910", "610990", "610443", "850440", "8504", None]),
        st.sampled_from(["CN", "TR", None]),
        st.one_of(st.just(float("nan")), st.floats(0.01, 1000)),
    ),
    max_size=60,
)


def _items(goods: list[tuple[str | None, str | None, float]]) -> ItemColumns:
    return ItemColumns(
        {
            "hs_code": np.array([g[0] for g in goods] + [None], dtype=object)[: len(goods)],
            "origin_country": np.array([g[1] for g in goods] + [None], dtype=object)[: len(goods)],
            "declared_value": np.array([g[2] for g in goods], dtype=float),
            "net_mass_kg": np.ones(len(goods)),
        },
        len(goods),
    )


def _slow(goods: list[tuple[str | None, str | None, float]], strength: float) -> dict[str, float]:
    """Fit the same prices one group after the other, from the definition."""
    known = [(code, origin, np.log(price)) for code, origin, price in goods if not np.isnan(price)]
    if not known:
        return {}
    members: dict[str, list[float]] = {"": [price for *_, price in known]}
    for code, origin, price in known:
        for digits in (2, 4, 6):
            if code is not None and len(code) >= digits:
                members.setdefault(code[:digits], []).append(price)
        if code is not None and len(code) == 6 and origin is not None:
            members.setdefault(f"{code} {origin}", []).append(price)
    prices: dict[str, float] = {}
    for key in sorted(members, key=lambda k: len(ancestors(k))):
        n = len(members[key])
        if key == "":
            prices[key] = float(np.median(members[key]))
        elif n >= MINIMUM_LINES:
            parent = next(prices[k] for k in ancestors(key) if k in prices)
            prices[key] = (n * float(np.median(members[key])) + strength * parent) / (n + strength)
    return prices


@settings(max_examples=100, deadline=None)
@given(lines, st.floats(0.1, 100))
def test_prices_are_those_of_the_definition(goods: list[tuple[str | None, str | None, float]], strength: float) -> None:
    fitted = fit_price_reference(_items(goods), strength).log_prices
    assert fitted == pytest.approx(_slow(goods, strength))


def test_the_narrowest_known_group_answers() -> None:
    prices = PriceReference({"": 0.0, "61": 1.0, "6109": 2.0, "610910": 3.0, "610910 CN": 4.0})
    asked = [("6109100000", "CN"), ("6109100000", "TR"), ("610990", "CN"), ("6104", None), ("99", "CN"), (None, None)]
    items = _items([(code, origin, 1.0) for code, origin in asked])
    assert np.log(prices.usual_price(items)).tolist() == pytest.approx([4.0, 3.0, 2.0, 1.0, 0.0, 0.0])
    assert prices.answering_group(items).tolist() == ["610910 CN", "610910", "6109", "61", "", ""]


def test_without_any_price_nothing_is_usual() -> None:
    assert np.isnan(PriceReference({}).usual_price(_items([("610910", "CN", 1.0)]))).all()


def test_a_group_of_few_lines_has_no_price_of_its_own() -> None:
    few, enough = ("850440", "CN", 9.0), ("610910", "CN", 3.0)
    keys = fit_price_reference(_items([few] * (MINIMUM_LINES - 1) + [enough] * MINIMUM_LINES), 1.0).log_prices
    assert "610910 CN" in keys
    assert not any(key.startswith("85") for key in keys)


def test_it_survives_json() -> None:
    prices = fit_price_reference(_items([("610910", "CN", 3.7)] * 6 + [("850440", "CN", 0.1)] * 6), 2.0)
    assert PriceReference.from_json(json.loads(json.dumps(prices.to_json()))) == prices
