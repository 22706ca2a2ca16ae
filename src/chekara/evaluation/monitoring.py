"""What live decisions say of a model: shares with intervals, calibration on the lot, and groups.

Every figure carries how much it rests on. Where that is too little the verdict is ``insufficient data``, and for groups
the figure itself is left out: a rate among a dozen crossings tells more of those than of the model.

References
----------
Wilson (1927) for the interval of a share; Newcombe (1998) for that of a difference; Horvitz and Thompson (1952) for
the weights of the lot; Hardt, Price and Srebro (2016) for rates of selection and of false alarms by group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from chekara.errors import TrainingError
from chekara.evaluation.calibration import Z95, ReliabilityLine, reliability_line, wilson_interval
from chekara.evaluation.closed_form import share_interval
from chekara.evaluation.intention import LotRate, lot_rate
from chekara.evaluation.order import Floats

FEWEST_LOT_HITS = 10
"""Hits on the lot, found or expected, below which nothing is said of calibration."""
FEWEST_IN_GROUP = 30
"""Crossings below which no rate is told of a group."""

Interval = tuple[float, float]
Verdict = Literal["as expected", "too high", "too low", "insufficient data"]
INSUFFICIENT: Verdict = "insufficient data"
_NOTHING = float("nan")


@dataclass(frozen=True, slots=True)
class Share:
    """How many of something.

    Attributes
    ----------
    count, n : float
        Those counted, among how many; unweighted.
    value : float
        In [0, 1]; of all traffic, where rows are weighted; NaN where ``n`` is 0.
    interval_95 : tuple of float
    n_effective : float
        Rows of equal weight that would say as much.
    """

    count: float
    n: float
    value: float
    interval_95: Interval
    n_effective: float


@dataclass(frozen=True, slots=True)
class Difference:
    """One share less another, with Newcombe's 95 % bounds; NaN where one of the two does not exist."""

    value: float
    interval_95: Interval


@dataclass(frozen=True, slots=True)
class LotCalibration:
    """What probabilities said of all traffic, beside what the lot found.

    Attributes
    ----------
    lot : LotRate or None
        None where nothing was drawn. Its bounds are those in closed form; nothing is resampled.
    said : float
        Mean probability of the drawn crossings, weighted to all traffic.
    expected_hits : float
        Hits among the draws with an outcome, had the probabilities been right.
    verdict : str
        Of what was said: ``as expected`` inside the 95 % interval of the lot's rate, ``too high`` above it,
        ``too low`` below; ``insufficient data`` where neither the hits that were found nor those expected reach 10.
    may_be_undone : bool
        What was said lies outside, but not outside what draws without an outcome leave open.
    line : ReliabilityLine or None
        None under 200 hits on the lot.
    """

    lot: LotRate | None
    said: float
    expected_hits: float
    verdict: Verdict
    may_be_undone: bool
    line: ReliabilityLine | None


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """One group of one attribute.

    Attributes
    ----------
    name : str
    crossings, drawn, with_outcome : int
        In all traffic; drawn by the lot; those of them with an outcome.
    hits : int or None
        Of the lot.
    selected : Share or None
        Share of all its crossings that the model asks a control for. This and the others, hits too, are None where
        they rest on fewer crossings than allowed: insufficient data.
    false_alarms : Share or None
        The same among its crossings of the lot that proved clean.
    hit_rate : Share or None
        On the lot.
    said : float or None
        Mean probability of its crossings of the lot that have an outcome.
    calibration : str
        Verdict, as in `LotCalibration`.
    selected_apart, false_alarms_apart : Difference or None
        Less that of all others together.
    """

    name: str
    crossings: int
    drawn: int
    with_outcome: int
    hits: int | None
    selected: Share | None
    false_alarms: Share | None
    hit_rate: Share | None
    said: float | None
    calibration: Verdict
    selected_apart: Difference | None
    false_alarms_apart: Difference | None


