"""A light HTTP client that loads a server: raw sockets on uvloop, bodies made beforehand, a process of its own.

Closed loop: every connection sends its next request as soon as the last was answered. Open loop: requests fall due at
random moments (Poisson) whatever the server does, and latency counts from that moment, so that a stall is seen by all
whom it keeps waiting. Run as a program it reads one `Order` as JSON from its input and prints one `Outcome`.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import cast

import uvloop

from benchmarks.traffic import MARK

OPEN_LOOP_CONNECTIONS = 64
WINDOW_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to send.

    Attributes
    ----------
    port : int
        On loopback.
    path : str
    headers : dict of str to str
    bodies : str
        File of one JSON body a line.
    first : int
        Number of the first crossing; no two orders to one house may overlap.
    connections : int
        Of a closed loop.
    seconds : float
    rate : float or None
        Requests per second of an open loop; None for a closed one.
    seed : int
        Of the moments of an open loop.
    """

    port: int
    path: str
    headers: dict[str, str]
    bodies: str
    first: int
    connections: int
    seconds: float
    rate: float | None = None
    seed: int = 1


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of it.

    Attributes
    ----------
    seconds : float
        From the first request to the last answer.
    sent, answered : int
    errors : dict of str to int
        Answers other than 200 by status, and connections that broke.
    latencies_ms : list of float
        Of good answers, in order of their ends.
    ended_s : list of float
        When each ended, seconds from the beginning.
    client_cpu_s : float
        Processor time of this client while the clock ran.
    sample : str
        Head of the first answer that was not 200.
    """

    seconds: float = 0.0
    sent: int = 0
    answered: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    latencies_ms: list[float] = field(default_factory=list)
    ended_s: list[float] = field(default_factory=list)
    client_cpu_s: float = 0.0
    sample: str = ""

    @property
    def rate(self) -> float:
        """Good answers per second."""
        return len(self.latencies_ms) / self.seconds


class Requests:
    """Endless requests from a few bodies: each gets the next number."""

    def __init__(self, order: Order) -> None:
        lines = Path(order.bodies).read_bytes().splitlines()
        head = f"POST {order.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in order.headers.items())
        number = b"%012d" % 0
        self._requests = [
            f"{head}Content-Length: {len(body.replace(MARK, number))}\r\n\r\n".encode() + body for body in lines
        ]
        self._next = order.first

    def take(self) -> bytes:
        """Return the next request."""
        self._next += 1
        return self._requests[self._next % len(self._requests)].replace(MARK, b"%012d" % self._next)


class Connection(asyncio.Protocol):
    """One connection: one request at a time."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._transport: asyncio.Transport | None = None
        self._parts: list[bytes] = []
        self._missing = -1
        self._due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def send(self, request: bytes, due: float) -> None:
        """Send one request whose latency counts from ``due``."""
        self._due = due
        assert self._transport is not None  # noqa: S101
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Collect an answer; report it once it is whole."""
        self._parts.append(data)
        if self._missing < 0:
            whole = b"".join(self._parts)
            end = whole.find(b"\r\n\r\n")
            if end < 0:
                return
            at = whole[:end].lower().index(b"content-length:") + 15
            length = int(whole[at:].split(b"\r\n", 1)[0])
            self._missing = end + 4 + length - len(whole)
        else:
            self._missing -= len(data)
        if self._missing == 0:
            first = self._parts[0]
            self._parts, self._missing = [], -1
            self._run.ended(self, first, self._due)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count a connection that the server closed."""
        self._run.lost(self)

    def close(self) -> None:
        """Close without a word."""
        if self._transport is not None:
            self._transport.abort()


class Run:
    """One order being carried out."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._requests = Requests(order)
        self._outcome = Outcome()
        self._errors: Counter[str] = Counter()
        self._idle: deque[Connection] = deque()
        self._waiting: deque[float] = deque()  # moments at which requests fell due and no connection was idle
        self._open = 0
        self._began = 0.0
        self._is_over = False
        self._moments = random.Random(order.seed)  # noqa: S311  # moments, not secrets

    async def carry_out(self) -> Outcome:
        """Send for as long as was ordered, wait for the last answers, return what came."""
        loop = asyncio.get_running_loop()
        wanted = self._order.connections if self._order.rate is None else OPEN_LOOP_CONNECTIONS
        for _ in range(wanted):
            _, connection = await loop.create_connection(lambda: Connection(self), "127.0.0.1", self._order.port)
            self._idle.append(connection)
        everyone = list(self._idle)
        cpu, self._began = time.process_time(), time.perf_counter()
        if self._order.rate is None:
            for connection in everyone:
                self._begin(connection, time.perf_counter())
            await asyncio.sleep(self._order.seconds)
        else:
            await self._fall_due(self._order.rate)
        self._is_over = True
        while self._open and time.perf_counter() - self._began < self._order.seconds + 10:
            await asyncio.sleep(0.002)
        outcome = self._outcome
        outcome.seconds = max([*outcome.ended_s[-1:], self._order.seconds])
        outcome.client_cpu_s = time.process_time() - cpu
        for connection in everyone:
            connection.close()
        if self._open:
            self._errors["unanswered"] += self._open
        outcome.errors = dict(self._errors)
        return outcome

    async def _fall_due(self, rate: float) -> None:
        due = self._began
        while due < self._began + self._order.seconds:
            now = time.perf_counter()
            if due > now:
                await asyncio.sleep(due - now)
            if self._idle:
                self._begin(self._idle.popleft(), due)
            else:
                self._waiting.append(due)
            due += self._moments.expovariate(rate)

    def _begin(self, connection: Connection, due: float) -> None:
        self._outcome.sent += 1
        self._open += 1
        connection.send(self._requests.take(), due)

    def ended(self, connection: Connection, answer: bytes, due: float) -> None:
        """Note an answer and give the connection its next request."""
        now = time.perf_counter()
        self._open -= 1
        self._outcome.answered += 1
        status = answer[9:12]
        if status == b"200":
            self._outcome.latencies_ms.append((now - due) * 1000)
            self._outcome.ended_s.append(now - self._began)
        else:
            self._errors[status.decode()] += 1
            self._outcome.sample = self._outcome.sample or answer.decode(errors="replace")[:1200]
        if self._order.rate is not None:
            if self._waiting:
                self._begin(connection, self._waiting.popleft())
            else:
                self._idle.append(connection)
        elif not self._is_over:
            self._begin(connection, now)

    def lost(self, connection: Connection) -> None:
        """Note a connection that broke while the run was on."""
        if not self._is_over:
            self._errors["broken"] += 1
            self._open -= 1


def send(order: Order) -> Outcome:
    """Carry an order out in a process of its own.

    Parameters
    ----------
    order : Order

    Returns
    -------
    Outcome
    """
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"], input=json.dumps(asdict(order)).encode(), stdout=-1, check=True
    )
    return Outcome(**json.loads(done.stdout))


def main() -> None:
    """Carry out the order on standard input."""
    order = Order(**json.load(sys.stdin))
    json.dump(asdict(uvloop.run(Run(order).carry_out())), sys.stdout)


if __name__ == "__main__":
    main()
