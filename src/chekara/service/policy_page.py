"""Sentences and tables about policies: for the terminal, and as a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from chekara.domain.vocabulary import Lane
from chekara.service.dry_run import DryRun, RuleRecord
from chekara.service.policy_compare import ComparedRow, Comparison, LaneCount


def show_dry_run(runs: Sequence[DryRun], console: Console) -> None:
    """Print what rules would have met."""
    table = Table(title="Rules over this history", title_justify="left", box=None, pad_edge=False)
    table.add_column("rule")
    for name in ("met", "a day", "controlled", "found", "precision (90 %)", "in model's red", "in model's lane"):
        table.add_column(name, justify="right")
    for run in runs:
        precision = "-" if run.precision is None else "{:.1%} ({:.1%}-{:.1%})".format(*run.precision)
        counts = (f"{run.met:,}", _rate(run.per_day), f"{run.controlled:,}", f"{run.found:,}")
        table.add_row(run.rule.rule, *counts, precision, _share(run.in_model_red), _share(run.in_model_lane))
    console.print(table)
    console.print(
        "Precision is among the crossings that were controlled then, and these were not drawn at random.",
        highlight=False,
    )


def show_rules(records: Sequence[RuleRecord], console: Console) -> None:
    """Print what became of rules."""
    table = Table(box=None, pad_edge=False)
    table.add_column("rule")
    for name in ("met", "controlled", "found", "in a row without a hit"):
        table.add_column(name, justify="right")
    table.add_column("")
    for own in records:
        counts = (f"{own.met:,}", f"{own.controlled:,}", f"{own.found:,}", f"{own.in_a_row:,}")
        table.add_row(own.rule, *counts, "suspended" if own.is_suspended else "")
    console.print(table)


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"


def show_comparison(compared: Comparison, console: Console) -> None:
    """Print what another policy would change."""
    for sentence in _sentences(compared):
        console.print(sentence, highlight=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for name in ("crossing point", "agency", "lane"):
        table.add_column(name)
    for name in _HEADINGS:
        table.add_column(name, justify="right")
    for row in compared.rows:
        table.add_row(row.crossing_point, row.agency, row.lane.value, *_figures(row, compared.days))
    console.print(table)


_HEADINGS = ("A a day", "B a day", "change", "A found/known", "B found/known")


def _figures(row: ComparedRow, days: float) -> tuple[str, ...]:
    a, b = row.a.crossings / days, row.b.crossings / days
    return _rate(a), _rate(b), f"{'+' if b > a else ''}{_rate(b - a)}", _known(row.a), _known(row.b)


def _rate(a_day: float) -> str:
    """Write how often a day: what is rare, with another digit."""
    return f"{a_day:.1f}" if abs(a_day) >= 1.0 else f"{a_day:.2f}"


def _known(count: LaneCount) -> str:
    return f"{count.found}/{count.controlled}" if count.controlled else "-"


def _sentences(compared: Comparison) -> Iterator[str]:
    a, b = compared.names
    yield f"A: {a}, {compared.digests[0]}. B: {b}, {compared.digests[1]}."
    moved = sum(count for (before, after), count in compared.moved.items() if before is not after)
    share = moved / max(compared.crossings, 1)
    yield f"Of {compared.crossings:,} crossings in {compared.days:.0f} days, {moved:,} ({share:.1%}) change their lane:"
    for (before, after), count in sorted(compared.moved.items(), key=lambda own: -own[1]):
        if before is not after:
            yield f"  {count:,} from {before.value} to {after.value}"
    for lane in Lane:
        each = [sum(n for pair, n in compared.moved.items() if pair[side] is lane) / compared.days for side in (0, 1)]
        yield f"{lane.value}: {_rate(each[0])} a day under A, {_rate(each[1])} under B"


def comparison_page(compared: Comparison, picture: str | None) -> str:
    """Return the page (Markdown) of a comparison.

    Parameters
    ----------
    compared : Comparison
    picture : str or None
        Name of a picture beside the page.
    """
    lines = ["# What the other policy would change", ""]
    lines += [f"{'- ' if sentence.startswith('  ') else ''}{sentence.strip()}" for sentence in _sentences(compared)]
    if picture is not None:
        lines += ["", f"![Crossings a day by agency and lane under both policies]({picture})"]
    headings = ("crossing point", "agency", "lane", *_HEADINGS)
    lines += ["", f"| {' | '.join(headings)} |", f"|{'---|' * len(headings)}"]
    for row in compared.rows:
        cells = (row.crossing_point, row.agency, row.lane.value, *_figures(row, compared.days))
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        "Lanes are as they would have gone live, budgets among them, without draws of the lot.",
        "An agency counts a crossing once, in the strictest lane of its domains. Known: controls that were done",
        "then, whoever selected them; what was never controlled is unknown.",
    ]
    return "\n".join(lines) + "\n"
