"""Every picture can be made from awkward input, is a real PNG, and leaves no global state behind."""

from __future__ import annotations

import io

import numpy as np
from matplotlib import pyplot
from matplotlib.figure import Figure

from chekara.evaluation import plots
from chekara.evaluation.calibration import reliability
from chekara.evaluation.report import evaluate_scorer
from chekara.evaluation.selective import ComparedFigure, Figure95, compare_naive

rng = np.random.default_rng(0)
MARGIN = rng.normal(size=300)
HIT = rng.random(300) < 1 / (1 + np.exp(2 - MARGIN))
SCORES = {"model": MARGIN, "chance": np.zeros(300)}
NAMES = [f"feature {j}" for j in range(20)]
VALUES = rng.normal(size=(300, 20))
VALUES[:, 3] = np.nan
CONTRIBUTIONS = rng.normal(size=(300, 20)) * np.arange(20) / 20
AMOUNT = rng.lognormal(size=300) * HIT
LOT = np.where(rng.random(300) < 0.5, 20.0, 0.0)
COMPARED = compare_naive(
    evaluate_scorer("model", "model", HIT, MARGIN, amount=AMOUNT, replicates=20),
    evaluate_scorer("model", "model", HIT[LOT > 0], MARGIN[LOT > 0], amount=AMOUNT[LOT > 0], replicates=20),
)
UNKNOWN = (float("nan"), float("nan"))
NO_INTERVAL = ComparedFigure("auc", "AUC", Figure95(0.5, UNKNOWN, UNKNOWN), Figure95(0.4, UNKNOWN, UNKNOWN))


def figures() -> dict[str, Figure]:
    return {
        "gain": plots.gain_plot(HIT, SCORES, title="t"),
        "precision_recall": plots.precision_recall_plot(HIT, SCORES, title="t"),
        "reliability": plots.reliability_plot(reliability(HIT, 1 / (1 + np.exp(2 - MARGIN))), title="t"),
        "reliability of one bin": plots.reliability_plot(reliability([0, 1], [0.5, 0.5]), title="t"),
        "top_reasons": plots.top_reasons_plot(NAMES, CONTRIBUTIONS, title="t"),
        "one reason": plots.top_reasons_plot(NAMES[:1], CONTRIBUTIONS[:, :1], title="t"),
        "beeswarm": plots.beeswarm_plot(NAMES, VALUES, CONTRIBUTIONS, title="t"),
        "harm": plots.harm_plot(HIT, MARGIN, AMOUNT, title="t"),
        "harm of all traffic": plots.harm_plot(HIT, MARGIN, AMOUNT, lot_weight=LOT, title="t"),
        "naive": plots.naive_plot(COMPARED, title="t"),
        "one naive figure without interval": plots.naive_plot((NO_INTERVAL,), title="t"),
        "small beeswarm": plots.beeswarm_plot(NAMES[:2], VALUES[:4, :2], CONTRIBUTIONS[:4, :2], title="t"),
    }


def test_pictures_render() -> None:
    for name, figure in figures().items():
        png = io.BytesIO()
        figure.savefig(png, format="png", dpi=40)
        assert png.getvalue().startswith(b"\x89PNG"), name
    assert pyplot.get_fignums() == []


def test_top_reasons_are_the_largest_first() -> None:
    figure = plots.top_reasons_plot(NAMES, CONTRIBUTIONS, title="t", limit=5)
    shown = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    strength = np.abs(CONTRIBUTIONS).mean(axis=0)
    assert shown[::-1] == [NAMES[j] for j in np.argsort(strength)[::-1][:5]]


def test_harm_shows_hits_and_money_on_inspected_crossings_and_on_the_lot() -> None:
    axes = plots.harm_plot(HIT, MARGIN, AMOUNT, lot_weight=LOT, title="t").axes[0]
    shown = {str(line.get_label()): np.asarray(line.get_ydata()) for line in axes.lines}
    assert set(shown) == {
        "chance",
        "hits, inspected crossings",
        "amount, inspected crossings",
        "hits, all traffic, by the lot",
        "amount, all traffic, by the lot",
    }
    order = np.argsort(-MARGIN)
    np.testing.assert_allclose(shown["amount, inspected crossings"][1:], np.cumsum(AMOUNT[order]) / AMOUNT.sum())
    weighted = (LOT * AMOUNT)[order]
    np.testing.assert_allclose(shown["amount, all traffic, by the lot"][1:], np.cumsum(weighted) / weighted.sum())


def test_naive_and_corrected_figures_are_all_shown() -> None:
    axes = plots.naive_plot(COMPARED, title="t").axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == [figure.title for figure in COMPARED]
    naive, corrected = (container.lines[0].get_xdata() for container in axes.containers)
    np.testing.assert_allclose(naive, [figure.naive.value for figure in COMPARED])
    np.testing.assert_allclose(corrected, [figure.corrected.value for figure in COMPARED])


def test_gain_says_what_five_and_ten_per_cent_find() -> None:
    texts = [text.get_text() for text in plots.gain_plot(HIT, SCORES, title="t").axes[0].texts]
    assert any(text.startswith("inspect 5%: find ") for text in texts)
    assert any(text.startswith("inspect 10%: find ") for text in texts)
