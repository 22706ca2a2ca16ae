"""Every picture can be made from awkward input, is a real PNG, and leaves no global state behind."""

from __future__ import annotations

import io

import numpy as np
from matplotlib import pyplot
from matplotlib.figure import Figure

from chekara.evaluation import plots
from chekara.evaluation.calibration import reliability

rng = np.random.default_rng(0)
MARGIN = rng.normal(size=300)
HIT = rng.random(300) < 1 / (1 + np.exp(2 - MARGIN))
SCORES = {"model": MARGIN, "chance": np.zeros(300)}
NAMES = [f"feature {j}" for j in range(20)]
VALUES = rng.normal(size=(300, 20))
VALUES[:, 3] = np.nan
CONTRIBUTIONS = rng.normal(size=(300, 20)) * np.arange(20) / 20


def figures() -> dict[str, Figure]:
    return {
        "gain": plots.gain_plot(HIT, SCORES, title="t"),
        "precision_recall": plots.precision_recall_plot(HIT, SCORES, title="t"),
        "reliability": plots.reliability_plot(reliability(HIT, 1 / (1 + np.exp(2 - MARGIN))), title="t"),
        "reliability of one bin": plots.reliability_plot(reliability([0, 1], [0.5, 0.5]), title="t"),
        "top_reasons": plots.top_reasons_plot(NAMES, CONTRIBUTIONS, title="t"),
        "one reason": plots.top_reasons_plot(NAMES[:1], CONTRIBUTIONS[:, :1], title="t"),
        "beeswarm": plots.beeswarm_plot(NAMES, VALUES, CONTRIBUTIONS, title="t"),
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


def test_gain_says_what_five_and_ten_per_cent_find() -> None:
    texts = [text.get_text() for text in plots.gain_plot(HIT, SCORES, title="t").axes[0].texts]
    assert any(text.startswith("inspect 5%: find ") for text in texts)
    assert any(text.startswith("inspect 10%: find ") for text in texts)