def share_of(counted: npt.ArrayLike, weight: npt.ArrayLike | None = None) -> Share:
    """Tell which share of rows was counted.

    Parameters
    ----------
    counted : array-like of bool, shape (n,)
    weight : array-like of float, shape (n,), optional
        1 / propensity; the interval then uses Kish's effective count.

    Returns
    -------
    Share

    Examples
    --------
    >>> found = share_of([True, False, False, False])
    >>> found.value, tuple(round(bound, 2) for bound in found.interval_95)
    (0.25, (0.05, 0.7))
    """
    y = np.asarray(counted, dtype=np.float64)
    if weight is None:
        n, hits = float(len(y)), float(y.sum())
        return Share(hits, n, hits / n if n else _NOTHING, wilson_interval(hits, n, Z95), n)
    w = np.asarray(weight, dtype=np.float64)
    if y.shape != w.shape or not bool((w > 0).all()):
        raise TrainingError("every row needs one weight above 0", where="weight")
    if not len(y):
        return Share(0.0, 0.0, _NOTHING, (0.0, 1.0), 0.0)
    mean, effective = float(np.average(y, weights=w)), float(w.sum() ** 2 / np.sum(w * w))
    error = float(np.sqrt(np.sum((w * (y - mean)) ** 2)) / w.sum())
    return Share(float(y.sum()), float(len(y)), mean, share_interval(mean, error, effective), effective)


def difference_of(one: Share, other: Share) -> Difference:
    """Compare two shares of different rows.

    Parameters
    ----------
    one, other : Share

    Returns
    -------
    Difference
        ``one`` less ``other``.

    Examples
    --------
    >>> apart = difference_of(share_of([True] * 56 + [False] * 14), share_of([True] * 48 + [False] * 32))
    >>> round(apart.value, 3), tuple(round(bound, 3) for bound in apart.interval_95)  # Newcombe 1998, example (a)
    (0.2, (0.052, 0.334))
    """
    if not (one.n and other.n):
        return Difference(_NOTHING, (_NOTHING, _NOTHING))
    (low, high), (other_low, other_high) = one.interval_95, other.interval_95
    apart = one.value - other.value
    down = float(np.hypot(one.value - low, other_high - other.value))
    up = float(np.hypot(high - one.value, other.value - other_low))
    return Difference(apart, (apart - down, apart + up))


def calibration_on_lot(
    probability: npt.ArrayLike,
    hit: npt.ArrayLike,
    weight: npt.ArrayLike,
    group: npt.ArrayLike,
    *,
    fewest_hits: int = FEWEST_LOT_HITS,
) -> LotCalibration:
    """Hold probabilities against the lot, by intention.

    Parameters
    ----------
    probability : array-like of float in [0, 1], shape (n,)
        What was said of each drawn crossing before anybody looked.
    hit : array-like of float, shape (n,)
        1.0, 0.0, or NaN where the draw gave no outcome.
    weight : array-like of float, shape (n,)
        1 / propensity.
    group : array-like, shape (n,)
        Post and shift, as in `chekara.evaluation.intention.intention_weights`.
    fewest_hits : int
        Found or expected; below it the verdict is ``insufficient data``.

    Returns
    -------
    LotCalibration

    Notes
    -----
    Hits that were expected count towards the fewest, too: who said two hits in a hundred and found none in ten
    thousand controls has said too much, and the hits that would show it are those that are not there.
    """
    p, y, w = (np.asarray(one, dtype=np.float64) for one in (probability, hit, weight))
    if not len(p):
        return LotCalibration(None, _NOTHING, 0.0, INSUFFICIENT, may_be_undone=False, line=None)
    lot, known = lot_rate(y, w, group, replicates=1), ~np.isnan(y)  # the closed form is what is read
    said, expected = float(np.average(p, weights=w)), float(p[known].sum())
    verdict, may_be_undone = INSUFFICIENT, False
    if max(lot.hits, expected) >= fewest_hits:
        verdict = _verdict(said, lot.closed_form_95)
        may_be_undone = verdict != "as expected" and _verdict(said, lot.bounds_95) == "as expected"
    line = reliability_line(y[known], p[known]) if known.any() else None
    return LotCalibration(lot, said, expected, verdict, may_be_undone, line)


