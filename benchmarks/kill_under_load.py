"""Kill the service with SIGKILL under load, again and again, and count what was lost.

Usage::

    python -m benchmarks.kill_under_load --kills 100

Each round starts a real ``chekara serve`` over the same home, posts crossings from several threads, kills the process
at a random moment, starts it again and reads back every decision that was ever acknowledged since the last check.
It ends with ``chekara audit verify`` and a table of counts; exit code 1 if anything was lost or the log is not intact.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.serving import Server, crossing, environment_of, make_trained_home, serving

THREADS = 8
LONGEST_LIFE_SECONDS = 0.6


@dataclass
class KillCounts:
    """What a run of kills found.

    Attributes
    ----------
    kills : int
    posted : int
        Requests sent.
    acknowledged : int
        Answers of 200 that were read whole.
    unanswered : int
        Requests that the kill left without an answer; each may or may not be in the log.
    lost : list of str
        Crossings acknowledged and not found again, or found different, with what was found. Must stay empty.
    is_intact : bool
        Whether the log verified at the end.
    """

    kills: int = 0
    posted: int = 0
    acknowledged: int = 0
    unanswered: int = 0
    lost: list[str] = field(default_factory=list)
    is_intact: bool = False

    @property
    def is_good(self) -> bool:
        """Whether nothing was lost and the log verified."""
        return not self.lost and self.is_intact


def kill_under_load(home: Path, *, kills: int, seed: int) -> KillCounts:
    """Kill a service over a home that holds a promoted model and keys, and count.

    Parameters
    ----------
    home : Path
        Its log is written to.
    kills : int
    seed : int
        Of the moments at which the process is killed.
    """
    moments = random.Random(seed)  # noqa: S311  # moments, not secrets
    counts = KillCounts()
    acknowledged: dict[str, bytes] = {}
    for round_number in track(range(kills + 1), description="Killing", console=Console(stderr=True)):
        with serving(home) as server:
            counts.lost += _missing(server, acknowledged)
            acknowledged.clear()
            if round_number < kills:
                _load_until_killed(server, f"kill-{seed}-{round_number}", moments, acknowledged, counts)
                counts.kills += 1
    verify = [sys.executable, "-m", "chekara.cli", "audit", "verify"]
    counts.is_intact = (
        subprocess.run(verify, env=environment_of(home), capture_output=True, check=False).returncode == 0
    )
    return counts


def _load_until_killed(
    server: Server, prefix: str, moments: random.Random, acknowledged: dict[str, bytes], counts: KillCounts
) -> None:
    is_over = threading.Event()
    guard = threading.Lock()

    def post(thread: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        headers = {"Authorization": f"Bearer {server.keys['system']}", "Content-Type": "application/json"}
        number = 0
        while not is_over.is_set():
            number += 1
            crossing_id = f"{prefix}-{thread}-{number}"
            try:
                connection.request("POST", "/v1/scores", json.dumps(crossing(crossing_id)), headers)
                answer = connection.getresponse()
                body = answer.read()
            except (OSError, http.client.HTTPException):
                with guard:
                    counts.posted += 1
                    counts.unanswered += 1
                return
            with guard:
                counts.posted += 1
                if answer.status == 200:
                    counts.acknowledged += 1
                    acknowledged[crossing_id] = body

    threads = [threading.Thread(target=post, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    time.sleep(moments.uniform(0.05, LONGEST_LIFE_SECONDS))
    server.process.kill()
    server.process.wait()
    is_over.set()
    for thread in threads:
        thread.join()


def _missing(server: Server, acknowledged: dict[str, bytes]) -> list[str]:
    """Read back what was acknowledged, by id, and compare the whole body."""
    missing = []
    for crossing_id, body in acknowledged.items():
        decision_id = json.loads(body)["decision_id"]
        reply = server.send("GET", f"/v1/decisions/{decision_id}", "system")
        if reply.status != 200 or reply.body != body:
            found = "other content" if reply.status == 200 else f"status {reply.status}"
            missing.append(f"{crossing_id}: {found}")
    return missing


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        make_trained_home(home)
        counts = kill_under_load(home, kills=arguments.kills, seed=arguments.seed)
    table = Table(title="kill -9 under load", title_justify="left")
    for column in ("kills", "posted", "acknowledged", "without answer", "lost", "log verifies"):
        table.add_column(column, justify="right")
    figures = (counts.kills, counts.posted, counts.acknowledged, counts.unanswered, len(counts.lost), counts.is_intact)
    table.add_row(*map(str, figures))
    Console().print(table, *counts.lost, sep="\n")
    return 0 if counts.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
