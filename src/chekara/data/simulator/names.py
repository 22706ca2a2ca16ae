"""Ids and codes under which everybody at the simulated border appears, and columns made of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as arrow
import pyarrow.compute as pc

from chekara.data.simulator.actors import Actors
from chekara.data.simulator.world import Array, Ints, World


@dataclass(frozen=True, slots=True)
class Names:
    """Ids and codes of everybody, by number."""

    importer: Array
    exporter: Array
    declarant: Array
    carrier: Array
    plate: Array
    trailer: Array
    country: Array


def make_names(world: World, actors: Actors, rng: np.random.Generator) -> Names:
    """Draw the ids under which actors appear in declarations.

    Parameters
    ----------
    world : World
    actors : Actors
    rng : Generator

    Returns
    -------
    Names
    """
    n_importers = len(actors.importers.share)
    n_carriers = max(int(actors.vehicles.firm.max()), len(actors.carriers.share)) + 1
    country = np.array(list(world.file["conveyances"]["countries"]), dtype=object)
    # Registration numbers: fourteen digits in no order, like those of tax payers.
    numbers = rng.permutation(10 * n_importers)[:n_importers] * 7919 + 10_000_000
    return Names(
        importer=np.array([f"0{k:013d}" for k in numbers], dtype=object),
        exporter=_numbered("EXP", len(actors.exporter_rate), 5),
        declarant=_numbered("BROKER", len(actors.is_collusive), 4),
        carrier=_numbered("CARRIER", n_carriers, 5),
        plate=_plates(country[actors.vehicles.country], rng),
        trailer=np.array([f"{k % 9 + 1:02d}T{k:05d}P" for k in range(actors.vehicles.n_fleet)], dtype=object),
        country=country,
    )


def _numbered(prefix: str, count: int, width: int) -> Array:
    return np.array([f"{prefix}{k:0{width}d}" for k in range(count)], dtype=object)


def _plates(country: Array, rng: np.random.Generator) -> Array:
    """Draw plates of the letters that Latin and Cyrillic share; each is unique by its running number."""
    letters = np.array(list("ABCEHKMOPTX"))
    region = rng.integers(1, 10, len(country))
    middle = letters[rng.integers(0, len(letters), (len(country), 3))]
    parts = enumerate(zip(region, country, middle, strict=True))
    return np.array([f"{r:02d}{c}{i % 1000:03d}{''.join(m)}{i // 1000:02d}" for i, (r, c, m) in parts], dtype=object)


def text(words: Iterable[Any], which: Ints) -> pd.Series[Any]:
    """Return a text column from words and the position of each row's word; -1 and empty words are missing."""
    table = arrow.array([word or None for word in words], arrow.large_string())
    return pd.Series(table.take(arrow.array(which, mask=which < 0)).to_pandas())


def numbered(prefix: str, number: Ints, width: int = 0) -> pd.Series[Any]:
    """Return a text column of a prefix and a number.

    Parameters
    ----------
    prefix : str
    number : ndarray of int
    width : int, optional
        Digits at least, filled with zeros.

    Returns
    -------
    Series of str

    Examples
    --------
    >>> numbered("KG", np.array([7, 12]), 4).tolist()
    ['KG0007', 'KG0012']
    """
    digits = pc.utf8_lpad(arrow.array(number).cast(arrow.string()), width, "0")
    joined = pc.binary_join_element_wise(prefix, digits, "")
    return pd.Series(joined.cast(arrow.large_string()).to_pandas())


def crossing_ids(number: Ints) -> pd.Series[Any]:
    """Return the ids of crossings by their number, from 0."""
    return numbered("KG", number + 1, 9)


def instants(world: World, second: Ints) -> pd.Series[Any]:
    """Return instants from seconds since the start."""
    return pd.Series(world.starts_on + second.astype("timedelta64[s]")).astype("datetime64[us]").dt.tz_localize("UTC")
