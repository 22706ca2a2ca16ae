"""Let a registered model serve: a second person approves it, on an impact assessment.

Outside dev an approver is whoever holds a key of that role: a name alone is no second person. What serves is the newest
promotion record in Chekara's database; MLflow's alias ``champion`` mirrors it. The service never talks to MLflow: after
promotions and rollbacks by the API ``--mirror`` brings the aliases in line.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from chekara.adapters.approver import approver_of
from chekara.adapters.assembly import promotion_desk
from chekara.adapters.promotions import SqlPromotions
from chekara.adapters.reading import open_to_read
from chekara.adapters.tracking import ModelTracker
from chekara.errors import ConfigurationError
from chekara.programs import open_console, run_program
from chekara.settings import Settings


def promote(
    domain: Annotated[str, typer.Option(help="Risk domain: the name of the registered model.")] = "",
    assessment_id: Annotated[str, typer.Option(help="Impact assessment that the approval rests on.")] = "",
    approver: Annotated[
        str, typer.Option(help="In dev: the person who answers for it; never the one who trained it.")
    ] = "",
    approver_key: Annotated[
        str,
        typer.Option(
            envvar="CHEKARA_APPROVER_KEY",
            show_envvar=True,
            help="Key of an approver, who answers for it; asked for outside dev. An option is seen by everybody on the "
            "machine: use the variable or the prompt.",
        ),
    ] = "",
    version: Annotated[str | None, typer.Option(help="Version in the registry.")] = None,
    digest: Annotated[str | None, typer.Option(help="Digest of the bundle, sha256:…")] = None,
    mirror: Annotated[
        bool, typer.Option("--mirror", help="Promote nothing: point MLflow's aliases at what serves.")
    ] = False,
) -> None:
    """Let a registered model serve."""
    settings = Settings.from_environment()
    if mirror:
        for sentence in mirror_aliases(settings):
            open_console().print(sentence, highlight=False)
        return
    if not domain:
        raise ConfigurationError("a promotion is of a domain", where="--domain", hint="or use --mirror")
    approved_by = approver_of(settings, approver_key, claimed=approver)
    tracker = ModelTracker(settings)
    with tempfile.TemporaryDirectory(prefix="chekara-") as scratch:
        registered = tracker.fetch_bundle(domain, Path(scratch), version=version, digest=digest)
        promotion = promotion_desk(settings)(
            registered.folder, approved_by=approved_by, assessment_id=assessment_id, is_shortcut=False
        )
    tracker.set_champion(domain, registered.version)
    open_console().print(
        f"{domain} version {registered.version} serves from now on: {promotion.model.digest}, "
        f"approved by {promotion.approved_by} on assessment {promotion.assessment_id}.",
        highlight=False,
    )


def mirror_aliases(settings: Settings) -> Iterator[str]:
    """Point the alias ``champion`` of every domain at what serves; a sentence for each.

    Parameters
    ----------
    settings : Settings

    Raises
    ------
    NotReadyError
        There is no database yet.
    """
    database, tracker = open_to_read(settings), ModelTracker(settings)
    try:
        serving = SqlPromotions(database).serving()
    finally:
        database.close()
    for domain, promotion in sorted(serving.items()):
        version = tracker.mirror_champion(domain, promotion.model.digest)
        if version is None:
            yield f"{domain}: {promotion.model.digest} serves and is not registered here; the alias stays as it is."
        else:
            yield f"{domain}: the alias champion is version {version}, {promotion.model.digest}."


def main() -> None:
    """Run the program; a known error is one readable line and exit code 2."""
    app = typer.Typer(add_completion=False)
    app.command()(promote)
    run_program(app)


if __name__ == "__main__":
    main()
