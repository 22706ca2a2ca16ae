"""Backtest every risk domain: what each scorer would have found, had it been trained anew every week.

For each of the last weeks of a history: train on what was known then, select from the following week's crossings by
budget, count what the selection would have found. Beside the model stand chance, the best single column, a logistic
regression, plain LightGBM on raw ids, and CatBoost where it is installed and the history is small. Where
``truth.parquet`` lies beside the history, selections are judged on the whole truth as well. With ``--closed-loop`` a
simulated border reacts to who is selected.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer

from chekara import __version__
from chekara.adapters.tracking import ModelTracker
from chekara.data.sources import History, load_history
from chekara.errors import ConfigurationError, NotEnoughHitsError, TrainingError
from chekara.modelling.dataset import build_dataset
from chekara.modelling.spec import ModelSpec
from chekara.programs import open_console, run_program
from chekara.settings import Settings
from training._backtest_report import headline, picture_domain, summarise, write_page
from training._backtest_revealed import REVEALED, RevealOrder, run_revealed
from training._backtest_store import WeekStore
from training._backtest_week import CALIBRATE_EVERY, WEEK, Judges, WeeklyModel
from training._closed_loop import LoopOrder, run_closed_loop
from training._closed_loop_life import WORLDS, WorldName
from training._history import just_after_newest
from training._screen import Screen
from training._strategies import STRATEGIES, find_strategy
from training.train import MODELS, load_specs

_MOST_WEEKS = 520


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestOrder:
    """What was asked for.

    Attributes
    ----------
    history : History
    weeks : int
    shares : tuple of float
        Budgets.
    seed : int
    with_baselines : bool
    truth, bayes : DataFrame or None
        By ``crossing_id``, one column per domain.
    """

    history: History
    weeks: int
    shares: tuple[float, ...]
    seed: int
    with_baselines: bool
    truth: pd.DataFrame | None
    bayes: pd.DataFrame | None

    @property
    def end(self) -> datetime:
        """Just after everything was known."""
        return just_after_newest(self.history)

    def origins(self) -> list[np.datetime64]:
        """Return the instants at which models are trained: midnights, a week apart, the last a week before the end."""
        # A correction may come months after its crossing: the last crossing to be heard of for the first time counts.
        first_known = self.history.crossings.groupby("crossing_id")["known_at"].min()
        newest = first_known.max().tz_localize(None).to_datetime64().astype("datetime64[D]")
        end = newest + np.timedelta64(1, "D")
        return [(end - n * WEEK).astype("datetime64[us]") for n in range(self.weeks, 0, -1)]

    def judges(self, domain: str) -> Judges:
        """Return what a domain is judged by."""
        return Judges(
            shares=self.shares,
            truth=_column(self.truth, domain),
            bayes=_column(self.bayes, domain),
            with_baselines=self.with_baselines,
        )


def backtest(
    data: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of history files.")] = None,
    domain: Annotated[list[str] | None, typer.Option(help="Only this domain; may be repeated.")] = None,
    weeks: Annotated[int, typer.Option(min=1, max=_MOST_WEEKS, help="How many of the last weeks are judged.")] = 12,
    budgets: Annotated[str, typer.Option(help="Shares of crossings to select, in percent.")] = "1,2,5,10",
    baselines: Annotated[bool, typer.Option(help="Fit baselines every week, too; they take most of the time.")] = True,
    seed: Annotated[int, typer.Option(help="Same seed, same figures.")] = 1,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder to write; default: backtest under CHEKARA_HOME.")
    ] = None,
    models: Annotated[Path, typer.Option(help="Folder of model specs, one folder per domain.")] = MODELS,
    closed_loop: Annotated[
        bool, typer.Option("--closed-loop", help="Instead: simulated borders that react to who is selected.")
    ] = False,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Instead: replay an inspected history, revealing only what is selected.")
    ] = False,
    world: Annotated[
        list[str] | None, typer.Option(help="Of a closed loop: steady, drifting, evasive; default all.")
    ] = None,
    strategy: Annotated[
        list[str] | None, typer.Option(help="Of a closed loop or --reveal; may be repeated; default all.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Of a closed loop or --reveal: how many, from --seed on.")] = 3,
    per_day: Annotated[int, typer.Option(min=1, help="Of a closed loop: crossings a day.")] = 300,
    warm_up: Annotated[int, typer.Option(min=1, help="Of a closed loop: weeks of habit before strategies.")] = 13,
    rounds: Annotated[int, typer.Option(min=1, help="Of a closed loop or --reveal: trees of each model.")] = 30,
    jobs: Annotated[int, typer.Option(min=1, help="Of a closed loop: processes at once.")] = 2,
) -> None:
    """Replay the last weeks of a history: train every week on what was known, select from the next, count."""
    settings, screen = Settings.from_environment(), Screen(open_console())
    shares = parse_budgets(budgets)
    specs = load_specs(models, domain or [])
    folder = out or settings.home / ("closed-loop" if closed_loop else "backtest")
    if closed_loop:
        order = LoopOrder(
            worlds=parse_worlds(world or []),
            strategies=tuple(find_strategy(name).name for name in strategy or STRATEGIES),
            seeds=tuple(range(seed, seed + seeds)),
            per_day=per_day,
            warm_up=warm_up,
            weeks=weeks,
            rounds=rounds,
        )
        run_closed_loop(specs, folder, settings, screen, order, jobs=jobs)
        return
    if data is None:
        raise ConfigurationError("a history to replay is needed", where="--data", hint="or give --closed-loop")
    history = load_history(data)
    screen.show_history(history)
    if reveal:
        chosen = tuple(find_strategy(name).name for name in strategy or REVEALED)
        shown = RevealOrder(strategies=chosen, seeds=tuple(range(seed, seed + seeds)), share=max(shares), rounds=rounds)
        run_revealed(history, specs, out or settings.home / "revealed", settings, screen, shown)
        return
    replay = BacktestOrder(
        history=history,
        weeks=weeks,
        shares=shares,
        seed=seed,
        with_baselines=baselines,
        truth=read_truth(data / "truth.parquet"),
        bayes=read_truth(data / "bayes.parquet"),
    )
    store = WeekStore(folder, _key_of(replay, specs))
    skipped = {}
    for spec in specs:
        screen.start_domain(spec.title)
        reason = judge_domain(spec, replay, store, screen)
        if reason is not None:
            skipped[spec.domain] = reason
            screen.show_skipped(spec.domain, reason)
    _finish(replay, [spec.domain for spec in specs], store, skipped, folder, settings, screen)


def parse_budgets(text: str) -> tuple[float, ...]:
    """Read budgets in percent.

    Raises
    ------
    ConfigurationError
        Not numbers, or not above 0 and up to 100.

    Examples
    --------
    >>> parse_budgets("1,2.5")
    (0.01, 0.025)
    """
    try:
        percents = [float(part) for part in text.split(",")]
    except ValueError:
        percents = []
    if not percents or not all(0 < percent <= 100 for percent in percents):
        raise ConfigurationError("not a list of percentages", where="--budgets", hint="for example 1,2,5,10")
    return tuple(sorted({percent / 100 for percent in percents}))


def parse_worlds(names: Sequence[str]) -> tuple[WorldName, ...]:
    """Read names of worlds; all of them where none is given.

    Raises
    ------
    ConfigurationError
        There is no such world.
    """
    if not set(names) <= set(WORLDS):
        raise ConfigurationError("no such world", where="--world", hint=f"choose from {', '.join(WORLDS)}")
    return tuple(name for name in WORLDS if not names or name in names)


def read_truth(path: Path) -> pd.DataFrame | None:
    """Read what a simulator knows of each crossing, by ``crossing_id``; None where it is not there."""
    return pd.read_parquet(path).set_index("crossing_id") if path.is_file() else None


def judge_domain(spec: ModelSpec, order: BacktestOrder, store: WeekStore, screen: Screen) -> str | None:
    """Judge the weeks of a domain that were not judged before.

    Parameters
    ----------
    spec : ModelSpec
    order : BacktestOrder
    store : WeekStore
    screen : Screen

    Returns
    -------
    str or None
        Why not one week could be judged.
    """
    origins = order.origins()
    names = [str(origin.astype("datetime64[D]")) for origin in origins]
    missing = [at for at, name in zip(origins, names, strict=True) if not store.has(spec.domain, name)]
    if not missing:
        screen.show_line(f"All {len(origins)} weeks were judged before.")
        return None
    reason = None
    with screen.progress() as progress:
        progress("features of the whole history", 0.0)
        dataset = build_dataset(order.history, spec, order.end)
        model = WeeklyModel(order.history, dataset, spec, order.seed)
        for number, at in enumerate(missing):
            name = str(at.astype("datetime64[D]"))
            progress(f"week of {name}", number / len(missing))
            try:
                store.keep(spec.domain, name, model.judge_week(at, order.judges(spec.domain)))
            except NotEnoughHitsError as error:
                reason = f"week of {name}: {error}"
    return reason if not any(store.has(spec.domain, name) for name in names) else None


def _finish(
    order: BacktestOrder,
    domains: list[str],
    store: WeekStore,
    skipped: Mapping[str, str],
    folder: Path,
    settings: Settings,
    screen: Screen,
) -> None:
    tables = store.tables(domains, [str(at.astype("datetime64[D]")) for at in order.origins()])
    if not len(tables["found"]):
        raise TrainingError("not one week could be judged", hint="; ".join(skipped.values()) or "add history")
    summary = summarise(tables["found"])
    page = write_page(tables, skipped, _command(), _notes(order))
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet", index=False)
    summary.to_csv(folder / "summary.csv", index=False)
    (folder / "report.md").write_text(page, encoding="utf-8")
    tracker = ModelTracker(settings)
    with tracker.run("backtest", f"backtest of {order.weeks} weeks of {order.history.directory.name}") as run:
        run.log_parameters({"weeks": order.weeks, "seed": order.seed, "budgets": order.shares, "key": store.key})
        run.log_history(order.history.directory.name, order.history.digest, order.history.directory)
        run.log_metrics(_metrics(summary))
        run.log_text("report.md", page)
        run.log_text("summary.csv", summary.to_csv(index=False))
        for domain in tables["found"]["domain"].unique():
            for name, figure in picture_domain(domain, tables).items():
                figure.savefig(folder / f"{domain}_{name}.png", dpi=144)
                run.log_figure(f"{domain}_{name}", figure)
    screen.console.rule("[bold]Backtest", align="left")
    for name in tables["found"]["domain"].unique():
        screen.show_line(headline(name, tables["found"]))
    screen.show_line(f"Report, tables and pictures lie in {folder}; MLflow run {run.run_id}.")


def _metrics(summary: pd.DataFrame) -> dict[str, float]:
    return {
        f"{row['domain']}/{row['part']}/{row['scorer']}/{figure}_at_{row['share'] * 100:g}pct": row[figure]
        for row in summary.to_dict("records")
        for figure in ("recall", "precision")
        if not np.isnan(row[figure])
    }


def _notes(order: BacktestOrder) -> list[str]:
    return [
        f"{order.weeks} weeks, the first from {order.origins()[0].astype('datetime64[D]')} on; seed {order.seed}; "
        f"history {order.history.digest}.",
        "Every week trees are fitted on the outcomes known at its beginning; the number of trees and the calibration "
        f"are chosen anew every {CALIBRATE_EVERY} weeks. Profiles are folded once: each is as known just before its "
        "crossing, so it is valid for every origin.",
        "A budget is a share of the week's crossings that the domain applies to, inspected or not; equal scores at "
        "the threshold share what is left.",
        "Figures pool the selections of all weeks. Those on inspected crossings tell how well a scorer agrees with "
        "past selection; the lot and the truth tell of all traffic.",
    ]


def _key_of(order: BacktestOrder, specs: list[ModelSpec]) -> dict[str, Any]:
    return {
        "history": order.history.digest,
        "specs": {spec.domain: spec.text for spec in specs},
        "seed": order.seed,
        "shares": order.shares,
        "baselines": order.with_baselines,
        "judged_on": [name for name in ("truth", "bayes") if getattr(order, name) is not None],
        "version": __version__,
    }


def _column(frame: pd.DataFrame | None, domain: str) -> Mapping[str, Any] | None:
    if frame is None or domain not in frame.columns:
        return None
    return {str(crossing_id): value for crossing_id, value in frame[domain].items()}


def _command() -> str:
    return shlex.join(["python", "-m", "training.backtest", *sys.argv[1:]])


def main() -> None:
    """Run the program; a known error is one readable line and exit code 2."""
    app = typer.Typer(add_completion=False)
    app.command()(backtest)
    run_program(app)


if __name__ == "__main__":
    main()
