"""Pictures of a model's worth, each readable without its paper: what is shown, against what, and how sure.

Figures are made on their own canvas, without pyplot's global state, so that several can be made in parallel.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import PercentFormatter

from chekara.evaluation.calibration import FEWEST_HITS, Reliability
from chekara.evaluation.order import CAPACITY_SHARES, curves_of, rank_outcomes
from chekara.evaluation.selective import ComparedFigure

Floats = npt.NDArray[np.float64]
_INK, _FAINT, _MODEL = "#1d2733", "#9aa5b1", "#0b5fa5"
# Distinguishable in grey and for colour-blind readers (Okabe and Ito 2008).
_OTHERS = ("#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_TOWARDS, _AWAY = "#b5401f", "#2b7a8c"


def gain_plot(hit: npt.ArrayLike, scores: Mapping[str, npt.ArrayLike], *, title: str) -> Figure:
    """Plot the share of all hits found against the share of crossings inspected.

    Parameters
    ----------
    hit : array-like of bool, shape (n,)
    scores : mapping of str to array-like, shape (n,)
        By the name that the legend shows; the first one is the model.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = canvas(title, "crossings inspected, highest scores first", "share of all hits found")
    axes.plot([0, 1], [0, 1], color=_FAINT, linewidth=1, linestyle=(0, (4, 3)), label="chance")
    for (name, score), style in zip(scores.items(), line_styles(len(scores)), strict=True):
        curves = curves_of(rank_outcomes(hit, score))
        axes.plot(curves.inspected_share, curves.recall, label=name, **style)
    first = curves_of(rank_outcomes(hit, next(iter(scores.values()))))
    for share in CAPACITY_SHARES[-2:]:
        found = float(np.interp(share, first.inspected_share, first.recall))
        axes.plot([share], [found], "o", color=_MODEL, markersize=5)
        axes.annotate(
            f"inspect {share:.0%}: find {found:.0%}",
            (share, found),
            xytext=(12, -4),
            textcoords="offset points",
            va="top",
            color=_MODEL,
            fontsize=9,
            zorder=6,
            bbox={"boxstyle": "square,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.85},
        )
    _percent(axes)
    axes.legend(loc="lower right", frameon=False)
    return figure


def harm_plot(
    hit: npt.ArrayLike,
    score: npt.ArrayLike,
    amount: npt.ArrayLike,
    *,
    title: str,
    lot_weight: npt.ArrayLike | None = None,
) -> Figure:
    """Plot the share of the money found beside the share of hits found.

    Parameters
    ----------
    hit : array-like of bool, shape (n,)
    score : array-like of float, shape (n,)
    amount : array-like of float, shape (n,)
        Revenue recovered and value seized, currency.
    title : str
    lot_weight : array-like of float, shape (n,), optional
        How many crossings each one of the lot stands for, 0 outside it: adds curves for all traffic.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = canvas(title, "crossings inspected, highest scores first", "share found")
    axes.plot([0, 1], [0, 1], color=_FAINT, linewidth=1, linestyle=(0, (4, 3)), label="chance")
    parts: list[tuple[str, npt.ArrayLike | None, Any]] = [("inspected crossings", None, "-")]
    if lot_weight is not None:
        parts.append(("all traffic, by the lot", lot_weight, (0, (5, 2))))
    for name, weight, line in parts:
        curves = curves_of(rank_outcomes(hit, score, amount=amount, weight=weight))
        axes.plot(curves.inspected_share, curves.recall, color=_MODEL, linestyle=line, label=f"hits, {name}")
        if curves.amount_recall is not None:
            axes.plot(
                curves.inspected_share, curves.amount_recall, color=_TOWARDS, linestyle=line, label=f"amount, {name}"
            )
    _percent(axes)
    axes.legend(loc="lower right", frameon=False)
    return figure


def naive_plot(figures: Sequence[ComparedFigure], *, title: str) -> Figure:
    """Plot each figure on inspected crossings beside the same figure on all traffic, with 95 % intervals.

    Parameters
    ----------
    figures : sequence of ComparedFigure
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    shown = [figure for figure in figures if np.isfinite([figure.naive.value, figure.corrected.value]).all()]
    figure, axes = canvas(title, "share (AUC: probability that a hit scores above a miss)", "", height=_tall(shown))
    places = np.arange(len(shown))[::-1].astype(np.float64)
    sides = (
        ("naive: inspected crossings, as if they were all traffic", "naive", 0.16, _FAINT, "o"),
        ("corrected: the random lot, weighted to all traffic", "corrected", -0.16, _MODEL, "D"),
    )
    for label, side, shift, colour, marker in sides:
        told = [getattr(each, side) for each in shown]
        values = np.array([each.value for each in told])
        bounds = np.array([each.interval for each in told]).reshape(-1, 2)
        spread = np.nan_to_num(np.clip([values - bounds[:, 0], bounds[:, 1] - values], 0, None))
        axes.errorbar(
            values, places + shift, xerr=spread, fmt=marker, color=colour, capsize=3, markersize=5, label=label
        )
    axes.set_yticks(places, [each.title for each in shown])
    axes.set_ylim(-0.6, len(shown) - 0.4)
    axes.set_xlim(0, 1.02)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), frameon=False, fontsize=9)
    return figure


