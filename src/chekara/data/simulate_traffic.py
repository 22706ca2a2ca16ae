"""Honest traffic of the simulated border: who crosses when and where, with what goods, at which price and mass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from chekara.data.simulate_figures import (
    CORRIDORS,
    EXPORT_DESTINATIONS,
    EXPORTS,
    FREE_TRADE_ORIGINS,
    GOODS,
    POSTS,
    UNION_ORIGINS,
    USUAL_LOAD_KG,
)
from chekara.data.simulate_traders import (
    ALL_GOODS,
    ORIGINS,
    SLOTS,
    STARTS_AT,
    Traders,
    make_fleet,
    make_traders,
    shares_of,
)

Array: TypeAlias = npt.NDArray[Any]
Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

ABSENT: Array = np.array(None, dtype=object)  # an empty text field
SECONDS_A_DAY = 86_400
_UTC_OFFSET_SECONDS = 6 * 3600  # clocks in Bishkek are six hours ahead
# Crossings by hour of the local day, relative.
_HOURS = np.array([2, 1, 1, 1, 2, 3, 4, 6, 8, 9, 9, 8, 7, 8, 8, 8, 7, 6, 5, 5, 4, 4, 3, 3], dtype=float)


@dataclass(frozen=True, slots=True)
class Traffic:
    """What really crosses.

    Attributes
    ----------
    crossing_ids : ndarray of shape (n,)
    header : dict of str to ndarray of shape (n,)
        Header columns by contract name.
    has_goods : ndarray of shape (n,)
    crossing_of_item : ndarray of shape (m,)
        Position of the crossing that each goods line belongs to, ascending.
    item : dict of str to ndarray of shape (m,)
        Item columns by contract name, honestly declared.
    goods : ndarray of shape (m,)
        Position in ``ALL_GOODS``; -1 for the empty line of a crossing without goods.
    habit : ndarray of shape (m,)
        Of the trader behind the line.
    """

    crossing_ids: Array
    header: dict[str, Array]
    has_goods: Array
    crossing_of_item: Ints
    item: dict[str, Array]
    goods: Ints
    habit: Floats


def make_traffic(*, months: int, per_day: int, rng: np.random.Generator) -> Traffic:
    """Draw the crossings of ``months`` months, in order of time.

    Parameters
    ----------
    months, per_day : int
        Above zero.
    rng : Generator

    Returns
    -------
    Traffic
    """
    days = round(months * 365.25 / 12)
    n = days * per_day
    traders = make_traders(max(60, 8 * per_day), rng)
    trader = rng.choice(len(traders.share), size=n, p=traders.share)
    has_goods = rng.random(n) < 0.72
    is_entry = rng.random(n) < 0.64
    slot = rng.integers(0, SLOTS, n)
    partner = traders.origin[trader, slot]
    leaves_with = rng.random(n) < 0.25  # exits that carry Kyrgyz goods; other loaded exits are transit
    post, mode = _choose_posts(partner, rng)
    vehicle_type = _vehicle_types(mode, has_goods, rng)
    header = _header(days, n, post, mode, vehicle_type, has_goods, is_entry, leaves_with, rng)
    ids = np.char.add("KG", np.char.zfill(np.arange(1, n + 1).astype(str), 9)).astype(object)
    lines = _item_counts(vehicle_type, has_goods, rng)
    of = np.repeat(np.arange(n), lines)
    item, goods, habit = _items(of, lines, trader, slot, header, vehicle_type, has_goods, traders, rng)
    return Traffic(ids, header, has_goods, of, item, goods, habit)


def _choose_posts(partner: Ints, rng: np.random.Generator) -> tuple[Ints, Array]:
    """Draw a post for each crossing from the corridors of its partner country."""
    chance = np.zeros((len(ORIGINS), len(POSTS)))
    for row, origin in enumerate(ORIGINS):
        for neighbour, share in CORRIDORS[origin]:
            there = np.array([p.share if p.neighbour == neighbour else 0.0 for p in POSTS])
            chance[row] += share * there / there.sum()
    ladder = np.cumsum(chance, axis=1)
    ladder /= ladder[:, -1:]
    post = (rng.random(len(partner))[:, None] > ladder[partner]).sum(axis=1)
    return post, np.array([p.mode for p in POSTS], dtype=object)[post]


def _vehicle_types(mode: Array, has_goods: Array, rng: np.random.Generator) -> Array:
    by_road = rng.choice(np.array(["truck", "van", "car"], dtype=object), size=len(mode), p=[0.74, 0.18, 0.08])
    without = rng.choice(
        np.array(["car", "bus", "truck", "van"], dtype=object), size=len(mode), p=[0.55, 0.1, 0.2, 0.15]
    )
    kind = np.where(has_goods, by_road, without)
    for name, vehicle in (("air", "aircraft"), ("rail", "wagon"), ("post", "other")):
        kind = np.where(mode == name, vehicle, kind)
    return np.asarray(kind, dtype=object)


def _instants(days: int, n: int, rng: np.random.Generator) -> Array:
    """Seconds of the crossings in UTC, ascending: quieter on Sundays, busier by day and in autumn."""
    day = np.arange(days)
    weekday = (STARTS_AT.astype("datetime64[D]").astype(np.int64) + day + 3) % 7
    weight = np.where(weekday == 6, 0.6, 1.0) * (1.0 + 0.15 * np.sin(2 * np.pi * (day - 180) / 365.25))
    drawn_day = rng.choice(days, size=n, p=shares_of(weight))
    local_hour = rng.choice(24, size=n, p=shares_of(_HOURS))
    second = drawn_day * SECONDS_A_DAY + local_hour * 3600 + rng.integers(0, 3600, n) - _UTC_OFFSET_SECONDS
    return STARTS_AT + np.sort(second).astype("timedelta64[s]")


def _header(
    days: int,
    n: int,
    post: Ints,
    mode: Array,
    vehicle_type: Array,
    has_goods: Array,
    is_entry: Array,
    leaves_with: Array,
    rng: np.random.Generator,
) -> dict[str, Array]:
    occurred_at = _instants(days, n, rng)
    is_ahead = has_goods & (rng.random(n) < 0.18)
    notice = np.where(is_ahead, rng.integers(2 * 3600, 30 * 3600, n), 0).astype("timedelta64[s]")
    fleet = max(60, n // 20)
    vehicle = rng.integers(0, fleet, n)
    on_wheels = np.isin(mode, ("road",))
    plates, countries, carriers = make_fleet(fleet, rng)
    goods_truck = has_goods & np.isin(vehicle_type, ("truck", "wagon"))
    movement = np.where(
        is_entry,
        rng.choice(np.array(["import", "transit", "temporary"], dtype=object), size=n, p=[0.80, 0.17, 0.03]),
        np.where(leaves_with, "export", rng.choice(np.array(["transit", "reexport"], dtype=object), n, p=[0.6, 0.4])),
    )
    empty_words = np.where(np.isin(vehicle_type, ("truck", "van", "wagon")), "empty", "passengers")
    transit_hours = np.round(rng.gamma(6.0, np.where(mode == "air", 1.2, 5.0)), 1)
    return {
        "occurred_at": occurred_at,
        "known_at": occurred_at - notice,
        "crossing_point": np.array([p.code for p in POSTS], dtype=object)[post],
        "direction": np.where(is_entry, "entry", "exit").astype(object),
        "mode": mode,
        "stage": np.where(is_ahead, "pre_arrival", "arrival").astype(object),
        "movement": np.where(has_goods, movement, "none").astype(object),
        "load_status": np.where(has_goods, "loaded", empty_words).astype(object),
        "carrier_id": np.where(rng.random(n) < 0.95, carriers[vehicle], ABSENT),
        "vehicle_id": np.where(on_wheels, plates[vehicle], ABSENT),
        "vehicle_country": np.where(on_wheels, countries[vehicle], ABSENT),
        "vehicle_type": vehicle_type,
        "seal_status": np.where(
            goods_truck,
            rng.choice(np.array(["intact", "none", "replaced"], dtype=object), n, p=[0.80, 0.18, 0.02]),
            ABSENT,
        ),
        "transit_hours": np.where(has_goods | (rng.random(n) < 0.3), transit_hours, np.nan),
        "occupants": _occupants(vehicle_type, on_wheels, rng),
    }


def _occupants(vehicle_type: Array, on_wheels: Array, rng: np.random.Generator) -> Floats:
    mean = np.select([vehicle_type == "bus", vehicle_type == "car", vehicle_type == "van"], [28.0, 1.6, 1.1], 0.3)
    return np.where(on_wheels, 1.0 + rng.poisson(mean), np.nan)


def _item_counts(vehicle_type: Array, has_goods: Array, rng: np.random.Generator) -> Ints:
    drawn = rng.choice(4, size=len(has_goods), p=[0.58, 0.22, 0.12, 0.08]) + 1
    return np.where(has_goods & np.isin(vehicle_type, ("truck", "wagon", "aircraft", "van")), drawn, 1).astype(np.int64)


def _items(
    of: Ints,
    lines: Ints,
    trader: Ints,
    slot: Ints,
    header: dict[str, Array],
    vehicle_type: Array,
    has_goods: Array,
    traders: Traders,
    rng: np.random.Generator,
) -> tuple[dict[str, Array], Ints, Floats]:
    m = len(of)
    first = np.cumsum(lines) - lines
    item_no = np.arange(m) - first[of] + 1
    # Groupage: one truck in four with several lines carries goods of several traders.
    is_groupage = ((lines > 1) & (rng.random(len(lines)) < 0.25))[of] & (item_no > 1)
    who = np.where(is_groupage, rng.choice(len(traders.share), size=m, p=traders.share), trader[of])
    which = np.where(is_groupage, rng.integers(0, SLOTS, m), (slot[of] + item_no - 1) % SLOTS)
    is_export = header["movement"][of] == "export"
    exported = len(GOODS) + rng.choice(len(EXPORTS), size=m, p=shares_of([g.share for g in EXPORTS]))
    loaded = has_goods[of]
    goods = np.where(loaded, np.where(is_export, exported, traders.goods[who, which]), -1)
    # A line's goods come from where its trader buys them; one in fourteen comes from another country.
    origin = np.array(ORIGINS, dtype=object)[
        np.where(rng.random(m) < 0.07, rng.integers(0, len(ORIGINS), m), traders.origin[who, which])
    ]
    origin = np.where(is_export, "KG", origin).astype(object)
    mass, value = _mass_and_value(goods, who, which, origin, vehicle_type[of], lines[of], traders, rng)
    column = _parties(of, item_no, who, origin, is_export, header, traders, rng)
    column |= _measures(goods, mass, value, rng)
    column |= duty_of(column["hs_code"], column["origin_country"], value, is_import=header["movement"][of] == "import")
    for name, values in column.items():
        if name != "item_no":
            column[name] = _only_where(loaded, values)
    return column, goods, traders.habit[who]


def _only_where(loaded: Array, values: Array) -> Array:
    if values.dtype == object:
        return np.where(loaded, values, ABSENT)
    if values.dtype.kind == "M":
        return np.where(loaded, values, np.datetime64("NaT"))
    return np.where(loaded, values, np.nan)


def _mass_and_value(
    goods: Ints,
    who: Ints,
    which: Ints,
    origin: Array,
    vehicle_type: Array,
    lines: Ints,
    traders: Traders,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """Draw true net mass, kg, and honest customs value, US dollars."""
    m = len(goods)
    load = np.zeros(m)
    for kind, usual in USUAL_LOAD_KG.items():
        load[vehicle_type == kind] = usual
    mass = np.maximum(np.round(load / lines * rng.lognormal(0.0, 0.45, m), 0), 1.0)
    is_standard = traders.ships_standard[who] & (which == 0) & np.isin(vehicle_type, ("truck", "wagon"))
    mass = np.where(is_standard, traders.standard_mass_kg[who, which], mass)
    usual_price = np.array([g.usd_per_kg for g in ALL_GOODS])[goods]
    spread = np.array([g.spread for g in ALL_GOODS])[goods]
    # Prices differ by origin in a way that stays: one factor per goods and origin.
    by_origin = rng.normal(0.0, 0.12, (len(ALL_GOODS), len(ORIGINS) + 1))
    position = np.full(m, len(ORIGINS))
    for k, country in enumerate(ORIGINS):
        position[origin == country] = k
    noise = np.where(is_standard, 0.0, spread * rng.standard_normal(m))
    price = usual_price * np.exp(by_origin[goods, position] + traders.quality[who] + noise)
    return mass, np.maximum(np.round(price * mass, 2), 1.0)


def _parties(
    of: Ints,
    item_no: Ints,
    who: Ints,
    origin: Array,
    is_export: Array,
    header: dict[str, Array],
    traders: Traders,
    rng: np.random.Generator,
) -> dict[str, Array]:
    neighbour = np.array([p.neighbour for p in POSTS], dtype=object)
    codes = np.array([p.code for p in POSTS], dtype=object)
    order = np.argsort(codes.astype(str))
    there = neighbour[order[np.searchsorted(codes[order].astype(str), header["crossing_point"].astype(str))]][of]
    abroad = np.where((there == "KG") | (rng.random(len(of)) < 0.6), origin, there)
    destinations = np.array([c for c, _ in EXPORT_DESTINATIONS], dtype=object)
    bound_for = rng.choice(destinations, size=len(of), p=shares_of([s for _, s in EXPORT_DESTINATIONS]))
    is_import = header["movement"][of] == "import"
    procedure = np.array(["40", "10", "80", "53", "31", "80"], dtype=object)
    movements = np.array(["import", "export", "transit", "temporary", "reexport", "none"], dtype=object)
    of_movement = (header["movement"][of][:, None] == movements).argmax(axis=1)
    return {
        "item_no": item_no.astype(float),
        "declaration_id": np.char.add("D", (of + 1).astype(str)).astype(object),
        "procedure": procedure[of_movement],
        "importer_id": np.where(is_export, ABSENT, traders.ids[who]),
        "exporter_id": np.where(is_export, traders.ids[who], ABSENT),
        "declarant_id": traders.declarant[who],
        "origin_country": origin,
        "dispatch_country": np.where(is_export, "KG", abroad).astype(object),
        "destination_country": np.where(is_import, "KG", bound_for).astype(object),
        "valuation_method": np.where(rng.random(len(of)) < 0.9, "1", "6").astype(object),
        "authorised_operator": traders.authorised[who].astype(float),
        "importer_registered_at": np.where(is_export, np.datetime64("NaT"), traders.registered_at[who]),
    }


def _measures(goods: Ints, mass_kg: Floats, value: Floats, rng: np.random.Generator) -> dict[str, Array]:
    hs_code = np.array([g.hs_code for g in ALL_GOODS], dtype=object)[goods]
    kg_per_piece = np.array([g.kg_per_piece for g in ALL_GOODS])[goods]
    with np.errstate(divide="ignore"):
        pieces = np.where(kg_per_piece > 0, np.maximum(np.round(mass_kg / kg_per_piece), 1.0), np.nan)
    packing = 1.0 + rng.gamma(3.0, 0.015, len(goods))
    return {
        "hs_code": hs_code,
        "goods_description": np.array([g.description for g in ALL_GOODS], dtype=object)[goods],
        "declared_value": value,
        "net_mass_kg": mass_kg,
        "gross_mass_kg": np.round(mass_kg * packing, 1),
        "quantity": pieces,
        "quantity_unit": np.where(np.isnan(pieces), ABSENT, "H87"),
        "packages": np.maximum(np.round(mass_kg / rng.choice(np.array([12.0, 20.0, 25.0, 40.0]), len(goods))), 1.0),
    }


def duty_of(hs_code: Array, origin: Array, value: Floats, *, is_import: Array) -> dict[str, Array]:
    """Duty that a declaration leads to: rate by HS code, none with a preference or outside import.

    Parameters
    ----------
    hs_code, origin : ndarray of shape (m,), object
        As declared.
    value : ndarray of shape (m,)
        Declared customs value, US dollars.
    is_import : ndarray of shape (m,), bool

    Returns
    -------
    dict of str to ndarray of shape (m,)
        ``duty_rate`` (fraction), ``duty_amount`` (US dollars) and ``preference_code``.
    """
    rate_by_code = {g.hs_code: g.duty_rate for g in ALL_GOODS}
    codes, inverse = np.unique(hs_code.astype(str), return_inverse=True)
    rate = np.array([rate_by_code.get(str(code), 0.0) for code in codes])[inverse]
    preference = np.full(len(origin), None, dtype=object)
    preference[np.isin(origin.astype(str), UNION_ORIGINS)] = "EAEU"
    preference[np.isin(origin.astype(str), FREE_TRADE_ORIGINS)] = "CIS"
    rate = np.where(pd.isna(preference) & is_import, rate, 0.0)
    return {
        "duty_rate": rate,
        "duty_amount": np.round(value * rate, 2),
        "preference_code": np.where(is_import, preference, ABSENT),
    }
