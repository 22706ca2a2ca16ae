"""Let a registered model serve: a second person approves it, on an impact assessment.

Outside dev an approver is whoever holds a key of that role: a name alone is no second person. What serves is the newest
promotion record in Chekara's database; MLflow's alias ``champion`` mirrors it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from chekara.adapters.approver import approver_of
from chekara.adapters.assembly import promotion_desk
from chekara.adapters.tracking import ModelTracker
from chekara.programs import open_console, run_program
from chekara.settings import Settings


def promote(
    domain: Annotated[str, typer.Option(help="Risk domain: the name of the registered model.")],
    assessment_id: Annotated[str, typer.Option(help="Impact assessment that the approval rests on.")],
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
) -> None:
    """Let a registered model serve."""
    settings = Settings.from_environment()
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


def main() -> None:
    """Run the program; a known error is one readable line and exit code 2."""
    app = typer.Typer(add_completion=False)
    app.command()(promote)
    run_program(app)


if __name__ == "__main__":
    main()
