"""What live profiles cost: reading, folding and writing them, per crossing, against the number of stored profiles.

New crossing ids, entities drawn by Zipf's law with a fifth unseen, 1 to 3 goods lines, every profile feature asked for;
no HTTP, no model, no log. Processor time, for machines are shared; the commit, which a group shares and which waits for
the disk, stands apart in seconds of the clock.

    python -m benchmarks.live_profiles [--states 0 200000 1000000] [--groups 400]
"""

from __future__ import annotations

import argparse
import platform
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numba
import numpy as np
import sqlalchemy
from rich.console import Console
from rich.table import Table

from chekara.adapters.database import Database, open_database
from chekara.adapters.profile_store import Shelf, TransactionProfiles, serving_shelf
from chekara.domain.crossing import Crossing
from chekara.features.profile_kinds import KINDS
from chekara.features.profile_live import CrossingEvent
from chekara.features.profile_measures import profile_names
from chekara.features.profile_state import CONTROLS, SUMS
from chekara.policy import load_policy
from chekara.service.profiles import FoldEvents
from chekara.settings import Settings

START = datetime(2026, 5, 1, tzinfo=UTC)


def crossings(seed: int) -> Iterator[Crossing]:
    """Yield crossings, one a second, from another day for each seed."""
    rng = np.random.default_rng(seed)
    n = 0
    while True:
        n += 1
        at = START + timedelta(days=seed, seconds=n)
        header = {
            "crossing_point": f"P{rng.integers(20)}",
            "direction": "entry",
            "mode": "road",
            "weighed_mass_kg": 20_000.0,
            **{f"{name}_id": _entity(rng, name, n) for name in ("carrier", "vehicle", "trailer")},
        }
        items = tuple(
            {
                "item_no": k + 1,
                "hs_code": f"{rng.integers(10, 97)}{rng.integers(10, 30)}{rng.integers(10, 30)}",
                "origin_country": ("CN", "TR", "KZ", "UZ", "DE")[rng.integers(5)],
                "declared_value": float(rng.lognormal(8, 1)),
                "net_mass_kg": float(rng.integers(100, 9000)),
                **{f"{name}_id": _entity(rng, name, n) for name in ("importer", "exporter", "declarant")},
            }
            for k in range(int(rng.integers(1, 4)))
        )
        yield Crossing(f"c{seed}-{n}", 0, at, at, header, items)


def _entity(rng: np.random.Generator, name: str, n: int) -> str:
    return f"new {name} {n}" if rng.random() < 0.2 else f"{name} {rng.zipf(1.3) % 50_000}"


def fill(database: Database, fold: FoldEvents, n_states: int) -> None:
    """Lay as many states of nobody on the shelf as a large history would."""
    rng = np.random.default_rng(1)
    width = SUMS + CONTROLS * len(fold.domains)
    for done in range(0, n_states, 50_000):
        kind = KINDS[done // 50_000 % len(KINDS)].name
        keys = np.unique(rng.integers(-(2**63), 2**63 - 1, min(50_000, n_states - done)))
        with database.writing() as connection:
            Shelf(connection, "a").add_states(kind, keys, np.zeros((len(keys), width)))


def measure(database: Database, fold: FoldEvents, names: tuple[str, ...], size: int, groups: int) -> dict[str, float]:
    """Return microseconds per crossing: p50 and p99 of groups (processor), and p50 of their commits (clock)."""
    source = crossings(seed=size)
    spent: list[float] = []
    committed: list[float] = []
    for g in range(groups):
        events = [CrossingEvent(crossing=next(source), position=g * size + i + 1) for i in range(size)]
        with database.writing() as connection:
            began = time.process_time()
            rows = TransactionProfiles(serving_shelf(connection))
            folded = fold.fold(rows, events, names)
            folded.keep(rows, known_to=events[-1].crossing.known_at, position=events[-1].position)
            rows.flush()
            spent.append((time.process_time() - began) * 1e6 / size)
            done = time.perf_counter()
        committed.append((time.perf_counter() - done) * 1e6 / size)
    warm = slice(groups // 5, None)
    return {
        "p50": float(np.percentile(spent[warm], 50)),
        "p99": float(np.percentile(spent[warm], 99)),
        "commit p50": float(np.percentile(committed[warm], 50)),
    }


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--states", type=int, nargs="+", default=[0, 200_000, 1_000_000])
    parser.add_argument("--groups", type=int, default=400)
    given = parser.parse_args()
    domains = tuple(load_policy().domains)
    names = profile_names([kind.name for kind in KINDS], domains)
    table = Table("stored profiles", "group", "p50 us/crossing", "p99", "commit p50", title=f"{len(names)} columns")
    for n_states in given.states:
        for size in (1, 8, 64):
            with tempfile.TemporaryDirectory() as folder:
                database = open_database(Settings.from_environment({"CHEKARA_HOME": str(Path(folder))}))
                fold = FoldEvents(domains)
                fill(database, fold, n_states)
                found = measure(database, fold, names, size, max(given.groups // size, 20))
                database.close()
            table.add_row(f"{n_states:,}", str(size), *(f"{value:.0f}" for value in found.values()))
    console = Console()
    console.print(table)
    versions = f"numba {numba.__version__}, numpy {np.__version__}, SQLAlchemy {sqlalchemy.__version__}"
    console.print(f"python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {versions}", highlight=False)


if __name__ == "__main__":
    main()
