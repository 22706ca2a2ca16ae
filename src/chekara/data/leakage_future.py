"""Features from the future: what could not be known when the crossing was scored."""

from __future__ import annotations

import numpy as np
import pandas as pd

from chekara.data.findings import Finding
from chekara.data.leakage_rows import Rows
from chekara.data.schema import is_extension

_LATE_SHARE = 0.005
_LATE_CROSSINGS = 10
_FEWEST_ROWS = 50
_FILLED_WHEN_INSPECTED = 0.5
_FILLED_OTHERWISE = 0.01
_FEWEST_EQUAL = 20
_EQUAL_SHARE = 0.9
_RESULT_TEXTS = ("result", "irregularity", "seizure_kind")
_RESULT_NUMBERS = ("revenue_recovered", "seized_value", "assessed_value")
_DECLARED_BY_THEN = ("declared_value",)


def find_future(
    rows: Rows, crossings: pd.DataFrame, labels: pd.DataFrame, inspections: pd.DataFrame, domain: str
) -> list[Finding]:
    """Look for columns and rows that were written after the result they are to predict.

    Parameters
    ----------
    rows : Rows
    crossings, inspections : DataFrame
        Of the history, all revisions.
    labels : DataFrame
        As `chekara.data.labels.label_crossings` returns it.
    domain : str

    Returns
    -------
    list of Finding
        ``known_after_result``, ``revised_after_result`` (a notice), ``filled_after_inspection`` and
        ``equals_result``.
    """
    found = _known_after_result(crossings, labels, domain)
    found += _filled_after_inspection(rows, inspections, domain)
    return found + _equals_result(rows, inspections, domain)


def _known_after_result(crossings: pd.DataFrame, labels: pd.DataFrame, domain: str) -> list[Finding]:
    if labels.empty:
        return []
    of_labelled = crossings.loc[crossings["crossing_id"].isin(labels["crossing_id"]), ["crossing_id", "known_at"]]
    result_known_at = of_labelled["crossing_id"].map(labels.set_index("crossing_id")["known_at"])
    labelled = of_labelled.assign(late=of_labelled["known_at"] > result_known_at)
    of = labelled.groupby("crossing_id", sort=False)["late"]
    never, some = int(of.min().sum()), int(of.max().sum())
    total = of.ngroups
    findings = []
    if never >= _LATE_CROSSINGS and never >= _LATE_SHARE * total:
        findings.append(
            Finding(
                code="known_after_result",
                severity="warning",
                domain=domain,
                columns=("known_at",),
                sentence=(
                    f"{never} of {total} labelled crossings became known only after the result they are labelled by: "
                    "their columns may hold what the inspection found."
                ),
                numbers={"crossings": never, "labelled": total},
            )
        )
    if some > never:
        findings.append(
            Finding(
                code="revised_after_result",
                severity="notice",
                domain=domain,
                columns=("revision",),
                sentence=(
                    f"{some - never} of {total} labelled crossings were lodged again after their result was known: "
                    "train on the revision before it."
                ),
                numbers={"crossings": some - never, "labelled": total},
            )
        )
    return findings


def _filled_after_inspection(rows: Rows, inspections: pd.DataFrame, domain: str) -> list[Finding]:
    """Blame extensions that are filled for inspected crossings and empty for all others, hit or not."""
    done = inspections[(inspections["domain"] == domain) & (inspections["status"] != "not_done")]
    inspected = rows.is_of(done["crossing_id"])
    if min(inspected.sum(), (~inspected).sum()) < _FEWEST_ROWS:
        return []
    findings = []
    for name, missing in rows.is_missing.items():
        if not is_extension(name):
            continue
        when, otherwise = 1 - missing[inspected].mean(), 1 - missing[~inspected].mean()
        if when >= _FILLED_WHEN_INSPECTED and otherwise <= _FILLED_OTHERWISE:
            findings.append(
                Finding(
                    code="filled_after_inspection",
                    severity="warning",
                    domain=domain,
                    columns=(name,),
                    sentence=(
                        f"{name} is filled for {when:.0%} of inspected crossings and {otherwise:.1%} of the others: it "
                        "is written at the inspection and is not there when a crossing is scored."
                    ),
                    numbers={"filled_inspected": float(when), "filled_otherwise": float(otherwise)},
                )
            )
    return findings


def _equals_result(rows: Rows, inspections: pd.DataFrame, domain: str) -> list[Finding]:
    hits = inspections[(inspections["domain"] == domain) & inspections["found"].astype(bool)]
    hits = hits.drop_duplicates("crossing_id", keep="last").set_index("crossing_id")
    own = rows.is_of(hits.index.to_series()) & (rows.hit == 1.0)
    if own.sum() < _FEWEST_EQUAL:
        return []
    of = hits.reindex(rows.crossing_ids[rows.crossing[own]])
    findings = []
    for name in rows.codes:
        if found := _equal_to(name, rows.column_at(name, own), of):
            result, share = found
            findings.append(
                Finding(
                    code="equals_result",
                    severity="warning",
                    domain=domain,
                    columns=(name,),
                    sentence=(
                        f"{name} equals {result} of the inspection in {share:.0%} of the hits: it was corrected after "
                        "the inspection and is not what was lodged."
                    ),
                    numbers={"share_equal": share},
                )
            )
    return findings


def _equal_to(name: str, values: pd.Series, of: pd.DataFrame) -> tuple[str, float] | None:
    """Name the result column that a crossing column repeats, with the share of equal rows."""
    if pd.api.types.is_numeric_dtype(values.dtype):
        # With the wrong origin or code the value may be right; where the value was wrong, it cannot be the assessed.
        wrong_value = of["irregularity"].astype("str").str.contains("valu", case=False, na=False).to_numpy(dtype=bool)
        for result in _RESULT_NUMBERS:
            if result == "assessed_value" and not (is_extension(name) or name in _DECLARED_BY_THEN):
                continue
            told = of[result].to_numpy(dtype=float)
            known = (np.nan_to_num(told) > 0) & (wrong_value | (result != "assessed_value"))
            if known.sum() >= _FEWEST_EQUAL:
                share = float(np.isclose(values.to_numpy(dtype=float)[known], told[known], rtol=1e-9).mean())
                if share >= _EQUAL_SHARE:
                    return result, share
        return None
    if not is_extension(name):
        return None
    for result in _RESULT_TEXTS:
        told = of[result].astype("str").to_numpy()
        known = of[result].notna().to_numpy()
        if known.sum() >= _FEWEST_EQUAL:
            share = float((values.astype("str").to_numpy()[known] == told[known]).mean())
            if share >= _EQUAL_SHARE and len(np.unique(told[known])) > 1:
                return result, share
    return None
