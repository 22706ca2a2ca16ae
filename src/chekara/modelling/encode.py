"""Frozen encodings: categories to codes or to smoothed risk, the same for training and for one row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chekara.features.build import FeatureTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """Frozen maps from features to the matrix that the booster reads.

    Attributes
    ----------
    names : tuple of str
        Columns of the matrix, one per feature.
    codes : mapping of str to mapping of str to int
        Categories that the booster splits natively.
    risks : mapping of str to mapping of str to float
        Categories given as smoothed log-odds; ``""`` holds what an unseen one gets.
    """

    names: tuple[str, ...]
    codes: Mapping[str, Mapping[str, int]]
    risks: Mapping[str, Mapping[str, float]]

    @property
    def categorical(self) -> tuple[int, ...]:
        """Positions of columns that hold codes."""
        return tuple(i for i, name in enumerate(self.names) if name in self.codes)

    def encode(self, table: FeatureTable) -> npt.NDArray[np.float64]:
        """Encode features; float64 of shape (n_items, k), every number exactly representable in float32."""
        raise NotImplementedError

    def unseen(self, table: FeatureTable) -> list[tuple[int, str]]:
        """(row, feature) of categories that training never met."""
        raise NotImplementedError

    def to_json(self) -> dict[str, Any]:
        """Plain mapping for the bundle."""
        raise NotImplementedError
