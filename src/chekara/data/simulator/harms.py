"""How likely each harm is, crossing by crossing: character times context times what happened lately."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chekara.data.simulator.actors import BUS, CAR, TRUCK, VAN, Actors, Crews
from chekara.data.simulator.flow import EMPTY, IMPORT, LOADED, NO_MOVEMENT, TRANSIT, Flow
from chekara.data.simulator.state import State
from chekara.data.simulator.traffic import Calendar, gang_now
from chekara.data.simulator.world import DOMAINS, KINDS, SECONDS_A_DAY, Floats, Ints, Mask, World

HONEST = -1
FRESH_FACTOR = 2.0


@dataclass(frozen=True, slots=True)
class Scene:
    """A week on stage: everything that the chance of a harm depends on.

    Attributes
    ----------
    world, actors, state, calendar : what their names say
    flow : Flow
        The crossings of the week, as they really are.
    """

    world: World
    actors: Actors
    state: State
    calendar: Calendar
    flow: Flow

    @property
    def local_second(self) -> Ints:
        """Seconds from the start, by the clocks of the country."""
        return np.asarray(self.flow.header["second"] + 3600 * self.world.file["utc_offset_hours"])

    @property
    def is_night(self) -> Mask:
        """Between 22 and 5 o'clock."""
        hour = self.local_second // 3600 % 24
        return np.asarray((hour >= 22) | (hour < 5))

    @property
    def is_road(self) -> Mask:
        """Whether the crossing is by road."""
        return np.asarray(self.world.posts.mode[self.flow.header["post"]] == "road")


@dataclass(frozen=True, slots=True)
class Harms:
    """The truth of a week.

    Attributes
    ----------
    by_crossing : dict of str to ndarray of shape (n,), bool
    kind : ndarray of shape (m,)
        Position in ``KINDS`` of the revenue fraud of each line; -1 where it is honest.
    sps : ndarray of shape (m,), bool
    fence : ndarray of shape (m,), bool
        Lines that are stolen or altered cars.
    """

    by_crossing: dict[str, Mask]
    kind: Ints
    sps: Mask
    fence: Mask


def draw_harms(scene: Scene, rng: np.random.Generator) -> Harms:
    """Draw who cheats, smuggles or hides this week."""
    flow, item = scene.flow, scene.flow.item
    m, n = len(flow.of), flow.size
    rate = revenue_rate(scene, item["slot"], item["goods"])
    ladder = np.cumsum(scene.actors.importers.kind_share[item["trader"], item["slot"]], axis=1)
    kind = np.minimum((rng.random(m)[:, None] > ladder).sum(axis=1), len(KINDS) - 1)
    # Goods that stand in for others may have no cover of their own.
    kind = np.where((kind == 2) & (scene.world.goods.cover[item["goods"]] < 0), 0, kind)
    kind = np.where(rng.random(m) < rate, kind, HONEST)
    sps = rng.random(m) < sps_rate(scene)
    fence = rng.random(m) < fence_rate(scene)
    truth = {
        "revenue_fraud": flow.any_line(kind >= 0),
        "contraband": rng.random(n) < contraband_rate(scene),
        "vehicle_crime": (rng.random(n) < vehicle_rate(scene)) | flow.any_line(fence),
        "concealed_persons": rng.random(n) < persons_rate(scene),
        "sps_violation": flow.any_line(sps),
    }
    return Harms({domain: truth[domain] for domain in DOMAINS}, kind, sps, fence)


def revenue_rate(scene: Scene, slot: Ints, goods: Ints) -> Floats:
    """Chance of revenue fraud in each goods line, if it were of these goods of its importer.

    Parameters
    ----------
    scene : Scene
    slot : ndarray of shape (m,)
        Which of the importer's goods.
    goods : ndarray of shape (m,)
        -1 for no goods.

    Returns
    -------
    ndarray of shape (m,)
    """
    item, of = scene.flow.item, scene.flow.of
    importers, harm = scene.actors.importers, scene.world.file["harms"]["revenue_fraud"]
    who = item["trader"]
    rate = importers.cheat_rate[who] * np.where(importers.cheats_in[who, slot], 1.0, harm["other_goods"])
    rate *= np.minimum(0.6 + 4.0 * scene.world.goods.duty_rate[goods], 1.3)
    rate *= np.where(scene.actors.is_collusive[item["declarant"]], 1.25, 0.85)
    rate *= np.where(scene.flow.header["post"][of] == importers.weak_post[who], 1.15, 0.75)
    day = scene.world.starts_on.astype("datetime64[D]") + scene.local_second // SECONDS_A_DAY
    is_late = (day - day.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64) >= 24
    rate *= np.where(is_late, 1.15, 1.0)[of]
    rate *= scene.state.calm("importer", who, scene.world)
    tempted = (scene.flow.header["movement"][of] == IMPORT) & (goods >= 0) & ~item["is_export"]
    return np.where(tempted, np.minimum(rate, 0.92), 0.0)


def is_food(scene: Scene, goods: Ints) -> Mask:
    """Whether lines are foodstuffs, animals or plants."""
    last = scene.world.file["harms"]["sps_violation"]["last_chapter"]
    return np.asarray((goods >= 0) & (scene.world.goods.chapter[goods] <= last))


