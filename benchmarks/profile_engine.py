"""What the profile engine costs: against the number of rows, and beside others in the part that all can do.

One simulated border; its earliest rows are each size. The common part is four keys (importer, declarant, carrier,
vehicle) with eight decayed sums each, as known strictly before every row: traffic and prices from the rows
themselves, inspections, hits and money from results that became known later. polars, pandas and duckdb find
rows and results sorted in memory, keys joined already (`benchmarks.peer_history`); ours starts from the history as it
was read. All take turns and medians of processor time are told, for machines are shared: read the ratio.

    python -m benchmarks.profile_engine [--rows 10000 100000 1000000] [--repeats 5] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks.peers import PeerError, PeerProcess, peers_python
from chekara.data.simulate import simulate_border
from chekara.data.sources import History, load_history
from chekara.features.profile_kinds import KINDS
from chekara.features.profile_measures import profile_names
from chekara.features.profiles import ProfileStream

DOMAINS = ("revenue_fraud", "contraband", "vehicle_crime", "concealed_persons", "sps_violation")
PEER_DOMAIN = "revenue_fraud"
PEER_KEYS = ("importer_id", "declarant_id", "carrier_id", "vehicle_id")
HALF_LIVES_DAYS = (30.0, 365.0)
PEERS = ("polars", "pandas", "duckdb")
SLOW = ("pandas", "duckdb")
ROWS_A_DAY = 1.75  # goods lines of a crossing of the simulated border


def first_rows(history: History, n_rows: int) -> History:
    """Cut a history to its earliest rows, and the results of their crossings."""
    crossings = history.crossings.sort_values("known_at", kind="stable").iloc[:n_rows].reset_index(drop=True)
    inspections = history.inspections[history.inspections["crossing_id"].isin(crossings["crossing_id"])]
    return replace(history, crossings=crossings, inspections=inspections.reset_index(drop=True))


def lay_out(history: History, folder: Path) -> dict[str, str]:
    """Write what peers read: goods lines and known results, with their keys, in order of ``known_at``.

    Parameters
    ----------
    history : History
    folder : Path

    Returns
    -------
    dict of str to str
        Paths of the two files, see `benchmarks.peer_history`.
    """
    rows = history.crossings.sort_values("known_at", kind="stable")
    inspections = history.inspections
    results = inspections[(inspections["domain"] == PEER_DOMAIN) & (inspections["status"] == "done")]
    keys = rows.drop_duplicates("crossing_id").set_index("crossing_id")[list(PEER_KEYS)]
    results = results.join(keys, on="crossing_id", how="inner").sort_values("known_at", kind="stable")
    epoch, us = rows["known_at"].iloc[0], pd.Timedelta(microseconds=1)
    columns = {
        "rows": (rows, {"value": "declared_value", "mass": "net_mass_kg"}),
        "results": (results, {"found": "found", "money": "revenue_recovered"}),
    }
    files = {}
    for name, (table, wanted) in columns.items():
        out = table[list(PEER_KEYS)].assign(known_us=(table["known_at"] - epoch) // us)
        for column, source in wanted.items():
            # No number where there is none: every peer skips those in its sums.
            value = table[source].to_numpy(dtype=float, na_value=np.nan)
            out[column] = np.where(value > 0, value, np.nan) if name == "rows" else value
        files[name] = str(folder / f"{name}.parquet")
        out.to_parquet(files[name], index=False)
    return files


def common_names() -> tuple[str, ...]:
    """Names of the engine's features for the same keys: eight sums a key stand behind them."""
    kinds = [key.removesuffix("_id") for key in PEER_KEYS]
    measures = ("volume_recent", "volume_long", "price_level", "price_spread")
    results = ("inspections", "hit_rate", "hits_recent", "amount")
    return tuple(
        name
        for kind in kinds
        for name in (*(f"{kind}_{m}" for m in measures), *(f"{kind}_{m}_{PEER_DOMAIN}" for m in results))
    )


def tell_all(history: History, names: Sequence[str], domains: Sequence[str]) -> None:
    """Fold a history and let every row be told, piece by piece: memory holds the history and one piece."""
    for _ in ProfileStream(history, names, domains=domains).pieces():
        pass


