"""Wait for an answer while somebody waits for it: who hangs up costs nothing more, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final, TypeVar

from starlette.requests import ClientDisconnect, Request

from chekara.errors import DeadlineExceededError

WATCHED_AFTER_SECONDS: Final = 0.05

T = TypeVar("T")


async def while_connected(request: Request, answer: asyncio.Future[T], answer_by: float | None = None) -> T:
    """Wait for an answer; one whose asker hangs up is cancelled, and what of it has not begun is not done.

    Only a request that has waited a little is watched, so that the usual one pays nothing for it.

    Parameters
    ----------
    request : Request
        Its body has been read: nothing but its end is left to receive.
    answer : Future
        A task, or a future that passes its cancellation on to the writer's.
    answer_by : float, optional
        ``time.monotonic()`` instant after which the answer is of no use.

    Raises
    ------
    ClientDisconnect
        The asker hung up.
    DeadlineExceededError
        The time was over.
    """
    done, _ = await asyncio.wait({answer}, timeout=_left(answer_by, WATCHED_AFTER_SECONDS))
    if done:
        return answer.result()
    hung_up = asyncio.ensure_future(_disconnected(request))
    try:
        either: set[asyncio.Future[Any]] = {answer, hung_up}
        await asyncio.wait(either, timeout=_left(answer_by), return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        answer.cancel()
        if hung_up.done():
            raise ClientDisconnect
        raise DeadlineExceededError("no answer within the time promised")
    finally:
        hung_up.cancel()


async def in_time(answer: asyncio.Future[T], answer_by: float) -> T:
    """Wait for an answer, and cancel it once it is of no use: for rows, whose batch is watched as a whole.

    Raises
    ------
    DeadlineExceededError
        The time was over.
    """
    try:
        return await asyncio.wait_for(answer, answer_by - time.monotonic())
    except TimeoutError:
        raise DeadlineExceededError("no answer within the time promised") from None


def _left(answer_by: float | None, at_most: float | None = None) -> float | None:
    left = None if answer_by is None else answer_by - time.monotonic()
    return min((one for one in (left, at_most) if one is not None), default=None)


async def _disconnected(request: Request) -> None:
    """Return once the client has hung up."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
