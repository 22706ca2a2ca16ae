"""What was learned of a domain, written down: tracked, drawn, signed, registered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chekara import __version__
from chekara.adapters.assembly import promotion_desk
from chekara.adapters.bundle_store import BundleStore
from chekara.adapters.tracking import ModelTracker, RegisteredBundle, TrackedRun, git_commit
from chekara.data.history_checks import DomainChecks
from chekara.modelling.bundle import load_signing_key, write_bundle
from chekara.modelling.card import CardFacts, fill_card, number_block, plain_frame
from chekara.modelling.forward import Progress
from chekara.modelling.judgement import Judgement
from chekara.modelling.selective_page import inspector_page
from chekara.modelling.spec import ModelSpec
from chekara.service.records import Promotion
from chekara.settings import Settings
from training._example import example_rows
from training._learn import Judged, LearnedDomain, TrainingOrder
from training._pictures import picture_model

_HEADLINES = ("auc", "average_precision", "precision_at_5pct", "precision_at_10pct", "brier_skill_score")


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


def track_domain(
    learned: LearnedDomain, order: TrainingOrder, tracker: ModelTracker, settings: Settings, progress: Progress
) -> TrainedModel:
    """Write down what was learned of one domain, draw it and register its bundle.

    Parameters
    ----------
    learned : LearnedDomain
    order : TrainingOrder
    tracker : ModelTracker
    settings : Settings
    progress : callable
        Told (stage, fraction done).

    Returns
    -------
    TrainedModel
    """
    spec, served = learned.spec, learned.served
    with tracker.run(spec.domain, f"{spec.domain} until {order.until:%Y-%m-%d}") as run:
        progress("writing down what was learned", 0.0)
        numbers = _numbers(order, run.run_id, learned)
        card = fill_card(_frame_of(spec, order), numbers, where=f"models/{spec.domain}/CARD.md")
        _track(run, spec, order, learned.judged, card)
        run.log_metrics(learned.facts.metrics())
        run.log_text("restricted/inspectors.md", inspector_page(learned.facts, spec.title))
        progress("drawing", 0.3)
        for picture, figure in picture_model(
            spec, served.scores, served.baselines, served.judgements, served.dataset, learned.model, order.seed
        ).items():
            run.log_figure(picture, figure)
        progress("registering", 0.7)
        registered = _register(run, order, learned, card, settings)
        progress("registered", 1.0)
    return TrainedModel(
        spec=spec,
        registered=registered,
        run_id=run.run_id,
        card=card,
        numbers=numbers,
        judgement=served.judgements[0],
        checks=learned.checks,
    )


def promote_shortcut(trained: TrainedModel, trained_by: str, tracker: ModelTracker, settings: Settings) -> Promotion:
    """Let a model serve without a second person, which works in dev alone and is logged as such."""
    promotion = promotion_desk(settings)(
        trained.registered.folder, approved_by=trained_by, assessment_id=None, is_shortcut=True
    )
    tracker.set_champion(trained.registered.domain, trained.registered.version)
    return promotion


def _frame_of(spec: ModelSpec, order: TrainingOrder) -> str:
    path = order.models / spec.domain / "CARD.md"
    return path.read_text(encoding="utf-8") if path.is_file() else plain_frame(spec.title)


def _numbers(order: TrainingOrder, run_id: str, learned: LearnedDomain) -> str:
    spec, served = learned.spec, learned.served
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
            calibration=learned.model.calibration,
            judgements=[judgement for each in learned.judged for judgement in each.judgements],
            selective=learned.facts,
            findings=[finding.sentence for finding in learned.checks.findings],
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
    run: TrackedRun, order: TrainingOrder, learned: LearnedDomain, card: str, settings: Settings
) -> RegisteredBundle:
    served, model = learned.served, learned.model
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
        "blocking_findings": learned.checks.blocking,
        "refused_tables": sorted({refusal.table for refusal in order.history.refusals}),
    }

    def write(version: str, folder: Path) -> str:
        return write_bundle(model, folder, signing_key, {**about, "version": version}, card)

    registered = run.register(write, learned.spec, example_rows(model), _tags(order, served), order.scratch)
    # Where a promotion over HTTP looks for it; it serves nobody until then.
    BundleStore(settings).place(registered.folder, registered.digest, trusted=(signing_key.public_key(),))
    run.log_tags({"bundle_digest": registered.digest, "model_version": registered.version})
    return registered
