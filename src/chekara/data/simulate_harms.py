"""What is hidden at the simulated border, and how it shows in what is declared, weighed and seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from chekara.data.simulate_traders import ALL_GOODS
from chekara.data.simulate_traffic import ABSENT, Traffic, duty_of

Array: TypeAlias = npt.NDArray[Any]
Floats: TypeAlias = npt.NDArray[np.float64]

DOMAINS = ("revenue_fraud", "contraband", "vehicle_crime", "concealed_persons", "sps_violation")
# Value added tax of the Kyrgyz Republic on imports; lost together with duty.
VAT_RATE = 0.12
_KINDS = ("undervaluation", "wrong_mass", "misclassification", "false_origin")


@dataclass(frozen=True, slots=True)
class Harms:
    """The truth, and what is declared in its place.

    Attributes
    ----------
    by_crossing : dict of str to ndarray of shape (n,), bool
        One per domain.
    kind_of_item : ndarray of shape (m,), object
        Kind of revenue fraud of each goods line; None where it is honest.
    revenue_lost : ndarray of shape (m,)
        Duty and value added tax evaded, US dollars.
    item, header : dict of str to ndarray
        Columns that differ from the honest ones, whole columns of shape (m,) and (n,).
    """

    by_crossing: dict[str, Array]
    kind_of_item: Array
    revenue_lost: Floats
    item: dict[str, Array]
    header: dict[str, Array]


def hide_harms(traffic: Traffic, rng: np.random.Generator) -> Harms:
    """Draw who cheats, smuggles or hides, and change what is declared and seen accordingly.

    Parameters
    ----------
    traffic : Traffic
    rng : Generator

    Returns
    -------
    Harms
    """
    n = len(traffic.crossing_ids)
    kind = _draw_revenue_fraud(traffic, rng)
    item, lost = _declare_falsely(traffic, kind, rng)
    night = _is_night(traffic)
    truth = {
        "revenue_fraud": _any_item(traffic, pd.notna(kind)),
        "contraband": rng.random(n) < _contraband_chance(traffic, night),
        "vehicle_crime": rng.random(n) < _vehicle_crime_chance(traffic, night),
        "concealed_persons": rng.random(n) < _concealed_persons_chance(traffic, night),
        "sps_violation": _any_item(traffic, rng.random(len(kind)) < _sps_chance(traffic)),
    }
    return Harms(truth, kind, lost, item, _traces(traffic, truth, rng))


def _any_item(traffic: Traffic, on_item: Array) -> Array:
    return np.bincount(traffic.crossing_of_item, weights=on_item, minlength=len(traffic.crossing_ids)) > 0


def _is_night(traffic: Traffic) -> Array:
    """Between 22 and 5 o'clock in Bishkek (UTC+6)."""
    hour = (traffic.header["occurred_at"].astype("datetime64[h]").astype(np.int64) + 6) % 24
    return (hour >= 22) | (hour < 5)


def _draw_revenue_fraud(traffic: Traffic, rng: np.random.Generator) -> Array:
    """Kind of fraud per goods line: tempted by duty, helped by habit, by night and at the end of a month."""
    m = len(traffic.goods)
    duty = np.array([g.duty_rate for g in ALL_GOODS])[traffic.goods]
    of = traffic.crossing_of_item
    day = traffic.header["occurred_at"].astype("datetime64[D]")
    day_of_month = (day - day.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64)
    chance = 0.042 * traffic.habit * (0.5 + 10.0 * duty)
    chance *= np.where(_is_night(traffic), 1.6, 1.0)[of] * np.where(day_of_month >= 25, 1.3, 1.0)[of]
    chance *= np.where(traffic.item["origin_country"] == "CN", 1.4, 1.0)
    tempted = (traffic.header["movement"][of] == "import") & (traffic.goods >= 0)
    cheats = tempted & (rng.random(m) < np.minimum(chance, 0.75))
    kind = rng.choice(np.array(_KINDS, dtype=object), size=m, p=[0.50, 0.20, 0.16, 0.14])
    # Who has nothing to pass the goods off as, or no duty to save, undervalues instead.
    cover = np.array([g.passed_off_as for g in ALL_GOODS], dtype=object)[traffic.goods]
    free = pd.notna(traffic.item["preference_code"])
    pointless = ((kind == "misclassification") & (cover == "")) | ((kind == "false_origin") & (free | (duty == 0)))
    kind = np.where(pointless, "undervaluation", kind)
    return np.where(cheats, kind, ABSENT).astype(object)


