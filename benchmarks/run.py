"""Run every benchmark, keep the figures, and write them into `docs/benchmarks.md`: what `make bench` does.

    python -m benchmarks.run [--only PART ...] [--resume] [--full | --tiny] [--report] [--home HOME] [--results DIR]

Each part is a program of its own, and its figures lie as JSON under --results, with the command that produced them.
After an interruption --resume keeps the parts that were measured with the same command; --only measures some, and
--report none. --full takes the sizes that the targets name where the usual ones are smaller, --tiny is for tests.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.report import PAGE, write_report

RESULTS = Path("var/bench/results")
HOME = Path("var/bench/house")


@dataclass(frozen=True, slots=True)
class Part:
    """One benchmark: its module, and its arguments at the usual, the full and the smallest size."""

    module: str
    usual: str
    full: str
    tiny: str
    needs_house: bool = False

    def arguments(self, size: str) -> list[str]:
        """Return the arguments at one size."""
        return shlex.split({"usual": self.usual, "full": self.full, "tiny": self.tiny}[size])


PARTS = {
    "kernel": Part(
        "shap_kernel",
        "--quick",
        "--rows 200000 --repeats 7",
        "--rows 1000 --model c --repeats 1 --no-growth --no-peers",
    ),
    "service": Part(
        "service",
        "--peers --connections 1 16 --profiles 200000 --rounds 5 --seconds 2.5",
        "--peers --connections 1 4 16 64 --profiles 200000 --rounds 7 --seconds 4",
        "--connections 2 --profiles 0 --rounds 1 --seconds 0.3 --batch-rows 5",
        needs_house=True,
    ),
    "path": Part(
        "request_path",
        "--groups 1 16 64 --crossings 640",
        "--groups 1 16 64 --crossings 1920",
        "--groups 1 --crossings 3",
        needs_house=True,
    ),
    "growth": Part(
        "growth",
        "--log 100000 1000000 --profiles 0 5000000 --rounds 3 --seconds 2.5",
        "--log 10000 100000 1000000 --profiles 0 2000000 5000000 --rounds 5 --seconds 4",
        "--log 300 --profiles --rounds 1 --seconds 0.3",
        needs_house=True,
    ),
    "history": Part(
        "profile_engine",
        "--rows 10000 100000 1000000 --repeats 3",
        "--rows 100000 1000000 5000000 --repeats 3",
        "--rows 500 --repeats 1 --no-peers",
    ),
    "training": Part("train_five", "--crossings 100000", "--crossings 1000000", "--crossings 3000"),
    "scoring": Part("score_folder", "", "", "", needs_house=True),
}


def machine() -> str:
    """Say what this ran on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    return f"{names[0] if names else platform.processor()}, {cores} cores, {memory_gb:.0f} GB"


def command_of(name: str, size: str) -> str:
    """Return the command of a part as a reader would type it."""
    part = PARTS[name]
    words = ["python", "-m", f"benchmarks.{part.module}", *part.arguments(size)]
    if name == "scoring":
        words += ["--home", str(HOME), "--data", str(HOME / "history")]
    return shlex.join(words)


def run_part(name: str, size: str, home: Path, results: Path, console: Console) -> bool:
    """Run one part and keep its figures; whether it ended well.

    Parameters
    ----------
    name : str
    size : {'usual', 'full', 'tiny'}
    home : Path
        House of the parts that serve.
    results : Path
    console : Console
    """
    part, raw = PARTS[name], results / f"{name}.raw.json"
    words = [sys.executable, "-m", f"benchmarks.{part.module}", *part.arguments(size), "--json", str(raw)]
    if part.needs_house:
        words += ["--home", str(home)]
    if name == "scoring":
        words += ["--data", str(home / "history")]
    load, began = os.getloadavg()[0], time.perf_counter()
    done = subprocess.run(
        words, env={**os.environ, "OMP_NUM_THREADS": "1"} if name != "training" else None, check=False
    )
    seconds = time.perf_counter() - began
    if done.returncode or not raw.exists():
        console.print(f"[bold red]{name} failed[/] after {seconds:.0f} s; its older figures, if any, stay")
        return False
    kept: dict[str, Any] = {
        "part": name,
        "command": command_of(name, size),
        "measured_at": datetime.now(UTC).isoformat(timespec="minutes"),
        "seconds": round(seconds),
        "load_before": round(load, 2),
        "machine": machine(),
        "found": json.loads(raw.read_text(encoding="utf-8")),
    }
    (results / f"{name}.json").write_text(json.dumps(kept, indent=1), encoding="utf-8")
    raw.unlink()
    console.print(f"{name}: {seconds:.0f} s", style="bold")
    return True


def is_kept(name: str, size: str, results: Path) -> bool:
    """Whether figures of the same command are there."""
    file = results / f"{name}.json"
    return file.exists() and json.loads(file.read_text(encoding="utf-8"))["command"] == command_of(name, size)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=PARTS, help="measure this part; several are several --only")
    parser.add_argument("--resume", action="store_true", help="keep what was measured with the same command")
    parser.add_argument("--report", action="store_true", help="measure nothing, write the page")
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--full", dest="size", action="store_const", const="full", default="usual")
    sizes.add_argument("--tiny", dest="size", action="store_const", const="tiny")
    parser.add_argument("--home", type=Path, default=HOME)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--page", type=Path, default=PAGE)
    arguments = parser.parse_args()
    console = Console(width=120)
    results = arguments.results.resolve()
    results.mkdir(parents=True, exist_ok=True)
    wanted = [] if arguments.report else [name for name in PARTS if not arguments.only or name in arguments.only]
    if arguments.resume:
        wanted = [name for name in wanted if not is_kept(name, arguments.size, results)]
    began, failed = time.perf_counter(), []
    for number, name in enumerate(wanted):
        console.rule(f"{number + 1} of {len(wanted)}: {command_of(name, arguments.size)}")
        if not run_part(name, arguments.size, arguments.home.resolve(), results, console):
            failed.append(name)
    written = write_report(results, arguments.page)
    told = f"{len(wanted) - len(failed)} of {len(wanted)} parts in {time.perf_counter() - began:.0f} s; "
    console.print(f"{told}{arguments.page} holds {', '.join(written) or 'nothing'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
