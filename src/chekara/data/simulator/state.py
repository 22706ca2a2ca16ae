"""What changes while the simulation runs: where crews work, who lies low after a hit, whom officers remember."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from chekara.data.simulator.actors import Actors
from chekara.data.simulator.flow import Flow
from chekara.data.simulator.world import DOMAINS, Floats, Ints, Mask, World

# Those whom a hit is blamed on, by the item or header column that names them.
BLAMED = ("importer", "exporter", "carrier", "vehicle")
CREWS = ("ring", "gang", "network")


@dataclass(slots=True)
class State:
    """The border as it is this week.

    Attributes
    ----------
    post : dict of str to ndarray
        By crew: the post that each ring, gang or network works at now.
    ring_of_carrier, network_of_carrier, gang_of_vehicle : ndarray
        Who belongs to whom now; -1 for nobody.
    is_asleep : ndarray of shape (n_rings,)
    heat : dict of str to ndarray
        Fresh known hits of each importer, exporter, ring, gang and network: they lie low.
    memory : dict of (str, str) to ndarray
        Known hits that officers remember, by domain and by whom they blame.
    in_flight : Flow or None
        Ways back that lie in later weeks.
    moves : list of (int, str, int, int)
        Every displacement: week, crew, its number, the post that it went to.
    """

    post: dict[str, Ints]
    ring_of_carrier: Ints
    network_of_carrier: Ints
    gang_of_vehicle: Ints
    is_asleep: Mask
    heat: dict[str, Floats]
    memory: dict[tuple[str, str], Floats]
    in_flight: Flow | None = None
    moves: list[tuple[int, str, int, int]] = field(default_factory=list)

    def calm(self, name: str, which: Ints, world: World) -> Floats:
        """Share of its usual harm that each actor dares now; 1 for actor -1."""
        given_up = world.file["reaction"]["deterrence"] * np.minimum(self.heat[name], 1.0)
        return np.where(which >= 0, 1.0 - given_up[which], 1.0)

    def age_a_week(self, world: World) -> None:
        """Let fear and memory fade."""
        forgotten = world.file["reaction"]["forgotten_after_days"]
        remembered = world.file["practice"]["remembered_days"]
        self.heat = {name: np.exp(-7.0 / forgotten) * values for name, values in self.heat.items()}
        self.memory = {key: np.exp(-7.0 / remembered) * values for key, values in self.memory.items()}


def first_state(actors: Actors, world: World, rng: np.random.Generator) -> State:
    """Return the border before its first week.

    Parameters
    ----------
    actors : Actors
    world : World
    rng : Generator

    Returns
    -------
    State
    """
    crews = {"ring": actors.rings, "gang": actors.gangs, "network": actors.networks}
    sizes = {
        "importer": len(actors.importers.share),
        "exporter": len(actors.exporter_rate),
        "carrier": int(max(actors.vehicles.firm.max(), len(actors.carriers.share))) + 1,
        "vehicle": len(actors.vehicles.kind),
        **{name: len(crew.rate) for name, crew in crews.items()},
    }
    return State(
        post={name: crew.options[:, 0].copy() for name, crew in crews.items()},
        ring_of_carrier=actors.carriers.ring.copy(),
        network_of_carrier=actors.carriers.network.copy(),
        gang_of_vehicle=actors.vehicles.gang.copy(),
        is_asleep=rng.random(len(actors.rings.rate)) < world.file["harms"]["contraband"]["asleep"],
        heat={name: np.zeros(sizes[name]) for name in ("importer", "exporter", *CREWS)},
        memory={(domain, name): np.zeros(sizes[name]) for domain in DOMAINS for name in BLAMED},
    )
