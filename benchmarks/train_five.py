"""How long a training of every domain takes, by stage and domain, and how much memory it holds at most.

    python -m benchmarks.train_five [--crossings 1000000] [--data DIR] [--workers 2] [--json FILE]

From files to registered, evaluated, drawn and audited bundles, in a home of its own that is removed afterwards. Stages
of one domain overlap with those of others, so theirs add up to more than the whole. Seconds on a clock follow
whatever else the machine does; those of the processor hardly do, and with two cores half of them is the least that the
clock can show.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

DAYS_PER_MONTH = 30.4
MONTHS = 36
TARGET_SECONDS = 240
TARGET_CROSSINGS = 1_000_000


class StageClock:
    """Seconds on the clock and of the calling thread, by stage and domain."""

    def __init__(self) -> None:
        self.seconds: defaultdict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
        self._lock = threading.Lock()

    def around(
        self, module: Any, name: str, stage: str, domain_of: Callable[..., str] = lambda *_, **__: "all"
    ) -> None:
        """Time every call of a function that a module looks up by name."""
        timed = getattr(module, name)

        def call(*arguments: Any, **named: Any) -> Any:
            began, of_thread = time.perf_counter(), time.thread_time()
            try:
                return timed(*arguments, **named)
            finally:
                with self._lock:
                    domain = "all" if domain_of is None else domain_of(*arguments, **named)
                    passed = self.seconds[(domain, stage)]
                    passed[0] += time.perf_counter() - began
                    passed[1] += time.thread_time() - of_thread

        setattr(module, name, call)


def watch() -> StageClock:
    """Put a clock around the stages of a training."""
    from chekara.modelling import forward  # noqa: PLC0415  # after MLflow was told where its home is
    from training import _domain, _learn, train  # noqa: PLC0415

    clock = StageClock()
    for name, stage in (
        ("load_history", "read and check files"),
        ("lay_out_lines", "profiles and features"),
        ("check_whole", "drift and proxies"),
        ("search_lines", "search for copies"),
    ):
        clock.around(train, name, stage)
    clock.around(train, "track_domain", "track, draw, register", lambda learned, *_: learned.spec.domain)
    clock.around(_domain, "picture_model", "of which drawing", lambda spec, *_: spec.domain)
    for name, stage in (("check_domain", "leakage"), ("selective_facts", "the lot")):
        clock.around(_learn, name, stage, lambda _, rule, *__, **___: rule.domain)
    clock.around(_learn, "build_dataset", "lay out its lines", lambda _, spec, *__, **___: spec.domain)
    clock.around(_learn, "_judge", "judge beside baselines", lambda spec, *_: spec.domain)
    for name, stage in (("evaluate_recipe", "of which the recipe"), ("refit_on_everything", "refit and evidence")):
        clock.around(_learn, name, stage, lambda _, spec, *__, **___: spec.domain)
    clock.around(forward, "learn", "of which fits, in all", lambda _, spec, *__: spec.domain)
    return clock


def processor_seconds() -> float:
    """Seconds of processor time of this process and of those that it waited for."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def show(clock: StageClock, console: Console, seconds: float, processor: float, crossings: str) -> None:
    """Print stages by domain, and the whole beside its target."""
    domains = sorted({domain for domain, _ in clock.seconds}, key=lambda name: (name != "all", name))
    stages = list(dict.fromkeys(stage for _, stage in clock.seconds))
    table = Table(title="Seconds on the clock, of its thread's processor time", title_justify="left")
    table.add_column("")
    for domain in domains:
        table.add_column(domain, justify="right")
    for stage in stages:
        cells = (clock.seconds.get((domain, stage)) for domain in domains)
        table.add_row(stage, *("" if cell is None else f"{cell[0]:.1f}, {cell[1]:.1f}" for cell in cells))
    console.print(table)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    console.print(
        f"{crossings}: {seconds:.0f} s on the clock, {processor:.0f} s of processor time, "
        f"{peak:,.0f} MB at most; load of the machine {os.getloadavg()[0]:.1f} on "
        f"{len(os.sched_getaffinity(0))} cores. Target: {TARGET_SECONDS} s for {TARGET_CROSSINGS:,} crossings.",
        highlight=False,
    )


def main() -> None:
    """Simulate where no history is given, train every domain, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crossings", type=int, default=TARGET_CROSSINGS)
    parser.add_argument("--data", type=Path, help="a history of your own")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    arguments = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory(prefix="chekara-bench-") as scratch:
        os.environ |= {"CHEKARA_HOME": f"{scratch}/home", "CHEKARA_ENV": "dev", "MLFLOW_TRACKING_URI": ""}
        data = arguments.data
        if data is None:
            data = Path(scratch) / "history"
            per_day = max(round(arguments.crossings / (MONTHS * DAYS_PER_MONTH)), 1)
            size = ["--months", str(MONTHS), "--per-day", str(per_day), "--seed", "7"]
            # In a process of its own: its memory is none of training's.
            subprocess.run([sys.executable, "-m", "chekara.cli", "simulate", str(data), *size], check=True)
        began, used = time.perf_counter(), processor_seconds()
        clock = watch()
        from training.train import train  # noqa: PLC0415

        train(data, seed=arguments.seed, workers=arguments.workers)
        told = f"{arguments.crossings:,} crossings" if arguments.data is None else str(data.name)
        seconds, processor = time.perf_counter() - began, processor_seconds() - used
        show(clock, console, seconds, processor, told)
    if arguments.json:
        figures = {"crossings": arguments.crossings, "seconds": seconds, "processor_s": processor}
        figures |= {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "versions": versions()}
        figures["stages"] = {f"{domain}: {stage}": one for (domain, stage), one in clock.seconds.items()}
        arguments.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


def versions() -> str:
    """Name what was measured with."""
    named = (f"{name} {importlib.metadata.version(name)}" for name in ("lightgbm", "mlflow", "numpy", "pandas"))
    return ", ".join((f"python {platform.python_version()}", *named))


if __name__ == "__main__":
    main()
