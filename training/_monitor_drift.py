"""How far live scores and features are from those that a model was made with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from chekara.adapters.live_decisions import SampledFeatures
from chekara.data.drift import stability_index
from chekara.evaluation.monitoring import Share, share_of
from chekara.explain.evidence import CategoryEvidence, Count, Evidence, NumberEvidence

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

FEWEST_CROSSINGS = 200
"""Crossings of a week, or of the sample, below which no index is told."""
SHOWN_FEATURES = 10
TAIL = 0.95
_MARGIN_BINS = 20
_MOST_CATEGORIES = 20  # bins of their own; the other ones known to training share one
_FEWEST_UNINSPECTED = 1_000


@dataclass(frozen=True, slots=True)
class ScoresOfTime:
    """Scores of a week, or of the whole time.

    Attributes
    ----------
    monday : date or None
        Of the week; None for the whole time.
    crossings : int
    index : float or None
        Stability index of the margins against training, less chance; None under 200 crossings.
    high : Share
        Margins above the 95th percentile of training.
    """

    monday: date | None
    crossings: int
    index: float | None
    high: Share


@dataclass(frozen=True, slots=True)
class ScoreDrift:
    """Scores week by week.

    Attributes
    ----------
    weeks : tuple of ScoresOfTime
        Oldest first.
    whole : ScoresOfTime
    expected_high : Share
        The same share in training; not quite 5 % where margins repeat.
    """

    weeks: tuple[ScoresOfTime, ...]
    whole: ScoresOfTime
    expected_high: Share

    @property
    def newest(self) -> ScoresOfTime:
        """The newest week with enough crossings; the whole time where there is none."""
        return next((week for week in reversed(self.weeks) if week.index is not None), self.whole)


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """One feature against training.

    Attributes
    ----------
    feature : str
    index : float
        Stability index over the bins that training counted, missing and unknown values included, less chance.
    where : str
        The values that moved most.
    live, training : float
        Share of crossings that have such values, now and then.
    """

    feature: str
    index: float
    where: str
    live: float
    training: float

    def sentence(self) -> str:
        """Say it plainly."""
        return f"{self.feature} {self.where} in {self.live:.1%} of crossings; in training {self.training:.1%}."


def score_drift(scored_at: pd.Series[pd.Timestamp], margin: Floats, reference: Floats) -> ScoreDrift:
    """Compare margins with those of training, week by week.

    Parameters
    ----------
    scored_at : Series of instants, length n
    margin : ndarray of shape (n,)
    reference : ndarray of shape (m,)
        Margins of training.

    Returns
    -------
    ScoreDrift
    """
    edges = np.unique(np.quantile(reference, np.linspace(0, 1, _MARGIN_BINS + 1)[1:-1]))
    high_from = float(np.quantile(reference, TAIL))
    expected = _counted(reference, edges)

    def of(rows: Mask, monday: date | None) -> ScoresOfTime:
        own = margin[rows]
        enough = len(own) >= FEWEST_CROSSINGS
        index = _index(_counted(own, edges), expected) if enough else None
        return ScoresOfTime(monday, len(own), index, share_of(own > high_from))

    day = scored_at.dt.tz_convert("UTC").dt.normalize()
    mondays = (day - pd.to_timedelta(day.dt.day_of_week, unit="D")).dt.date.to_numpy()
    weeks = tuple(of(mondays == monday, monday) for monday in sorted(set(mondays)))
    return ScoreDrift(weeks, of(np.ones(len(margin), dtype=bool), None), share_of(reference > high_from))


def feature_drift(features: SampledFeatures, is_meant: Mask, evidence: Evidence) -> tuple[FeatureDrift, ...]:
    """Compare features with what training counted.

    Parameters
    ----------
    features : SampledFeatures
    is_meant : ndarray of bool, shape (n_decisions,)
        Decisions of the model and domain.
    evidence : Evidence
        Of the model.

    Returns
    -------
    tuple of FeatureDrift
        Largest index first; empty under 200 crossings.

    Notes
    -----
    A large training history keeps every inspected crossing and a sample of the others. Inspected ones were chosen, so
    the others alone stand for traffic, wherever there are 1,000 of them.
    """
    lines = is_meant[features.decision]
    crossing = np.unique(features.decision[lines], return_inverse=True)[1].astype(np.int64)
    n = int(crossing.max()) + 1 if len(crossing) else 0
    if n < FEWEST_CROSSINGS:
        return ()
    counter = _Training(evidence.total)
    found = []
    for name, known in sorted(evidence.features.items()):
        values = (features.numbers if isinstance(known, NumberEvidence) else features.categories).get(name)
        if values is not None:
            bins = counter.bins_of(known)
            place = _places_of(known, bins.names, values[lines])
            live = np.bincount(
                np.unique(crossing * len(bins.names) + place) % len(bins.names), minlength=len(bins.names)
            )
            found.append(_compare(name, bins, live.astype(np.float64), n))
    return tuple(sorted(found, key=lambda one: (-one.index, one.feature)))


@dataclass(frozen=True, slots=True)
class _Bins:
    """Kinds of values of one feature: what is said of them, and how many crossings of training had them."""

    names: tuple[str, ...]
    counts: Floats
    total: float


class _Training:
    """Crossings of training that stand for traffic."""

    def __init__(self, total: Count) -> None:
        self._leaves_out = total.crossings - total.inspected >= _FEWEST_UNINSPECTED
        self._total = self._of(total)

    def bins_of(self, known: NumberEvidence | CategoryEvidence) -> _Bins:
        """Return the bins of a feature, missing and unknown values last."""
        named = list(_number_bins(known) if isinstance(known, NumberEvidence) else _category_bins(known))
        missing = self._of(known.missing)
        counts = [float(sum(self._of(one) for one in some)) for _, some in named]
        rest = max(self._total - sum(counts) - missing, 0.0)
        names = (*(said for said, _ in named), "has a value that training hardly knew", "is missing")
        return _Bins(names, np.array([*counts, rest, missing]), self._total)

    def _of(self, count: Count | None) -> float:
        if count is None:
            return 0.0
        return float(count.crossings - (count.inspected if self._leaves_out else 0))


def _number_bins(known: NumberEvidence) -> Iterator[tuple[str, list[Count]]]:
    for place, count in enumerate(known.bins):
        low = f"above {known.edges[place - 1]:g}" if place else ""
        high = f"at most {known.edges[place]:g}" if place < len(known.edges) else ""
        yield "is " + (" and ".join(filter(None, (low, high))) or "given"), [count]


def _category_bins(known: CategoryEvidence) -> Iterator[tuple[str, list[Count]]]:
    common = list(known.counts.items())
    for name, count in common[:_MOST_CATEGORIES]:
        yield f"is {name}", [count]
    yield "is one of the rarer values", [count for _, count in common[_MOST_CATEGORIES:]]


def _places_of(
    known: NumberEvidence | CategoryEvidence, names: tuple[str, ...], values: npt.NDArray[np.generic]
) -> Ints:
    """Return the bin of each line."""
    unknown, missing = len(names) - 2, len(names) - 1
    if isinstance(known, NumberEvidence):
        numbers = values.astype(np.float64)
        place = np.searchsorted(known.edges, numbers) if known.bins else np.full(len(numbers), unknown)
        return np.where(np.isnan(numbers), missing, place).astype(np.int64)
    place_of = {name: min(place, _MOST_CATEGORIES) for place, name in enumerate(known.counts)}
    rarer = unknown - 1
    codes, found = pd.factorize(values)
    of_code = [place_of.get(str(name), unknown) for name in found]
    of_code = [rarer if place == _MOST_CATEGORIES else place for place in of_code]
    return np.array([*of_code, missing], dtype=np.int64)[codes]


def _compare(name: str, bins: _Bins, live: Floats, n: int) -> FeatureDrift:
    index = _index(live, bins.counts)
    now, then = live / n, bins.counts / max(bins.total, 1.0)
    moved = np.round(now - then, 9)
    # Where one kind of values took the place of another, the new one says more.
    most = max(range(len(moved)), key=lambda place: (abs(moved[place]), moved[place]))
    return FeatureDrift(name, index, bins.names[most], float(now[most]), float(then[most]))


def _counted(values: Floats, edges: Floats) -> Floats:
    return np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1).astype(np.float64)


def _index(live: Floats, training: Floats) -> float:
    return float(stability_index(np.column_stack([live, training]))[0])
