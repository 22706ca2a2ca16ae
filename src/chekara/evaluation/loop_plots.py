"""Pictures of a closed loop, for people who decide: what each strategy finds, and what it knows of the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from chekara.evaluation.plots import canvas, line_styles

Floats = npt.NDArray[np.float64]
_FURTHEST = 165  # harms of 100 that a panel shows at least
_LETTERS_PER_INCH = 10  # of a title
_INK, _FOUND, _MISSED, _KNOWN = "#1d2733", "#0b5fa5", "#d9dee4", "#d55e00"


@dataclass(frozen=True, slots=True)
class HundredHarms:
    """One bar.

    Attributes
    ----------
    name : str
    found : float
        Of 100 harms.
    interval : tuple of float
        95 % bounds of ``found``; NaN where there are none.
    said : str
        What it knows of the rest, in a few words.
    known : tuple of float or None
        Between how many and how many of 100 the strategy can tell that there are, from its draws; None: it cannot.
    """

    name: str
    found: float
    interval: tuple[float, float]
    said: str
    known: tuple[float, float] | None


def hundred_harms_plot(panels: Mapping[str, Sequence[HundredHarms]], *, title: str) -> Figure:
    """Draw what each strategy finds of 100 harms, and what it knows of the rest, one panel a world.

    Parameters
    ----------
    panels : mapping of str to sequence of HundredHarms
        By heading; the first bar is drawn at the top.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    rows = max(map(len, panels.values()), default=1)
    width = 2.2 + 4.4 * max(len(panels), 1)
    figure = Figure(figsize=(width, 1.9 + 0.5 * rows), layout="constrained")
    figure.suptitle(fill(title, int(_LETTERS_PER_INCH * width)), x=0.01, ha="left", fontsize=14, color=_INK)
    axes = figure.subplots(1, max(len(panels), 1), squeeze=False, sharey=True)[0]
    known = [bar.known[1] for bars in panels.values() for bar in bars if bar.known is not None]
    furthest = max([_FURTHEST, *(1.04 * most for most in known)])
    for one, (heading, bars) in zip(axes, panels.items(), strict=True):
        _panel(one, heading, bars, furthest)
    return figure


def _panel(axes: Axes, heading: str, bars: Sequence[HundredHarms], furthest: float) -> None:
    places = np.arange(len(bars))[::-1]
    axes.barh(places, [100] * len(bars), color=_MISSED, height=0.62)
    axes.barh(places, [bar.found for bar in bars], color=_FOUND, height=0.62)
    for place, bar in zip(places, bars, strict=True):
        axes.annotate(f"{bar.found:.0f}", (1.5, place), va="center", color="white", fontsize=10, weight="bold")
        if np.isfinite(bar.interval[0]):
            axes.plot(bar.interval, [place, place], color=_INK, linewidth=1.4)
        colour = _INK if bar.known is None else _KNOWN
        axes.annotate(bar.said, (102, place), va="center", fontsize=9, color=colour)
        if bar.known is not None:
            low, high = bar.known
            axes.plot([low, high], [place - 0.4, place - 0.4], color=_KNOWN, linewidth=2.2)
    axes.set_yticks(places, [bar.name for bar in bars])
    axes.set_xlim(0, furthest)
    axes.set_xticks([0, 25, 50, 75, 100])
    axes.set_title(heading, loc="left", fontsize=10)
    axes.set_xlabel("blue: found; grey: missed; orange: all, as its draws tell", fontsize=9)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)


def found_by_week_plot(
    weeks: Sequence[int], found: Mapping[str, Floats], *, title: str, changes: Sequence[int] = ()
) -> Figure:
    """Draw the share of harm that each strategy finds, week by week.

    Parameters
    ----------
    weeks : sequence of int, length n
    found : mapping of str to ndarray of shape (n,)
        By the name that the legend shows.
    title : str
    changes : sequence of int
        Weeks in which the world changed: thin lines.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = canvas(title, "weeks since the strategies took over", "share of harm found in the last four weeks")
    for week in changes:
        axes.axvline(week, color=_MISSED, linewidth=1)
    for (name, values), style in zip(found.items(), line_styles(len(found)), strict=True):
        axes.plot(weeks, values, label=name, **style)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_ylim(top=axes.get_ylim()[1] * 1.25)
    axes.legend(loc="upper left", frameon=False, fontsize=8, ncols=3)
    return figure
