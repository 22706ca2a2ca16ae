"""Sustained load: open loop at 70 % of the saturation measured just before; nothing may fail, grow or slow down.

    python -m benchmarks.sustained [--minutes 10] [--share 0.7] [--home HOME] [--json FILE] [--plot FILE]

The service, client and workload are those of `benchmarks.service`. Every 10 seconds: p50 and p99, resident memory, size
of the database. Exit code 1 if a request failed, memory grew by more than a tenth after the first minute, or the last
minute's p99 is more than 1.5 times the first one's.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.house import copy_house, make_house
from benchmarks.load import WINDOW_SECONDS, Outcome
from benchmarks.processes import spent
from benchmarks.service import BODIES, HOME, chekara_target, versions
from benchmarks.traffic import make_bodies
from benchmarks.turns import Bench
from tests.serving import serving

SATURATION_SECONDS = 10.0
MINUTE = round(60 / WINDOW_SECONDS)
MOST_GROWTH, MOST_SLOWING = 1.10, 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Ten seconds: answers, percentiles in milliseconds, memory and database in MB at their end."""

    answers: int
    p50_ms: float
    p99_ms: float
    rss_mb: float
    database_mb: float


class Watch:
    """Reads memory and the size of the database every ten seconds, in a thread.

    Parameters
    ----------
    pid : int
    database : Path
    """

    def __init__(self, pid: int, database: Path) -> None:
        self.seen: list[tuple[float, float]] = []
        self._pid, self._database = pid, database
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._is_over.wait(WINDOW_SECONDS):
            size = sum(file.stat().st_size for file in self._database.parent.glob(f"{self._database.name}*"))
            self.seen.append((spent(self._pid).rss_mb, size / 2**20))

    def stop(self) -> None:
        """Stop reading."""
        self._is_over.set()
        self._thread.join()


def windows(outcome: Outcome, seen: list[tuple[float, float]]) -> list[Window]:
    """Cut a run into pieces of ten seconds.

    Parameters
    ----------
    outcome : Outcome
    seen : list of (float, float)
        Memory and database at the end of each piece.
    """
    place = (np.asarray(outcome.ended_s) // WINDOW_SECONDS).astype(int)
    latencies = np.asarray(outcome.latencies_ms)
    found = []
    for number, (rss, size) in enumerate(seen):
        mine = latencies[place == number]
        p50, p99 = np.percentile(mine, [50, 99]) if len(mine) else (np.nan, np.nan)
        found.append(Window(answers=len(mine), p50_ms=float(p50), p99_ms=float(p99), rss_mb=rss, database_mb=size))
    return found


def faults(outcome: Outcome, found: list[Window]) -> list[str]:
    """Return what the run promised and did not keep; nothing where it kept everything."""
    wrong = [f"{count} requests ended as {kind}" for kind, count in outcome.errors.items()]
    if len(found) < 2 * MINUTE:
        return wrong
    growth = found[-1].rss_mb / found[MINUTE - 1].rss_mb
    if growth > MOST_GROWTH:
        wrong.append(f"memory grew {growth:.2f} times after the first minute")
    first, last = (float(np.median([one.p99_ms for one in part])) for part in (found[:MINUTE], found[-MINUTE:]))
    if last > MOST_SLOWING * first:
        wrong.append(f"p99 rose from {first:.1f} to {last:.1f} ms")
    return wrong


def _verdict(pieces: int) -> str:
    """Say what a run without faults has shown; a short one has not shown that nothing grows."""
    return "no error; too short to judge growth" if pieces < 2 * MINUTE else "no error, flat memory, flat p99"


def draw(found: list[Window], to: Path) -> None:
    """Draw latency and memory over time."""
    from matplotlib.figure import Figure  # noqa: PLC0415  # of the extra `train`

    minutes = [(number + 1) * WINDOW_SECONDS / 60 for number in range(len(found))]
    figure = Figure(figsize=(8, 4), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    upper.plot(minutes, [one.p50_ms for one in found], label="p50")
    upper.plot(minutes, [one.p99_ms for one in found], label="p99")
    upper.set(ylabel="ms", yscale="log")
    upper.legend(frameon=False)
    lower.plot(minutes, [one.rss_mb for one in found], label="resident memory")
    lower.plot(minutes, [one.database_mb for one in found], label="database")
    lower.set(xlabel="minutes", ylabel="MB", ylim=(0, None))
    lower.legend(frameon=False)
    figure.savefig(to)


def sustain(arguments: argparse.Namespace, console: Console) -> tuple[list[Window], list[str], float]:
    """Run the load; return its pieces, what was not kept, and requests per second."""
    home = make_house(arguments.home.resolve())
    bench = Bench(1, SATURATION_SECONDS)
    with tempfile.TemporaryDirectory(prefix="chekara-bench-", dir=arguments.scratch) as folder:
        bodies = Path(folder) / "bodies.ndjson"
        bodies.write_bytes(b"\n".join(make_bodies(home / "history", BODIES, seed=11)))
        copy = copy_house(home, Path(folder) / "home")
        with serving(copy) as server:
            target = chekara_target(server, bodies)
            bench.turn(target, 16, seconds=3.0)
            saturation = bench.turn(target, 16)[0].rate
            rate = saturation * arguments.share
            console.print(f"saturation {saturation:.0f} requests/s; {arguments.minutes:g} minutes at {rate:.0f}")
            watch = Watch(target.pid, copy / "chekara.db")
            outcome, _ = bench.turn(target, 16, rate=rate, seconds=arguments.minutes * 60)
            watch.stop()
    found = windows(outcome, watch.seen)
    return found, faults(outcome, found), rate


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=HOME)
    parser.add_argument("--scratch", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--share", type=float, default=0.7, help="of saturation")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    console = Console(width=120)
    began = time.perf_counter()
    found, wrong, rate = sustain(arguments, console)
    table = Table(title=f"{rate:.0f} requests/s, open loop", title_justify="left")
    for column in ("until s", "answers", "p50 ms", "p99 ms", "RSS MB", "database MB"):
        table.add_column(column, justify="right")
    for number, one in enumerate(found):
        figures = (f"{one.p50_ms:.1f}", f"{one.p99_ms:.1f}", f"{one.rss_mb:.0f}", f"{one.database_mb:.0f}")
        table.add_row(f"{(number + 1) * WINDOW_SECONDS:.0f}", str(one.answers), *figures)
    console.print(table, *(wrong or [_verdict(len(found))]), versions(), sep="\n")
    if arguments.json:
        told = {"rate": rate, "windows": [asdict(one) for one in found], "faults": wrong, "versions": versions()}
        arguments.json.write_text(json.dumps(told | {"seconds": time.perf_counter() - began}), encoding="utf-8")
    if arguments.plot:
        draw(found, arguments.plot)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
