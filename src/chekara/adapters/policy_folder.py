"""``chekara policy compare`` and ``dry-run``: policies over a folder of history files, before they go live."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from chekara.adapters.policies import SqlPolicies, policy_that_serves
from chekara.adapters.reading import load_serving, open_to_read
from chekara.adapters.score_folder import rules_of
from chekara.data.identity import EntityTokens
from chekara.data.sources import History, load_history
from chekara.domain.vocabulary import Lane
from chekara.errors import ConfigurationError, NotReadyError
from chekara.modelling.model import Model
from chekara.policy import Policy, load_policy
from chekara.policy.load import policy_of, policy_texts
from chekara.policy.rules import RuleText
from chekara.service.dry_run import DryRun, dry_run
from chekara.service.match_rules import MatchPolicyRules
from chekara.service.policy_compare import Comparison, compare_policies, unlearned_results
from chekara.service.policy_page import comparison_page
from chekara.service.score_history import Progress as Told
from chekara.service.score_history import lanes_of_history
from chekara.settings import Settings


def compare_folder(settings: Settings, a: Path, b: Path, directory: Path, console: Console) -> Comparison:
    """Compare two policies over a history, with the models that serve.

    The history stands for what comes: rules that have not ended yet are taken to hold in all of it.

    Parameters
    ----------
    settings : Settings
        Whose champions and watch lists; its database is only read.
    a, b : Path
        Policy files or folders.
    directory : Path
        History files.
    console : Console
        Shows how far it has come.

    Raises
    ------
    ConfigurationError
        A policy cannot be read.
    HistoryError
        The history cannot be read.
    """
    today = datetime.now(UTC)
    first, second = (replace(one, rules=one.rules.held_throughout(today)) for one in (load_policy(a), load_policy(b)))
    policies = (first, second)
    history, champions, pairs = _made_ready(settings, policies, directory)
    with _progress(console) as progress:
        chunks = lanes_of_history(history, champions, pairs, progress=progress)
        return compare_policies(chunks, policies, *unlearned_results(history, _learned_until(champions)))


def write_comparison(
    compared: Comparison, out: Path, html: Callable[[Comparison, bytes | None], str] | None = None
) -> tuple[Path, ...]:
    """Write the page of a comparison, with a picture where matplotlib is there.

    Parameters
    ----------
    compared : Comparison
    out : Path
        ``.md``: the picture lies beside it. ``.html``: one file that holds it, too.
    html : callable, optional
        Makes the page of a comparison and a picture (SVG).

    Returns
    -------
    tuple of Path
        What was written.

    Raises
    ------
    ConfigurationError
        The file cannot be written, or is neither of the two.
    """
    is_html = out.suffix == ".html" and html is not None
    if not is_html and out.suffix != ".md":
        raise ConfigurationError("a page is .md or .html", where="--out", hint="name one of them")
    picture = _picture(compared, "svg" if is_html else "png")
    beside = None if picture is None or is_html else out.with_suffix(".png")
    try:
        if html is not None and is_html:
            out.write_text(html(compared, picture), "utf-8")
        else:
            out.write_text(comparison_page(compared, None if beside is None else beside.name), "utf-8")
        if beside is not None and picture is not None:
            beside.write_bytes(picture)
    except OSError as error:
        raise ConfigurationError(f"the page cannot be written: {error.strerror}", where="--out") from None
    return (out,) if beside is None else (out, beside)


def _picture(compared: Comparison, kind: str) -> bytes | None:
    if find_spec("matplotlib") is None:  # the train extra
        return None
    from chekara.evaluation.policy_plots import compared_plot, drawn  # noqa: PLC0415

    return drawn(compared_plot(_groups(compared), names=compared.names, title="What is asked for"), kind)


def _groups(compared: Comparison) -> list[tuple[str, float, float]]:
    """Sum over crossing points: what each agency is asked for in each lane, a day."""
    found: dict[tuple[str, Lane], tuple[float, float]] = {}
    for row in compared.rows:
        a, b = found.get((row.agency, row.lane), (0.0, 0.0))
        found[row.agency, row.lane] = (a + row.a.crossings / compared.days, b + row.b.crossings / compared.days)
    in_order = sorted(found, key=lambda own: (own[0], -own[1].strictness))
    return [(f"{agency}, {lane.value}", *found[agency, lane]) for agency, lane in in_order]


def dry_run_folder(settings: Settings, rules: Path, directory: Path, console: Console) -> tuple[DryRun, ...]:
    """Say what rules would have met in a history, beside the policy and the models that serve.

    Their dates are passed over: a rule that is tried begins after its history.

    Parameters
    ----------
    settings : Settings
    rules : Path
        TOML file of ``[[rules]]``, and of ``[[risks]]`` where they stand on new ones; or a whole policy's folder.
    directory : Path
        History files.
    console : Console
        Shows how far it has come.

    Raises
    ------
    ConfigurationError
        The rules cannot be read.
    HistoryError
        The history cannot be read.
    """
    serving = _serving(settings)
    candidate = load_policy(rules) if rules.is_dir() else policy_of(_beside(settings, rules))
    candidate = replace(candidate, rules=candidate.rules.held_throughout())
    alone = replace(serving, rules=RuleText())
    history, champions, pairs = _made_ready(settings, (alone, candidate), directory)
    results, notice = unlearned_results(history, _learned_until(champions))
    if notice:
        console.print(notice, style="bold", highlight=False, soft_wrap=True)
    with _progress(console) as progress:
        chunks = lanes_of_history(history, champions, pairs, progress=progress)
        return dry_run(chunks, candidate.rules.rules, results)


def _learned_until(champions: Mapping[str, Model]) -> datetime | None:
    """Return the instant before which all was known that some of the models learned from."""
    told = [str(model.about["until"]) for model in champions.values() if "until" in model.about]
    return max((datetime.fromisoformat(own).astimezone(UTC) for own in told), default=None)


def _beside(settings: Settings, rules: Path) -> Mapping[str, str]:
    """Return the main file and the risks of the policy that serves, and the rules beside them."""
    own = settings.policy_path
    texts = policy_texts(own) if own is not None else _promoted_texts(settings)
    main, *_ = texts
    kept = {name: text for name, text in texts.items() if name == main or name.startswith("risks/")}
    return kept | {f"rules/{name}": text for name, text in policy_texts(rules).items()}


def _promoted_texts(settings: Settings) -> Mapping[str, str]:
    try:
        database = open_to_read(settings)
    except NotReadyError:
        return policy_texts()
    try:
        newest = SqlPolicies(database).newest()
    finally:
        database.close()
    return policy_texts() if newest is None else newest.texts


def _serving(settings: Settings) -> Policy:
    try:
        database = open_to_read(settings)
    except NotReadyError:
        return load_policy(settings.policy_path)
    try:
        return policy_that_serves(settings, database)
    finally:
        database.close()


def _made_ready(
    settings: Settings, policies: tuple[Policy, Policy], directory: Path
) -> tuple[History, Mapping[str, Model], list[tuple[Policy, MatchPolicyRules]]]:
    """Load the history, what serves, and the rules of both policies as they are matched with it."""
    try:
        database = open_to_read(settings)
    except NotReadyError:  # nothing was trained here: rules alone are compared
        return load_history(directory), {}, [(policy, MatchPolicyRules(policy)) for policy in policies]
    tokens: EntityTokens | None = None
    pairs = []
    for policy in policies:
        rules, own_tokens = rules_of(settings, database, policy)
        tokens = own_tokens or tokens
        pairs.append((policy, rules))
    found, _ = load_serving(database, settings, policies[0])
    champions = {domain: model for domain, model in found.items() if domain in policies[1].domains}
    return load_history(directory, tokens=tokens), champions, pairs


@contextmanager
def _progress(console: Console) -> Iterator[Told]:
    columns = (TextColumn("scoring"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task("", total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
