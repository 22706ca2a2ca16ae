"""Which rules a crossing meets: a look at what it declares finds the few that can apply, and only those are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, TypeAlias

from chekara.domain.selection import RuleHit
from chekara.policy.conditions import Criteria, Row
from chekara.policy.rules import ControlArea, Rule
from chekara.policy.rules_index import RuleIndex, telling_part
from chekara.policy.watch import WatchList

Lines: TypeAlias = Callable[[], Sequence[Row]]
"""Gives the values of each goods line, header values among them."""

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
        self._index = RuleIndex.of([rule.criteria for rule in self._rules])
        self._left = tuple(None if rule.criteria is None else _left_of(rule.criteria) for rule in self._rules)
        self._told = tuple(rule.told for rule in self._rules)

    def __len__(self) -> int:
        return len(self._rules)

    def hits(self, header: Row, items: Sequence[Row], lines: Lines, at: datetime) -> tuple[RuleHit, ...]:
        """Return the rules that a crossing meets.

        Parameters
        ----------
        header : mapping
            Header values that were given; entity ids are tokens.
        items : sequence of mapping
            What was given of each goods line by itself.
        lines : callable
            Gives all that criteria read of each goods line, header values and features among them; asked for only
            where some rule can apply.
        at : datetime
            From when the crossing counts.
        """
        found: list[tuple[int, RuleHit]] = []
        suspended: frozenset[str] | None = None
        for place, among in self._index.candidates(header, items).items():
            rule = self._rules[place]
            line = self._met(rule, self._left[place], header, lines, among, at)
            if line is None or not rule.holds_at(at):
                continue
            suspended = self._suspended() if suspended is None else suspended
            if rule.rule not in suspended:
                item_no = None if line == _WHOLE else item_no_of(lines()[line], line)
                found.append((place, _hit(rule, item_no, self._told[place])))
        return tuple(hit for _, hit in sorted(found, key=_place_of))

    def _met(
        self,
        rule: Rule,
        left: Criteria | None,
        header: Row,
        lines: Lines,
        among: Sequence[int] | None,
        at: datetime,
    ) -> int | None:
        """Return the place of the goods line that meets a rule, -1 for the whole crossing, None for none.

        What the index found is left out of the criteria, and ``among`` names the lines where it found it.
        """
        if rule.watch_list is not None:
            own = self._lists.get(rule.watch_list)
            if own is None:
                return None
            if not own.holds(header.get(own.column), at):
                rows = lines()
                places = range(len(rows)) if among is None else among
                among = [i for i in places if own.holds(rows[i].get(own.column), at)]
        if among is not None and not among:
            return None
        met = _WHOLE if left is None else left.first_met(header, lines, among)
        return among[0] if met == _WHOLE and among is not None else met


def _place_of(found: tuple[int, RuleHit]) -> int:
    return found[0]


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


def _hit(rule: Rule, item_no: int | None, texts: Mapping[str, str]) -> RuleHit:
    return RuleHit(
        rule=rule.rule,
        domain=rule.domain,
        lane=rule.lane,
        agency=rule.owner,
        selected_by=rule.selected_by,
        item_no=item_no,
        texts=texts,
    )


def _left_of(criteria: Criteria) -> Criteria:
    """Leave out the condition that the index answers exactly."""
    told = telling_part(criteria)
    if told is None or told.floor is not None:
        return criteria
    header = tuple(part for part in criteria.header if part is not told)
    return Criteria(criteria.text, header, tuple(part for part in criteria.lines if part is not told))
