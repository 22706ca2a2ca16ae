"""Everything in one bundle, in memory: from goods lines to margins, contributions and probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from chekara.domain.decision import ModelIdentity
from chekara.explain.evidence import Evidence
from chekara.explain.quadrature import QuadratureTreeShap
from chekara.features.build import FeatureTable
from chekara.features.catalogue import ItemColumns
from chekara.features.reference import PriceReference
from chekara.modelling.calibration import Calibration
from chekara.modelling.encode import Encoder
from chekara.modelling.spec import ModelSpec

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One domain's model.

    Attributes
    ----------
    spec : ModelSpec
    booster : lightgbm.Booster
    explainer : QuadratureTreeShap
    prices : PriceReference
    encoder : Encoder
    calibration : Calibration
    evidence : Evidence
    reference_margins : ndarray of float64
        Margins of up to 10,000 recent crossings of the training history, sorted: seeds the rank window.
    identity : ModelIdentity
        Name, registry version ("" until registered) and digest ("" until written).
    about : mapping
        Run id, commit, times, seed, protocol, trainer: what is signed but outside the digest.
    golden : tuple of mapping
        Raw contract rows with the margins and probabilities that they must give.
    """

    spec: ModelSpec
    booster: lgb.Booster
    explainer: QuadratureTreeShap
    prices: PriceReference
    encoder: Encoder
    calibration: Calibration
    evidence: Evidence
    reference_margins: Floats
    identity: ModelIdentity
    about: Mapping[str, Any]
    golden: Mapping[str, Any]

    @property
    def names(self) -> tuple[str, ...]:
        """Features in the order of the matrix."""
        raise NotImplementedError

    def features(self, items: ItemColumns) -> FeatureTable:
        """Features as people read them (usual prices looked up): what the service stores and explains."""
        raise NotImplementedError

    def encode(self, table: FeatureTable) -> Floats:
        """Frozen maps applied; float64 of shape (n_items, k)."""
        raise NotImplementedError

    def margins(self, X: Floats) -> Floats:
        """Log-odds of each goods line; shape (n_items,)."""
        raise NotImplementedError

    def contributions(self, X: Floats) -> Floats:
        """Exact SHAP; shape (n_items, k + 1), the base value last; rows sum to the margin."""
        raise NotImplementedError

    def unseen(self, table: FeatureTable) -> list[tuple[int, str]]:
        """(row, feature) of categories that training never met."""
        raise NotImplementedError

    def usual(self, items: ItemColumns) -> Mapping[str, tuple[Floats, Floats]]:
        """Declared and usual value per goods line, for features that compare with a frozen reference.

        A reason for ``unit_price_vs_reference`` shows these (declared 1.90 per kg, usual 7.40), not the ratio.
        """
        raise NotImplementedError

    def applies_to(self, items: ItemColumns) -> npt.NDArray[np.bool_]:
        """Which goods lines the domain applies to, by the spec; shape (n_items,)."""
        raise NotImplementedError
