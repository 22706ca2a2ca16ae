"""Who trades and carries at the simulated border: traders with their goods and habits, and a fleet of conveyances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from chekara.data.simulate_figures import CORRIDORS, EXPORTS, GOODS, VEHICLE_COUNTRIES

Array: TypeAlias = npt.NDArray[Any]
Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

STARTS_AT = np.datetime64("2025-01-01T00:00:00", "us")
ALL_GOODS = GOODS + EXPORTS
ORIGINS = tuple(CORRIDORS)
SLOTS = 3  # kinds of goods that one trader deals in


@dataclass(frozen=True, slots=True)
class Traders:
    """Importers and exporters of the simulated border, as arrays of shape (n_traders, ...).

    Attributes
    ----------
    ids, declarant, registered_at : ndarray of shape (n_traders,)
    goods, origin : ndarray of shape (n_traders, 3)
        Positions in ``ALL_GOODS`` and in the list of origins, for each kind of goods a trader deals in.
    share : ndarray of shape (n_traders,)
        Relative number of consignments, sums to 1.
    habit : ndarray of shape (n_traders,)
        How readily a trader cheats on revenue, mean about 1.
    quality : ndarray of shape (n_traders,)
        Natural logarithm of the trader's honest price level.
    ships_standard : ndarray of shape (n_traders,)
        Whether the same consignment comes again and again at list price.
    standard_mass_kg : ndarray of shape (n_traders, 3)
    authorised : ndarray of shape (n_traders,)
    """

    ids: Array
    declarant: Array
    registered_at: Array
    goods: Ints
    origin: Ints
    share: Floats
    habit: Floats
    quality: Floats
    ships_standard: Array
    standard_mass_kg: Floats
    authorised: Array


def make_traders(count: int, rng: np.random.Generator) -> Traders:
    """Draw traders: what they deal in and where they buy it, how often they ship, and how readily they cheat.

    Parameters
    ----------
    count : int
    rng : Generator

    Returns
    -------
    Traders
    """
    brokers = _names("BROKER", max(8, count // 15), 4)
    goods = rng.choice(len(GOODS), size=(count, SLOTS), p=shares_of([g.share for g in GOODS]))
    preference = rng.choice(3, size=(count, SLOTS), p=[0.62, 0.26, 0.12])
    origin_by_goods = np.array(
        [[ORIGINS.index(g.origins[min(k, len(g.origins) - 1)]) for k in range(3)] for g in GOODS]
    )
    age_days = rng.gamma(2.0, 1300.0, count).astype(int) + 20
    habit = np.where(rng.random(count) < 0.12, rng.uniform(4.0, 9.0, count), rng.uniform(0.05, 0.8, count))
    return Traders(
        ids=_names("TRADER", count, 6),
        declarant=brokers[rng.integers(0, len(brokers), count)],
        registered_at=STARTS_AT.astype("datetime64[D]") - age_days.astype("timedelta64[D]"),
        goods=goods,
        origin=origin_by_goods[goods, preference],
        share=shares_of(1.0 / (np.arange(count) + 8.0) ** 0.85),
        habit=habit,
        quality=rng.normal(0.0, 0.10, count),
        ships_standard=rng.random(count) < 0.15,
        standard_mass_kg=np.round(rng.lognormal(np.log(3000.0), 0.8, (count, SLOTS)), -1) + 20.0,
        authorised=(rng.random(count) < 0.10) & (habit < 1.0),
    )


def make_fleet(size: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Draw the conveyances that come and go.

    Parameters
    ----------
    size : int
    rng : Generator

    Returns
    -------
    tuple of ndarray of shape (size,)
        Plates, countries of registration, and carriers.
    """
    countries = rng.choice(
        np.array([c for c, _ in VEHICLE_COUNTRIES], dtype=object),
        size=size,
        p=shares_of([s for _, s in VEHICLE_COUNTRIES]),
    )
    letters = np.array(list("ABCEHKMOPTX"), dtype=object)
    region = rng.integers(1, 10, size)
    middle = letters[rng.integers(0, len(letters), (size, 3))].sum(axis=1)
    plates = np.array(
        [
            f"{r:02d}{c}{i % 1000:03d}{m}{i // 1000:02d}"
            for i, (r, c, m) in enumerate(zip(region, countries, middle, strict=True))
        ],
        dtype=object,
    )
    carriers = _names("CARRIER", max(20, size // 6), 5)
    return plates, countries, carriers[rng.integers(0, len(carriers), size)]


def _names(prefix: str, count: int, width: int) -> Array:
    return np.array([f"{prefix}{i:0{width}d}" for i in range(1, count + 1)], dtype=object)


def shares_of(weights: npt.ArrayLike) -> Floats:
    """Scale weights to sum to 1."""
    values = np.asarray(weights, dtype=float)
    return np.asarray(values / values.sum(), dtype=np.float64)
