"""From contributions to reasons, and from a reason to the sentence that an officer reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from chekara.domain.decision import Reason


class EvidenceSource(Protocol):
    """What reasons need of ``chekara.explain.evidence.Evidence``."""

    def of(self, feature: str, value: float | str | None) -> tuple[float | str | None, Mapping[str, float]]:
        """Return what is usual for a feature, and the numbers behind a value."""
        ...


def strongest_reasons(
    names: Sequence[str],
    values: Sequence[float | str | None],
    contributions: Sequence[float],
    evidence: EvidenceSource,
    limit: int = 8,
) -> tuple[Reason, ...]:
    """Choose the factors that moved a score most."""
    raise NotImplementedError


def sentence(reason: Reason, language: str) -> str:
    """Say one reason in words, with its evidence."""
    raise NotImplementedError
