"""How the simulated border reacts to what is found: those who were caught lie low, crews move or give up a member."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from chekara.data.simulator.actors import Actors, Crews
from chekara.data.simulator.controls import Controls
from chekara.data.simulator.flow import Flow
from chekara.data.simulator.state import BLAMED, State
from chekara.data.simulator.world import DOMAINS, Ints, World

_CREW_OF = {"contraband": "ring", "vehicle_crime": "gang", "concealed_persons": "network"}


@dataclass(slots=True)
class Pending:
    """Real hits that are not known yet: rows of (known second, domain, importer, exporter, carrier, vehicle)."""

    rows: Ints = field(default_factory=lambda: np.zeros((0, 6), dtype=np.int64))

    def add(self, domain: str, controls: Controls, said: Flow) -> None:
        """Remember the hits of a week."""
        hit = controls.found
        crossing = controls.crossing[hit]
        first_line = (np.cumsum(said.lines) - said.lines)[crossing]
        line = np.where(controls.line[hit] >= 0, controls.line[hit], first_line)
        rows = [
            controls.known[hit],
            np.full(len(crossing), DOMAINS.index(domain)),
            said.item["trader"][line],
            said.item["exporter"][line],
            said.header["said_carrier"][crossing],
            said.header["vehicle"][crossing],
        ]
        self.rows = np.concatenate([self.rows, np.stack(rows, axis=1).astype(np.int64)])

    def due(self, second: int) -> Ints:
        """Take out what is known before an instant, in order of time."""
        now = self.rows[:, 0] < second
        due = self.rows[now]
        self.rows = self.rows[~now]
        return due[np.argsort(due[:, 0], kind="stable")]


def react(world: World, actors: Actors, state: State, week: int, hits: Ints, rng: np.random.Generator) -> None:
    """Change the state after the hits that became known.

    Parameters
    ----------
    world : World
    actors : Actors
    state : State
        Changed in place.
    week : int
    hits : ndarray of shape (k, 6)
        Rows of ``Pending.due``.
    rng : Generator
    """
    state.age_a_week(world)
    asleep = world.file["harms"]["contraband"]["asleep"]
    wakes = rng.random(len(state.is_asleep)) < 0.12
    state.is_asleep = np.where(wakes, rng.random(len(wakes)) < asleep, state.is_asleep)
    for number, domain in enumerate(DOMAINS):
        own = hits[hits[:, 1] == number]
        for column, name in enumerate(BLAMED, start=2):
            blamed = own[:, column]
            np.add.at(state.memory[domain, name], blamed[blamed >= 0], 1.0)
        if domain in _CREW_OF:
            _crews_react(world, actors, state, week, _CREW_OF[domain], own, rng)
    np.add.at(state.heat["importer"], hits[np.isin(hits[:, 1], (0, 2)), 2], 1.0)
    np.add.at(state.heat["exporter"], hits[hits[:, 1] == 4, 3], 1.0)


def _crews_react(
    world: World, actors: Actors, state: State, week: int, name: str, hits: Ints, rng: np.random.Generator
) -> None:
    crews: Crews = {"ring": actors.rings, "gang": actors.gangs, "network": actors.networks}[name]
    reaction = world.file["reaction"]
    members = {
        "ring": state.ring_of_carrier,
        "network": state.network_of_carrier,
        "gang": state.gang_of_vehicle,
    }[name]
    column = 5 if name == "gang" else 4
    for member in np.unique(hits[:, column]):
        crew = int(members[member]) if 0 <= member < len(members) else -1
        if crew < 0:
            continue
        state.heat[name][crew] += 1.0
        if rng.random() < reaction["moves"]:
            others = crews.options[crew][crews.options[crew] != state.post[name][crew]]
            state.post[name][crew] = int(rng.choice(others)) if len(others) else state.post[name][crew]
            state.moves.append((week, name, crew, int(state.post[name][crew])))
        if rng.random() < reaction["burnt"]:
            _replace(members, int(member), crew, actors, name, rng)


def _replace(members: Ints, burnt: int, crew: int, actors: Actors, name: str, rng: np.random.Generator) -> None:
    """Give up a member that was caught, and take on another of the same kind."""
    if name == "gang":
        vehicles = actors.vehicles
        like = np.flatnonzero(vehicles.gang_to > vehicles.gang_from)
        free = like[members[like] < 0]
    else:
        carriers = actors.carriers
        same = (carriers.corridor == carriers.corridor[burnt]) & (carriers.ring < 0) & (carriers.network < 0)
        free = np.flatnonzero(same & (members < 0) & (carriers.share < np.quantile(carriers.share, 0.97)))
    members[burnt] = -1
    if len(free):
        members[rng.choice(free)] = crew
