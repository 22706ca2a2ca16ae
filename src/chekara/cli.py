"""The command line: ``chekara --help``. Each command is a few lines over one function of the library."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from chekara.programs import left_out, open_console, run_program
from chekara.settings import Settings

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Risk profiling for border crossings.")
keys_app = typer.Typer(no_args_is_help=True, help="Access keys of systems and people.")
audit_app = typer.Typer(no_args_is_help=True, help="The decision log.")
app.add_typer(keys_app, name="keys")
app.add_typer(audit_app, name="audit")
profiles_app = typer.Typer(no_args_is_help=True, help="What is known of traders, carriers and goods, for live scores.")
app.add_typer(profiles_app, name="profiles")
policy_app = typer.Typer(no_args_is_help=True, help="Lanes, agencies, and what holds while the service is away.")
app.add_typer(policy_app, name="policy")
watchlist_app = typer.Typer(no_args_is_help=True, help="Entities that somebody looks for, by token.")
app.add_typer(watchlist_app, name="watchlist")
lot_app = typer.Typer(no_args_is_help=True, help="Controls drawn at random: seeds, proof, and whether they are done.")
app.add_typer(lot_app, name="lot")

History = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of history files.")]


@app.command()
def simulate(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write; made if it is not there.")],
    months: Annotated[int, typer.Option(min=1, help="Months of traffic.")] = 12,
    per_day: Annotated[int, typer.Option(min=1, help="Crossings a day.")] = 100,
    seed: Annotated[int, typer.Option(help="Same seed, same border.")] = 1,
    world: Annotated[Path | None, typer.Option(help="World file (TOML); default the one that ships.")] = None,
) -> None:
    """Make a border with known truth: history files, truth.parquet and bayes.parquet."""
    from pyarrow import parquet
    from rich.progress import Progress

    from chekara.data.simulate import BAYES_FILE, TRUTH_FILE, simulate_border

    console = open_console()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task("A border lives", total=1.0)
        simulate_border(
            out,
            months=months,
            per_day=per_day,
            seed=seed,
            world=world,
            progress=lambda share: bars.update(task, completed=share),
        )
    crossings, results = (parquet.read_metadata(out / f).num_rows for f in (TRUTH_FILE, "inspections.parquet"))
    said = f"Wrote {crossings:,} crossings and {results:,} results to {out}; what is true of each: {TRUTH_FILE}"
    console.print(f"{said} and {BAYES_FILE}.", highlight=False, soft_wrap=True)


@app.command()
def check(
    directory: History,
    mapping: Annotated[Path | None, typer.Option(help="Mapping file (TOML) for a foreign table.")] = None,
) -> None:
    """Validate a history, count what is refused and why, and look for leakage."""
    from chekara.data.report import check_history

    report = check_history(directory, mapping=mapping)
    report.show(open_console())
    raise typer.Exit(1 if report.has_violations else 0)


@app.command("map")
def map_command(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of foreign tables.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write contract files to.")],
    mapping: Annotated[Path | None, typer.Option(help="Mapping file; default: a shipped one that fits.")] = None,
) -> None:
    """Bring a foreign table to the contract with a mapping file, without code."""
    from chekara.data.history_screen import show_history
    from chekara.data.sources import map_history

    console = open_console()
    history = map_history(directory, out, mapping=mapping)
    show_history(history, console)
    written = ", ".join(f"{len(frame):,} rows of {table}" for table, frame in history.tables.items() if len(frame))
    console.print(f"Wrote {written or 'no rows'} to {out}.", highlight=False)


@app.command()
def score(
    directory: History,
    out: Annotated[Path, typer.Option(metavar="FILE", help="File to write: .parquet or .csv.")],
    since: Annotated[
        str | None, typer.Option(metavar="INSTANT", help="Report only crossings known from here on; values are alike.")
    ] = None,
) -> None:
    """Score a history as it would have gone live, with the models that serve; the live store is not touched."""
    from chekara.adapters.score_folder import score_folder
    from chekara.data.labels import parse_instant

    instant = None if since is None else parse_instant(since, where="--since")
    score_folder(Settings.from_environment(), directory, out, since=instant, console=open_console())


@app.command()
def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    workers: Annotated[int, typer.Option(min=1, help="Processes; more than one needs PostgreSQL.")] = 1,
    clock: Annotated[
        Literal["live", "replay"], typer.Option(help="replay takes receipt times from the body.")
    ] = "live",
) -> None:
    """Serve scores and the analysts' pages."""
    with left_out("sklearn"):
        from chekara.api.serve import run_server

    run_server(Settings.from_environment(), host=host, port=port, workers=workers, clock=clock)


