"""What harms leave in what is declared, weighed and seen; honest crossings show each of it sometimes, too."""

from __future__ import annotations

import numpy as np

from chekara.data.simulator.actors import CAR, TRUCK, VAN, WAGON
from chekara.data.simulator.flow import LOADED, TRANSIT, Flow
from chekara.data.simulator.harms import Harms, Scene
from chekara.data.simulator.world import Array, Floats, Mask, World, between

# (honest, with the harm): chance of a trace.
SEAL_TAMPERED = (0.02, 0.38)
ANNOUNCED = (0.22, 0.10)
FOREIGN_TRAILER = (0.05, 0.28)
EXTRA_PERSON = (0.15, 0.35)
JOURNEY_UNKNOWN = (0.10, 0.55)
COUNTRY_CHANGED = (0.006, 0.15)
# Log of hours on the way: spread, and by how much a harm adds.
HOURS_SPREAD = 0.35
SLOWER = {"contraband": 0.40, "concealed_persons": 0.35, "sps_violation": 0.35}
SPS_DISCOUNT = 0.20
UNDERVALUED_SPREAD = 0.25
MASS_SHARE = (0.50, 0.85)  # of the true mass that is declared
PERSONS_KG = (80.0, 480.0)
# Weighbridge: standard deviations in kg and as a share of the load, usual and (in some) rough.
ROUGH_SHARE, FINE_KG, FINE_SHARE, ROUGH_KG, ROUGH_LOAD = 0.10, 80.0, 0.012, 260.0, 0.05
HAS_BRIDGE = 0.75
SEALS = ("none", "intact", "broken", "replaced", "missing")


def declare(scene: Scene, harms: Harms, rng: np.random.Generator) -> Flow:
    """Add what is declared and seen to the crossings of a week.

    Parameters
    ----------
    scene : Scene
    harms : Harms
    rng : Generator

    Returns
    -------
    Flow
        With declared goods (``said_goods``, ``said_origin``, ``said_mass``, ``value``, ``gross``), and in the header
        seal, hours, weighed mass, occupants and the other traces.
    """
    flow = scene.flow.changed(item=_said_of_goods(scene, harms, rng))
    header = _seen_at_post(scene, harms, rng)
    header["weighed"] = _weighed(flow, harms, rng)
    return flow.changed(header)


def _said_of_goods(scene: Scene, harms: Harms, rng: np.random.Generator) -> dict[str, Array]:
    item, world = scene.flow.item, scene.world
    m = len(harms.kind)
    importers = scene.actors.importers
    cut = rng.normal(0.0, UNDERVALUED_SPREAD, m) - importers.depth[item["trader"]]
    deviation = np.where(harms.kind == 0, cut, item["deviation"])
    deviation = np.where(harms.sps & (harms.kind != 0), deviation - SPS_DISCOUNT, deviation)
    share = np.where(harms.kind == 1, between(MASS_SHARE, m, rng), 1.0)
    said_mass = np.maximum(np.round(item["mass"] * share), 1.0)
    value = np.exp(item["log_usual"] + deviation) * item["mass"] * share
    free = np.flatnonzero(world.is_free_origin)
    said_origin = np.where(harms.kind == 3, free[rng.integers(0, len(free), m)], item["origin"])
    said_goods = np.where(harms.kind == 2, world.goods.cover[item["goods"]], item["goods"])
    gross_true = item["mass"] * item["packing"]
    rate = duty_rate(world, said_goods, said_origin)
    true_value = np.exp(item["log_usual"] + item["deviation"]) * item["mass"]
    lost = true_value * duty_rate(world, item["goods"], item["origin"]) - value * rate
    lost += world.file["value_added_tax"] * np.maximum(true_value - value, 0.0)
    return {
        "said_goods": said_goods,
        "said_origin": said_origin,
        "said_mass": said_mass,
        "value": np.maximum(np.round(value, 2), 1.0),
        "true_value": np.round(true_value, 2),
        "gross": np.round(np.maximum(gross_true * share, said_mass), 1),
        "gross_true": gross_true,
        "lost": np.where(harms.kind >= 0, np.maximum(np.round(lost, 2), 0.0), 0.0),
    }


