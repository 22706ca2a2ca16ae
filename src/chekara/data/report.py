"""The check report: what a history holds, what was refused and why, and what was found in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from chekara.data.findings import Finding, warnings_first
from chekara.data.history_checks import check_domain, check_whole
from chekara.data.history_screen import show_findings, show_history
from chekara.data.labels import TargetRule
from chekara.data.leakage import LeakageReport, TupleEvidence, search_lines
from chekara.data.sources import History, load_history
from chekara.evaluation.calibration import wilson_interval


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainFigures:
    """How much is known of one risk domain.

    Attributes
    ----------
    domain : str
    inspected, hits : int
        Crossings with a known outcome, and hits among them.
    unknown : int
        Crossings without: unknown, never negative.
    drawn, drawn_hits : int
        Crossings of the lot with a known outcome, and hits among them: the only honest rate.
    not_done : int
        Crossings that were drawn but not inspected.
    days_until_known : float
        Median days from inspection to result; NaN where there is none.
    """

    domain: str
    inspected: int
    hits: int
    unknown: int
    drawn: int
    drawn_hits: int
    not_done: int
    days_until_known: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """Everything that ``chekara check`` shows.

    Attributes
    ----------
    history : History
    domains : tuple of DomainFigures
    leakage : tuple of LeakageReport
        One per domain that was inspected.
    findings : tuple of Finding
        Leakage, drift and proxies, warnings first.
    """

    history: History
    domains: tuple[DomainFigures, ...]
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
        """Print the report for a person: what is there, what was refused, what is known, what was found.

        Parameters
        ----------
        console : Console
        """
        show_history(self.history, console)
        if self.domains:
            console.print(_domain_table(self.domains))
        for report in self.leakage:
            if report.tuple_evidence is not None and report.leaking_tuple:
                console.print(_tuple_table(report, report.tuple_evidence))
        if self.findings:
            console.print("[bold]Found[/]")
        show_findings(self.findings, console)
        console.print(self.verdict, style="bold", highlight=False)

    @property
    def verdict(self) -> str:
        """One sentence to end with."""
        warnings = sum(finding.blocks_promotion for finding in self.findings)
        contract = "breaks the contract (see what was refused)" if self.has_violations else "meets the contract"
        if not warnings:
            return f"The history {contract}; nothing was found that stands against training on it."
        noun = "one warning" if warnings == 1 else f"{warnings} warnings"
        return f"The history {contract}; {noun} must be understood before a model made from it may be promoted."


def check_history(directory: Path, mapping: Path | None = None, *, seed: int = 1) -> CheckReport:
    """Load a history, validate it, and look for leakage, drift and proxies.

    Parameters
    ----------
    directory : Path
        Folder of contract files, or of a foreign table that a mapping fits.
    mapping : Path, optional
        Mapping file; default: a shipped one that fits.
    seed : int
        Draws pairs and permutations; same history and seed, same report.

    Returns
    -------
    CheckReport

    Raises
    ------
    HistoryError
        The folder cannot be read as a history.
    DeniedColumnError
        A column describes people; it is named.
    """
    history = load_history(directory, mapping=mapping)
    crossings = history.crossings["crossing_id"].nunique()
    inspected = sorted(history.inspections["domain"].dropna().unique())
    searched = search_lines(history, seed=seed) if inspected else None
    checks = {domain: check_domain(history, TargetRule(domain=domain), seed, searched=searched) for domain in inspected}
    return CheckReport(
        history=history,
        domains=tuple(_figures(history.inspections, own.labels, crossings, domain) for domain, own in checks.items()),
        leakage=tuple(own.leakage for own in checks.values()),
        findings=warnings_first(
            [*check_whole(history), *(finding for own in checks.values() for finding in own.findings)]
        ),
    )


def _figures(inspections: pd.DataFrame, labels: pd.DataFrame, crossings: int, domain: str) -> DomainFigures:
    own = inspections[inspections["domain"] == domain]
    drawn = labels[labels["selected_by"] == "random"]
    missed = own[(own["selected_by"] == "random") & (own["status"] == "not_done")]
    done = own[(own["status"] == "done") & (own["revision"] == 0)]
    waited = (done["known_at"] - done["inspected_at"]).dt.total_seconds() / 86_400
    return DomainFigures(
        domain=domain,
        inspected=len(labels),
        hits=int(labels["hit"].sum()),
        unknown=crossings - len(labels),
        drawn=len(drawn),
        drawn_hits=int(drawn["hit"].sum()),
        not_done=int((~missed["crossing_id"].isin(labels["crossing_id"])).sum()),
        days_until_known=float(waited.median()),
    )


def _domain_table(domains: tuple[DomainFigures, ...]) -> Table:
    table = Table(
        title="What is known of each domain, in crossings",
        title_justify="left",
        title_style="bold",
        caption=(
            "Every other crossing is unknown, never clear. The lot is drawn at random, so that its rate (with 90 % "
            "bounds) tells how often a harm occurs; let go: drawn, but not inspected. Days: median until a result."
        ),
        caption_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column("domain", no_wrap=True)
    for heading in ("known", "hits", "rate", "lot", "rate in lot", "let go", "days"):
        table.add_column(heading, justify="right", no_wrap=True)
    for d in domains:
        low, high = wilson_interval(d.drawn_hits, d.drawn) if d.drawn else (0.0, 1.0)
        table.add_row(
            d.domain,
            f"{d.inspected:,}",
            f"{d.hits:,}",
            f"{d.hits / d.inspected:.1%}" if d.inspected else "–",
            f"{d.drawn:,}",
            f"{100 * low:.1f} to {100 * high:.1f} %" if d.drawn else "–",
            f"{d.not_done:,}",
            f"{d.days_until_known:.1f}",
        )
    return table


def _tuple_table(report: LeakageReport, evidence: TupleEvidence) -> Table:
    table = Table(
        title=f"Copied tuple, {report.domain}",
        title_justify="left",
        title_style="bold yellow",
        show_header=False,
        box=SIMPLE_HEAD,
        caption="Leak-free protocol: train on one row per tuple, judge only rows whose tuple was not trained on.",
        caption_justify="left",
    )
    table.add_column("what")
    table.add_column("figure")
    table.add_row("columns", ", ".join(evidence.columns))
    table.add_row("distinct tuples of rows", f"{evidence.distinct:,} of {evidence.rows:,}")
    table.add_row("repeated in several crossings", f"{evidence.repeated:,}")
    table.add_row("later rows that repeat an earlier one", f"{evidence.seen_before:.1%}")
    table.add_row("repeated tuples with one label", f"{evidence.purity:.1%} (shuffled: {evidence.permuted_purity:.1%})")
    table.add_row(
        "labels agree beyond chance",
        f"copies {evidence.labels.copy_agreement:.2f}, near copies {evidence.labels.neighbour_agreement:.2f}",
    )
    table.add_row(
        "AUC of a plain look-up",
        f"{evidence.lookup_auc:.3f} (repeats only: {evidence.lookup_auc_of_repeats:.3f})",
    )
    for column in report.columns[:3]:
        table.add_row(f"AUC of {column.column} alone", f"{column.best_auc:.3f}")
    return table
