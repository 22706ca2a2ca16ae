"""Hits that are about nothing but the price: a price list finds them, and teaches a model the price list.

Where officers hold declared prices against a list of reference prices and raise what lies below, the find is made
by a comparison that a model can copy exactly. Figures on such hits say that it has; whether it finds what no list
shows is told by the others. The rule here is driven by columns alone, and where they tell nothing it says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from chekara.data.labels import TargetRule, control_outcomes, newest_inspections

_VALUATION = frozenset({"undervaluation", "undervalued", "overvaluation", "overvalued", "valuation", "value", "price"})
_FILLERS = frozenset(
    {"customs", "declared", "false", "wrong", "low", "high", "too", "under", "over", "of", "the", "unit"}
)


@dataclass(frozen=True, slots=True)
class HitKinds:
    """What the hits of a domain are about.

    Attributes
    ----------
    valuation_only : frozenset of str
        Crossings every hit of which is about the price alone.
    n_hits : int
        Crossings with a hit.
    n_untold : int
        Crossings without any hit of another kind of which neither irregularity nor method tells what it was.
    """

    valuation_only: frozenset[str]
    n_hits: int
    n_untold: int

    @property
    def tells(self) -> bool:
        """Whether any hit is known to be about the price alone."""
        return bool(self.valuation_only)


def hit_kinds(inspections: pd.DataFrame, rule: TargetRule, known_before: datetime | None = None) -> HitKinds:
    """Tell hits about the price alone from others.

    A hit with a stated ``irregularity`` is about the price alone where that names a valuation and nothing else
    (``undervaluation``, ``declared_value``, ``customs-valuation`` ...). Without one it is where it was found in
    papers (``method`` is ``documents``) and money was assessed or recovered; found by any other method it is not;
    without a method, or from papers without money, nothing tells.

    Parameters
    ----------
    inspections : DataFrame
        Validated inspections of any domains.
    rule : TargetRule
    known_before : datetime with offset, optional
        Newest revisions strictly before it; default: everything known.

    Returns
    -------
    HitKinds
        Crossings of which nothing tells count as hits of another kind.
    """
    newest = newest_inspections(inspections, known_before)
    newest = newest[newest["domain"] == rule.domain]
    hits = newest[control_outcomes(newest, rule) == 1.0]
    about_price, untold = _kind_of_control(hits)
    by_crossing = pd.DataFrame(
        {"price": about_price, "untold": untold, "other": ~about_price & ~untold}, index=pd.Index(hits["crossing_id"])
    )
    told = by_crossing.groupby(level=0).any()
    only = told["price"] & ~told["other"] & ~told["untold"]
    return HitKinds(
        valuation_only=frozenset(map(str, told.index[only])),
        n_hits=len(told),
        n_untold=int((told["untold"] & ~told["other"]).sum()),
    )


def _kind_of_control(hits: pd.DataFrame) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Whether each find is about the price alone, and whether nothing tells."""
    stated = hits["irregularity"].notna().to_numpy(dtype=bool)
    names_price = hits["irregularity"].map(_names_price, na_action="ignore").eq(True).to_numpy(dtype=bool)
    in_papers = hits["method"].eq("documents").fillna(False).to_numpy(dtype=bool)
    has_money = hits[["assessed_value", "revenue_recovered"]].notna().any(axis=1).to_numpy(dtype=bool)
    no_method = hits["method"].isna().to_numpy(dtype=bool)
    about_price = np.where(stated, names_price, in_papers & has_money)
    untold = ~stated & (no_method | (in_papers & ~has_money))
    return about_price.astype(np.bool_), untold


def _names_price(irregularity: str) -> bool:
    words = set(re.findall(r"[a-z]+", irregularity.lower())) - _FILLERS
    return bool(words) and words <= _VALUATION
