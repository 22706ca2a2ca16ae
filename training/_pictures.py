"""The pictures of a run: how it ranks, whether its probabilities hold, and what moves its scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from chekara.evaluation.calibration import reliability
from chekara.evaluation.plots import (
    beeswarm_plot,
    gain_plot,
    harm_plot,
    naive_plot,
    precision_recall_plot,
    reliability_plot,
    top_reasons_plot,
)
from chekara.explain.reasons import feature_label
from chekara.modelling.baselines import Baseline
from chekara.modelling.dataset import Dataset
from chekara.modelling.judgement import Judgement, compare_parts
from chekara.modelling.model import Model
from chekara.modelling.recipe import RecipeScores
from chekara.modelling.spec import ModelSpec

_SAMPLE_LINES = 2_000  # enough for a dense swarm, drawn in about a second


def picture_model(
    spec: ModelSpec,
    scores: RecipeScores,
    baselines: Sequence[Baseline],
    judgements: Sequence[Judgement],
    dataset: Dataset,
    model: Model,
    seed: int,
) -> dict[str, Figure]:
    """Draw every picture of a run.

    Parameters
    ----------
    spec : ModelSpec
    scores : RecipeScores
        On the later crossings that the recipe was judged on.
    baselines : sequence of Baseline
        On the same crossings; chance is a line of its own in each picture.
    judgements : sequence of Judgement
        Of the same scores: naive figures and those corrected by the lot.
    dataset : Dataset
        Goods lines to explain are drawn from it.
    model : Model
        Refitted on everything known.
    seed : int
        Of the sample of lines.

    Returns
    -------
    dict of str to matplotlib.figure.Figure
        By name: gain, precision_recall, reliability, beeswarm, top_reasons; harm where amounts are known, and
        naive_and_corrected where the lot is large enough.
    """
    judged = {"model": scores.margin, **{b.title: b.score for b in baselines if b.scorer != "chance"}}
    name = short_title(spec)
    on = f"{name}: {len(scores.test.hit):,} later crossings, {int(scores.test.hit.sum()):,} hits"
    names, values, contributions = explain_sample(dataset, model, seed)
    sample = f"{name}: {len(values):,} goods lines of the training history"
    pictures = {
        "gain": gain_plot(scores.test.hit, judged, title=f"How many hits are found?\n{on}"),
        "precision_recall": precision_recall_plot(
            scores.test.hit, judged, title=f"How many inspections are hits?\n{on}"
        ),
        "reliability": reliability_plot(
            reliability(scores.test.hit, scores.probability), title=f"Do probabilities mean what they say?\n{on}"
        ),
        "beeswarm": beeswarm_plot(names, values, contributions, title=f"How do values move scores?\n{sample}"),
        "top_reasons": top_reasons_plot(names, contributions, title=f"What moves scores most?\n{sample}"),
    }
    return pictures | _selective_pictures(scores, judgements, on)


def _selective_pictures(scores: RecipeScores, judgements: Sequence[Judgement], on: str) -> dict[str, Figure]:
    """Draw what money adds to the count of hits, and what past selection hides."""
    pictures: dict[str, Figure] = {}
    drawn = next((judgement for judgement in judgements if judgement.part == "lot"), None)
    if drawn is not None:
        on = f"{on}; in the lot {drawn.model.n_crossings:,} and {drawn.model.n_hits:,}"
    if scores.test.amount.sum() > 0:
        pictures["harm"] = harm_plot(
            scores.test.hit,
            scores.margin,
            scores.test.amount,
            lot_weight=None if drawn is None else drawn.weight,
            title=f"How much of the harm is found?\n{on}",
        )
    if figures := compare_parts(judgements):
        pictures["naive_and_corrected"] = naive_plot(figures, title=f"What does past selection hide?\n{on}")
    return pictures


def short_title(spec: ModelSpec) -> str:
    """Return what stands before the colon of a title."""
    return spec.title.partition(":")[0]


def explain_sample(
    dataset: Dataset, model: Model, seed: int
) -> tuple[list[str], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Explain a random sample of goods lines.

    Returns
    -------
    names : list of str, length k
        As an officer reads them.
    values : ndarray of float64, shape (n, k)
        NaN for codes, which have no order.
    contributions : ndarray of float64, shape (n, k)
        Log-odds, without the base value.
    """
    n = min(_SAMPLE_LINES, dataset.items.n_items)
    rows = np.sort(np.random.default_rng(seed).choice(dataset.items.n_items, size=n, replace=False))
    # Whole crossings are not needed: what a line shares with its crossing is computed before the rows are taken.
    table = model.features(dataset.items)
    X = model.encode(table.take(rows))
    kinds = dict(zip(table.names, table.kinds, strict=True))
    numbers = [table.values[name][rows] if kinds[name] == "number" else np.full(n, np.nan) for name in model.names]
    labels = [feature_label(name, "en") for name in model.names]
    return labels, np.column_stack(numbers).astype(np.float64), model.contributions(X)[:, :-1]
