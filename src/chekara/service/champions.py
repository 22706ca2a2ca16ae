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
from chekara.modelling.panel import PanelModel

Floats: TypeAlias = npt.NDArray[np.float64]
Usual: TypeAlias = tuple[Floats, Floats, npt.NDArray[np.object_]]


class Champion(PanelModel, Protocol):
    """What scoring needs of ``chekara.modelling.model.Model``."""

    @property
    def identity(self) -> ModelIdentity:
        """Name, version and digest."""
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

    def usual(self, items: ItemColumns) -> Mapping[str, Usual]:
        """Return declared and usual value per goods line, and the goods that "usual" is meant for.

        Only of features that compare with a frozen reference.
        """
        ...


class Champions(Protocol):
    """Which verified models serve."""

    def serving(self) -> Mapping[str, Champion]:
        """Return the champion per domain: one consistent set, to be read once per group of requests."""
        ...

    def problems(self) -> tuple[str, ...]:
        """Return why promoted bundles do not serve, one sentence each; empty when all do."""
        ...
