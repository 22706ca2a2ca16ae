"""Watch over live decisions: drift, calibration on the lot, what came of selections, groups, reviews.

Read-only: it looks at the log of an installation, also while the service writes to it, and changes no model,
calibration or policy. Decisions of the champion that serves are told; those of other models are counted and not mixed
in. Group attributes are read from their own file, by this program alone.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from chekara.adapters.live_decisions import FEATURES_OF_MOST, read_live_decisions
from chekara.adapters.policies import policy_that_serves
from chekara.adapters.reading import load_serving, open_to_read
from chekara.adapters.tracking import ModelTracker
from chekara.data.files import read_raw
from chekara.data.labels import parse_instant
from chekara.errors import ConfigurationError, HistoryError, NotReadyError
from chekara.policy import Policy
from chekara.programs import open_console, run_program
from chekara.settings import Settings
from training._monitor_alarms import Thresholds, alarms_of
from training._monitor_domain import WatchedModel, watch_domain
from training._monitor_page import MonitorReport, metrics_of, page_of, pictures_of, plain_report
from training._screen import Screen

ALARMED = 3
"""Exit code of ``--fail-on-alarm``."""
_MOST_GROUPS = 50


def monitor(
    since: Annotated[str, typer.Option(metavar="INSTANT", help="Crossings scored at or after it.")] = "",
    until: Annotated[str, typer.Option(metavar="INSTANT", help="What was known before it; default: now.")] = "",
    domain: Annotated[list[str] | None, typer.Option(help="Only this domain; may be repeated.")] = None,
    groups: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Group attributes by crossing_id, Parquet or CSV.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder to write; default: monitor under CHEKARA_HOME.")
    ] = None,
    threshold: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="Of an alarm; repeatable.")] = None,
    sample: Annotated[int, typer.Option(min=1, help="Most decisions whose features are read.")] = FEATURES_OF_MOST,
    seed: Annotated[int, typer.Option(help="Same seed, same figures.")] = 1,
    fail_on_alarm: Annotated[bool, typer.Option("--fail-on-alarm", help="End with exit code 3 on an alarm.")] = False,
) -> None:
    """Tell what live decisions say of the models that serve; changes nothing."""
    settings, screen = Settings.from_environment(), Screen(open_console())
    begin, end = parse_time(since, until)
    thresholds = Thresholds().changed(threshold or [])
    attributes = None if groups is None else read_groups(groups)
    policy, models, problems = _serving(settings)
    report = watch(
        settings,
        policy,
        chosen_models(models, domain or []),
        begin,
        end,
        thresholds=thresholds,
        groups=attributes,
        sample=sample,
        seed=seed,
        problems=problems,
    )
    _publish(report, out or settings.home / "monitor", settings, screen)
    if fail_on_alarm and report.alarms:
        raise typer.Exit(ALARMED)


def watch(
    settings: Settings,
    policy: Policy,
    models: Mapping[str, WatchedModel],
    since: datetime | None,
    until: datetime,
    *,
    thresholds: Thresholds | None = None,
    groups: pd.DataFrame | None = None,
    sample: int = FEATURES_OF_MOST,
    seed: int = 1,
    problems: Sequence[str] = (),
) -> MonitorReport:
    """Look at the live log of an installation.

    Parameters
    ----------
    settings : Settings
    policy : Policy
        That serves.
    models : mapping of str to WatchedModel
        Champions by domain.
    since, until : datetime with offset
        As in `chekara.adapters.live_decisions.read_live_decisions`.
    thresholds : Thresholds, optional
    groups : DataFrame, optional
        Of `read_groups`.
    sample, seed : int
        Most decisions whose features are read, and which.
    problems : sequence of str
        Why promoted models could not be loaded.

    Raises
    ------
    NotReadyError
        There is no database yet.
    """
    limits, database = thresholds or Thresholds(), open_to_read(settings)
    try:
        live = read_live_decisions(database, since, until, sample=sample, seed=seed)
    finally:
        database.close()
    domains = tuple(
        watch_domain(live, domain, model, policy, limits, groups=groups) for domain, model in sorted(models.items())
    )
    return MonitorReport(
        since=since,
        until=until,
        crossings=len(live.decisions),
        withdrawn=live.withdrawn,
        domains=domains,
        alarms=tuple(alarm for one in domains for alarm in alarms_of(one, limits)),
        thresholds=limits,
        problems=tuple(problems),
    )


def parse_time(since: str, until: str) -> tuple[datetime | None, datetime]:
    """Read the time that is looked at; empty texts are the beginning, and now.

    Raises
    ------
    ConfigurationError
        Not instants with offset, or the end is not after the beginning.
    """
    begin = parse_instant(since, where="--since").astimezone(UTC) if since else None
    end = parse_instant(until, where="--until").astimezone(UTC) if until else datetime.now(UTC)
    if begin is not None and begin >= end:
        raise ConfigurationError("the end is not after the beginning", where="--since, --until")
    return begin, end


def read_groups(path: Path) -> pd.DataFrame:
    """Read group attributes, by ``crossing_id``; every other column is an attribute.

    Raises
    ------
    HistoryError
        No such file, no column ``crossing_id``, no attribute, a crossing that comes twice, or an attribute with so many
        values that it tells of persons, not of groups.
    """
    if not path.is_file():
        raise HistoryError("no such file", where="--groups")
    frame = read_raw(path).astype("str")
    if "crossing_id" not in frame.columns:
        raise HistoryError("group attributes are told by crossing", where=path.name, hint="add a column crossing_id")
    if len(frame.columns) == 1:
        raise HistoryError("there is no attribute beside crossing_id", where=path.name)
    if frame["crossing_id"].duplicated().any():
        raise HistoryError("a crossing comes twice", where=f"{path.name}: crossing_id", hint="one row per crossing")
    frame = frame.set_index("crossing_id")
    for name in frame.columns:
        if frame[name].nunique() > _MOST_GROUPS:
            raise HistoryError(
                f"more than {_MOST_GROUPS} groups", where=f"{path.name}: {name}", hint="an attribute has few values"
            )
    return frame


def chosen_models(models: Mapping[str, WatchedModel], domains: Sequence[str]) -> Mapping[str, WatchedModel]:
    """Return the champions that are asked for; all where none is named.

    Raises
    ------
    NotReadyError
        None serves, or none in a domain that is named.
    """
    if not models:
        raise NotReadyError("no model serves", where="CHEKARA_HOME", hint="train and promote one first")
    absent = sorted(set(domains) - set(models))
    if absent:
        raise NotReadyError("no model serves in this domain", where="--domain", hint=f"serving: {', '.join(models)}")
    return {name: model for name, model in models.items() if not domains or name in domains}


def _serving(settings: Settings) -> tuple[Policy, Mapping[str, WatchedModel], tuple[str, ...]]:
    database = open_to_read(settings)
    policy = policy_that_serves(settings, database)
    models, problems = load_serving(database, settings, policy)
    return policy, models, problems


def _publish(report: MonitorReport, folder: Path, settings: Settings, screen: Screen) -> None:
    command = shlex.join(["python", "-m", "training.monitor", *sys.argv[1:]])
    page, plain = page_of(report, command), json.dumps(plain_report(report), indent=1, allow_nan=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "report.md").write_text(page, encoding="utf-8")
        (folder / "monitor.json").write_text(plain + "\n", encoding="utf-8")
    except OSError:
        raise ConfigurationError("the folder cannot be written", where="--out") from None
    with ModelTracker(settings).run("monitor", f"monitor of {report.crossings:,} crossings") as run:
        run.log_parameters({"since": report.since, "until": report.until})
        run.log_parameters({f"{one.domain}_digest": one.model.digest for one in report.domains})
        run.log_metrics(metrics_of(report))
        run.log_text("report.md", page)
        run.log_text("monitor.json", plain)
        for name, figure in pictures_of(report).items():
            figure.savefig(folder / f"{name}.png", dpi=144)
            run.log_figure(name, figure)
    for alarm in report.alarms:
        screen.console.print(f"[bold red]{alarm.code}[/] {alarm.domain}: ", end="")
        screen.console.print(alarm.sentence, markup=False, highlight=False)
    for one in report.domains:
        verdict = one.calibration.verdict
        screen.show_line(f"{one.domain}: {one.decisions:,} decisions of the champion; calibration {verdict}.")
    screen.show_line(
        f"{len(report.alarms)} alarms. Report, data and pictures lie in {folder}; MLflow run {run.run_id}."
    )


def main() -> None:
    """Run the program; a known error is one readable line and exit code 2."""
    app = typer.Typer(add_completion=False)
    app.command()(monitor)
    run_program(app)


if __name__ == "__main__":
    main()
