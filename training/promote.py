"""Let a registered model serve: a second person approves it, on an impact assessment.

Outside dev an approver is whoever holds a key of that role: a name alone is no second person. What serves is the newest
promotion record in Chekara's database; MLflow's alias ``champion`` mirrors it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from chekara.adapters.accounts import actor_of_key
from chekara.adapters.assembly import promotion_desk
from chekara.adapters.tracking import ModelTracker
from chekara.data.identity import canonical_name
from chekara.domain.actor import Permission, may
from chekara.errors import ConfigurationError, ForbiddenError
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
    if not (settings.is_dev or approver_key):
        approver_key = ask_for_key()
    approved_by = holder_of(settings, approver_key, claimed=approver) if approver_key else approver
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


def ask_for_key() -> str:
    """Ask for an approver's key on the terminal, unseen.

    Raises
    ------
    ConfigurationError
        There is no terminal to ask on.
    """
    if not sys.stdin.isatty():
        raise ConfigurationError(
            "a promotion outside dev needs the key of an approver",
            where="CHEKARA_APPROVER_KEY",
            hint="set the variable, or run it on a terminal and type the key",
        )
    return str(typer.prompt("Key of the approver", hide_input=True))


def holder_of(settings: Settings, key: str, *, claimed: str) -> str:
    """Return the name of an approver by the key.

    Parameters
    ----------
    settings : Settings
    key : str
    claimed : str
        Name that was given beside it; empty for none.

    Raises
    ------
    UnauthenticatedError
        Nobody holds the key, or it was revoked.
    ForbiddenError
        The key is no approver's, or a test key, or another person's than was claimed.
    """
    actor = actor_of_key(settings, key.strip())
    if actor.is_test or not may(actor, Permission.PROMOTE_MODEL):
        raise ForbiddenError("the key is not that of an approver", where="approver", hint="use a key of that role")
    if claimed and canonical_name(claimed) != canonical_name(actor.holder):
        raise ForbiddenError("the key is another person's", where="--approver", hint="leave the name out")
    return actor.holder


def main() -> None:
    """Run the program; a known error is one readable line and exit code 2."""
    app = typer.Typer(add_completion=False)
    app.command()(promote)
    run_program(app)


if __name__ == "__main__":
    main()
