"""From margins to probabilities that hold in nature, strictly increasing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A strictly increasing map from margin to probability, with its uncertainty.

    Attributes
    ----------
    intercept, slope : float
        ``logit(probability) = intercept + slope * margin``; slope above zero.
    covariance : tuple of float
        Of (intercept, slope): variance, covariance, variance.
    basis : str
        What the natural prevalence was taken from, in words.
    n_hits, n_crossings : int
        That it was fitted on.
    n_lot_hits : int
        Hits in the random lot (or census) among them.
    """

    intercept: float
    slope: float
    covariance: tuple[float, float, float]
    basis: str
    n_hits: int
    n_crossings: int
    n_lot_hits: int

    def probability(self, margin: Floats) -> Floats:
        """Hit rate in nature of crossings with this margin, in (0, 1); shape as given."""
        raise NotImplementedError

    def interval(self, margin: Floats) -> tuple[Floats, Floats]:
        """90 % bounds of the hit rate at this margin; they contain the probability."""
        raise NotImplementedError

    def to_json(self) -> dict[str, Any]:
        """Plain mapping for the bundle."""
        raise NotImplementedError

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Calibration:
        """Read what `to_json` wrote."""
        raise NotImplementedError
