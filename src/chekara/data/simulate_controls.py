"""Who is inspected at the simulated border, how, and what becomes known when.

Selection is biased on purpose: rules look at what they always looked at, officers have a nose that is a little
better than chance, and only the lot is fair. Detection is below 100 %, results take their time, and a few hits are
overturned by a laboratory or a court months later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from chekara.data.simulate_harms import DOMAINS, Harms
from chekara.data.simulate_traders import ALL_GOODS
from chekara.data.simulate_traffic import ABSENT, Traffic

Array: TypeAlias = npt.NDArray[Any]
Floats: TypeAlias = npt.NDArray[np.float64]

LOT_PROPENSITY = 0.02
_NOT_DONE_SHARE = 0.04  # drawn by the lot, but the crossing was let go
_OVERTURNED_SHARE = 0.03


@dataclass(frozen=True, slots=True)
class _Practice:
    """How a domain is inspected: its agency, methods with share and detection, and typical days until known."""

    agency: str
    methods: tuple[tuple[str, float, float], ...]
    days_until_known: float
    officer_rate: float


_PRACTICE: dict[str, _Practice] = {
    "revenue_fraud": _Practice(
        "customs", (("documents", 0.45, 0.60), ("partial", 0.35, 0.85), ("full", 0.20, 0.95)), 4.0, 0.040
    ),
    "contraband": _Practice("customs", (("scan", 0.50, 0.75), ("dog", 0.25, 0.70), ("full", 0.25, 0.92)), 1.0, 0.025),
    "vehicle_crime": _Practice("internal_affairs", (("documents", 0.60, 0.70), ("full", 0.40, 0.95)), 2.0, 0.025),
    "concealed_persons": _Practice("border_service", (("scan", 0.60, 0.80), ("full", 0.40, 0.97)), 0.2, 0.025),
    "sps_violation": _Practice("agriculture", (("documents", 0.55, 0.50), ("laboratory", 0.45, 0.92)), 6.0, 0.025),
}


def inspect_crossings(traffic: Traffic, harms: Harms, rng: np.random.Generator) -> pd.DataFrame:
    """Select and inspect crossings in every domain.

    Parameters
    ----------
    traffic : Traffic
    harms : Harms
    rng : Generator

    Returns
    -------
    DataFrame
        The contract's ``inspections`` table, in order of ``inspected_at``; overturned results come as revision 1.
    """
    in_lot = rng.random(len(traffic.crossing_ids)) < LOT_PROPENSITY
    lot_done = rng.random(len(in_lot)) >= _NOT_DONE_SHARE
    # Items, and so values to assess, differ from what was declared only where revenue was evaded.
    worst_item = _worst_items(traffic, harms)
    tables = [_inspect_domain(domain, traffic, harms, in_lot, lot_done, worst_item, rng) for domain in DOMAINS]
    table = pd.concat(tables, ignore_index=True)
    for name in ("inspected_at", "known_at"):
        table[name] = table[name].dt.tz_localize("UTC")
    order = np.lexsort((table["domain"], table["crossing_id"], table["inspected_at"]))
    table = table.iloc[order].reset_index(drop=True)
    table.insert(0, "inspection_id", [f"I{i:09d}" for i in range(1, len(table) + 1)])
    return pd.concat([table, _overturn(table, rng)], ignore_index=True)


def _worst_items(traffic: Traffic, harms: Harms) -> npt.NDArray[np.int64]:
    """Position of the goods line of each crossing that evades most; its first line where none does."""
    n = len(traffic.crossing_ids)
    cheats = pd.notna(harms.kind_of_item)
    order = np.lexsort((-np.arange(len(cheats)), harms.revenue_lost, cheats, traffic.crossing_of_item))
    last = np.cumsum(np.bincount(traffic.crossing_of_item, minlength=n)) - 1
    return order[last]


def _rule_chance(domain: str, traffic: Traffic, harms: Harms) -> Floats:
    """Chance that today's rules pick a crossing: old habits of selection, per domain."""
    h = traffic.header
    n = len(traffic.crossing_ids)
    loaded = traffic.has_goods
    of = traffic.crossing_of_item
    if domain == "revenue_fraud":
        rate = np.bincount(of, weights=np.nan_to_num(harms.item["duty_rate"]) > 0.08, minlength=n) > 0
        from_china = np.bincount(of, weights=traffic.item["origin_country"] == "CN", minlength=n) > 0
        chance = 0.06 + 0.08 * rate + 0.08 * from_china + 0.06 * (h["crossing_point"] == "TORUGART")
        return np.where(loaded & (h["movement"] == "import"), chance, 0.0)
    if domain == "sps_violation":
        chapter = np.array([int(g.hs_code[:2]) for g in ALL_GOODS])[traffic.goods]
        food = np.bincount(of, weights=(traffic.goods >= 0) & (chapter <= 24), minlength=n) > 0
        return np.where(food, 0.16, 0.0)
    if domain == "contraband":
        seal = np.isin(harms.header["seal_status"].astype(str), ("broken", "replaced", "missing"))
        return np.where(loaded, 0.05 + 0.30 * seal + 0.07 * np.isin(h["crossing_point"], ("BOR-DOBO", "DOSTUK")), 0.01)
    if domain == "vehicle_crime":
        return np.where(np.isin(h["vehicle_type"], ("car", "van")), 0.12, 0.01)
    return np.where(np.isin(h["vehicle_type"], ("truck", "van", "bus")) & (h["direction"] == "exit"), 0.10, 0.01)


