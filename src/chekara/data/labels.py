"""Labels as known at an instant: what inspections say of a crossing, and what they leave unknown.

Unknown is not negative. A crossing has an outcome in a domain only where an inspection that was done says so: a hit,
or a miss by a method that could have made a hit. Everything else has no row here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from chekara.data.coerce import Mask
from chekara.domain import vocabulary as words
from chekara.errors import ConfigurationError

LABEL_COLUMNS = (
    "crossing_id",
    "hit",
    "item_no",
    "known_at",
    "selected_by",
    "propensity",
    "revenue_recovered",
    "seized_value",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRule:
    """What counts as a hit and as a miss in one risk domain; a part of ``model.toml``.

    Attributes
    ----------
    domain : str
    positive_results : tuple of str
        Results with which ``found=true`` is a hit. A find with another result is open: no label. A find without a
        stated result is a hit.
    negative_methods : tuple of str
        Methods that could have found the harm: only their misses are negatives. A clear paper check says nothing of
        contraband.
    unstated_method_makes_negative : bool
        Whether a miss whose method is not stated counts as one by such a method.

    Raises
    ------
    ConfigurationError
        A result or method that the contract does not have, or no positive result at all.

    Examples
    --------
    >>> TargetRule(domain="contraband", negative_methods=("full", "scan", "dog")).positive_results
    ('suspected', 'confirmed')
    """

    domain: str
    positive_results: tuple[str, ...] = ("suspected", "confirmed")
    negative_methods: tuple[str, ...] = words.INSPECTION_METHODS
    unstated_method_makes_negative: bool = True

    def __post_init__(self) -> None:
        possible = ("suspected", "confirmed")
        if not self.positive_results or not set(self.positive_results) <= set(possible):
            raise ConfigurationError(
                "unknown positive result", where=self.domain, hint=f"choose from {', '.join(possible)}"
            )
        if not set(self.negative_methods) <= set(words.INSPECTION_METHODS):
            raise ConfigurationError(
                "unknown negative method", where=self.domain, hint=f"choose from {', '.join(words.INSPECTION_METHODS)}"
            )


def newest_inspections(inspections: pd.DataFrame, known_before: datetime | None = None) -> pd.DataFrame:
    """Return every inspection in the newest revision that was known at an instant.

    Parameters
    ----------
    inspections : DataFrame
        Validated inspections.
    known_before : datetime with offset, optional
        Only revisions with ``known_at`` strictly before it; default all.

    Raises
    ------
    ConfigurationError
        The instant carries no offset.
    """
    known = inspections if known_before is None else inspections[inspections["known_at"] < instant(known_before)]
    newest_first = known.sort_values("revision", ascending=False, kind="stable")
    return newest_first[~newest_first.duplicated("inspection_id")].sort_index()


def first_results(inspections: pd.DataFrame, known_before: datetime | None = None) -> pd.Series[pd.Timestamp]:
    """Return when the first result of each crossing was known, whatever its domain and whatever became of it.

    From then on nothing that is lodged of the crossing is as it was declared before anybody looked.

    Parameters
    ----------
    inspections : DataFrame
        Validated inspections. Those that were not done tell nothing.
    known_before : datetime with offset, optional
        Only results known strictly before it; default all.

    Returns
    -------
    Series
        By ``crossing_id``; crossings without a result are not in it.

    Raises
    ------
    ConfigurationError
        The instant carries no offset.
    """
    done = inspections[inspections["status"] == "done"]
    known = done if known_before is None else done[done["known_at"] < instant(known_before)]
    return known.groupby("crossing_id")["known_at"].min()


def finds_that_stand(inspections: pd.DataFrame) -> Mask:
    """Return which inspections are hits, shape ``(n,)``: found and not overturned, as `Inspection.is_hit` says of one.

    Parameters
    ----------
    inspections : DataFrame
        Validated inspections.

    Examples
    --------
    >>> finds_that_stand(pd.DataFrame({"found": [True, True, False], "result": [None, "overturned", None]})).tolist()
    [True, False, False]
    """
    found = inspections["found"].fillna(False).to_numpy(dtype=bool)
    return np.asarray(found & (inspections["result"].fillna("") != "overturned").to_numpy(dtype=bool), dtype=bool)


def label_crossings(inspections: pd.DataFrame, rule: TargetRule, known_before: datetime | None = None) -> pd.DataFrame:
    """Return one row per crossing with a known outcome in a domain.

    Of each inspection the newest revision known before the instant counts. It says *hit* where something was found
    and stands (``found`` with a positive or no result), *miss* where nothing was found, or the find was overturned,
    by a method that can make a negative, and nothing otherwise: not done, open, or a method that proves nothing.
    Any hit makes the crossing a hit.

    Parameters
    ----------
    inspections : DataFrame
        Validated inspections of any domains.
    rule : TargetRule
    known_before : datetime with offset, optional
        Strictly before it; default: everything known.

    Returns
    -------
    DataFrame
        Sorted by ``crossing_id``, one row each:

        - ``crossing_id`` : str
        - ``hit`` : bool
        - ``item_no`` : Int64, the item of the first item-bound hit; missing means the whole crossing
        - ``known_at`` : datetime64[us, UTC], when the outcome was first known
        - ``selected_by``, ``propensity`` : of the drawn control where a control of the lot gave an outcome, because
          the crossing then belongs to the random arm whatever else was done to it; else of the first that says it
        - ``revenue_recovered``, ``seized_value`` : float64, sums over the hits, missing where none is stated

    Raises
    ------
    ConfigurationError
        The instant carries no offset.
    """
    newest = newest_inspections(inspections, known_before)
    newest = newest[(newest["domain"] == rule.domain) & (newest["status"] == "done")]
    hit, miss = _says_hit(newest, rule), _says_miss(newest, rule)
    told = newest.assign(hit=hit)[hit | miss]
    told = told.sort_values(["crossing_id", "known_at", "inspection_id"], kind="stable")
    any_hit = told.groupby("crossing_id", sort=False)["hit"].transform("any")
    deciding = told[told["hit"] == any_hit]
    labels = _first(deciding)[["crossing_id", "hit", "known_at"]].set_index("crossing_id")
    hits = deciding[deciding["hit"]]
    of_item = _first(hits[hits["item_no"].notna()]).set_index("crossing_id")["item_no"]
    drawn_first = pd.concat([told[told["selected_by"] == "random"], deciding])
    arm = _first(drawn_first).set_index("crossing_id")[["selected_by", "propensity"]]
    amounts = hits.groupby("crossing_id")[["revenue_recovered", "seized_value"]].sum(min_count=1)
    labels["item_no"] = of_item.reindex(labels.index).astype("Int64")
    labels = labels.join(arm).join(amounts)
    return labels.reset_index()[list(LABEL_COLUMNS)]


def control_outcomes(inspections: pd.DataFrame, rule: TargetRule) -> npt.NDArray[np.float64]:
    """Return what each control says of its crossing.

    Parameters
    ----------
    inspections : DataFrame
        Newest revisions, of the rule's domain.
    rule : TargetRule

    Returns
    -------
    ndarray of float64, shape (n,)
        1.0 a hit that stands, 0.0 a miss that proves something, NaN nothing: not done, still open, or made by a
        method that cannot make a negative.
    """
    is_done = (inspections["status"] == "done").to_numpy(dtype=bool)
    says_something = is_done & (_says_hit(inspections, rule) | _says_miss(inspections, rule))
    return np.where(says_something, _says_hit(inspections, rule), np.nan).astype(np.float64)


def instant(value: datetime) -> pd.Timestamp:
    """Return an instant for comparison with history.

    Raises
    ------
    ConfigurationError
        It carries no offset.
    """
    if value.tzinfo is None:
        raise ConfigurationError("an instant needs an offset", hint="for example 2026-01-01T00:00:00+06:00")
    return pd.Timestamp(value)


def parse_instant(text: str, *, where: str) -> datetime:
    """Read an ISO 8601 instant with offset.

    Parameters
    ----------
    text : str
    where : str
        Option that is named in the error.

    Raises
    ------
    ConfigurationError
        It is no instant, or has no offset: noon in Bishkek is not noon in Greenwich.

    Examples
    --------
    >>> parse_instant("2026-01-01T00:00:00+06:00", where="--until").isoformat()
    '2026-01-01T00:00:00+06:00'
    """
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError("not an instant", where=where, hint="for example 2026-01-01T00:00:00+06:00") from None
    if instant.tzinfo is None:
        raise ConfigurationError("an instant needs its offset", where=where, hint="for example +06:00 or Z")
    return instant


def _says_hit(inspections: pd.DataFrame, rule: TargetRule) -> Mask:
    stands = inspections["result"].isna() | inspections["result"].isin(rule.positive_results)
    return (inspections["found"].astype(bool) & stands).to_numpy(dtype=bool)


def _says_miss(inspections: pd.DataFrame, rule: TargetRule) -> Mask:
    found = inspections["found"].to_numpy(dtype=bool)
    overturned = (inspections["result"] == "overturned").to_numpy(dtype=bool)
    open_still = (inspections["result"] == "suspected").to_numpy(dtype=bool)
    able = inspections["method"].isin(rule.negative_methods).to_numpy(dtype=bool)
    if rule.unstated_method_makes_negative:
        able = able | inspections["method"].isna().to_numpy(dtype=bool)
    return np.asarray(able & (overturned | (~found & ~open_still)), dtype=bool)


def _first(ordered: pd.DataFrame) -> pd.DataFrame:
    return ordered[~ordered.duplicated("crossing_id")]
