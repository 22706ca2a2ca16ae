"""One writer: collects what waits, has it scored and logged together, and answers only after the fsync."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future

from chekara.service.ports import DecisionRecord, ScoreRequest
from chekara.service.score import Outcome


class GroupCommitWriter:
    """A thread that serves scoring requests in groups.

    Parameters
    ----------
    score : callable
        `ScoreCrossings`: scores a group in one durable transaction.
    queue_length : int
        Requests that may wait; more are refused with TooManyRequestsError.
    group_limit : int
        Most requests of one transaction.
    on_group : callable, optional
        Told (requests, seconds) after every group, for metrics.
    on_idle : callable, optional
        Called about once a second, for checkpoints.
    """

    def __init__(
        self,
        score: Callable[[Sequence[ScoreRequest]], list[Outcome]],
        *,
        queue_length: int,
        group_limit: int = 256,
        on_group: Callable[[int, float], None] | None = None,
        on_idle: Callable[[], None] | None = None,
    ) -> None:
        raise NotImplementedError

    @property
    def waiting(self) -> int:
        """Requests in the queue now."""
        raise NotImplementedError

    def start(self) -> None:
        """Start the thread."""
        raise NotImplementedError

    def submit(self, request: ScoreRequest) -> Future[DecisionRecord]:
        """Queue a request; the future resolves once the decision is durable."""
        raise NotImplementedError

    def stop(self) -> None:
        """Serve what waits, then end the thread. Safe to call twice."""
        raise NotImplementedError
