"""What the whole promise costs over HTTP: a real `chekara serve` beside its own ceiling, in one interleaved run.

    python -m benchmarks.service [--connections 1 4 16 64] [--profiles 200000] [--rounds 5] [--peers] [--quick]

Five domains on SQLite, every profile read and written, contributions told, the decision in the fsynced, hash-chained
log before it is answered. The workload is `benchmarks.traffic`'s, the client `benchmarks.load`'s: it shares the two
cores with the server, so what it takes is told, too. The ceiling is a FastAPI route that reads the same body and says
hello, on the same server, loop and parser; --peers adds those of `benchmarks.peer_targets`. All take turns (A B C A B C
...): read the ratios. The first run trains five small models under --home.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import statistics
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import fastapi
import lightgbm as lgb
import uvicorn
from rich.console import Console

from benchmarks.house import KEY, copy_house, count_domains, count_states, make_house
from benchmarks.peer_targets import peer_targets
from benchmarks.peers import PeerError, peers_python
from benchmarks.processes import Target, ceiling, spent
from benchmarks.traffic import MARK, ItemLaw, make_bodies
from benchmarks.turns import Bench, show
from tests.serving import Server, serving

HOME = Path("var/bench/house")
BODIES = 4000
BATCH_ROUNDS = 3
MOST_TRIES = 5


def chekara_target(server: Server, bodies: Path, name: str = "chekara") -> Target:
    """Return a running Chekara as a target; refuse one that does not keep the whole promise.

    Raises
    ------
    RuntimeError
        A body is not scored in every domain that the house promoted, with contributions.
    """
    key = server.keys[KEY]
    body = bodies.read_bytes().splitlines()[0].replace(MARK, b"first-of-all")
    answer = server.send("POST", "/v1/scores", KEY, body)
    told = answer.json
    wanted = count_domains(server.home)
    if answer.status != 200 or len(told["domains"]) != wanted or not all(d["contributions"] for d in told["domains"]):
        scored = [(one["domain"], len(one.get("contributions", ()))) for one in told.get("domains", ())]
        raise RuntimeError(f"not the whole promise: {answer.status}, {scored}, {told.get('warnings')}")
    return Target(name, server.port, "/v1/scores", {"Authorization": f"Bearer {key}"}, str(bodies), server.process.pid)


def ready_seconds(server: Server) -> float:
    """Return how long the server says that it took until it listened."""
    lines = [json.loads(line) for line in server.log_text().splitlines() if '"listening"' in line]
    return float(lines[0]["seconds"])


def time_batch(server: Server, bench: Bench, bodies: Path, rows: int) -> dict[str, Any]:
    """Post whole batches of new crossings, contributions told, and rows again that were to come again.

    A row that waited for two seconds is refused with ``retry_after``, as a request alone would be; who sends batches
    sends such rows again, and the time of a batch is until its last row was scored.

    Returns
    -------
    dict
        The median of seconds, the fewest rows scored, and how many rows of all batches had to come again, by problem.
    """
    lines = bodies.read_bytes().splitlines()
    seconds, scored, again = [], [], Counter[str]()
    for _ in range(min(bench.rounds, BATCH_ROUNDS)):
        numbers = bench.take_numbers(rows)
        waiting = [lines[n % len(lines)].replace(MARK, b"%012d" % n) for n in numbers]
        began, done = time.perf_counter(), 0
        for _ in range(MOST_TRIES):
            answer = server.send(
                "POST", "/v1/scores/batch", KEY, b"\n".join(waiting), 120, Content_Type="application/x-ndjson"
            )
            told = [json.loads(line) for line in answer.body.splitlines()]
            refused = [one for one in told if one["status"] != 200]
            done += len(told) - len(refused)
            again.update(one["problem"]["type"].rpartition(":")[2] for one in refused)
            waiting = [waiting[one["row"]] for one in refused if "retry_after" in one]
            if not waiting:
                break
            time.sleep(max(one["retry_after"] for one in refused if "retry_after" in one))
        seconds.append(time.perf_counter() - began)
        scored.append(done)
    return {"rows": rows, "seconds": statistics.median(seconds), "scored": min(scored), "again": dict(again)}


def start_all(
    stack: ExitStack, copy: Path, bodies: Path, scratch: Path, found: dict[str, Any], *, with_peers: bool
) -> tuple[Server, list[Target]]:
    """Start our service, peers and the ceiling; ours is the first target, the ceiling the last."""
    began = time.perf_counter()
    server = stack.enter_context(serving(copy))
    found["ready_s"], found["ready_process_s"] = ready_seconds(server), time.perf_counter() - began
    found["ready_rss_mb"] = spent(server.process.pid).rss_mb
    targets = [chekara_target(server, bodies)]
    if with_peers:
        try:
            peers, found["peer_versions"] = stack.enter_context(peer_targets(peers_python(), scratch / "peers"))
            targets += peers
        except (PeerError, RuntimeError) as error:
            found["missing"] = str(error)
    top = stack.enter_context(ceiling(bodies, scratch / "ceiling.log"))
    return server, [*targets, top]


def measure(arguments: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Measure what was asked for and return it."""
    home = make_house(arguments.home.resolve())
    bench = Bench(arguments.rounds, arguments.seconds)
    found: dict[str, Any] = {"closed": [], "open": []}
    with tempfile.TemporaryDirectory(prefix="chekara-bench-", dir=arguments.scratch) as folder, ExitStack() as stack:
        scratch = Path(folder)
        bodies = scratch / "bodies.ndjson"
        bodies.write_bytes(b"\n".join(make_bodies(home / "history", BODIES, seed=11, law=arguments.items)))
        copy = copy_house(home, scratch / "home", states=arguments.profiles)
        found["profiles"] = count_states(copy)
        with serving(copy):
            pass  # the first start compiles; a warm one is measured
        server, targets = start_all(stack, copy, bodies, scratch, found, with_peers=arguments.peers)
        for target in targets:
            bench.turn(target, 16, seconds=2.0)  # warm
        found["body_bytes"] = bodies.stat().st_size / BODIES
        console.print(
            f"{found['profiles']:,} profile states; {BODIES} bodies of {found['body_bytes']:,.0f} bytes; "
            f"warm start listening after {found['ready_s']:.1f} s; server process {server.process.pid}",
            *([found["missing"]] if "missing" in found else []),
            sep="\n",
            highlight=False,
        )
        for connections in arguments.connections:
            figures = bench.compare(targets, connections)
            show(figures, console, f"closed loop, {connections} connections, median of {bench.rounds} turns")
            found["closed"] += [asdict(one) for one in figures]
        if arguments.open:
            saturation = max(one["requests_s"] for one in found["closed"] if one["name"] == targets[0].name)
            figures = bench.compare([targets[0], targets[-1]], 16, {targets[0].name: saturation / 2})[:1]
            show(figures, console, f"open loop at half of saturation, {saturation / 2:.0f} requests/s")
            found["open"] += [asdict(one) for one in figures]
            found["batch"] = time_batch(server, bench, bodies, arguments.batch_rows)
            told = "batch of {rows:,}: {seconds:.2f} s, {scored:,} scored, sent again {again}"
            console.print(told.format(**found["batch"]), highlight=False)
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
    parser.add_argument("--batch-rows", type=int, default=1000)
    parser.add_argument("--open", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--peers", action="store_true", help="beside other services, too")
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
