"""Everything in one bundle, in memory: from goods lines to margins, contributions and probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from chekara.domain.decision import ModelIdentity
from chekara.explain.evidence import Evidence
from chekara.explain.quadrature import QuadratureTreeShap
from chekara.features import declared
from chekara.features.build import FeatureTable, build_features
from chekara.features.catalogue import ItemColumns
from chekara.features.reference import PriceReference
from chekara.modelling.calibration import Calibration
from chekara.modelling.dataset import lines_that_apply
from chekara.modelling.encode import Encoder, field_behind
from chekara.modelling.spec import ModelSpec

Floats: TypeAlias = npt.NDArray[np.float64]
Usual: TypeAlias = tuple[Floats, Floats, npt.NDArray[np.object_]]


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
        Margins of up to 10,000 recent crossings of the training history, inspected or not, sorted: seeds the rank
        window.
    golden : mapping
        Raw contract rows with the margins and probabilities that they must give (`chekara.modelling.golden`).
    identity : ModelIdentity
        Name, registry version ("" until registered) and digest ("" until written).
    about : mapping
        Run id, commit, times, trainer: what is signed but outside the digest.
    asked_features : frozenset of str
        Features that some tree splits on; the others are in the matrix, and say nothing.

    Examples
    --------
    One request's goods lines, from features to probability::

        table = model.features(items)
        X = model.encode(table)
        margin = model.margins(X).max()
        model.calibration.probability(margin)
    """

    spec: ModelSpec
    booster: lgb.Booster
    explainer: QuadratureTreeShap
    prices: PriceReference
    encoder: Encoder
    calibration: Calibration
    evidence: Evidence
    reference_margins: Floats
    golden: Mapping[str, Any]
    identity: ModelIdentity
    about: Mapping[str, Any]
    asked_features: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Note once what the booster asks for: every request wants to know."""
        splits = self.booster.feature_importance("split")
        asked = frozenset(name for name, n in zip(self.encoder.names, splits, strict=True) if n)
        object.__setattr__(self, "asked_features", asked)

    @property
    def names(self) -> tuple[str, ...]:
        """Features in the order of the matrix."""
        return self.encoder.names

    def features(self, items: ItemColumns) -> FeatureTable:
        """Compute the features as people read them: what the service stores and explains.

        Parameters
        ----------
        items : ItemColumns
            All lines of each crossing: some features look at a line's neighbours.
        """
        return build_features(items, self.names, self.spec.extensions, self.prices)

    def encode(self, table: FeatureTable) -> Floats:
        """Apply the frozen maps; float64 of shape (n_items, k)."""
        return self.encoder.encode(table)

    def margins(self, X: Floats) -> Floats:
        """Score goods lines: log-odds, equal to the booster's raw score; shape (n_items,)."""
        return self.explainer.margins(X)

    def contributions(self, X: Floats) -> Floats:
        """Explain goods lines by exact SHAP values.

        Returns
        -------
        ndarray of shape (n_items, k + 1)
            Log-odds per feature, the base value last; each row sums to its margin.
        """
        return self.explainer.contributions(X)

    def unseen(self, table: FeatureTable) -> list[tuple[int, str]]:
        """Find categories that training never met, as (row, feature)."""
        return self.encoder.unseen(table)

    def missing(self, items: ItemColumns, table: FeatureTable) -> list[tuple[int, str]]:
        """Find contract fields that lack a value although training had one, so that another stands in.

        A value that is there but of no use, such as a mass of 0 under a price per kg, counts as lacking. Fields that
        no tree asks for are left out: the score is no less certain without them.

        Parameters
        ----------
        items : ItemColumns
        table : FeatureTable
            Features of ``items``.

        Returns
        -------
        list of (int, str)
            Row and field, each once, ascending.
        """
        lacking = ((row, name) for row, name in self.encoder.missing(table) if name in self.asked_features)
        return sorted({(row, field_behind(name, items, row)) for row, name in lacking})

    def usual(self, items: ItemColumns) -> Mapping[str, Usual]:
        """Tell declared and usual value of each line, for features that compare with a frozen reference.

        A reason for ``unit_price_vs_reference`` shows these (declared 1.90 per kg, usual 7.40), not their ratio.

        Returns
        -------
        mapping of str to (ndarray, ndarray, ndarray)
            Each of shape (n_items,): declared and usual, currency/kg, NaN where not known; and the group of goods
            that is meant: ``"610910 CN"``, ``"6109"``, ``""`` for all goods.
        """
        if "unit_price_vs_reference" not in self.names:
            return {}
        prices = self.prices
        sides = (declared.value_per_kg(items), prices.usual_price(items), prices.answering_group(items))
        return {"unit_price_vs_reference": sides}

    def applies_to(self, items: ItemColumns) -> npt.NDArray[np.bool_]:
        """Tell which goods lines the domain applies to, by the spec; shape (n_items,)."""
        return lines_that_apply(items, self.spec)
