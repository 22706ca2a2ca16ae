"""The edge of every program: a known error is one readable line, never a traceback; tables are told whole."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape

from chekara.errors import ChekaraError

_COLUMNS_ELSEWHERE = 160
"""Columns of what goes to a file or a pipe: the widest table, of five scorers with intervals, is whole."""


def open_console() -> Console:
    """Open the console that a program prints on.

    Returns
    -------
    rich.console.Console
        As wide as the terminal; elsewhere, where rich would take 80 columns and cut tables, 160. The variable
        ``COLUMNS`` overrides both.

    Examples
    --------
    >>> open_console().width >= 20
    True
    """
    console = Console()
    if not console.is_terminal and not os.environ.get("COLUMNS"):
        console.width = _COLUMNS_ELSEWHERE
    return console


@contextmanager
def left_out(package: str) -> Iterator[None]:
    """Let a package look absent to what is imported within, if nobody imported it before.

    Libraries import what they find, for parts of theirs that a program may never use: LightGBM takes scikit-learn
    along, which is an eighth of a scorer's memory and a second of its start.

    Parameters
    ----------
    package : str
        Top-level name.
    """
    if package in sys.modules:
        yield
        return
    sys.modules[package] = None  # type: ignore[assignment]  # how Python marks what is not to be imported
    try:
        yield
    finally:
        del sys.modules[package]


def run_program(program: Callable[[], object]) -> None:
    """Run a program; an error raised on purpose is told in one line on stderr and ends it with exit code 2.

    Examples
    --------
    >>> run_program(lambda: None)
    """
    try:
        program()
    except ChekaraError as error:
        told = f"[bold red]{error.title}[/]: {escape(str(error))}"
        Console(stderr=True).print(told, highlight=False, soft_wrap=True)  # one line, however long
        sys.exit(2)
