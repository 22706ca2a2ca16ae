"""What a person sees while models are trained, and the table at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from chekara.data.history_checks import DomainChecks
from chekara.data.history_screen import show_findings, show_history
from chekara.data.sources import History
from chekara.evaluation.report import show_comparison
from chekara.evaluation.selective import ComparedFigure, naive_table
from chekara.modelling.forward import Progress as ProgressOf
from chekara.modelling.judgement import Judgement, compare_parts
from chekara.modelling.selective import SelectiveFacts
from chekara.modelling.selective_page import selective_sentences, shown_months
from training._learn import LearnedDomain

T = TypeVar("T")


class Screen:
    """Everything that training prints."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def show_history(self, history: History) -> None:
        """Say what was read and what was refused, counted by reason."""
        show_history(history, self.console)

    def start_domain(self, title: str) -> None:
        """Announce a domain."""
        self.console.rule(f"[bold]{title}", align="left")

    def show_findings(self, checks: DomainChecks) -> None:
        """Say what the checks found, or that they found nothing."""
        if not checks.leakage.findings:
            lines = checks.leakage.n_labelled
            self.console.print(f"Leakage: none found in {lines:,} goods lines with a known outcome.")
        show_findings(checks.findings, self.console)

    def wait_for(self, what: str, work: Callable[[], T]) -> T:
        """Say what is being done while it is done."""
        with self.console.status(what):
            return work()

    @contextmanager
    def progress(self) -> Iterator[ProgressOf]:
        """Show a bar that is moved by ``(stage, fraction done)``; not on a terminal, a line for each new stage."""
        if not self.console.is_terminal:
            yield _lines_on(self.console)
            return
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self.console, transient=True) as bars:
            task = bars.add_task("", total=1.0)

            def move(stage: str, fraction: float) -> None:
                bars.update(task, description=stage, completed=fraction)

            yield move

    @contextmanager
    def progress_of(self, names: Sequence[str]) -> Iterator[Mapping[str, ProgressOf]]:
        """Show a bar for each of several pieces of work, moved from any thread."""
        columns = (
            TextColumn("{task.fields[name]}"),
            BarColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self.console, transient=True) as bars:
            tasks = {name: bars.add_task("waits", total=1.0, name=name, start=False) for name in names}

            def bar_of(name: str) -> ProgressOf:
                def move(stage: str, fraction: float) -> None:
                    bars.start_task(tasks[name])
                    bars.update(tasks[name], description=stage, completed=fraction)

                return move

            yield {name: bar_of(name) for name in names}

    def show_learned(self, learned: LearnedDomain) -> None:
        """Show what the checks of a domain found and how its judgements came out."""
        self.start_domain(learned.spec.title)
        self.show_findings(learned.checks)
        self.show_judgements([judgement for each in learned.judged for judgement in each.judgements])
        self.show_selective(learned.facts, compare_parts(learned.served.judgements))

    def show_judgements(self, judgements: Sequence[Judgement]) -> None:
        """Print the table of each judgement and, where both protocols were judged, what the leak is worth."""
        for judgement in judgements:
            if judgement.part == "without_valuation":
                self._show_beyond_price(judgement)
            else:
                show_comparison(self.console, judgement.title, judgement.evaluations)
        by_protocol = {j.protocol: j.model.ranking.auc.value for j in judgements if j.part == "inspected"}
        if {"as_given", "leak_free"} <= by_protocol.keys():
            given, leak_free = by_protocol["as_given"], by_protocol["leak_free"]
            self.console.print(
                f"[bold]The leak is worth {given - leak_free:+.3f} of AUC.[/] As given the model reaches {given:.3f} "
                f"because earlier rows come back, label included; on rows that it cannot have seen it reaches "
                f"{leak_free:.3f}. Only the second number says what it would do at the border.",
                highlight=False,
            )

    def _show_beyond_price(self, judgement: Judgement) -> None:
        """Say in one line what remains without hits that a price list finds."""
        ranking = judgement.model.ranking
        self.console.print(
            f"Without hits about the price alone: AUC {ranking.auc.value:.3f}, recall at 10 % "
            f"{ranking.capacity[-1].recall.value:.3f} ({judgement.model.n_hits:,} hits left).",
            highlight=False,
        )

    def show_selective(self, facts: SelectiveFacts, figures: tuple[ComparedFigure, ...]) -> None:
        """Print naive beside corrected figures, and how long the lot has to go on."""
        if figures:
            self.console.print(naive_table("What past selection hides, the model alone", figures))
        for sentence in selective_sentences(facts):
            self.console.print(sentence, style="dim", highlight=False)
        if facts.rate is not None and facts.months is not None:
            low, high = facts.rate.bounds_95
            self.console.print(
                f"Prevalence by the lot {facts.rate.rate.value:.4f} (between {low:.4f} and {high:.4f}, unknown draws "
                f"included). Months until it is known to 25 %: {shown_months(facts.months.months_until_precise)}; "
                f"until 50 hits of the lot: {shown_months(facts.months.months_until_hits)}.",
                highlight=False,
            )

    def show_skipped(self, title: str, reason: str) -> None:
        """Say why a domain was skipped."""
        self.console.print(f"[yellow]Skipped[/] {title}: {reason}", highlight=False)

    def show_line(self, text: str) -> None:
        """Print one sentence."""
        self.console.print(text, highlight=False)


def _lines_on(console: Console) -> ProgressOf:
    """Print a line whenever the stage is another one."""
    last = ""

    def tell(stage: str, fraction: float) -> None:
        nonlocal last
        if stage != last:
            console.print(stage, highlight=False, soft_wrap=True)
        last = stage

    return tell
