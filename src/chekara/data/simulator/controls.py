"""Who is inspected at the simulated border, how, and what becomes known when.

Selection is biased on purpose: rules look at what they always looked at, officers follow hunches and remember whom
they caught, and only the lot is fair. A policy may take the place of rules, hunches and memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from chekara.data.simulator.actors import BLIND, BUS, CAR, COLLUDING, GOOD, TRUCK, VAN
from chekara.data.simulator.flow import EMPTY, IMPORT, LOADED, TRANSIT, Flow
from chekara.data.simulator.harms import Harms, Scene, is_food
from chekara.data.simulator.traffic import usual_log_price
from chekara.data.simulator.world import DOMAINS, Array, Floats, Ints, Mask

RANDOM, RULE, OFFICER, INTELLIGENCE, MODEL = range(5)
NOBODY = -1
SELECTED_BY = np.array(["random", "rule", "officer", "intelligence", "model"], dtype=object)
CONFIRMED, SUSPECTED, CLEAR, OVERTURNED = range(4)
RESULTS = np.array(["confirmed", "suspected", "clear", "overturned"], dtype=object)
# How much an inspector's nose raises the chance of a look at real harm, and finds it once looking.
_NOSE = {BLIND: 1.5, GOOD: 7.0, COLLUDING: 1.0}
_EYE = {BLIND: 0.80, GOOD: 1.0, COLLUDING: 0.9}
_LETS_PASS = 0.9  # chance that a colluding inspector clears somebody under protection


@dataclass(frozen=True, slots=True)
class Controls:
    """Inspections of a week in one domain, as arrays of shape (k,).

    Attributes
    ----------
    crossing : position of the crossing in the week
    inspected, known : seconds from the start
    selected_by, method, result : positions in ``SELECTED_BY``, the domain's methods, ``RESULTS``
    found, done : bool
    is_true : whether the hit is a real one
    line : position of the goods line meant, in the week; -1 for the whole crossing
    inspector : number
    """

    crossing: Ints
    inspected: Ints
    known: Ints
    selected_by: Ints
    method: Ints
    result: Ints
    found: Mask
    done: Mask
    is_true: Mask
    line: Ints
    inspector: Ints


@dataclass(frozen=True, slots=True)
class Duty:
    """Who is on duty this week, and whom the border's own lot draws, as arrays of shape (n,).

    Attributes
    ----------
    in_lot : bool
    luck : evenly from 0 to 1; a draw below the chance that draws come to nothing is not done
    inspector : number
    """

    in_lot: Mask
    luck: Floats
    inspector: Ints


@dataclass(frozen=True, slots=True)
class Orders:
    """What a policy orders in place of rules, hunches and memory.

    Attributes
    ----------
    selected_by : dict of str to ndarray of shape (n,)
        By domain: position in ``SELECTED_BY`` of what selects each crossing; -1 where nothing does.
    not_done : ndarray of shape (n,), or None
        Chance that a draw of each crossing comes to nothing. None: the border draws a lot of its own beside, with
        the chance of the world file, and whatever it drew counts as drawn.
    """

    selected_by: Mapping[str, Ints]
    not_done: Floats | None = None


def draw_duty(scene: Scene, said: Flow, rng: np.random.Generator) -> Duty:
    """Draw the border's own lot of a week, and who is on duty.

    Parameters
    ----------
    scene : Scene
    said : Flow
        As declared.
    rng : Generator

    Returns
    -------
    Duty
    """
    in_lot = rng.random(said.size) < scene.world.file["practice"]["lot"]
    luck = rng.random(said.size)
    return Duty(in_lot, luck, _on_duty(scene, said.header["post"], rng))


def inspect_week(
    scene: Scene,
    said: Flow,
    harms: Harms,
    by_origin: Floats,
    duty: Duty,
    orders: Orders | None,
    rng: np.random.Generator,
) -> dict[str, Controls]:
    """Select and inspect the crossings of a week in every domain.

    Parameters
    ----------
    scene : Scene
    said : Flow
        As declared.
    harms : Harms
    by_origin : ndarray
        Of ``traffic.prices_by_origin``.
    duty : Duty
    orders : Orders or None
        None: rules, hunches and memory pick.
    rng : Generator

    Returns
    -------
    dict of str to Controls
    """
    chance = None if orders is None else orders.not_done
    is_done = duty.luck >= (scene.world.file["practice"]["lot_not_done"] if chance is None else chance)
    controls = {}
    for domain in DOMAINS:
        if orders is None:
            reason = habit(domain, scene, said, harms, by_origin, duty.inspector, rng)
        else:
            reason = orders.selected_by[domain]
        drawn = duty.in_lot if chance is None else reason == RANDOM
        which = np.flatnonzero(applies_to(domain, scene, said) & (drawn | (reason >= 0)))
        done = (~drawn | is_done)[which]
        told = np.where(drawn, RANDOM, reason)[which]
        controls[domain] = _look(domain, scene, said, harms, which, told, done, duty.inspector[which], rng)
    return controls


def applies_to(domain: str, scene: Scene, said: Flow) -> Mask:
    """Whether crossings can be inspected for a domain at all.

    Parameters
    ----------
    domain : str
    scene : Scene
    said : Flow
        As declared.

    Returns
    -------
    ndarray of shape (n,), bool
    """
    has_goods: Mask = said.header["load"] == LOADED
    if domain in ("revenue_fraud", "sps_violation"):
        return has_goods
    if domain in ("vehicle_crime", "concealed_persons"):
        return scene.is_road
    return np.ones(said.size, dtype=bool)


def _on_duty(scene: Scene, post: Ints, rng: np.random.Generator) -> Ints:
    luck = rng.random(len(post))
    inspector = np.zeros(len(post), dtype=np.int64)
    for p, staff in enumerate(scene.actors.inspectors.by_post):
        there = post == p
        inspector[there] = staff[(luck[there] * len(staff)).astype(int)]
    return inspector


def habit(
    domain: str,
    scene: Scene,
    said: Flow,
    harms: Harms,
    by_origin: Floats,
    inspector: Ints,
    rng: np.random.Generator,
) -> Ints:
    """Pick as it was always done: by rules, by hunches, and by the memory of who was caught.

    Parameters
    ----------
    domain : str
    scene, said, harms, by_origin : as `inspect_week` takes them
    inspector : ndarray of shape (n,)
        Who is on duty.
    rng : Generator

    Returns
    -------
    ndarray of shape (n,), int
        Position in ``SELECTED_BY``; -1 where nobody looks.
    """
    n = said.size
    own = scene.world.file["practice"]["domains"][domain]
    by_rule = rng.random(n) < own["rule_rate"] * _rule_weight(domain, scene, said, by_origin)
    character = scene.actors.inspectors.character[inspector]
    nose = np.where(harms.by_crossing[domain], np.array([_NOSE[c] for c in (BLIND, GOOD, COLLUDING)])[character], 1.0)
    by_officer = rng.random(n) < own["officer_rate"] * nose
    by_memory = rng.random(n) < _remembered(domain, scene, said)
    return np.select([by_memory, by_rule, by_officer], [INTELLIGENCE, RULE, OFFICER], NOBODY)


def _remembered(domain: str, scene: Scene, said: Flow) -> Floats:
    """Chance of a look at somebody with known hits."""
    practice, memory, header, item = scene.world.file["practice"], scene.state.memory, said.header, said.item
    if domain == "revenue_fraud":
        known = np.maximum.reduceat(_fame(memory[domain, "importer"], item["trader"]), _starts(said))
    elif domain == "sps_violation":
        known = np.maximum.reduceat(_fame(memory[domain, "exporter"], item["exporter"]), _starts(said))
    elif domain == "vehicle_crime":
        known = _fame(memory[domain, "vehicle"], header["vehicle"])
        known = np.maximum(known, 0.7 * _fame(memory[domain, "carrier"], header["said_carrier"]))
    else:
        of_vehicle = _fame(memory[domain, "vehicle"], header["vehicle"])
        known = np.maximum(of_vehicle, _fame(memory[domain, "carrier"], header["said_carrier"]))
    return np.asarray(np.minimum(practice["memory"] * known, practice["most_from_memory"]))


def _fame(memory: Floats, who: Ints) -> Floats:
    """Known hits of those who cross, against how often they cross: one hit among many trips is soon forgotten."""
    trips = np.bincount(who[who >= 0], minlength=len(memory))
    return np.where(who >= 0, memory[who] / (1.0 + trips[who] / 4.0), 0.0)


def _starts(said: Flow) -> Ints:
    return np.asarray(np.cumsum(said.lines) - said.lines)


def _rule_weight(domain: str, scene: Scene, said: Flow, by_origin: Floats) -> Floats:
    """How much more than usual today's rules look at a crossing: old habits."""
    header, item, world = said.header, said.item, scene.world
    loaded = header["load"] == LOADED
    neighbour = world.posts.neighbour[header["post"]]
    if domain == "revenue_fraud":
        usual = usual_log_price(world, scene.calendar, item["said_goods"], item["said_origin"], by_origin)
        below_list = (np.log(item["value"] / item["said_mass"]) < usual - 0.6) & (item["goods"] >= 0)
        dear = said.any_line(world.goods.duty_rate[item["said_goods"]] > 0.09)
        weight = 0.4 + 0.8 * dear + 0.6 * (neighbour == "CN") + 3.0 * said.any_line(below_list)
        return np.where(loaded & (header["movement"] == IMPORT), weight, 0.02)
    if domain == "sps_violation":
        return np.where(said.any_line(is_food(scene, item["said_goods"])), 1.0, 0.0)
    if domain == "contraband":
        tampered = header["seal"] >= 2
        weight = 0.5 + 6.0 * tampered + 1.0 * np.isin(neighbour, ("TJ", "UZ")) + 0.8 * (header["movement"] == TRANSIT)
        return np.where(loaded, weight, 0.4)
    if domain == "vehicle_crime":
        return np.where(np.isin(header["kind"], (CAR, VAN)), 1.6, 0.2) + 1.5 * ~header["journey_known"]
    empty = header["load"] == EMPTY
    return np.where(np.isin(header["kind"], (TRUCK, VAN, BUS)), 0.7 + 1.2 * empty, 0.1)


