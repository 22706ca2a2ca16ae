"""Match the rules and the priority control areas of a policy with crossings as they are scored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC
from typing import Final

import numpy as np
import numpy.typing as npt

from chekara.data.schema import CROSSING_COLUMNS
from chekara.domain.crossing import Crossing
from chekara.domain.decision import DomainScore
from chekara.domain.selection import RuleHit
from chekara.features.catalogue import ItemColumns
from chekara.features.joined import JoinedFeatures
from chekara.policy.policy import Policy
from chekara.policy.rules import ControlArea
from chekara.policy.rules_match import RuleBook, areas_of
from chekara.policy.watch import WatchList
from chekara.service.criteria_rows import CriteriaRows

_ENTITIES: Final = frozenset(column.name for column in CROSSING_COLUMNS if column.entity is not None)


class MatchPolicyRules:
    """The rules that `chekara.service.grounds` asks for.

    Parameters
    ----------
    policy : Policy
    lists : mapping of str to WatchList
        By name, as they stand now.
    suspended : callable
        Ids of the rules that found nothing for too long.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        lists: Mapping[str, WatchList] | None = None,
        suspended: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        own = policy.rules.rules
        self._book = RuleBook(own, lists=lists, suspended=suspended)
        watched = _ENTITIES if any(rule.watch_list is not None for rule in own) else frozenset()
        self._rows = CriteriaRows(policy.rules.names | watched)
        self.laid = self._rows.laid
        """Columns that the profile engine must lay beside the lines."""

    def __len__(self) -> int:
        return len(self._book)

    def __call__(
        self, crossing: Crossing, features: JoinedFeatures, scores: Sequence[DomainScore] = ()
    ) -> tuple[RuleHit, ...]:
        """Return the rules met, in the order of their files.

        Parameters
        ----------
        crossing : Crossing
            Entity ids are tokens.
        features : JoinedFeatures
            Of its lines.
        scores : sequence of DomainScore
            Not read: rules hold whatever the models say.
        """
        if not len(self._book):
            return ()
        header, lines = self._rows.of_crossing(crossing, features)
        return self._book.hits(header, crossing.items, lines, crossing.known_at)

    def of_items(self, items: ItemColumns, starts: npt.NDArray[np.int64]) -> Iterator[tuple[RuleHit, ...]]:
        """Yield the rules met by each crossing of many.

        Parameters
        ----------
        items : ItemColumns
            Lines of one crossing after the other, with what the profile engine laid beside them.
        starts : ndarray of shape (n_crossings + 1,), int64
            Where the lines of each crossing begin.
        """
        known_at = items.instant("known_at")[starts[:-1]].tolist()
        for (header, given, lines), at in zip(self._rows.of_items(items, starts), known_at, strict=True):
            yield self._book.hits(header, given, lines, at.replace(tzinfo=UTC))


class FindAreas:
    """The priority control areas that a crossing lies in.

    Parameters
    ----------
    policy : Policy
    """

    def __init__(self, policy: Policy) -> None:
        self._areas: tuple[ControlArea, ...] = policy.rules.areas
        self._rows = CriteriaRows(name for area in self._areas for name in area.scope.names)
        self.laid = self._rows.laid
        """Columns that the profile engine must lay beside the lines."""

    def __call__(self, crossing: Crossing, features: JoinedFeatures) -> list[ControlArea]:
        """Return them, each with its domain, rate and lane."""
        if not self._areas:
            return []
        header, lines = self._rows.of_crossing(crossing, features)
        return areas_of(self._areas, header, lines, crossing.known_at)
