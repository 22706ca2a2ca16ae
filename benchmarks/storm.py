"""A storm: several times more requests than the service can answer, from whoever comes, whatever it says.

    python -m benchmarks.storm [--times 4] [--seconds 60]

The service's saturation is measured first (16 askers in a closed loop). Then requests fall due at random moments
(Poisson) at several times that rate and each is sent at once, on a connection of its own if none is idle. Exit code 1
if an answer was neither a decision nor an early 429 or 503 with ``Retry-After``, an accepted one came later than the
service promises, an acknowledged decision is not in the log exactly once, memory went on growing, or it did not answer
at once when the storm was over.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sqlite3
import sys
import tempfile
import time
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks.processes import spent
from chekara.adapters.assembly import verify_log_of
from tests.serving import Server, crossing, make_trained_home, serving

ASKERS = 16
SATURATION_SECONDS = 4.0
MEMORY_EVERY_SECONDS = 0.5
MOST_CONNECTIONS = 4_000
MOST_GROWTH_MB = 80.0
"""From before the storm to its peak: connections and bodies of those who wait."""
MOST_GOING_ON = 1.1
"""Peak of the second half over that of the first: what is bounded does not grow with the storm's length."""
LATE_SECONDS = 0.5
"""That an answer may be read after it was given, on a machine that has no processor left."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: to whom, of what status, how long it took, and when to come again."""

    name: str
    status: int
    seconds: float
    retry_after: str | None


@dataclass(slots=True)
class Storm:
    """What a storm was like.

    Attributes
    ----------
    saturation, rate : float
        Answers per second of the closed loop, requests per second of the storm.
    answers : list of Answer
    broken : int
        Requests whose connection broke.
    rss_mb : list of float
        Resident memory of the service, before the storm first, then every half second.
    lost : list of str
        Acknowledged crossings that are not in the log exactly once.
    is_intact : bool
        Whether the log verified.
    after_status, after_seconds : int, float
        Of one request as soon as the storm is over.
    """

    saturation: float = 0.0
    rate: float = 0.0
    answers: list[Answer] = field(default_factory=list)
    broken: int = 0
    rss_mb: list[float] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    is_intact: bool = False
    after_status: int = 0
    after_seconds: float = 0.0

    def of(self, status: int) -> list[float]:
        """Return how long answers of a status took, seconds ascending."""
        return sorted(answer.seconds for answer in self.answers if answer.status == status)

    def faults(self, answer_seconds: float) -> list[str]:
        """Return what was not kept; nothing where everything was.

        Parameters
        ----------
        answer_seconds : float
            What the service promises.
        """
        statuses, accepted = Counter(answer.status for answer in self.answers), self.of(200)
        wrong = [f"{n} answers of {status}" for status, n in statuses.items() if status not in (200, 429, 503)]
        wrong += [f"{self.broken} connections broke"] if self.broken else []
        wrong += [] if accepted else ["nothing was accepted"]
        wrong += [] if len(accepted) < len(self.answers) else ["nothing was turned away: no storm"]
        bare = sum(answer.status != 200 and int(answer.retry_after or 0) < 1 for answer in self.answers)
        wrong += [f"{bare} were turned away without Retry-After"] if bare else []
        if accepted and accepted[-1] > answer_seconds + LATE_SECONDS:
            wrong.append(f"an accepted request took {accepted[-1]:.2f} s")
        wrong += [f"{len(self.lost)} acknowledged decisions are not in the log once"] if self.lost else []
        wrong += [] if self.is_intact else ["the log does not verify"]
        wrong += self._growth()
        if self.after_status != 200 or self.after_seconds > answer_seconds:
            wrong.append(f"when it was over: {self.after_status} after {self.after_seconds:.2f} s")
        return wrong

    def _growth(self) -> list[str]:
        before, *during = self.rss_mb
        half = len(during) // 2
        wrong = []
        if max(during) - before > MOST_GROWTH_MB:
            wrong.append(f"memory grew from {before:.0f} to {max(during):.0f} MB")
        if max(during[half:]) > MOST_GOING_ON * max(during[:half]):
            wrong.append(f"memory went on growing: {max(during[:half]):.0f}, then {max(during[half:]):.0f} MB")
        return wrong


