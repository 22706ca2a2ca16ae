"""``chekara score``: the champions of an installation over a folder of history files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from chekara.adapters.database import Database
from chekara.adapters.policies import policy_that_serves
from chekara.adapters.reading import load_serving, open_to_read
from chekara.adapters.score_files import check_target, write_scores
from chekara.adapters.watch_lists import SqlWatchLists
from chekara.data.history_screen import show_history
from chekara.data.identity import EntityTokens, load_entity_secret
from chekara.data.sources import load_history
from chekara.domain.vocabulary import Lane
from chekara.modelling.model import Model
from chekara.policy import Policy
from chekara.service.match_rules import MatchPolicyRules
from chekara.service.score_history import score_history, score_schema
from chekara.settings import Settings


def score_folder(settings: Settings, directory: Path, out: Path, *, since: datetime | None, console: Console) -> None:
    """Score a history with what serves, profiles from the folder alone, and say what was done.

    Parameters
    ----------
    settings : Settings
        Whose champions; its database is only read.
    directory : Path
        History files.
    out : Path
        ``.parquet`` or ``.csv``.
    since : datetime with offset, optional
        Report only crossings known at or after it.
    console : Console

    Raises
    ------
    ConfigurationError
        The file cannot be written, or the policy is wrong.
    NotReadyError
        No domain has a verified champion.
    HistoryError
        The history cannot be read, or holds no usable crossing.
    """
    check_target(out)
    database = open_to_read(settings)
    policy = policy_that_serves(settings, database)
    rules, tokens = rules_of(settings, database, policy)
    champions = _show_champions(settings, database, policy, console)
    history = load_history(directory, tokens=tokens)
    show_history(history, console)
    lanes: dict[str, int] = dict.fromkeys(Lane, 0)
    columns = (TextColumn("scoring"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        task = bars.add_task("", total=None)
        tables = score_history(
            history,
            champions,
            policy,
            rules=rules,
            since=since,
            progress=lambda done, total: bars.update(task, completed=done, total=total),
        )
        n_rows = write_scores(_counted(tables, lanes), score_schema(champions), out)
    shares = ", ".join(f"{lane} {count / max(n_rows, 1):.1%}" for lane, count in lanes.items())
    console.print(f"Wrote {n_rows:,} crossings to {out}: {shares}.", highlight=False)


def rules_of(settings: Settings, database: Database, policy: Policy) -> tuple[MatchPolicyRules, EntityTokens | None]:
    """Return a policy's rules as they are matched with a history, and what its ids have to be turned into.

    Watch lists hold tokens, as they stand now: where a rule names one, the history's ids become tokens, too.

    Parameters
    ----------
    settings : Settings
    database : Database
    policy : Policy
    """
    if all(rule.watch_list is None for rule in policy.rules.rules):
        return MatchPolicyRules(policy), None
    lists = dict(SqlWatchLists(database))
    return MatchPolicyRules(policy, lists=lists), EntityTokens(load_entity_secret(settings))


def _show_champions(settings: Settings, database: Database, policy: Policy, console: Console) -> Mapping[str, Model]:
    """Load what serves, and say which domains are left out and why."""
    found, problems = load_serving(database, settings, policy)
    for domain, model in found.items():
        console.print(f"{domain}: version {model.identity.version}, {model.identity.digest}", highlight=False)
    for problem in problems:
        console.print(f"[yellow]Refused[/] {problem}", highlight=False)
    missing = [domain for domain in policy.domains if domain not in found]
    if missing:
        console.print(f"[yellow]Left out[/], no champion: {', '.join(missing)}", highlight=False)
    return found


def _counted(tables: Iterator[Any], lanes: dict[str, int]) -> Iterator[Any]:
    for table in tables:
        for entry in table["lane"].value_counts().to_pylist():
            lanes[entry["values"]] += entry["counts"]
        yield table
