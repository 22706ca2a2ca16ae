"""One writer: collects what waits, has it scored and logged together, and answers only after the fsync."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, overload

from chekara.errors import ChekaraError, DeadlineExceededError, TooManyRequestsError, UnavailableError
from chekara.service.group import Request, ServeGroup
from chekara.service.records import DecisionRecord, InspectionRecord, InspectionRequest, ScoreRequest

_IDLE_SECONDS = 1.0
_WEIGHT_OF_NEWEST = 0.3
_PACE_GROUP = 8  # smaller ones tell what a transaction costs, or a stall of the disk, not what a request does
_SHARE_OF_BULK = 4  # one place in so many is kept for rows of batches while both wait


@dataclass(frozen=True, slots=True)
class _Waiting:
    request: Request
    answer: Future[Any]


class GroupCommitWriter:
    """A thread that serves requests to score and results to record, in groups.

    While one group is scored and made durable the next one gathers, so groups grow with the load and a lone request
    does not wait for company. Single requests go ahead of rows of batches, which keep a quarter of each group.
    A request that could not be served by its ``answer_by``, at the pace of the groups before, is refused at once.

    Parameters
    ----------
    serve : callable
        `WriteGroup`: serves a group in one durable transaction.
    queue_length : int
        Requests that may wait, and as many rows of batches; more are refused with TooManyRequestsError.
    group_limit : int
        Most requests of one transaction.
    on_group : callable, optional
        Told (requests, seconds) after every group, for metrics.
    on_idle : callable, optional
        Called between groups, about once a second at least, for checkpoints.
    on_refused : callable, optional
        Told the code of the error with every request that is refused at the door.
    on_expired : callable, optional
        Told with every request whose turn never came: ``too_late`` (for its ``answer_by``) or ``given_up`` (cancelled).
    gate : callable, optional
        Called with every request; what it raises keeps the request out.
    """

    def __init__(
        self,
        serve: ServeGroup,
        *,
        queue_length: int,
        group_limit: int = 256,
        on_group: Callable[[int, float], None] | None = None,
        on_idle: Callable[[], None] | None = None,
        on_refused: Callable[[str], None] = lambda _code: None,
        on_expired: Callable[[str], None] = lambda _why: None,
        gate: Callable[[], None] = lambda: None,
    ) -> None:
        self._serve_group = serve
        self._group_limit = group_limit
        self._on_group = on_group
        self._on_idle = on_idle
        self._on_refused = on_refused
        self._on_expired = on_expired
        self._gate = gate
        self._queue_length = queue_length
        self._single: deque[_Waiting] = deque()
        self._bulk: deque[_Waiting] = deque()
        self._in_hand = 0
        self._seconds_each = 0.0
        self._changed = threading.Condition()
        self._is_stopped = False
        self._thread = threading.Thread(target=self._run, name="chekara-writer", daemon=True)

    @property
    def waiting(self) -> int:
        """Requests in the queue now."""
        return len(self._single) + len(self._bulk)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @overload
    def submit(self, request: ScoreRequest, *, is_bulk: bool = False) -> Future[DecisionRecord]: ...

    @overload
    def submit(self, request: InspectionRequest, *, is_bulk: bool = False) -> Future[InspectionRecord]: ...

    def submit(self, request: Request, *, is_bulk: bool = False) -> Future[Any]:
        """Queue a request.

        Parameters
        ----------
        request : ScoreRequest or InspectionRequest
        is_bulk : bool
            A row of a batch: it lets single requests go ahead.

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
            The queue is full; ``retry_after_seconds`` tells when it will have been served.
        DeadlineExceededError
            Its turn would come after its ``answer_by``; it tells the same.
        UnavailableError
            The writer was stopped, or the gate is shut (NotReadyError).
        """
        one = _Waiting(request, Future())
        try:
            self._gate()
            with self._changed:
                if self._is_stopped:
                    raise UnavailableError("the service is shutting down", hint="send it again")
                self._refuse_hopeless(request, is_bulk=is_bulk)
                (self._bulk if is_bulk else self._single).append(one)
                self._changed.notify()
        except ChekaraError as refused:
            self._on_refused(refused.code)
            raise
        return one.answer

    def expected_wait(self, *, is_bulk: bool = False) -> float:
        """Return in how many seconds a request that came now would be served; 0 where nothing is ahead of it."""
        singles, bulk = len(self._single), len(self._bulk)
        if not is_bulk:
            bulk = min(bulk, singles // (_SHARE_OF_BULK - 1) + self._group_limit // _SHARE_OF_BULK)
        return (self._in_hand + singles + bulk) * self._seconds_each

    def _refuse_hopeless(self, request: Request, *, is_bulk: bool) -> None:
        wait = self.expected_wait(is_bulk=is_bulk)
        if len(self._bulk if is_bulk else self._single) >= self._queue_length:
            too_many = TooManyRequestsError("too many requests wait to be served", hint="send it again a little later")
            too_many.retry_after_seconds = wait
            raise too_many
        if request.answer_by is not None and time.monotonic() + wait > request.answer_by:
            too_late = DeadlineExceededError("no answer could come in time", hint="send it again a little later")
            too_late.retry_after_seconds = wait
            raise too_late

    def stop(self) -> None:
        """Serve what waits, then end the thread. Safe to call twice."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        is_running = True
        while is_running:
            group, is_running = self._gather()
            if group:
                self._serve(group)
                self._in_hand = 0
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
        with self._changed:
            if not (self.waiting or self._is_stopped):
                self._changed.wait(_IDLE_SECONDS)
            kept = min(len(self._bulk), max(1, self._group_limit // _SHARE_OF_BULK))
            group = _taken(self._single, self._group_limit - kept)
            group += _taken(self._bulk, self._group_limit - len(group))
            self._in_hand = len(group)
            return group, not self._is_stopped or self.waiting > 0

    def _serve(self, group: Sequence[_Waiting]) -> None:
        in_time = [one for one in group if self._is_in_time(one)]
        if not in_time:
            return
        began = time.monotonic()
        try:
            outcomes = self._serve_group([one.request for one in in_time])
        except Exception as error:  # noqa: BLE001  # the thread must outlive any group; each asker gets the error
            outcomes = [error] * len(in_time)
        seconds = time.monotonic() - began
        if len(in_time) >= _PACE_GROUP:
            each = seconds / len(in_time)
            self._seconds_each += (each - self._seconds_each) * (_WEIGHT_OF_NEWEST if self._seconds_each else 1.0)
        if self._on_group is not None:
            self._on_group(len(in_time), seconds)
        for one, outcome in zip(in_time, outcomes, strict=True):
            if isinstance(outcome, Exception):
                one.answer.set_exception(outcome)
            else:
                one.answer.set_result(outcome)

    def _is_in_time(self, one: _Waiting) -> bool:
        if not one.answer.set_running_or_notify_cancel():
            self._on_expired("given_up")
            return False
        answer_by = one.request.answer_by
        if answer_by is None or time.monotonic() < answer_by:
            return True
        self._on_expired("too_late")
        one.answer.set_exception(
            DeadlineExceededError("the request waited longer than an answer may take", hint="send it again")
        )
        return False


def _taken(waiting: deque[_Waiting], limit: int) -> list[_Waiting]:
    return [waiting.popleft() for _ in range(min(limit, len(waiting)))]
