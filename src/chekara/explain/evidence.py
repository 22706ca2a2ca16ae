"""What is usual and how often it was a hit: the numbers behind a reason, frozen with the model.

Stub bodies for a few minutes; see the signatures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chekara.features.build import FeatureTable


@dataclass(frozen=True, slots=True)
class Evidence:
    """Evidence of one training history.

    ``of(feature, value)`` returns ``(expected, numbers)``. Keys of ``numbers``, each present only where it is known:
    ``inspected``, ``hits``, ``share`` (of inspected goods lines with such a value), ``inspected_all``, ``hits_all``,
    ``share_all`` (of all inspected goods lines), ``crossings_share`` (share of all lines that have such a value, in
    [0, 1]), and for numbers ``lower_quartile``, ``upper_quartile``, ``low``, ``high`` (bounds of "such a value":
    ``low < value <= high``; absent where open).
    """

    features: Mapping[str, Any]

    def of(self, feature: str, value: float | str | None) -> tuple[float | str | None, dict[str, float]]:
        """Return what is usual, and the numbers behind a value."""
        raise NotImplementedError

    def to_json(self) -> dict[str, Any]:
        """Plain mapping for the bundle."""
        raise NotImplementedError

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Evidence:
        """Read what `to_json` wrote."""
        raise NotImplementedError


def build_evidence(table: FeatureTable, hit: npt.NDArray[np.float64]) -> Evidence:
    """Count what is usual and how often it was a hit."""
    raise NotImplementedError
