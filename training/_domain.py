"""One domain from a history to a registered, signed bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chekara import __version__
from chekara.adapters.assembly import promotion_desk
from chekara.adapters.tracking import ModelTracker, RegisteredBundle, TrackedRun, git_commit
from chekara.data.findings import Finding
from chekara.data.history_checks import DomainChecks, check_domain
from chekara.data.leakage import SearchedLines
from chekara.data.sources import History
from chekara.modelling.baselines import Baseline, score_baselines
from chekara.modelling.bundle import load_signing_key, write_bundle
from chekara.modelling.card import CardFacts, fill_card, number_block, plain_frame
from chekara.modelling.dataset import Dataset, Protocol, build_dataset
from chekara.modelling.judgement import Judgement, compare_parts, judge_recipe
from chekara.modelling.model import Model
from chekara.modelling.recipe import Progress, RecipeScores, evaluate_recipe, refit_on_everything
from chekara.modelling.selective import SelectiveFacts, selective_facts
from chekara.modelling.selective_page import inspector_page
from chekara.modelling.shared import SharedLines
from chekara.modelling.spec import ModelSpec
from chekara.modelling.tune import TuningBudget, tune_spec
from chekara.service.records import Promotion
from chekara.settings import Settings
from training._example import example_rows
from training._pictures import picture_model
from training._screen import Screen

_HEADLINES = ("auc", "average_precision", "precision_at_5pct", "precision_at_10pct", "brier_skill_score")


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
class TrainedModel:
    """What training a domain left behind.

    Attributes
    ----------
    spec : ModelSpec
    registered : RegisteredBundle
    run_id : str
    card, numbers : str
        Markdown: the whole card, and its number block.
    judgement : Judgement
        Of the registered protocol, on all inspected crossings.
    checks : DomainChecks
        What blocks or accompanies its promotion.
    """

    spec: ModelSpec
    registered: RegisteredBundle
    run_id: str
    card: str
    numbers: str
    judgement: Judgement
    checks: DomainChecks


def train_domain(
    spec: ModelSpec, order: TrainingOrder, tracker: ModelTracker, settings: Settings, screen: Screen
) -> TrainedModel:
    """Train, judge, track and register one domain.

    Parameters
    ----------
    spec : ModelSpec
    order : TrainingOrder
    tracker : ModelTracker
    settings : Settings
    screen : Screen

    Returns
    -------
    TrainedModel

    Raises
    ------
    NotEnoughHitsError
        The domain cannot be learned from this history; nothing was tracked.
    """
    checks = check_domain(order.history, spec.target, order.seed, order.findings, order.searched)
    screen.show_findings(checks)
    with screen.progress() as progress:
        spec = _tuned(spec, order, checks, progress)
        progress("the lot by intention", 0.0)
        facts = selective_facts(order.history, spec, order.until, seed=order.seed)
        judged = [_judge(spec, order, checks, protocol, facts, progress) for protocol in protocols_for(order, checks)]
        served = judged[-1]
        model = refit_on_everything(served.dataset, spec, order.seed, progress, forward=served.scores.forward)
    screen.show_judgements([judgement for each in judged for judgement in each.judgements])
    screen.show_selective(facts, compare_parts(served.judgements))
    name = f"{spec.domain} until {order.until:%Y-%m-%d}"
    with tracker.run(spec.domain, name) as run, screen.progress() as progress:
        progress("writing down what was learned", 0.0)
        numbers = _numbers(spec, order, run.run_id, judged, model, checks, facts)
        card = fill_card(_frame_of(spec, order), numbers, where=f"models/{spec.domain}/CARD.md")
        _track(run, spec, order, judged, card)
        run.log_metrics(facts.metrics())
        run.log_text("restricted/inspectors.md", inspector_page(facts, spec.title))
        progress("drawing", 0.3)
        for picture, figure in picture_model(
            spec, served.scores, served.baselines, served.judgements, served.dataset, model, order.seed
        ).items():
            run.log_figure(picture, figure)
        progress("registering", 0.7)
        registered = _register(run, spec, order, model, card, checks, served, settings)
    return TrainedModel(
        spec=spec,
        registered=registered,
        run_id=run.run_id,
        card=card,
        numbers=numbers,
        judgement=served.judgements[0],
        checks=checks,
    )


def protocols_for(order: TrainingOrder, checks: DomainChecks) -> tuple[Protocol, ...]:
    """Decide what is judged; the last one is what gets registered.

    ``auto`` judges as given and, where a leaking tuple was named, leak-free as well.
    """
    if checks.leakage.leaking_tuple is None or order.protocol == "as_given":
        return ("as_given",)
    return ("leak_free",) if order.protocol == "leak_free" else ("as_given", "leak_free")


def promote_shortcut(trained: TrainedModel, trained_by: str, tracker: ModelTracker, settings: Settings) -> Promotion:
    """Let a model serve without a second person, which works in dev alone and is logged as such."""
    promotion = promotion_desk(settings)(
        trained.registered.folder, approved_by=trained_by, assessment_id=None, is_shortcut=True
    )
    tracker.set_champion(trained.registered.domain, trained.registered.version)
    return promotion


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


def _frame_of(spec: ModelSpec, order: TrainingOrder) -> str:
    path = order.models / spec.domain / "CARD.md"
    return path.read_text(encoding="utf-8") if path.is_file() else plain_frame(spec.title)


def _numbers(
    spec: ModelSpec,
    order: TrainingOrder,
    run_id: str,
    judged: Sequence[Judged],
    model: Model,
    checks: DomainChecks,
    facts: SelectiveFacts,
) -> str:
    served = judged[-1]
    return number_block(
        CardFacts(
            domain=spec.domain,
            title=spec.title,
            run_id=run_id,
            until=order.until,
            seed=order.seed,
            history_digest=order.history.digest,
            served_protocol=served.scores.protocol,
            scores=served.scores,
            calibration=model.calibration,
            judgements=[judgement for each in judged for judgement in each.judgements],
            selective=facts,
            findings=[finding.sentence for finding in checks.findings],
            notes=list(dict.fromkeys([*served.dataset.notes, *served.scores.notes])),
        )
    )


def _track(run: TrackedRun, spec: ModelSpec, order: TrainingOrder, judged: Sequence[Judged], card: str) -> None:
    served = judged[-1]
    run.log_parameters(flat_parameters(spec, order))
    for each in judged:
        for judgement in each.judgements:
            run.log_metrics(judgement.metrics())
    figures = served.judgements[0].model.metrics()
    run.log_metrics({name: figures[name] for name in _HEADLINES if name in figures})
    run.log_history(order.history.directory.name, order.history.digest, order.history.directory)
    run.log_tags(_tags(order, served))
    run.log_text("card.md", card)
    run.log_text("model.toml", spec.text)


def flat_parameters(spec: ModelSpec, order: TrainingOrder) -> dict[str, object]:
    """Return the spec and the order as one flat mapping of parameters."""
    return {
        "domain": spec.domain,
        "until": order.until.isoformat(),
        "seed": order.seed,
        "protocol": order.protocol,
        "chekara_version": __version__,
        "features": ",".join(spec.features),
        "target.positive_results": ",".join(spec.target.positive_results),
        "target.negative_methods": ",".join(spec.target.negative_methods),
        "calibration.lot_hits": spec.lot_hits,
        "gates.minimum_hits": spec.minimum_hits,
        "profiles.results_of": ",".join(spec.results_of),
        "monotone": ",".join(f"{name}:{sign:+d}" for name, sign in spec.monotone.items()),
        **{f"encoding.{name}": _flat(value) for name, value in asdict(spec.encoding).items()},
        **{f"training.{name}": _flat(value) for name, value in asdict(spec.training).items()},
        **{f"lightgbm.{name}": value for name, value in spec.lightgbm.items()},
    }


def _flat(value: object) -> object:
    return ",".join(map(str, value)) if isinstance(value, tuple) else value


def _tags(order: TrainingOrder, served: Judged) -> dict[str, str]:
    return {
        "protocol": served.scores.protocol,
        "seed": str(order.seed),
        "until": order.until.isoformat(),
        "trained_by": order.trained_by,
    }


def _register(
    run: TrackedRun,
    spec: ModelSpec,
    order: TrainingOrder,
    model: Model,
    card: str,
    checks: DomainChecks,
    served: Judged,
    settings: Settings,
) -> RegisteredBundle:
    signing_key = load_signing_key(settings)
    about: Mapping[str, Any] = {
        "run_id": run.run_id,
        "trained_by": order.trained_by,
        "trained_at": datetime.now(UTC).isoformat(),
        "commit": git_commit(),
        "seed": order.seed,
        "protocol": served.scores.protocol,
        "until": order.until.isoformat(),
        "history_digest": order.history.digest,
        "blocking_findings": checks.blocking,
        "refused_tables": sorted({refusal.table for refusal in order.history.refusals}),
    }

    def write(version: str, folder: Path) -> str:
        return write_bundle(model, folder, signing_key, {**about, "version": version}, card)

    registered = run.register(write, spec, example_rows(model), _tags(order, served), order.scratch)
    run.log_tags({"bundle_digest": registered.digest, "model_version": registered.version})
    return registered
