"""Pictures of a backtest: what each scorer finds week by week and in all, what drifts, how steady the lists are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from chekara.evaluation.plots import canvas, line_styles

Floats = npt.NDArray[np.float64]
Weeks = Sequence[Any]  # datetime.date or numpy datetimes
_NOTABLE, _MUCH = 0.1, 0.25  # of the stability index, as credit scoring reads it


def weekly_plot(weeks: Weeks, recall: Mapping[str, Floats], *, title: str) -> Figure:
    """Plot the share of hits found in all weeks so far, against the weeks.

    One week holds a handful of hits; the running share tells scorers apart, and the last point is the whole.

    Parameters
    ----------
    weeks : sequence of dates, length n
    recall : mapping of str to ndarray of shape (n,)
        By the name that the legend shows; the first one is the model. NaN while nothing was there to be found.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = canvas(title, "", "share of hits found so far")
    for (name, values), style in zip(recall.items(), line_styles(len(recall)), strict=True):
        axes.plot(weeks, values, label=name, marker="o", markersize=3, **style)
    _by_week(axes)
    _room_for_legend(axes)
    axes.legend(loc="upper left", frameon=False, fontsize=9, ncols=2)
    return figure


def budget_plot(shares: Sequence[float], recall: Mapping[str, Floats], *, title: str) -> Figure:
    """Plot the share of hits found at each budget, one group of bars per budget.

    Parameters
    ----------
    shares : sequence of float, length n
        Budgets, as shares of traffic.
    recall : mapping of str to ndarray of shape (n,)
        By the name that the legend shows; the first one is the model.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = canvas(title, "share of crossings inspected", "share of hits found")
    width = 0.8 / max(len(recall), 1)
    for j, ((name, values), style) in enumerate(zip(recall.items(), line_styles(len(recall)), strict=True)):
        places = np.arange(len(shares)) + (j - (len(recall) - 1) / 2) * width
        axes.bar(places, np.nan_to_num(values), width * 0.92, label=name, color=style["color"])
    axes.set_xticks(np.arange(len(shares)), [f"{share:.0%}" for share in shares])
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.legend(loc="upper left", frameon=False, fontsize=9)
    return figure


def drift_plot(weeks: Weeks, index: Mapping[str, Floats], *, title: str) -> Figure:
    """Plot how far each week is from the weeks before it.

    Parameters
    ----------
    weeks : sequence of dates, length n
    index : mapping of str to ndarray of shape (n,)
        Stability index by name; the first one, of the model's margins, stands out.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = canvas(title, "", "stability index")
    for height, said in ((_NOTABLE, "notable"), (_MUCH, "much")):
        axes.axhline(height, color="#9aa5b1", linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate(said, (1.0, height), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=8)
    for (name, values), style in zip(index.items(), line_styles(len(index)), strict=True):
        axes.plot(weeks, values, label=name, marker="o", markersize=3, **style)
    axes.set_ylim(bottom=0)
    _by_week(axes, is_share=False)
    _room_for_legend(axes)
    axes.legend(loc="upper left", frameon=False, fontsize=8, ncols=2)
    return figure


def stability_plot(weeks: Weeks, overlap: Mapping[str, Floats], *, title: str) -> Figure:
    """Plot which share of a week's top list the model of the week before would have put there, too.

    Parameters
    ----------
    weeks : sequence of dates, length n
    overlap : mapping of str to ndarray of shape (n,)
        By budget. NaN in the first week.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = canvas(title, "", "share of the list that both models choose")
    for (name, values), style in zip(overlap.items(), line_styles(len(overlap)), strict=True):
        axes.plot(weeks, values, label=name, marker="o", markersize=3, **style)
    axes.set_ylim(0, 1.02)
    _by_week(axes)
    axes.legend(loc="lower left", frameon=False)
    return figure


def _by_week(axes: Axes, *, is_share: bool = True) -> None:
    axes.tick_params(axis="x", labelrotation=30, labelsize=8)
    if is_share:
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))


def _room_for_legend(axes: Axes) -> None:
    axes.set_ylim(top=axes.get_ylim()[1] * 1.3)