def cpu_seconds(work: Callable[[], object]) -> float:
    """Run once and return the processor time that it took, of all threads."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


class Peers:
    """Other libraries in an environment of their own; those that cannot be had are told of.

    Parameters
    ----------
    names : sequence of str
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.versions: dict[str, str] = {}
        self.missing: list[str] = []
        self._names = names
        try:
            self._process = PeerProcess(peers_python(), "benchmarks.peer_history") if names else None
        except PeerError as error:
            self._process = None
            self.missing.append(str(error))

    def turns(self, files: dict[str, str]) -> dict[str, Callable[[], float]]:
        """Open a history with every peer; a turn returns processor seconds."""
        found: dict[str, Callable[[], float]] = {}
        for name in self._names if self._process is not None else ():
            try:
                self.versions[name] = self._ask(do="open", peer=name, keys=list(PEER_KEYS), **files)["version"]
            except PeerError as error:
                self.missing.append(str(error))
                continue
            found[name] = partial(self._turn, name)
        return found

    def _turn(self, name: str) -> float:
        return float(self._ask(do="turn", peer=name)["cpu_s"])

    def _ask(self, **asked: Any) -> dict[str, Any]:
        assert self._process is not None  # noqa: S101  # asked of those that were opened
        return self._process.ask(**asked)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.close()


def measure(history: History, repeats: int, peers: Peers, slow_repeats: int) -> dict[str, float]:
    """Return medians of processor seconds by side: the catalogue for one domain and for all, the common part, peers."""
    one, five = (profile_names([kind.name for kind in KINDS], domains) for domains in (DOMAINS[:1], DOMAINS))
    sides: dict[str, Callable[[], float]] = {
        "one domain": lambda: cpu_seconds(lambda: tell_all(history, one, DOMAINS)),
        "all domains": lambda: cpu_seconds(lambda: tell_all(history, five, DOMAINS)),
        "common part": lambda: cpu_seconds(lambda: tell_all(history, common_names(), (PEER_DOMAIN,))),
    }
    with tempfile.TemporaryDirectory(prefix="chekara-bench-") as folder:
        sides |= peers.turns(lay_out(history, Path(folder)))
        taken: dict[str, list[float]] = {name: [] for name in sides}
        for turn in range(repeats):
            for name, side in sides.items():
                if name not in SLOW or turn < slow_repeats:
                    taken[name].append(side())
    return {name: statistics.median(each) for name, each in taken.items()}


def simulate(rows: int, seed: int) -> History:
    """Simulate a border of at least so many goods lines in two years."""
    with tempfile.TemporaryDirectory(prefix="chekara-bench-") as folder:
        per_day = max(60, round(rows / ROWS_A_DAY / 720 * 1.05))
        simulate_border(Path(folder), months=24, per_day=per_day, seed=seed)
        return load_history(Path(folder))


def show(found: list[dict[str, float]], console: Console) -> None:
    """Print one table."""
    table = Table(title=f"{len(KINDS)} kinds, two half-lives; processor seconds of one thread", title_justify="left")
    table.add_column("rows", justify="right")
    sides = [name for name in found[0] if name != "rows"]
    for side in sides:
        table.add_column(side, justify="right")
    for figures in found:
        table.add_row(f"{figures['rows']:,}", *(f"{figures[side]:.2f}" for side in sides))
    console.print(table)


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--slow-repeats", type=int, default=1, help=f"of {', '.join(SLOW)}")
    parser.add_argument("--peer", action="append", choices=PEERS, help="only these; all where none is named")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    arguments = parser.parse_args()
    console = Console(width=120)
    history = simulate(max(arguments.rows), arguments.seed)
    for _ in ProfileStream(first_rows(history, 1000), common_names(), domains=DOMAINS).pieces():
        pass  # compiled before the clock runs
    peers = Peers([] if arguments.no_peers else arguments.peer or PEERS)
    found = []
    for n_rows in arguments.rows:
        taken = measure(first_rows(history, n_rows), arguments.repeats, peers, arguments.slow_repeats)
        found.append({"rows": n_rows, **taken})
    peers.close()
    show(found, console)
    versions = {"python": platform.python_version(), "numba": numba.__version__} | peers.versions
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    console.print(", ".join(f"{name} {version}" for name, version in versions.items()), *peers.missing, sep="\n")
    console.print(f"peak memory {peak_gb:.1f} GB, history included")
    if arguments.json:
        told = {"sizes": found, "versions": versions, "missing": peers.missing, "peak_gb": peak_gb}
        told |= {
            "kinds": len(KINDS),
            "columns": [len(profile_names([k.name for k in KINDS], d)) for d in (DOMAINS[:1], DOMAINS)],
        }
        arguments.json.write_text(json.dumps(told, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
