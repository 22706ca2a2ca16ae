"""Check the decision log, and replay a stored decision to the same numbers."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """One thing that is wrong with the log.

    Attributes
    ----------
    code : str
        Stable reason such as ``edited_entry`` or ``cut_tail``.
    chain : str
    position : int or None
        Place in the chain.
    sentence : str
        What was found, for a person.
    """

    code: str
    chain: str
    position: int | None
    sentence: str


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What the check of the log found.

    Attributes
    ----------
    entries : int
        Log entries read, all chains.
    checkpoints : int
        Signed checkpoints compared.
    findings : tuple of AuditFinding
    """

    entries: int
    checkpoints: int
    findings: tuple[AuditFinding, ...]

    @property
    def is_intact(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    def show(self, console: Console) -> None:
        """Print the report for a person."""
        raise NotImplementedError
