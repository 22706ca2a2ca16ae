"""What another policy would change: the same history, scored once, under two of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from chekara.data.labels import finds_that_stand, newest_inspections
from chekara.data.sources import History
from chekara.domain.vocabulary import Lane
from chekara.policy.policy import Policy
from chekara.service.lane_history import Strictness, strictest_of
from chekara.service.score_history import PolicyLanes

_LANES = tuple(sorted(Lane, key=lambda lane: lane.strictness))
_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True, slots=True)
class LaneCount:
    """Crossings that one agency finds in one lane at one crossing point, under one policy.

    Attributes
    ----------
    crossings : int
    controlled, found : int
        Of them: those with a control done in a domain that the agency leads there, whoever selected it, and those where
        it was a hit. What was never controlled is unknown, not clear.
    """

    crossings: int = 0
    controlled: int = 0
    found: int = 0


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One agency, lane and crossing point under both policies."""

    crossing_point: str
    agency: str
    lane: Lane
    a: LaneCount
    b: LaneCount


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two policies over one history.

    Attributes
    ----------
    names, digests : tuple of str
        Of A and B.
    crossings : int
    days : float
        From the first to the last of them.
    moved : mapping of (Lane, Lane) to int
        Crossings by their strictest lane under A and under B.
    rows : tuple of ComparedRow
        Where either policy asks for something; by crossing point, agency, strictest lane first.
    notice : str
        Of `unlearned_results`.
    """

    names: tuple[str, str]
    digests: tuple[str, str]
    crossings: int
    days: float
    moved: dict[tuple[Lane, Lane], int]
    rows: tuple[ComparedRow, ...]
    notice: str = ""


def known_results(history: History) -> pd.DataFrame:
    """Return the controls of a history that were done: crossing, domain and whether one of them was a hit.

    Parameters
    ----------
    history : History

    Returns
    -------
    DataFrame
        ``crossing_id``, ``domain``, ``found``; one row per pair.
    """
    inspections = history.inspections
    if inspections.empty:
        none = {"crossing_id": object, "domain": object, "found": bool}
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in none.items()})
    newest = newest_inspections(inspections, inspections["known_at"].max() + pd.Timedelta(microseconds=1))
    done = newest[newest["status"].eq("done").to_numpy(dtype=bool)]
    found = pd.Series(finds_that_stand(done))
    return (
        found.groupby([done["crossing_id"].to_numpy(), done["domain"].to_numpy()])
        .max()
        .rename_axis(["crossing_id", "domain"])
        .reset_index(name="found")
    )


def unlearned_results(history: History, learned_until: datetime | None) -> tuple[pd.DataFrame, str]:
    """Return the results that say something of models: those of crossings that they did not learn from.

    Parameters
    ----------
    history : History
    learned_until : datetime with offset or None
        Before it the crossings were known that models learned from; None where no model serves.

    Returns
    -------
    results : DataFrame
        As of `known_results`; of crossings known at or after the instant where there are any, else all.
    notice : str
        What was left out, or that nothing could be; empty without a model or a result.
    """
    results = known_results(history)
    if learned_until is None or results.empty:
        return results, ""
    first = history.crossings.groupby("crossing_id")["known_at"].min()
    fresh = results[results["crossing_id"].map(first).ge(pd.Timestamp(learned_until)).to_numpy(dtype=bool)]
    since = f"{learned_until:%Y-%m-%d %H:%M} UTC"
    if fresh.empty:
        return results, (
            f"The models that serve may have learned from all {len(results)} results here (known before {since}): "
            "what was found in their lanes is no measure of what they will find."
        )
    return fresh, (
        f"Found and known count {len(fresh)} of {len(results)} results: those of crossings since {since}, "
        "which the models that serve did not learn from."
    )


def compare_policies(
    chunks: Iterable[PolicyLanes], policies: Sequence[Policy], results: pd.DataFrame, notice: str = ""
) -> Comparison:
    """Count what two policies ask for.

    Parameters
    ----------
    chunks : iterable of PolicyLanes
        Lanes under the first and the second policy.
    policies : sequence of Policy
        The two.
    results : DataFrame
        Of `known_results` or `unlearned_results`.
    notice : str
        To be told with the figures.
    """
    moved = np.zeros((len(_LANES), len(_LANES)), dtype=np.int64)
    asked: tuple[list[pd.DataFrame], list[pd.DataFrame]] = ([], [])
    n, begin, end = 0, None, None
    for chunk in chunks:
        size = len(chunk.crossing_id)
        strictest = [strictest_of(lanes, size) for lanes in chunk.lanes]
        np.add.at(moved, (strictest[0], strictest[1]), 1)
        for frames, lanes in zip(asked, chunk.lanes, strict=True):
            frames.extend(_asked(chunk, domain, own, n) for domain, own in lanes.items())
        n += size
        if size:
            begin = chunk.known_at.min() if begin is None else min(begin, chunk.known_at.min())
            end = chunk.known_at.max() if end is None else max(end, chunk.known_at.max())
    days = 1.0 if begin is None or end is None else max(float((end - begin) / _DAY), 1.0)
    counts = [_counts(frames, policy, results) for frames, policy in zip(asked, policies, strict=True)]
    rows = [
        ComparedRow(*key, *(own.get(key, LaneCount()) for own in counts))
        for key in sorted(set(counts[0]) | set(counts[1]), key=lambda key: (key[0], key[1], -key[2].strictness))
    ]
    a, b = policies
    return Comparison(
        names=(a.name, b.name),
        digests=(a.digest, b.digest),
        crossings=n,
        days=days,
        moved={(_LANES[i], _LANES[j]): int(moved[i, j]) for i, j in np.argwhere(moved)},
        rows=tuple(rows),
        notice=notice,
    )


def _asked(chunk: PolicyLanes, domain: str, lanes: Strictness, begins: int) -> pd.DataFrame:
    place = np.flatnonzero(lanes)
    return pd.DataFrame(
        {
            "crossing": begins + place,
            "crossing_id": chunk.crossing_id[place],
            "crossing_point": [str(point or "") for point in chunk.crossing_point[place]],
            "domain": domain,
            "strictness": lanes[place],
        }
    )


def _counts(
    frames: Sequence[pd.DataFrame], policy: Policy, results: pd.DataFrame
) -> dict[tuple[str, str, Lane], LaneCount]:
    """Count crossings once per agency, in the strictest lane of the domains that it leads there."""
    if not frames:
        return {}
    own = pd.concat(frames, ignore_index=True)
    who = ["crossing_id", "crossing_point", "agency"]
    once = _led(own, policy).groupby(["crossing", *who], as_index=False).agg({"strictness": "max"})
    asked = results[results["domain"].isin(policy.domains)].merge(own[who[:2]].drop_duplicates(), on="crossing_id")
    known = _led(asked, policy).groupby(who, as_index=False).agg({"found": "max"})
    once = once.merge(known, how="left", on=who)
    once["controlled"] = once["found"].notna()
    once["found"] = once["found"].eq(True)
    whole = once.groupby(["crossing_point", "agency", "strictness"])
    table = whole.agg({"crossing": "size", "controlled": "sum", "found": "sum"})
    return {
        (str(point), str(agency), _LANES[int(strictness)]): LaneCount(*map(int, row))
        for (point, agency, strictness), row in zip(table.index, table.to_numpy(), strict=True)
    }


def _led(rows: pd.DataFrame, policy: Policy) -> pd.DataFrame:
    """Lay beside rows the agency that leads their domain at their crossing point."""
    pairs = rows[["domain", "crossing_point"]].drop_duplicates()
    places = zip(pairs["domain"], pairs["crossing_point"], strict=True)
    pairs["agency"] = [policy.agencies(domain, point).lead for domain, point in places]
    return rows.merge(pairs, how="left", on=["domain", "crossing_point"])
