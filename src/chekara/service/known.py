"""Predict crossings with what was known of their entities, and let them become known themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from chekara.domain.crossing import Crossing
from chekara.errors import ChekaraError
from chekara.features.catalogue import laid_columns
from chekara.features.joined import JoinedFeatures
from chekara.features.profile_live import CrossingEvent
from chekara.features.profile_measures import parse_profile_name
from chekara.service.champions import Champion
from chekara.service.ports import LogTransaction
from chekara.service.predict import Predictions, predict_all
from chekara.service.profiles import FoldEvents
from chekara.service.records import Chain

_POINTS: Final = "neighbour_and_regime"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One crossing, predicted.

    Attributes
    ----------
    predictions : mapping of str to Prediction or None
    features : JoinedFeatures
        Of its goods lines, what was read of profiles among them.
    position : int
        Position in the live log up to which events were folded before.
    is_empty : bool
        Nothing was ever loaded or learned.
    lacks_point : bool
        Some model asks for what is known of crossing points, and where this one lies was never loaded.
    """

    predictions: Predictions
    features: JoinedFeatures
    position: int
    is_empty: bool
    lacks_point: bool


class PredictAsKnown:
    """Folds a micro-batch of crossings into the profiles and predicts each as known just before it.

    Parameters
    ----------
    fold : FoldEvents
    beside : tuple of str
        Profile columns that something beside the models reads.
    """

    def __init__(self, fold: FoldEvents, beside: tuple[str, ...] = ()) -> None:
        self._fold = fold
        self._beside = beside

    def __call__(
        self,
        transaction: LogTransaction,
        chain: Chain,
        crossings: Sequence[Crossing],
        serving: Mapping[str, Champion],
    ) -> list[Known | Exception]:
        """Predict crossings that will be logged next, in this order, those with an error left out.

        Parameters
        ----------
        transaction : LogTransaction
        chain : Chain
            On the test chain nothing is kept.
        crossings : sequence of Crossing
            Different ones, each known from the instant from which it counts, none before the one before it.
        serving : mapping of str to Champion
            By domain.

        Returns
        -------
        list of Known or Exception
            Per crossing. What one crossing sets off stays its own: it is not folded, and no other one sees it.
        """
        found: dict[int, Known | Exception] = {}
        left = list(range(len(crossings)))
        while left:
            some = [crossings[i] for i in left]
            try:
                predicted = self._predict(transaction, chain, some, serving)
            except ChekaraError:
                raise  # the store or its set-up, and no crossing
            except Exception as error:  # noqa: BLE001  # whatever one crossing sets off must stay its own
                if len(some) == 1:
                    found[left[0]] = error
                else:
                    found |= {i: self(transaction, chain, [crossings[i]], serving)[0] for i in left}
                break
            found |= dict(zip(left, predicted, strict=True))
            failed = [i for i in left if isinstance(found[i], Exception)]
            # Where some failed, nothing was kept: the others are predicted again, without them.
            left = [i for i in left if i not in failed] if failed else []
        return [found[i] for i in range(len(crossings))]

    def _predict(
        self,
        transaction: LogTransaction,
        chain: Chain,
        crossings: Sequence[Crossing],
        serving: Mapping[str, Champion],
    ) -> list[Known | Exception]:
        is_live = chain is Chain.LIVE
        is_empty = self._fold.is_empty(transaction.profiles)
        before = transaction.position(Chain.LIVE)
        events = [
            CrossingEvent(crossing=crossing, position=before + 1 + i, is_counted=is_live)
            for i, crossing in enumerate(crossings)
        ]
        names = _laid_for((*(champion.names for champion in serving.values()), self._beside))
        folded = self._fold.fold(transaction.profiles, events, names)
        predictions = predict_all(serving, crossings, folded.columns)
        if is_live and not any(isinstance(one, Exception) for one in predictions):
            known_to = max(crossing.known_at for crossing in crossings)
            folded.keep(transaction.profiles, known_to=known_to, position=before + len(crossings))
        asks = _asks_for_points(names)
        return [
            one
            if isinstance(one, Exception)
            else Known(
                predictions=one.predictions,
                features=one.features,
                position=before + (i if is_live else 0),
                is_empty=is_empty and i == 0,
                lacks_point=asks and crossings[i].header.get("crossing_point") not in folded.head.neighbourhoods,
            )
            for i, one in enumerate(predictions)
        ]


@lru_cache(maxsize=16)
def _laid_for(models: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    """Return the columns to lay for the features of some models and whatever else reads some."""
    return laid_columns(name for names in models for name in names)


@lru_cache(maxsize=16)
def _asks_for_points(names: tuple[str, ...]) -> bool:
    """Whether some column reads neighbour and regime of a crossing point, or falls back to them."""
    kinds = {parsed.kind for name in names if (parsed := parse_profile_name(name)) is not None}
    return any(_POINTS in (kind.name, kind.parent) for kind in kinds)
