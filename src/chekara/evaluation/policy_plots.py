"""Pictures of policies."""

from __future__ import annotations

import io
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

_INK, _BEFORE, _AFTER = "#1d2733", "#9aa5b1", "#0b5fa5"


def compared_plot(groups: Sequence[tuple[str, float, float]], *, names: tuple[str, str], title: str) -> Figure:
    """Plot what is asked for a day under two policies, group by group.

    Parameters
    ----------
    groups : sequence of (str, float, float)
        Name of the group, crossings a day under the first and the second policy.
    names : tuple of str
        Of the policies; the legend calls them A and B, too, for two may have one name.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(8, 1.2 + 0.42 * max(len(groups), 1)), layout=ConstrainedLayoutEngine())
    axes = figure.add_subplot()
    places = np.arange(len(groups))
    for values, name, color, shift in (
        ([one[1] for one in groups], f"A: {names[0]}", _BEFORE, -0.2),
        ([one[2] for one in groups], f"B: {names[1]}", _AFTER, 0.2),
    ):
        bars = axes.barh(places + shift, values, height=0.38, color=color, label=name)
        axes.bar_label(bars, fmt=_rate, padding=3, fontsize=8, color=_INK)
    axes.set_yticks(places, [one[0] for one in groups])
    axes.invert_yaxis()
    axes.set_xlabel("crossings a day")
    axes.set_title(title, loc="left", color=_INK, fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.12)
    axes.legend(frameon=False, fontsize=9, loc="lower right")
    return figure


def _rate(a_day: float) -> str:
    """Write how often a day: what is rare, with another digit."""
    return f"{a_day:.1f}" if a_day >= 1.0 or not a_day else f"{a_day:.2f}"


def drawn(figure: Figure, kind: str) -> bytes:
    """Draw a figure; the same figure gives the same bytes.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    kind : {'png', 'svg'}
    """
    target = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "chekara"}):
        figure.savefig(target, format=kind, dpi=130, metadata={"Date": None} if kind == "svg" else None)
    return target.getvalue()
