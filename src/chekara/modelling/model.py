"""Everything in one bundle, in memory: from goods lines to margins, contributions and probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeAlias

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from chekara.domain.decision import ModelIdentity
from chekara.explain.evidence import Evidence
from chekara.explain.quadrature import QuadratureTreeShap
from chekara.features import declared
from chekara.features.build import FeatureTable, build_features
from chekara.features.catalogue import FeatureKind, ItemColumns, laid_columns
from chekara.features.profile_measures import REFERENCE_LEVEL, REFERENCE_PRICE
from chekara.modelling.calibration import Calibration
from chekara.modelling.dataset import lines_that_apply
from chekara.modelling.encode import Encoder, field_behind
from chekara.modelling.severity import Severity
from chekara.modelling.spec import ModelSpec

Floats: TypeAlias = npt.NDArray[np.float64]
# By the level that answered: all goods, chapter, HS4, HS6, HS6 from one origin.
_DIGITS_OF_LEVEL = (0, 2, 4, 6, None)
Usual: TypeAlias = tuple[Floats, Floats, npt.NDArray[np.object_]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One domain's model.

    Attributes
    ----------
    spec : ModelSpec
    booster : lightgbm.Booster
    explainer : QuadratureTreeShap
    encoder : Encoder
    calibration : Calibration
    severity : Severity or None
        How large a harm would be; None where the spec asks for no amount, or no hit has one.
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
    encoder: Encoder
    calibration: Calibration
    severity: Severity | None
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

    @property
    def kinds_of_extensions(self) -> Mapping[str, FeatureKind]:
        """Kinds of the national columns among the features."""
        return self.spec.extensions

    def features(self, items: ItemColumns) -> FeatureTable:
        """Compute the features as people read them: what the service stores and explains.

        Parameters
        ----------
        items : ItemColumns
            All lines of each crossing: some features look at a line's neighbours. Profiles lie beside them as
            columns of their own names; an entity whose column is absent counts as never seen.
        """
        return build_features(items, self.names, self.spec.extensions)

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

    def expected_amount(self, table: FeatureTable, rows: npt.NDArray[np.int64] | None = None) -> Floats:
        """Tell what each goods line would bring if it is a hit, currency; NaN where nothing is known of amounts.

        Parameters
        ----------
        table : FeatureTable
        rows : ndarray of shape (n,), int64, optional
            Positions of the lines that are meant; all where it is not given.

        Returns
        -------
        ndarray of shape (n_items,) or (n,)
            To the cent; times the probability this is the expected harm.
        """
        if self.severity is None:
            return np.full(table.n_items if rows is None else len(rows), np.nan)
        return self.severity.expected(table, rows)

    def unseen(self, table: FeatureTable) -> list[tuple[int, str]]:
        """Find categories that training never met, as (row, feature)."""
        return self.encoder.unseen(table)

    def missing(self, items: ItemColumns, table: FeatureTable) -> list[tuple[int, str]]:
        """Find contract fields that lack a value although training had one, so that another stands in.

        A value that is there but of no use, such as a mass of 0 under a price per kg, counts as lacking. Fields that
        no tree asks for are left out: the score is no less certain without them. So are profiles and usual prices:
        that nothing is known of an entity or of goods is no gap in the declaration.

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
        lacking = self.encoder.missing(table, among=_declared(self.asked_features))
        return sorted({(row, field_behind(name, items, row)) for row, name in lacking})

    def usual(self, items: ItemColumns) -> Mapping[str, Usual]:
        """Tell declared and usual value of each line, as known before it, for features that compare the two.

        A reason for ``unit_price_vs_reference`` shows these (declared 1.90 per kg, usual 7.40), not their ratio.

        Returns
        -------
        mapping of str to (ndarray, ndarray, ndarray)
            Each of shape (n_items,): declared and usual, currency/kg, NaN where not known; and the group of goods
            that is meant: ``"610910 CN"``, ``"6109"``, ``""`` for all goods.
        """
        if "unit_price_vs_reference" not in self.names:
            return {}
        return {"unit_price_vs_reference": _price_sides(items)}

    def applies_to(self, items: ItemColumns) -> npt.NDArray[np.bool_]:
        """Tell which goods lines the domain applies to, by the spec; shape (n_items,)."""
        return lines_that_apply(items, self.spec)


@lru_cache(maxsize=64)
def _declared(names: frozenset[str]) -> frozenset[str]:
    """Return the features that read nothing of what the profile engine lays beside the declaration."""
    return frozenset(name for name in names if not laid_columns([name]))


def _price_sides(items: ItemColumns) -> Usual:
    """Return declared and usual price; made once, for several models ask for it of the same lines."""
    group = items.once("goods that answered", _answering_group)
    return declared.value_per_kg(items), items.number(REFERENCE_PRICE), group


def _answering_group(items: ItemColumns) -> npt.NDArray[np.object_]:
    """Name the group of goods whose usual price was found, from the level that the profile engine lays beside."""
    level = items.number(REFERENCE_LEVEL)
    codes, origins = items.text("hs_code"), items.text("origin_country")
    named = (_group_key(*line) for line in zip(level.tolist(), codes, origins, strict=True))
    return np.array([*named, None], dtype=object)[:-1]


def _group_key(level: float, code: str | None, origin: str | None) -> str:
    if np.isnan(level) or code is None:
        return ""
    digits = _DIGITS_OF_LEVEL[int(level)]
    return f"{code[:6]} {origin}" if digits is None else code[:digits]
