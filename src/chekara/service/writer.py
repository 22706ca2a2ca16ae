"""One writer: collects what waits, has it scored and logged together, and answers only after the fsync."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, overload

from chekara.errors import DeadlineExceededError, TooManyRequestsError, UnavailableError
from chekara.service.group import Request, ServeGroup
from chekara.service.records import DecisionRecord, InspectionRecord, InspectionRequest, ScoreRequest

_IDLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Waiting:
    request: Request
    answer: Future[Any]


class GroupCommitWriter:
    """A thread that serves requests to score and results to record, in groups.

    While one group is scored and made durable the next one gathers, so groups grow with the load and a lone request
    does not wait for company.

    Parameters
    ----------
    serve : callable
        `WriteGroup`: serves a group in one durable transaction.
    queue_length : int
        Requests that may wait; more are refused with TooManyRequestsError.
    group_limit : int
        Most requests of one transaction.
    on_group : callable, optional
        Told (requests, seconds) after every group, for metrics.
    on_idle : callable, optional
        Called between groups, about once a second at least, for checkpoints.
    """

    def __init__(
        self,
        serve: ServeGroup,
        *,
        queue_length: int,
        group_limit: int = 256,
        on_group: Callable[[int, float], None] | None = None,
        on_idle: Callable[[], None] | None = None,
    ) -> None:
        self._serve_group = serve
        self._group_limit = group_limit
        self._on_group = on_group
        self._on_idle = on_idle
        self._queue: queue.Queue[_Waiting | None] = queue.Queue(maxsize=queue_length)
        self._accepts = threading.Lock()
        self._is_stopped = False
        self._thread = threading.Thread(target=self._run, name="chekara-writer", daemon=True)

    @property
    def waiting(self) -> int:
        """Requests in the queue now."""
        return self._queue.qsize()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @overload
    def submit(self, request: ScoreRequest) -> Future[DecisionRecord]: ...

    @overload
    def submit(self, request: InspectionRequest) -> Future[InspectionRecord]: ...

    def submit(self, request: Request) -> Future[Any]:
        """Queue a request.

        Returns
        -------
        Future of DecisionRecord or InspectionRecord
            Resolves once the decision or result is durable; holds the request's own error otherwise:
            DeadlineExceededError when its ``answer_by`` passed before its turn (it was not served),
            LogUnavailableError when the group could not be made durable. A cancelled future is not served if its turn
            has not come.

        Raises
        ------
        TooManyRequestsError
            The queue is full.
        UnavailableError
            The writer was stopped.
        """
        waiting = _Waiting(request, Future())
        with self._accepts:
            if self._is_stopped:
                raise UnavailableError("the service is shutting down", hint="send it again")
            try:
                self._queue.put_nowait(waiting)
            except queue.Full:
                raise TooManyRequestsError(
                    "too many requests wait to be served", hint="send it again a little later"
                ) from None
        return waiting.answer

    def stop(self) -> None:
        """Serve what waits, then end the thread. Safe to call twice."""
        with self._accepts:
            is_first = not self._is_stopped
            self._is_stopped = True
        if is_first and self._thread.is_alive():
            self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        is_running = True
        while is_running:
            group, is_running = self._gather()
            if group:
                self._serve(group)
            self._idle()

    def _idle(self) -> None:
        if self._on_idle is None:
            return
        try:
            self._on_idle()
        except Exception:  # the thread must go on scoring, and the next idle moment tries again
            logging.getLogger(__name__).exception("what is done between groups failed")

    def _gather(self) -> tuple[list[_Waiting], bool]:
        """Wait for a request and take what else waits; the flag is False once the writer was stopped."""
        group: list[_Waiting] = []
        try:
            while len(group) < self._group_limit:
                one = self._queue.get_nowait() if group else self._queue.get(timeout=_IDLE_SECONDS)
                if one is None:
                    return group, False
                group.append(one)
        except queue.Empty:
            pass
        return group, True

    def _serve(self, group: Sequence[_Waiting]) -> None:
        in_time = [one for one in group if self._is_in_time(one)]
        if not in_time:
            return
        began = time.monotonic()
        try:
            outcomes = self._serve_group([one.request for one in in_time])
        except Exception as error:  # noqa: BLE001  # the thread must outlive any group; each asker gets the error
            outcomes = [error] * len(in_time)
        if self._on_group is not None:
            self._on_group(len(in_time), time.monotonic() - began)
        for one, outcome in zip(in_time, outcomes, strict=True):
            if isinstance(outcome, Exception):
                one.answer.set_exception(outcome)
            else:
                one.answer.set_result(outcome)

    def _is_in_time(self, one: _Waiting) -> bool:
        if not one.answer.set_running_or_notify_cancel():
            return False
        answer_by = one.request.answer_by
        if answer_by is None or time.monotonic() < answer_by:
            return True
        one.answer.set_exception(
            DeadlineExceededError("the request waited longer than an answer may take", hint="send it again")
        )
        return False
