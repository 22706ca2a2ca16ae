"""Sentences and tables about policies: for the terminal, and as a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

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
    if any(run.in_model_red is not None for run in runs):
        said = (
            "The model's lanes are of all crossings that meet the rule, those that it may have learned from among them."
        )
        console.print(said, highlight=False)


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


FIGURES: Final = ("A a day", "B a day", "change", "A found/known", "B found/known")
HOW_TO_READ: Final = (
    "Lanes are as they would have gone live, budgets among them, without draws of the lot.",
    "An agency counts a crossing once, in the strictest lane of the domains that it leads there.",
    "Known: controls done then in any domain that the agency leads there, whoever selected them. "
    "What was never controlled is unknown, not clear.",
)


def headline(compared: Comparison) -> str:
    """Say in a sentence how much changes."""
    moved = sum(count for (before, after), count in compared.moved.items() if before is not after)
    share = moved / max(compared.crossings, 1)
    return (
        f"Of {compared.crossings:,} crossings in {compared.days:.0f} days, {moved:,} ({share:.1%}) change their lane."
    )


def lane_rows(compared: Comparison) -> list[tuple[str, ...]]:
    """Return how many crossings a day each lane has under A and B, and the change; the strictest lane first."""
    found: list[tuple[str, ...]] = []
    for lane in sorted(Lane, key=lambda lane: -lane.strictness):
        a, b = (sum(n for pair, n in compared.moved.items() if pair[side] is lane) / compared.days for side in (0, 1))
        found.append((lane.value, _rate(a), _rate(b), _change(a, b)))
    return found


def move_rows(compared: Comparison) -> list[tuple[str, ...]]:
    """Return from which lane to which crossings move, how many, and which share of all; most first."""
    moves = [(count, pair) for pair, count in compared.moved.items() if pair[0] is not pair[1]]
    moves.sort(key=lambda own: (-own[0], own[1][0].strictness, own[1][1].strictness))
    return [(a.value, b.value, f"{n:,}", f"{n / compared.crossings:.1%}") for n, (a, b) in moves]


def places(compared: Comparison) -> list[tuple[str, list[tuple[str, ...]]]]:
    """Return the crossing points, where most changes first, each with a row per agency and lane.

    Parameters
    ----------
    compared : Comparison

    Returns
    -------
    list of (str, list of tuple of str)
        Code of the crossing point; agency, lane and `FIGURES` of each row.
    """
    own = [(point, list(rows)) for point, rows in groupby(compared.rows, key=lambda row: row.crossing_point)]
    own.sort(key=lambda place: (-sum(abs(row.b.crossings - row.a.crossings) for row in place[1]), place[0]))
    return [(point, [_row(row, compared.days) for row in rows]) for point, rows in own]


def _row(row: ComparedRow, days: float) -> tuple[str, ...]:
    a, b = row.a.crossings / days, row.b.crossings / days
    return row.agency, row.lane.value, _rate(a), _rate(b), _change(a, b), _known(row.a), _known(row.b)


def _rate(a_day: float) -> str:
    """Write how often a day: what is rare, with another digit."""
    return f"{a_day:.1f}" if abs(a_day) >= 1.0 else f"{a_day:.2f}"


def _change(a: float, b: float) -> str:
    return "0" if a == b else f"{'+' if b > a else ''}{_rate(b - a)}"


def _known(count: LaneCount) -> str:
    return f"{count.found}/{count.controlled}" if count.controlled else "-"


def show_comparison(compared: Comparison, console: Console) -> None:
    """Print what another policy would change."""
    for side, name, digest in zip("AB", compared.names, compared.digests, strict=True):
        console.print(f"{side}: {name}, {digest}", highlight=False, soft_wrap=True)
    console.print(headline(compared), highlight=False, soft_wrap=True)
    if compared.notice:
        console.print(compared.notice, style="bold", highlight=False, soft_wrap=True)
    _print(console, ("lane",), FIGURES[:3], lane_rows(compared))
    _print(console, ("from", "to"), ("crossings", "of all"), move_rows(compared))
    rows = [(point, *row) for point, own in places(compared) for row in own]
    _print(console, ("crossing point", "agency", "lane"), FIGURES, rows)


def _print(console: Console, words: Sequence[str], figures: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    table = Table(box=None, pad_edge=False)
    for name in words:
        table.add_column(name)
    for name in figures:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*row)
    console.print()
    console.print(table)


def comparison_page(compared: Comparison, picture: str | None) -> str:
    """Return the page (Markdown) of a comparison.

    Parameters
    ----------
    compared : Comparison
    picture : str or None
        Name of a picture beside the page.
    """
    (a, b), digests = compared.names, compared.digests
    lines = ["# What the other policy would change", "", headline(compared), ""]
    lines += [f"**{compared.notice}**", ""] if compared.notice else []
    lines += _markdown(("", "policy", "digest"), (), [("A", a, f"`{digests[0]}`"), ("B", b, f"`{digests[1]}`")])
    lines += ["", "## Lanes", ""]
    lines += _markdown(("lane",), FIGURES[:3], lane_rows(compared))
    if moves := move_rows(compared):
        lines += ["", "## What moves", "", *_markdown(("from", "to"), ("crossings", "of all"), moves)]
    if picture is not None:
        lines += ["", f"![Crossings a day by agency and lane under both policies]({picture})"]
    lines += ["", "## By crossing point and agency", "", "Where most changes first."]
    for point, rows in places(compared):
        lines += ["", f"### {point or 'without a crossing point'}", ""]
        lines += _markdown(("agency", "lane"), FIGURES, rows)
    return "\n".join([*lines, "", *HOW_TO_READ]) + "\n"


def _markdown(words: Sequence[str], figures: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    marks = "---|" * len(words) + "---:|" * len(figures)
    body = (f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows)
    return [f"| {' | '.join((*words, *figures))} |", f"|{marks}", *body]


def _cell(text: str) -> str:
    """Keep what others wrote from ending a cell."""
    return text.replace("|", "\\|").replace("\n", " ")
