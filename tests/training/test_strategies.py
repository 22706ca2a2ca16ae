"""Strategies keep their budget, and what an arm draws it draws with the chance that is told."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekara.errors import ConfigurationError
from training._strategies import (
    ARMS,
    LEAD,
    LOT,
    NO_ARM,
    NOVELTY,
    STRATEGIES,
    UNCERTAINTY,
    Bandit,
    Signals,
    chances,
    choose,
    find_strategy,
)

EXPLORES = [strategy.explores for strategy in STRATEGIES.values()] + [{LOT: 0.3, UNCERTAINTY: 0.2, NOVELTY: 0.2}]


def signals_of(seed: int, n: int) -> Signals:
    rng = np.random.default_rng(seed)
    return Signals(rng.random(n) < 0.8, rng.normal(size=n), rng.random(n), rng.random(n) ** 4)


@given(weight=st.lists(st.floats(0, 1e6), min_size=1, max_size=40), expected=st.floats(0, 50, allow_subnormal=False))
def test_chances_are_chances_and_sum_up_to_what_is_expected(weight: list[float], expected: float) -> None:
    told = np.array(weight)
    chance = chances(told, expected)
    assert (chance >= 0).all()
    assert (chance <= 1).all()
    assert (chance[told == 0] == 0).all()
    possible = int((told > 0).sum())
    assert chance.sum() == pytest.approx(min(expected, possible), rel=1e-6, abs=1e-9)


@given(seed=st.integers(0, 10_000), n=st.integers(0, 80), budget=st.integers(0, 60), which=st.sampled_from(EXPLORES))
def test_the_budget_is_kept_and_nobody_is_selected_to_whom_the_domain_does_not_apply(
    seed: int, n: int, budget: int, which: dict[int, float]
) -> None:
    signals = signals_of(seed, n)
    choice = choose(which, signals, budget, np.random.default_rng(seed))
    selected = choice.arm != NO_ARM
    assert int(selected.sum()) == min(budget, int(signals.applies.sum()))
    assert not (selected & ~signals.applies).any()
    assert (choice.chance[LEAD] == 0).all()


def test_the_leader_takes_the_best_of_those_whom_nobody_drew() -> None:
    signals = signals_of(3, 200)
    choice = choose({LOT: 0.2}, signals, 40, np.random.default_rng(1))
    led = signals.lead[choice.arm == LEAD]
    passed_over = signals.lead[(choice.arm == NO_ARM) & signals.applies]
    assert led.min() >= passed_over.max()


@pytest.mark.parametrize("which", [{LOT: 0.1}, {UNCERTAINTY: 0.1}, {NOVELTY: 0.1}, {LOT: 0.3, NOVELTY: 0.3}])
def test_an_arm_draws_each_crossing_as_often_as_its_chance_says(which: dict[int, float]) -> None:
    signals, budget, times = signals_of(5, 60), 20, 4_000
    drawn = np.zeros((len(ARMS), 60))
    for seed in range(times):
        choice = choose(which, signals, budget, np.random.default_rng(seed))
        for arm in which:
            drawn[arm] += choice.arm == arm
    chance = choice.chance
    for arm, share in which.items():
        # A later arm loses those whom an earlier one drew.
        expected = share * budget if arm == min(which) else chance[arm].sum()
        assert chance[arm].sum() == pytest.approx(expected)
        error = np.sqrt(chance[arm] * (1 - chance[arm]) / times) + 1e-9
        assert (np.abs(drawn[arm] / times - chance[arm]) < 5 * error).all()


def test_weighing_draws_by_their_chance_counts_everybody() -> None:
    signals = signals_of(8, 300)
    value = np.where(signals.applies, signals.novelty > 0.5, 0.0)
    told = []
    for seed in range(3_000):
        choice = choose({NOVELTY: 0.5}, signals, 60, np.random.default_rng(seed))
        drawn = choice.arm == NOVELTY
        told.append(float((value[drawn] / choice.chance[NOVELTY, drawn]).sum()))
    error = np.std(told) / np.sqrt(len(told))
    assert abs(np.mean(told) - value.sum()) < 4 * error


def test_a_bandit_gives_most_to_what_finds_most_and_always_keeps_a_lot() -> None:
    bandit = Bandit(seed=2)
    for week in range(12):
        shares = bandit.shares(week)
        assert shares[LOT] >= 0.01
        assert sum(shares.values()) <= 0.2 + 0.01 + 1e-9
        arm = np.repeat([LEAD, LOT, UNCERTAINTY, NOVELTY], 12)
        bandit.learn(arm, (arm == NOVELTY) & (np.arange(48) % 2 == 0))
    assert bandit.shares(12)[NOVELTY] > 0.19


def test_a_strategy_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(ConfigurationError, match="no such strategy") as told:
        find_strategy("guess")
    assert "lot_10" in str(told.value.hint)