@keys_app.command("add")
def keys_add(
    agency: Annotated[str, typer.Option(help="Agency of the holder.")],
    role: Annotated[
        str, typer.Option(help="system, inspector, analyst, supervisor, data_scientist, approver, auditor, admin.")
    ],
    holder: Annotated[str, typer.Option(help="Name of the system or person; default: made from agency and role.")] = "",
    scope: Annotated[list[str] | None, typer.Option(help="Extra right, such as reasons. May be repeated.")] = None,
    test: Annotated[bool, typer.Option("--test", help="A test key: what it does goes to a separate log.")] = False,
) -> None:
    """Make a key and print it, once. Only its hash is kept."""
    from chekara.adapters.accounts import add_key

    key = add_key(
        Settings.from_environment(), agency=agency, role=role, holder=holder, scopes=tuple(scope or ()), is_test=test
    )
    typer.echo(key)


@profiles_app.command("load")
def profiles_load(directory: History) -> None:
    """Load a history into the live profiles. The same files again change nothing."""
    from chekara.adapters.profile_load import load_profiles
    from chekara.adapters.profile_screen import progress_on, show_made

    console = open_console()
    with progress_on(console) as progress:
        made = load_profiles(Settings.from_environment(), directory, progress)
    show_made(made, console)


@profiles_app.command("rebuild")
def profiles_rebuild(
    ahead: Annotated[
        bool, typer.Option("--ahead", help="Before an upgrade: beside what serves, for the next start of this version.")
    ] = False,
) -> None:
    """Make the live profiles anew from the loaded histories and the decision log."""
    from chekara.adapters.profile_load import rebuild_ahead, rebuild_profiles
    from chekara.adapters.profile_screen import progress_on, show_made

    console = open_console()
    with progress_on(console) as progress:
        made = (rebuild_ahead if ahead else rebuild_profiles)(Settings.from_environment(), progress)
    show_made(made, console)


@app.command()
def export(
    out: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write; made if it is not there.")],
    since: Annotated[str | None, typer.Option(metavar="INSTANT", help="Only what became known from here on.")] = None,
) -> None:
    """Write live decisions, results, channels and propensities as history files to train on again."""
    from chekara.adapters.export import export_history, sentences_of
    from chekara.data.labels import parse_instant

    instant = None if since is None else parse_instant(since, where="--since")
    written = export_history(Settings.from_environment(), out, since=instant)
    for sentence in sentences_of(written, out):
        open_console().print(sentence, highlight=False)


@audit_app.command("verify")
def audit_verify() -> None:
    """Check the decision log: chain, payloads and signed checkpoints. Exit 1 if anything is wrong."""
    from chekara.adapters.assembly import verify_log_of

    report = verify_log_of(Settings.from_environment())
    report.show(open_console())
    raise typer.Exit(0 if report.is_intact else 1)


@audit_app.command("begin")
def audit_begin(
    reason: Annotated[str, typer.Option(help="Why the file before is lost; every later audit tells it.")],
    by: Annotated[str, typer.Option(metavar="NAME", help="Who says so.")],
) -> None:
    """Begin another file of signed checkpoints where the one before is lost for good; recorded in the log."""
    from chekara.adapters.checkpoints import begin_checkpoints

    begin_checkpoints(Settings.from_environment(), reason=reason, begun_by=by)


