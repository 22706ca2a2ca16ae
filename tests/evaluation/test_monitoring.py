"""Shares, calibration on the lot and groups: held against simulated truth and against pandas."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from chekara.errors import TrainingError
from chekara.evaluation.monitoring import calibration_on_lot, difference_of, group_figures, share_of

SEEDS = range(200)


def lot(seed: int, *, said_times: float = 1.0, n: int = 3_000, undone: float = 0.1):
    """Simulate draws whose true probability is known; what is said is that, times a factor."""
    rng = np.random.default_rng(seed)
    truth = rng.beta(1, 30, n)
    hit = (rng.random(n) < truth).astype(float)
    hit[rng.random(n) < undone] = np.nan
    weight = rng.choice([10.0, 20.0], n)
    return truth * said_times, hit, weight, rng.choice(["a day", "b day"], n)


def verdicts(**how) -> pd.Series:
    return pd.Series([calibration_on_lot(*lot(seed, **how)).verdict for seed in SEEDS]).value_counts(normalize=True)


def test_honest_probabilities_are_as_expected_at_the_nominal_rate() -> None:
    assert 0.92 <= verdicts()["as expected"] <= 1.0


@pytest.mark.parametrize(("factor", "verdict"), [(1.6, "too high"), (0.5, "too low")])
def test_probabilities_that_are_off_are_told_so(factor: float, verdict: str) -> None:
    assert verdicts(said_times=factor)[verdict] > 0.95


def test_few_hits_are_insufficient_data_unless_many_were_promised() -> None:
    n = 400
    clean, ones, posts = np.zeros(n), np.ones(n), ["a"] * n
    assert calibration_on_lot(np.full(n, 0.005), clean, ones, posts).verdict == "insufficient data"
    assert calibration_on_lot(np.full(n, 0.1), clean, ones, posts).verdict == "too high"
    assert calibration_on_lot([], [], [], []).verdict == "insufficient data"


def test_what_draws_without_an_outcome_could_explain_is_marked() -> None:
    said, hit, weight, posts = lot(1, said_times=2.0, undone=0.0)
    assert not calibration_on_lot(said, hit, weight, posts).may_be_undone
    hit[np.flatnonzero(hit == 0)[:600]] = np.nan
    found = calibration_on_lot(said, hit, weight, posts)
    assert (found.verdict, found.may_be_undone) == ("too high", True)


def test_the_line_needs_two_hundred_hits() -> None:
    assert calibration_on_lot(*lot(1, n=3_000)).line is None
    line = calibration_on_lot(*lot(1, n=20_000)).line
    assert line is not None
    assert line.slope_95[0] < 1 < line.slope_95[1]


def test_a_weighted_share_is_that_of_horvitz_and_thompson() -> None:
    share = share_of([True, False, False], [10.0, 20.0, 20.0])
    assert share.value == pytest.approx(10 / 50)
    assert (share.count, share.n) == (1, 3)
    assert share.n_effective == pytest.approx(50**2 / 900)
    assert np.isnan(share_of([], []).value)
    with pytest.raises(TrainingError):
        share_of([True], [0.0])


def test_the_interval_of_a_weighted_share_covers_the_truth() -> None:
    covered = []
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        truth = rng.choice([0.05, 0.2], 20_000)
        propensity = np.where(truth > 0.1, 0.05, 0.02)  # the riskier half is drawn more often
        drawn = rng.random(20_000) < propensity
        found = share_of(rng.random(drawn.sum()) < truth[drawn], 1 / propensity[drawn])
        low, high = found.interval_95
        covered.append(low <= truth.mean() <= high)
    assert np.mean(covered) > 0.91


def crossings(seed: int, n: int = 4_000) -> pd.DataFrame:
    """Make crossings of three groups, one a dozen; one in ten is drawn, one in eight of those has no outcome."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"group": rng.choice(["north", "south"], n), "probability": rng.beta(1, 9, n)})
    frame.loc[frame.index[:12], "group"] = "island"
    frame["flagged"] = frame["probability"] > np.where(frame["group"] == "north", 0.2, 0.1)
    is_drawn = rng.random(n) < 0.1
    frame["hit"] = np.where(rng.random(n) < frame["probability"], 1.0, 0.0)
    frame.loc[~is_drawn | (rng.random(n) < 0.125), "hit"] = np.nan
    frame["weight"] = np.where(is_drawn, 10.0, np.nan)
    return frame


def figures(frame: pd.DataFrame):
    columns = (frame[name].to_numpy() for name in ("group", "flagged", "probability", "hit", "weight"))
    return {one.name: one for one in group_figures(*columns)}


@pytest.mark.parametrize("seed", range(5))
def test_rates_of_groups_are_those_that_pandas_counts(seed: int) -> None:
    frame = crossings(seed)
    found = figures(frame)
    known = frame[frame["hit"].notna()]
    clean = known[known["hit"] == 0]
    for name in ("north", "south"):
        own = found[name]
        assert own.crossings == (frame["group"] == name).sum()
        assert own.drawn == (frame["weight"].notna() & (frame["group"] == name)).sum()
        assert own.with_outcome == (known["group"] == name).sum()
        assert own.selected.value == pytest.approx(frame.groupby("group")["flagged"].mean()[name])
        assert own.false_alarms.value == pytest.approx(clean.groupby("group")["flagged"].mean()[name])
        assert own.hit_rate.value == pytest.approx(known.groupby("group")["hit"].mean()[name])
        assert own.said == pytest.approx(known.groupby("group")["probability"].mean()[name])
        others = frame[frame["group"] != name]["flagged"].mean()
        assert own.selected_apart.value == pytest.approx(own.selected.value - others)
    low, high = found["south"].selected_apart.interval_95
    assert low > 0
    assert found["north"].selected_apart.interval_95[1] < 0 < high


def test_a_group_of_twelve_is_insufficient_data() -> None:
    island = figures(crossings(1))["island"]
    told = asdict(island)
    assert (told.pop("name"), told.pop("crossings"), told.pop("calibration")) == ("island", 12, "insufficient data")
    assert told.pop("drawn") + told.pop("with_outcome") <= 24
    assert set(told.values()) == {None}


def test_no_difference_is_told_of_what_does_not_exist() -> None:
    assert np.isnan(difference_of(share_of([]), share_of([True])).value)
