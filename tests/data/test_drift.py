"""Drift, swaps, label jumps and proxies: each planted defect is named, and an even history is left alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chekara.data.drift import find_drift, find_label_jumps, find_proxies, stability_index
from chekara.data.findings import Finding
from chekara.data.labels import TargetRule, label_crossings
from tests.data.worlds import history_of, inspected, one_off_trade

N = 4_000


@pytest.fixture
def crossings() -> pd.DataFrame:
    trade = one_off_trade(N, np.random.default_rng(3))
    # Goods come from where they are sent, mostly; otherwise nobody could tell the two apart.
    trade["dispatch_country"] = np.where(np.arange(N) % 4 == 0, "KZ", trade["origin_country"].replace("KZ", "CN"))
    return trade.assign(known_at=trade["occurred_at"])


def named(findings: list[Finding]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for finding in findings:
        found.setdefault(finding.code, set()).update(finding.columns)
    return found


def test_an_even_history_raises_nothing(crossings: pd.DataFrame) -> None:
    assert find_drift(crossings) == []
    assert find_proxies(crossings) == []


def test_a_short_history_cannot_be_compared(crossings: pd.DataFrame) -> None:
    assert find_drift(crossings.head(399).assign(net_mass_kg=0.0)) == []


@pytest.mark.parametrize(
    "where", [slice(0, 800), slice(1_600, 2_400), slice(3_200, N)], ids=["first", "middle", "last"]
)
@pytest.mark.parametrize(
    ("left", "right"),
    [("origin_country", "dispatch_country"), ("net_mass_kg", "gross_mass_kg"), ("declared_value", "duty_amount")],
)
def test_two_columns_swapped_for_a_while_are_named(
    crossings: pd.DataFrame, left: str, right: str, where: slice
) -> None:
    swapped = crossings.copy()
    swapped.loc[crossings.index[where], [left, right]] = crossings.loc[crossings.index[where], [right, left]].to_numpy()
    findings = find_drift(swapped)
    assert {left, right} <= named(findings)["swapped_columns"]
    assert all(f.blocks_promotion for f in findings if f.code == "swapped_columns")


def test_columns_swapped_all_the_time_show_where_physics_forbids_it(crossings: pd.DataFrame) -> None:
    swapped = crossings.rename(columns={"net_mass_kg": "gross_mass_kg", "gross_mass_kg": "net_mass_kg"})
    finding = next(f for f in find_drift(swapped) if f.code == "net_above_gross")
    assert finding.blocks_promotion
    assert finding.numbers["share"] > 0.9


def test_a_change_of_unit_is_a_warning(crossings: pd.DataFrame) -> None:
    crossings.loc[crossings.index[3_200:], "declared_value"] *= 100
    finding = next(f for f in find_drift(crossings) if f.columns == ("declared_value",))
    assert (finding.code, finding.blocks_promotion) == ("column_drift", True)


def test_a_mild_shift_is_a_notice(crossings: pd.DataFrame) -> None:
    later = crossings.index[3_200:]
    crossings.loc[later[::2], "crossing_point"] = "P1"
    finding = next(f for f in find_drift(crossings) if f.columns == ("crossing_point",))
    assert (finding.code, finding.blocks_promotion) == ("column_drift", False)


@given(hnp.arrays(np.float64, (6, 4), elements=st.integers(0, 500)))
def test_stability_index_is_never_below_zero_and_zero_for_equal_slices(counts: np.ndarray) -> None:
    assert (stability_index(counts) >= 0).all()
    assert stability_index(np.repeat(counts[:, :1] + 1, 4, axis=1)) == pytest.approx(np.zeros(4), abs=0.02)


def labels_of(crossings: pd.DataFrame, hit: np.ndarray, selected_by: np.ndarray | str = "census") -> list[Finding]:
    history = history_of(crossings, inspected(crossings, hit).assign(selected_by=selected_by))
    labels = label_crossings(history.inspections, TargetRule(domain="revenue_fraud"))
    return find_label_jumps(labels, history.crossings.set_index("crossing_id")["known_at"], "revenue_fraud")


@pytest.mark.parametrize("seed", range(5))
def test_a_steady_hit_rate_raises_nothing(crossings: pd.DataFrame, seed: int) -> None:
    assert labels_of(crossings, np.random.default_rng(seed).random(N) < 0.1) == []


@pytest.mark.parametrize(("rate", "word"), [(0.0, "zero filled"), (0.4, "inflated")])
def test_labels_of_another_kind_for_a_while_are_a_warning(crossings: pd.DataFrame, rate: float, word: str) -> None:
    chance = np.full(N, 0.1)
    chance[2_000:2_400] = rate
    (finding,) = labels_of(crossings, np.random.default_rng(1).random(N) < chance)
    assert finding.blocks_promotion, word
    assert (finding.numbers["observed"] < finding.numbers["expected"]) == (rate == 0.0)


def test_another_mix_of_selection_is_no_jump(crossings: pd.DataFrame) -> None:
    rng = np.random.default_rng(2)
    # Late in the history officers, who find more, take over from the rules: the rate triples, no rate changes.
    by_officer = rng.random(N) < np.where(np.arange(N) >= 3_000, 0.9, 0.1)
    hit = rng.random(N) < np.where(by_officer, 0.3, 0.05)
    assert labels_of(crossings, hit, np.where(by_officer, "officer", "rule")) == []


def test_an_extension_that_repeats_a_sensitive_column_is_named(crossings: pd.DataFrame) -> None:
    rng = np.random.default_rng(4)
    country = rng.choice(np.array(["KG", "KZ", "CN", "UZ"]), N, p=[0.5, 0.2, 0.2, 0.1])
    crossings["vehicle_country"] = country
    crossings["x_plate_kind"] = pd.Series(country).map({"KG": "1", "KZ": "2", "CN": "3", "UZ": "4"}).to_numpy()
    crossings["x_axles"] = rng.integers(2, 6, N).astype(float)
    assert named(find_proxies(crossings)) == {"sensitive_proxy": {"x_plate_kind", "vehicle_country"}}