def sps_rate(scene: Scene) -> Floats:
    """Chance of a veterinary or phytosanitary breach in each line: bad exporters, outbreaks, summer."""
    harm = scene.world.file["harms"]["sps_violation"]
    item, of = scene.flow.item, scene.flow.of
    chapter = scene.world.goods.chapter[item["goods"]]
    fresh = np.isin(chapter, harm["fresh_chapters"])
    summer = harm["summer"] if 4 <= scene.calendar.month <= 8 else 1.0
    season = np.where(fresh, summer, 0.7)
    bad = scene.actors.exporter_rate[item["exporter"]] * scene.state.calm("exporter", item["exporter"], scene.world)
    rate = np.maximum(harm["base_rate"] * np.where(fresh, FRESH_FACTOR, 1.0), bad) * season
    for origin, sick_chapter, first, last in scene.actors.outbreaks:
        if first <= scene.calendar.first_day < last:
            struck = (item["origin"] == origin) & (chapter == sick_chapter)
            rate = np.where(struck, rate + harm["outbreak_rate"], rate)
    enters = np.isin(scene.flow.header["movement"][of], (IMPORT, TRANSIT)) & ~item["is_export"]
    return np.where(is_food(scene, item["goods"]) & enters, np.minimum(rate, 0.85), 0.0)


def contraband_rate(scene: Scene) -> Floats:
    """Chance of contraband in each crossing: rings at their post of the moment, solo smugglers, a little by anybody."""
    harm = scene.world.file["harms"]["contraband"]
    header, state = scene.flow.header, scene.state
    ring = np.where(header["carrier"] >= 0, state.ring_of_carrier[header["carrier"]], -1)
    works = (ring >= 0) & (header["post"] == state.post["ring"][ring]) & ~state.is_asleep[ring]
    liked = np.where(scene.is_night == scene.actors.rings.is_night[ring], harm["night"], 0.75)
    liked *= np.where(header["is_entry"], 1.0, 0.5) * np.where(header["load"] == LOADED, 1.0, 0.7)
    by_ring = scene.actors.rings.rate[ring] * liked * state.calm("ring", ring, scene.world)
    near = np.array([harm["neighbours"].get(n, 1.0) for n in scene.world.posts.neighbour])[header["post"]]
    by_anybody = harm["base_rate"] * near * np.where(header["movement"] == TRANSIT, 2.0, 1.0)
    by_solo = scene.actors.vehicles.solo_rate[header["vehicle"]] * np.where(header["is_entry"], 1.0, 0.2)
    return np.asarray(np.minimum(np.where(works, by_ring, 0.0) + by_anybody + by_solo, 0.9))


def vehicle_rate(scene: Scene) -> Floats:
    """Chance that the vehicle itself is stolen or altered: plates that a gang has copied, where it works."""
    harm = scene.world.file["harms"]["vehicle_crime"]
    header, state = scene.flow.header, scene.state
    gang = gang_now(scene.actors, state, header["vehicle"], scene.calendar)
    here = header["post"] == state.post["gang"][gang]
    rate = np.where(here, scene.actors.gangs.rate[gang], harm["elsewhere"])
    rate *= np.where(scene.is_night == scene.actors.gangs.is_night[gang], 1.2, 0.85)
    rate *= state.calm("gang", gang, scene.world)
    base = np.where(np.isin(header["kind"], (CAR, VAN, TRUCK)), harm["base_rate"], 0.0)
    return np.where(scene.is_road, np.minimum(np.where(gang >= 0, rate, 0.0) + base, 0.9), 0.0)


def fence_rate(scene: Scene) -> Floats:
    """Chance that cars among the goods are stolen or altered."""
    item = scene.flow.item
    is_car = np.isin(scene.world.goods.hs_code[item["goods"]], ("870323", "870380")) & (item["goods"] >= 0)
    rate = scene.actors.importers.fence_rate[item["trader"]] * scene.state.calm("importer", item["trader"], scene.world)
    applies = is_car & ~item["is_export"] & scene.is_road[scene.flow.of]
    return np.where(applies, rate, 0.0)


def persons_rate(scene: Scene) -> Floats:
    """Chance of hidden people: networks at their post and direction, more in the season of labour."""
    harm = scene.world.file["harms"]["concealed_persons"]
    header, state = scene.flow.header, scene.state
    network = np.where(header["carrier"] >= 0, state.network_of_carrier[header["carrier"]], -1)
    here = (network >= 0) & (header["post"] == state.post["network"][network])
    crews: Crews = scene.actors.networks
    rate = crews.rate[network] * harm["season"][scene.calendar.month]
    rate *= np.where(header["is_entry"] == crews.enters[network], 1.0, 0.15)
    rate *= np.where(header["load"] == EMPTY, 1.4, 0.85) * np.where(
        scene.is_night == crews.is_night[network], 1.25, 0.8
    )
    rate *= state.calm("network", network, scene.world)
    base = np.where(np.isin(header["kind"], (TRUCK, VAN, BUS)), harm["base_rate"], 0.0)
    base *= np.where(header["movement"] == NO_MOVEMENT, 2.0, 1.0)
    return np.where(scene.is_road, np.minimum(np.where(here, rate, 0.0) + base, 0.9), 0.0)
