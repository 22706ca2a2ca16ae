"""Pictures of a backtest can be made from awkward weeks, and are real PNGs."""

from __future__ import annotations

import io
from datetime import date, timedelta

import numpy as np
import pytest

from chekara.evaluation import backtest_plots as plots

WEEKS = [date(2026, 1, 5) + timedelta(days=7 * n) for n in range(5)]
GAPS = {"model": np.array([np.nan, 0.1, 0.2, np.nan, 0.3]), "chance": np.full(5, 0.05), "empty": np.full(5, np.nan)}


@pytest.mark.parametrize(
    "figure",
    [
        plots.weekly_plot(WEEKS, GAPS, title="What?\nof it"),
        plots.weekly_plot(WEEKS[:1], {"model": np.array([0.5])}, title="What?"),
        plots.budget_plot([0.01, 0.05, 0.1, 0.2, 0.5], GAPS, title="What?"),
        plots.drift_plot(WEEKS, GAPS, title="What?"),
        plots.stability_plot(WEEKS, GAPS, title="What?"),
    ],
)
def test_it_is_a_picture(figure: plots.Figure) -> None:
    out = io.BytesIO()
    figure.savefig(out, format="png")
    assert out.getvalue().startswith(b"\x89PNG")
