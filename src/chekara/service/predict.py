"""What one domain's champion says of a micro-batch: features, margins, probabilities, reasons."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from chekara.domain.contributions import Contributions
from chekara.domain.crossing import Crossing
from chekara.domain.decision import Reason
from chekara.explain.reasons import Value, reasons_at, strongest_places
from chekara.features.build import FeatureTable, compute_once, items_from_crossings
from chekara.features.catalogue import FEATURES, ItemColumns
from chekara.features.joined import JoinedFeatures, join_features
from chekara.features.laid import LaidColumns
from chekara.service.champions import Champion, Floats

REASONS = 8
CONTRIBUTION_DECIMALS = 9
"""Log-odds are stored to a billionth; they add up to the margin to well under a millionth."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """One crossing in one domain: its highest item.

    Attributes
    ----------
    item_no : int
    margin, base_value : float
        Log-odds.
    probability : float
    interval : tuple of float
    expected_amount : float or None
        What a hit in this item would bring, currency; None where nothing is known of amounts.
    contributions : Contributions
        Log-odds per feature that some tree asks for; with ``base_value`` they add up to ``margin``.
    reasons : tuple of Reason
    unseen_fields : tuple of str
        Contract columns with a category that training never saw, of any item.
    missing_fields : tuple of str
        Contract columns without a value although training had one, of any item.
    """

    item_no: int
    margin: float
    base_value: float
    probability: float
    interval: tuple[float, float]
    expected_amount: float | None
    contributions: Contributions
    reasons: tuple[Reason, ...]
    unseen_fields: tuple[str, ...]
    missing_fields: tuple[str, ...]


Predictions: TypeAlias = Mapping[str, Prediction | None]
"""By domain; None where the domain does not apply."""


class Predicted(NamedTuple):
    """One crossing in all domains, and the features of its lines, each once."""

    predictions: Predictions
    features: JoinedFeatures


class Told(NamedTuple):
    """What one model says of a micro-batch.

    Attributes
    ----------
    predictions : list of Prediction or None
        Per crossing; None where the domain applies to none of its items.
    table : FeatureTable
        Features of all lines.
    """

    predictions: list[Prediction | None]
    table: FeatureTable


def predict(
    champion: Champion, crossings: Sequence[Crossing], items: ItemColumns, crossing_index: npt.NDArray[np.int64]
) -> Told:
    """Score crossings with one model, in one call for all of them.

    Parameters
    ----------
    champion : Champion
    crossings : sequence of Crossing
    items : ItemColumns
        Their goods lines.
    crossing_index : ndarray of shape (n_items,), int64
        Position in ``crossings`` of each goods line, ascending.

    Returns
    -------
    Told
    """
    table, X, scored, rows, margins = score_highest(champion, items, crossing_index, len(crossings))
    found: list[Prediction | None] = [None] * len(crossings)
    if not len(rows):
        return Told(found, table)
    asked, names = _asked(champion.names, champion.asked_features)
    contributions = explain_rows(champion, X[rows])
    numbers = zip(
        scored.tolist(),
        rows.tolist(),
        margins.tolist(),
        contributions[:, -1].tolist(),
        champion.calibration.probability(margins).tolist(),
        zip(*(bound.tolist() for bound in champion.calibration.interval(margins)), strict=True),
        champion.expected_amount(table, rows).tolist(),
        contributions[:, asked],
        contributions,
        strongest_places(champion.names, contributions[:, :-1], REASONS),
        strict=True,
    )
    usual, goods = champion.usual(items), items.text("hs_code")
    unseen, missing = _by_row(champion.unseen(table)), _by_row(champion.missing(items, table))
    starts = np.searchsorted(crossing_index, np.arange(len(crossings) + 1)).tolist()
    for crossing, row, margin, base, probability, interval, amount, told, own, places in numbers:
        lines = range(starts[crossing], starts[crossing + 1])
        sides = {
            name: (float(said[row]), float(of_such[row]), group[row]) for name, (said, of_such, group) in usual.items()
        }
        values = _LineValues(table, row)
        found[crossing] = Prediction(
            item_no=int(crossings[crossing].items[row - lines.start].get("item_no", 1)),
            margin=margin,
            base_value=base,
            probability=probability,
            interval=interval,
            expected_amount=None if math.isnan(amount) else amount,
            contributions=Contributions(names, told),
            reasons=reasons_at(
                places, table.names, values, own, champion.evidence, sides, unseen.get(row, ()), goods[row]
            ),
            unseen_fields=_fields_read(unseen, lines),
            missing_fields=tuple(sorted(_of_rows(missing, lines))),
        )
    return Told(found, table)


@lru_cache(maxsize=64)
def _asked(names: tuple[str, ...], asked: frozenset[str]) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    """Return the places of the features that some tree asks for, and their names."""
    places = [place for place, name in enumerate(names) if name in asked]
    return np.array(places, dtype=np.int64), tuple(names[place] for place in places)


class Highest(NamedTuple):
    """The highest goods line of each crossing that a domain applies to.

    Attributes
    ----------
    table : FeatureTable
        Features of all lines.
    X : ndarray of shape (n_items, n_features), float64
        Their matrix.
    crossings, rows : ndarray of shape (n_scored,), int64
        Position of each scored crossing, ascending, and of its highest line.
    margins : ndarray of shape (n_scored,), float64
        Log-odds.
    """

    table: FeatureTable
    X: Floats
    crossings: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    margins: Floats


def score_highest(
    champion: Champion, items: ItemColumns, crossing_index: npt.NDArray[np.int64], n_crossings: int
) -> Highest:
    """Score goods lines with one model and find the highest of each crossing: the service and histories alike.

    Parameters
    ----------
    champion : Champion
    items : ItemColumns
        All lines of each crossing.
    crossing_index : ndarray of shape (n_items,), int64
        Ascending; every crossing has an item.
    n_crossings : int

    Returns
    -------
    Highest
    """
    table = champion.features(items)
    X = champion.encode(table)
    margins = np.where(champion.applies_to(items), champion.margins(X), -np.inf)
    top = highest_rows(margins, items.number("item_no"), crossing_index, n_crossings)
    scored = np.flatnonzero(np.isfinite(margins[top]))
    return Highest(table, X, scored, top[scored], margins[top[scored]])


def explain_rows(champion: Champion, X: Floats) -> Floats:
    """Return the contributions that are stored: exact SHAP values, the base value last, to a billionth.

    The kernel adds in another order for one row than for many: rounded, a crossing reads alike alone and in a batch.
    """
    return np.round(champion.contributions(X), CONTRIBUTION_DECIMALS)


def predict_all(
    serving: Mapping[str, Champion], crossings: Sequence[Crossing], profiles: LaidColumns
) -> list[Predicted | Exception]:
    """Predict a micro-batch in every domain; if that fails, one by one, so that only the poison gets an error.

    Parameters
    ----------
    serving : mapping of str to Champion
        By domain.
    crossings : sequence of Crossing
        Not empty.
    profiles : LaidColumns
        What was known of the entities of each goods line.

    Returns
    -------
    list of Predicted or Exception
        Per crossing: what every model says, or the error that this crossing alone causes.
    """
    try:
        items, crossing_index = items_from_crossings(crossings)
        items = compute_once(items.beside(profiles), tuple(champion.names for champion in serving.values()))
        told = [predict(champion, crossings, items, crossing_index) for champion in serving.values()]
        features = join_features([one.table for one in told], profiles if items.laid is None else items.laid)
    except Exception as error:  # noqa: BLE001  # whatever one crossing sets off must stay its own
        if len(crossings) == 1:
            return [error]
        return [_alone(serving, crossing, profiles, *lines) for crossing, lines in _lines_of(crossings)]
    rows = zip(*(one.predictions for one in told), strict=True)
    return [
        Predicted(dict(zip(serving, row, strict=True)), features.lines(*lines))
        for row, (_, lines) in zip(rows, _lines_of(crossings), strict=True)
    ]


def _alone(
    serving: Mapping[str, Champion], crossing: Crossing, profiles: LaidColumns, first: int, end: int
) -> Predicted | Exception:
    return predict_all(serving, [crossing], profiles.lines(first, end))[0]


def _lines_of(crossings: Sequence[Crossing]) -> Iterator[tuple[Crossing, tuple[int, int]]]:
    """Yield each crossing with where its goods lines begin and end in the micro-batch."""
    first = 0
    for crossing in crossings:
        end = first + len(crossing.items)
        yield crossing, (first, end)
        first = end


def highest_rows(
    margins: Floats, item_no: Floats, crossing_index: npt.NDArray[np.int64], n_crossings: int
) -> npt.NDArray[np.int64]:
    """Return the row of each crossing's highest margin; of equal ones that with the lowest number, wherever it stands.

    Parameters
    ----------
    margins : ndarray of shape (n_items,)
    item_no : ndarray of shape (n_items,), float64
        Numbers of the goods lines; NaN comes last.
    crossing_index : ndarray of shape (n_items,), int64
        Ascending; every crossing has an item.
    n_crossings : int

    Returns
    -------
    ndarray of shape (n_crossings,), int64

    Examples
    --------
    >>> highest_rows(np.array([1.0, 3.0, 3.0, 2.0]), np.array([1.0, 3.0, 2.0, 1.0]), np.array([0, 0, 0, 1]), 2)
    array([2, 3])
    """
    order = np.lexsort((item_no, -margins, crossing_index))
    firsts = np.searchsorted(crossing_index[order], np.arange(n_crossings))
    return order[firsts]


class _LineValues(Sequence[Value]):
    """One goods line's features by place; only those that are looked at are read."""

    def __init__(self, table: FeatureTable, row: int) -> None:
        self._table = table
        self._row = row

    def __len__(self) -> int:
        return len(self._table.names)

    @overload
    def __getitem__(self, place: int) -> Value: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Value]: ...

    def __getitem__(self, place: int | slice) -> Value | Sequence[Value]:
        if isinstance(place, slice):
            return [self[one] for one in range(len(self))[place]]
        value: Value = self._table.values[self._table.names[place]][self._row]
        return value


def _by_row(found: Iterable[tuple[int, str]]) -> dict[int, list[str]]:
    """Gather what was found of each row."""
    rows: dict[int, list[str]] = {}
    for row, name in found:
        rows.setdefault(row, []).append(name)
    return rows


def _of_rows(found: Mapping[int, Sequence[str]], rows: range) -> set[str]:
    return {name for row in rows for name in found.get(row, ())}


def _fields_read(unseen: Mapping[int, Sequence[str]], rows: range) -> tuple[str, ...]:
    """Return the contract columns behind the unseen features of a crossing's rows."""
    features = _of_rows(unseen, rows)
    return tuple(sorted({FEATURES[name].reads[0] if name in FEATURES else name for name in features}))