def precision_recall_plot(hit: npt.ArrayLike, scores: Mapping[str, npt.ArrayLike], *, title: str) -> Figure:
    """Plot the share of hits among the inspected against the share of all hits found.

    Parameters and result as in `gain_plot`.

    Parameters
    ----------
    hit, scores, title
        As in `gain_plot`.
    """
    figure, axes = canvas(title, "share of all hits found (recall)", "hits among the inspected (precision)")
    base = float(np.mean(np.asarray(hit, dtype=np.float64)))
    axes.axhline(base, color=_FAINT, linewidth=1, linestyle=(0, (4, 3)), label=f"chance ({base:.1%})")
    for (name, score), style in zip(scores.items(), line_styles(len(scores)), strict=True):
        curves = curves_of(rank_outcomes(hit, score))
        axes.plot(curves.recall, curves.precision, label=name, **style)
    _percent(axes)
    axes.legend(loc="upper right", frameon=False)
    return figure


def reliability_plot(reliability: Reliability, *, title: str) -> Figure:
    """Plot what happened against what was said, by bins of equal count with 90 % Wilson intervals.

    Parameters
    ----------
    reliability : Reliability
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = canvas(title, "probability said (mean of the bin)", "share that were hits")
    said = np.array([b.mean_probability for b in reliability.bins])
    happened = np.array([b.hit_rate for b in reliability.bins])
    bounds = np.array([b.interval_90 for b in reliability.bins])
    top = min(1.0, 1.08 * float(np.nanmax([*said, *bounds[:, 1]])))
    axes.plot([0, top], [0, top], color=_FAINT, linewidth=1, linestyle=(0, (4, 3)), label="as said")
    spread = np.clip(np.abs(bounds.T - happened), 0, None)
    axes.errorbar(said, happened, yerr=spread, fmt="o", color=_MODEL, capsize=3, label="happened, 90 % interval")
    axes.set_xlim(0, top)
    axes.set_ylim(0, top)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    per_point = round(sum(b.crossings for b in reliability.bins) / len(reliability.bins))
    hits = sum(b.crossings * b.hit_rate for b in reliability.bins)
    slope = f"slope {reliability.slope:.2f} (1 is right)" if hits >= FEWEST_HITS else "too few hits for a slope"
    axes.annotate(
        f"about {per_point:,} crossings per point; {slope}",
        (0.98, 0.04),
        xycoords="axes fraction",
        ha="right",
        color=_INK,
        fontsize=9,
    )
    axes.legend(loc="upper left", frameon=False)
    return figure


def top_reasons_plot(names: Sequence[str], contributions: Floats, *, title: str, limit: int = 15) -> Figure:
    """Plot how strongly each feature moves scores: mean absolute contribution, towards and away from a hit.

    Parameters
    ----------
    names : sequence of str, length k
        As people read them.
    contributions : ndarray of float64, shape (n, k)
        Log-odds, without the base value.
    title : str
        The question that the picture answers; after a line break, what it was drawn from.
    limit : int
        Most features shown.

    Returns
    -------
    matplotlib.figure.Figure
    """
    towards = np.clip(contributions, 0, None).mean(axis=0)
    away = -np.clip(contributions, None, 0).mean(axis=0)
    order = np.argsort(towards + away, kind="stable")[::-1][:limit][::-1]
    figure, axes = canvas(title, "mean contribution to the score, log-odds", "", height=0.36 * len(order) + 1.6)
    places = np.arange(len(order))
    axes.barh(places, towards[order], color=_TOWARDS, label="towards a hit")
    axes.barh(places, -away[order], color=_AWAY, label="away from a hit")
    axes.axvline(0, color=_INK, linewidth=0.8)
    axes.set_yticks(places, [names[j] for j in order])
    axes.grid(axis="y", visible=False)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)
    return figure


def beeswarm_plot(
    names: Sequence[str], values: Floats, contributions: Floats, *, title: str, limit: int = 15
) -> Figure:
    """Plot each crossing's contributions as a swarm per feature, coloured by the feature's value.

    Parameters
    ----------
    names : sequence of str, length k
    values : ndarray of float64, shape (n, k)
        Feature values; NaN (missing, or a code without order) is grey.
    contributions : ndarray of float64, shape (n, k)
        Log-odds, without the base value.
    title : str
        The question that the picture answers; after a line break, what it was drawn from.
    limit : int
        Most features shown.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import shap  # noqa: PLC0415  # slow to import, and needed by this picture alone

    shown = min(limit, contributions.shape[1])
    figure, axes = canvas(title, "", "", height=0.36 * shown + 1.8)
    explanation = shap.Explanation(
        values=contributions, base_values=np.zeros(len(values)), data=values, feature_names=list(names)
    )
    order = np.argsort(np.abs(contributions).mean(axis=0), kind="stable")[::-1][:shown]
    with warnings.catch_warnings():
        # It looks for the range of every column, and a column of codes has none.
        warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
        shap.plots.beeswarm(
            explanation[:, order.tolist()],
            max_display=shown,
            order=np.arange(shown),
            show=False,
            ax=axes,
            plot_size=None,
            color_bar_label="value of the feature (grey: missing, or a code)",
        )
    axes.set_xlabel("contribution to the score, log-odds (right: towards a hit)", fontsize=10)
    axes.tick_params(labelsize=9)
    for bar in figure.axes[1:]:
        bar.set_ylabel(bar.get_ylabel(), fontsize=9)
        bar.tick_params(labelsize=9)
    return figure


