"""One table of a policy text, read key by key; every error names key, file and line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chekara.errors import ConfigurationError
from chekara.toml_lines import Key, LineIndex, parse_toml

MOST_COUNTED = 1_000_000_000
MOST_MINUTES = 366 * 24 * 60
"""The longest time that a policy can give: a year."""


@dataclass(frozen=True, slots=True)
class Source:
    """A text that a table was read from: its name, and where its keys stand."""

    name: str
    index: LineIndex

    def error(self, key: Key, detail: str, hint: str | None = None) -> ConfigurationError:
        """Return an error that points at a key."""
        line = self.index.line(key)
        place = self.name if line is None else f"{self.name}, line {line}"
        return ConfigurationError(detail, where=f"{'.'.join(map(str, key))} in {place}", hint=hint)


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a text, with what is needed to say where it stands."""

    content: Mapping[str, Any]
    key: Key
    source: Source

    @classmethod
    def of(cls, text: str, name: str) -> Table:
        """Parse a whole text.

        Raises
        ------
        ConfigurationError
            It is not TOML.
        """
        return cls(parse_toml(text, name), (), Source(name, LineIndex.of(text)))

    def error(self, name: str | None, detail: str, hint: str | None = None) -> ConfigurationError:
        """Return an error that points at a key of this table, or at the table itself."""
        return self.source.error(self.key if name is None else (*self.key, name), detail, hint)

    def only(self, *known: str) -> None:
        """Refuse any other key."""
        for name in self.content:
            if name not in known:
                raise self.error(name, "unknown key", f"known here: {', '.join(known)}")

    def get(self, name: str, kind: type, default: Any = None) -> Any:
        """Return a value of a kind; without a default the key must be there."""
        value = self.content.get(name, default)
        if value is None:
            raise self.error(name, "this key is missing")
        fits = isinstance(value, int | float) if kind is float else isinstance(value, kind)
        if not fits or (kind in (int, float) and isinstance(value, bool)):
            raise self.error(name, f"this must be {_KINDS[kind]}")
        return value

    def table(self, name: str, *, is_required: bool = False) -> Table:
        """Return a table within; an empty one where it is not there."""
        return Table(self.get(name, dict, None if is_required else {}), (*self.key, name), self.source)

    def tables(self, name: str) -> list[Table]:
        """Return an array of tables within; an empty one where it is not there."""
        found = self.get(name, list, [])
        if not all(isinstance(one, dict) for one in found):
            raise self.error(name, "this must be an array of tables")
        return [Table(one, (*self.key, name, i), self.source) for i, one in enumerate(found)]

    def words(self, name: str, default: Iterable[str] | None = None) -> tuple[str, ...]:
        """Return a list of texts, none of them empty."""
        found = self.get(name, list, None if default is None else list(default))
        if not all(isinstance(one, str) and one for one in found):
            raise self.error(name, "this must be a list of words")
        return tuple(found)

    def one_of(self, name: str, allowed: Iterable[str], default: str | None = None) -> str:
        """Return one of the words that are known."""
        value: str = self.get(name, str, default)
        if value not in allowed:
            known = ", ".join(sorted(allowed))
            hint = f"use {known}" if known else "there is none of these here: name the whole folder, or write one"
            raise self.error(name, "not one of the known words", hint)
        return value

    def some_of(self, name: str, allowed: Iterable[str], default: Iterable[str] | None = None) -> tuple[str, ...]:
        """Return a list of known words, each once."""
        found = self.words(name, default)
        if not set(found) <= set(allowed):
            raise self.error(name, "not all of these are known words", f"use {', '.join(sorted(allowed))}")
        if len(set(found)) < len(found):
            raise self.error(name, "a word is named twice")
        return found

    def number(self, name: str, default: float | None = None) -> float:
        """Return a number."""
        try:
            return float(self.get(name, float, default))
        except OverflowError:  # TOML sets no bound to whole numbers
            raise self.error(name, "this number is too large") from None

    def share(self, name: str, default: float | None = None) -> float:
        """Return a number from 0 to 1."""
        value = self.number(name, default)
        if not 0.0 <= value <= 1.0:  # NaN is not between them either
            raise self.error(name, "this lies between 0 and 1")
        return value

    def count(self, name: str, default: int | None = None, *, least: int = 1, most: int = MOST_COUNTED) -> int:
        """Return a whole number that is not below the least one, nor above the most."""
        value: int = self.get(name, int, default)
        if value < least:
            raise self.error(name, "must be above zero" if least == 1 else f"must be {least} or more")
        if value > most:
            raise self.error(name, f"must be {most} or less")
        return value


_KINDS = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    dict: "a table",
    list: "a list",
    bool: "true or false",
}