def _declare_falsely(traffic: Traffic, kind: Array, rng: np.random.Generator) -> tuple[dict[str, Array], Floats]:
    m = len(kind)
    item = {name: traffic.item[name].copy() for name in ("declared_value", "net_mass_kg", "gross_mass_kg", "packages")}
    true_value, true_duty = traffic.item["declared_value"], traffic.item["duty_amount"]
    under = kind == "undervaluation"
    item["declared_value"][under] = np.round(item["declared_value"] * rng.uniform(0.2, 0.6, m), 2)[under]
    light = kind == "wrong_mass"
    share = rng.uniform(0.5, 0.85, m)
    for name, digits in (("declared_value", 2), ("net_mass_kg", 0), ("gross_mass_kg", 1), ("packages", 0)):
        item[name][light] = np.maximum(np.round(item[name] * share, digits), 1.0)[light]
    # Rounding a small mass must not lift the net above the gross.
    item["gross_mass_kg"] = np.fmax(item["gross_mass_kg"], item["net_mass_kg"])
    cover = np.array([g.passed_off_as for g in ALL_GOODS], dtype=object)[traffic.goods]
    item["hs_code"] = np.where(kind == "misclassification", cover, traffic.item["hs_code"])
    false_origin = rng.choice(np.array(["KZ", "UZ", "RU"], dtype=object), size=m)
    item["origin_country"] = np.where(kind == "false_origin", false_origin, traffic.item["origin_country"])
    loaded = traffic.goods >= 0
    is_import = (traffic.header["movement"][traffic.crossing_of_item] == "import") & loaded
    duty = duty_of(item["hs_code"], item["origin_country"], item["declared_value"], is_import=is_import)
    item["duty_rate"] = np.where(loaded, duty["duty_rate"], np.nan)
    item["duty_amount"] = np.where(loaded, duty["duty_amount"], np.nan)
    item["preference_code"] = np.where(loaded, duty["preference_code"], ABSENT)
    lost = (true_value + true_duty) * (1 + VAT_RATE) - (item["declared_value"] + item["duty_amount"]) * (1 + VAT_RATE)
    lost -= true_value - item["declared_value"]  # the goods' value itself is nobody's revenue
    return item, np.where(pd.isna(kind), 0.0, np.maximum(np.round(lost, 2), 0.0))


def _contraband_chance(traffic: Traffic, night: Array) -> Floats:
    h = traffic.header
    southern = np.isin(h["crossing_point"], ("BOR-DOBO", "KYZYL-BEL", "DOSTUK"))
    chance = 0.009 * np.where(southern, 3.5, 1.0) * np.where(night, 2.0, 1.0)
    chance *= np.where(np.isin(h["vehicle_type"], ("truck", "van", "other")), 1.5, 0.7)
    return np.asarray(chance * np.where(h["movement"] == "transit", 2.0, 1.0), dtype=np.float64)


def _vehicle_crime_chance(traffic: Traffic, night: Array) -> Floats:
    h = traffic.header
    chance = np.where(np.isin(h["vehicle_type"], ("car", "van")), 0.07, 0.006) * np.where(night, 1.8, 1.0)
    chance *= np.where(h["mode"] == "road", 1.0, 0.0) * np.where(h["load_status"] == "loaded", 0.5, 1.2)
    return np.asarray(chance, dtype=np.float64)


def _concealed_persons_chance(traffic: Traffic, night: Array) -> Floats:
    h = traffic.header
    chance = np.where(np.isin(h["vehicle_type"], ("truck", "van", "bus")), 0.02, 0.0) * np.where(night, 2.5, 1.0)
    chance *= np.where(h["direction"] == "exit", 1.8, 0.6)
    return np.asarray(chance * np.where(h["load_status"] == "empty", 2.0, 1.0), dtype=np.float64)


def _sps_chance(traffic: Traffic) -> Floats:
    """Chance per goods line: foodstuffs and plants, more so fresh ones, in summer and after a long way."""
    chapter = np.array([int(g.hs_code[:2]) for g in ALL_GOODS])[traffic.goods]
    of = traffic.crossing_of_item
    month = traffic.header["occurred_at"].astype("datetime64[M]").astype(np.int64) % 12
    chance = np.where(chapter <= 24, 0.04, 0.0) * np.where(np.isin(chapter, (2, 4, 7, 8)), 2.2, 1.0)
    chance *= np.where((month >= 5) & (month <= 8), 1.8, 1.0)[of]
    chance *= np.where(traffic.header["transit_hours"][of] > 36.0, 2.2, 1.0)
    return np.where(traffic.goods >= 0, np.minimum(chance, 0.5), 0.0)


def _traces(traffic: Traffic, truth: dict[str, Array], rng: np.random.Generator) -> dict[str, Array]:
    """Weighbridge, seals, hours and occupants, with the traces that harms leave on them."""
    h = traffic.header
    n = len(traffic.crossing_ids)
    true_gross = np.bincount(
        traffic.crossing_of_item, weights=np.nan_to_num(traffic.item["gross_mass_kg"]), minlength=n
    )
    extra = np.where(truth["concealed_persons"], rng.uniform(120.0, 700.0, n), 0.0)
    extra += np.where(truth["contraband"], rng.uniform(5.0, 120.0, n), 0.0)
    weighed = np.round((true_gross + extra) * rng.normal(1.0, 0.012, n) + rng.normal(0.0, 15.0, n), -1)
    has_bridge = np.isin(h["vehicle_type"], ("truck", "wagon", "van")) & (rng.random(n) < 0.8)
    seal = h["seal_status"].copy()
    tampered = truth["contraband"] & (seal == "intact") & (rng.random(n) < 0.45)
    seal[tampered] = rng.choice(np.array(["broken", "replaced", "missing"], dtype=object), size=n)[tampered]
    spontaneous = (seal == "intact") & (rng.random(n) < 0.004)
    seal[spontaneous] = "broken"
    slower = np.where(truth["contraband"] | truth["concealed_persons"], rng.uniform(1.0, 2.2, n), 1.0)
    return {
        "weighed_mass_kg": np.where(has_bridge, np.maximum(weighed, 0.0), np.nan),
        "seal_status": seal,
        "transit_hours": np.round(h["transit_hours"] * slower, 1),
    }
