"""What the one writer does with a group: crossings are scored and results recorded, in one durable transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import TypeAlias

from chekara.errors import ChekaraError
from chekara.service.inspect import RecordInspections
from chekara.service.ports import DecisionLog, LogTransaction
from chekara.service.records import DecisionRecord, InspectionRecord, InspectionRequest, ScoreRequest
from chekara.service.score import ScoreCrossings

Request: TypeAlias = ScoreRequest | InspectionRequest
Outcome: TypeAlias = DecisionRecord | InspectionRecord | Exception
ServeGroup: TypeAlias = Callable[[Sequence[Request]], list[Outcome]]


class WriteGroup:
    """Serves a group of requests in the order in which they came.

    Parameters
    ----------
    log : DecisionLog
    score : ScoreCrossings
    record : RecordInspections
    """

    def __init__(self, *, log: DecisionLog, score: ScoreCrossings, record: RecordInspections) -> None:
        self._log = log
        self._score = score
        self._record = record

    def __call__(self, requests: Sequence[Request]) -> list[Outcome]:
        """Serve a group in one transaction.

        Parameters
        ----------
        requests : sequence of ScoreRequest or InspectionRequest

        Returns
        -------
        list of DecisionRecord, InspectionRecord or Exception
            One per request, in order. By then everything in it is durable. A request that cannot be served gets its
            own error and the others go through: where nobody expected its error, they are served again without it.

        Raises
        ------
        LogUnavailableError
            The group could not be made durable: nothing of it is recorded.
        """
        try:
            return self._in_one_transaction(requests)
        except ChekaraError:
            raise  # the store or its set-up: it is the same for everybody
        except Exception:
            if len(requests) == 1:
                raise
            # Nothing of the group is recorded. Halves of it lead to whose fault it was.
            middle = len(requests) // 2
            return self._part(requests[:middle]) + self._part(requests[middle:])

    def _part(self, requests: Sequence[Request]) -> list[Outcome]:
        """Serve a part of a group; what keeps it from being recorded stays its own, for the other may be durable."""
        try:
            return self(requests)
        except Exception as error:  # noqa: BLE001  # each asker gets it
            return [error] * len(requests)

    def _in_one_transaction(self, requests: Sequence[Request]) -> list[Outcome]:
        try:
            with self._log.transaction() as transaction:
                outcomes = list(self._outcomes(transaction, requests))
        except BaseException:
            self._score.forget()
            raise
        self._score.settle()
        return outcomes

    def _outcomes(self, transaction: LogTransaction, requests: Sequence[Request]) -> Iterator[Outcome]:
        # Neighbours of one kind go together; their order stays, because a result may be of a crossing just scored.
        for kind, neighbours in groupby(requests, key=type):
            if kind is ScoreRequest:
                yield from self._score.in_transaction(
                    transaction, [r for r in neighbours if isinstance(r, ScoreRequest)]
                )
            else:
                results = [r for r in neighbours if isinstance(r, InspectionRequest)]
                yield from self._record.in_transaction(transaction, results)
