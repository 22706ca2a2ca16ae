"""What the checks say of a history before a model is trained on it: the findings of ``chekara check``."""

from __future__ import annotations

from dataclasses import dataclass

from chekara.data.drift import find_drift, find_label_jumps, find_proxies
from chekara.data.findings import Finding
from chekara.data.labels import TargetRule, label_crossings
from chekara.data.leakage import LeakageReport, find_leakage
from chekara.data.sources import History


@dataclass(frozen=True, slots=True)
class DomainChecks:
    """What was found about one domain's labels and about the history as a whole.

    Attributes
    ----------
    leakage : LeakageReport
    findings : tuple of Finding
        Warnings first.
    """

    leakage: LeakageReport
    findings: tuple[Finding, ...]

    @property
    def blocking(self) -> list[str]:
        """Codes of the findings that block promotion outside dev."""
        return sorted({finding.code for finding in self.findings if finding.blocks_promotion})


def check_whole(history: History) -> tuple[Finding, ...]:
    """Look for drift and proxies, which do not depend on a domain."""
    crossings = history.newest_revisions()
    return (*find_drift(crossings), *find_proxies(crossings))


def check_domain(history: History, rule: TargetRule, whole: tuple[Finding, ...], seed: int) -> DomainChecks:
    """Look for leakage and for jumps of the label rate in one domain.

    Parameters
    ----------
    history : History
        As known before the training's instant.
    rule : TargetRule
    whole : tuple of Finding
        Of `check_whole`.
    seed : int

    Returns
    -------
    DomainChecks
    """
    leakage = find_leakage(history, rule=rule, seed=seed)
    known_at = history.newest_revisions().drop_duplicates("crossing_id").set_index("crossing_id")["known_at"]
    jumps = find_label_jumps(label_crossings(history.inspections, rule), known_at, rule.domain)
    findings = (*leakage.findings, *jumps, *whole)
    return DomainChecks(leakage, tuple(sorted(findings, key=lambda f: (not f.blocks_promotion, f.code, f.columns))))
