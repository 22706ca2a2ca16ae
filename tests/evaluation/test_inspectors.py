"""Inspectors are compared where nobody chose, with colleagues at the same post, and not at all on a few controls."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, kstest

from chekara.errors import TrainingError
from chekara.evaluation.inspectors import compare_inspectors


def controls(seed: int, blind: int = 0, n: int = 6_000) -> tuple[np.ndarray, list[str], list[str]]:
    """Thirty inspectors at two posts, of which one hides three times as much; some inspectors find nothing."""
    rng = np.random.default_rng(seed)
    who = rng.integers(0, 30, n)
    post = who % 2
    hit = (rng.random(n) < np.where(post == 1, 0.12, 0.04)) & (who >= blind)
    return hit, [f"officer {j}" for j in who], [f"post {j}" for j in post]


def test_posts_that_differ_are_no_difference_between_inspectors() -> None:
    """Under no difference the p-value is uniform, as a p-value has to be."""
    found = [compare_inspectors(*controls(seed), permutations=199, seed=seed).p_value for seed in range(120)]
    assert kstest(found, "uniform").pvalue > 0.01
    ignoring_posts = [
        compare_inspectors(hit, who, [""] * len(who), permutations=199).p_value
        for hit, who, _ in (controls(seed) for seed in range(5))
    ]
    assert max(ignoring_posts) < 0.05


def test_inspectors_who_find_nothing_are_seen() -> None:
    report = compare_inspectors(*controls(3, blind=4), seed=1)
    assert report.p_value < 0.005
    assert report.spread > 0
    ratio = {row.inspector: row.shrunk_ratio for row in report.rows}
    assert max(ratio[f"officer {j}"] for j in range(4)) < min(ratio[f"officer {j}"] for j in range(4, 30))


def test_counts_rates_and_bounds_are_plain() -> None:
    hit, who, post = controls(5)
    report = compare_inspectors(hit, who, post)
    assert sum(row.controls for row in report.rows) == report.controls == len(hit)
    assert sum(row.hits for row in report.rows) == report.hits == hit.sum()
    assert sum(row.expected for row in report.rows) == pytest.approx(report.hits)
    own_rate = {name: hit[np.array(post) == name].mean() for name in set(post)}
    posts = dict(zip(who, post, strict=True))
    for row in report.rows:
        bounds = binomtest(row.hits, row.controls).proportion_ci(0.95, method="wilson")
        assert row.expected == pytest.approx(row.controls * own_rate[posts[row.inspector]])
        assert row.interval_95 == (pytest.approx(bounds.low, abs=1e-9), pytest.approx(bounds.high, abs=1e-9))
        # Shrinking moves towards what is expected, never beyond it.
        assert abs(row.shrunk_ratio - 1) <= abs(row.hits / row.expected - 1) + 1e-12


def test_a_few_controls_are_insufficient_data() -> None:
    report = compare_inspectors([1, 0, 0], ["a", "a", "b"], ["p", "p", "p"])
    assert not any(row.has_enough for row in report.rows)
    assert report.n_with_enough == 0
    assert np.isnan(report.p_value)
    assert compare_inspectors([], [], []).rows == ()


def test_the_same_seed_gives_the_same_p_value_and_lengths_must_agree() -> None:
    assert compare_inspectors(*controls(7), seed=2) == compare_inspectors(*controls(7), seed=2)
    with pytest.raises(TrainingError):
        compare_inspectors([1, 0], ["a"], ["p", "p"])
