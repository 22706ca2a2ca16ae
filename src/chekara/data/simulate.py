"""A border with known truth, made from a world file and the column contract.

It exists so that the whole road can be walked on any machine: actors with hidden characters, habit, bias and delay
to learn from, and a truth to compare with. It is no model of any real border. The order of things is the order of
life: who there is (``simulator.actors``), and then week by week what crosses (``traffic``), what is hidden (``harms``),
how it is declared and seen (``traces``, ``paper``), who is inspected (``controls``) and how the border reacts
(``reaction``). At the end the weeks become tables (``lodged``, ``results``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from chekara.data.simulator.life import Policy, live
from chekara.data.simulator.lodged import crossings_table
from chekara.data.simulator.names import crossing_ids
from chekara.data.simulator.results import crossing_points_table, inspections_table
from chekara.data.simulator.world import load_world
from chekara.data.sources import write_history
from chekara.data.write import make_folder
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
    HistoryError
        The folder cannot be written to.

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
    make_folder(out)
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(3)]
    life = live(described, months, per_day, streams[0], policy, lambda share: report(0.6 * share))
    ids = crossing_ids(np.arange(life.flow.size))
    tables = {
        "inspections": inspections_table(described, life.flow, life.kind, life.controls, streams[2]),
        "crossing_points": crossing_points_table(described),
        "crossings": crossings_table(described, life.names, life.flow, streams[1], life.corrected),
    }
    known: dict[str, Mapping[str, npt.NDArray[Any]]] = {TRUTH_FILE: life.truth, BAYES_FILE: life.bayes}
    del life  # a million crossings are gigabytes: what is laid out is let go
    report(0.8)
    write_history(tables, out)
    for name, by_domain in known.items():
        pd.DataFrame({"crossing_id": ids, **by_domain}).to_parquet(out / name, index=False)
    report(1.0)
