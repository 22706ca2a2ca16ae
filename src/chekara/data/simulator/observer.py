"""The Bayes-optimal observer: who knows every character and the world's numbers, and sees what is declared.

It multiplies the chance of the mechanism (character x context x what happened lately) by how much likelier the
traces are with the harm than without. It does not know the outcome of a draw, nor which of an importer's goods a
truck really holds. No model can know characters that were never found out, so this is a ceiling, for judging only.
"""

from __future__ import annotations

import numpy as np

from chekara.data.simulator import traces
from chekara.data.simulator.actors import SLOT_SHARES, SLOTS, TRUCK, VAN, WAGON
from chekara.data.simulator.flow import LOADED, Flow
from chekara.data.simulator.harms import (
    Scene,
    contraband_rate,
    fence_rate,
    persons_rate,
    revenue_rate,
    sps_rate,
    vehicle_rate,
)
from chekara.data.simulator.traffic import ELSEWHERE, SIDE_GOODS, usual_log_price
from chekara.data.simulator.world import Floats, Ints, Mask

_GRID = (np.arange(12) + 0.5) / 12


def bayes_log_odds(scene: Scene, said: Flow, by_origin: Floats) -> dict[str, Floats]:
    """Return the log-odds of each harm, by domain, for every crossing of a week.

    Parameters
    ----------
    scene : Scene
        As it was before the week.
    said : Flow
        Of ``traces.declare``.
    by_origin : ndarray
        Of ``traffic.prices_by_origin``.

    Returns
    -------
    dict of str to ndarray of shape (n,)
    """
    excess = said.header["weighed"] - said.sum_lines(np.where(said.item["goods"] >= 0, said.item["gross"], 0.0))
    hours = _hours_ratio(scene, said)
    revenue = _revenue_lines(scene, said, by_origin, excess)
    fence = fence_rate(scene)
    return {
        "revenue_fraud": _logit(_any_of(said, revenue)),
        "contraband": _logit(contraband_rate(scene)) + hours["contraband"] + _contraband_traces(said),
        "vehicle_crime": _logit(
            1 - (1 - _with(vehicle_rate(scene), _vehicle_traces(scene, said))) * (1 - _any_of(said, fence))
        ),
        "concealed_persons": _logit(persons_rate(scene)) + hours["concealed_persons"] + _persons_traces(said, excess),
        "sps_violation": _logit(_any_of(said, _sps_lines(scene, said, by_origin))) + hours["sps_violation"],
    }


def _logit(p: Floats) -> Floats:
    safe = np.clip(p, 1e-9, 1 - 1e-9)
    return np.asarray(np.log(safe / (1 - safe)))


def _with(p: Floats, log_ratio: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-(_logit(p) + log_ratio))))


def _any_of(said: Flow, p: Floats) -> Floats:
    none = np.bincount(said.of, weights=np.log1p(-np.minimum(p, 1 - 1e-9)), minlength=said.size)
    return np.asarray(-np.expm1(none))


def _normal(x: Floats, spread: Floats | float) -> Floats:
    return np.asarray(np.exp(-0.5 * (x / spread) ** 2) / spread)


def _trace(shown: Mask, chances: tuple[float, float]) -> Floats:
    honest, harm = chances
    return np.where(shown, float(np.log(harm / honest)), float(np.log((1 - harm) / (1 - honest))))


def _hours_ratio(scene: Scene, said: Flow) -> dict[str, Floats]:
    late = (np.log(said.header["hours"]) - np.log(traces.usual_hours(scene))) / traces.HOURS_SPREAD
    shift = {domain: more / traces.HOURS_SPREAD for domain, more in traces.SLOWER.items()}
    return {domain: late * more - 0.5 * more**2 for domain, more in shift.items()}


def _contraband_traces(said: Flow) -> Floats:
    header = said.header
    ratio = np.where(header["seal"] >= 0, _trace(header["seal"] >= 2, traces.SEAL_TAMPERED), 0.0)
    ratio = ratio + np.where(header["load"] == LOADED, _trace(header["notice"] > 0, traces.ANNOUNCED), 0.0)
    borrowed = header["trailer_said"] != header["trailer"]
    ratio = ratio + np.where(header["trailer"] >= 0, _trace(borrowed, traces.FOREIGN_TRAILER), 0.0)
    return ratio + _crew(said)


def _crew(said: Flow) -> Floats:
    counts = np.isin(said.header["kind"], (TRUCK, VAN, WAGON)) & (said.header["occupants"] >= 0)
    return np.where(counts, _trace(said.header["occupants"] > 1, traces.EXTRA_PERSON), 0.0)


def _vehicle_traces(scene: Scene, said: Flow) -> Floats:
    changed = said.header["country"] != scene.actors.vehicles.country[said.header["vehicle"]]
    unknown = ~said.header["journey_known"]
    return _trace(changed, traces.COUNTRY_CHANGED) + _trace(unknown, traces.JOURNEY_UNKNOWN)


