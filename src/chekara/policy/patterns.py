"""Regular expressions of rules: the part of them that cannot take long, whatever text it meets.

A repetition is of one character or class, never of a group; one alone may be of any length, and there are few optional
characters and alternatives. A search then costs at most the square of the text's length, times a small number, and the
length is bounded at the door.
"""

from __future__ import annotations

import re
from typing import Final

from chekara.errors import ConfigurationError

LONGEST_PATTERN: Final = 200
MOST: Final = {"open-ended repetitions": 1, "optional characters and alternatives": 4}
_TOKEN = re.compile(
    r"(?P<escape>\\[dDwWsSbB.^$*+?()\[\]{}|\\/-])"
    r"|(?P<set>\[\^?\]?(?:\\.|[^\]\\])*\])"
    r"|(?P<open>\((?:\?:)?)|(?P<close>\))|(?P<bar>\|)"
    r"|(?P<repeat>[*+?]|\{\d{1,3}(?:,\d{0,3})?\})"
    r"|(?P<plain>[^\\\[\](){}|*+?])",
    re.DOTALL,
)


def compile_pattern(text: str) -> re.Pattern[str]:
    r"""Compile a regular expression that ignores case, if it cannot take long.

    Parameters
    ----------
    text : str
        Literals, ``.``, ``^``, ``$``, classes, ``\d \w \s \b``, alternatives in groups, and repetitions of a single
        character or class, one of them open-ended.

    Raises
    ------
    ConfigurationError
        It is no regular expression, or one that might take long.

    Examples
    --------
    >>> compile_pattern(r"\bused tyres?\b").search("USED TYRE, 205/55") is not None
    True
    >>> compile_pattern("(a+)+$")
    Traceback (most recent call last):
    chekara.errors.ConfigurationError: only a character or a class is repeated: anything else can take very long
    """
    if len(text) > LONGEST_PATTERN:
        raise ConfigurationError(f"the pattern is longer than {LONGEST_PATTERN} characters")
    place, before = 0, ""
    counts = dict.fromkeys(MOST, 0)
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise ConfigurationError("the pattern uses what is not allowed here", hint="see docs/policy.md")
        kind = found.lastgroup or ""
        if kind == "repeat" and before not in ("plain", "set", "escape"):
            raise ConfigurationError("only a character or a class is repeated: anything else can take very long")
        _count(counts, kind, found[0])
        place, before = found.end(), kind
    try:
        return re.compile(text, re.IGNORECASE)
    except re.error:
        raise ConfigurationError("not a regular expression") from None


def _count(counts: dict[str, int], kind: str, written: str) -> None:
    if kind == "bar" or written == "?":
        counts["optional characters and alternatives"] += 1
    elif kind == "repeat" and not re.fullmatch(r"\{\d+\}", written):
        counts["open-ended repetitions"] += 1
    for what, most in MOST.items():
        if counts[what] > most:
            raise ConfigurationError(f"the pattern has too many {what}", hint=f"at most {most}; split it")
