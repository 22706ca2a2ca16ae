"""The recipe judged beside its baselines, on all inspected crossings and, where it is large enough, on the lot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chekara.evaluation.bootstrap import REPLICATES
from chekara.evaluation.report import Evaluation, evaluate_scorer
from chekara.modelling.baselines import Baseline
from chekara.modelling.recipe import RecipeScores

_FEWEST_LOT_HITS = 10  # below that the lot's intervals span most of [0, 1]


@dataclass(frozen=True, slots=True)
class Judgement:
    """Model and baselines on the same crossings.

    Attributes
    ----------
    protocol : str
        ``as_given`` or ``leak_free``.
    part : {'inspected', 'lot'}
        All test crossings with a known outcome, or those drawn at random among them (weighted by 1 / propensity),
        whose rates hold for the whole traffic.
    title : str
        What a person reads above the table.
    evaluations : tuple of Evaluation
        The model first.
    """

    protocol: str
    part: str
    title: str
    evaluations: tuple[Evaluation, ...]

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
    scores: RecipeScores, baselines: Sequence[Baseline], *, seed: int, replicates: int = REPLICATES
) -> tuple[Judgement, ...]:
    """Judge a recipe and its baselines on the test slice.

    Parameters
    ----------
    scores : RecipeScores
    baselines : sequence of Baseline
        Of `chekara.modelling.baselines.score_baselines`, on the same scores.
    seed : int
        Of the bootstrap.
    replicates : int

    Returns
    -------
    tuple of Judgement
        On all inspected crossings, then on the lot where it holds at least ten hits and is not everything.
    """
    everything = np.ones(len(scores.margin), dtype=np.bool_)
    parts = [("inspected", everything)]
    has_hits_enough = scores.test.hit[scores.is_random].sum() >= _FEWEST_LOT_HITS
    if has_hits_enough and not scores.is_random.all():
        parts.append(("lot", scores.is_random))
    return tuple(_judge_part(scores, baselines, part, rows, seed, replicates) for part, rows in parts)


def _judge_part(
    scores: RecipeScores,
    baselines: Sequence[Baseline],
    part: str,
    rows: npt.NDArray[np.bool_],
    seed: int,
    replicates: int,
) -> Judgement:
    hit, amount = scores.test.hit[rows], scores.test.amount[rows]
    amounts = amount if amount.sum() > 0 else None
    weight = scores.test.weight[rows] if part == "lot" else None

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
            weight=weight,
            seed=seed,
            replicates=replicates,
        )

    evaluations = [evaluate("model", "model", scores.margin, scores.probability)]
    evaluations += [evaluate(b.scorer, b.title, b.score, b.score if b.is_probability else None) for b in baselines]
    return Judgement(scores.protocol, part, _title(scores.protocol, part), tuple(evaluations))


def _title(protocol: str, part: str) -> str:
    how = {"as_given": "As given", "leak_free": "Leak-free: trained without copies, judged on unseen tuples"}
    which = {"inspected": "all inspected crossings", "lot": "the random lot alone, weighted to the whole traffic"}
    return f"{how.get(protocol, protocol)} – {which[part]}"
