"""A border with known truth, made from a world file and the column contract.

It exists so that the whole road can be walked on any machine: actors with hidden characters, habit, bias and delay
to learn from, and a truth to compare with. It is no model of any real border. The order of things is the order of
life: who there is (``simulator.actors``), and then week by week what crosses (``traffic``), what is hidden (``harms``),
how it is declared and seen (``traces``, ``paper``), who is inspected (``controls``) and how the border reacts
(``reaction``). At the end the weeks become tables (``tables``).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from chekara.data.simulator.life import Policy, live
from chekara.data.simulator.tables import crossing_points_table, crossings_table, inspections_table
from chekara.data.simulator.world import DOMAINS, load_world
from chekara.data.sources import write_history
from chekara.errors import ConfigurationError

TRUTH_FILE = "truth.parquet"
BAYES_FILE = "bayes.parquet"


def simulate_border(
    out: Path,
    *,
    months: int,
    per_day: int,
    seed: int,
    world: Path | None = None,
    policy: Policy | None = None,
    progress: Callable[[float], None] | None = None,
) -> None:
    """Write the history files of a simulated border, ``truth.parquet`` and ``bayes.parquet``.

    Parameters
    ----------
    out : Path
        Folder to write; made if it is not there. Files of the same names are replaced.
    months : int
        Months of traffic, from the first day of the world on.
    per_day : int
        Crossings a day on average.
    seed : int
        Not below zero. Same seed, same bytes.
    world : Path, optional
        World file; default the one that ships.
    policy : Policy, optional
        Selects crossings in place of rules, hunches and memory; the lot goes on beside it. See
        ``chekara.data.simulator.life.Policy``.
    progress : callable, optional
        Told the share of the work that is done, 0 to 1.

    Raises
    ------
    ConfigurationError
        A count is not above zero, the seed is below it, or the world file is wrong.

    Notes
    -----
    ``crossings``, ``inspections`` and ``crossing_points`` are as in the data contract. ``truth.parquet`` has one
    row per crossing: ``crossing_id`` and a boolean per domain, what an all-seeing inspector would have found.
    ``bayes.parquet`` has, by the same key, the log-odds of an observer who knows every character and the world's
    numbers, and sees what is declared: a ceiling, for judging only. Values are in US dollars.
    """
    if months < 1 or per_day < 1:
        raise ConfigurationError("months and crossings a day must be above zero", where="simulate")
    if seed < 0:
        raise ConfigurationError("a seed is not below zero", where="simulate")
    report = progress or (lambda share: None)
    described = load_world(world)
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(3)]
    life = live(described, months, per_day, streams[0], policy, lambda share: report(0.7 * share))
    crossings = crossings_table(described, life.names, life.flow, streams[1], life.corrected)
    report(0.8)
    inspections = inspections_table(described, life.flow, life.kind, life.controls, streams[2])
    report(0.85)
    tables = {
        "crossings": crossings,
        "inspections": inspections,
        "crossing_points": crossing_points_table(described),
    }
    write_history(tables, out)
    ids = crossings.loc[(crossings["revision"] == 0) & (crossings["item_no"] == 1), "crossing_id"].to_numpy()
    truth = pd.DataFrame({"crossing_id": ids, **{d: life.truth[d] for d in DOMAINS}})
    truth.to_parquet(out / TRUTH_FILE, index=False)
    bayes = pd.DataFrame({"crossing_id": ids, **{d: life.bayes[d] for d in DOMAINS}})
    bayes.to_parquet(out / BAYES_FILE, index=False)
    report(1.0)
