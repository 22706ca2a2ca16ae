"""What a person reads about a history: what was read, what was refused and why, what was found."""

from __future__ import annotations

from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from chekara.data.findings import Finding
from chekara.data.sources import History


def show_history(history: History, console: Console) -> None:
    """Print what was read and what was refused, counted by reason; never a value.

    Parameters
    ----------
    history : History
    console : Console
    """
    _show_files(history, console)
    _show_refusals(history, console)


def show_findings(findings: Iterable[Finding], console: Console) -> None:
    """Print findings in their order, those that block promotion standing out.

    Parameters
    ----------
    findings : iterable of Finding
    console : Console
    """
    for finding in findings:
        style = "bold yellow" if finding.blocks_promotion else "dim"
        about = f"{finding.code}, {finding.domain}" if finding.domain else finding.code
        console.print(f"[{style}]{finding.severity}[/] {about}", highlight=False)
        console.print(Padding(finding.sentence, (0, 0, 0, 2)), highlight=False)


def _show_files(history: History, console: Console) -> None:
    table = Table(title="Files", title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    table.add_column("file")
    table.add_column("table")
    table.add_column("rows", justify="right")
    for file in history.files:
        table.add_row(file.name, file.table, f"{file.rows:,}")
    console.print(table)
    if history.mapping_name:
        console.print(f"Read with the mapping {history.mapping_name}.", highlight=False)
    crossings = history.crossings["crossing_id"].nunique()
    if crossings:
        first, last = history.crossings["occurred_at"].min(), history.crossings["occurred_at"].max()
        console.print(f"{crossings:,} crossings from {first:%Y-%m-%d} to {last:%Y-%m-%d}.", highlight=False)
    for name, columns in history.ignored_columns.items():
        if columns:
            console.print(f"Ignored in {name}, not of the contract: {', '.join(columns)}.", highlight=False)


def _show_refusals(history: History, console: Console) -> None:
    if not history.refusals:
        console.print("Nothing was refused: every row and value meets the contract.")
        return
    table = Table(title="Refused", title_justify="left", title_style="bold red", box=SIMPLE_HEAD)
    for heading in ("table", "column", "reason", "what was done"):
        table.add_column(heading)
    table.add_column("rows", justify="right")
    table.add_column("for example rows")
    for refusal in history.refusals:
        table.add_row(
            refusal.table,
            refusal.column or "whole row",
            refusal.reason.replace("_", " "),
            refusal.action.replace("_", " "),
            f"{refusal.rows:,}",
            ", ".join(str(row) for row in refusal.example_rows),
        )
    console.print(table)