def duty_rate(world: World, goods: Array, origin: Array) -> Floats:
    """Return the duty rate of declared goods and origin: none where the origin is free of it.

    Parameters
    ----------
    world : World
    goods, origin : ndarray of shape (m,)
        Positions, as declared.

    Returns
    -------
    ndarray of shape (m,)
        Fractions.
    """
    is_free = np.append(world.is_free_origin, True)[origin]
    return np.where(is_free, 0.0, world.goods.duty_rate[goods])


def _either(harm: Mask, chances: tuple[float, float], rng: np.random.Generator) -> Mask:
    """Draw a trace that is more usual with the harm."""
    return np.asarray(rng.random(len(harm)) < np.where(harm, chances[1], chances[0]))


def _seen_at_post(scene: Scene, harms: Harms, rng: np.random.Generator) -> dict[str, Array]:
    header, truth, world = scene.flow.header, harms.by_crossing, scene.world
    n = scene.flow.size
    smuggles = truth["contraband"]
    sealed = (header["load"] == LOADED) & np.isin(header["kind"], (TRUCK, WAGON))
    seal = np.where(rng.random(n) < 0.18, 0, 1)
    seal = np.where(_either(smuggles, SEAL_TAMPERED, rng), rng.integers(2, 5, n), seal)
    log_hours = np.log(usual_hours(scene)) + HOURS_SPREAD * rng.standard_normal(n)
    for domain, more in SLOWER.items():
        log_hours = log_hours + np.where(truth[domain], more, 0.0)
    announced = (header["load"] == LOADED) & _either(smuggles, ANNOUNCED, rng)
    fleet = len(scene.actors.vehicles.carrier[: scene.actors.vehicles.n_fleet])
    borrowed = _either(smuggles, FOREIGN_TRAILER, rng)
    hidden = truth["concealed_persons"] | smuggles
    crew = 1 + _either(hidden, EXTRA_PERSON, rng)
    occupants = np.where(
        header["kind"] == CAR, 1 + rng.poisson(1.6, n), np.where(header["kind"] == 3, 1 + rng.poisson(26, n), crew)
    )
    country = scene.actors.vehicles.country[header["vehicle"]]
    n_countries = len(world.file["conveyances"]["countries"])
    other = _either(truth["vehicle_crime"], COUNTRY_CHANGED, rng)
    return {
        "seal": np.where(sealed, seal, -1),
        "hours": np.exp(log_hours),
        "notice": np.where(announced, rng.integers(2 * 3600, 30 * 3600, n), 0),
        "trailer_said": np.where(
            header["trailer"] < 0, -1, np.where(borrowed, rng.integers(0, fleet, n), header["trailer"])
        ),
        "occupants": np.where(scene.is_road, occupants, -1),
        "country": np.where(other, (country + 1 + rng.integers(0, n_countries - 1, n)) % n_countries, country),
        "journey_known": ~_either(truth["vehicle_crime"], JOURNEY_UNKNOWN, rng),
    }


def usual_hours(scene: Scene) -> Floats:
    """Median hours on the way, by mode and neighbour."""
    table = scene.world.file["conveyances"]["transit_hours"]
    by_post = np.array(
        [
            table.get(n, table["other"]) if m == "road" else table[m]
            for n, m in zip(scene.world.posts.neighbour, scene.world.posts.mode, strict=True)
        ]
    )
    hours = by_post[scene.flow.header["post"]]
    return np.asarray(np.where(scene.flow.header["movement"] == TRANSIT, 1.4, 1.0) * hours)


def _weighed(flow: Flow, harms: Harms, rng: np.random.Generator) -> Floats:
    """Mass of the load on the weighbridge, kg: the registered mass of the empty conveyance taken off."""
    n = flow.size
    gross = flow.sum_lines(np.where(flow.item["goods"] >= 0, flow.item["gross_true"], 0.0))
    is_rough = rng.random(n) < ROUGH_SHARE
    spread = np.where(is_rough, np.hypot(ROUGH_KG, ROUGH_LOAD * gross), np.hypot(FINE_KG, FINE_SHARE * gross))
    hidden = np.where(harms.by_crossing["concealed_persons"], between(PERSONS_KG, n, rng), 0.0)
    weighed = gross + hidden + spread * rng.standard_normal(n)
    weighs = np.isin(flow.header["kind"], (TRUCK, VAN, WAGON)) & (rng.random(n) < HAS_BRIDGE)
    return np.where(weighs, np.maximum(np.round(weighed, -1), 0.0), np.nan)