@policy_app.command("export-fallback")
def policy_export_fallback(
    out: Annotated[Path, typer.Option(metavar="FILE", help="JSON file to write; it holds the seed: keep it secret.")],
    crossing_point: Annotated[str | None, typer.Option(metavar="P", help="Only for this one; default: all.")] = None,
    lot: Annotated[float, typer.Option(help="Share of crossings that the lot draws, 0.0001 to 1.")] = 0.02,
    days: Annotated[int, typer.Option(help="How long the document holds.")] = 30,
    rules: Annotated[int, typer.Option(help="Most rules of a domain.")] = 10,
    times: Annotated[float, typer.Option(help="A rule's hit rate is above this many times the domain's.")] = 2.0,
    seed: Annotated[
        str | None, typer.Option(metavar="HEX", help="Seed of the lot, for tests; default: random.")
    ] = None,
) -> None:
    """Write static rules and a lot that a border system runs by itself while the service cannot be reached."""
    from chekara.adapters.fallback_tables import export_fallback
    from chekara.policy.fallback import FallbackTerms, seed_from

    terms = FallbackTerms(
        seed=seed_from(seed), lot=lot, days=days, times=times, rules=rules, crossing_point=crossing_point
    )
    made = export_fallback(Settings.from_environment(), out, terms)
    said = f"Wrote {len(made['rules'])} rules of {len(made['models'])} domains to {out}, valid until"
    open_console().print(
        f"{said} {made['valid_until']}. Commitment of the lot's seed, to be published now:", highlight=False
    )
    typer.echo(made["lot"]["commitment"])


Month = Annotated[str, typer.Option(metavar="YYYY-MM", help="The month, in UTC.")]


@policy_app.command("promote")
def policy_promote(
    policy: Annotated[Path, typer.Argument(metavar="POLICY", help="File or folder; a service takes it up in seconds.")],
    proposed_by: Annotated[str, typer.Option(metavar="NAME", help="Who wrote it; never the one who approves.")],
    reason: Annotated[str, typer.Option(help="What it changes and why; it stands in the log.")],
    approver: Annotated[str, typer.Option(metavar="NAME", help="In dev: who answers for it.")] = "",
    approver_key: Annotated[
        str,
        typer.Option(envvar="CHEKARA_APPROVER_KEY", show_envvar=True, help="Key of an approver, outside dev."),
    ] = "",
) -> None:
    """Let a policy serve, on the word of a second person. Its whole text is kept in the log."""
    from chekara.adapters.approver import approver_of
    from chekara.adapters.policies import promote_policy
    from chekara.policy.load import policy_texts

    settings, texts = Settings.from_environment(), policy_texts(policy)
    approved_by = approver_of(settings, approver_key, claimed=approver)
    promoted = promote_policy(settings, texts, proposed_by=proposed_by, approved_by=approved_by, reason=reason)
    said = f"{promoted.name} is promoted, approved by {approved_by}. Its digest:"
    open_console().print(said, highlight=False, soft_wrap=True)
    typer.echo(promoted.policy_digest)


@policy_app.command("check")
def policy_check(policy: Annotated[Path, typer.Argument(metavar="POLICY", help="File or folder.")]) -> None:
    """Read a policy and say what is in it; a mistake is one line that names file, line and key.

    A budget that never counts is no mistake: a warning names it.
    """
    from chekara.policy import load_policy
    from chekara.policy.idle_budgets import idle_budgets

    own = load_policy(policy)
    rules, areas = len(own.rules.rules), len(own.rules.areas)
    said = f"{own.name}: {len(own.domains)} domains, {rules} rules, {areas} areas, {len(own.capacity.budgets)} budgets."
    open_console().print(said, highlight=False)
    for why in idle_budgets(own):
        typer.echo(f"warning: {why}")
    typer.echo(own.digest)


@policy_app.command("compare")
def policy_compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="Policy file or folder.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="The other one.")],
    data: Annotated[Path, typer.Option(metavar="DIR", help="Folder of history files.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Page to write: .html, or .md with its picture beside it.")
    ] = None,
) -> None:
    """Say what would change under another policy: lanes of a history under both, as they would have gone live."""
    from chekara.adapters.policy_folder import compare_folder, write_comparison
    from chekara.service.policy_page import show_comparison
    from chekara.web.comparison import render_comparison

    console = open_console()
    compared = compare_folder(Settings.from_environment(), a, b, data, console)
    show_comparison(compared, console)
    if out is not None:
        console.print(
            f"Wrote {', '.join(map(str, write_comparison(compared, out, render_comparison)))}.", highlight=False
        )


@policy_app.command("dry-run")
def policy_dry_run(
    rules: Annotated[Path, typer.Argument(metavar="RULES", help="TOML file of rules, or a whole policy's folder.")],
    data: Annotated[Path, typer.Option(metavar="DIR", help="Folder of history files.")],
) -> None:
    """Say what rules would have met in a history, before they are activated."""
    from chekara.adapters.policy_folder import dry_run_folder
    from chekara.service.policy_page import show_dry_run

    console = open_console()
    show_dry_run(dry_run_folder(Settings.from_environment(), rules, data, console), console)


