"""What `chekara score` costs: seconds, processor seconds and memory over a folder, from files to file.

    python -m benchmarks.score_folder --home HOME --data DIR
    python -m benchmarks.score_folder --domain revenue_fraud --domain contraband --months 12 --per-day 280 [--json FILE]

The first scores with what serves in HOME. The second makes everything under a temporary folder first: a small border to
train on (every domain, if none is named), and one to score. Other work on the machine lengthens seconds, not processor
seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
import pyarrow
from pyarrow import parquet
from rich.console import Console

SEED = "5"


def run(*arguments: str, home: Path) -> None:
    """Run a program of the project in a home of its own."""
    environment = {**os.environ, "CHEKARA_HOME": str(home), "CHEKARA_ENV": "dev"}
    subprocess.run([sys.executable, "-m", *arguments], env=environment, check=True, stdout=subprocess.DEVNULL)


def make(scratch: Path, months: int, per_day: int, domains: Sequence[str]) -> tuple[Path, Path]:
    """Train and promote domains on a small border, and simulate the one to score."""
    home, small, large = scratch / "home", scratch / "small", scratch / "large"
    run("chekara.cli", "simulate", str(small), "--months", "12", "--per-day", "140", "--seed", "3", home=home)
    wanted = [word for domain in domains for word in ("--domain", domain)]
    run("training.train", "--data", str(small), "--promote", *wanted, home=home)
    run(
        *("chekara.cli", "simulate", str(large), "--months", str(months), "--per-day", str(per_day), "--seed", SEED),
        home=home,
    )
    return home, large


def measure(home: Path, data: Path, scratch: Path, console: Console) -> dict[str, Any]:
    """Score once, say what it took, and return it."""
    out = scratch / "scores.parquet"
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    run("chekara.cli", "score", str(data), "--out", str(out), home=home)
    seconds = time.perf_counter() - begun
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    file = parquet.ParquetFile(out)
    domains = [name.removeprefix("margin_") for name in file.schema_arrow.names if name.startswith("margin_")]
    n = file.metadata.num_rows
    console.print(
        f"{n:,} crossings in {len(domains)} domains ({', '.join(domains)}): {seconds:.0f} s, {cpu:.0f} s of processor "
        f"on {os.cpu_count()} cores, {1e6 * cpu / n / len(domains):.0f} us per crossing and domain; file "
        f"{out.stat().st_size / 2**20:.0f} MB; largest process so far {used.ru_maxrss / 2**10:.0f} MB",
        highlight=False,
    )
    versions = f"python {platform.python_version()}, lightgbm {lgb.__version__}, numpy {np.__version__}, "
    versions += f"pandas {pd.__version__}, pyarrow {pyarrow.__version__}"
    console.print(versions, highlight=False)
    return {
        "crossings": n,
        "domains": domains,
        "seconds": seconds,
        "processor_s": cpu,
        "peak_mb": used.ru_maxrss / 2**10,
        "versions": versions,
    }


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--domain", action="append", default=[])
    parser.add_argument("--months", type=int, default=12)
    parser.add_argument("--per-day", type=int, default=280)
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chekara-") as name:
        scratch = Path(name)
        home, data = arguments.home, arguments.data
        if home is None or data is None:
            home, data = make(scratch, arguments.months, arguments.per_day, arguments.domain)
        found = measure(home.resolve(), data.resolve(), scratch, Console())
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
