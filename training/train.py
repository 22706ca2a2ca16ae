"""Train every risk domain on a history, judge the recipe, track it, and register a signed bundle of each.

load -> check -> look for leakage -> judge on later crossings beside baselines -> refit on everything known -> track
-> register -> promote. A folder under ``models/`` is a domain; one without enough hits is skipped with its reason.
"""

from __future__ import annotations

import getpass
import tempfile
from pathlib import Path
from typing import Annotated, Literal

import typer

from chekara.adapters.tracking import ModelTracker
from chekara.data.history_checks import check_whole
from chekara.data.labels import parse_instant
from chekara.data.leakage import search_lines
from chekara.data.sources import load_history
from chekara.errors import ConfigurationError, NotEnoughHitsError
from chekara.modelling.card import fill_card
from chekara.modelling.shared import lay_out_lines
from chekara.modelling.spec import ModelSpec, load_spec
from chekara.modelling.tune import TuningBudget
from chekara.programs import open_console, run_program
from chekara.settings import Settings
from training._domain import TrainedModel, promote_shortcut, track_domain
from training._history import history_before, just_after_newest
from training._learn import TrainingOrder, learn_domains
from training._pictures import short_title
from training._screen import Screen

MODELS = Path(__file__).parents[1] / "models"
DOMAINS_AT_ONCE = 2  # each keeps a matrix or two of its own in memory


def train(
    data: Annotated[Path, typer.Option(metavar="DIR", help="Folder of history files.")],
    domain: Annotated[list[str] | None, typer.Option(help="Only this domain; may be repeated.")] = None,
    until: Annotated[
        str | None, typer.Option(metavar="INSTANT", help="Forget what became known at or after this instant.")
    ] = None,
    promote: Annotated[bool, typer.Option("--promote", help="Let the models serve at once; dev only.")] = False,
    seed: Annotated[int, typer.Option(help="Same seed, same bundle.")] = 1,
    protocol: Annotated[
        Literal["auto", "as_given", "leak_free"],
        typer.Option(help="auto: leak-free where a leak is found, both judged."),
    ] = "auto",
    mapping: Annotated[Path | None, typer.Option(help="Mapping file (TOML) for a foreign table.")] = None,
    trained_by: Annotated[str, typer.Option(help="Who answers for this training; default: the user here.")] = "",
    card: Annotated[
        Path | None, typer.Option(help="Also put the numbers between the markers of this file (one domain only).")
    ] = None,
    models: Annotated[Path, typer.Option(help="Folder of model specs, one folder per domain.")] = MODELS,
    tune_trials: Annotated[
        int | None, typer.Option(min=1, help="Search LightGBM's parameters: so many trials per domain.")
    ] = None,
    tune_seconds: Annotated[
        float | None, typer.Option(min=1, help="Search LightGBM's parameters: so many seconds per domain.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Domains at a time; the models are the same.")] = DOMAINS_AT_ONCE,
) -> None:
    """Train every risk domain on a history and register a signed bundle of each."""
    settings, screen = Settings.from_environment(), Screen(open_console())
    if promote and not settings.is_dev:
        raise ConfigurationError(
            "a training may promote its own model in dev only",
            where="--promote",
            hint="let a second person run `python -m training.promote`",
        )
    specs = load_specs(models, domain or [])
    if card is not None and len(specs) != 1:
        raise ConfigurationError("one card belongs to one domain", where="--card", hint="add --domain")
    asked = None if until is None else parse_instant(until, where="--until")
    history = load_history(data, mapping=mapping)
    screen.show_history(history)
    instant = asked or just_after_newest(history)
    known = history_before(history, instant)
    tracker = ModelTracker(settings)
    with tempfile.TemporaryDirectory(prefix="chekara-") as scratch:
        order = TrainingOrder(
            history=known,
            lines=screen.wait_for("profiles and features", lambda: lay_out_lines(known, specs, instant, seed=seed)),
            until=instant,
            seed=seed,
            protocol=protocol,
            trained_by=trained_by or getpass.getuser(),
            models=models,
            findings=check_whole(known),
            searched=screen.wait_for("searching for copies", lambda: search_lines(known, seed=seed)),
            scratch=Path(scratch),
            tuning=TuningBudget(trials=tune_trials, seconds=tune_seconds) if tune_trials or tune_seconds else None,
        )
        trained = train_all(specs, order, tracker, settings, screen, workers)
        for model in trained if promote else ():
            promote_shortcut(model, order.trained_by, tracker, settings)
    show_end(screen, trained, settings, is_promoted=promote)
    if card is not None and trained:
        write_card(card, trained[0])


