"""Hit rates by inspector on assignments that the lot made.

Only there are inspectors comparable: who chooses what to look at chooses an own hit rate. What an inspector meets
still depends on the post, so each is compared with what colleagues found at the same posts. One rate says little:
differences are tested together, and rates are shrunk towards what was expected by as much as chance explains. The
table is about people: it is for those who audit controls, and no feature, no card and no score ever holds it.

References
----------
Wilson (1927); Spiegelhalter (2005), Funnel plots for comparing institutional performance; Marshall (1991), Mapping
disease and mortality rates using empirical Bayes estimators (the shrinkage); Good (2005), Permutation tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chekara.errors import TrainingError
from chekara.evaluation.calibration import Z95, wilson_interval

FEWEST_CONTROLS = 30  # controls below which a rate is not shown
FEWEST_HITS = 10  # hits of all inspectors below which nothing can be told of their differences
FEWEST_EXPECTED = 1.0  # hits that colleagues would have made on the same controls, below which it is not shown
PERMUTATIONS = 2_000


@dataclass(frozen=True, slots=True)
class InspectorRow:
    """One inspector on assignments of the lot.

    Attributes
    ----------
    inspector : str
        Pseudonym.
    controls, hits : int
        Controls with an outcome, and hits among them.
    expected : float
        Hits that the rates of all inspectors at the same posts would give.
    rate : float
        ``hits / controls``.
    interval_95 : tuple of float
        Wilson bounds of the rate.
    shrunk_ratio : float
        Hits over those expected, shrunk towards 1; 1 is as colleagues.
    has_enough : bool
        False: insufficient data, nothing but the counts may be shown.
    """

    inspector: str
    controls: int
    hits: int
    expected: float
    rate: float
    interval_95: tuple[float, float]
    shrunk_ratio: float
    has_enough: bool


@dataclass(frozen=True, slots=True)
class InspectorReport:
    """All inspectors, and whether they differ by more than chance.

    Attributes
    ----------
    rows : tuple of InspectorRow
        Largest number of controls first.
    controls, hits : int
        Of all of them.
    p_value : float
        Chance of differences at least as large if every hit had fallen on the controls of its post at random, over
        all inspectors; NaN under ten hits.
    spread : float
        Variance of true ratios between inspectors that chance does not explain; 0 where it explains all.
    """

    rows: tuple[InspectorRow, ...]
    controls: int
    hits: int
    p_value: float
    spread: float

    @property
    def n_with_enough(self) -> int:
        """Inspectors whose rates may be shown."""
        return sum(row.has_enough for row in self.rows)


def compare_inspectors(
    hit: npt.ArrayLike,
    inspector: Sequence[object] | npt.NDArray[np.object_],
    post: Sequence[object] | npt.NDArray[np.object_],
    *,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> InspectorReport:
    """Compare inspectors on assignments that nobody chose.

    Parameters
    ----------
    hit : array-like of bool, shape (n,)
        Outcome of each control of the lot that was done.
    inspector, post : sequence, length n
        Who made it (pseudonym) and where.
    permutations : int
        Draws behind the p-value.
    seed : int
        Same seed, same p-value.

    Returns
    -------
    InspectorReport

    Raises
    ------
    TrainingError
        The columns differ in length.
    """
    y = np.asarray(hit, dtype=np.float64)
    if not len(y) == len(inspector) == len(post):
        raise TrainingError("arrays differ in length", where="inspector", hint="give one value per control")
    names, who = np.unique(np.array([str(name) for name in inspector], dtype=object), return_inverse=True)
    _, where = np.unique(np.array([str(name) for name in post], dtype=object), return_inverse=True)
    if len(y) == 0:
        return InspectorReport((), 0, 0, float("nan"), 0.0)
    controls = np.bincount(who, minlength=len(names))
    hits = np.bincount(who, weights=y, minlength=len(names)).astype(np.float64)
    rate_of_post = np.bincount(where, weights=y) / np.bincount(where)
    expected = np.bincount(who, weights=rate_of_post[where], minlength=len(names)).astype(np.float64)
    has_enough = (controls >= FEWEST_CONTROLS) & (expected >= FEWEST_EXPECTED)
    spread = _spread(hits[expected > 0], expected[expected > 0])
    rows = [
        InspectorRow(
            inspector=str(names[j]),
            controls=int(controls[j]),
            hits=int(hits[j]),
            expected=float(expected[j]),
            rate=float(hits[j] / controls[j]),
            interval_95=wilson_interval(float(hits[j]), float(controls[j]), Z95),
            shrunk_ratio=_shrunk(float(hits[j]), float(expected[j]), spread),
            has_enough=bool(has_enough[j]),
        )
        for j in range(len(names))
    ]
    return InspectorReport(
        rows=tuple(sorted(rows, key=lambda row: (-row.controls, row.inspector))),
        controls=len(y),
        hits=int(y.sum()),
        p_value=_p_value(y, who, where, expected, permutations, seed),
        spread=spread,
    )


def _spread(hits: npt.NDArray[np.float64], expected: npt.NDArray[np.float64]) -> float:
    """Variance of ratios beyond that of counts, by moments weighted with what was expected; at least 0."""
    if len(hits) < 2:
        return 0.0
    mean = hits.sum() / expected.sum()
    observed = np.sum(expected * (hits / expected - mean) ** 2) / expected.sum()
    return max(0.0, float(observed - mean / expected.mean()))


def _shrunk(hits: float, expected: float, spread: float) -> float:
    if expected <= 0:
        return 1.0
    trust = spread / (spread + 1.0 / expected)
    return 1.0 + trust * (hits / expected - 1.0)


def _p_value(
    hit: npt.NDArray[np.float64],
    who: npt.NDArray[np.int64],
    where: npt.NDArray[np.int64],
    expected: npt.NDArray[np.float64],
    permutations: int,
    seed: int,
) -> float:
    """Permute hits within posts; the statistic is Pearson's sum over inspectors."""
    if hit.sum() < FEWEST_HITS:
        return float("nan")
    shown = expected > 0

    def differences(hits: npt.NDArray[np.int64] | npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        told: npt.NDArray[np.float64] = ((hits[..., shown] - expected[shown]) ** 2 / expected[shown]).sum(axis=-1)
        return told

    rng = np.random.default_rng(seed)
    drawn = np.zeros((permutations, len(expected)), dtype=np.int64)
    for post in range(int(where.max()) + 1):
        inside = where == post
        made = np.bincount(who[inside], minlength=len(expected))
        # Hits of one post, dealt at random to its controls, fall on inspectors as balls drawn from an urn.
        drawn += rng.multivariate_hypergeometric(made, int(hit[inside].sum()), size=permutations, method="marginals")
    seen = differences(np.bincount(who, weights=hit, minlength=len(expected)))
    return float((1 + np.sum(differences(drawn) >= seen - 1e-9)) / (1 + permutations))
