"""Conditions, compiled: what they read, whether they are met, and by what of them a rule is found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Kind = Literal["number", "text", "boolean"]
Row: TypeAlias = Mapping[str, Any]
"""What was given, by name; what was not given is absent."""
Read: TypeAlias = Callable[[Row], Any]


@dataclass(frozen=True, slots=True)
class Readable:
    """Something that criteria may read.

    Attributes
    ----------
    kind : {'number', 'text', 'boolean'} or None
        None: only whether it was given can be asked, as of ids.
    is_header : bool
        Given once for the crossing; else for each goods line.
    values : tuple of str
        All that it can be; empty means any.
    pattern : str or None
        What a whole value looks like.
    is_given : bool
        Stands in what was declared; else it is computed of it.
    """

    kind: Kind | None
    is_header: bool = False
    values: tuple[str, ...] = ()
    pattern: str | None = None
    is_given: bool = True


@dataclass(frozen=True, slots=True)
class Part:
    """One of the conditions that ``and`` joins.

    Attributes
    ----------
    read : callable
        True, False, or None for unknown.
    names : frozenset of str
    is_header : bool
        It reads the crossing alone.
    keys : tuple of (str, frozenset of str) or None
        ``name`` and the values one of which it must have, where that is what the condition says.
    prefixes : tuple of (str, frozenset of str) or None
        Likewise, with the beginnings one of which it must have.
    floor : tuple of (str, float) or None
        Likewise, with the number below which it is not met.
    """

    read: Read
    names: frozenset[str]
    is_header: bool
    keys: tuple[str, frozenset[str]] | None = None
    prefixes: tuple[str, frozenset[str]] | None = None
    floor: tuple[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Criteria:
    """Conditions all of which must be true.

    Attributes
    ----------
    text : str
    header : tuple of Part
        Those of the crossing.
    lines : tuple of Part
        Those of a goods line; one line must meet all of them.
    """

    text: str
    header: tuple[Part, ...]
    lines: tuple[Part, ...]

    @property
    def names(self) -> frozenset[str]:
        """Everything that is read."""
        return frozenset().union(*(part.names for part in (*self.header, *self.lines)))

    def first_met(
        self, header: Row, lines: Callable[[], Sequence[Row]], among: Sequence[int] | None = None
    ) -> int | None:
        """Return the place of the first goods line that meets all conditions; None where none does.

        Parameters
        ----------
        header : mapping
            Header values that were given.
        lines : callable
            Gives the values of each goods line, header values among them; asked for only where the header fits.
        among : sequence of int, optional
            The only lines that count; default: all.

        Returns
        -------
        int or None
            -1 where all conditions are of the crossing itself and it meets them.
        """
        for part in self.header:
            if part.read(header) is not True:
                return None
        if not self.lines:
            return -1
        rows = lines()
        for i in range(len(rows)) if among is None else among:
            row = rows[i]
            for part in self.lines:
                if part.read(row) is not True:
                    break
            else:
                return i
        return None
