"""The waterfall adds up: the bars to the margin, and the printed amounts to the printed margin."""

from __future__ import annotations

import itertools
import math
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chekara import messages
from chekara.web.pages import WaterfallBar
from chekara.web.waterfall import DRAWING_WIDTH, SHOWN_FACTORS, build_waterfall, rounded_to_sum
from tests.web import examples

AMOUNTS = st.floats(-6, 6, allow_nan=False)
NAMES = [f"x_{n}" for n in range(40)]
# Few factors, each with its own bar, and many, of which the smaller ones share one.
FACTORS = st.dictionaries(st.sampled_from(NAMES), AMOUNTS, max_size=SHOWN_FACTORS) | st.lists(
    AMOUNTS, min_size=SHOWN_FACTORS + 1, max_size=len(NAMES)
).map(lambda amounts: dict(zip(NAMES, amounts, strict=False)))


def printed(bar: WaterfallBar) -> int:
    """Read a printed amount back, in hundredths."""
    assert re.fullmatch(r"[+−]?\d+\.\d\d", bar.amount)
    return round(float(bar.amount.replace("−", "-").replace("+", "")) * 100)


@given(AMOUNTS, FACTORS)
def test_printed_amounts_add_up_to_the_printed_margin(base: float, factors: dict[str, float]) -> None:
    margin = base + math.fsum(factors.values())
    bars = build_waterfall(base, factors, margin, "en").bars
    assert sum(printed(bar) for bar in bars[:-1]) == printed(bars[-1])
    assert printed(bars[-1]) == pytest.approx(margin * 100, abs=0.501)


@given(AMOUNTS, FACTORS)
@example(0.0, {"x_0": 2e-311})
def test_each_bar_starts_where_the_one_above_ends(base: float, factors: dict[str, float]) -> None:
    margin = base + math.fsum(factors.values())
    bars = build_waterfall(base, factors, margin, "en").bars
    for above, below in itertools.pairwise(bars):
        assert below.start_x == pytest.approx(above.end_x, abs=0.02)
    for bar in bars:
        assert bar.x >= 0
        assert bar.x + bar.width <= DRAWING_WIDTH


@given(AMOUNTS, FACTORS)
def test_bars_are_to_scale(base: float, factors: dict[str, float]) -> None:
    margin = base + math.fsum(factors.values())
    bars = build_waterfall(base, factors, margin, "en").bars
    ranked = sorted((a for a in factors.values() if a != 0), key=lambda a: -abs(a))[:SHOWN_FACTORS]
    lengths = [bar.end_x - bar.start_x for bar in bars if bar.kind in ("towards", "away")]
    assert [length > 0 for length in lengths if abs(length) > 0.02] == [
        amount > 0 for amount, length in zip(ranked, lengths, strict=True) if abs(length) > 0.02
    ]
    if ranked and abs(ranked[0]) > 0.1:
        scale = lengths[0] / ranked[0]
        assert lengths == pytest.approx([amount * scale for amount in ranked], abs=0.05)


def test_small_factors_stand_together() -> None:
    small = {f"x_{n}": 0.001 for n in range(4)}
    factors = examples.CONTRIBUTIONS | small
    bars = build_waterfall(examples.BASE_VALUE, factors, examples.BASE_VALUE + math.fsum(factors.values()), "en").bars
    own = ["towards"] * 4 + ["away"] * 2 + ["towards"] * 2 + ["away"] * 3 + ["towards"]
    assert [bar.kind for bar in bars] == ["base", *own, "other", "total"]
    assert bars[-2].label == "All other factors (3)"
    assert (bars[1].label, bars[1].amount) == ("Price against the usual", "+1.40")


PROFILES = ["importer_hit_rate_contraband", "importer_volume_long", "importer_x_hs4_hit_rate", "carrier_burst", "mode"]


@given(AMOUNTS, st.fixed_dictionaries(dict.fromkeys(PROFILES, AMOUNTS)))
def test_what_is_known_of_one_entity_is_one_factor(base: float, factors: dict[str, float]) -> None:
    margin = base + math.fsum(factors.values())
    bars = build_waterfall(base, factors, margin, "en").bars
    assert sum(printed(bar) for bar in bars[:-1]) == printed(bars[-1])
    labels = [bar.label for bar in bars]
    importer = [factors[name] for name in PROFILES[:2]]
    assert ("Importer: what is known (2)" in labels) == all(importer)
    if all(importer):
        (bar,) = (bar for bar in bars if bar.label == "Importer: what is known (2)")
        assert printed(bar) == pytest.approx(math.fsum(importer) * 100, abs=1.001)


def test_all_other_factors_counts_features() -> None:
    many = {f"x_{n}": 2.0 + n for n in range(SHOWN_FACTORS)}
    bars = build_waterfall(0.0, many | dict.fromkeys(PROFILES[:2], 0.01), sum(many.values()) + 0.02, "en").bars
    assert bars[-2].label == "All other factors (2)"


@given(AMOUNTS, FACTORS)
def test_a_factor_reads_as_it_does_among_the_reasons(base: float, factors: dict[str, float]) -> None:
    margin = base + math.fsum(factors.values())
    bars = build_waterfall(base, factors, margin, "en").bars
    own = [bar.amount for bar in bars if bar.kind in ("towards", "away")]
    ranked = sorted((a for a in factors.values() if a != 0), key=lambda a: -abs(a))[:SHOWN_FACTORS]
    if any(bar.kind == "other" for bar in bars):
        assert own == [messages.signed(amount, "en") for amount in ranked]


def test_nothing_moved() -> None:
    bars = build_waterfall(-3.0, {"mode": 0.0}, -3.0, "en").bars
    assert [(bar.kind, bar.amount) for bar in bars] == [("base", "−3.00"), ("total", "−3.00")]
    assert bars[0].x == bars[1].x


@given(st.lists(AMOUNTS, min_size=1, max_size=30))
def test_rounding_moves_nothing_by_a_step(amounts: list[float]) -> None:
    total = math.fsum(amounts)
    rounded = rounded_to_sum(amounts, total)
    assert round(math.fsum(rounded) * 100) == round(total * 100)
    assert all(abs(after - before) <= 0.01 + 1e-9 for after, before in zip(rounded, amounts, strict=True))