def _look(
    domain: str,
    scene: Scene,
    said: Flow,
    harms: Harms,
    which: Ints,
    reason: Ints,
    done: Mask,
    inspector: Ints,
    rng: np.random.Generator,
) -> Controls:
    practice = scene.world.file["practice"]
    own: dict[str, Any] = practice["domains"][domain]
    k = len(which)
    shares = np.array([share for _, share, _ in own["methods"]])
    # The lot always takes the most thorough method, so that its rate is honest.
    method = np.where(reason == RANDOM, len(shares) - 1, rng.choice(len(shares), size=k, p=shares / shares.sum()))
    by_method = np.array([chance for _, _, chance in own["methods"]])
    detection = by_method[method] * _eye(domain, scene, said, inspector, which)
    harmed = harms.by_crossing[domain][which]
    is_true = done & harmed & (rng.random(k) < detection)
    found = is_true | (done & ~harmed & (rng.random(k) < practice["false_alarms"]))
    inspected = said.header["second"][which] + (3600 * (rng.gamma(2.0, 2.0, k) + 0.5)).astype(np.int64)
    days = rng.gamma(1.2, own["days_until_known"] / 1.2, k) * np.where(found, 1.5, 1.0)
    result = np.where(found, np.where(rng.random(k) < 0.8, CONFIRMED, SUSPECTED), CLEAR)
    return Controls(
        crossing=which,
        inspected=inspected,
        # No result is known before the crossing is.
        known=np.maximum(inspected, said.header["second"][which] + said.header["late"][which])
        + (86_400 * days).astype(np.int64)
        + 900,
        selected_by=reason,
        method=method,
        result=result,
        found=found,
        done=done,
        is_true=is_true,
        line=np.where(is_true, _line_meant(domain, said, harms)[which], -1),
        inspector=inspector,
    )


