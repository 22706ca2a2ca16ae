"""What scoring needs of the models that serve, as Protocols."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from chekara.domain.decision import ModelIdentity
from chekara.explain.reasons import EvidenceSource
from chekara.features.build import FeatureTable
from chekara.features.catalogue import ItemColumns

Floats: TypeAlias = npt.NDArray[np.float64]
Usual: TypeAlias = tuple[Floats, Floats, npt.NDArray[np.object_]]


class Calibrated(Protocol):
    """What scoring needs of ``chekara.modelling.calibration.Calibration``."""

    def probability(self, margin: Floats) -> Floats:
        """Return the calibrated share of hits, strictly increasing in the margin."""
        ...

    def interval(self, margin: Floats) -> tuple[Floats, Floats]:
        """Return the 90 % bounds of the hit rate."""
        ...


class Champion(Protocol):
    """What scoring needs of ``chekara.modelling.model.Model``."""

    @property
    def names(self) -> tuple[str, ...]:
        """Features in the order of the matrix."""
        ...

    @property
    def asked_features(self) -> frozenset[str]:
        """Features that some tree splits on; the others say nothing."""
        ...

    @property
    def identity(self) -> ModelIdentity:
        """Name, version and digest."""
        ...

    @property
    def calibration(self) -> Calibrated:
        """Margins to probabilities."""
        ...

    @property
    def evidence(self) -> EvidenceSource:
        """What is usual, and how often it was a hit."""
        ...

    @property
    def reference_margins(self) -> Floats:
        """Crossing margins of the newest history; seed of the rank window."""
        ...

    def features(self, items: ItemColumns) -> FeatureTable:
        """Compute the model's features of goods lines."""
        ...

    def encode(self, table: FeatureTable) -> Floats:
        """Encode features to the booster's matrix, shape (n_items, n_features)."""
        ...

    def margins(self, X: Floats) -> Floats:
        """Return log-odds per item."""
        ...

    def contributions(self, X: Floats) -> Floats:
        """Return exact SHAP values per item, base value last, shape (n_items, n_features + 1)."""
        ...

    def expected_amount(self, table: FeatureTable, rows: npt.NDArray[np.int64] | None = None) -> Floats:
        """Return what items, or those at some rows, would bring as hits, currency; NaN where nothing is known."""
        ...

    def unseen(self, table: FeatureTable) -> list[tuple[int, str]]:
        """Return (row, feature) of every category that training never saw."""
        ...

    def missing(self, items: ItemColumns, table: FeatureTable) -> list[tuple[int, str]]:
        """Return (row, contract field) of every value that is missing although training had it."""
        ...

    def usual(self, items: ItemColumns) -> Mapping[str, Usual]:
        """Return declared and usual value per goods line, and the goods that "usual" is meant for.

        Only of features that compare with a frozen reference.
        """
        ...

    def applies_to(self, items: ItemColumns) -> npt.NDArray[np.bool_]:
        """Return which goods lines the domain applies to."""
        ...


class Champions(Protocol):
    """Which verified models serve."""

    def serving(self) -> Mapping[str, Champion]:
        """Return the champion per domain: one consistent set, to be read once per group of requests."""
        ...

    def problems(self) -> tuple[str, ...]:
        """Return why promoted bundles do not serve, one sentence each; empty when all do."""
        ...
