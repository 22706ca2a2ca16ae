"""TOML files that people write: parsed, and with the line of each key, so that an error can point at it."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from typing import Any

from chekara.errors import ConfigurationError

_TABLE = re.compile(r"^\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""^\s*((?:"[^"]*"|'[^']*'|[\w-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[\w-]+))*)\s*=""")
_PART = re.compile(r""""([^"]*)"|'([^']*)'|([\w-]+)""")

Key = tuple[str | int, ...]


def parse_toml(text: str, where: str) -> dict[str, Any]:
    """Parse a TOML text.

    Parameters
    ----------
    text : str
    where : str
        Name of the file, for the error.

    Raises
    ------
    ConfigurationError
        It is not TOML; names line and column. Or a number in it has thousands of digits.

    Examples
    --------
    >>> parse_toml("a = = 1", "policy.toml")
    Traceback (most recent call last):
    chekara.errors.ConfigurationError: not valid TOML (policy.toml, at line 1, column 5)
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        # Only the place at the end of the message is told; the rest may repeat what was written.
        place = str(error).rpartition("(")[2].rstrip(")")
        raise ConfigurationError("not valid TOML", where=f"{where}, {place}") from None
    except ValueError:  # Python reads no whole number of more than some 4,300 digits
        raise ConfigurationError("a number has too many digits", where=where) from None


@dataclass(frozen=True, slots=True)
class LineIndex:
    r"""Lines of the keys of one TOML text.

    Attributes
    ----------
    lines : dict of tuple to int
        From the path of a key (table names, position in an array of tables, key) to its line, from 1.

    Examples
    --------
    >>> index = LineIndex.of('name = "x"\n[lanes.red]\nfrom_risk = 2')
    >>> index.line(("lanes", "red", "from_risk")), index.line(("lanes", "red", "control"))
    (3, 2)
    """

    lines: dict[Key, int] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str) -> LineIndex:
        """Index a TOML text. It is read line by line; text inside multi-line strings is not looked at closely."""
        lines: dict[Key, int] = {}
        table: Key = ()
        counts: dict[Key, int] = {}
        for number, line in enumerate(text.splitlines(), start=1):
            if found := _TABLE.match(line):
                table = _parts(found[2])
                if found[1] == "[[":
                    counts[table] = counts.get(table, -1) + 1
                    lines.setdefault(table, number)
                    table = (*table, counts[table])
                lines.setdefault(table, number)
            elif found := _KEY.match(line):
                lines.setdefault((*table, *_parts(found[1])), number)
        return cls(lines)

    def line(self, key: Key) -> int | None:
        """Return the line of a key, or of the innermost table around it that the text names; None if there is none."""
        while key:
            if key in self.lines:
                return self.lines[key]
            key = key[:-1]
        return None


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(next(group for group in found.groups() if group is not None) for found in _PART.finditer(dotted))