class Askers:
    """Sends crossings to one server and notes what comes back.

    Parameters
    ----------
    server : Server
    """

    def __init__(self, server: Server) -> None:
        self.answers: list[Answer] = []
        self.broken = 0
        self._port = server.port
        self._head = "POST /v1/scores?contributions=false HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        self._head += f"Authorization: Bearer {server.keys['system']}\r\n"
        self._idle: deque[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = deque()
        self._places = asyncio.Semaphore(MOST_CONNECTIONS)

    async def ask(self, name: str) -> None:
        """Post one crossing and read the answer."""
        async with self._places:
            try:
                pair = self._idle.popleft() if self._idle else await asyncio.open_connection("127.0.0.1", self._port)
                self.answers.append(await self._exchange(name, *pair))
            except (OSError, asyncio.IncompleteReadError, ValueError):
                self.broken += 1
            else:
                self._idle.append(pair)

    async def _exchange(self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Answer:
        body = json.dumps(crossing(name)).encode()
        began = time.perf_counter()
        writer.write(f"{self._head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        told = {key.lower(): value.strip() for key, _, value in (line.partition(":") for line in lines[1:])}
        await reader.readexactly(int(told["content-length"]))
        return Answer(name, int(lines[0].split()[1]), time.perf_counter() - began, told.get("retry-after"))

    async def closed_loop(self, seconds: float) -> float:
        """Have askers ask one after another; accepted requests per second."""
        until, before = time.perf_counter() + seconds, len(self.answers)

        async def one(asker: int) -> None:
            n = 0
            while time.perf_counter() < until:
                await self.ask(f"calm-{asker}-{n}")
                n += 1

        await asyncio.gather(*(one(asker) for asker in range(ASKERS)))
        return sum(answer.status == 200 for answer in self.answers[before:]) / seconds

    async def open_loop(self, rate: float, seconds: float, seed: int) -> None:
        """Ask at random moments, whatever comes back."""
        moments, asked = random.Random(seed), set[asyncio.Task[None]]()  # noqa: S311  # moments, not secrets
        due = began = time.perf_counter()
        n = 0
        while due < began + seconds:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            task = asyncio.ensure_future(self.ask(f"storm-{n}"))
            asked.add(task)
            task.add_done_callback(asked.discard)
            due += moments.expovariate(rate)
            n += 1
        await asyncio.gather(*asked)

    def close(self) -> None:
        """Close all connections."""
        for _, writer in self._idle:
            writer.close()


async def _blow(server: Server, found: Storm, *, times: float, seconds: float, seed: int) -> None:
    askers = Askers(server)
    await askers.closed_loop(1.0)
    found.saturation = await askers.closed_loop(SATURATION_SECONDS)
    found.rate = times * found.saturation
    found.rss_mb.append(spent(server.process.pid).rss_mb)
    askers.answers.clear()

    async def watch() -> None:
        while True:
            await asyncio.sleep(MEMORY_EVERY_SECONDS)
            found.rss_mb.append(spent(server.process.pid).rss_mb)

    watching = asyncio.ensure_future(watch())
    await askers.open_loop(found.rate, seconds, seed)
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    found.answers, found.broken = askers.answers[:], askers.broken
    began = time.perf_counter()
    await askers.ask("after-the-storm")
    found.after_seconds, found.after_status = time.perf_counter() - began, askers.answers[-1].status
    askers.close()


def storm(home: Path, *, times: float, seconds: float, seed: int = 1, patience: float = 1.0) -> tuple[Storm, list[str]]:
    """Let a storm over a service that serves a home; what it was like, and what was not kept.

    Parameters
    ----------
    home : Path
        With a promoted model and keys; its log is written to.
    times : float
        Of what the service can answer.
    seconds : float
    seed : int
        Of the moments at which requests fall due.
    patience : float
        How many times the time that an answer may take an accepted one is given: above 1 where others work on the same
        cores, and both ends of the storm wait for them.
    """
    found = Storm()
    with serving(home) as server:
        uvloop.run(_blow(server, found, times=times, seconds=seconds, seed=seed))
        settings = server.settings
    with sqlite3.connect(home / "chekara.db") as connection:
        logged = Counter(row[0] for row in connection.execute("SELECT crossing_id FROM decisions"))
    found.lost = [answer.name for answer in found.answers if answer.status == 200 and logged[answer.name] != 1]
    found.is_intact = verify_log_of(settings).is_intact
    return found, found.faults(patience * settings.limits.answer_seconds)


def show(found: Storm, console: Console) -> None:
    """Say what a storm was like."""
    title = f"{found.rate:.0f} requests/s on a saturation of {found.saturation:.0f}"
    table = Table(title=title, title_justify="left")
    for column in ("answer", "requests", "p50 ms", "p99 ms", "slowest ms"):
        table.add_column(column, justify="right")
    for status in (200, 429, 503):
        took = np.array(found.of(status)) * 1000
        if len(took):
            figures = (f"{one:.0f}" for one in (*np.percentile(took, [50, 99]), took[-1]))
            table.add_row(str(status), f"{len(took):,}", *figures)
    before, *during = found.rss_mb
    console.print(table, f"resident memory {before:.0f} MB before, at most {max(during):.0f} MB in it", sep="\n")
    console.print(f"one request as soon as it was over: {found.after_status} in {found.after_seconds * 1000:.0f} ms")


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=float, default=4.0, help="of saturation")
    parser.add_argument("--seconds", type=float, default=60.0)
    arguments = parser.parse_args()
    console = Console(width=120)
    with tempfile.TemporaryDirectory(prefix="chekara-storm-") as folder:
        home = Path(folder) / "home"
        make_trained_home(home)
        found, wrong = storm(home, times=arguments.times, seconds=arguments.seconds)
    show(found, console)
    console.print(*(wrong or ["all of it kept"]), sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
