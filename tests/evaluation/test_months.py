"""How long a lot has to run: the figure that the design page names, and what it depends on."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekara.errors import TrainingError
from chekara.evaluation.months import draws_needed, months_until_known


def test_a_rare_harm_takes_27877_draws() -> None:
    assert draws_needed(0.0022) == 27_877


@given(st.floats(0.001, 0.5))
def test_so_many_draws_are_as_precise_as_was_asked_for(prevalence: float) -> None:
    n = draws_needed(prevalence)
    half = 1.959963984540054 * np.sqrt(prevalence * (1 - prevalence) / n)
    assert half <= 0.25 * prevalence
    assert 1.959963984540054 * np.sqrt(prevalence * (1 - prevalence) / (n - 1.001)) > 0.25 * prevalence


def test_simulated_rates_fall_within_a_quarter_nineteen_times_in_twenty() -> None:
    found = np.random.default_rng(0).binomial(27_877, 0.0022, size=20_000) / 27_877
    assert np.mean(np.abs(found / 0.0022 - 1) <= 0.25) == pytest.approx(0.95, abs=0.005)


def test_a_lot_that_goes_on_as_it_has() -> None:
    plan = months_until_known(0.01, draws_done=3_000, hits_so_far=30, months_so_far=12.0)
    assert plan.draws_per_month == 250.0
    assert plan.months_until_precise == pytest.approx((draws_needed(0.01) - 3_000) / 250)
    assert plan.months_until_hits == pytest.approx(20 / 2.5)
    assert not plan.is_upper_bound
    done = months_until_known(0.01, draws_done=30_000, hits_so_far=300, months_so_far=12.0)
    assert done.months_until_precise == done.months_until_hits == 0.0


def test_a_lot_without_hits_says_at_least_and_no_lot_says_never() -> None:
    plan = months_until_known(0.0, draws_done=3_000, hits_so_far=0, months_so_far=12.0)
    assert plan.is_upper_bound
    assert plan.prevalence == pytest.approx(0.001)
    assert plan.months_until_hits == pytest.approx(200.0)
    nothing = months_until_known(0.0, draws_done=0, hits_so_far=0, months_so_far=12.0)
    assert nothing.months_until_precise == nothing.months_until_hits == inf


def test_uneven_propensities_cost_draws() -> None:
    assert draws_needed(0.01, design_effect=2.0) == pytest.approx(2 * draws_needed(0.01), abs=1)


def test_numbers_out_of_range_are_refused() -> None:
    for wrong in ({"prevalence": 1.5}, {"prevalence": 0.1, "relative": 0.0}, {"prevalence": 0.1, "design_effect": 0.5}):
        with pytest.raises(TrainingError):
            draws_needed(**wrong)
    with pytest.raises(TrainingError):
        months_until_known(0.1, draws_done=1, hits_so_far=1, months_so_far=0.0)
