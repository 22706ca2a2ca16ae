"""What is learned of a domain, before anything of it is written down; several domains at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Event

from threadpoolctl import threadpool_limits

from chekara.data.findings import Finding
from chekara.data.history_checks import DomainChecks, check_domain
from chekara.data.leakage import SearchedLines
from chekara.data.sources import History
from chekara.modelling.baselines import Baseline, score_baselines
from chekara.modelling.dataset import Dataset, Protocol, build_dataset
from chekara.modelling.forward import Progress
from chekara.modelling.judgement import Judgement, judge_recipe
from chekara.modelling.model import Model
from chekara.modelling.recipe import RecipeScores, evaluate_recipe, refit_on_everything
from chekara.modelling.selective import SelectiveFacts, selective_facts
from chekara.modelling.shared import SharedLines
from chekara.modelling.spec import ModelSpec
from chekara.modelling.tune import TuningBudget, tune_spec


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOrder:
    """What was asked for.

    Attributes
    ----------
    history : History
        As known before ``until``.
    lines : SharedLines
        What is learned from, laid out once for all domains.
    until : datetime
    seed : int
    protocol : {'auto', 'as_given', 'leak_free'}
    trained_by : str
        The person who answers for it; another one has to approve the model.
    models : Path
        Folder of specs and cards.
    findings : tuple of Finding
        About the history as a whole.
    searched : SearchedLines
        What repeats in the history, for the search for leakage in each domain.
    scratch : Path
        Folder for bundles on their way; removed by whoever made it.
    tuning : TuningBudget or None
        How long to search LightGBM's parameters before the recipe is judged.
    """

    history: History
    lines: SharedLines
    until: datetime
    seed: int
    protocol: str
    trained_by: str
    models: Path
    findings: tuple[Finding, ...]
    searched: SearchedLines
    scratch: Path
    tuning: TuningBudget | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The recipe on one protocol: what it learned from and how it did."""

    dataset: Dataset
    scores: RecipeScores
    baselines: tuple[Baseline, ...]
    judgements: tuple[Judgement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedDomain:
    """What was learned of one domain, and how it did.

    Attributes
    ----------
    spec : ModelSpec
        As searched, where a search was asked for.
    checks : DomainChecks
    facts : SelectiveFacts
    judged : tuple of Judged
        One per protocol; what gets registered is of the last one.
    model : Model
        Refitted on everything known.
    """

    spec: ModelSpec
    checks: DomainChecks
    facts: SelectiveFacts
    judged: tuple[Judged, ...]
    model: Model

    @property
    def served(self) -> Judged:
        """The judgement of the protocol that gets registered."""
        return self.judged[-1]


@contextmanager
def learn_domains(
    specs: Sequence[ModelSpec], order: TrainingOrder, workers: int, tell: Callable[[ModelSpec], Progress]
) -> Iterator[list[Future[LearnedDomain]]]:
    """Learn several domains at a time, in threads: most of the work lets go of the interpreter.

    Parameters
    ----------
    specs : sequence of ModelSpec
    order : TrainingOrder
    workers : int
        Domains at a time. Every fit runs on one thread, so that the number changes nothing but the time.
    tell : callable
        Gives the progress of a domain; called in its thread.

    Yields
    ------
    list of Future of LearnedDomain
        In the order of the specs. Whoever leaves early does not wait for those that have not begun, and those under
        way end at their next step.
    """
    stop = Event()

    def learn(spec: ModelSpec) -> LearnedDomain:
        progress = tell(spec)

        def step(stage: str, fraction: float) -> None:
            if stop.is_set():
                raise InterruptedError
            progress(stage, fraction)

        return learn_domain(spec, order, step)

    with threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(max_workers=workers) as pool:
        learned = [pool.submit(learn, spec) for spec in specs]
        try:
            yield learned
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)


def learn_domain(spec: ModelSpec, order: TrainingOrder, progress: Progress) -> LearnedDomain:
    """Check, judge and refit one domain.

    Parameters
    ----------
    spec : ModelSpec
    order : TrainingOrder
    progress : callable
        Told (stage, fraction done).

    Returns
    -------
    LearnedDomain

    Raises
    ------
    NotEnoughHitsError
        The domain cannot be learned from this history.
    """
    progress("looking for leakage", 0.0)
    checks = check_domain(order.history, spec.target, order.seed, order.findings, order.searched)
    spec = _tuned(spec, order, checks, _part_of(progress, 0.05, 0.3))
    progress("the lot by intention", 0.3)
    facts = selective_facts(order.history, spec, order.until, seed=order.seed)
    protocols = protocols_for(order, checks)
    judged = []
    for number, protocol in enumerate(protocols):
        part = 0.5 / len(protocols)
        told = _part_of(progress, 0.3 + number * part, 0.3 + (number + 1) * part)
        judged.append(_judge(spec, order, checks, protocol, facts, told))
    forward = judged[-1].scores.forward
    model = refit_on_everything(judged[-1].dataset, spec, order.seed, _part_of(progress, 0.8, 1.0), forward=forward)
    return LearnedDomain(spec=spec, checks=checks, facts=facts, judged=tuple(judged), model=model)


def _part_of(progress: Progress, begins_at: float, ends_at: float) -> Progress:
    """Let a stage that counts from 0 to 1 move the bar between two marks."""
    return lambda stage, fraction: progress(stage, begins_at + (ends_at - begins_at) * fraction)


def protocols_for(order: TrainingOrder, checks: DomainChecks) -> tuple[Protocol, ...]:
    """Decide what is judged; the last one is what gets registered.

    ``auto`` judges as given and, where a leaking tuple was named, leak-free as well.
    """
    if checks.leakage.leaking_tuple is None or order.protocol == "as_given":
        return ("as_given",)
    return ("leak_free",) if order.protocol == "leak_free" else ("as_given", "leak_free")


def _tuned(spec: ModelSpec, order: TrainingOrder, checks: DomainChecks, progress: Progress) -> ModelSpec:
    """Search parameters on the protocol that gets registered, where a search was asked for."""
    if order.tuning is None:
        return spec
    dataset = _dataset(spec, order, checks, protocols_for(order, checks)[-1])
    return tune_spec(dataset, spec, order.tuning, order.seed, progress)


def _dataset(spec: ModelSpec, order: TrainingOrder, checks: DomainChecks, protocol: Protocol) -> Dataset:
    return build_dataset(
        order.history,
        spec,
        order.until,
        leaking_tuple=checks.leakage.leaking_tuple,
        protocol=protocol,
        shared=order.lines,
    )


def _judge(
    spec: ModelSpec,
    order: TrainingOrder,
    checks: DomainChecks,
    protocol: Protocol,
    facts: SelectiveFacts,
    progress: Progress,
) -> Judged:
    dataset = _dataset(spec, order, checks, protocol)
    scores = evaluate_recipe(dataset, spec, order.seed, progress)
    progress("judging beside baselines", 1.0)
    baselines = score_baselines(scores)
    judgements = judge_recipe(scores, baselines, facts, seed=order.seed)
    return Judged(dataset=dataset, scores=scores, baselines=baselines, judgements=judgements)
