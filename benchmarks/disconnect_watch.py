"""What it costs a request that its connection is watched while it waits, in turns with one that nobody watches.

    python -m benchmarks.disconnect_watch

Processor time of the event loop for 400 waiting requests at once, without a server: those that are answered at once,
which nobody watches yet, and those that wait long enough to be watched.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import uvloop
from rich.console import Console
from starlette.requests import Request
from starlette.types import Message

from chekara.api.connected import WATCHED_AFTER_SECONDS, in_time, while_connected

REQUESTS, TURNS = 400, 21
Answer: TypeAlias = "asyncio.Future[None]"


async def _connected() -> Message:
    await asyncio.Event().wait()
    raise AssertionError("nobody hangs up here")


async def _watched(answer: Answer, answer_by: float) -> None:
    await while_connected(Request({"type": "http", "headers": []}, _connected), answer, answer_by)


async def _bare(answer: Answer, answer_by: float) -> None:
    Request({"type": "http", "headers": []}, _connected)
    await in_time(answer, answer_by)


WAYS: Final[dict[str, Callable[[Answer, float], Awaitable[None]]]] = {"watched": _watched, "bare": _bare}


async def _microseconds(wait: Callable[[Answer, float], Awaitable[None]], seconds: float) -> float:
    """Return processor time per request of requests that are answered after so many seconds."""
    answers = [asyncio.get_running_loop().create_future() for _ in range(REQUESTS)]
    began = time.process_time()
    waiting = asyncio.gather(*(wait(answer, time.monotonic() + 5) for answer in answers))
    await asyncio.sleep(seconds)
    for answer in answers:
        answer.set_result(None)
    await waiting
    return (time.process_time() - began) / REQUESTS * 1e6


async def _measure(console: Console) -> None:
    for seconds, name in ((0.0, "answered at once"), (WATCHED_AFTER_SECONDS + 0.03, "waits, and is watched")):
        found: dict[str, list[float]] = {name: [] for name in WAYS}
        for _ in range(TURNS):
            for way, wait in WAYS.items():
                found[way].append(await _microseconds(wait, seconds))
        medians = {way: statistics.median(values) for way, values in found.items()}
        extra = medians["watched"] - medians["bare"]
        console.print(f"{name}: {medians['watched']:.1f} us, {medians['bare']:.1f} without: {extra:.1f} us for it")


def main() -> None:
    """Run from the command line."""
    uvloop.run(_measure(Console(width=120)))


if __name__ == "__main__":
    main()
