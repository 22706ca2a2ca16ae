"""From one state to what it tells: the measures of `chekara.features.profile_measures`, compiled.

A state is row ``s`` of the sums and of the controls; ``recent`` and ``long`` bring sums to the instant of reading.

Numba keys its cache by file: after a change here or in ``profile_state.py`` touch ``profile_step.py``, too.
"""

from __future__ import annotations

import math
from typing import Any

from chekara.features.profile_measures import MEASURES
from chekara.features.profile_state import (
    AMOUNT,
    CONTROLS,
    FIRST_AT,
    FIRST_BY,
    HALF_LIVES_DAYS,
    HITS_LONG,
    HITS_RECENT,
    INSPECTIONS_LONG,
    INSPECTIONS_RECENT,
    LAST_AT,
    LAST_BY,
    LEVEL_STRENGTH,
    MASS_SUM,
    MASSES,
    MINIMUM_LINES,
    OTHER_FIRST_AT,
    OTHER_FIRST_BY,
    OTHER_LAST_AT,
    OTHER_LAST_BY,
    PRICE_SQUARES,
    PRICE_STRENGTH,
    PRICE_SUM,
    PRICES,
    RATE_STRENGTH,
    VOLUME_LONG,
    VOLUME_RECENT,
    WAS_INSPECTED,
    Floats,
    inlined,
)

_NOTHING = 1e-9  # a sum below it is what rounding left of something that was taken back
_LEAST_VARIANCE = 1e-4
_LEAST_DEVIATION = 0.1
_STEADY = HALF_LIVES_DAYS[1] / HALF_LIVES_DAYS[0]

MEASURE_CODES = {measure.name: code for code, measure in enumerate(MEASURES)}
# Numba wants plain names.
_VOLUME_RECENT = MEASURE_CODES["volume_recent"]
_VOLUME_LONG = MEASURE_CODES["volume_long"]
_BURST = MEASURE_CODES["burst"]
_SINCE_LAST = MEASURE_CODES["days_since_last"]
_SHARE = MEASURE_CODES["share"]
_PRICE_LEVEL = MEASURE_CODES["price_level"]
_PRICE_SPREAD = MEASURE_CODES["price_spread"]
_PRICE_VS_OWN = MEASURE_CODES["price_vs_own"]
_PRICE_DEVIATION = MEASURE_CODES["price_deviation"]
_MASS_LEVEL = MEASURE_CODES["mass_level"]
_MASS_VS_OWN = MEASURE_CODES["mass_vs_own"]
_INSPECTIONS = MEASURE_CODES["inspections"]
_HIT_RATE = MEASURE_CODES["hit_rate"]
_HIT_RATE_RECENT = MEASURE_CODES["hit_rate_recent"]
_HITS_RECENT = MEASURE_CODES["hits_recent"]


@inlined
def left(total: float, decay: float) -> float:
    """Return a decayed sum as of now; nothing where only rounding is left of it."""
    now = total * decay
    return now if now > _NOTHING else 0.0


@inlined
def hit_rate(controls: Floats, s: int, was_inspected: bool, d: int, long: float, parent: float) -> float:
    """Return the long hit rate of a key in a domain, shrunk to its parent's; NaN where nobody knows."""
    if not was_inspected:
        return parent
    inspections = left(controls[s, d * CONTROLS + INSPECTIONS_LONG], long)
    hits = left(controls[s, d * CONTROLS + HITS_LONG], long)
    if not math.isnan(parent):
        return (hits + RATE_STRENGTH * parent) / (inspections + RATE_STRENGTH)
    return min(hits / inspections, 1.0) if inspections > 0.0 else math.nan


@inlined
def goods_price(sums: Floats, s: int, long: float, parent: float) -> float:
    """Return the usual log price of a group of goods; NaN where too few lines tell."""
    lines = left(sums[s, PRICES], long)
    if lines < MINIMUM_LINES:
        return math.nan
    total: float = sums[s, PRICE_SUM] * long
    if math.isnan(parent):
        return total / lines
    return (total + PRICE_STRENGTH * parent) / (lines + PRICE_STRENGTH)


@inlined
def price_level(sums: Floats, s: int, long: float) -> float:
    """Return the log of an entity's prices over the usual ones, shrunk to 0; NaN where it has none."""
    lines = left(sums[s, PRICES], long)
    if lines <= 0.0:
        return math.nan
    level: float = sums[s, PRICE_SUM] * long / (lines + LEVEL_STRENGTH)
    return level