def _eye(domain: str, scene: Scene, said: Flow, inspector: Ints, which: Ints) -> Floats:
    """Share of what a method can find that an inspector finds, and reports, in each of some crossings."""
    character = scene.actors.inspectors.character[inspector]
    seen = np.array([_EYE[c] for c in (BLIND, GOOD, COLLUDING)])[character]
    protected = _protectors(domain, scene, said)[which] == inspector
    return np.where(protected, seen * (1 - _LETS_PASS), seen)


def found_if_drawn(domain: str, scene: Scene, said: Flow, harms: Harms, duty: Duty) -> Floats:
    """Chance that a draw of each crossing finds something: what the lot measures, which is less than the truth.

    Parameters
    ----------
    domain : str
    scene, said, harms : as `inspect_week` takes them
    duty : Duty

    Returns
    -------
    ndarray of shape (n,)
        0 where the domain does not apply.
    """
    practice = scene.world.file["practice"]
    most_thorough = practice["domains"][domain]["methods"][-1][2]
    detection = most_thorough * _eye(domain, scene, said, duty.inspector, np.arange(said.size))
    alarm = practice["false_alarms"]
    chance = np.where(harms.by_crossing[domain], detection, alarm)
    return np.where(applies_to(domain, scene, said), chance, 0.0)


def _protectors(domain: str, scene: Scene, said: Flow) -> Ints:
    """Inspector who clears each crossing's main actor; -2 where nobody does."""
    header, state, actors = said.header, scene.state, scene.actors
    if domain == "revenue_fraud":
        found = actors.importers.protector[said.item["trader"][_starts(said)]]
        return np.where(found >= 0, found, -2)
    crews: dict[str, tuple[Any, Array]] = {
        "contraband": (actors.rings, np.where(header["carrier"] >= 0, state.ring_of_carrier[header["carrier"]], -1)),
        "concealed_persons": (
            actors.networks,
            np.where(header["carrier"] >= 0, state.network_of_carrier[header["carrier"]], -1),
        ),
        "vehicle_crime": (actors.gangs, state.gang_of_vehicle[header["vehicle"]]),
    }
    if domain not in crews:
        return np.full(said.size, -2)
    crew, member = crews[domain]
    found = np.where(member >= 0, crew.protector[member], -2)
    return np.where(found >= 0, found, -2)


def _line_meant(domain: str, said: Flow, harms: Harms) -> Ints:
    """Line that a hit names: the one that evades most, the first unsound food; -1 for the whole crossing."""
    starts = _starts(said)
    if domain == "revenue_fraud":
        weight = said.item["lost"] + (harms.kind >= 0)
    elif domain == "sps_violation":
        weight = harms.sps.astype(float)
    else:
        return np.full(said.size, -1)
    order = np.lexsort((-np.arange(len(weight)), weight, said.of))
    return np.asarray(order[starts + said.lines - 1])
