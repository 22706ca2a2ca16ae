"""Leakage: whether the history tells a model the answer in a way that live traffic will not.

Four questions, each with findings of its own (``docs/leakage.md`` lists codes, thresholds and reasons):

1. Were rows copied together with their labels? (`chekara.data.leakage_tuples`)
2. Does one column alone predict too well? (`chekara.data.leakage_columns`)
3. Was anything written after the result? (`chekara.data.leakage_future`)
4. Is there enough to judge at all?

Where rows were copied, the leak-free protocol applies: train on the first row of each tuple, judge only rows whose
tuple was never trained on. `tuple_key`, `first_of_tuple` and `unseen_tuple` are that protocol.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from chekara.data.findings import Finding
from chekara.data.labels import TargetRule, first_results, label_crossings
from chekara.data.leakage_columns import ColumnEvidence, judge_columns, weigh_columns
from chekara.data.leakage_future import find_future
from chekara.data.leakage_repeated import RepeatedTuples, find_repeated_tuples
from chekara.data.leakage_rows import Rows, lay_out, mix, revisions_before_result
from chekara.data.leakage_tuples import TupleEvidence, find_copied_tuple
from chekara.errors import MissingColumnError

if TYPE_CHECKING:
    from chekara.data.sources import History

__all__ = [
    "ColumnEvidence",
    "Finding",
    "LeakageReport",
    "SearchedLines",
    "TupleEvidence",
    "find_leakage",
    "first_of_tuple",
    "revisions_before_result",
    "search_lines",
    "tuple_key",
    "unseen_tuple",
]

_FEWEST_HITS = 30
_REPEATS_WORTH_TELLING = 0.02


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
        Figures of the leaking tuple or, without one, of the largest repeated tuple.
    columns : tuple of ColumnEvidence
        Strongest first; empty where there are too few hits to judge single columns.
    n_rows, n_labelled, n_hits : int
        Item rows looked at, those with a known outcome, and hits among them.
    labels : DataFrame
        The known outcomes that were looked at, as `label_crossings` returns them.
    """

    domain: str
    findings: tuple[Finding, ...]
    leaking_tuple: tuple[str, ...] | None
    tuple_evidence: TupleEvidence | None
    columns: tuple[ColumnEvidence, ...]
    n_rows: int
    n_labelled: int
    n_hits: int
    labels: pd.DataFrame = field(compare=False, repr=False)

    @property
    def has_findings(self) -> bool:
        """Whether anything was found that blocks promotion outside dev."""
        return any(finding.blocks_promotion for finding in self.findings)


@dataclass(frozen=True, slots=True, eq=False)
class SearchedLines:
    """Goods lines laid out for the search, and what repeats among them: the same for every domain.

    Attributes
    ----------
    rows : Rows
        Without labels.
    repeated : RepeatedTuples
    """

    rows: Rows
    repeated: RepeatedTuples


def search_lines(history: History, *, seed: int) -> SearchedLines:
    """Do the part of the search that looks at no label.

    Parameters
    ----------
    history : History
    seed : int
        Draws pairs.

    Returns
    -------
    SearchedLines
        For `find_leakage` of any domain of this history.
    """
    rows = lay_out(history.crossings, first_results(history.inspections))
    return SearchedLines(rows, find_repeated_tuples(rows, np.random.default_rng(seed)))


def find_leakage(
    history: History, *, rule: TargetRule, seed: int, searched: SearchedLines | None = None
) -> LeakageReport:
    """Look for leakage of one domain's labels into the columns of a history.

    Parameters
    ----------
    history : History
        As `chekara.data.sources.load_history` returns it.
    rule : TargetRule
        The domain, and what counts as a hit in it.
    seed : int
        Draws pairs and permutations; same history and seed, same report.
    searched : SearchedLines, optional
        Of `search_lines` with the same history and seed: spares doing it once per domain.

    Returns
    -------
    LeakageReport

    Notes
    -----
    Honest signal is no leakage: an importer who always cheats, goods that are often undervalued, a consignment
    that comes every week at list price are what a model shall learn. A finding needs a label that follows the
    *exact copy* where a near copy does not know it, a column that is better than any declaration can be, or a time
    stamp after the fact.

    Examples
    --------
    >>> report = find_leakage(load_history(folder), rule=TargetRule(domain="revenue_fraud"), seed=1)  # doctest: +SKIP
    >>> report.leaking_tuple  # doctest: +SKIP
    ('dispatch_country', 'origin_country', 'hs_code', 'declared_value', 'duty_rate', 'net_mass_kg', 'preference_code')
    """
    labels = label_crossings(history.inspections, rule)
    searched = searched or search_lines(history, seed=seed)
    rows = searched.rows.with_labels(labels)
    n_hits = int(np.nansum(rows.hit))
    n_labelled = int(rows.is_labelled.sum())
    rng = np.random.default_rng(seed)
    copied = find_copied_tuple(rows, searched.repeated, rng) if n_labelled else None
    columns = weigh_columns(rows, rng)
    findings = find_future(rows, history.crossings, labels, history.inspections, rule.domain)
    findings += judge_columns(rows, columns, rule.domain) if n_hits else []
    findings += _judge_tuple(copied, rule.domain)
    if n_hits < _FEWEST_HITS:
        findings.append(_too_few(n_hits, rule.domain))
    leaking = copied.columns if copied is not None and copied.labels.are_copied else None
    return LeakageReport(
        domain=rule.domain,
        findings=tuple(sorted(findings, key=lambda f: (not f.blocks_promotion, f.code, f.columns))),
        leaking_tuple=leaking,
        tuple_evidence=copied,
        columns=columns,
        n_rows=len(rows.hit),
        n_labelled=n_labelled,
        n_hits=n_hits,
        labels=labels,
    )