def _applies(domain: str, traffic: Traffic) -> Array:
    if domain in ("revenue_fraud", "sps_violation"):
        return traffic.has_goods
    if domain == "vehicle_crime":
        return np.asarray(traffic.header["mode"] == "road")
    return np.ones(len(traffic.crossing_ids), dtype=bool)


def _inspect_domain(
    domain: str,
    traffic: Traffic,
    harms: Harms,
    in_lot: Array,
    lot_done: Array,
    worst_item: npt.NDArray[np.int64],
    rng: np.random.Generator,
) -> pd.DataFrame:
    n = len(in_lot)
    practice = _PRACTICE[domain]
    truth = harms.by_crossing[domain]
    applies = _applies(domain, traffic)
    by_rule = rng.random(n) < _rule_chance(domain, traffic, harms)
    by_officer = rng.random(n) < practice.officer_rate * np.where(truth, 4.0, 1.0)
    chosen = np.flatnonzero(applies & (in_lot | by_rule | by_officer))
    drawn = in_lot[chosen]
    done = np.where(drawn, lot_done[chosen], True)
    k = len(chosen)
    method, detection = _methods(practice, drawn, rng)
    found = done & truth[chosen] & (rng.random(k) < detection)
    found |= done & ~truth[chosen] & (rng.random(k) < 0.003)  # an innocent irregularity, taken for a hit
    inspected_at = traffic.header["occurred_at"][chosen] + _seconds(rng.gamma(2.0, 2.0, k) + 1.5)
    days = rng.gamma(1.2, practice.days_until_known / 1.2, k) * np.where(found, 1.5, 1.0)
    selected_by = np.where(drawn, "random", np.where(by_rule[chosen], "rule", "officer"))
    frame = pd.DataFrame(
        {
            "crossing_id": traffic.crossing_ids[chosen],
            "domain": domain,
            "inspected_at": inspected_at,
            "known_at": inspected_at + _seconds(24.0 * days + 0.3),
            "selected_by": selected_by,
            "found": found,
            "propensity": np.where(drawn, LOT_PROPENSITY, np.nan),
            "revision": 0,
            "control_id": np.char.add("C", (chosen + 1).astype(str)),
            "agency": practice.agency,
            "inspector_id": [f"OFFICER{i:04d}" for i in rng.integers(1, 241, k)],
            "status": np.where(done, "done", "not_done"),
            "method": np.where(done, method, ABSENT),
            "result": np.where(
                done, np.where(found, np.where(rng.random(k) < 0.8, "confirmed", "suspected"), "clear"), ABSENT
            ),
        }
    )
    return frame.assign(**_consequences(domain, traffic, harms, chosen, found, worst_item[chosen], rng))


def _methods(practice: _Practice, drawn: Array, rng: np.random.Generator) -> tuple[Array, Floats]:
    """Draw method and chance of detection; the lot always uses the most thorough method, so that its rate is honest."""
    shares = np.array([share for _, share, _ in practice.methods])
    which = rng.choice(len(shares), size=len(drawn), p=shares / shares.sum())
    which = np.where(drawn, len(shares) - 1, which)
    names = np.array([name for name, _, _ in practice.methods], dtype=object)
    return names[which], np.array([chance for _, _, chance in practice.methods])[which]


def _seconds(hours: Floats) -> Array:
    return np.round(hours * 3600).astype("timedelta64[s]")


def _consequences(
    domain: str,
    traffic: Traffic,
    harms: Harms,
    chosen: npt.NDArray[np.int64],
    found: Array,
    item: npt.NDArray[np.int64],
    rng: np.random.Generator,
) -> dict[str, Array]:
    """Say what a hit leads to: item and kind, assessed value and revenue, or what was seized."""
    k = len(chosen)
    empty: Floats = np.full(k, np.nan)
    if domain == "revenue_fraud":
        kind = harms.kind_of_item[item]
        is_true = found & pd.notna(kind)
        value = np.where(is_true, traffic.item["declared_value"][item], np.nan)
        return {
            "item_no": np.where(is_true, traffic.item["item_no"][item], np.nan),
            "irregularity": np.where(is_true, kind, ABSENT),
            "seizure_kind": np.full(k, None, dtype=object),
            "seized_value": empty,
            "assessed_value": value,
            "revenue_recovered": np.where(found, np.where(is_true, harms.revenue_lost[item], 0.0), np.nan),
        }
    seized = found & (rng.random(k) < 0.8) & (domain in ("contraband", "vehicle_crime", "sps_violation"))
    kinds = {"contraband": ("narcotics", "tobacco", "medicines"), "vehicle_crime": ("vehicle",)}.get(domain, ("goods",))
    return {
        "item_no": empty,
        "irregularity": np.full(k, None, dtype=object),
        "seizure_kind": np.where(seized, np.array(kinds, dtype=object)[rng.integers(0, len(kinds), k)], ABSENT),
        "seized_value": np.where(seized, np.round(rng.lognormal(8.0, 1.2, k), 2), np.nan),
        "assessed_value": empty,
        "revenue_recovered": empty,
    }


def _overturn(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Second revisions of the few hits that a laboratory or a court does not uphold."""
    hits = table[table["found"]]
    overturned = hits[rng.random(len(hits)) < _OVERTURNED_SHARE].copy()
    months_later = _seconds(24.0 * rng.uniform(30.0, 150.0, len(overturned)))
    overturned["known_at"] = overturned["known_at"] + months_later
    overturned["revision"] = 1
    overturned["found"] = False
    overturned["result"] = "overturned"
    overturned[["revenue_recovered", "seized_value", "assessed_value"]] = np.nan
    return overturned