@inlined
def _price_variance(sums: Floats, s: int, long: float) -> float:
    """Return the variance of a key's log prices; NaN where it has fewer than two."""
    lines = left(sums[s, PRICES], long)
    if lines < 1.5:
        return math.nan
    mean: float = sums[s, PRICE_SUM] * long / lines
    squares: float = sums[s, PRICE_SQUARES] * long / lines
    return max(squares - mean * mean, _LEAST_VARIANCE)


@inlined
def _since(at: float, by: float, other_at: float, other_by: float, mark: float, now: float) -> float:
    """Return days since a sighting by another crossing; NaN where there is none."""
    if by == mark:
        at, by = other_at, other_by
    return now - at if by != 0.0 else math.nan


@inlined
def tell_traffic(measure: int, sums: Floats, s: int, mark: float, operation: Any, parent_volume: float) -> float:
    """Return a measure of how much and when a key was seen; ``mark``: of the crossing that asks."""
    if measure == _VOLUME_RECENT:
        return left(sums[s, VOLUME_RECENT], operation.recent)
    volume = left(sums[s, VOLUME_LONG], operation.long)
    if measure == _VOLUME_LONG:
        return volume
    if measure == _BURST:
        return _STEADY * left(sums[s, VOLUME_RECENT], operation.recent) / volume if volume > 0.0 else math.nan
    if measure == _SHARE:
        return min(volume / parent_volume, 1.0) if parent_volume > 0.0 else math.nan
    now = operation.at
    if measure == _SINCE_LAST:
        return _since(sums[s, LAST_AT], sums[s, LAST_BY], sums[s, OTHER_LAST_AT], sums[s, OTHER_LAST_BY], mark, now)
    return _since(sums[s, FIRST_AT], sums[s, FIRST_BY], sums[s, OTHER_FIRST_AT], sums[s, OTHER_FIRST_BY], mark, now)


@inlined
def tell_price(measure: int, sums: Floats, s: int, long: float, price: float, level: float) -> float:
    """Return a measure of prices; ``price`` is the line's own, ``level`` the key's, both logs."""
    if measure == _PRICE_LEVEL:
        return math.exp(level)
    if measure == _PRICE_VS_OWN:
        return math.exp(price - level)
    deviation = math.sqrt(_price_variance(sums, s, long))
    return deviation if measure == _PRICE_SPREAD else (price - level) / max(deviation, _LEAST_DEVIATION)


@inlined
def tell_mass(measure: int, sums: Floats, s: int, long: float, log_mass: float) -> float:
    """Return a measure of weighed over declared mass; ``log_mass`` is the crossing's own."""
    masses = left(sums[s, MASSES], long)
    if masses <= 0.0:
        return math.nan
    level = sums[s, MASS_SUM] * long / masses
    return math.exp(level) if measure == _MASS_LEVEL else math.exp(log_mass - level)


@inlined
def tell_controls(
    measure: int, controls: Floats, s: int, was_inspected: bool, d: int, operation: Any, rate: float
) -> float:
    """Return a measure of inspections for one domain; ``rate``: the key's long hit rate."""
    if measure == _HIT_RATE:
        return rate
    if not was_inspected:
        return rate if measure == _HIT_RATE_RECENT else 0.0
    base = d * CONTROLS
    if measure == _HITS_RECENT:
        return left(controls[s, base + HITS_RECENT], operation.recent)
    if measure == _HIT_RATE_RECENT:
        hits = left(controls[s, base + HITS_RECENT], operation.recent)
        inspections = left(controls[s, base + INSPECTIONS_RECENT], operation.recent)
        return (hits + RATE_STRENGTH * rate) / (inspections + RATE_STRENGTH)
    inspections = left(controls[s, base + INSPECTIONS_LONG], operation.long)
    if measure == _INSPECTIONS:
        return inspections
    return left(controls[s, base + AMOUNT], operation.long) / (inspections + RATE_STRENGTH)


@inlined
def tell(
    measure: int,
    d: int,
    sums: Floats,
    controls: Floats,
    s: int,
    line: Any,
    price: float,
    level: float,
    rate: float,
    mark: float,
    operation: Any,
    parent_volume: float,
) -> float:
    """Return any measure of a key, as one line asks for it."""
    if measure >= _INSPECTIONS:
        return tell_controls(measure, controls, s, sums[s, WAS_INSPECTED] != 0.0, d, operation, rate)
    if _MASS_LEVEL <= measure <= _MASS_VS_OWN:
        return tell_mass(measure, sums, s, operation.long, line.log_mass)
    if _PRICE_LEVEL <= measure <= _PRICE_DEVIATION:
        return tell_price(measure, sums, s, operation.long, price, level)
    return tell_traffic(measure, sums, s, mark, operation, parent_volume)
