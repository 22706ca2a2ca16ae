"""Texts that an operator types and an auditor reads in the log: one line, nothing hidden in it."""

from __future__ import annotations

from chekara.errors import ConfigurationError

LONGEST = 256


def readable(text: str, *, where: str) -> str:
    """Return a name or a reason without the spaces around it.

    Parameters
    ----------
    text : str
    where : str
        Option that it came with.

    Raises
    ------
    ConfigurationError
        It is no UTF-8, is longer than 256 characters, says nothing, or holds control, bidirectional or invisible
        characters: each of them could forge a line of a log, or show another name than the one that is stored.

    Examples
    --------
    >>> readable(" Айгүл Т. ", where="holder")
    'Айгүл Т.'
    """
    found = text.strip()
    if not found.isprintable():
        raise ConfigurationError(
            "this text holds characters that nobody sees", where=where, hint="one line of plain UTF-8 text"
        )
    if not any(letter.isalnum() for letter in found):
        raise ConfigurationError("this text says nothing", where=where, hint="letters or digits")
    if len(found) > LONGEST:
        raise ConfigurationError("this text is too long", where=where, hint=f"at most {LONGEST} characters")
    return found