def _judge_tuple(copied: TupleEvidence | None, domain: str) -> list[Finding]:
    if copied is None:
        return []
    if copied.labels.are_copied:
        return [_leaking(copied, domain)]
    return [_repeated(copied, domain)] if copied.seen_before >= _REPEATS_WORTH_TELLING else []


def _leaking(copied: TupleEvidence, domain: str) -> Finding:
    names = ", ".join(copied.columns)
    return Finding(
        code="leaking_tuple",
        severity="warning",
        domain=domain,
        columns=copied.columns,
        sentence=(
            f"Rows were copied together with their result: ({names}) takes {copied.distinct:,} values in "
            f"{copied.rows:,} rows, {copied.seen_before:.0%} of later rows repeat an earlier one, {copied.purity:.1%} "
            f"of the repeated ones carry one label ({copied.permuted_purity:.1%} if labels were shuffled), and a plain "
            f"look-up reaches AUC {copied.lookup_auc:.3f}. Train on one row per tuple and judge unseen tuples only."
        ),
        numbers=_numbers(copied),
    )


def _repeated(copied: TupleEvidence, domain: str) -> Finding:
    names = ", ".join(copied.columns)
    return Finding(
        code="repeated_consignments",
        severity="notice",
        domain=domain,
        columns=copied.columns,
        sentence=(
            f"Consignments repeat: {copied.seen_before:.0%} of later rows have ({names}) of an earlier one. "
            "Nothing shows that their results follow the exact copy more than the trader's habit would."
        ),
        numbers=_numbers(copied),
    )


def _numbers(copied: TupleEvidence) -> dict[str, float]:
    return {
        "rows": float(copied.rows),
        "distinct": float(copied.distinct),
        "repeated": float(copied.repeated),
        "seen_before": copied.seen_before,
        "purity": copied.purity,
        "permuted_purity": copied.permuted_purity,
        "copy_agreement": copied.labels.copy_agreement,
        "neighbour_agreement": copied.labels.neighbour_agreement,
        "lookup_auc": copied.lookup_auc,
        "lookup_auc_of_repeats": copied.lookup_auc_of_repeats,
    }


def _too_few(n_hits: int, domain: str) -> Finding:
    return Finding(
        code="too_few_hits",
        severity="notice",
        domain=domain,
        sentence=f"Known hits: {n_hits}, too few to say that nothing leaks.",
        numbers={"hits": float(n_hits)},
    )


def tuple_key(crossings: pd.DataFrame, columns: Iterable[str]) -> npt.NDArray[np.uint64]:
    """Return one key per item row: equal where all given columns are equal.

    Parameters
    ----------
    crossings : DataFrame
        Item rows of n lines, contract columns.
    columns : iterable of str
        Columns of the tuple, as in ``LeakageReport.leaking_tuple``.

    Returns
    -------
    ndarray of shape (n,), uint64
        Made from the values alone, so keys of different frames can be compared. Missing equals missing; 1 equals
        1.0. Two different tuples share a key with a chance of 5e-20.

    Raises
    ------
    MissingColumnError
        The frame lacks a column of the tuple.

    Examples
    --------
    >>> frame = pd.DataFrame({"hs_code": ["610910", "610910", None], "net_mass_kg": [10.0, 10.0, 10.0]})
    >>> key = tuple_key(frame, ("hs_code", "net_mass_kg"))
    >>> bool(key[0] == key[1]), bool(key[0] == key[2])
    (True, False)
    """
    hashed = []
    for name in columns:
        if name not in crossings:
            raise MissingColumnError("the tuple's column is not in this table", where=name)
        hashed.append(_hash_values(crossings[name]))
    return mix(hashed, len(crossings))


def _hash_values(values: pd.Series) -> npt.NDArray[np.uint64]:
    if pd.api.types.is_numeric_dtype(values.dtype):
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan) + 0.0  # minus zero becomes zero
        numbers[np.isnan(numbers)] = np.nan  # one bit pattern for missing
        return pd.util.hash_array(numbers)
    codes, distinct = pd.factorize(values, use_na_sentinel=False)
    of_distinct = pd.util.hash_array(np.asarray(pd.Series(distinct).astype("str"), dtype=object), categorize=False)
    of_distinct[pd.isna(distinct)] = np.uint64(0)
    return np.asarray(of_distinct[codes], dtype=np.uint64)


def first_of_tuple(keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Mark the first row of each tuple in the order given: the rows to train on without copies.

    Parameters
    ----------
    keys : ndarray of shape (n,), uint64
        Of `tuple_key`, in order of time.

    Returns
    -------
    ndarray of shape (n,), bool

    Examples
    --------
    >>> first_of_tuple(np.array([7, 9, 7], dtype=np.uint64)).tolist()
    [True, True, False]
    """
    mask = np.zeros(len(keys), dtype=bool)
    mask[np.unique(keys, return_index=True)[1]] = True
    return mask


def unseen_tuple(keys: npt.NDArray[np.uint64], seen: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Mark rows whose tuple does not occur among others: the rows to judge on.

    Parameters
    ----------
    keys : ndarray of shape (n,), uint64
    seen : ndarray of shape (k,), uint64
        Keys of the rows that a model was trained on.

    Returns
    -------
    ndarray of shape (n,), bool

    Examples
    --------
    >>> unseen_tuple(np.array([7, 9], dtype=np.uint64), np.array([7], dtype=np.uint64)).tolist()
    [False, True]
    """
    return ~np.isin(keys, seen)