def write_card(path: Path, model: TrainedModel) -> None:
    """Put a model's numbers between the markers of a page; a page that is not there becomes its whole card.

    Raises
    ------
    ConfigurationError
        The page has no markers.
    """
    text = fill_card(path.read_text(encoding="utf-8"), model.numbers, where=path.name) if path.exists() else model.card
    path.write_text(text, encoding="utf-8")


def load_specs(models: Path, wanted: list[str]) -> list[ModelSpec]:
    """Load the specs of the domains wanted, or of all.

    Raises
    ------
    ConfigurationError
        There is no such domain, or none at all.
    """
    found = {path.parent.name: path for path in sorted(models.glob("*/model.toml"))}
    unknown = [name for name in wanted if name not in found]
    if unknown or not found:
        known = ", ".join(found) or "none"
        raise ConfigurationError("no such risk domain", where="--domain", hint=f"domains with a model.toml: {known}")
    return [load_spec(found[name]) for name in (dict.fromkeys(wanted) or found)]


def train_all(
    specs: list[ModelSpec],
    order: TrainingOrder,
    tracker: ModelTracker,
    settings: Settings,
    screen: Screen,
    workers: int,
) -> list[TrainedModel]:
    """Learn several domains at a time and track them in their order; those without enough hits are skipped."""
    trained: list[TrainedModel] = []
    with (
        screen.progress_of([short_title(spec) for spec in specs]) as bars,
        learn_domains(specs, order, workers, lambda spec: bars[short_title(spec)]) as futures,
    ):
        for spec in specs:
            try:
                learned = futures.pop(0).result()  # what was written down is let go
            except NotEnoughHitsError as error:
                screen.start_domain(spec.title)
                screen.show_skipped(short_title(spec), str(error))
                continue
            screen.show_learned(learned)
            trained.append(track_domain(learned, order, tracker, settings, bars[short_title(spec)]))
    return trained


def show_end(screen: Screen, trained: list[TrainedModel], settings: Settings, *, is_promoted: bool) -> None:
    """Print one line per model: where it is, how good, what stands in the way of its promotion."""
    if not trained:
        screen.show_line("No domain had enough hits: nothing was trained, and what serves goes on serving.")
        return
    screen.console.rule("[bold]Registered", align="left")
    for model in trained:
        auc, precision = model.judgement.model.ranking.auc, model.judgement.model.ranking.capacity[-1].precision
        blocking = model.checks.blocking
        state = "challenger and champion: it serves" if is_promoted else "challenger"
        screen.show_line(
            f"{short_title(model.spec)}: {model.registered.domain} version {model.registered.version}, {state}. "
            f"AUC {auc.value:.3f}, precision at 10 % {precision.value:.3f} ({model.judgement.title})."
        )
        if blocking:
            screen.show_line(f"  Blocks promotion outside dev: {', '.join(blocking)}.")
        screen.show_line(f"  Bundle {model.registered.digest}, MLflow run {model.run_id}.")
    screen.show_line(f"Look at runs, pictures and cards: mlflow ui --backend-store-uri {settings.tracking_uri}")


def main() -> None:
    """Run the program; a known error is one readable line and exit code 2."""
    app = typer.Typer(add_completion=False)
    app.command()(train)
    run_program(app)


if __name__ == "__main__":
    main()
