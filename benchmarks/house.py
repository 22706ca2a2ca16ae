"""A house to load: five models trained on a simulated border, keys, and a shelf of profiles of the size asked for.

Made once under a folder and copied for every run, so that a run starts with an empty log.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.traffic import draw_entities
from chekara.adapters.accounts import add_key
from chekara.adapters.profile_load import load_profiles
from chekara.features.profile_state import CONTROLS, SUMS
from chekara.policy import load_policy
from chekara.service.profiles import FoldEvents
from tests.serving import environment_of, settings_of

MONTHS, PER_DAY, SEED = 9, 300, 7
KEY = "bench"
UNFINISHED = "unfinished-bench-house"


def make_house(home: Path, *, months: int = MONTHS, per_day: int = PER_DAY) -> Path:
    """Simulate a border, train and promote every domain, make a key, load the border's profiles.

    Parameters
    ----------
    home : Path
        CHEKARA_HOME of the house; a whole house is left as it is, unless its profiles have another layout by now.
    months, per_day : int
        Size of the border.

    Returns
    -------
    Path
        ``home``. Its history lies in ``home/history``.

    Raises
    ------
    FileExistsError
        The folder holds something else.
    """
    if (home / "keys.json").exists():
        if _is_of_today(home):
            return home
        shutil.rmtree(home)
    if (home.exists() and any(home.iterdir())) and not (home / UNFINISHED).exists():
        raise FileExistsError(f"{home} is no house of this benchmark: name another folder, or remove it")
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    (home / UNFINISHED).touch()
    history = home / "history"
    size = ("--months", str(months), "--per-day", str(per_day), "--seed", str(SEED))
    for words in (
        ("chekara.cli", "simulate", str(history), *size),
        ("training.train", "--data", str(history), "--promote"),
    ):
        subprocess.run([sys.executable, "-m", *words], env=environment_of(home), check=True, stdout=subprocess.DEVNULL)
    _load_border(home, history)
    # The border service coordinates and sees every domain, so its answers tell all five.
    key = add_key(
        settings_of(home), agency="border_service", role="system", holder="bench", scopes=("reasons",), is_test=False
    )
    (home / "keys.json").write_text(json.dumps({KEY: key}), encoding="utf-8")
    (home / UNFINISHED).unlink()
    return home


def _is_of_today(home: Path) -> bool:
    """Whether the profiles are of the layout that this version folds: others would be made anew at every start."""
    layout = FoldEvents(tuple(load_policy().domains)).layout
    with closing(sqlite3.connect(home / "chekara.db")) as connection:
        return bool(connection.execute("SELECT layout FROM profile_shelves WHERE is_serving").fetchone() == (layout,))


def _load_border(home: Path, history: Path) -> None:
    """Load profiles of a border on which entities are drawn as in the traffic to come."""
    busy = home / "busy"
    shutil.copytree(history, busy, dirs_exist_ok=True)
    crossings = pd.read_parquet(busy / "crossings.parquet")
    draw_entities(crossings, np.random.default_rng(SEED), unseen="history")
    crossings.to_parquet(busy / "crossings.parquet")
    load_profiles(settings_of(home), busy)
    shutil.rmtree(busy)


def copy_house(home: Path, to: Path, *, states: int = 0) -> Path:
    """Copy a house without what only training needs, and fill its shelf of profiles up.

    Parameters
    ----------
    home, to : Path
    states : int
        Profile states that it shall hold at least; those that the border did not bring are of nobody.

    Returns
    -------
    Path
        ``to``.
    """
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(home, to, ignore=shutil.ignore_patterns("history", "mlartifacts", "mlflow.db", "*.log"))
    missing = states - count_states(to)
    if missing > 0:
        width = SUMS + CONTROLS * len(load_policy().domains)
        state = np.zeros(width).tobytes()
        # In the order of the table, so that it is written page by page.
        slots = np.unique(np.random.default_rng(1).integers(-(2**63), 2**63 - 1, missing))
        with past_the_service(to / "chekara.db") as connection:
            sql = f"INSERT OR IGNORE INTO {_serving_table(connection, 'states')} VALUES (?, ?)"  # noqa: S608
            connection.executemany(sql, ((slot, state) for slot in slots.tolist()))
    return to


def empty_shelf(database: Path) -> None:
    """Take all profiles away from a house that nobody serves: everybody will be new.

    Parameters
    ----------
    database : Path
    """
    with past_the_service(database) as connection:
        for kind in ("states", "records"):
            connection.execute(f"DELETE FROM {_serving_table(connection, kind)}")  # noqa: S608
        connection.commit()
        connection.execute("VACUUM")


@contextmanager
def past_the_service(database: Path) -> Iterator[sqlite3.Connection]:
    """Write in bulk to a database that nobody serves: without a journal, without waiting for the disk.

    Parameters
    ----------
    database : Path
    """
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-500000")
        yield connection
        connection.commit()
        connection.execute("PRAGMA journal_mode=WAL")


def _serving_table(connection: sqlite3.Connection, kind: str) -> str:
    shelf = connection.execute("SELECT shelf FROM profile_shelves WHERE is_serving").fetchone()[0]
    return f"profile_{kind}_{shelf}"


def count_states(home: Path) -> int:
    """Return how many profile states a house serves with."""
    with closing(sqlite3.connect(home / "chekara.db")) as connection:
        table = _serving_table(connection, "states")
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608


def count_domains(home: Path) -> int:
    """Return in how many domains a house has ever promoted a model."""
    with closing(sqlite3.connect(home / "chekara.db")) as connection:
        return int(connection.execute("SELECT count(DISTINCT domain) FROM promotions").fetchone()[0])
