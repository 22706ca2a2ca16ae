"""How loading and rebuilding profiles shows on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import Progress, TaskID

from chekara.adapters.profile_fill import Progress as Told
from chekara.adapters.profile_load import ProfilesMade
from chekara.data.history_screen import show_history


@contextmanager
def progress_on(console: Console) -> Iterator[Told]:
    """Show progress while profiles are made: one bar for each thing that is done."""
    with Progress(console=console, transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def told(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=of)
            bars.update(tasks[what], completed=done, total=of)

        yield told


def show_made(made: ProfilesMade, console: Console) -> None:
    """Say what was done."""
    if made.history is not None:
        show_history(made.history, console)
    if made.was_loaded_before:
        console.print("This history is part of the profiles already; nothing was changed.")
        return
    if made.is_needless:
        console.print("The profiles that serve have the layout of this version and policy; nothing was made ahead.")
        return
    console.print(
        f"Profiles made of {made.crossings:,} loaded crossings, {made.results:,} loaded results "
        f"and {made.live_events:,} live events.",
        highlight=False,
    )
    if made.is_ahead:
        console.print("They serve as soon as a service of this version and policy starts.")
    if made.left_out:
        console.print(
            f"[bold]{made.left_out:,} rows are known more than a day from now and were left out:[/] a wrong clock or "
            "year (`chekara check` counts them). They count once their time has come, from the next "
            "`chekara profiles rebuild` on; mended rows can be loaded from another folder.",
            highlight=False,
        )
    if made.known_to is not None and made.known_to > datetime.now(UTC):
        console.print(
            f"[bold]The newest became known at {made.known_to:%Y-%m-%d %H:%M} UTC, which is still to come:[/] "
            "until then live crossings count as known just after that instant."
        )
