"""What the whole promise costs over HTTP: a real `chekara serve` beside its own ceiling, in one interleaved run.

    python -m benchmarks.service [--connections 1 4 16 64] [--profiles 200000] [--rounds 5] [--seconds 4] [--quick]

Five domains on SQLite, every profile read and written, contributions told, the decision in the fsynced, hash-chained
log before it is answered. The workload is `benchmarks.traffic`'s, the client `benchmarks.load`'s: it shares the two
cores with the server, so what it takes is told, too. The ceiling is a FastAPI route that reads the same body and says
hello, on the same server, loop and parser. The two take turns (A B A B ...): read the ratios. The first run trains five
small models under --home.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import fastapi
import lightgbm as lgb
import numpy as np
import uvicorn
from rich.console import Console
from rich.table import Table

from benchmarks.house import KEY, copy_house, count_states, make_house
from benchmarks.load import Order, Outcome, send
from benchmarks.processes import free_port, running, spent
from benchmarks.traffic import ItemLaw, make_bodies
from tests.serving import Server, serving

HOME = Path("var/bench/house")
BODIES = 4000
COOL_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Target:
    """A server to load."""

    name: str
    port: int
    path: str
    headers: dict[str, str]
    bodies: str
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Medians over the rounds of one server at one number of connections.

    Attributes
    ----------
    name : str
    connections : int
        0: an open loop.
    requests_s, p50_ms, p90_ms, p99_ms : float
    server_us, client_us : float
        Processor time per request.
    ratio : float
        Of requests per second to the ceiling's in the same round.
    errors : dict of str to int
        Over all rounds.
    rss_mb : float
        Resident memory at the end.
    """

    name: str
    connections: int
    requests_s: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    server_us: float
    client_us: float
    ratio: float
    errors: dict[str, int]
    rss_mb: float


class Bench:
    """Loads servers in turns; numbers crossings so that none is sent twice.

    Parameters
    ----------
    rounds : int
    seconds : float
        Of each turn.
    """

    def __init__(self, rounds: int, seconds: float) -> None:
        self.rounds, self.seconds = rounds, seconds
        self._first = 0

    def turn(
        self, target: Target, connections: int, rate: float | None = None, seconds: float | None = None
    ) -> tuple[Outcome, float]:
        """Load one server once; return what came, and its processor seconds."""
        order = Order(
            port=target.port,
            path=target.path,
            headers=target.headers,
            bodies=target.bodies,
            first=self._first,
            connections=connections,
            seconds=seconds or self.seconds,
            rate=rate,
        )
        before = spent(target.pid).cpu_s
        outcome = send(order)
        self._first += outcome.sent + 1
        used = spent(target.pid).cpu_s - before
        time.sleep(COOL_SECONDS)
        return outcome, used

    def compare(self, targets: list[Target], connections: int, rates: dict[str, float] | None = None) -> list[Figures]:
        """Load servers in turns; the last of them is the ceiling."""
        turns: list[list[tuple[Outcome, float]]] = [[] for _ in targets]
        for _ in range(self.rounds):
            for place, target in enumerate(targets):
                turns[place].append(self.turn(target, connections, (rates or {}).get(target.name)))
        ceiling = [outcome.rate for outcome, _ in turns[-1]]
        return [
            _figures(target, 0 if rates else connections, mine, ceiling)
            for target, mine in zip(targets, turns, strict=True)
        ]


def _figures(target: Target, connections: int, turns: list[tuple[Outcome, float]], ceiling: list[float]) -> Figures:
    errors: dict[str, int] = {}
    for outcome, _ in turns:
        for kind, count in outcome.errors.items():
            errors[kind] = errors.get(kind, 0) + count
    p50, p90, p99 = (
        statistics.median(float(np.percentile(outcome.latencies_ms or [np.nan], q)) for outcome, _ in turns)
        for q in (50, 90, 99)
    )
    return Figures(
        name=target.name,
        connections=connections,
        requests_s=statistics.median(outcome.rate for outcome, _ in turns),
        p50_ms=p50,
        p90_ms=p90,
        p99_ms=p99,
        server_us=statistics.median(used / max(outcome.answered, 1) * 1e6 for outcome, used in turns),
        client_us=statistics.median(outcome.client_cpu_s / max(outcome.answered, 1) * 1e6 for outcome, _ in turns),
        ratio=statistics.median(outcome.rate / top for (outcome, _), top in zip(turns, ceiling, strict=True)),
        errors=errors,
        rss_mb=spent(target.pid).rss_mb,
    )


def chekara_target(server: Server, bodies: Path, name: str = "chekara") -> Target:
    """Return a running Chekara as a target; refuse one that does not keep the whole promise.

    Raises
    ------
    RuntimeError
        A body is not scored in all five domains with contributions.
    """
    key = server.keys[KEY]
    body = bodies.read_bytes().splitlines()[0].replace(b"~serial-no~~", b"first-of-all")
    answer = server.send("POST", "/v1/scores", KEY, body)
    told = answer.json
    if answer.status != 200 or len(told["domains"]) != 5 or not all(d["contributions"] for d in told["domains"]):
        scored = [(one["domain"], len(one.get("contributions", ()))) for one in told.get("domains", ())]
        raise RuntimeError(f"not the whole promise: {answer.status}, {scored}, {told.get('warnings')}")
    return Target(name, server.port, "/v1/scores", {"Authorization": f"Bearer {key}"}, str(bodies), server.process.pid)


