"""One week of a backtest: learn what was known, score what came next, count what each scorer would have found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from chekara.data.drift import stability_index
from chekara.data.labels import label_crossings
from chekara.data.sources import History
from chekara.evaluation.budget import found_by, list_overlap, selected_at
from chekara.modelling.baselines import score_baselines
from chekara.modelling.calibration import Calibration, natural_weights
from chekara.modelling.dataset import Dataset
from chekara.modelling.forward import calibrate_recipe
from chekara.modelling.learn import Learned, learn, margins_of, matrix_of
from chekara.modelling.recipe import RecipeScores, score_later
from chekara.modelling.spec import ModelSpec
from chekara.modelling.split import cut_at, forward_blocks, require_hits

Floats: TypeAlias = npt.NDArray[np.float64]
Mask: TypeAlias = npt.NDArray[np.bool_]
Row: TypeAlias = dict[str, Any]

WEEK = np.timedelta64(7, "D")
CALIBRATE_EVERY = 4
"""Weeks: the number of trees and the calibration are chosen again that often; trees are fitted every week."""
_RECENT = 4 * WEEK  # what a week is compared with, to see drift
_WATCHED = 8  # features whose drift is told: those that the model gains most from
_BINS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Judges:
    """What a domain's crossings are judged by, beside the outcomes that are known.

    Attributes
    ----------
    shares : tuple of float
        Budgets, as shares of the week's crossings that the domain applies to.
    truth : mapping of str to bool, or None
        By crossing id, where the whole truth is known.
    bayes : mapping of str to float, or None
        Scores of the observer who knows everything but the outcome: a ceiling.
    with_baselines : bool
    """

    shares: tuple[float, ...]
    truth: Mapping[str, bool] | None
    bayes: Mapping[str, float] | None
    with_baselines: bool


@dataclass(slots=True)
class WeeklyModel:
    """A domain's model as it goes from week to week.

    Parameters
    ----------
    history : History
    dataset : Dataset
        All crossings that the domain applies to, with the outcomes known at the end of the history. Its features are
        as known at each crossing, so they hold for every origin.
    spec : ModelSpec
    seed : int
    """

    history: History
    dataset: Dataset
    spec: ModelSpec
    seed: int
    _chosen: tuple[np.datetime64, Calibration, int] | None = field(default=None, init=False)
    _previous: tuple[np.datetime64, Learned] | None = field(default=None, init=False)

    def judge_week(self, begins_at: np.datetime64, judges: Judges) -> list[Row]:
        """Learn what was known at an instant and judge the week that follows.

        Parameters
        ----------
        begins_at : datetime64
        judges : Judges

        Returns
        -------
        list of dict
            Rows of the tables ``found``, ``drift`` and ``overlap``. Empty where nothing crossed.

        Raises
        ------
        NotEnoughHitsError
            Too little was known to learn from.
        """
        week = (self.dataset.as_of >= begins_at) & (self.dataset.as_of < begins_at + WEEK)
        if not week.any():
            return []
        known = self._known(begins_at)
        calibration, rounds = self._choices(known, begins_at)
        learned = self._learn(known, begins_at, rounds)
        scores = score_later(known, self.spec, learned, week, calibration, rounds)
        rows = self._found(scores, week, judges) + self._drift(learned, begins_at, week)
        rows += self._overlap(scores, week, begins_at, judges.shares)
        self._previous = (begins_at, learned)
        stamp = {"domain": self.spec.domain, "week": str(begins_at.astype("datetime64[D]"))}
        return [stamp | row for row in rows]

    def _known(self, at: np.datetime64) -> Dataset:
        until = pd.Timestamp(at, tz="UTC").to_pydatetime()
        return self.dataset.with_labels(label_crossings(self.history.inspections, self.spec.target, until))

    def _choices(self, known: Dataset, at: np.datetime64) -> tuple[Calibration, int]:
        if self._chosen is None or at - self._chosen[0] >= CALIBRATE_EVERY * WEEK:
            require_hits(known.hit, self.spec.minimum_hits, f"known in {self.spec.domain}")
            blocks = forward_blocks(known.as_of, known.known_at, known.hit, self.spec.training.forward_blocks)
            self._chosen = (at, *calibrate_recipe(known, self.spec, blocks, self.seed))
        return self._chosen[1:]

    def _learn(self, known: Dataset, at: np.datetime64, rounds: int) -> Learned:
        fit = cut_at(known.as_of, known.known_at, at).fit
        require_hits(known.hit[fit], self.spec.minimum_hits, f"known in {self.spec.domain}")
        return learn(known, self.spec, fit, known.as_of < at, rounds, self.seed)

    def _found(self, scores: RecipeScores, week: Mask, judges: Judges) -> list[Row]:
        by_scorer = {("model", "model"): scores.margin}
        if judges.with_baselines:
            by_scorer |= {(b.scorer, b.title.partition(":")[0]): b.score for b in score_baselines(scores)}
        ids = self.dataset.crossing_ids[week]
        if judges.bayes is not None:
            by_scorer["bayes", "Bayes ceiling"] = np.array([judges.bayes.get(i, np.nan) for i in ids])
        return [
            {"table": "found", "scorer": scorer, "title": title, "part": part, "share": share}
            | asdict(found_by(selected, hit, weight))
            for (scorer, title), score in by_scorer.items()
            for share in judges.shares
            for selected in [selected_at(np.nan_to_num(score, nan=-np.inf, neginf=-np.inf), share)]
            for part, hit, weight in self._outcomes(week, ids, judges.truth)
        ]

    def _outcomes(
        self, week: Mask, ids: npt.NDArray[np.object_], truth: Mapping[str, bool] | None
    ) -> list[tuple[str, Floats, Floats]]:
        """Outcomes as known at the end of the history: all inspected, the lot for all traffic, the whole truth."""
        hit = self.dataset.hit[week]
        natural = natural_weights(self.dataset.selected_by[week], self.dataset.propensity[week])
        parts = [("inspected", hit, np.ones(len(hit))), ("lot", hit, natural)]
        if truth is not None:
            parts.append(("truth", np.array([float(truth.get(i, np.nan)) for i in ids]), np.ones(len(hit))))
        return parts

    def _drift(self, learned: Learned, at: np.datetime64, week: Mask) -> list[Row]:
        recent = (self.dataset.as_of >= at - _RECENT) & (self.dataset.as_of < at)
        if not recent.any():
            return []
        (before, _), (now, _) = (matrix_of(learned, self.dataset, part) for part in (recent, week))
        margins = [margins_of(learned, self.dataset, part) for part in (recent, week)]
        index = {"margin": _distance(*margins)}
        gain = learned.booster.feature_importance("gain")
        for place in np.argsort(-gain, kind="stable")[:_WATCHED]:
            if gain[place] > 0:
                is_code = place in learned.encoder.categorical
                index[learned.encoder.names[place]] = _distance(before[:, place], now[:, place], is_code=is_code)
        return [{"table": "drift", "name": name, "index": value} for name, value in index.items()]

    def _overlap(self, scores: RecipeScores, week: Mask, at: np.datetime64, shares: Sequence[float]) -> list[Row]:
        """Compare the week's top lists with those of last week's model."""
        if self._previous is None or self._previous[0] != at - WEEK:
            return []
        old = margins_of(self._previous[1], self.dataset, week)
        return [
            {
                "table": "overlap",
                "share": share,
                "overlap": list_overlap(selected_at(scores.margin, share), selected_at(old, share)),
            }
            for share in shares
        ]


def _distance(before: Floats, now: Floats, *, is_code: bool = False) -> float:
    """Return the stability index between two periods: deciles of a number, codes as they are; missing on its own."""
    both = np.concatenate([before, now])
    known = both[~np.isnan(both)]
    edges = (
        np.unique(known if is_code else np.quantile(known, np.linspace(0, 1, _BINS + 1)[1:-1])) if len(known) else known
    )
    bins = np.where(np.isnan(both), len(edges) + 1, np.searchsorted(edges, both, side="right"))
    is_now = np.arange(len(both)) >= len(before)
    counts = np.zeros((len(edges) + 2, 2))
    np.add.at(counts, (bins, is_now.astype(np.int64)), 1.0)
    return float(stability_index(counts[counts.sum(axis=1) > 0])[1])
