"""From margins to probabilities that hold in nature, strictly increasing, with their uncertainty.

``logit(probability) = intercept + slope * margin`` (Platt 1999), fitted on margins of crossings that the model had
not learned from. The slope is positive by construction: its logarithm is what is fitted, with a weak prior around 1
(margins of a booster are log-odds already), so that a handful of hits gives a cautious answer instead of none.

Crossings that officers selected are not like all crossings. The random lot, each draw weighted by 1 / propensity,
and a census (everything inspected) are. With enough hits among those, they alone fit the curve; with fewer they
only set its height, and the selected ones its slope; without any the curve says what holds among inspected
crossings, and `Calibration.basis` says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from chekara.errors import NotEnoughHitsError
from chekara.explain.curves import fill_curves

Floats: TypeAlias = npt.NDArray[np.float64]
Basis: TypeAlias = Literal["lot", "lot_intercept", "inspected"]

SLOPE_PRIOR_SD = 0.7  # of log(slope): 95 % of the prior lies between a quarter and four


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A strictly increasing map from margin to probability.

    Attributes
    ----------
    intercept, slope : float
        ``logit(probability) = intercept + slope * margin``; slope above zero.
    covariance : tuple of float
        Of (intercept, slope): variance of the first, covariance, variance of the second.
    basis : {'lot', 'lot_intercept', 'inspected'}
        What natural prevalence was taken from: the random lot (or a census) alone, its intercept alone, or nothing
        but the crossings that somebody chose to inspect.
    n_hits, n_crossings : int
        Known outcomes with an out-of-fold margin.
    n_lot_hits, n_lot : int
        Those of the random lot (or census) among them.
    """

    intercept: float
    slope: float
    covariance: tuple[float, float, float]
    basis: Basis
    n_hits: int
    n_crossings: int
    n_lot_hits: int
    n_lot: int

    def probability(self, margin: Floats) -> Floats:
        """Tell the hit rate in nature of crossings with this margin.

        Parameters
        ----------
        margin : ndarray of any shape
            Log-odds on the training scale.

        Returns
        -------
        ndarray of the same shape
            In (0, 1), strictly increasing.
        """
        probability: Floats = _curves_of(self, margin)[0]
        return probability

    def interval(self, margin: Floats) -> tuple[Floats, Floats]:
        """Tell the 90 % bounds of the hit rate at this margin (delta method on the logit).

        Returns
        -------
        low, high : ndarray of the same shape
            ``low <= probability(margin) <= high``.
        """
        _, low, high = _curves_of(self, margin)
        return low, high

    def to_json(self) -> dict[str, Any]:
        """Plain mapping for the bundle."""
        return asdict(self) | {"covariance": list(self.covariance)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Calibration:
        """Read what `to_json` wrote."""
        variance_a, covariance, variance_b = stored["covariance"]
        return cls(**{**stored, "covariance": (variance_a, covariance, variance_b)})


class Calibrations:
    """Several calibrations, asked at once: the very numbers of each alone.

    Parameters
    ----------
    members : sequence of Calibration
        Not empty.

    Examples
    --------
    >>> counts = {"basis": "lot", "n_hits": 9, "n_crossings": 99, "n_lot_hits": 9, "n_lot": 99}
    >>> own = Calibration(intercept=-1.0, slope=0.9, covariance=(0.02, 0.0, 0.01), **counts)
    >>> probability, low, high = Calibrations([own]).curves(np.array([[0.5]]))
    >>> bool(probability[0, 0] == own.probability(np.array([0.5]))[0]), bool(low[0, 0] < probability[0, 0] < high[0, 0])
    (True, True)
    """

    def __init__(self, members: Sequence[Calibration]) -> None:
        self._members = np.array([(own.intercept, own.slope, *own.covariance) for own in members], dtype=np.float64)

    def curves(self, margin: Floats) -> Floats:
        """Tell probabilities and the bounds of their intervals.

        Parameters
        ----------
        margin : ndarray of shape (n_members, n)

        Returns
        -------
        ndarray of shape (3, n_members, n)
            `Calibration.probability`, then both sides of `Calibration.interval`.
        """
        out = np.empty((3, *margin.shape))
        fill_curves(self._members, margin, out)
        return out


def _curves_of(own: Calibration, margin: Floats) -> Floats:
    """Probability, low and high at margins of any shape, one behind the other."""
    flat = np.array(margin, dtype=np.float64).reshape(1, -1)
    return Calibrations([own]).curves(flat).reshape(3, *np.shape(margin))


def natural_weights(selected_by: npt.NDArray[np.object_], propensity: Floats) -> Floats:
    """Weigh crossings so that they stand for all traffic.

    Parameters
    ----------
    selected_by : ndarray of shape (n,), object
    propensity : ndarray of shape (n,)
        In (0, 1] for the lot, else NaN.

    Returns
    -------
    ndarray of shape (n,)
        1 / propensity in the lot, 1 in a census, 0 for what somebody chose.

    Examples
    --------
    >>> drawn = np.array(["random", "census", "officer", "random"], dtype=object)
    >>> natural_weights(drawn, np.array([0.02, np.nan, np.nan, np.nan])).tolist()
    [50.0, 1.0, 0.0, 0.0]
    """
    weights: Floats = np.asarray(selected_by == "census", dtype=np.float64)
    drawn = np.asarray(selected_by == "random", dtype=bool) & (propensity > 0)
    weights[drawn] = 1.0 / propensity[drawn]
    return weights


def fit_calibration(margin: Floats, hit: Floats, natural_weight: Floats, *, lot_hits: int) -> Calibration:
    """Fit a calibration on margins that no label has touched.

    Parameters
    ----------
    margin : ndarray of shape (n_crossings,)
        Out of fold, in time.
    hit : ndarray of shape (n_crossings,)
        1.0 or 0.0.
    natural_weight : ndarray of shape (n_crossings,)
        From `natural_weights`.
    lot_hits : int
        From this many hits on, the lot fits the whole curve.

    Returns
    -------
    Calibration

    Raises
    ------
    NotEnoughHitsError
        There is no crossing, no hit or no miss to fit on.
    """
    n_hits = int(hit.sum())
    if n_hits in (0, len(hit)):
        raise NotEnoughHitsError(
            f"{n_hits} hits among {len(hit)} crossings to calibrate on", hint="hits and misses are needed; add history"
        )
    drawn = natural_weight > 0
    n_lot_hits = int(hit[drawn].sum())
    counts = {"n_hits": n_hits, "n_crossings": len(hit), "n_lot_hits": n_lot_hits, "n_lot": int(drawn.sum())}
    basis: Basis
    if n_lot_hits >= lot_hits and n_lot_hits < drawn.sum():
        basis = "lot"
        intercept, slope, covariance = _fit_curve(margin[drawn], hit[drawn], _effective(natural_weight[drawn]))
    else:
        basis = "inspected"
        intercept, slope, covariance = _fit_curve(margin, hit, np.ones(len(hit)))
        if drawn.any():
            basis = "lot_intercept"
            lot = (margin[drawn], hit[drawn], _effective(natural_weight[drawn]))
            intercept, covariance = _fit_height(*lot, slope, covariance[2])
    return Calibration(intercept=intercept, slope=slope, covariance=covariance, basis=basis, **counts)


def calibrated_loss(margin: Floats, hit: Floats) -> float:
    """Mean log loss of margins after the best curve of this family: how good they are, whatever their scale.

    Parameters
    ----------
    margin, hit : ndarray of shape (n_crossings,)
        At least one hit and one miss.

    Returns
    -------
    float
        Nats per crossing; lower is better.
    """
    intercept, slope, _ = _fit_curve(margin, hit, np.ones(len(hit)))
    logit = intercept + slope * margin
    return float(np.mean(np.logaddexp(0.0, logit) - hit * logit))


def _effective(weight: Floats) -> Floats:
    """Scale weights so that they sum to the effective number of crossings (Kish 1965)."""
    scaled: Floats = weight * (weight.sum() / (weight**2).sum())
    return scaled


def _fit_curve(margin: Floats, hit: Floats, weight: Floats) -> tuple[float, float, tuple[float, float, float]]:
    """Maximise the penalised likelihood over (intercept, log slope) by damped Newton steps."""
    centre = float(np.average(margin, weights=weight))
    x = margin - centre
    rate = (np.sum(weight * hit) + 0.5) / (np.sum(weight) + 1.0)
    at = np.array([np.log(rate / (1 - rate)), 0.0])
    lowest = _penalised_loss(at, x, hit, weight)
    for _ in range(100):
        gradient, hessian = _derivatives(at, x, hit, weight)
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while size > 1e-10 and _penalised_loss(at - size * step, x, hit, weight) > lowest:
            size /= 2
        at = at - size * step
        lowest = min(lowest, _penalised_loss(at, x, hit, weight))
        if np.abs(size * step).max() < 1e-10:
            break
    slope = float(np.exp(at[1]))
    _, hessian = _derivatives(at, x, hit, weight)
    inverse = np.linalg.inv(hessian)
    # From (height at the centre, log slope) to (intercept, slope): intercept = height - slope * centre.
    turn = np.array([[1.0, -slope * centre], [0.0, slope]])
    covariance = turn @ inverse @ turn.T
    spread = (float(covariance[0, 0]), float(covariance[0, 1]), float(covariance[1, 1]))
    return float(at[0]) - slope * centre, slope, spread


def _penalised_loss(at: Floats, x: Floats, hit: Floats, weight: Floats) -> float:
    logit = at[0] + np.exp(at[1]) * x
    return float(np.sum(weight * (np.logaddexp(0.0, logit) - hit * logit)) + 0.5 * (at[1] / SLOPE_PRIOR_SD) ** 2)


def _derivatives(at: Floats, x: Floats, hit: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Gradient and expected information: positive definite, so every step goes downhill."""
    slope = np.exp(at[1])
    rate = _expit(at[0] + slope * x)
    pull = weight * (rate - hit)
    gradient = np.array([pull.sum(), (pull * slope * x).sum() + at[1] / SLOPE_PRIOR_SD**2])
    information = weight * np.maximum(rate * (1 - rate), 1e-12)
    cross = (information * slope * x).sum()
    hessian = np.array(
        [
            [information.sum() + 1e-9, cross],
            [cross, (information * (slope * x) ** 2).sum() + 1 / SLOPE_PRIOR_SD**2],
        ]
    )
    return gradient, hessian


def _fit_height(
    margin: Floats, hit: Floats, weight: Floats, slope: float, slope_variance: float
) -> tuple[float, tuple[float, float, float]]:
    """Set the intercept so that the lot's rate is met, the slope held.

    Half a hit and half a miss are added (Jeffreys' prior): a lot without hits means rare, not impossible.
    """
    wanted = (float(np.sum(weight * hit)) + 0.5) / (float(np.sum(weight)) + 1.0)
    low, high = -60.0 - slope * margin.max(), 60.0 - slope * margin.min()
    for _ in range(200):
        intercept = (low + high) / 2
        rate = float(np.average(_expit(intercept + slope * margin), weights=weight))
        low, high = (intercept, high) if rate < wanted else (low, intercept)
    rates = _expit(intercept + slope * margin)
    information = weight * np.maximum(rates * (1 - rates), 1e-12)
    height_variance = 1.0 / max(float(information.sum()), 0.25)
    # Where the height was measured, height and slope are independent; elsewhere the slope's error tilts the line.
    centre = float(np.average(margin, weights=information))
    covariance = (height_variance + centre**2 * slope_variance, -centre * slope_variance, slope_variance)
    return intercept, covariance


def _expit(logit: Floats) -> Floats:
    small = np.exp(-np.abs(logit))
    probability: Floats = np.where(logit >= 0, 1.0, small) / (1.0 + small)
    return probability
