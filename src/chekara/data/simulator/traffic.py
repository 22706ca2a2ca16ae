"""Honest traffic of a week: who crosses when and where, by what, with which goods, at which price and mass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chekara.data.simulator.actors import (
    AIRCRAFT,
    CARRIER_SHARES,
    SLOT_SHARES,
    TRUCK,
    VAN,
    VEHICLE_TYPES,
    WAGON,
    Actors,
)
from chekara.data.simulator.flow import (
    EMPTY,
    EXPORT,
    IMPORT,
    LOADED,
    NO_MOVEMENT,
    PASSENGERS,
    REEXPORT,
    TEMPORARY,
    TRANSIT,
    Flow,
    join,
)
from chekara.data.simulator.state import State
from chekara.data.simulator.world import SECONDS_A_DAY, Array, Floats, Ints, Mask, World, draw

SIDE_GOODS = 0.03
ELSEWHERE = 0.07
JOURNEYS = ("import", "transit", "export", "passengers", "empty")


@dataclass(frozen=True, slots=True)
class Calendar:
    """Days of one week that lie within the simulation, and what they are like.

    Attributes
    ----------
    first_day : int
    weight : ndarray
        Relative traffic of each day.
    month : int
        Of the year, 0 to 11, in the middle of the week.
    month_since_start : float
    is_open : ndarray of shape (n_posts,)
    """

    first_day: int
    weight: Floats
    month: int
    month_since_start: float
    is_open: Mask


def calendar_of(world: World, week: int, days: int) -> Calendar:
    """Describe a week.

    Parameters
    ----------
    world : World
    week : int
        From 0.
    days : int
        Length of the simulation.

    Returns
    -------
    Calendar
    """
    first = 7 * week
    day = np.arange(first, min(first + 7, days))
    date = world.starts_on.astype("datetime64[D]") + day
    weekday = (date.astype(np.int64) + 3) % 7
    month = date.astype("datetime64[M]").astype(np.int64) % 12
    season = world.file["season"]
    weight = np.array(season["traffic"])[month] * np.where(weekday == 6, season["sunday"], 1.0)
    is_open = world.posts.from_month <= first / 30.44
    for closure in world.file["closures"]:
        today = str(date[len(date) // 2])[5:]
        start, end = closure["from"], closure["to"]
        is_closed = start <= today <= end if start <= end else today >= start or today <= end
        is_open = is_open & ~((world.posts.code == closure["post"]) & is_closed)
    return Calendar(first, weight, int(month[len(month) // 2]), first / 30.44, is_open)


def usual_log_price(world: World, calendar: Calendar, goods: Ints, origin: Ints, by_origin: Floats) -> Floats:
    """Logarithm of the usual price, US dollars per kg, of goods of an origin in a week.

    Parameters
    ----------
    world : World
    calendar : Calendar
    goods, origin : ndarray of shape (m,)
        Positions; -1 and the number of origins stand for none and for the country itself.
    by_origin : ndarray
        Of ``prices_by_origin``.

    Returns
    -------
    ndarray of shape (m,)
    """
    drift = np.log1p(world.file["goods"]["price_drift_a_year"]) * calendar.month_since_start / 12
    phase = 2 * np.pi * (calendar.month_since_start / 14.0 + 0.37 * goods)
    swing = world.file["goods"]["price_wave"] * np.sqrt(2.0) * np.sin(phase)
    return np.asarray(np.log(world.goods.usd_per_kg[goods]) + by_origin[goods, origin] + drift + swing)


def prices_by_origin(world: World, rng: np.random.Generator) -> Floats:
    """How much dearer goods of each origin are, as a logarithm, for good; the last column is the country itself."""
    return rng.normal(0.0, 0.12, (len(world.goods.hs_code), len(world.origins) + 1))


def draw_week(
    world: World,
    actors: Actors,
    state: State,
    calendar: Calendar,
    by_origin: Floats,
    per_day: int,
    rng: np.random.Generator,
) -> Flow:
    """Draw the crossings of a week in order of time; ways back that lie later stay in ``state.in_flight``.

    Parameters
    ----------
    world : World
    actors : Actors
    state : State
        Its ``in_flight`` is replaced.
    calendar : Calendar
    by_origin : ndarray
        Of ``prices_by_origin``.
    per_day : int
    rng : Generator

    Returns
    -------
    Flow
        What really crosses, honestly declared.
    """
    shares = {name: world.file["journeys"][name] for name in JOURNEYS}
    a_journey = sum(s["share"] * (1 + s["way_back"]) for s in shares.values())
    n = int(rng.poisson(per_day * calendar.weight.sum() / 0.943 / a_journey))
    ways = _first_ways(
        world, actors, state, calendar, draw(np.array([s["share"] for s in shares.values()]), n, rng), rng
    )
    first = _with_items(world, actors, calendar, by_origin, ways, rng)
    back = _ways_back(world, actors, calendar, by_origin, first, rng)
    all_ways = join([first, back] if state.in_flight is None else [first, back, state.in_flight])
    end = (calendar.first_day + len(calendar.weight)) * SECONDS_A_DAY
    now = all_ways.header["second"] < end
    state.in_flight = all_ways.take(np.flatnonzero(~now))
    due = np.flatnonzero(now)
    return all_ways.take(due[np.argsort(all_ways.header["second"][due], kind="stable")])


def _first_ways(
    world: World, actors: Actors, state: State, calendar: Calendar, journey: Ints, rng: np.random.Generator
) -> dict[str, Array]:
    n = len(journey)
    importers = actors.importers
    is_active = (importers.first_day <= calendar.first_day) & (importers.last_day >= calendar.first_day)
    weights = importers.share * is_active if is_active.any() else importers.share
    trader = draw(weights, n, rng)
    slot = draw(SLOT_SHARES, n, rng)
    is_private = (journey == 3) & (rng.random(n) < 0.93)
    post = _posts_of(world, calendar, importers.origin[trader, slot], importers.post[trader, slot], rng)
    road = np.flatnonzero((world.posts.mode == "road") & calendar.is_open)
    anywhere = road[draw(world.posts.share[road] * np.where(world.posts.neighbour[road] == "CN", 0.4, 1.0), n, rng)]
    post = np.where(np.isin(journey, (3, 4)), anywhere, post)
    carrier = importers.carrier[trader, world.posts.corridor[post], draw(CARRIER_SHARES, n, rng)]
    carrier = np.where(is_private, -1, carrier)
    vehicle = _vehicles_of(actors, carrier, rng)
    header = {
        "second": _seconds(world, calendar, n, rng),
        "journey_kind": journey,
        "trader": trader,
        "slot": slot,
        "post": post,
        "is_entry": np.where(journey == 2, False, np.where(journey == 3, rng.random(n) < 0.5, True)),
        "carrier": carrier,
        "vehicle": vehicle,
        "said_carrier": np.where(carrier >= 0, carrier, actors.vehicles.firm[vehicle]),
        "kind": actors.vehicles.kind[vehicle],
        "trailer": np.where(actors.vehicles.kind[vehicle] == TRUCK, _trailers_of(actors, carrier, rng), -1),
        "journey": rng.integers(0, 2**40, n),
    }
    return _crews_choose(world, actors, state, calendar, header, rng)


def _posts_of(world: World, calendar: Calendar, origin: Ints, favourite: Ints, rng: np.random.Generator) -> Ints:
    """Take the favourite post where it is open, and any other that goods of the origin take now and then."""
    chance = world.chance_of_post * calendar.is_open
    chance = np.where(chance.sum(axis=1, keepdims=True) > 0, chance, world.chance_of_post)
    ladder = np.cumsum(chance, axis=1)
    ladder /= ladder[:, -1:]
    other = (rng.random(len(origin))[:, None] > ladder[origin]).sum(axis=1)
    stays = calendar.is_open[favourite] & (rng.random(len(origin)) < 0.82)
    return np.where(stays, favourite, other)


def _vehicles_of(actors: Actors, carrier: Ints, rng: np.random.Generator) -> Ints:
    n = len(carrier)
    owned = actors.carriers.n_vehicles[carrier]
    of_fleet = actors.carriers.first_vehicle[carrier] + np.floor(owned * rng.random(n) ** 1.6).astype(int)
    private = actors.vehicles.n_fleet + draw(actors.vehicles.share, n, rng)
    return np.where(carrier >= 0, of_fleet, private)


def _trailers_of(actors: Actors, carrier: Ints, rng: np.random.Generator) -> Ints:
    """Trailers are numbered like vehicles: each carrier has as many as it has vehicles."""
    owned = actors.carriers.n_vehicles[carrier]
    return np.asarray(actors.carriers.first_vehicle[carrier] + np.floor(owned * rng.random(len(carrier))).astype(int))


def _crews_choose(
    world: World, actors: Actors, state: State, calendar: Calendar, header: dict[str, Array], rng: np.random.Generator
) -> dict[str, Array]:
    """Let rings, gangs and networks send a part of their journeys by the post that they work at now."""
    n = len(header["post"])
    harms = world.file["harms"]
    is_road = world.posts.mode[header["post"]] == "road"
    ring = np.where(header["carrier"] >= 0, state.ring_of_carrier[header["carrier"]], -1)
    network = np.where(header["carrier"] >= 0, state.network_of_carrier[header["carrier"]], -1)
    gang = gang_now(actors, state, header["vehicle"], calendar)
    for name, crew, trips in (
        ("ring", ring, harms["contraband"]["ring_trips"]),
        ("network", network, harms["concealed_persons"]["network_trips"]),
        ("gang", gang, harms["vehicle_crime"]["gang_trips"]),
    ):
        goes = (crew >= 0) & is_road & (rng.random(n) < trips)
        header["post"] = np.where(goes, state.post[name][crew], header["post"])
    return header


def gang_now(actors: Actors, state: State, vehicle: Ints, calendar: Calendar) -> Ints:
    """Gang that drives under a copy of each vehicle's plate this week; -1 for none.

    Parameters
    ----------
    actors : Actors
    state : State
    vehicle : ndarray of shape (n,)
    calendar : Calendar

    Returns
    -------
    ndarray of shape (n,)
    """
    vehicles = actors.vehicles
    in_use = (vehicles.gang_from[vehicle] <= calendar.first_day) & (vehicles.gang_to[vehicle] > calendar.first_day)
    return np.where(in_use, state.gang_of_vehicle[vehicle], -1)


def _seconds(world: World, calendar: Calendar, n: int, rng: np.random.Generator) -> Ints:
    day = calendar.first_day + draw(calendar.weight, n, rng)
    hour = draw(np.array(world.file["season"]["hours"], dtype=float), n, rng) - world.file["utc_offset_hours"]
    return np.asarray(np.maximum(day * SECONDS_A_DAY + hour * 3600 + rng.integers(0, 3600, n), 0))


def _with_items(
    world: World,
    actors: Actors,
    calendar: Calendar,
    by_origin: Floats,
    header: dict[str, Array],
    rng: np.random.Generator,
) -> Flow:
    journey = header["journey_kind"]
    n = len(journey)
    movement = np.select(
        [journey == 0, journey == 1, journey == 2],
        [np.where(rng.random(n) < 0.96, IMPORT, TEMPORARY), TRANSIT, np.where(rng.random(n) < 0.9, EXPORT, REEXPORT)],
        NO_MOVEMENT,
    )
    has_goods = journey <= 2
    can_be_empty = np.isin(header["kind"], (TRUCK, WAGON)) | (header["carrier"] >= 0)
    load = np.where(has_goods, LOADED, np.where(can_be_empty, EMPTY, PASSENGERS))
    groups = actors.carriers.does_groupage[header["carrier"]] & (header["carrier"] >= 0) & (rng.random(n) < 0.5)
    several = draw(np.array([0.62, 0.21, 0.11, 0.06]), n, rng) + 1
    lines = np.where(groups, rng.integers(3, 11, n), several)
    can_carry = np.isin(header["kind"], (TRUCK, WAGON, AIRCRAFT, VAN))
    lines = np.where(has_goods & can_carry, lines, 1)
    header = {**header, "movement": movement, "load": load, "is_groupage": groups & has_goods}
    of = np.repeat(np.arange(n), lines)
    return Flow(header, _items(world, actors, calendar, by_origin, header, of, lines, rng), lines)


def _items(
    world: World,
    actors: Actors,
    calendar: Calendar,
    by_origin: Floats,
    header: dict[str, Array],
    of: Ints,
    lines: Ints,
    rng: np.random.Generator,
) -> dict[str, Array]:
    m = len(of)
    importers = actors.importers
    place = np.arange(m) - (np.cumsum(lines) - lines)[of]
    is_active = (importers.first_day <= calendar.first_day) & (importers.last_day >= calendar.first_day)
    weights = importers.share * is_active if is_active.any() else importers.share
    is_other = header["is_groupage"][of] & (place > 0)
    trader = np.where(is_other, draw(weights, m, rng), header["trader"][of])
    slot = np.where(is_other, draw(SLOT_SHARES, m, rng), (header["slot"][of] + place) % 3)
    is_export = np.isin(header["movement"][of], (EXPORT,))
    exported = world.n_imports + draw(world.goods.share[world.n_imports :], m, rng)
    goods = importers.goods[trader, slot]
    # What is not traded yet is replaced by the trader's other goods, or by whatever is.
    known = np.flatnonzero(world.goods.from_month[: world.n_imports] == 0)
    goods = np.where(world.goods.from_month[goods] <= calendar.month_since_start, goods, known[goods % len(known)])
    goods = np.where(is_export, exported, goods)
    # Now and then a trader brings in related goods, or buys elsewhere, half of that from where it is free of duty.
    side = world.goods.cover[goods]
    goods = np.where((side >= 0) & (rng.random(m) < SIDE_GOODS), side, goods)
    free = np.flatnonzero(world.is_free_origin)
    other = np.where(rng.random(m) < 0.5, free[rng.integers(0, len(free), m)], rng.integers(0, len(world.origins), m))
    origin = np.where(rng.random(m) < ELSEWHERE, other, importers.origin[trader, slot])
    origin = np.where(is_export, len(world.origins), origin)
    has_goods = header["load"][of] == LOADED
    goods = np.where(has_goods, goods, -1)
    second = draw(np.array([0.75, 0.25]), m, rng)
    return {
        "trader": trader,
        "slot": slot,
        "goods": goods,
        "origin": origin,
        "is_export": is_export,
        "exporter": importers.exporter[trader, slot, second],
        "declarant": _declarants(actors, importers.declarant[trader], rng),
        "place": place,
        **_mass_and_price(world, actors, calendar, by_origin, header, of, lines, trader, slot, goods, origin, rng),
    }


def _declarants(actors: Actors, usual: Ints, rng: np.random.Generator) -> Ints:
    return np.where(rng.random(len(usual)) < 0.85, usual, rng.integers(0, len(actors.is_collusive), len(usual)))


def _mass_and_price(
    world: World,
    actors: Actors,
    calendar: Calendar,
    by_origin: Floats,
    header: dict[str, Array],
    of: Ints,
    lines: Ints,
    trader: Ints,
    slot: Ints,
    goods: Ints,
    origin: Ints,
    rng: np.random.Generator,
) -> dict[str, Array]:
    """Draw true net mass, kg, and how far the honest price lies from the usual one, as a logarithm."""
    m = len(of)
    usual = world.file["conveyances"]["usual_load_kg"]
    load = np.array([usual[name] for name in VEHICLE_TYPES])[header["kind"][of]]
    mass = np.maximum(np.round(load / lines[of] * rng.lognormal(0.0, 0.45, m)), 1.0)
    is_standard = actors.importers.is_standard[trader] & (slot == 0) & (header["kind"][of] == TRUCK) & (lines[of] == 1)
    mass = np.where(is_standard, actors.importers.standard_mass_kg[trader, slot], mass)
    spread = world.goods.spread[goods]
    deviation = spread * rng.standard_normal(m)
    # Honest bargains: stock clearances and second choice. They look like undervaluation.
    bargain = rng.random(m) < 0.04
    deviation = np.where(bargain, rng.normal(-0.45, 0.25, m), deviation)
    deviation = np.where(is_standard, rng.normal(0.0, 0.04, m), deviation)
    price = usual_log_price(world, calendar, goods, origin, by_origin) + actors.importers.quality[trader]
    return {
        "mass": mass,
        "log_usual": price,
        "deviation": deviation,
        "is_standard": is_standard,
        "packing": 1.0 + rng.gamma(3.0, 0.015, m),
        "kg_a_package": rng.choice(np.array([12.0, 20.0, 25.0, 40.0]), m),
    }


def _ways_back(
    world: World, actors: Actors, calendar: Calendar, by_origin: Floats, first: Flow, rng: np.random.Generator
) -> Flow:
    """Return ways back of some journeys: transit with the same goods, others loaded with Kyrgyz goods, or empty."""
    chance = np.array([world.file["journeys"][name]["way_back"] for name in JOURNEYS])
    journey = first.header["journey_kind"]
    back = np.flatnonzero(rng.random(first.size) < chance[journey])
    header = {name: values[back].copy() for name, values in first.header.items()}
    k = len(back)
    stay = np.where(header["journey_kind"] == 3, rng.gamma(1.2, 4.0, k), rng.gamma(2.0, 1.6, k)) + 0.2
    header["second"] = header["second"] + (stay * SECONDS_A_DAY).astype(np.int64)
    header["is_entry"] = ~header["is_entry"]
    is_transit = header["journey_kind"] == 1
    out = np.flatnonzero((world.posts.mode == "road") & calendar.is_open)
    leaves_by = out[draw(world.posts.share[out], k, rng)]
    moves_on = (is_transit | (rng.random(k) < 0.1)) & (header["carrier"] >= 0)
    is_road = world.posts.mode[header["post"]] == "road"
    header["post"] = np.where(moves_on & is_road, leaves_by, header["post"])
    with_goods = (header["journey_kind"] == 0) & (rng.random(k) < 0.2)
    header["journey_kind"] = np.where(with_goods, 2, np.where(header["journey_kind"] == 0, 4, header["journey_kind"]))
    fresh = np.flatnonzero(~is_transit)
    reloaded = {name: header[name][fresh] for name in header if name not in ("movement", "load", "is_groupage")}
    # The way back of an export is an empty entry.
    was_export = (reloaded["journey_kind"] == 2) & reloaded["is_entry"]
    reloaded["journey_kind"] = np.where(was_export, 4, reloaded["journey_kind"])
    reloaded["trader"] = draw(actors.importers.share, len(fresh), rng)
    new = _with_items(world, actors, calendar, by_origin, reloaded, rng)
    same = first.take(back[is_transit])
    same = same.changed({name: header[name][is_transit] for name in ("second", "is_entry", "post")})
    return join([same, new])
