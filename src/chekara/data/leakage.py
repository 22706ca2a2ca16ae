"""Leakage: does the history tell a model the answer in a way that live traffic will not?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from chekara.data.findings import Finding

if TYPE_CHECKING:
    from chekara.data.labels import TargetRule
    from chekara.data.sources import History

__all__ = [
    "ColumnEvidence",
    "Finding",
    "LeakageReport",
    "TupleEvidence",
    "find_leakage",
    "first_of_tuple",
    "tuple_key",
    "unseen_tuple",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class TupleEvidence:
    """A set of columns whose values were copied between rows, and what its copies say about the label.

    Attributes
    ----------
    columns : tuple of str
    rows, distinct, repeated : int
        Item rows, distinct tuples among them, and distinct tuples that occur in more than one crossing.
    seen_before : float
        Share of the later slices' rows whose tuple occurs in an earlier slice.
    purity, permuted_purity : float
        Share of repeated labelled tuples whose rows all carry one label, and the same with labels permuted.
    copy_agreement, neighbour_agreement : float
        Cohen's kappa of labels between two copies, and between two rows that share the tuple's codes and lie next
        to each other in its numbers without being equal.
    lookup_auc, lookup_auc_of_repeats : float
        AUC of a plain look-up fitted on earlier slices and judged on the later ones: all rows, and rows with a
        tuple seen before. NaN where it cannot be computed.
    """

    columns: tuple[str, ...]
    rows: int
    distinct: int
    repeated: int
    seen_before: float
    purity: float
    permuted_purity: float
    copy_agreement: float
    neighbour_agreement: float
    lookup_auc: float
    lookup_auc_of_repeats: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnEvidence:
    """How well one column alone predicts the label out of time.

    Attributes
    ----------
    column : str
    exact_auc : float
        AUC of a look-up of the exact value.
    ranked_auc : float
        AUC of a look-up of the value's rank (50 bins); NaN for codes.
    missing_auc : float
        AUC of whether a value is there at all, in the better direction.
    """

    column: str
    exact_auc: float
    ranked_auc: float
    missing_auc: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakageReport:
    """All that was found about one domain's labels.

    Attributes
    ----------
    domain : str
    findings : tuple of Finding
    leaking_tuple : tuple of str or None
        Columns of the tuple that carries its label along, for the leak-free protocol; None where there is none.
    tuple_evidence : TupleEvidence or None
        Figures of the leaking tuple or, without one, of the most repeated tuple.
    columns : tuple of ColumnEvidence
        Strongest first.
    n_rows, n_labelled : int
        Item rows looked at, and those with a known outcome.
    """

    domain: str
    findings: tuple[Finding, ...]
    leaking_tuple: tuple[str, ...] | None
    tuple_evidence: TupleEvidence | None
    columns: tuple[ColumnEvidence, ...]
    n_rows: int
    n_labelled: int

    @property
    def has_findings(self) -> bool:
        """Whether anything was found that blocks promotion outside dev."""
        return any(finding.blocks_promotion for finding in self.findings)


def find_leakage(history: History, *, rule: TargetRule, seed: int) -> LeakageReport:
    """Look for leakage of one domain's labels into the columns of a history."""
    raise NotImplementedError


def tuple_key(crossings: pd.DataFrame, columns: tuple[str, ...]) -> npt.NDArray[np.uint64]:
    """One 64-bit key per item row: equal where all given columns are equal (missing equals missing)."""
    raise NotImplementedError


def first_of_tuple(keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Mark the first row of each tuple in the order given: the rows to train on without copies."""
    raise NotImplementedError


def unseen_tuple(keys: npt.NDArray[np.uint64], seen: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Mark rows whose tuple does not occur among ``seen``: the rows to judge on."""
    raise NotImplementedError
