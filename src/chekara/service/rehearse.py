"""Walk an example crossing through models or a policy before they serve: no request pays for what they do first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from chekara.domain.crossing import Crossing
from chekara.features.catalogue import laid_columns
from chekara.features.profile_live import CrossingEvent
from chekara.policy.decide import decide
from chekara.policy.policy import Policy
from chekara.service.champions import Champion
from chekara.service.grounds import GatherGrounds
from chekara.service.ports import ProfileRows
from chekara.service.predict import predict_all
from chekara.service.profiles import FoldEvents
from chekara.service.ranks import RankWindows
from chekara.service.score import domain_score

GROUP_SIZES: Final = (1, 2, 32)
"""Alone, as few (kernels run them row by row), and as many."""


class RehearseModels:
    """Scores an example as the writer would, alone and in groups, and throws the numbers away.

    Parameters
    ----------
    profiles : FoldEvents
    ranks : RankWindows
    read_profiles : callable
        Opens what is known of entities, to read.
    example : Crossing
    """

    def __init__(
        self,
        *,
        profiles: FoldEvents,
        ranks: RankWindows,
        read_profiles: Callable[[], AbstractContextManager[ProfileRows]],
        example: Crossing,
    ) -> None:
        self._profiles = profiles
        self._ranks = ranks
        self._read_profiles = read_profiles
        self._example = replace(example, known_at=datetime.now(UTC))

    def __call__(self, serving: Mapping[str, Champion]) -> None:
        """Walk the example through all models that are to serve together.

        Parameters
        ----------
        serving : mapping of str to Champion
            By domain.

        Raises
        ------
        LogUnavailableError
            The database does not answer.
        Exception
            Whatever a model sets off that cannot score the example: it must not serve.
        """
        if not serving:
            return
        names = laid_columns(name for champion in serving.values() for name in champion.names)
        for size in GROUP_SIZES:
            crossings = [replace(self._example, crossing_id=f"rehearsal {i}") for i in range(size)]
            events = [CrossingEvent(crossing=one, position=i, is_counted=False) for i, one in enumerate(crossings)]
            with self._read_profiles() as rows:
                columns = self._profiles.fold(rows, events, names).columns
            for outcome in predict_all(serving, crossings, columns):
                if isinstance(outcome, Exception):
                    raise outcome
        for champion in serving.values():
            self._ranks.prepare(champion)


class RehearsePolicy:
    """Decides an example under a policy as the writer would, and throws the lane away.

    Parameters
    ----------
    profiles : FoldEvents
    read_profiles : callable
        Opens what is known of entities, to read.
    example : Crossing
    """

    def __init__(
        self,
        *,
        profiles: FoldEvents,
        read_profiles: Callable[[], AbstractContextManager[ProfileRows]],
        example: Crossing,
    ) -> None:
        self._profiles = profiles
        self._read_profiles = read_profiles
        self._example = replace(example, crossing_id="rehearsal")

    def __call__(self, policy: Policy, grounds: GatherGrounds, serving: Mapping[str, Champion], at: datetime) -> None:
        """Gather the grounds of the example and decide it, once with the lowest ranks and once with the highest.

        Parameters
        ----------
        policy : Policy
        grounds : GatherGrounds
            Of this policy.
        serving : mapping of str to Champion
            By domain.
        at : datetime
            When it would be decided.

        Raises
        ------
        LogUnavailableError
            The database does not answer.
        Exception
            Whatever keeps the example from being decided: the policy must not serve.
        """
        crossing = replace(self._example, known_at=at)
        names = laid_columns(name for names in (*(c.names for c in serving.values()), grounds.laid) for name in names)
        event = CrossingEvent(crossing=crossing, position=1, is_counted=False)
        with self._read_profiles() as rows:
            columns = self._profiles.fold(rows, [event], names).columns
        (predicted,) = predict_all(serving, [crossing], columns)
        if isinstance(predicted, Exception):
            raise predicted
        point = str(crossing.header.get("crossing_point", ""))
        for rank in (0.0, 1.0):
            scores = tuple(
                domain_score(policy, domain, point, serving[domain].identity, found, rank)
                for domain, found in predicted.predictions.items()
                if found is not None
            )
            gathered = grounds.of(crossing, predicted.features, scores, at, previous=None, reviews=())
            decide(scores, policy, point, at, gathered)
