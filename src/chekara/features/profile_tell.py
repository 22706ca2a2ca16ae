"""From one state to what it tells: the measures of `chekara.features.profile_measures`, compiled.

A state is row ``s`` of the sums and of the controls; ``recent`` and ``long`` bring sums to the instant of reading.

Numba keys its cache by file: after a change here or in ``profile_state.py`` touch ``profile_step.py``, too.
"""

from __future__ import annotations

import math

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
    Floats,
    inlined,
)

_NOTHING = 1e-9  # a sum below it is what rounding left of something that was taken back
_TWO_LINES = 1.5  # decayed: two of them, together not older than five months
_LEAST_VARIANCE = 1e-4
_LEAST_DEVIATION = 0.1
_STEADY = HALF_LIVES_DAYS[1] / HALF_LIVES_DAYS[0]

MEASURE_CODES = {measure.name: code for code, measure in enumerate(MEASURES)}
UNDIVIDED = sum(not measure.by_domain for measure in MEASURES)
"""Measures that are not told by domain; their codes come first."""
# Numba wants plain names.
_VOLUME_RECENT = MEASURE_CODES["volume_recent"]
_VOLUME_LONG = MEASURE_CODES["volume_long"]
_BURST = MEASURE_CODES["burst"]
_SINCE_FIRST = MEASURE_CODES["days_since_first"]
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
def _since(at: float, by: float, other_at: float, other_by: float, mark: float, now: float) -> float:
    """Return days since a sighting by another crossing; NaN where there is none."""
    if by == mark:
        at, by = other_at, other_by
    return now - at if by != 0.0 else math.nan


@inlined
def tell_traffic(
    told: Floats, sums: Floats, s: int, mark: float, now: float, recent: float, long: float, parent_volume: float
) -> None:
    """Tell how much and when a key was seen; ``mark`` and ``now``: of the crossing that asks."""
    volume_recent, volume_long = left(sums[s, VOLUME_RECENT], recent), left(sums[s, VOLUME_LONG], long)
    told[_VOLUME_RECENT], told[_VOLUME_LONG] = volume_recent, volume_long
    told[_BURST] = _STEADY * volume_recent / volume_long if volume_long > 0.0 else math.nan
    told[_SHARE] = min(volume_long / parent_volume, 1.0) if parent_volume > 0.0 else math.nan
    told[_SINCE_LAST] = _since(
        sums[s, LAST_AT], sums[s, LAST_BY], sums[s, OTHER_LAST_AT], sums[s, OTHER_LAST_BY], mark, now
    )
    told[_SINCE_FIRST] = _since(
        sums[s, FIRST_AT], sums[s, FIRST_BY], sums[s, OTHER_FIRST_AT], sums[s, OTHER_FIRST_BY], mark, now
    )


@inlined
def tell_prices(told: Floats, sums: Floats, s: int, long: float, price: float, is_goods: bool, usual: float) -> None:
    """Tell of a key's prices and of the line's ``price`` among them, both as logs; of goods the level is ``usual``."""
    lines = left(sums[s, PRICES], long)
    level, variance = usual, math.nan
    if not is_goods:
        level = sums[s, PRICE_SUM] * long / (lines + LEVEL_STRENGTH) if lines > 0.0 else math.nan
    if lines >= _TWO_LINES:
        mean = sums[s, PRICE_SUM] * long / lines
        variance = max(sums[s, PRICE_SQUARES] * long / lines - mean * mean, _LEAST_VARIANCE)
    told[_PRICE_LEVEL] = math.exp(level)
    told[_PRICE_SPREAD] = math.sqrt(variance)
    told[_PRICE_VS_OWN] = math.exp(price - level)
    told[_PRICE_DEVIATION] = (price - level) / max(told[_PRICE_SPREAD], _LEAST_DEVIATION)


@inlined
def tell_masses(told: Floats, sums: Floats, s: int, long: float, log_mass: float) -> None:
    """Tell of weighed over declared mass; ``log_mass`` is the crossing's own."""
    masses = left(sums[s, MASSES], long)
    level = sums[s, MASS_SUM] * long / masses if masses > 0.0 else math.nan
    told[_MASS_LEVEL], told[_MASS_VS_OWN] = math.exp(level), math.exp(log_mass - level)


@inlined
def controls_told(
    measure: int, controls: Floats, s: int, d: int, was_inspected: bool, recent: float, long: float, rate: float
) -> float:
    """Return a measure of inspections for one domain; ``rate``: the key's long hit rate."""
    if measure == _HIT_RATE:
        return rate
    if not was_inspected:
        return rate if measure == _HIT_RATE_RECENT else 0.0
    base = d * CONTROLS
    if measure == _HITS_RECENT:
        return left(controls[s, base + HITS_RECENT], recent)
    if measure == _HIT_RATE_RECENT:
        hits = left(controls[s, base + HITS_RECENT], recent)
        return (hits + RATE_STRENGTH * rate) / (left(controls[s, base + INSPECTIONS_RECENT], recent) + RATE_STRENGTH)
    inspections = left(controls[s, base + INSPECTIONS_LONG], long)
    if measure == _INSPECTIONS:
        return inspections
    return left(controls[s, base + AMOUNT], long) / (inspections + RATE_STRENGTH)