def _bridge(excess: Floats, gross: Floats) -> Floats:
    """Density of what the weighbridge shows beyond what is there, up to a factor."""
    fine = np.hypot(traces.FINE_KG, traces.FINE_SHARE * gross)
    rough = np.hypot(traces.ROUGH_KG, traces.ROUGH_LOAD * gross)
    return (1 - traces.ROUGH_SHARE) * _normal(excess, fine) + traces.ROUGH_SHARE * _normal(excess, rough) + 1e-12


def _persons_traces(said: Flow, excess: Floats) -> Floats:
    gross = said.header["weighed"]
    low, high = traces.PERSONS_KG
    hidden = np.mean([_bridge(excess - (low + (high - low) * q), gross) for q in _GRID], axis=0)
    ratio = np.log(hidden) - np.log(_bridge(excess, gross))
    return np.where(np.isnan(excess), 0.0, ratio) + _crew(said)


def _mass_ratio(said: Flow, excess: Floats) -> Floats:
    """How much likelier the weighbridge's figure is if the mass of a line was understated."""
    of = said.of
    low, high = traces.MASS_SHARE
    shown, gross = excess[of], said.header["weighed"][of]
    light = np.mean(
        [_bridge(shown - said.item["gross"] * (1 / (low + (high - low) * q) - 1), gross) for q in _GRID], axis=0
    )
    return np.where(np.isnan(shown), 1.0, light / _bridge(shown, gross))


def _revenue_lines(scene: Scene, said: Flow, by_origin: Floats, excess: Floats) -> Floats:
    """Chance of revenue fraud in each line, over what the importer may really have brought in."""
    item, importers, world = said.item, scene.actors.importers, scene.world
    n_origins = len(world.origins)
    free = np.flatnonzero(world.is_free_origin)
    log_price = np.log(item["value"] / item["said_mass"]) - importers.quality[item["trader"]]
    mass_ratio = _mass_ratio(said, excess)
    honest, harm = np.zeros(len(log_price)), np.zeros(len(log_price))
    for slot in range(SLOTS):
        k = np.full(len(log_price), slot)
        own = _goods_now(scene, importers.goods[item["trader"], slot])
        origin = importers.origin[item["trader"], slot]
        rate, kinds = revenue_rate(scene, k, own), importers.kind_share[item["trader"], slot]
        same_goods = item["said_goods"] == own
        strange = 0.5 / n_origins + 0.5 * np.isin(item["said_origin"], free) / len(free)
        came = (1 - ELSEWHERE) * (item["said_origin"] == origin) + ELSEWHERE * strange
        came = came * SLOT_SHARES[slot]
        usual = usual_log_price(world, scene.calendar, own, item["said_origin"], by_origin)
        fair = _price_density(scene, said, log_price - usual, own)
        cut = _normal(log_price - usual + importers.depth[item["trader"]], traces.UNDERVALUED_SPREAD)
        honest += np.where(same_goods, came * (1 - rate) * fair, 0.0)
        harm += np.where(same_goods, came * rate * (kinds[:, 0] * cut + kinds[:, 1] * fair * mass_ratio), 0.0)
        cover = world.goods.cover[own]
        covered = (item["said_goods"] == cover) & (cover >= 0)
        harm += np.where(covered, came * rate * kinds[:, 2] * fair, 0.0)
        usual = usual_log_price(world, scene.calendar, cover, item["said_origin"], by_origin)
        side = SIDE_GOODS * (1 - rate) * _price_density(scene, said, log_price - usual, cover)
        honest += np.where(covered, came * side, 0.0)
        usual = usual_log_price(world, scene.calendar, own, origin, by_origin)
        moved = np.isin(item["said_origin"], free) & same_goods
        fair = _price_density(scene, said, log_price - usual, own)
        harm += np.where(moved, SLOT_SHARES[slot] * rate * kinds[:, 3] / len(free) * fair, 0.0)
    tempted = revenue_rate(scene, item["slot"], item["goods"]) > 0
    return np.where(tempted & (harm > 0), harm / np.maximum(harm + honest, 1e-300), 0.0)


def _goods_now(scene: Scene, goods: Ints) -> Ints:
    known = np.flatnonzero(scene.world.goods.from_month[: scene.world.n_imports] == 0)
    is_traded = scene.world.goods.from_month[goods] <= scene.calendar.month_since_start
    return np.where(is_traded, goods, known[goods % len(known)])


def _price_density(scene: Scene, said: Flow, deviation: Floats, goods: Ints) -> Floats:
    usual = 0.96 * _normal(deviation, scene.world.goods.spread[goods]) + 0.04 * _normal(deviation + 0.45, 0.25)
    return np.where(said.item["is_standard"], _normal(deviation, 0.04), usual) + 1e-12


def _sps_lines(scene: Scene, said: Flow, by_origin: Floats) -> Floats:
    item = said.item
    usual = usual_log_price(scene.world, scene.calendar, item["said_goods"], item["said_origin"], by_origin)
    deviation = np.log(item["value"] / item["said_mass"]) - scene.actors.importers.quality[item["trader"]] - usual
    fair = _price_density(scene, said, deviation, item["said_goods"])
    cheap = _price_density(scene, said, deviation + traces.SPS_DISCOUNT, item["said_goods"])
    return _with(sps_rate(scene), np.log(cheap) - np.log(fair)) * (sps_rate(scene) > 0)
