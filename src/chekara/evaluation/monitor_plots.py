"""Pictures of a model at work: high scores week by week, what moved, what was said and what the lot found, groups."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from chekara.evaluation.monitoring import GroupFigures, LotCalibration, Share
from chekara.evaluation.plots import canvas

_INK, _FAINT, _MODEL, _LOT = "#1d2733", "#9aa5b1", "#0b5fa5", "#d55e00"
_NOTABLE, _MUCH = 0.1, 0.25  # of the stability index, as credit scoring reads it


def high_scores_plot(weeks: Sequence[date], high: Sequence[Share], expected: float, *, title: str) -> Figure:
    """Plot the share of high scores week by week, with 95 % intervals, against that of training.

    Parameters
    ----------
    weeks : sequence of date, length n
        Mondays.
    high : sequence of Share, length n
    expected : float
        Share of training.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = canvas(title, "week of", "share of crossings that score this high")
    axes.axhline(expected, color=_FAINT, linewidth=1, linestyle=(0, (4, 3)), label=f"training: {expected:.1%}")
    _points(axes, np.arange(len(high), dtype=np.float64), list(high), color=_MODEL, label="live, 95 % interval")
    axes.set_xticks(np.arange(len(weeks)), [f"{week:%d %b %y}" for week in weeks])
    # A year has more weeks than an axis has room for their names.
    for place, tick in enumerate(axes.get_xticklabels()):
        tick.set_visible(place % (len(weeks) // 12 + 1) == 0)
    axes.tick_params(axis="x", labelrotation=30, labelsize=8)
    axes.set_ylim(bottom=0, top=max(axes.get_ylim()[1], 1.5 * expected))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.legend(loc="upper left", frameon=False)
    return figure


def moved_features_plot(names: Sequence[str], index: Sequence[float], *, title: str) -> Figure:
    """Plot the features that moved most.

    Parameters
    ----------
    names : sequence of str, length n
        Largest first.
    index : sequence of float, length n
        Stability index of each.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = canvas(title, "stability index against training", "", height=0.36 * len(names) + 1.8)
    places = np.arange(len(names))
    axes.barh(places, index, color=[_LOT if one > _MUCH else _MODEL for one in index])
    for height, said in ((_NOTABLE, "notable"), (_MUCH, "much")):
        axes.axvline(height, color=_FAINT, linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate(said, (height, 1.0), xycoords=("data", "axes fraction"), ha="left", va="bottom", fontsize=8)
    axes.set_yticks(places, list(names))
    axes.invert_yaxis()
    axes.set_xlim(0, max(1.1 * max(index, default=0.0), 1.3 * _MUCH))
    return figure


def said_and_found_plot(calibrations: Sequence[tuple[str, LotCalibration]], *, title: str) -> Figure:
    """Plot what was said of all traffic beside what the lot found, one row per domain.

    Parameters
    ----------
    calibrations : sequence of (str, LotCalibration)
        By name; each with a lot that has an outcome.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = canvas(title, "share of all crossings with a hit", "", height=0.6 * len(calibrations) + 2.4)
    places = np.arange(len(calibrations))
    for place, (_, one) in zip(places, calibrations, strict=True):
        if one.lot is not None:
            low, high = one.lot.bounds_95
            axes.plot([low, high], [place, place], color=_FAINT, linewidth=5, alpha=0.5, solid_capstyle="butt")
            low, high = one.lot.closed_form_95
            axes.plot([low, high], [place, place], color=_LOT, linewidth=2)
            axes.plot([one.lot.rate.value], [place], "o", color=_LOT)
        axes.plot([one.said], [place], "D", color=_MODEL, zorder=5)
    axes.plot([], [], "D", color=_MODEL, label="said, on average")
    axes.plot([], [], "-o", color=_LOT, label="found by the lot, 95 % interval")
    axes.plot([], [], color=_FAINT, linewidth=5, alpha=0.5, label="what draws without an outcome leave open")
    axes.set_yticks(places, [f"{name}\n{one.verdict}" for name, one in calibrations], fontsize=9)
    axes.set_ylim(len(calibrations) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    figure.legend(loc="outside lower right", frameon=False, fontsize=8, ncols=3)
    return figure


def groups_plot(groups: Sequence[GroupFigures], *, title: str) -> Figure:
    """Plot the share selected, false alarms and hit rate of each group, with 95 % intervals.

    Parameters
    ----------
    groups : sequence of GroupFigures
        Of one attribute; what rests on too little is left out.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = canvas(title, "share, 95 % interval", "", height=0.55 * len(groups) + 2.2)
    places = np.arange(len(groups), dtype=np.float64)
    rows = (
        (-0.22, "selected, of all its crossings", _MODEL, [one.selected for one in groups]),
        (0.0, "selected, of its clean ones (lot)", "#009e73", [one.false_alarms for one in groups]),
        (0.22, "hit rate (lot)", _LOT, [one.hit_rate for one in groups]),
    )
    for off, label, color, shares in rows:
        _points(axes, places + off, shares, color=color, label=label, is_upright=False)
    axes.set_yticks(places, [one.name if one.selected else f"{one.name}\ninsufficient data" for one in groups])
    axes.set_ylim(len(groups) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    figure.legend(loc="outside lower right", frameon=False, fontsize=8, ncols=3)
    return figure


def _points(
    axes: Axes,
    places: npt.NDArray[np.float64],
    shares: Sequence[Share | None],
    *,
    color: str,
    label: str,
    is_upright: bool = True,
) -> None:
    """Draw shares with their intervals, up the page or across it; those that do not exist are left out."""
    told = [(place, one) for place, one in zip(places.tolist(), shares, strict=True) if one is not None and one.n]
    at = np.array([place for place, _ in told])
    value = np.array([one.value for _, one in told])
    bounds = np.array([one.interval_95 for _, one in told]).reshape(-1, 2)
    spread = np.clip(np.abs(bounds.T - value), 0, None)
    style: dict[str, Any] = {"fmt": "o", "color": color, "capsize": 3, "markersize": 5, "label": label}
    if is_upright:
        axes.errorbar(at, value, yerr=spread, **style)
    else:
        axes.errorbar(value, at, xerr=spread, **style)
