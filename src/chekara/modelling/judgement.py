"""The recipe judged beside its baselines: on all inspected crossings, without hits about the price, and on the lot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chekara.evaluation.bootstrap import REPLICATES
from chekara.evaluation.report import Evaluation, evaluate_scorer
from chekara.evaluation.selective import ComparedFigure, compare_naive
from chekara.modelling.baselines import Baseline
from chekara.modelling.recipe import RecipeScores
from chekara.modelling.selective import SelectiveFacts, is_beyond_price, lot_weights

_FEWEST_HITS = 5  # below that intervals span all of [0, 1]


@dataclass(frozen=True, slots=True)
class Judgement:
    """Model and baselines on the same crossings.

    Attributes
    ----------
    protocol : str
        ``as_given`` or ``leak_free``.
    part : {'inspected', 'without_valuation', 'lot'}
        All test crossings with a known outcome; those that are no hit about the price alone; or those drawn at
        random (weighted by 1 / propensity, draws without an outcome included by intention), whose rates hold for
        the whole traffic.
    title : str
        What a person reads above the table.
    evaluations : tuple of Evaluation
        The model first.
    weight : ndarray of float64, shape (n_test_crossings,)
        How many crossings each judged one stands for; 0 where it is no part of this judgement.
    """

    protocol: str
    part: str
    title: str
    evaluations: tuple[Evaluation, ...]
    weight: npt.NDArray[np.float64]

    @property
    def model(self) -> Evaluation:
        """The model's own evaluation."""
        return self.evaluations[0]

    def metrics(self) -> dict[str, float]:
        """Return every figure as ``<protocol>/<part>/<scorer>/<figure>``."""
        return {
            f"{self.protocol}/{self.part}/{evaluation.scorer}/{name}": value
            for evaluation in self.evaluations
            for name, value in evaluation.metrics().items()
        }


def judge_recipe(
    scores: RecipeScores,
    baselines: Sequence[Baseline],
    facts: SelectiveFacts | None = None,
    *,
    seed: int,
    replicates: int = REPLICATES,
) -> tuple[Judgement, ...]:
    """Judge a recipe and its baselines on the test slice.

    Parameters
    ----------
    scores : RecipeScores
    baselines : sequence of Baseline
        Of `chekara.modelling.baselines.score_baselines`, on the same scores.
    facts : SelectiveFacts, optional
        Of the same domain and history: draws by intention, and which hits are about the price alone. Without them
        the lot is what was drawn and done.
    seed : int
        Of the bootstrap.
    replicates : int

    Returns
    -------
    tuple of Judgement
        On all inspected crossings; without hits about the price where there are any, and at least five others; on
        the lot where it holds at least five hits and is not everything.
    """
    parts = {"inspected": np.ones(len(scores.margin))}
    if facts is not None and facts.hits.tells:
        beyond_price = is_beyond_price(facts, scores.test.crossing_ids)
        if not beyond_price.all() and scores.test.hit[beyond_price].sum() >= _FEWEST_HITS:
            parts["without_valuation"] = beyond_price.astype(np.float64)
    drawn = _lot_weight(scores, facts)
    if scores.test.hit[drawn > 0].sum() >= _FEWEST_HITS and not (drawn > 0).all():
        parts["lot"] = drawn
    return tuple(_judge_part(scores, baselines, part, weight, seed, replicates) for part, weight in parts.items())


def compare_parts(judgements: Sequence[Judgement]) -> tuple[ComparedFigure, ...]:
    """Lay the model's naive figures beside those corrected by the lot.

    Parameters
    ----------
    judgements : sequence of Judgement
        Of one protocol.

    Returns
    -------
    tuple of ComparedFigure
        Empty where the lot was too small to be judged.
    """
    by_part = {judgement.part: judgement.model for judgement in judgements}
    return compare_naive(by_part["inspected"], by_part["lot"]) if "lot" in by_part else ()


def _lot_weight(scores: RecipeScores, facts: SelectiveFacts | None) -> npt.NDArray[np.float64]:
    """Weight of each judged crossing for all traffic; 0 outside the lot."""
    if facts is None:
        return np.where(scores.is_random, scores.test.weight, 0.0)
    return lot_weights(facts, scores.test.crossing_ids, scores.windows["test"])


def _judge_part(
    scores: RecipeScores,
    baselines: Sequence[Baseline],
    part: str,
    weight: npt.NDArray[np.float64],
    seed: int,
    replicates: int,
) -> Judgement:
    rows = weight > 0
    hit, amount = scores.test.hit[rows], scores.test.amount[rows]
    amounts = amount if amount.sum() > 0 else None

    def evaluate(
        scorer: str, title: str, score: npt.NDArray[np.float64], said: npt.NDArray[np.float64] | None
    ) -> Evaluation:
        return evaluate_scorer(
            scorer,
            title,
            hit,
            score[rows],
            probability=None if said is None else said[rows],
            amount=amounts,
            weight=weight[rows],
            seed=seed,
            replicates=replicates,
        )

    evaluations = [evaluate("model", "model", scores.margin, scores.probability)]
    evaluations += [evaluate(b.scorer, b.title, b.score, b.score if b.is_probability else None) for b in baselines]
    return Judgement(scores.protocol, part, _title(scores.protocol, part), tuple(evaluations), weight)


def _title(protocol: str, part: str) -> str:
    how = {"as_given": "As given", "leak_free": "Leak-free: trained without copies, judged on unseen tuples"}
    which = {
        "inspected": "all inspected crossings",
        "without_valuation": "all inspected crossings but hits about the price alone",
        "lot": "the random lot alone, by intention, weighted to the whole traffic",
    }
    return f"{how.get(protocol, protocol)} – {which[part]}"
