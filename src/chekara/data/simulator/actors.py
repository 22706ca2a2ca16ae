"""Who trades, carries and inspects at the simulated border, and what they hide: characters are drawn once, here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chekara.data.simulator.world import Array, Floats, Ints, Mask, World, between, days_between, draw, shares_of

SLOTS = 3  # kinds of goods that one importer deals in
SLOT_SHARES = np.array([0.60, 0.28, 0.12])
CARRIER_SHARES = np.array([0.60, 0.25, 0.15])
FOREVER = 10**6  # a day that never comes
TRUCK, VAN, CAR, BUS, WAGON, AIRCRAFT, OTHER = range(7)
VEHICLE_TYPES = np.array(["truck", "van", "car", "bus", "wagon", "aircraft", "other"], dtype=object)
BLIND, GOOD, COLLUDING = range(3)


@dataclass(frozen=True, slots=True)
class Importers:
    """Importers as arrays of shape (n,) or (n, 3) by kind of goods that they deal in.

    Attributes
    ----------
    share : relative volume
    first_day, last_day, registered_day : days from the start of the simulation
    goods, origin, post : (n, 3) positions; ``post`` is the favourite one
    exporter : (n, 3, 2)
    declarant, carrier : (n,) and (n, n_corridors, 3), most usual first
    quality : log of the honest price level
    is_standard, standard_mass_kg : the same consignment again and again at list price
    cheat_rate : chance of revenue fraud in a line of goods that it cheats in
    cheats_in : (n, 3) which goods those are
    kind_share : (n, 3, 4) how it cheats, in the order of ``world.KINDS``
    depth : by how much it lowers the logarithm of a price
    weak_post : where it dares most
    fence_rate : chance that a car it brings in is stolen or altered
    protector : inspector who clears it; -1 for nobody
    """

    share: Floats
    first_day: Ints
    last_day: Ints
    registered_day: Ints
    goods: Ints
    origin: Ints
    post: Ints
    exporter: Ints
    declarant: Ints
    carrier: Ints
    quality: Floats
    is_standard: Mask
    standard_mass_kg: Floats
    is_authorised: Mask
    cheat_rate: Floats
    cheats_in: Mask
    kind_share: Floats
    depth: Floats
    weak_post: Ints
    fence_rate: Floats
    protector: Ints


@dataclass(frozen=True, slots=True)
class Carriers:
    """Carriers as arrays of shape (n,): volume, corridor, vehicles in a row, ring and network (-1: none)."""

    share: Floats
    corridor: Ints
    first_vehicle: Ints
    n_vehicles: Ints
    does_groupage: Mask
    ring: Ints
    network: Ints


@dataclass(frozen=True, slots=True)
class Vehicles:
    """Conveyances as arrays of shape (n,); private ones come last, from ``n_fleet`` on.

    Attributes
    ----------
    kind : position in ``VEHICLE_TYPES``
    carrier : -1 for private ones
    country : position in the world file's countries
    share : relative journeys of private ones, shape (n - n_fleet,)
    firm : firm that private ones drive for, numbered after the carriers; -1 for none
    gang, gang_from, gang_to : gang that drives under a copy of the plate, and the days between which it does
    solo_rate : chance of contraband on entry
    """

    n_fleet: int
    kind: Ints
    carrier: Ints
    country: Ints
    share: Floats
    firm: Ints
    gang: Ints
    gang_from: Ints
    gang_to: Ints
    solo_rate: Floats


@dataclass(frozen=True, slots=True)
class Crews:
    """Rings, gangs or networks: posts that they can work at, shape (n, 3), their rate of harm and other habits."""

    options: Ints
    rate: Floats
    is_night: Mask
    enters: Mask
    protector: Ints


@dataclass(frozen=True, slots=True)
class Inspectors:
    """Inspectors as arrays of shape (n,); ``by_post`` lists those of each post."""

    character: Ints
    by_post: tuple[Ints, ...]


@dataclass(frozen=True, slots=True)
class Actors:
    """All who live at the border."""

    importers: Importers
    carriers: Carriers
    vehicles: Vehicles
    rings: Crews
    gangs: Crews
    networks: Crews
    inspectors: Inspectors
    exporter_rate: Floats
    is_collusive: Mask
    outbreaks: Ints


def make_actors(world: World, days: int, per_day: int, rng: np.random.Generator) -> Actors:
    """Draw everybody.

    Parameters
    ----------
    world : World
    days : int
        Length of the simulation.
    per_day : int
        Crossings a day; numbers of actors go with it.
    rng : Generator

    Returns
    -------
    Actors
    """
    harms = world.file["harms"]
    inspectors = _inspectors(world, per_day, rng)
    rings = _crews(world, _count(harms["contraband"]["rings"], per_day), "contraband", "ring", inspectors, rng)
    gangs = _crews(world, _count(harms["vehicle_crime"]["gangs"], per_day), "vehicle_crime", "gang", inspectors, rng)
    networks = _crews(
        world, _count(harms["concealed_persons"]["networks"], per_day), "concealed_persons", "network", inspectors, rng
    )
    carriers, vehicles = _carriers_and_vehicles(world, days, per_day, rings, gangs, networks, rng)
    sizes = world.file["actors"]
    n_exporters = max(40, round(sizes["exporters"] * per_day))
    bad = harms["sps_violation"]["bad_exporters"]
    exporter_rate = np.where(rng.random(n_exporters) < bad["share"], between(bad["rate"], n_exporters, rng), 0.0)
    n_declarants = max(10, round(sizes["declarants"] * per_day))
    is_collusive = rng.random(n_declarants) < harms["revenue_fraud"]["collusive_declarants"]
    importers = _importers(world, days, per_day, n_exporters, is_collusive, carriers, inspectors, rng)
    outbreaks = _outbreaks(world, days, rng)
    return Actors(
        importers, carriers, vehicles, rings, gangs, networks, inspectors, exporter_rate, is_collusive, outbreaks
    )


def _count(per_crossing: float, per_day: int) -> int:
    return max(2, round(per_crossing * per_day))


def _power_law(n: int, rng: np.random.Generator, exponent: float = 0.85) -> Floats:
    return shares_of(rng.permutation(1.0 / (np.arange(n) + 6.0) ** exponent))


def _inspectors(world: World, per_day: int, rng: np.random.Generator) -> Inspectors:
    practice = world.file["practice"]
    n_posts = len(world.posts.code)
    n = max(2 * n_posts, round(world.file["actors"]["inspectors"] * per_day))
    blind, colluding = practice["blind_inspectors"], practice["colluding_inspectors"]
    character = rng.choice([BLIND, GOOD, COLLUDING], size=n, p=[blind, 1 - blind - colluding, colluding])
    post = np.concatenate([np.arange(n_posts), draw(world.posts.capacity, n - n_posts, rng)])
    return Inspectors(character, tuple(np.flatnonzero(post == p) for p in range(n_posts)))


def _crews(world: World, n: int, domain: str, name: str, inspectors: Inspectors, rng: np.random.Generator) -> Crews:
    harm = world.file["harms"][domain]
    possible = world.corridor_posts(harm.get(f"{name}_corridors", ["TJ", "UZ", "CN", "KZ"]))
    options = np.stack([rng.permutation(possible)[np.arange(3) % len(possible)] for _ in range(n)])
    return Crews(
        options=options,
        rate=between(harm[f"{name}_rate"], n, rng),
        is_night=rng.random(n) < 0.6,
        enters=rng.random(n) < 0.4,
        protector=_protectors(np.full(n, 0.3), options[:, 0], inspectors, rng),
    )


def _protectors(chance: Floats, post: Ints, inspectors: Inspectors, rng: np.random.Generator) -> Ints:
    """Give some actors a colluding inspector at their post."""
    found = np.full(len(post), -1)
    for p, there in enumerate(inspectors.by_post):
        corrupt = there[inspectors.character[there] == COLLUDING]
        own = np.flatnonzero(post == p)
        if len(corrupt) and len(own):
            found[own] = rng.choice(corrupt, len(own))
    return np.where(rng.random(len(post)) < chance, found, -1)


def _carriers_and_vehicles(
    world: World, days: int, per_day: int, rings: Crews, gangs: Crews, networks: Crews, rng: np.random.Generator
) -> tuple[Carriers, Vehicles]:
    sizes, harms = world.file["actors"], world.file["harms"]
    n_corridors = len(world.corridors)
    n = max(5 * n_corridors, round(sizes["carriers"] * per_day))
    traffic = np.bincount(world.posts.corridor, weights=world.chance_of_post.sum(axis=0), minlength=n_corridors)
    corridor = np.concatenate([np.repeat(np.arange(n_corridors), 4), draw(traffic, n - 4 * n_corridors, rng)])
    share = _power_law(n, rng)
    is_road = np.array([mode == "road" for _, mode in world.corridors])[corridor]
    n_vehicles = np.maximum(1, np.round(sizes["vehicles_a_carrier"] * n * share * rng.lognormal(0, 0.4, n))).astype(int)
    ring, network = np.full(n, -1), np.full(n, -1)
    # Neither the largest houses nor the smallest: those that can hide something and still lose it.
    fit = rng.permutation(
        np.flatnonzero(is_road & (share < np.quantile(share, 0.9)) & (share > np.quantile(share, 0.6)))
    )
    taken = 0
    for crews, into, (low, high) in (
        (rings, ring, harms["contraband"]["carriers_a_ring"]),
        (networks, network, harms["concealed_persons"]["carriers_a_network"]),
    ):
        for crew in range(len(crews.rate)):
            k = int(rng.integers(low, high + 1))
            into[fit[taken : taken + k]] = crew
            taken += k
    carriers = Carriers(
        share=share,
        corridor=corridor,
        first_vehicle=np.cumsum(n_vehicles) - n_vehicles,
        n_vehicles=n_vehicles,
        does_groupage=rng.random(n) < 0.12,
        ring=ring,
        network=network,
    )
    return carriers, _vehicles(world, days, per_day, carriers, gangs, rng)


def _vehicles(
    world: World, days: int, per_day: int, carriers: Carriers, gangs: Crews, rng: np.random.Generator
) -> Vehicles:
    harms = world.file["harms"]
    n_fleet = int(carriers.n_vehicles.sum())
    n_private = max(80, round(world.file["actors"]["private_vehicles"] * per_day))
    owner = np.repeat(np.arange(len(carriers.share)), carriers.n_vehicles)
    mode = np.array([mode for _, mode in world.corridors], dtype=object)[carriers.corridor[owner]]
    fleet_kind = np.where(rng.random(n_fleet) < 0.86, TRUCK, VAN)
    for word, other in (("rail", WAGON), ("air", AIRCRAFT), ("post", OTHER)):
        fleet_kind = np.where(mode == word, other, fleet_kind)
    private_kind = rng.choice([CAR, BUS, VAN], size=n_private, p=[0.80, 0.07, 0.13])
    kind = np.concatenate([fleet_kind, private_kind])
    n = n_fleet + n_private
    countries = list(world.file["conveyances"]["countries"].values())
    share = rng.permutation(1.0 / (np.arange(n_private) + 15.0) ** 0.8)
    gang, gang_from, gang_to = np.full(n, -1), np.zeros(n, dtype=int), np.zeros(n, dtype=int)
    crime = harms["vehicle_crime"]
    # Plates worth copying are those that pass so often that nobody looks.
    often = n_fleet + np.argsort(-share)[: max(4, n_private // 30)]
    clones = rng.permutation(often)[: len(gangs.rate) * crime["plates_a_gang"]]
    gang[clones] = rng.integers(0, len(gangs.rate), len(clones))
    gang_from[clones] = rng.integers(-120, max(days - 60, 1), len(clones))
    gang_to[clones] = gang_from[clones] + days_between(crime["days"], len(clones), rng)
    solo_rate = np.zeros(n)
    smuggling = harms["contraband"]
    solo = rng.choice(often, _count(smuggling["solo_vehicles"], per_day))
    solo_rate[solo] = between(smuggling["solo_rate"], len(solo), rng)
    return Vehicles(
        n_fleet=n_fleet,
        kind=kind,
        carrier=np.concatenate([owner, np.full(n_private, -1)]),
        country=draw(shares_of(countries), n, rng),
        share=share,
        firm=_firms(world, per_day, len(carriers.share), n_fleet, gang, rng),
        gang=gang,
        gang_from=gang_from,
        gang_to=gang_to,
        solo_rate=solo_rate,
    )


def _firms(world: World, per_day: int, first: int, n_fleet: int, gang: Ints, rng: np.random.Generator) -> Ints:
    """Let private vehicles drive for firms; each gang has two that suit it, among others who know nothing."""
    n_firms = max(4, round(world.file["actors"]["firms"] * per_day))
    firm = np.where(rng.random(len(gang)) < 0.4, rng.integers(0, n_firms, len(gang)), -1)
    suits = rng.integers(0, n_firms, (int(gang.max()) + 1, 2))
    fronted = (gang >= 0) & (rng.random(len(gang)) < 0.75)
    firm[fronted] = suits[gang[fronted], rng.integers(0, 2, int(fronted.sum()))]
    return np.where((np.arange(len(gang)) >= n_fleet) & (firm >= 0), first + firm, -1)


def _importers(
    world: World,
    days: int,
    per_day: int,
    n_exporters: int,
    is_collusive: Mask,
    carriers: Carriers,
    inspectors: Inspectors,
    rng: np.random.Generator,
) -> Importers:
    harm = world.file["harms"]["revenue_fraud"]
    n = max(60, round(world.file["actors"]["importers"] * per_day))
    goods = draw(world.goods.share[: world.n_imports], n * SLOTS, rng).reshape(n, SLOTS)
    origin = world.goods.origins[goods, draw(np.array([0.62, 0.26, 0.12]), n * SLOTS, rng).reshape(n, SLOTS)]
    post = _favourite_posts(world, origin, rng)
    life = _lives(world, harm, n, days, rng)
    rate, is_shell, is_cheat = life["cheat_rate"], life["is_shell"], life["is_cheat"]
    declarant = draw(_power_law(len(is_collusive), rng), n, rng)
    crooked = np.flatnonzero(is_collusive)
    if len(crooked):
        goes_crooked = (is_cheat | is_shell) & (rng.random(n) < 0.5)
        declarant = np.where(goes_crooked, rng.choice(crooked, n), declarant)
    share = _power_law(n, rng)
    # A cheat that ships twice a year is nobody's problem; shells burn bright.
    share = np.where(is_cheat, np.clip(share, np.quantile(share, 0.6), np.quantile(share, 0.98)), share)
    share = np.where(is_shell, np.quantile(share, 0.93), share)
    is_car = np.isin(goods, np.flatnonzero(world.goods.hs_code == "870323"))
    crime = world.file["harms"]["vehicle_crime"]
    is_fence = is_car.any(axis=1) & (rng.random(n) < 0.25)
    return Importers(
        share=shares_of(share),
        first_day=life["first_day"],
        last_day=life["last_day"],
        registered_day=life["registered_day"],
        goods=goods,
        origin=origin,
        post=post,
        exporter=_exporters_of(goods, n_exporters, rng),
        declarant=declarant,
        carrier=_carriers_of(n, len(world.corridors), carriers, rng),
        quality=rng.normal(0.0, 0.10, n),
        is_standard=rng.random(n) < 0.12,
        standard_mass_kg=np.round(rng.lognormal(np.log(3000.0), 0.8, (n, SLOTS)), -1) + 20.0,
        is_authorised=(rng.random(n) < 0.10) & ~is_shell & (rate < 0.1),
        cheat_rate=rate,
        cheats_in=_cheats_in(world, goods, rng),
        kind_share=_kind_shares(world, harm, goods, origin, rng),
        depth=rng.uniform(0.25, 0.85, n),
        weak_post=post[:, 0],
        fence_rate=np.where(is_fence, between(crime["fence_rate"], n, rng), 0.0),
        protector=_protectors(np.where(is_cheat, 0.3, 0.0), post[:, 0], inspectors, rng),
    )


def _favourite_posts(world: World, origin: Ints, rng: np.random.Generator) -> Ints:
    ladder = np.cumsum(world.chance_of_post * (world.posts.from_month == 0), axis=1)
    ladder /= ladder[:, -1:]
    return np.asarray((rng.random(origin.shape)[..., None] > ladder[origin]).sum(axis=-1))


def _lives(world: World, harm: dict[str, Any], n: int, days: int, rng: np.random.Generator) -> dict[str, Array]:
    """Draw from when to when each importer trades, and how honestly."""
    luck = rng.random(n)
    shells = luck < harm["shells"]["share"]
    cheats = ~shells & (luck < harm["shells"]["share"] + harm["cheats"]["share"])
    tempted = ~shells & ~cheats & (luck < sum(harm[k]["share"] for k in ("shells", "cheats", "opportunists")))
    rate = np.full(n, harm["honest_rate"])
    for mask, name in ((tempted, "opportunists"), (cheats, "cheats"), (shells, "shells")):
        rate = np.where(mask, between(harm[name]["rate"], n, rng), rate)
    is_new = rng.random(n) < world.file["actors"]["newcomers_share"]
    first = np.where(is_new, rng.integers(0, max(days, 1), n), -FOREVER)
    first = np.where(shells, rng.integers(-60, max(days, 1), n), first)
    last = np.where(shells, first + days_between(harm["shells"]["days"], n, rng), FOREVER)
    last = np.where(~shells & (rng.random(n) < 0.1), rng.integers(0, max(days, 1), n), last)
    age = np.where(is_new | shells, rng.integers(10, 200, n), rng.gamma(2.0, 1300.0, n).astype(int) + 100)
    return {
        "first_day": first,
        "last_day": np.maximum(last, first + 30),
        "registered_day": np.maximum(first, 0) - age,
        "cheat_rate": rate,
        "is_shell": shells,
        "is_cheat": cheats | shells,
    }


def _cheats_in(world: World, goods: Ints, rng: np.random.Generator) -> Mask:
    """Pick the goods that each importer would cheat in: at least those with most duty."""
    duty = world.goods.duty_rate[goods] + 0.02 * rng.random(goods.shape)
    return np.asarray((duty == duty.max(axis=1, keepdims=True)) | (rng.random(goods.shape) < 0.3))


def _kind_shares(world: World, harm: dict[str, Any], goods: Ints, origin: Ints, rng: np.random.Generator) -> Floats:
    """How each importer cheats; who has no cover or no duty to save undervalues instead."""
    n = len(goods)
    usual = np.array(list(harm["kinds"].values()))
    share = rng.dirichlet(usual * 2.5, n)[:, None, :].repeat(goods.shape[1], axis=1)
    no_cover = world.goods.cover[goods] < 0
    no_duty = world.is_free_origin[origin] | (world.goods.duty_rate[goods] == 0)
    for kind, pointless in ((2, no_cover), (3, no_duty)):
        share[..., 0] += np.where(pointless, share[..., kind], 0.0)
        share[..., kind] = np.where(pointless, 0.0, share[..., kind])
    return np.asarray(share, dtype=np.float64)


def _exporters_of(goods: Ints, n_exporters: int, rng: np.random.Generator) -> Ints:
    """Choose two exporters for each importer's goods; an exporter sells a few kinds of goods, not everything."""
    n_kinds = int(goods.max()) + 1
    sells = rng.integers(0, n_kinds, (n_exporters, 2))
    weights = _power_law(n_exporters, rng)
    chosen = np.zeros((*goods.shape, 2), dtype=np.int64)
    for kind in range(n_kinds):
        wanted = goods == kind
        sellers = np.flatnonzero((sells == kind).any(axis=1))
        sellers = sellers if len(sellers) else np.arange(n_exporters)
        chosen[wanted] = sellers[draw(weights[sellers], 2 * int(wanted.sum()), rng)].reshape(-1, 2)
    return chosen


def _carriers_of(n: int, n_corridors: int, carriers: Carriers, rng: np.random.Generator) -> Ints:
    chosen = np.zeros((n, n_corridors, len(CARRIER_SHARES)), dtype=np.int64)
    for c in range(n_corridors):
        there = np.flatnonzero(carriers.corridor == c)
        chosen[:, c] = there[draw(carriers.share[there], n * len(CARRIER_SHARES), rng)].reshape(n, -1)
    return chosen


def _outbreaks(world: World, days: int, rng: np.random.Generator) -> Ints:
    """Rows of (origin, chapter, first day, last day): sicknesses of animals or plants abroad."""
    harm = world.file["harms"]["sps_violation"]
    n = max(1, round(harm["outbreaks_a_year"] * days / 365))
    food = np.flatnonzero(world.goods.chapter[: world.n_imports] <= harm["last_chapter"])
    which = draw(world.goods.share[food], n, rng)
    first = rng.integers(0, max(days, 1), n)
    return np.stack(
        [
            world.goods.origins[food[which], rng.integers(0, 2, n)],
            world.goods.chapter[food[which]],
            first,
            first + days_between(harm["outbreak_days"], n, rng),
        ],
        axis=1,
    )
