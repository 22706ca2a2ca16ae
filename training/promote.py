"""Let a registered model serve: a second person approves it, on an impact assessment.

What serves is the newest promotion record in Chekara's database; MLflow's alias ``champion`` mirrors it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from chekara.adapters.assembly import promotion_desk
from chekara.adapters.tracking import ModelTracker
from chekara.programs import run_program
from chekara.settings import Settings


def promote(
    domain: Annotated[str, typer.Option(help="Risk domain: the name of the registered model.")],
    approver: Annotated[str, typer.Option(help="The person who answers for it; never the one who trained it.")],
    assessment_id: Annotated[str, typer.Option(help="Impact assessment that the approval rests on.")],
    version: Annotated[str | None, typer.Option(help="Version in the registry.")] = None,
    digest: Annotated[str | None, typer.Option(help="Digest of the bundle, sha256:…")] = None,
) -> None:
    """Let a registered model serve."""
    settings = Settings.from_environment()
    tracker = ModelTracker(settings)
    with tempfile.TemporaryDirectory(prefix="chekara-") as scratch:
        registered = tracker.fetch_bundle(domain, Path(scratch), version=version, digest=digest)
        promotion = promotion_desk(settings)(
            registered.folder, approved_by=approver, assessment_id=assessment_id, is_shortcut=False
        )
    tracker.set_champion(domain, registered.version)
    Console().print(
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
