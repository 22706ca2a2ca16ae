"""A small border with known truth, made from the column contract.

It exists so that the whole road can be walked on any machine: enough traffic, habit, bias and delay to learn
from, and a truth to compare with. It is no model of any real border. The order of things is the order of life:
traders and vehicles (``simulate_traders``), crossings and what they really carry (``simulate_traffic``), what is
hidden and how it is declared (``simulate_harms``), who is inspected and what is found when (``simulate_controls``).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from chekara.data.simulate_controls import inspect_crossings
from chekara.data.simulate_figures import POSTS
from chekara.data.simulate_harms import DOMAINS, Harms, hide_harms
from chekara.data.simulate_traffic import Traffic, make_traffic
from chekara.data.sources import write_history
from chekara.errors import ConfigurationError

TRUTH_FILE = "truth.parquet"


def simulate_border(out: Path, *, months: int, per_day: int, seed: int) -> None:
    """Write the history files of a simulated border and ``truth.parquet``.

    Parameters
    ----------
    out : Path
        Folder to write; made if it is not there. Files of the same names are replaced.
    months : int
        Months of traffic, from 2025-01-01 on.
    per_day : int
        Crossings a day on average.
    seed : int
        Not below zero. Same seed, same bytes.

    Raises
    ------
    ConfigurationError
        A count is not above zero, or the seed is below it.

    Notes
    -----
    ``crossings``, ``inspections`` and ``crossing_points`` are as in the data contract. ``truth.parquet`` has one
    row per crossing: ``crossing_id`` and a boolean per domain, what an all-seeing inspector would have found.
    Values are in US dollars. Past selection is biased by rules and officers; 2 % of all crossings are drawn at
    random beside it with their propensity logged, also when nothing is found. Results become known hours to
    weeks later; a few are overturned after months.
    """
    if months < 1 or per_day < 1:
        raise ConfigurationError("months and crossings a day must be above zero", where="simulate")
    if seed < 0:
        raise ConfigurationError("a seed is not below zero", where="simulate")
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(4)]
    traffic = make_traffic(months=months, per_day=per_day, rng=streams[0])
    harms = hide_harms(traffic, streams[1])
    inspections = inspect_crossings(traffic, harms, streams[2])
    write_history(
        {
            "crossings": declared_crossings(traffic, harms, streams[3]),
            "inspections": inspections,
            "crossing_points": crossing_points(),
        },
        out,
    )
    truth = pd.DataFrame({"crossing_id": traffic.crossing_ids, **{d: harms.by_crossing[d] for d in DOMAINS}})
    truth.to_parquet(out / TRUTH_FILE, index=False)


def declared_crossings(traffic: Traffic, harms: Harms, rng: np.random.Generator) -> pd.DataFrame:
    """Lay out what is lodged as the contract's ``crossings`` table.

    Parameters
    ----------
    traffic : Traffic
    harms : Harms
    rng : Generator

    Returns
    -------
    DataFrame
        One row per (crossing_id, revision, item_no). One crossing in a hundred is lodged again within the hour,
        before anybody inspects it, with the number of packages corrected.
    """
    of = traffic.crossing_of_item
    header = {**traffic.header, **harms.header}
    item = {**traffic.item, **harms.item}
    frame = pd.DataFrame(
        {
            "crossing_id": traffic.crossing_ids[of],
            "revision": 0,
            **{name: values[of] for name, values in header.items()},
            **item,
        }
    )
    for name in ("occurred_at", "known_at"):
        frame[name] = frame[name].dt.tz_localize("UTC")
    frame["authorised_operator"] = frame["authorised_operator"].astype("boolean")
    corrected = (traffic.has_goods & (rng.random(len(traffic.has_goods)) < 0.01))[of]
    again = frame[corrected].copy()
    again["revision"] = 1
    again["known_at"] += pd.Timedelta(minutes=30)
    again["packages"] += 1
    return pd.concat([frame, again], ignore_index=True)


def crossing_points() -> pd.DataFrame:
    """Return the simulated posts as the contract's ``crossing_points`` table, one row per post."""
    return pd.DataFrame(
        {
            "code": [p.code for p in POSTS],
            "name": [p.name for p in POSTS],
            "neighbour": [p.neighbour for p in POSTS],
            "mode": [p.mode for p in POSTS],
            "border_regime": [p.border_regime for p in POSTS],
            "latitude": [p.latitude for p in POSTS],
            "longitude": [p.longitude for p in POSTS],
            "capacity": [float(p.capacity) for p in POSTS],
        }
    )
