"""The check report: what a history holds, what was refused and why, and what was found in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from chekara.data.findings import Finding
from chekara.data.leakage import LeakageReport

if TYPE_CHECKING:
    from chekara.data.sources import History


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """Everything that ``chekara check`` shows.

    Attributes
    ----------
    history : History
    leakage : tuple of LeakageReport
        One per domain with labels enough.
    findings : tuple of Finding
        Leakage, drift and proxies of all domains.
    """

    history: History
    leakage: tuple[LeakageReport, ...]
    findings: tuple[Finding, ...]

    @property
    def has_violations(self) -> bool:
        """Whether a row or value breaks section 2 of the contract."""
        return bool(self.history.refusals)

    @property
    def has_findings(self) -> bool:
        """Whether anything was found that blocks promotion outside dev."""
        return any(finding.blocks_promotion for finding in self.findings)

    def show(self, console: Console) -> None:
        """Print the report for a person."""
        raise NotImplementedError


def check_history(directory: Path, mapping: Path | None = None, *, seed: int = 1) -> CheckReport:
    """Load a history, validate it, and look for leakage, drift and proxies."""
    raise NotImplementedError
