"""What growth costs: latency and processor time of a crossing against the size of the log and the number of profiles.

    python -m benchmarks.growth [--log 100000 1000000] [--profiles 0 2000000 5000000] [--rounds 3] [--seconds 3]

A service for each size, all running at once and loaded in turns (A B C A B C ...) beside the ceiling of
`benchmarks.service`: one connection, sixteen, and an open loop at half of what that size took with sixteen. The first
service has the log empty and the profiles that its border brought. Long logs are written by `benchmarks.bulk`; profiles
beyond those of the border are of nobody.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.bulk import count_decisions, grow_log
from benchmarks.house import KEY, copy_house, count_states, empty_shelf, make_house
from benchmarks.processes import Target, ceiling
from benchmarks.service import BODIES, HOME, chekara_target, versions
from benchmarks.traffic import MARK, make_bodies
from benchmarks.turns import Bench, show
from tests.serving import serving

TEMPLATES, TEMPLATES_AT_ONCE = 200, 20
DATABASE = "chekara.db"


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """One size under measurement: the axis that it stands on, decisions and profile states when it began."""

    name: str
    axis: str
    decisions: int
    states: int
    database_mb: float


def make_sizes(
    home: Path, scratch: Path, bodies: Path, logs: list[int], profiles: list[int], console: Console
) -> dict[str, tuple[Path, Size]]:
    """Copy the house once for each size, and let each copy grow.

    Parameters
    ----------
    home : Path
    scratch : Path
    bodies : Path
    logs, profiles : list of int
        Decisions, and states; 0 states empties the shelf.
    console : Console

    Returns
    -------
    dict of str to (Path, Size)
        By name; the house as it is comes first.
    """
    sizes: dict[str, tuple[Path, Size]] = {}
    seeded = copy_house(home, scratch / "seeded")
    _score_some(seeded, bodies)
    wanted = [("as made", "both", 0, 0)]
    wanted += [(f"{n:,} decisions", "log", n, 0) for n in logs] + [
        (f"{n:,} profiles", "profiles", 0, n) for n in profiles
    ]
    for number, (name, axis, decisions, states) in enumerate(wanted):
        began = time.perf_counter()
        copy = copy_house(seeded if decisions else home, scratch / f"home-{number}", states=states)
        if decisions:
            grow_log(copy / DATABASE, decisions)
        elif axis == "profiles" and not states:
            empty_shelf(copy / DATABASE)
        size = Size(
            name=name,
            axis=axis,
            decisions=count_decisions(copy / DATABASE),
            states=count_states(copy),
            database_mb=(copy / DATABASE).stat().st_size / 2**20,
        )
        sizes[name] = (copy, size)
        console.print(
            f"{name}: {size.decisions:,} decisions, {size.states:,} states, {size.database_mb:,.0f} MB, made in "
            f"{time.perf_counter() - began:.0f} s",
            highlight=False,
        )
    return sizes


def _score_some(home: Path, bodies: Path) -> None:
    """Let a service score what will be repeated, in pieces small enough for its two seconds on a busy machine."""
    lines = bodies.read_bytes().splitlines()
    scored, told = 0, b""
    with serving(home) as server:
        for first in range(0, TEMPLATES, TEMPLATES_AT_ONCE):
            numbers = range(first, first + TEMPLATES_AT_ONCE)
            body = b"\n".join(lines[n % len(lines)].replace(MARK, b"template%04d" % n) for n in numbers)
            answer = server.send("POST", "/v1/scores/batch", KEY, body, 120, Content_Type="application/x-ndjson")
            scored += answer.body.count(b'"status":200')
            told = answer.body[:300]
    if not scored:
        raise RuntimeError(f"no decision to repeat was scored: {told!r}")


def load_sizes(targets: list[Target], top: Target, bench: Bench, console: Console) -> list[dict[str, Any]]:
    """Load every size in turns, at one connection, at sixteen and open at half of that; figures of all."""
    for target in [*targets, top]:
        bench.turn(target, 16, seconds=2.0)  # warm
    found = []
    for connections in (1, 16):
        figures = bench.compare([*targets, top], connections)
        show(figures, console, f"closed loop, {connections} connections, median of {bench.rounds} turns")
        found += figures
    half = {one.name: one.requests_s / 2 for one in found if one.connections == 16 and one.name != top.name}
    figures = bench.compare([*targets, top], 16, half)[:-1]
    show(figures, console, "open loop at half of what 16 connections took")
    return [asdict(one) for one in [*found, *figures]]


def measure(arguments: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Measure what was asked for and return it."""
    home = make_house(arguments.home.resolve())
    bench = Bench(arguments.rounds, arguments.seconds)
    with tempfile.TemporaryDirectory(prefix="chekara-bench-", dir=arguments.scratch) as folder, ExitStack() as stack:
        scratch = Path(folder)
        bodies = scratch / "bodies.ndjson"
        bodies.write_bytes(b"\n".join(make_bodies(home / "history", BODIES, seed=11)))
        sizes = make_sizes(home, scratch, bodies, arguments.log, arguments.profiles, console)
        targets = [
            chekara_target(stack.enter_context(serving(copy)), bodies, name) for name, (copy, _) in sizes.items()
        ]
        top = stack.enter_context(ceiling(bodies, scratch / "ceiling.log"))
        figures = load_sizes(targets, top, bench, console)
        return {"sizes": [asdict(size) for _, size in sizes.values()], "figures": figures, "versions": versions()}


def main() -> None:
    """Measure from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=HOME, help="of the trained house; made where it is not there")
    parser.add_argument("--scratch", type=Path, help="where copies lie: the disk that is measured")
    parser.add_argument("--log", type=int, nargs="*", default=[100_000, 1_000_000])
    parser.add_argument("--profiles", type=int, nargs="*", default=[0, 2_000_000, 5_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    arguments = parser.parse_args()
    console = Console(width=120)
    found = measure(arguments, console)
    console.print(versions(), highlight=False)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
