"""What the champions say of a micro-batch: features, margins, probabilities, reasons."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from chekara.domain.crossing import Crossing
from chekara.domain.decision import Reason
from chekara.explain.reasons import make_reasons
from chekara.features.build import FeatureTable, items_from_crossings
from chekara.features.catalogue import FEATURES, ItemColumns
from chekara.features.joined import JoinedFeatures
from chekara.features.laid import LaidColumns
from chekara.modelling.panel import Panel, Scored
from chekara.service.champions import Champion, Floats, Usual
from chekara.service.contributions import Contributions

REASONS = 8
CONTRIBUTION_DECIMALS = 9
"""Log-odds are stored to a billionth; they add up to the margin to well under a millionth."""


COMPARED: Final = frozenset(name for name, own in FEATURES.items() if own.source == "reference")
_MOST_PANELS: Final = 2
_PANELS: dict[tuple[int, ...], Panel] = {}
"""By the identities of the models: the ones that serve, and the ones before or next."""


class Prediction(NamedTuple):
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


def predict(
    serving: Mapping[str, Champion], crossings: Sequence[Crossing], items: ItemColumns, starts: npt.NDArray[np.int64]
) -> list[Predicted]:
    """Score crossings with all models, in one call for all of them.

    Parameters
    ----------
    serving : mapping of str to Champion
        By domain; not empty.
    crossings : sequence of Crossing
    items : ItemColumns
        Their goods lines, with what the profile engine laid beside them.
    starts : ndarray of shape (n_crossings + 1,), int64
        Where the lines of each crossing begin.

    Returns
    -------
    list of Predicted
        Per crossing.
    """
    panel = _panel_of(serving)
    scored = panel.score(items, starts, REASONS)
    told = _Telling(panel, serving, scored, items, starts.tolist())
    return [
        Predicted(
            {domain: told.prediction(model, place, crossing) for model, domain in enumerate(serving)},
            scored.features.lines(*told.lines(place)),
        )
        for place, crossing in enumerate(crossings)
    ]


class _Telling:
    """Writes out what a panel says, as plain numbers per crossing and model."""

    def __init__(
        self,
        panel: Panel,
        serving: Mapping[str, Champion],
        scored: Scored,
        items: ItemColumns,
        starts: list[int],
    ) -> None:
        told = scored.told
        self._panel, self._champions, self._scored, self._items = panel, tuple(serving.values()), scored, items
        self._starts = starts
        self._rows, self._margins, self._strongest = told.rows.tolist(), told.margins.tolist(), told.strongest.tolist()
        self._probability, self._low, self._high = scored.curves.tolist()
        self._expected_amounts = scored.expected_amounts.tolist()
        self._amounts, self._values = told.strongest_amounts.tolist(), told.strongest_values.tolist()
        self._goods = items.text("hs_code").tolist()
        self._unseen: defaultdict[tuple[int, int], list[str]] = defaultdict(list)
        for line, name, models in scored.gaps.unseen:
            for model in models:
                self._unseen[model, line].append(name)
        self._missing: defaultdict[tuple[int, int], set[str]] = defaultdict(set)
        for line, name, models in scored.gaps.missing:
            for model in models:
                self._missing[model, line].add(name)
        self._usual: dict[int, Mapping[str, Usual]] = {}

    def lines(self, place: int) -> tuple[int, int]:
        """Return where the lines of a crossing begin and end."""
        return self._starts[place], self._starts[place + 1]

    def prediction(self, model: int, place: int, crossing: Crossing) -> Prediction | None:
        """Return what one model says of one crossing; None where its domain does not apply."""
        row = self._rows[model][place]
        if row < 0:
            return None
        first, end = self.lines(place)
        columns, trees = self._panel.columns[model], self._panel.trees
        amount = self._expected_amounts[model][place]
        own = slice(trees.first_column[model], trees.first_column[model + 1])
        return Prediction(
            item_no=int(crossing.items[row - first].get("item_no", 1)),
            margin=self._margins[model][place],
            base_value=trees.base_values[model],
            probability=self._probability[model][place],
            interval=(self._low[model][place], self._high[model][place]),
            expected_amount=None if math.isnan(amount) else amount,
            contributions=Contributions(columns, self._scored.told.amounts[place, own]),
            reasons=self._reasons(model, place, row),
            unseen_fields=self._unseen_fields(model, range(first, end)) if self._unseen else (),
            missing_fields=self._missing_fields(model, range(first, end)) if self._missing else (),
        )

    def _reasons(self, model: int, place: int, row: int) -> tuple[Reason, ...]:
        """Return the reasons of the highest line."""
        champion, columns = self._champions[model], self._panel.columns[model]
        names = [columns[column] for column in self._strongest[model][place] if column >= 0]
        codes, categories = champion.encoder.codes, self._scored.features.categories
        values = [
            categories[name][row] if name in codes else value
            for name, value in zip(names, self._values[model][place], strict=False)
        ]
        usual = {name: self._usual_of(model, name, row) for name in COMPARED.intersection(names)}
        unseen, goods = self._unseen.get((model, row), ()), self._goods[row]
        amounts = self._amounts[model][place][: len(names)]
        return make_reasons(names, values, amounts, champion.evidence, usual, unseen, goods)

    def _usual_of(self, model: int, name: str, row: int) -> tuple[float, float, str | None]:
        """Return what was declared and what is usual, of a feature that compares the two."""
        if model not in self._usual:
            self._usual[model] = self._champions[model].usual(self._items)
        said, expected, group = self._usual[model][name]
        return float(said[row]), float(expected[row]), group[row]

    def _unseen_fields(self, model: int, lines: range) -> tuple[str, ...]:
        """Return the contract columns behind the unseen features of a crossing's lines."""
        features = {name for line in lines for name in self._unseen.get((model, line), ())}
        return tuple(sorted({FEATURES[name].reads[0] if name in FEATURES else name for name in features}))

    def _missing_fields(self, model: int, lines: range) -> tuple[str, ...]:
        return tuple(sorted({name for line in lines for name in self._missing.get((model, line), ())}))


def _panel_of(serving: Mapping[str, Champion]) -> Panel:
    """Return the panel of models that serve together; made once, by whoever rehearses them."""
    champions = tuple(serving.values())
    key = tuple(map(id, champions))
    found = _PANELS.get(key)
    if found is None:
        while len(_PANELS) >= _MOST_PANELS:
            _PANELS.pop(next(iter(_PANELS)), None)
        found = _PANELS[key] = Panel(champions)  # it holds the champions, so that their ids stay theirs
    return found


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
        items, _ = items_from_crossings(crossings)
        starts = np.array([0, *accumulate(len(crossing.items) for crossing in crossings)], dtype=np.int64)
        return [*predict(serving, crossings, items.beside(profiles), starts)]
    except Exception as error:  # noqa: BLE001  # whatever one crossing sets off must stay its own
        if len(crossings) == 1:
            return [error]
        return [_alone(serving, crossing, profiles, *lines) for crossing, lines in _lines_of(crossings)]


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