def _verdict(said: float, interval: Interval) -> Verdict:
    low, high = interval
    return "too high" if said > high else "too low" if said < low else "as expected"


def group_figures(
    group: Sequence[str] | npt.NDArray[np.object_],
    flagged: npt.ArrayLike,
    probability: npt.ArrayLike,
    hit: npt.ArrayLike,
    weight: npt.ArrayLike,
    *,
    fewest: int = FEWEST_IN_GROUP,
    fewest_hits: int = FEWEST_LOT_HITS,
) -> tuple[GroupFigures, ...]:
    """Tell how a model treats the groups of one attribute.

    Parameters
    ----------
    group : sequence of str, length n
        Group of every crossing.
    flagged : array-like of bool, shape (n,)
        The model asks for a control.
    probability : array-like of float, shape (n,)
    hit : array-like of float, shape (n,)
        1.0 or 0.0 where the lot gave an outcome, else NaN.
    weight : array-like of float, shape (n,)
        1 / propensity where the lot drew the crossing, else NaN.
    fewest, fewest_hits : int
        Below them a figure, and a verdict of calibration, is left out: insufficient data.

    Returns
    -------
    tuple of GroupFigures
        In order of names.

    Notes
    -----
    The random arm is a sample of all traffic, so the share selected is counted over all of it; what needs an outcome
    is counted on the lot alone.
    """
    names = np.array([str(name) for name in group], dtype=object)
    f = np.asarray(flagged, dtype=np.bool_)
    p, y, w = (np.asarray(one, dtype=np.float64) for one in (probability, hit, weight))
    rows = _GroupRows(f, p, y, w, fewest, fewest_hits)
    return tuple(rows.figures(str(name), names == name) for name in sorted(set(names)))


@dataclass(frozen=True, slots=True)
class _GroupRows:
    """Crossings whose groups are compared."""

    flagged: npt.NDArray[np.bool_]
    probability: Floats
    hit: Floats
    weight: Floats
    fewest: int
    fewest_hits: int

    def figures(self, name: str, inside: npt.NDArray[np.bool_]) -> GroupFigures:
        drawn, known = ~np.isnan(self.weight), ~np.isnan(self.weight) & ~np.isnan(self.hit)
        clean = known & (np.nan_to_num(self.hit) == 0)
        of_group = inside & known
        selected, others = self._share(self.flagged, inside), self._share(self.flagged, ~inside)
        alarms = self._share(self.flagged, inside & clean, weighted=True)
        other_alarms = self._share(self.flagged, ~inside & clean, weighted=True)
        rate = self._share(np.nan_to_num(self.hit) == 1, of_group, weighted=True)
        said = None if rate is None else float(np.average(self.probability[of_group], weights=self.weight[of_group]))
        hits = int(np.nansum(self.hit[of_group]))
        is_enough = max(hits, float(self.probability[of_group].sum())) >= self.fewest_hits
        calibration = _verdict(said, rate.interval_95) if said is not None and rate and is_enough else INSUFFICIENT
        return GroupFigures(
            name=name,
            crossings=int(inside.sum()),
            drawn=int((inside & drawn).sum()),
            with_outcome=int(of_group.sum()),
            hits=None if rate is None else hits,
            selected=selected,
            false_alarms=alarms,
            hit_rate=rate,
            said=said,
            calibration=calibration,
            selected_apart=None if selected is None or others is None else difference_of(selected, others),
            false_alarms_apart=None if alarms is None or other_alarms is None else difference_of(alarms, other_alarms),
        )

    def _share(
        self, counted: npt.NDArray[np.bool_], among: npt.NDArray[np.bool_], *, weighted: bool = False
    ) -> Share | None:
        if among.sum() < self.fewest:
            return None
        return share_of(counted[among], self.weight[among] if weighted else None)
