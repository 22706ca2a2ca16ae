"""Folding week by week tells what folding the whole history tells: the whole fold is the oracle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from chekara.data.simulate import simulate_border
from chekara.data.sources import load_history
from chekara.features.profiles import profile_columns
from training._closed_loop_fold import GrowingFold

DOMAINS = ("revenue_fraud", "contraband")
NAMES = (
    "importer_hit_rate_revenue_fraud",
    "importer_x_hs4_hit_rate_revenue_fraud",
    "carrier_hit_rate_contraband",
    "carrier_inspections_contraband",
    "vehicle_days_since_last",
    "importer_amount_revenue_fraud",
    "exporter_price_level",
    "crossing_point_hit_rate_recent_contraband",
)


def test_weeks_told_one_by_one_are_the_weeks_of_the_whole_fold(tmp_path: Path) -> None:
    simulate_border(tmp_path, months=3, per_day=60, seed=4)
    history = load_history(tmp_path)
    whole = profile_columns(history, NAMES, domains=DOMAINS)
    fold = GrowingFold(NAMES, DOMAINS, history.crossing_points)
    known = {name: _known(getattr(history, name)) for name in ("crossings", "inspections")}
    first, last = min(known["crossings"]), max(known["inspections"].max(), known["crossings"].max())
    begins = np.arange(first.astype("datetime64[D]"), last, np.timedelta64(7, "D"), dtype="datetime64[D]")
    n_told = 0
    for since in begins.astype("datetime64[us]"):
        before = since + np.timedelta64(7, "D")
        parts = {name: np.flatnonzero((at >= since) & (at < before)) for name, at in known.items()}
        rows = parts["crossings"]
        told = fold.advance(history.crossings.iloc[rows], history.inspections.iloc[parts["inspections"]], since, before)
        for name in NAMES:
            np.testing.assert_array_equal(told[name], whole[name][rows], err_msg=name)
        n_told += len(rows)
    assert n_told == len(history.crossings)
    assert np.nanmax(whole["carrier_hit_rate_contraband"]) > 0.1


def test_what_is_known_outside_of_its_week_counts_at_the_nearer_bound(tmp_path: Path) -> None:
    simulate_border(tmp_path, months=1, per_day=20, seed=4)
    history = load_history(tmp_path)
    crossings, nothing = history.crossings.iloc[:40], history.inspections.iloc[:0]
    since = np.datetime64("2025-06-01", "us")
    told = GrowingFold(["vehicle_days_since_last"], DOMAINS, history.crossing_points).advance(
        crossings, nothing, since, since + np.timedelta64(7, "D")
    )
    # All became known at one instant, and none of them sees another.
    assert np.isnan(told["vehicle_days_since_last"]).all()


def _known(frame: pd.DataFrame) -> npt.NDArray[np.datetime64]:
    return np.asarray(frame["known_at"].dt.tz_localize(None).to_numpy(), dtype="datetime64[us]")
