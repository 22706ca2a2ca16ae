"""What the facts of a domain's lot read like: sentences and tables for the card, and the restricted page."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isfinite

from chekara.data.valuation import HitKinds
from chekara.evaluation.inspectors import InspectorReport
from chekara.evaluation.intention import DrawsOfGroup
from chekara.evaluation.selective import ComparedFigure, written
from chekara.modelling.selective import SelectiveFacts

_MOST_POSTS = 12

# Figure names as `SelectiveFacts.metrics` gives them, with what a reader sees and the decimals shown.
LOT_FIGURES: dict[str, tuple[str, int]] = {
    "drawn": ("crossings drawn", 0),
    "unknown": ("of these without an outcome", 0),
    "hits": ("hits of the lot", 0),
    "prevalence": ("prevalence", 5),
    "prevalence_if_unknown_were_misses": ("prevalence if no unknown draw were a hit", 5),
    "prevalence_if_unknown_were_hits": ("prevalence if every unknown draw were a hit", 5),
    "draws_per_month": ("outcomes a month", 1),
    "hits_per_month": ("hits of the lot a month", 2),
    "draws_needed": ("outcomes until the prevalence is known to 25 %", 0),
    "months_until_precise": ("months until then", 1),
    "months_until_hits": ("months until 50 hits of the lot", 1),
    "all_hits": ("hits of all controls", 0),
    "valuation_only_hits": ("of these about the price alone", 0),
}


def lot_table(facts: SelectiveFacts) -> list[str]:
    """Lay the figures of the lot out as Markdown lines that read back.

    Parameters
    ----------
    facts : SelectiveFacts

    Returns
    -------
    list of str
    """
    figures = {name.rpartition("/")[2]: value for name, value in facts.metrics().items()}
    lines = ["### The random lot, by intention (`selective`)", "", "| figure | all draws (`lot`) |", "|---|---|"]
    for name, (label, digits) in LOT_FIGURES.items():
        if name in figures:
            low, high = figures.get(f"{name}_low95"), figures.get(f"{name}_high95")
            interval = "" if low is None or high is None else f" (95 %: {low:.{digits}f}–{high:.{digits}f})"
            lines.append(f"| {label} | {figures[name]:.{digits}f}{interval} |")
        elif name.startswith("months") and facts.months is not None:
            lines.append(f"| {label} | {shown_months(inf)} |")
    return lines


def unknown_draws_table(by_post: Sequence[DrawsOfGroup], by_shift: Sequence[DrawsOfGroup]) -> list[str]:
    """Lay draws without an outcome out by shift and post, as Markdown lines.

    Parameters
    ----------
    by_post, by_shift : sequence of DrawsOfGroup
        Largest share first; of the posts the first twelve are shown.

    Returns
    -------
    list of str
    """
    lines = ["| shift or post | drawn | without an outcome | share (95 %) |", "|---|---|---|---|"]
    for row in (*by_shift, *by_post[:_MOST_POSTS]):
        low, high = row.interval_95
        lines.append(f"| {row.group} | {row.drawn} | {row.unknown} | {row.share:.3f} ({low:.3f}–{high:.3f}) |")
    left_out = len(by_post) - _MOST_POSTS
    return [*lines, *([f"| {left_out} more posts | | | |"] if left_out > 0 else [])]


def naive_table(protocol: str, figures: Sequence[ComparedFigure]) -> list[str]:
    """Lay naive and corrected figures of the model side by side, as Markdown lines that read back.

    Parameters
    ----------
    protocol : str
    figures : sequence of ComparedFigure

    Returns
    -------
    list of str
    """
    lines = [
        f"### Naive and corrected, the model alone (`{protocol}`)",
        "",
        "| figure | naive: all inspected (`inspected/model`) | corrected: all traffic, by the lot (`lot/model`) "
        "| corrected, closed form |",
        "|---|---|---|---|",
    ]
    for figure in figures:
        low, high = figure.corrected.closed_form
        closed = f"{low:.3f}–{high:.3f}" if isfinite(low) else "–"
        lines.append(f"| {figure.title} | {written(figure.naive)} | {written(figure.corrected)} | {closed} |")
    return [*lines, "", "Intervals here are 95 %, by bootstrap (hit rate: closed form)."]


def selective_sentences(facts: SelectiveFacts) -> tuple[str, ...]:
    """Say in words what figures alone could be misread as.

    Parameters
    ----------
    facts : SelectiveFacts

    Returns
    -------
    tuple of str
        Without anything about an inspector.
    """
    return (*_of_lot(facts), _of_hits(facts.hits), *_of_inspectors(facts.inspectors))


def inspector_page(facts: SelectiveFacts, title: str) -> str:
    """Write the restricted page: hit rates by inspector on assignments of the lot, as Markdown.

    Parameters
    ----------
    facts : SelectiveFacts
    title : str
        Of the domain.

    Returns
    -------
    str
    """
    report = facts.inspectors
    lines = [
        f"# {title}: inspectors on assignments of the lot",
        "",
        "Restricted. For those who audit controls; not for ranking people, and no input of any model. Only assignments "
        "that the lot made are counted, because who chooses what to look at chooses a hit rate. *Expected* is what all "
        "inspectors at the same posts find; *ratio* is hits over expected, shrunk towards 1 by what chance explains.",
        "",
        f"{report.controls:,} controls with an outcome, {report.hits:,} hits, {len(report.rows):,} inspectors, "
        f"{report.n_with_enough:,} of them with enough data. {_difference(report)}",
        "",
        "| inspector | controls | hits | expected | hit rate (95 %) | ratio |",
        "|---|---|---|---|---|---|",
    ]
    for row in report.rows:
        told = "insufficient data | –"
        if row.has_enough:
            low, high = row.interval_95
            told = f"{row.rate:.3f} ({low:.3f}–{high:.3f}) | {row.shrunk_ratio:.2f}"
        lines.append(f"| {row.inspector} | {row.controls} | {row.hits} | {row.expected:.1f} | {told} |")
    return "\n".join([*lines, ""])


def _of_lot(facts: SelectiveFacts) -> tuple[str, ...]:
    if facts.rate is None or facts.months is None:
        return (
            "No crossing was drawn at random with a known probability: figures hold among crossings like those "
            "inspected, and for all traffic nothing is known.",
        )
    months = facts.months
    told = [
        f"{facts.rate.unknown:,} of {facts.rate.drawn:,} draws of the lot gave no outcome; they stay in the count, at "
        "the hit rate of their post and shift, and the bounds say what they could hide.",
    ]
    if months.is_upper_bound:
        told.append(
            f"The lot has found nothing in {months.draws_done:,} draws, which leaves a prevalence of up to "
            f"{months.prevalence:.4f} open; months until known are at least those given."
        )
    return tuple(told)


def _of_hits(hits: HitKinds) -> str:
    untold = f" Of {hits.n_untold:,} neither irregularity nor method tells." if hits.n_untold else ""
    if not hits.tells:
        return f"No hit is known to be about the price alone ({hits.n_hits:,} hits).{untold}"
    share = len(hits.valuation_only) / hits.n_hits
    return (
        f"{len(hits.valuation_only):,} of {hits.n_hits:,} hits ({share:.0%}) are about the price alone: a price list "
        f"finds those, and a model learns the list.{untold}"
    )


def _of_inspectors(report: InspectorReport) -> tuple[str, ...]:
    if not report.rows:
        return ()
    return ("Hit rates by inspector on assignments of the lot lie in the run's restricted folder, and nowhere else.",)


def _difference(report: InspectorReport) -> str:
    if not isfinite(report.p_value):
        return "Whether they differ cannot be told: insufficient data."
    verdict = "more than chance explains" if report.p_value < 0.05 else "no more than chance explains"
    return f"Those differ by {verdict} (p = {report.p_value:.3f}, hits dealt anew within posts)."


def shown_months(months: float) -> str:
    """Write months for a person.

    Parameters
    ----------
    months : float
        At least 0; infinite where the lot finds nothing.

    Returns
    -------
    str

    Examples
    --------
    >>> shown_months(0.0), shown_months(17.23), shown_months(float("inf"))
    ('0.0', '17.2', 'never, as it goes')
    """
    return f"{months:.1f}" if isfinite(months) else "never, as it goes"
