"""Score crossings: parse -> features -> predict -> explain -> decide -> log -> respond, for one micro-batch."""

from __future__ import annotations

from collections.abc import Sequence

from chekara.errors import ChekaraError
from chekara.service.ports import DecisionRecord, ScoreRequest

Outcome = DecisionRecord | ChekaraError


class ScoreCrossings:
    """The use case behind ``POST /v1/scores``; run by the writer thread, one group at a time."""

    def __call__(self, requests: Sequence[ScoreRequest]) -> list[Outcome]:
        """Score a group in one transaction; one outcome per request, in order."""
        raise NotImplementedError
