"""What the profile engine costs: against the number of rows, and beside polars in the part that both can do.

One simulated border; its earliest rows are each size. The common part is four keys (importer, declarant, carrier,
vehicle) with eight decayed sums each, as known strictly before every row: traffic and prices from the rows
themselves, inspections, hits and money from results that became known later. Both sides take turns and medians of
processor time are told, for machines are shared: read the ratio.

    python -m benchmarks.profile_engine [--rows 10000 100000 1000000] [--repeats 5]
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numba
import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from chekara.data.simulate import simulate_border
from chekara.data.sources import History, load_history
from chekara.features.profile_kinds import KINDS
from chekara.features.profile_measures import profile_names
from chekara.features.profiles import ProfileStream

DOMAINS = ("revenue_fraud", "contraband", "vehicle_crime", "concealed_persons", "sps_violation")
PEER_DOMAIN = "revenue_fraud"
PEER_KEYS = ("importer_id", "declarant_id", "carrier_id", "vehicle_id")
HALF_LIVES_DAYS = (30.0, 365.0)
ROWS_A_DAY = 1.75  # goods lines of a crossing of the simulated border


def first_rows(history: History, n_rows: int) -> History:
    """Cut a history to its earliest rows, and the results of their crossings."""
    crossings = history.crossings.sort_values("known_at", kind="stable").iloc[:n_rows].reset_index(drop=True)
    inspections = history.inspections[history.inspections["crossing_id"].isin(crossings["crossing_id"])]
    return replace(history, crossings=crossings, inspections=inspections.reset_index(drop=True))


def polars_columns(history: History) -> pl.DataFrame:
    """Compute the common part with cumulative sums and backward joins; decays forwards, as the engine does."""
    day_us = 86_400_000_000
    epoch = history.crossings["known_at"].min()
    rows = pl.from_pandas(
        history.crossings[["crossing_id", "known_at", "declared_value", "net_mass_kg", *PEER_KEYS]]
    ).with_row_index("row")
    since = ((pl.col("known_at") - epoch).dt.total_microseconds() / day_us).alias("day")
    price = (pl.col("declared_value") / pl.col("net_mass_kg")).log().fill_nan(None).alias("price")
    rows = rows.with_columns(since, price).sort("known_at")
    results = pl.from_pandas(
        history.inspections.loc[
            (history.inspections["domain"] == PEER_DOMAIN) & (history.inspections["status"] == "done"),
            ["crossing_id", "known_at", "found", "revenue_recovered"],
        ].astype({"found": "float64"})
    ).with_columns(since)
    results = results.join(rows.select("crossing_id", *PEER_KEYS).unique("crossing_id"), on="crossing_id")
    results = results.sort("known_at")
    recent, long = (((pl.col("day") / half_life) * np.log(2.0)).exp() for half_life in HALF_LIVES_DAYS)
    out = rows.select("row", "day", "known_at", *PEER_KEYS)
    for key in PEER_KEYS:
        seen = {"volume_recent": recent, "volume_long": long, "prices": long * pl.col("price")}
        seen["squares"] = long * pl.col("price") ** 2
        sums = rows.select(
            key, "known_at", *(term.fill_null(0.0).cum_sum().over(key).alias(f"{key}_{n}") for n, term in seen.items())
        ).sort("known_at")
        told = {"inspections": long, "hits_long": long * pl.col("found"), "hits_recent": recent * pl.col("found")}
        told["money"] = long * pl.col("revenue_recovered").fill_nan(0.0)
        later = results.select(
            key, "known_at", *(term.fill_null(0.0).cum_sum().over(key).alias(f"{key}_{n}") for n, term in told.items())
        ).sort("known_at")
        for table in (sums, later):
            out = out.join_asof(
                table, on="known_at", by=key, strategy="backward", allow_exact_matches=False, check_sortedness=False
            )
    return out


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


def measure(history: History, repeats: int) -> tuple[float, ...]:
    """Return medians of processor seconds: one domain's catalogue, all domains', the common part, and polars."""
    one, five = (profile_names([kind.name for kind in KINDS], domains) for domains in (DOMAINS[:1], DOMAINS))
    turns: tuple[Callable[[], object], ...] = (
        lambda: tell_all(history, one, DOMAINS),
        lambda: tell_all(history, five, DOMAINS),
        lambda: tell_all(history, common_names(), (PEER_DOMAIN,)),
        lambda: polars_columns(history),
    )
    taken: list[list[float]] = [[] for _ in turns]
    for _ in range(repeats):
        for place, turn in enumerate(turns):
            taken[place].append(cpu_seconds(turn))
    return tuple(statistics.median(each) for each in taken)


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        per_day = max(60, round(max(arguments.rows) / ROWS_A_DAY / 720 * 1.05))
        simulate_border(Path(folder), months=24, per_day=per_day, seed=arguments.seed)
        history = load_history(Path(folder))
    table = Table(title=f"{len(KINDS)} kinds, two half-lives; processor seconds")
    titles = ("rows", "one domain's features", "µs a row", "all five domains'", "µs a row", "common part", "polars")
    for title in (*titles, "polars over ours"):
        table.add_column(title, justify="right")
    measure(first_rows(history, 1000), 1)  # compiled before the clock runs
    for n_rows in arguments.rows:
        one, five, common, peer = measure(first_rows(history, n_rows), arguments.repeats)
        figures = (one, one / n_rows * 1e6, five, five / n_rows * 1e6, common, peer, peer / common)
        table.add_row(f"{n_rows:,}", *(f"{figure:.2f}" for figure in figures))
    console.print(table)
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    console.print(f"numba {numba.__version__}, polars {pl.__version__}; peak memory {peak_gb:.1f} GB, history included")


if __name__ == "__main__":
    main()