@policy_app.command("area-report")
def policy_area_report(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Id of a priority control area of the serving policy.")],
) -> None:
    """Say what a priority control area brought so far, or altogether, beside the lot outside it."""
    from chekara.adapters.area_report import area_report

    area_report(Settings.from_environment(), name).show(open_console())


@policy_app.command("rules")
def policy_rules() -> None:
    """Show what became of the rules of the serving policy, and which are suspended for finding nothing."""
    from chekara.adapters.rule_results import rule_records
    from chekara.service.policy_page import show_rules

    show_rules(rule_records(Settings.from_environment()), open_console())


@watchlist_app.command("add")
def watchlist_add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The list; a rule names it as watch_list.")],
    entity: Annotated[str, typer.Option(metavar="COLUMN", help="Contract column: vehicle_id, importer_id ...")],
    agency: Annotated[str, typer.Option(help="Whose list it is.")],
    reason: Annotated[str, typer.Option(help="Why; it stands in the log.")],
    expires: Annotated[str, typer.Option(metavar="INSTANT", help="When the entries end; with offset.")],
    by: Annotated[str, typer.Option(metavar="NAME", help="Who adds them; it stands in the log.")] = "unnamed",
) -> None:
    """Put the ids of standard input, one a line, on a list. Tokens alone are kept; a running service knows soon."""
    from chekara.adapters.watch_lists import add_to_list, order_of

    order = order_of(name, entity, sys.stdin, ends=expires, agency=agency, added_by=by, reason=reason)
    added = add_to_list(Settings.from_environment(), order)
    open_console().print(f"{added} entries on {name} until {order.ends_at:%Y-%m-%d %H:%M} UTC.", highlight=False)


@lot_app.command("commit")
def lot_commit(
    month: Month,
    by: Annotated[str, typer.Option(metavar="NAME", help="Who commits; it stands in the log.")] = "unnamed",
) -> None:
    """Make the secret seed of a month and write its SHA-256 into the log: from then on the lot draws in that month."""
    from chekara.adapters.lot_publish import commit_lot

    committed = commit_lot(Settings.from_environment(), month, committed_by=by)
    if committed.is_late:
        open_console().print(f"{month} had begun: crossings before {committed.recorded_at:%d %B %H:%M} have no draw.")
    typer.echo(committed.commitment)


@lot_app.command("reveal")
def lot_reveal(
    month: Month,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write for an outsider; made if need be.")],
    by: Annotated[str, typer.Option(metavar="NAME", help="Who publishes; it stands in the log.")] = "unnamed",
) -> None:
    """Publish the seed of a month that is over, with every draw, so that anybody can repeat them."""
    from chekara.adapters.lot_publish import publish_lot

    written = publish_lot(Settings.from_environment(), month, out, revealed_by=by)
    open_console().print(f"Wrote {written:,} draws, their seed and the policy to {out}.", highlight=False)


@lot_app.command("verify")
def lot_verify(
    directory: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="Folder that reveal wrote; default: the log itself.")
    ] = None,
) -> None:
    """Repeat every draw whose seed is published. Exit 1 if one is not what seed and policy give."""
    from chekara.adapters.lot_publish import verify_log_draws, verify_published

    found = verify_log_draws(Settings.from_environment()) if directory is None else verify_published(directory)
    found.show(open_console())
    raise typer.Exit(0 if found.is_sound else 1)


@lot_app.command("status")
def lot_status() -> None:
    """Show what was drawn in 28 days, what of it was done, and where too little was. Exit 1 on an alarm."""
    from chekara.adapters.lot_publish import status_of
    from chekara.service.lot_status import lot_alarms, show_status

    policy, tallies, problem = status_of(Settings.from_environment())
    alarms = lot_alarms(tallies, policy)
    show_status(tallies, alarms, problem, open_console())
    raise typer.Exit(1 if alarms or problem else 0)


def main() -> None:
    """Run the command line; a known error is one readable line and exit code 2."""
    run_program(app)


if __name__ == "__main__":
    main()
