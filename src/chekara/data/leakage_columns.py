"""Single columns that know too much: alone, out of time, they predict the label better than honest data can."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chekara.data.findings import Finding
from chekara.data.leakage_rows import EARLIER_SLICES, Bools, Floats, Ints, Rows
from chekara.data.leakage_tuples import auc_or_nan, smoothed_rates
from chekara.data.schema import CROSSING_COLUMNS, is_extension

_ENTITIES = tuple(c.name for c in CROSSING_COLUMNS if c.entity is not None)
_BINS = 50
_MOST_LABELLED = 300_000
# A column of the contract alone: no honest one comes near. Extensions may hold anything, so they are trusted less.
_TOO_GOOD_AUC = 0.95
_TOO_GOOD_EXTENSION_AUC = 0.90
# A measured number whose exact value knows what its size does not.
_EXACT_AUC = 0.85
_EXACT_OVER_RANKED = 0.15
# One value of a code, seen with many parties, that means a hit nearly for sure and covers many of the hits.
_SURE_RATE = 0.98
_SURE_ROWS = 30
_SURE_PARTIES = 10
_SURE_SHARE_OF_HITS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnEvidence:
    """How well one column alone predicts the label out of time.

    Attributes
    ----------
    column : str
    exact_auc : float
        AUC of a look-up of the exact value, fitted on the first three of five time slices, judged on the last two.
    strangers_auc : float
        The same where a row may learn from rows of other parties alone, the worst over all entity columns;
        computed only for columns whose ``exact_auc`` is high, else NaN.
    ranked_auc : float
        AUC of a look-up of the value's rank (50 bins); NaN for codes.
    missing_auc : float
        AUC of whether a value is there at all, in the better direction.
    """

    column: str
    exact_auc: float
    strangers_auc: float
    ranked_auc: float
    missing_auc: float

    @property
    def best_auc(self) -> float:
        """The best of its look-ups; NaN where none could be judged."""
        figures = [f for f in (self.exact_auc, self.ranked_auc, self.missing_auc) if not np.isnan(f)]
        return max(figures, default=float("nan"))


def weigh_columns(rows: Rows, rng: np.random.Generator) -> tuple[ColumnEvidence, ...]:
    """Judge every candidate column alone, strongest first.

    Parameters
    ----------
    rows : Rows
    rng : Generator
        Draws the labelled rows that are looked at where there are more than 300,000.

    Returns
    -------
    tuple of ColumnEvidence
        Empty where the earlier or the later slices hold fewer than ten hits or ten misses.
    """
    labelled = np.flatnonzero(rows.is_labelled)
    if len(labelled) > _MOST_LABELLED:
        labelled = np.sort(rng.choice(labelled, _MOST_LABELLED, replace=False))
    earlier = labelled[rows.time_slice[labelled] < EARLIER_SLICES]
    later = labelled[rows.time_slice[labelled] >= EARLIER_SLICES]
    for part in (earlier, later):
        if np.isnan(auc_or_nan(rows.hit[part], np.zeros(len(part)))):
            return ()
    found = [_weigh(rows, name, earlier, later) for name in rows.codes]
    return tuple(sorted(found, key=lambda e: (-np.nan_to_num(e.best_auc), e.column)))


def _weigh(rows: Rows, name: str, earlier: Ints, later: Ints) -> ColumnEvidence:
    hit = rows.hit[later]
    codes = rows.codes[name]
    exact = auc_or_nan(hit, smoothed_rates(codes[earlier], rows.hit[earlier], codes[later]))
    ranked = float("nan")
    if name in rows.numbers:
        values = rows.numbers[name]
        edges = np.unique(np.nanquantile(values[earlier], np.linspace(0, 1, _BINS + 1)[1:-1]))
        bins = np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values, side="right"))
        ranked = auc_or_nan(hit, smoothed_rates(bins[earlier], rows.hit[earlier], bins[later]))
    missing = auc_or_nan(hit, rows.is_missing[name][later].astype(float))
    return ColumnEvidence(
        column=name,
        exact_auc=exact,
        strangers_auc=_strangers_auc(rows, name, earlier, later) if exact >= _EXACT_AUC else float("nan"),
        ranked_auc=ranked,
        missing_auc=max(missing, 1.0 - missing),
    )


def _strangers_auc(rows: Rows, name: str, earlier: Ints, later: Ints) -> float:
    """AUC of the exact look-up without rows of the asker's own party, the worst over the entity columns.

    A price that only one importer ever declares says who it is, and that importer's record is honest signal.
    """
    figures = []
    for entity in _ENTITIES:
        # A party behind most rows cannot be left out: nothing would remain.
        if entity == name or entity not in rows.codes or rows.chance[entity] > 0.25:
            continue
        figures.append(auc_or_nan(rows.hit[later], _lookup_of_others(rows, name, entity, earlier, later)))
    if not figures:
        codes = rows.codes[name]
        return auc_or_nan(rows.hit[later], smoothed_rates(codes[earlier], rows.hit[earlier], codes[later]))
    return min(figures)


def _lookup_of_others(rows: Rows, name: str, entity: str, earlier: Ints, later: Ints) -> Floats:
    codes = rows.codes[name]
    size = int(codes.max()) + 1
    together = rows.codes[entity] * size + codes
    known, inverse = np.unique(together[earlier], return_inverse=True)
    own_hits = np.bincount(inverse, weights=rows.hit[earlier])
    own_count = np.bincount(inverse)
    place = np.minimum(np.searchsorted(known, together[later]), len(known) - 1)
    # Who is unknown shares nothing with anybody.
    is_own = (known[place] == together[later]) & ~rows.is_missing[entity][later]
    hits = np.bincount(codes[earlier], weights=rows.hit[earlier], minlength=size)[codes[later]]
    count = np.bincount(codes[earlier], minlength=size)[codes[later]]
    hits = hits - np.where(is_own, own_hits[place], 0.0)
    count = count - np.where(is_own, own_count[place], 0)
    return np.asarray((hits + rows.hit[earlier].mean()) / (count + 1.0), dtype=np.float64)


def judge_columns(rows: Rows, evidence: tuple[ColumnEvidence, ...], domain: str) -> list[Finding]:
    """Turn the evidence into findings.

    Parameters
    ----------
    rows : Rows
    evidence : tuple of ColumnEvidence
    domain : str

    Returns
    -------
    list of Finding
        ``column_predicts_alone``, ``exact_value_predicts``, ``value_means_hit`` and ``filled_where_hit``, each a
        warning. Entity columns are never blamed: a record is what profiles are made of.
    """
    findings = []
    for column in evidence:
        if column.column not in _ENTITIES and (found := _judge_auc(column, domain)):
            findings.append(found)
    blamed = {name for finding in findings for name in finding.columns}
    for name in rows.codes:
        if name in _ENTITIES or name in blamed:
            continue
        if found := _judge_values(rows, name, domain):
            findings.append(found)
    return findings


def _judge_auc(column: ColumnEvidence, domain: str) -> Finding | None:
    name = column.column
    limit = _TOO_GOOD_EXTENSION_AUC if is_extension(name) else _TOO_GOOD_AUC
    best = np.nanmax([column.strangers_auc, column.ranked_auc, column.missing_auc])
    figures = {
        "exact_auc": column.exact_auc,
        "strangers_auc": column.strangers_auc,
        "ranked_auc": column.ranked_auc,
        "missing_auc": column.missing_auc,
    }
    over = column.strangers_auc - column.ranked_auc
    if column.strangers_auc >= _EXACT_AUC and over >= _EXACT_OVER_RANKED:
        return Finding(
            code="exact_value_predicts",
            severity="warning",
            domain=domain,
            columns=(name,),
            sentence=(
                f"The exact value of {name} alone predicts the result (AUC {column.exact_auc:.3f}), although its size "
                f"hardly does ({column.ranked_auc:.3f}): rows were copied with their results."
            ),
            numbers=figures,
        )
    if best >= limit:
        return Finding(
            code="column_predicts_alone",
            severity="warning",
            domain=domain,
            columns=(name,),
            sentence=(
                f"{name} alone predicts the result (AUC {best:.3f}): it was probably filled in, or corrected, after "
                "the inspection."
            ),
            numbers=figures,
        )
    return None


def _judge_values(rows: Rows, name: str, domain: str) -> Finding | None:
    """Blame a column for one value, or for being filled at all, where that means a hit nearly for sure."""
    labelled = rows.is_labelled
    hits = rows.hit[labelled].sum()
    given = ~rows.is_missing[name][labelled]
    if (~given).any() and (found := _sure(rows, labelled, given, hits)):
        return Finding(
            code="filled_where_hit",
            severity="warning",
            domain=domain,
            columns=(name,),
            sentence=(
                f"{name} is filled almost only where something was found ({found['hit_rate']:.0%} hits among the "
                f"filled rows, {found['base_rate']:.0%} among all): it was written after the inspection."
            ),
            numbers=found,
        )
    if name in rows.numbers:
        return None
    codes = rows.codes[name][labelled]
    count = np.bincount(codes)
    share = np.bincount(codes, weights=rows.hit[labelled]) / np.maximum(count, 1)
    for value in np.flatnonzero((count >= _SURE_ROWS) & (share >= _SURE_RATE)):
        if found := _sure(rows, labelled, codes == value, hits):
            return Finding(
                code="value_means_hit",
                severity="warning",
                domain=domain,
                columns=(name,),
                sentence=(
                    f"One value of {name} means a hit nearly for sure ({found['hit_rate']:.0%} of "
                    f"{found['rows']:.0f} rows): it says what was found, not what was declared."
                ),
                numbers=found,
            )
    return None


def _sure(rows: Rows, labelled: Bools, where: Bools, hits: float) -> dict[str, float] | None:
    hit = rows.hit[labelled]
    count, found, base = int(where.sum()), float(hit[where].sum()), float(hit.mean())
    if count < _SURE_ROWS or found / count < max(_SURE_RATE, 1 - (1 - base) / 10) or found < _SURE_SHARE_OF_HITS * hits:
        return None
    at = np.flatnonzero(labelled)[where]
    for name in rows.parties:
        known = ~rows.is_missing[name][at]
        if known.any() and name in rows.codes and len(np.unique(rows.codes[name][at[known]])) < _SURE_PARTIES:
            return None
    return {"rows": float(count), "hit_rate": found / count, "base_rate": base, "share_of_hits": found / hits}
