"""Marks and groups of numbers are Babel's, which is too slow to ask for each."""

from __future__ import annotations

from decimal import Decimal

import pytest
from babel.numbers import format_decimal
from hypothesis import given
from hypothesis import strategies as st

from chekara import messages

AMOUNTS = st.one_of(st.floats(-1e14, 1e14), st.integers(-(10**14), 10**14).map(float), st.sampled_from([0.0, 999.995]))


@pytest.mark.parametrize("language", messages.languages())
@given(amount=AMOUNTS)
def test_money_is_grouped_and_marked_as_babel_does(language: str, amount: float) -> None:
    decimals, pattern = (2, "#,##0.00") if abs(amount) < 1000 else (0, "#,##0")
    if 0 < abs(amount) < 0.1:  # shown with as many digits as it takes
        return
    rounded = Decimal(f"{amount + 0.0:.{decimals}f}")  # no minus before a zero
    assert messages.money(amount, language) == format_decimal(
        rounded, format=pattern, locale=language, decimal_quantization=False
    )
