"""How far probabilities can be taken at their word, where the whole truth of later traffic is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from chekara.evaluation.calibration import FEWEST_HITS, ReliabilityLine, brier_loss, reliability_line
from chekara.evaluation.intention import LotRate, lot_rate

Floats = npt.NDArray[np.float64]
SEED = 1


@dataclass(frozen=True, slots=True)
class Honesty:
    """How far the probabilities of one domain can be taken at their word.

    Attributes
    ----------
    brier, brier_of_rate : float
        Against the whole truth; and of always saying its rate.
    of_truth : ReliabilityLine or None
        Of the truth of all later traffic; None under 200 hits.
    of_finds : ReliabilityLine or None
        Of what later controls found, whoever chose them, among crossings with a known outcome.
    mean_said : float
        Mean probability of all later traffic in which the domain applies.
    lot : LotRate or None
        What draws of the period say of the rate of finds; None without draws.
    """

    brier: float
    brier_of_rate: float
    of_truth: ReliabilityLine | None
    of_finds: ReliabilityLine | None
    mean_said: float
    lot: LotRate | None

    @property
    def is_right_in_the_large(self) -> bool | None:
        """Whether the mean probability lies within the 95 % bounds of the lot's rate; None where it has none."""
        if self.lot is None or not np.isfinite(self.lot.rate.value):
            return None
        low, high = self.lot.closed_form_95
        return bool(low <= self.mean_said <= high)


def judge_honesty(
    said: Floats, hit: npt.NDArray[np.bool_], labels: pd.DataFrame, draws: pd.DataFrame, ids: pd.Index
) -> Honesty:
    """Hold probabilities against the truth of all crossings, against what controls found, and against the lot's rate.

    Parameters
    ----------
    said : ndarray of shape (n_crossings,)
        Probabilities; NaN where the domain does not apply.
    hit : ndarray of bool, shape (n_crossings,)
        The truth.
    labels : DataFrame
        Of `chekara.data.labels.label_crossings`; those of other crossings are left out.
    draws : DataFrame
        Of `chekara.data.lot.draws_by_intention`; draws of other crossings are left out.
    ids : Index of shape (n_crossings,)
    """
    applies = np.isfinite(said)
    truth, told = hit[applies], said[applies]
    place = pd.Index(ids[applies]).get_indexer(pd.Index(draws["crossing_id"]))
    own = draws[place >= 0]
    found = own["hit"].to_numpy(np.float64)
    known = labels.set_index("crossing_id")["hit"].reindex(ids[applies]).astype(np.float64).to_numpy()
    is_known = ~np.isnan(known)
    group = (own["post"].astype(str) + " " + own["shift"].astype(str)).to_numpy(dtype=object)
    return Honesty(
        brier=brier_loss(truth, told),
        brier_of_rate=float(truth.mean() * (1 - truth.mean())),
        of_truth=reliability_line(truth, told),
        of_finds=reliability_line(known[is_known], told[is_known]) if is_known.any() else None,
        mean_said=float(told.mean()),
        lot=lot_rate(found, 1.0 / own["propensity"].to_numpy(np.float64), group, seed=SEED) if len(own) else None,
    )


def honesty_lines(honesty: Honesty, basis: str) -> list[str]:
    """Say in a few lines how far the probabilities hold."""
    few = f"insufficient data (under {FEWEST_HITS} hits)"

    def line(fitted: ReliabilityLine | None) -> str:
        if fitted is None:
            return few
        return (
            f"slope {fitted.slope:.2f} ({fitted.slope_95[0]:.2f} to {fitted.slope_95[1]:.2f}), intercept "
            f"{fitted.intercept:+.2f} ({fitted.intercept_95[0]:+.2f} to {fitted.intercept_95[1]:+.2f}), "
            f"{fitted.hits:,} hits"
        )

    lines = [
        f"Brier {honesty.brier:.5f}; of always saying the rate {honesty.brier_of_rate:.5f}",
        f"truth on log-odds said, all traffic: {line(honesty.of_truth)}",
        f"finds of later controls on log-odds said: {line(honesty.of_finds)}; calibrated on: {basis}",
    ]
    if honesty.lot is None:
        return [*lines, f"mean said {honesty.mean_said:.4f}; no draws in this period"]
    low, high = honesty.lot.closed_form_95
    verdict = {True: "within", False: "outside", None: "no outcome to compare with"}[honesty.is_right_in_the_large]
    return [
        *lines,
        f"mean said {honesty.mean_said:.4f}; finds by the lot {honesty.lot.rate.value:.4f} ({low:.4f} to {high:.4f}, "
        f"{honesty.lot.hits:,} finds in {honesty.lot.drawn:,} draws): {verdict}",
    ]
