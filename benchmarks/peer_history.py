"""Decayed sums known strictly before each row, as polars, pandas and duckdb compute them; run with the peers' Python.

Asked line by line, see `benchmarks.peer_lines`. ``{"do": "open", "peer": ..., "rows": FILE, "results": FILE, "keys":
[...]}`` reads two Parquet files: ``known_us`` (microseconds since the first row), keys, and ``value`` and ``mass`` of
goods, or ``found`` and ``money`` of results. ``{"do": "turn", "peer": ...}`` computes every sum once and says the
processor seconds that it took, and the total of each column, by which peers are compared. One thread each.

Decays are weighted forwards in time, so that a decayed sum is a plain one, up to a factor of the row's own instant.
"""

from __future__ import annotations

import importlib.metadata
import math
import os
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ["POLARS_MAX_THREADS"] = "1"

import numpy as np
import pandas as pd

from benchmarks.peer_lines import answer_lines

RECENT, LONG = (math.log(2) / (days * 86_400_000_000) for days in (30, 365))
"""Growth of a weight per microsecond."""
SEEN = ("volume_recent", "volume_long", "prices", "squares")
TOLD = ("inspections", "hits_long", "hits_recent", "money")

Compute = Callable[[], dict[str, float]]


def open_polars(rows_file: str, results_file: str, keys: list[str]) -> Compute:
    """Sum cumulatively by key, and join backwards, equal instants left out."""
    import polars as pl  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415

    rows, results = pl.read_parquet(rows_file), pl.read_parquet(results_file)
    recent, long = ((pl.col("known_us") * growth).exp() for growth in (RECENT, LONG))
    price = (pl.col("value") / pl.col("mass")).log()
    seen = dict(zip(SEEN, (recent, long, long * price, long * price**2), strict=True))
    found = pl.col("found")
    told = dict(zip(TOLD, (long, long * found, recent * found, long * pl.col("money")), strict=True))

    def compute() -> dict[str, float]:
        out = rows.select("known_us", *keys)
        for table, terms in ((rows, seen), (results, told)):
            weighted = table.select("known_us", *keys, *(term.fill_null(0.0).alias(n) for n, term in terms.items()))
            for key in keys:
                sums = weighted.select(
                    key, "known_us", *(pl.col(n).cum_sum().over(key).alias(f"{key} {n}") for n in terms)
                )
                out = out.join_asof(
                    sums, on="known_us", by=key, strategy="backward", allow_exact_matches=False, check_sortedness=False
                )
        return {name: float(out[name].sum()) for name in out.columns if " " in name}

    return compute


def open_pandas(rows_file: str, results_file: str, keys: list[str]) -> Compute:
    """Do the same with a grouped cumulative sum and `merge_asof`."""
    rows, results = pd.read_parquet(rows_file), pd.read_parquet(results_file)

    def weigh(table: pd.DataFrame, terms: tuple[str, ...]) -> pd.DataFrame:
        recent, long = (np.exp(table["known_us"] * growth) for growth in (RECENT, LONG))
        if terms is SEEN:
            price = np.log(table["value"] / table["mass"])
            values = (recent, long, long * price, long * price**2)
        else:
            values = (long, long * table["found"], recent * table["found"], long * table["money"])
        return (
            table[["known_us", *keys]].assign(**dict(zip(terms, values, strict=True))).fillna(dict.fromkeys(terms, 0.0))
        )

    def compute() -> dict[str, float]:
        totals: dict[str, float] = {}
        for table, terms in ((rows, SEEN), (results, TOLD)):
            weighted = weigh(table, terms)
            for key in keys:
                own = weighted[weighted[key].notna()]
                sums = own.groupby(key, sort=False)[list(terms)].cumsum()
                sums[[key, "known_us"]] = own[[key, "known_us"]]
                asked = rows.loc[rows[key].notna(), ["known_us", key]]
                joined = pd.merge_asof(
                    asked, sums, on="known_us", by=key, direction="backward", allow_exact_matches=False
                )
                totals |= {f"{key} {term}": float(joined[term].sum()) for term in terms}
        return totals

    return compute


def open_duckdb(rows_file: str, results_file: str, keys: list[str]) -> Compute:
    """Do the same with a window in front of each row, and a join to the newest of earlier results."""
    import duckdb  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415

    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    for name, file in (("lines", rows_file), ("results", results_file)):
        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM read_parquet('{file}')")  # noqa: S608  # our names
    recent, long = (f"exp(known_us * {growth})" for growth in (RECENT, LONG))
    seen = (recent, long, f"{long} * ln(value / mass)", f"{long} * ln(value / mass) ** 2")
    told = (long, f"{long} * found", f"{recent} * found", f"{long} * money")

    def compute() -> dict[str, float]:
        totals: dict[str, float] = {}
        for key in keys:
            before = ", ".join(f"sum({term}) OVER before AS {n}" for n, term in zip(SEEN, seen, strict=True))
            upto = ", ".join(f"sum({term}) OVER upto AS {n}" for n, term in zip(TOLD, told, strict=True))
            frame = f"PARTITION BY {key} ORDER BY known_us RANGE BETWEEN UNBOUNDED PRECEDING AND"
            query = f"""
                WITH mine AS (SELECT known_us, {key}, {before} FROM lines WHERE {key} IS NOT NULL
                              WINDOW before AS ({frame} 1 PRECEDING)),
                     theirs AS (SELECT known_us, {key}, {upto} FROM results WHERE {key} IS NOT NULL
                                WINDOW upto AS ({frame} CURRENT ROW))
                SELECT mine.*, theirs.* EXCLUDE (known_us, {key})
                FROM mine ASOF LEFT JOIN theirs ON mine.{key} = theirs.{key} AND mine.known_us > theirs.known_us"""  # noqa: S608
            connection.execute(f"CREATE OR REPLACE TEMP TABLE told AS {query}")
            terms = SEEN + TOLD
            found = connection.execute(f"SELECT {', '.join(f'sum({term})' for term in terms)} FROM told")  # noqa: S608
            totals |= {f"{key} {term}": float(v or 0) for term, v in zip(terms, found.fetchone() or (), strict=True)}
        return totals

    return compute


PEERS: dict[str, Callable[[str, str, list[str]], Compute]] = {
    "polars": open_polars,
    "pandas": open_pandas,
    "duckdb": open_duckdb,
}
opened: dict[str, Compute] = {}


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """Do what one line asks."""
    name = asked["peer"]
    if asked["do"] == "open":
        opened[name] = PEERS[name](asked["rows"], asked["results"], asked["keys"])
        return {"version": importlib.metadata.version(name)}
    began = time.process_time()
    totals = opened[name]()
    return {"cpu_s": time.process_time() - began, "totals": totals}


if __name__ == "__main__":
    answer_lines(answer, sys.stdin)
