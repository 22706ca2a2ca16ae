"""Which rules a crossing meets: a look at what it declares finds the few that can apply, and only those are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeAlias

from chekara.domain.selection import RuleHit
from chekara.policy.criteria import Criteria, Part, Row
from chekara.policy.rules import ControlArea, Rule
from chekara.policy.watch import WatchList

Lines: TypeAlias = Callable[[], Sequence[Row]]
"""Gives the values of each goods line, header values among them."""

# Columns whose values tell crossings apart best come first: by them a rule is found.
_BEST: Final = ("hs_code", "origin_country", "crossing_point", "dispatch_country", "destination_country", "procedure")
_WHOLE: Final = -1


class RuleBook:
    """Rules, compiled and indexed.

    Parameters
    ----------
    rules : sequence of Rule
        In the order in which hits are told.
    lists : mapping of str to WatchList
        By name; looked up anew for each crossing, so what changes in it counts at once.
    suspended : callable
        Ids of the rules that found nothing for too long.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        *,
        lists: Mapping[str, WatchList] | None = None,
        suspended: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        self._rules = tuple(rules)
        self._lists: Mapping[str, WatchList] = {} if lists is None else lists
        self._suspended = suspended
        self._index = _Index.of([rule.criteria for rule in self._rules])

    def __len__(self) -> int:
        return len(self._rules)

    def hits(self, header: Row, lines: Lines, at: datetime) -> tuple[RuleHit, ...]:
        """Return the rules that a crossing meets.

        Parameters
        ----------
        header : mapping
            Header values that were given; entity ids are tokens.
        lines : callable
            Gives the values of each goods line, header values among them.
        at : datetime
            From when the crossing counts.
        """
        found: list[RuleHit] = []
        suspended: frozenset[str] | None = None
        for place in self._index.candidates(header, lines):
            rule = self._rules[place]
            if not rule.holds_at(at):
                continue
            line = self._met(rule, header, lines, at)
            if line is None:
                continue
            suspended = self._suspended() if suspended is None else suspended
            if rule.rule not in suspended:
                found.append(_hit(rule, None if line == _WHOLE else item_no_of(lines()[line], line)))
        return tuple(found)

    def _met(self, rule: Rule, header: Row, lines: Lines, at: datetime) -> int | None:
        """Return the place of the goods line that meets a rule, -1 for the whole crossing, None for none."""
        if rule.watch_list is None:
            return None if rule.criteria is None else rule.criteria.first_met(header, lines)
        own = self._lists.get(rule.watch_list)
        if own is None:
            return None
        if own.holds(header.get(own.column), at):
            return _WHOLE if rule.criteria is None else rule.criteria.first_met(header, lines)
        watched = [i for i, line in enumerate(lines()) if own.holds(line.get(own.column), at)]
        if not watched or rule.criteria is None:
            return watched[0] if watched else None
        met = rule.criteria.first_met(header, lambda: [lines()[i] for i in watched])
        return met if met is None else watched[max(met, 0)]


def item_no_of(line: Row, place: int) -> int:
    """Return the number of a goods line; its place, from 1, where it has none."""
    return int(line.get("item_no", place + 1))


def areas_of(areas: Sequence[ControlArea], header: Row, lines: Lines, at: datetime) -> list[ControlArea]:
    """Return the priority control areas that a crossing lies in.

    Parameters
    ----------
    areas : sequence of ControlArea
        Of the policy: ``policy.rules.areas``.
    header, lines : as for `RuleBook.hits`
    at : datetime
        From when the crossing counts.
    """
    return [area for area in areas if area.holds_at(at) and area.scope.first_met(header, lines) is not None]


def _hit(rule: Rule, item_no: int | None) -> RuleHit:
    return RuleHit(
        rule=rule.rule,
        domain=rule.domain,
        lane=rule.lane,
        agency=rule.owner,
        selected_by=rule.selected_by,
        item_no=item_no,
        texts=rule.told,
    )


@dataclass(slots=True)
class _Keys:
    """Places of rules by the value, or the beginning of the value, that one column must have."""

    by_value: dict[str, tuple[int, ...]] = field(default_factory=dict)
    by_beginning: dict[str, tuple[int, ...]] = field(default_factory=dict)
    lengths: tuple[int, ...] = ()

    def add(self, part: Part, place: int) -> None:
        if part.keys is not None:
            for value in part.keys[1]:
                self.by_value[value] = (*self.by_value.get(value, ()), place)
        elif part.prefixes is not None:
            for beginning in part.prefixes[1]:
                self.by_beginning[beginning] = (*self.by_beginning.get(beginning, ()), place)
            self.lengths = tuple(sorted({len(beginning) for beginning in self.by_beginning}))

    def places(self, value: object) -> Iterator[int]:
        if isinstance(value, str):
            yield from self.by_value.get(value, ())
            for length in self.lengths:
                yield from self.by_beginning.get(value[:length], ())


@dataclass(frozen=True, slots=True)
class _Index:
    always: tuple[int, ...]
    header: Mapping[str, _Keys]
    lines: Mapping[str, _Keys]

    @classmethod
    def of(cls, criteria: Sequence[Criteria | None]) -> _Index:
        always: list[int] = []
        header: dict[str, _Keys] = {}
        lines: dict[str, _Keys] = {}
        for place, own in enumerate(criteria):
            part = None if own is None else _telling_part(own)
            if part is None:
                always.append(place)
            else:
                by_column = header if part.is_header else lines
                by_column.setdefault(_column(part), _Keys()).add(part, place)
        return cls(tuple(always), header, lines)

    def candidates(self, header: Row, lines: Lines) -> Sequence[int]:
        """Return the places of rules that can apply, in order; those left out cannot."""
        if not self.header and not self.lines:
            return self.always
        found = set(self.always)
        for name, keys in self.header.items():
            found.update(keys.places(header.get(name)))
        if self.lines:
            for line in lines():
                for name, keys in self.lines.items():
                    found.update(keys.places(line.get(name)))
        return sorted(found)


def _column(part: Part) -> str:
    told = part.keys or part.prefixes
    return "" if told is None else told[0]


def _telling_part(criteria: Criteria) -> Part | None:
    """Return the condition by which a rule is found: the one that the fewest crossings can be expected to meet."""
    parts = [part for part in (*criteria.header, *criteria.lines) if part.keys or part.prefixes]
    return min(parts, key=lambda p: _BEST.index(_column(p)) if _column(p) in _BEST else len(_BEST), default=None)
