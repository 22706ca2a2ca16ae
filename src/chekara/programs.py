"""The edge of every program: a known error is one readable line, never a traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable

from rich.console import Console
from rich.markup import escape

from chekara.errors import ChekaraError


def run_program(program: Callable[[], object]) -> None:
    """Run a program; an error raised on purpose is told in one line on stderr and ends it with exit code 2.

    Examples
    --------
    >>> run_program(lambda: None)
    """
    try:
        program()
    except ChekaraError as error:
        Console(stderr=True).print(f"[bold red]{error.title}[/]: {escape(str(error))}", highlight=False)
        sys.exit(2)
