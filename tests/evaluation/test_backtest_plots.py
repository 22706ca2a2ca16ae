"""Pictures of a backtest can be made from awkward weeks, and are real PNGs."""

from __future__ import annotations

import io
from datetime import date, timedelta

import numpy as np
import pytest

from chekara.evaluation import backtest_plots as plots
from chekara.evaluation.loop_plots import HundredHarms, hundred_harms_plot
from chekara.evaluation.policy_plots import compared_plot

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


@pytest.mark.parametrize("worlds", [1, 3])
def test_of_a_hundred_harms_neither_the_title_nor_what_is_known_is_cut(worlds: int) -> None:
    bars = [
        HundredHarms("model", 46.0, (44.0, 47.0), "cannot tell the rest", None),
        HundredHarms("lot", 44.0, (43.0, 46.0), "draws say 72 to 190", (72.0, 190.0)),
    ]
    title = "Of 100 harms that cross the border: what is found, and what is known of the rest"
    figure = hundred_harms_plot({f"world {n}": bars for n in range(worlds)}, title=title)
    figure.savefig(io.BytesIO(), format="png")
    for axes in figure.axes:
        edge = axes.get_xlim()[1]
        assert all(max(line.get_xdata()) < edge for line in axes.lines)
        assert all(text.get_window_extent().x1 <= axes.get_window_extent().x1 + 1 for text in axes.texts)
    (drawn,) = (text for text in figure.texts if text.get_text().startswith("Of 100"))
    assert drawn.get_window_extent().x1 <= figure.bbox.x1


def test_two_policies_of_one_name_are_told_apart() -> None:
    figure = compared_plot([("customs, red", 3.0, 4.0)], names=("policy.toml", "policy.toml"), title="What?")
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["A: policy.toml", "B: policy.toml"]
