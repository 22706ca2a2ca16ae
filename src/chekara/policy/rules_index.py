"""Which of many rules can apply to a crossing: found by what one of their conditions says of one column."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from chekara.policy.conditions import Criteria, Part, Row

# Columns whose values tell crossings apart best come first: by them a rule is found.
_BEST: Final = ("hs_code", "origin_country", "crossing_point", "dispatch_country", "destination_country", "procedure")
_MOST_KEPT: Final = 20_000


@dataclass(slots=True)
class _Texts:
    """Places of rules by the text, or the beginning of the text, that one column must have."""

    by_value: dict[str, tuple[int, ...]] = field(default_factory=dict)
    by_beginning: dict[str, tuple[int, ...]] = field(default_factory=dict)
    kept: dict[object, tuple[int, ...]] = field(default_factory=dict)

    def add(self, part: Part, place: int) -> None:
        for told, places in ((part.keys, self.by_value), (part.prefixes, self.by_beginning)):
            for text in told[1] if told is not None else ():
                places[text] = (*places.get(text, ()), place)

    def places(self, value: object) -> tuple[int, ...]:
        """Return the rules that a value lets apply; what was asked before is kept, for codes come again and again."""
        found = self.kept.get(value)
        if found is None:
            found = self._find(value)
            if len(self.kept) < _MOST_KEPT:
                self.kept[value] = found
        return found

    def _find(self, value: object) -> tuple[int, ...]:
        if not isinstance(value, str):
            return ()
        begun = (places for beginning, places in self.by_beginning.items() if value.startswith(beginning))
        return (*self.by_value.get(value, ()), *(place for places in begun for place in places))


@dataclass(slots=True)
class _Floors:
    """Places of rules by the number that one column must reach."""

    floors: list[float] = field(default_factory=list)
    by_floor: list[int] = field(default_factory=list)

    def add(self, floor: float, place: int) -> None:
        at = bisect_right(self.floors, floor)
        self.floors.insert(at, floor)
        self.by_floor.insert(at, place)

    def places(self, value: object) -> Sequence[int]:
        if not isinstance(value, int | float) or value < self.floors[0]:
            return ()
        return self.by_floor[: bisect_right(self.floors, value)]


@dataclass(frozen=True, slots=True)
class RuleIndex:
    """Finds rules by their most telling condition.

    Attributes
    ----------
    always : tuple of int
        Places of rules that no condition tells anything about.
    header, lines : tuple of (str, texts or floors)
        By column, of the crossing and of its goods lines.
    """

    always: tuple[int, ...]
    header: tuple[tuple[str, _Texts | _Floors], ...]
    lines: tuple[tuple[str, _Texts | _Floors], ...]

    @classmethod
    def of(cls, criteria: Sequence[Criteria | None]) -> RuleIndex:
        """Index rules.

        Parameters
        ----------
        criteria : sequence of (Criteria or None)
            In the order of the rules.
        """
        always: list[int] = []
        header: dict[tuple[str, type], _Texts | _Floors] = {}
        lines: dict[tuple[str, type], _Texts | _Floors] = {}
        for place, own in enumerate(criteria):
            part = None if own is None else telling_part(own)
            if part is None:
                always.append(place)
                continue
            by_column = header if part.is_header else lines
            if part.floor is not None:
                floors = by_column.setdefault((part.floor[0], _Floors), _Floors())
                if isinstance(floors, _Floors):
                    floors.add(part.floor[1], place)
            else:
                texts = by_column.setdefault((_column(part), _Texts), _Texts())
                if isinstance(texts, _Texts):
                    texts.add(part, place)
        return cls(tuple(always), *(tuple((c, own) for (c, _), own in by.items()) for by in (header, lines)))

    def candidates(self, header: Row, items: Sequence[Row]) -> Mapping[int, Sequence[int] | None]:
        """Return the places of rules that can apply; those left out cannot.

        Parameters
        ----------
        header : mapping
            Header values that were given.
        items : sequence of mapping
            What was given of each goods line.

        Returns
        -------
        mapping of int to (sequence of int or None)
            By place of the rule: the goods lines that it can apply to, None for all.
        """
        found: dict[int, list[int] | None] = dict.fromkeys(self.always)
        for name, own in self.header:
            for place in own.places(header.get(name)):
                found[place] = None
        for name, own in self.lines:
            for line, item in enumerate(items):
                for place in own.places(item.get(name)):
                    known = found.get(place)
                    if known is None:
                        found[place] = [line]
                    else:
                        known.append(line)
        return found


def _column(part: Part) -> str:
    told = part.keys or part.prefixes
    return "" if told is None else told[0]


def telling_part(criteria: Criteria) -> Part | None:
    """Return the condition by which a rule is found: the one that the fewest crossings can be expected to meet."""
    parts = [part for part in (*criteria.header, *criteria.lines) if part.keys or part.prefixes or part.floor]
    return min(parts, key=_rank, default=None)


def _rank(part: Part) -> int:
    if part.floor is not None:
        return len(_BEST) + 1
    return _BEST.index(_column(part)) if _column(part) in _BEST else len(_BEST)
