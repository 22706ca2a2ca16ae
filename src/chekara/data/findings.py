"""What a check found out about a history: one sentence, its severity and the numbers behind it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["warning", "notice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that a person should know before a model is trained on this history.

    Attributes
    ----------
    code : str
        Stable name, described in ``docs/leakage.md``, such as ``leaking_tuple``.
    severity : {'warning', 'notice'}
        A warning blocks promotion outside dev; a notice only informs.
    sentence : str
        What was found, for a person. It never holds a value of the history.
    domain : str or None
        Risk domain whose labels are meant; None where the finding is about the whole history.
    columns : tuple of str
        Columns that are meant.
    numbers : mapping of str to float
        The figures that the sentence rests on.

    Examples
    --------
    >>> Finding(code="column_drift", severity="notice", sentence="...", columns=("hs_code",)).blocks_promotion
    False
    """

    code: str
    severity: Severity
    sentence: str
    domain: str | None = None
    columns: tuple[str, ...] = ()
    numbers: Mapping[str, float] = field(default_factory=dict)

    @property
    def blocks_promotion(self) -> bool:
        """Whether a model trained on this history may not be promoted outside dev."""
        return self.severity == "warning"


def warnings_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Put findings in the order in which a person reads them: warnings first, then by domain, code and columns."""
    return tuple(sorted(findings, key=lambda f: (not f.blocks_promotion, f.domain or "", f.code, f.columns)))
