"""What a page of ``GET /v1/events`` costs, and what reading pages costs those who score meanwhile.

    python -m benchmarks.event_pages [--home var/bench/house] [--decisions 5000] [--pages 1 100 1000] [--json FILE]

A house of `benchmarks.house`: some crossings are scored, and their log entries are repeated with their payloads (tens
of kB each) to a log of the size asked for. Pages are read, presented and encoded from the beginning as the route does
it, the median of five turns. Then single crossings are scored one after the other, alone and while a thread of the
same process reads full pages without a pause.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.table import Table

from benchmarks.bulk import WITH_PAYLOADS, grow_log
from benchmarks.house import copy_house, make_house
from benchmarks.traffic import MARK, make_bodies
from chekara.adapters.assembly import House, open_house
from chekara.api.parse import ScoreParser
from chekara.api.present_joint import present_events
from chekara.domain.actor import Actor
from chekara.domain.vocabulary import Role
from chekara.programs import open_console
from chekara.service.events import MOST_EVENTS
from chekara.service.records import DecisionRecord, ScoreRequest
from tests.serving import settings_of

TURNS: Final = 5
TEMPLATES: Final = 400
ACTOR: Final = Actor("bench", "bench", "border_service", Role.SYSTEM)


def score(house: House, bodies: list[bytes], serial: Iterator[int], n: int) -> list[float]:
    """Score new crossings one after the other; seconds that each took until it was durable."""
    parser, took = ScoreParser(settings_of(Path()).limits), []
    for _ in range(n):
        number = next(serial)
        body = bodies[number % len(bodies)].replace(MARK, f"{number:012d}".encode())
        began = time.perf_counter()
        parsed = parser.parse(body, received_at=datetime.now(UTC))
        request = ScoreRequest(crossing=parsed.crossing, actor=ACTOR, received_at=datetime.now(UTC))
        record = house.writer.submit(request).result()
        if not isinstance(record, DecisionRecord):
            raise SystemExit(f"a crossing was not scored: {record!r}")
        took.append(time.perf_counter() - began)
    return took


def read_page(house: House, after: int, limit: int) -> dict[str, Any]:
    """Read, present and encode a page, as the route does."""
    shown = present_events(house.joint.events(ACTOR, after, limit), ACTOR, "en")
    msgspec.json.encode(shown)
    return shown


def measure_pages(house: House, limits: list[int]) -> list[dict[str, float]]:
    """Read the first page of each size; milliseconds on the clock and of this thread's processor."""
    found = []
    for limit in limits:
        clock, processor = [], []
        for _ in range(TURNS):
            began, began_cpu = time.perf_counter(), time.thread_time()
            events = len(read_page(house, 0, limit)["events"])
            clock.append(time.perf_counter() - began)
            processor.append(time.thread_time() - began_cpu)
        ms = {"ms": 1e3 * statistics.median(clock), "cpu_ms": 1e3 * statistics.median(processor)}
        found.append({"limit": limit, "events": events, **ms})
    return found


def measure_scoring(house: House, bodies: list[bytes], serial: Iterator[int], n: int) -> dict[str, dict[str, float]]:
    """Score alone and beside a thread that reads full pages; milliseconds per crossing."""
    is_over = threading.Event()

    def poll() -> None:
        after = 0
        while not is_over.is_set():
            page = read_page(house, after, MOST_EVENTS)
            after = page["next_after"] if page["events"] else 0

    found = {"alone": _milliseconds(score(house, bodies, serial, n))}
    poller = threading.Thread(target=poll)
    poller.start()
    try:
        found["beside full pages"] = _milliseconds(score(house, bodies, serial, n))
    finally:
        is_over.set()
        poller.join()
    return found


def _milliseconds(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {"p50": 1e3 * statistics.median(ordered), "p99": 1e3 * ordered[int(0.99 * (len(ordered) - 1))]}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=Path("var/bench/house"), help="a house of benchmarks.service")
    parser.add_argument("--decisions", type=int, default=WITH_PAYLOADS, help="decisions in the log")
    parser.add_argument("--pages", type=int, nargs="*", default=[1, 100, MOST_EVENTS], help="events of a page")
    parser.add_argument("--crossings", type=int, default=200, help="crossings that are scored meanwhile")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    arguments = parser.parse_args()
    console = open_console()
    home = make_house(arguments.home.resolve())
    bodies = make_bodies(home / "history", 2000, seed=11)
    serial = count(1)
    with tempfile.TemporaryDirectory(prefix="chekara-events-") as scratch:
        settings = settings_of(copy_house(home, Path(scratch) / "home"))
        house = open_house(settings)
        score(house, bodies, serial, min(TEMPLATES, arguments.decisions))
        house.close()
        grow_log(settings.home / "chekara.db", min(arguments.decisions, WITH_PAYLOADS))
        house = open_house(settings)
        pages = measure_pages(house, arguments.pages)
        scoring = measure_scoring(house, bodies, serial, arguments.crossings)
        house.close()
    table = Table(title="A page of events", title_justify="left")
    for heading in ("asked for", "events", "ms on the clock", "ms of the processor"):
        table.add_column(heading, justify="right")
    for page in pages:
        row = (f"{page['limit']:,}", f"{page['events']:,}", f"{page['ms']:,.1f}", f"{page['cpu_ms']:,.1f}")
        table.add_row(*row)
    console.print(table)
    for name, ms in scoring.items():
        console.print(f"a crossing scored {name}: p50 {ms['p50']:.1f} ms, p99 {ms['p99']:.1f} ms")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps({"pages": pages, "scoring": scoring}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