def show(figures: list[Figures], console: Console, title: str) -> None:
    """Print a table."""
    table = Table(title=title, title_justify="left")
    for column in ("server", "connections", "requests/s", "of the ceiling", "p50 ms", "p90 ms", "p99 ms"):
        table.add_column(column, justify="left" if column == "server" else "right")
    for column in ("server µs", "client µs", "RSS MB", "errors"):
        table.add_column(column, justify="right")
    for f in figures:
        speed = (f"{f.requests_s:,.0f}", f"{f.ratio:.3f}", f"{f.p50_ms:.2f}", f"{f.p90_ms:.2f}", f"{f.p99_ms:.2f}")
        cost = (f"{f.server_us:.0f}", f"{f.client_us:.0f}", f"{f.rss_mb:.0f}", str(f.errors or ""))
        table.add_row(f.name, str(f.connections or "open loop"), *speed, *cost)
    console.print(table)


def ready_seconds(server: Server) -> float:
    """Return how long the server says that it took until it listened."""
    lines = [json.loads(line) for line in server.log_text().splitlines() if '"listening"' in line]
    return float(lines[0]["seconds"])


def measure(arguments: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Measure what was asked for and return it."""
    home = make_house(arguments.home.resolve())
    bench = Bench(arguments.rounds, arguments.seconds)
    found: dict[str, Any] = {"closed": [], "open": []}
    with tempfile.TemporaryDirectory(prefix="chekara-bench-", dir=arguments.scratch) as folder:
        scratch = Path(folder)
        bodies = scratch / "bodies.ndjson"
        bodies.write_bytes(b"\n".join(make_bodies(home / "history", BODIES, seed=11, law=arguments.items)))
        copy = copy_house(home, scratch / "home", states=arguments.profiles)
        found["profiles"] = count_states(copy)
        with serving(copy):
            pass  # the first start compiles; a warm one is measured
        began = time.perf_counter()
        port = free_port()
        command = [sys.executable, "-m", "uvicorn", "benchmarks.ceiling:app", "--port", str(port)]
        command += ["--loop", "uvloop", "--http", "httptools", "--no-access-log"]
        with serving(copy) as server, running(command, port, "/", scratch / "ceiling.log") as ceiling_pid:
            found["ready_s"], found["ready_process_s"] = ready_seconds(server), time.perf_counter() - began
            ours = chekara_target(server, bodies)
            top = Target("ceiling", port, "/", {}, str(bodies), ceiling_pid)
            for target in (ours, top):
                bench.turn(target, 16, seconds=2.0)  # warm
            console.print(
                f"{found['profiles']:,} profile states; {BODIES} bodies of {bodies.stat().st_size / BODIES:,.0f} "
                f"bytes; warm start listening after {found['ready_s']:.1f} s; server process {server.process.pid}",
                highlight=False,
            )
            for connections in arguments.connections:
                figures = bench.compare([ours, top], connections)
                show(figures, console, f"closed loop, {connections} connections, median of {bench.rounds} turns")
                found["closed"] += [asdict(one) for one in figures]
            if arguments.open:
                saturation = max(one["requests_s"] for one in found["closed"] if one["name"] == ours.name)
                half = {ours.name: saturation / 2}
                figures = bench.compare([ours, top], 16, half)[:1]
                show(figures, console, f"open loop at half of saturation, {saturation / 2:.0f} requests/s")
                found["open"] += [asdict(one) for one in figures]
            found["log_mb"] = (copy / "chekara.db").stat().st_size / 2**20
    return found


def versions() -> str:
    """Name what was measured with."""
    return (
        f"python {platform.python_version()}, fastapi {fastapi.__version__}, uvicorn {uvicorn.__version__}, "
        f"lightgbm {lgb.__version__}, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} cores"
    )


def main() -> None:
    """Measure from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=HOME, help="of the trained house; made where it is not there")
    parser.add_argument("--scratch", type=Path, help="where copies lie: the disk that is measured")
    parser.add_argument("--connections", type=int, nargs="*", default=[1, 4, 16, 64])
    parser.add_argument("--profiles", type=int, default=200_000)
    parser.add_argument("--items", choices=ItemLaw.__args__, default="inverse")  # type: ignore[attr-defined]
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--open", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--quick", action="store_true", help="1 and 16 connections, three short turns")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.connections, arguments.rounds, arguments.seconds = [1, 16], 3, 3.0
    console = Console(width=120)
    found = measure(arguments, console) | {"versions": versions(), "items": arguments.items}
    console.print(versions(), highlight=False)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
