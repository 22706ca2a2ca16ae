"""Servers loaded in turns (A B C A B C ...), and medians of what came: the way in which serving is measured."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.load import Order, Outcome, send
from benchmarks.processes import Target, spent

COOL_SECONDS = 0.3


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

    def take_numbers(self, n: int) -> range:
        """Return numbers of crossings that nobody else sends."""
        taken = range(self._first + 1, self._first + 1 + n)
        self._first += n + 1
        return taken

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