def canvas(title: str, x_label: str, y_label: str, *, height: float = 4.8) -> tuple[Figure, Axes]:
    """Begin a picture: a question above, what it is about below, two axes without a box.

    Parameters
    ----------
    title : str
        The question; after a line break, what the picture is about.
    x_label, y_label : str
    height : float
        Inches.

    Returns
    -------
    matplotlib.figure.Figure, matplotlib.axes.Axes
    """
    question, _, what = title.partition("\n")
    foot = 0.05 if what else 0.0
    figure = Figure(figsize=(8.2, height), layout=ConstrainedLayoutEngine(rect=(0.0, foot, 1.0, 1.0 - foot)))
    axes = figure.add_subplot()
    figure.suptitle(question, x=0.01, ha="left", fontsize=13, color=_INK)
    figure.text(0.01, 0.005, what, ha="left", va="bottom", fontsize=9, color=_INK)
    axes.set_xlabel(x_label, color=_INK)
    axes.set_ylabel(y_label, color=_INK)
    axes.grid(color="#e6eaee", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _tall(rows: Sequence[object]) -> float:
    return 0.36 * len(rows) + 1.8


def line_styles(n: int) -> list[dict[str, Any]]:
    """Return how n lines are drawn: the first, the model, strong; the others apart from each other."""
    model: dict[str, Any] = {"color": _MODEL, "linewidth": 2.4, "zorder": 5}
    return [model, *({"color": _OTHERS[j % len(_OTHERS)], "linewidth": 1.3} for j in range(n - 1))]


def _percent(axes: Axes) -> None:
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
