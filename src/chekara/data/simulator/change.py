"""Unrest: now and then other people cheat, in ways that nobody has seen so far, at other posts.

The world that ships reacts to what is found but keeps its characters. Here some who cheated become honest every few
weeks, as many who were honest begin, with a trick of their own; rings, gangs and networks drive with other carriers
and plates through other posts at another time of day. How much harm there is stays about the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from chekara.data.simulator.actors import Actors, Crews, Importers, Vehicles
from chekara.data.simulator.state import State
from chekara.data.simulator.world import Floats, Ints, World, between

_UNDERVALUATION, _WRONG_MASS, _MISCLASSIFICATION, _FALSE_ORIGIN = range(4)
_NEW_TRICKS = (_FALSE_ORIGIN, _WRONG_MASS)  # nobody uses them before the first change; then they take turns
_TRICK_SHARE = 0.85  # of the harm of those who are new, the rest is undervaluation
_CHEATS_FROM = 0.12  # importers with a higher rate of harm are cheats: mistakes and opportunists stay who they are
_COPIED_DAYS = 300  # for how long a newly copied plate is used


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrest:
    """When and how much the world changes.

    Attributes
    ----------
    first_week : int
        Number of the week at whose beginning it changes for the first time; above 0.
    every_weeks : int
        Weeks from one change to the next.
    turnover : float
        Share of cheats, crews and smugglers that each change replaces, in [0, 1].
    evades : bool
        Whether those who begin are those whom nobody suspects: authorised and old firms, without a single cheap
        price, and crews at the posts of the union.
    """

    first_week: int
    every_weeks: int = 4
    turnover: float = 0.2
    evades: bool = False

    def number(self, week: int) -> int | None:
        """Return which change happens at the beginning of a week, from 0; None where there is none.

        Examples
        --------
        >>> unrest = Unrest(first_week=8, every_weeks=4)
        >>> [unrest.number(week) for week in (7, 8, 10, 12)]
        [None, 0, None, 1]
        """
        since = week - self.first_week
        return since // self.every_weeks if since >= 0 and since % self.every_weeks == 0 else None


def before_unrest(actors: Actors) -> Actors:
    """Let nobody use the tricks that come later: who would, undervalues.

    Parameters
    ----------
    actors : Actors

    Returns
    -------
    Actors
    """
    share = actors.importers.kind_share.copy()
    for trick in _NEW_TRICKS:
        share[..., _UNDERVALUATION] += share[..., trick]
        share[..., trick] = 0.0
    return replace(actors, importers=replace(actors.importers, kind_share=share))


def change_world(
    world: World, actors: Actors, state: State, unrest: Unrest, week: int, rng: np.random.Generator
) -> Actors:
    """Change the world at the beginning of a week, where it is time.

    Parameters
    ----------
    world : World
    actors : Actors
    state : State
        Who belongs to whom, and where crews work: changed in place.
    unrest : Unrest
    week : int
        From 0.
    rng : Generator

    Returns
    -------
    Actors
        Those who live there from now on; the ones given where it is not time.
    """
    number = unrest.number(week)
    if number is None:
        return actors
    share = unrest.turnover
    trick = _NEW_TRICKS[number % len(_NEW_TRICKS)]
    rings = _moved(world, actors.rings, state, "ring", unrest, rng)
    gangs = _moved(world, actors.gangs, state, "gang", unrest, rng)
    networks = _moved(world, actors.networks, state, "network", unrest, rng)
    changed = replace(
        actors,
        importers=_other_cheats(world, actors.importers, unrest, trick, 7 * week, rng),
        exporter_rate=_passed_on(actors.exporter_rate, share, np.flatnonzero(actors.exporter_rate <= 0), rng),
        rings=rings[0],
        gangs=gangs[0],
        networks=networks[0],
    )
    for members, which in ((state.ring_of_carrier, rings[1]), (state.network_of_carrier, networks[1])):
        _other_carriers(actors, state, members, which, rng)
    return replace(changed, vehicles=_other_plates(actors.vehicles, state, gangs[1], share, 7 * week, rng))


def _some(positions: Ints, share: float, rng: np.random.Generator) -> Ints:
    """Draw a share of some positions, one of them at least where there are any and the share is above 0."""
    many = min(len(positions), max(round(share * len(positions)), int(share > 0)))
    return np.asarray(rng.choice(positions, many, replace=False), dtype=np.int64) if many else positions[:0]


def _passed_on(values: Floats, share: float, free: Ints, rng: np.random.Generator) -> Floats:
    """Hand a share of the values above zero on to others who have none."""
    old = _some(np.flatnonzero(values > 0), share, rng)
    new = rng.permutation(free)[: len(old)]
    out = values.copy()
    out[old] = 0.0
    out[new] = values[old[: len(new)]]
    return out


def _other_cheats(
    world: World, importers: Importers, unrest: Unrest, trick: int, today: int, rng: np.random.Generator
) -> Importers:
    """Let some cheats become honest, and as many others begin, by another trick."""
    harm = world.file["harms"]["revenue_fraud"]
    trades = (importers.first_day <= today) & (importers.last_day > today + 60)
    volumes = np.quantile(importers.share, [0.6, 0.98])
    middling = (importers.share >= volumes[0]) & (importers.share <= volumes[1])
    is_cheat = importers.cheat_rate > _CHEATS_FROM
    old = _some(np.flatnonzero(is_cheat & trades), unrest.turnover, rng)
    new = rng.permutation(np.flatnonzero(~is_cheat & trades & middling))
    if unrest.evades:
        trust = importers.is_authorised[new] * 1e6 - importers.registered_day[new]
        new = new[np.argsort(-trust, kind="stable")]
    new = new[: len(old)]
    rate, kinds = importers.cheat_rate.copy(), importers.kind_share.copy()
    rate[old] = harm["honest_rate"]
    rate[new] = between(harm["cheats"]["rate"], len(new), rng)
    tricks = np.zeros((len(new), kinds.shape[1], kinds.shape[2]))
    tricks[..., trick] = 1.0 if unrest.evades else _TRICK_SHARE
    tricks[..., _UNDERVALUATION] = 1.0 - tricks[..., trick]
    if trick == _FALSE_ORIGIN:
        # Where there is no duty to save, nobody needs another origin.
        origin, goods = importers.origin[new], importers.goods[new]
        pointless = world.is_free_origin[origin] | (world.goods.duty_rate[goods] == 0)
        tricks[pointless] = 0.0
        tricks[pointless, _WRONG_MASS if unrest.evades else _UNDERVALUATION] = 1.0
    kinds[new] = tricks
    cheats_in = importers.cheats_in.copy()
    cheats_in[new] = True
    return replace(importers, cheat_rate=rate, kind_share=kinds, cheats_in=cheats_in)


def _moved(
    world: World, crews: Crews, state: State, name: str, unrest: Unrest, rng: np.random.Generator
) -> tuple[Crews, Ints]:
    """Let some crews work at other posts, by day instead of by night, and the other way in; also which ones."""
    which = _some(np.arange(len(crews.rate)), unrest.turnover, rng)
    road = np.flatnonzero((world.posts.mode == "road") & (world.posts.from_month == 0))
    union = road[world.posts.border_regime[road] == "union"]
    road = union if unrest.evades and len(union) else road
    options, is_night, enters = crews.options.copy(), crews.is_night.copy(), crews.enters.copy()
    for crew in which:
        unused = road[~np.isin(road, options[crew])]
        other = unused if len(unused) else road
        options[crew] = rng.permutation(other)[np.arange(options.shape[1]) % len(other)]
        state.post[name][crew] = options[crew, 0]
        state.heat[name][crew] = 0.0
    is_night[which], enters[which] = ~is_night[which], ~enters[which]
    return replace(crews, options=options, is_night=is_night, enters=enters), which


def _other_carriers(actors: Actors, state: State, members: Ints, which: Ints, rng: np.random.Generator) -> None:
    """Let some crews drive with carriers that nobody knows of."""
    carriers = actors.carriers
    low, high = np.quantile(carriers.share, [0.6, 0.9])
    for crew in which:
        old = np.flatnonzero(members == crew)
        unknown = (state.ring_of_carrier < 0) & (state.network_of_carrier < 0)
        fits = unknown[: len(carriers.share)] & (carriers.share > low) & (carriers.share < high)
        new = rng.permutation(np.flatnonzero(fits))[: len(old)]
        members[old] = -1
        members[new] = crew


def _other_plates(
    vehicles: Vehicles, state: State, which: Ints, share: float, today: int, rng: np.random.Generator
) -> Vehicles:
    """Let some gangs copy other plates, and some smugglers drive other cars."""
    often = vehicles.n_fleet + np.argsort(-vehicles.share)[: max(4, len(vehicles.share) // 30)]
    gang_from, gang_to = vehicles.gang_from.copy(), vehicles.gang_to.copy()
    for crew in which:
        old = np.flatnonzero((state.gang_of_vehicle == crew) & (gang_to > today))
        new = rng.permutation(often[state.gang_of_vehicle[often] < 0])[: len(old)]
        state.gang_of_vehicle[old] = -1
        state.gang_of_vehicle[new] = crew
        gang_from[new], gang_to[new] = today, today + _COPIED_DAYS
    solo = _passed_on(vehicles.solo_rate, share, often[vehicles.solo_rate[often] <= 0], rng)
    return replace(vehicles, gang_from=gang_from, gang_to=gang_to, solo_rate=solo)
