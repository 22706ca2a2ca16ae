"""The models that serve together, laid out as one: what each says alone, for a micro-batch, in a few calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from chekara.explain.panel import Lines, PanelColumn, PanelMember, PanelTrees, Told
from chekara.explain.quadrature import QuadratureTreeShap
from chekara.features.catalogue import FeatureKind, ItemColumns, laid_columns
from chekara.features.joined import FeaturesTogether, JoinedFeatures
from chekara.modelling.calibration import Calibration, Calibrations
from chekara.modelling.encode import MISSING, Encoder, field_behind, showing_one_column
from chekara.modelling.severity import CHAPTER, Severities, Severity

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Models: TypeAlias = tuple[int, ...]
"""Places of models in the panel."""

NEVER_MET: Final = 0
"""Number of a category that no training met."""


class PanelModel(Protocol):
    """What a panel needs of ``chekara.modelling.model.Model``."""

    @property
    def names(self) -> tuple[str, ...]:
        """Features that are computed."""
        ...

    @property
    def kinds_of_extensions(self) -> Mapping[str, FeatureKind]:
        """National columns among them."""
        ...

    @property
    def asked_features(self) -> frozenset[str]:
        """Features that some tree splits on."""
        ...

    @property
    def encoder(self) -> Encoder:
        """Features to matrix."""
        ...

    @property
    def explainer(self) -> QuadratureTreeShap:
        """Trees."""
        ...

    @property
    def calibration(self) -> Calibration:
        """Margins to probabilities."""
        ...

    @property
    def severity(self) -> Severity | None:
        """What a hit would bring."""
        ...

    def applies_to(self, items: ItemColumns) -> npt.NDArray[np.bool_]:
        """Tell which goods lines the domain applies to."""
        ...


class Scored(NamedTuple):
    """What all models say of a micro-batch.

    Attributes
    ----------
    features : JoinedFeatures
        Of all lines.
    told : Told
        Highest lines, margins, contributions.
    curves : ndarray of shape (3, n_models, n_crossings)
        Probability, and both bounds of its interval.
    expected_amounts : ndarray of shape (n_models, n_crossings)
        Currency; NaN where nothing is known of amounts.
    gaps : Gaps
    """

    features: JoinedFeatures
    told: Told
    curves: Floats
    expected_amounts: Floats
    gaps: Gaps


class Gaps(NamedTuple):
    """What the models do not know of lines.

    Attributes
    ----------
    unseen : list of (int, str, Models)
        Line, feature and the models whose training never met this category.
    missing : list of (int, str, Models)
        Line, contract field without a value, and the models that had one in training and score a stand-in.
    """

    unseen: list[tuple[int, str, Models]]
    missing: list[tuple[int, str, Models]]


class Panel:
    """Scores goods lines with several models.

    Parameters
    ----------
    models : sequence of PanelModel
        Not empty.

    Attributes
    ----------
    models : tuple of PanelModel
    trees : PanelTrees
    columns : tuple of tuple of str
        Per model, the features that some tree asks for, in the order of its matrix.
    """

    def __init__(self, models: Sequence[PanelModel]) -> None:
        self.models = tuple(models)
        self._together = FeaturesTogether((model.names, model.kinds_of_extensions) for model in models)
        self._categories = tuple(_Category(name, self.models) for name in self._together.categories)
        by_name = {category.name: category for category in self._categories}
        members = [PanelMember(model.explainer, _columns(model, by_name)) for model in models]
        self.trees = PanelTrees(members)
        self.columns = tuple(tuple(column.name for column in member.columns) for member in members)
        self._calibrations = Calibrations([model.calibration for model in models])
        self._severities = Severities([model.severity for model in models])
        self._gap_start = np.cumsum([0, *(len(category.gaps) for category in self._categories)])[:-1]
        self._has_gap = np.array([gap is not _NO_GAP for own in self._categories for gap in own.gaps], dtype=np.bool_)
        self._stand_ins = _models_of_stand_ins(self.models)
        self._layouts: dict[tuple[str, ...], _Layout] = {}

    def score(self, items: ItemColumns, starts: Ints, limit: int) -> Scored:
        """Score lines, and explain the highest of each crossing.

        Parameters
        ----------
        items : ItemColumns
            All lines of each crossing, with what the profile engine laid beside them.
        starts : ndarray of shape (n_crossings + 1,), int64
            Where the lines of each crossing begin.
        limit : int
            Most reasons.

        Returns
        -------
        Scored
        """
        features = self._together.of(items)
        layout = self._layout(features.names)
        values = self._values(features)
        lines = Lines(
            numbers=features.numbers,
            source=layout.source,
            values=values,
            applies=np.array([model.applies_to(items) for model in self.models], dtype=np.bool_),
            item_no=np.ascontiguousarray(items.number("item_no"), dtype=np.float64),
            starts=starts,
        )
        told = self.trees.tell(lines, limit)
        curves = self._calibrations.curves(told.margins)
        amounts = self._expected_amounts(features, told.rows, layout)
        return Scored(features, told, curves, amounts, self._gaps(items, features, values, layout))

    def _values(self, features: JoinedFeatures) -> npt.NDArray[np.int32]:
        """Look up the numbers of all categories; shape (n_lines, n_categories)."""
        columns = [[*map(own.numbers.__getitem__, features.categories[own.name])] for own in self._categories]
        values = np.array(columns, dtype=np.int32).reshape(len(columns), features.n_lines)
        return np.ascontiguousarray(values.T)

    def _expected_amounts(self, features: JoinedFeatures, rows: Ints, layout: _Layout) -> Floats:
        numbers = features.numbers[rows, layout.severity]
        codes = features.categories.get(CHAPTER)
        chapters = [[None if codes is None else codes[row] for row in own] for own in rows.tolist()]
        return self._severities.expected(numbers, chapters)

    def _gaps(
        self, items: ItemColumns, features: JoinedFeatures, values: npt.NDArray[np.int32], layout: _Layout
    ) -> Gaps:
        gaps = Gaps([], [])
        lines, places = np.nonzero(self._has_gap[self._gap_start + values])
        for line, place in zip(lines.tolist(), places.tolist(), strict=True):
            own = self._categories[place]
            unseen, missing = own.gaps[values[line, place]]
            if unseen:
                gaps.unseen.append((line, own.name, unseen))
            if missing:
                gaps.missing.append((line, field_behind(own.name, items, line), missing))
        lines, places = np.nonzero(np.isnan(features.numbers[:, layout.stand_ins]))
        for line, place in zip(lines.tolist(), places.tolist(), strict=True):
            name = features.names[layout.stand_ins[place]]
            gaps.missing.append((line, field_behind(name, items, line), self._stand_ins[name]))
        return gaps

    def _layout(self, names: tuple[str, ...]) -> _Layout:
        found = self._layouts.get(names)
        if found is None:
            found = self._layouts[names] = self._lay_out(names)
        return found

    def _lay_out(self, names: tuple[str, ...]) -> _Layout:
        # What the profile engine laid comes first; a national number of the same name would come behind it.
        places = {name: place for place, name in enumerate(names)}
        category = {own.name: place for place, own in enumerate(self._categories)}
        source = [
            ~category[name] if name in model.encoder.codes else places[name]
            for model, own in zip(self.models, self.columns, strict=True)
            for name in own
        ]
        severity = [[places.get(name, 0) for name in own] for own in self._severities.numbers]
        return _Layout(
            source=np.array(source, dtype=np.int32),
            severity=np.array(severity, dtype=np.int64).T[:, :, np.newaxis],
            stand_ins=np.array([places[name] for name in self._stand_ins], dtype=np.int64),
        )


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where what is read lies among joined numbers.

    Attributes
    ----------
    source : ndarray of shape (n_columns,), int32
        Of `Lines`.
    severity : ndarray of shape (n_numbers, n_models, 1), int64
    stand_ins : ndarray of int64
    """

    source: npt.NDArray[np.int32]
    severity: Ints
    stand_ins: Ints


_Gap: TypeAlias = tuple[Models, Models]
_NO_GAP: Final[_Gap] = ((), ())


class _Category:
    """The values of one category, numbered for all models.

    Attributes
    ----------
    name : str
    numbers : mapping
        Of a value, None among them.
    gaps : list of (Models, Models)
        By number: the models that never met it, and those that lack it where it is None.
    """

    def __init__(self, name: str, models: Sequence[PanelModel]) -> None:
        self.name = name
        coded = {place: model for place, model in enumerate(models) if name in model.encoder.codes}
        known = dict.fromkeys(value for model in coded.values() for value in model.encoder.codes[name])
        self.values: tuple[str | None, ...] = (None, *known)
        self.numbers = _Numbers({value: number for number, value in enumerate(self.values, NEVER_MET + 1)})
        shows = {place for place, model in coded.items() if name in showing_one_column(tuple(model.encoder.codes))}
        lacks = tuple(place for place, model in coded.items() if _notices(model, name))
        unseen = (tuple(sorted(shows)), (), *(_never_met(value, name, shows, models) for value in known))
        self.gaps: list[_Gap] = [(own, ()) if own else _NO_GAP for own in unseen]
        if lacks:
            self.gaps[NEVER_MET + 1] = ((), lacks)


class _Numbers(dict[str | None, int]):
    """Numbers of values."""

    def __missing__(self, _value: str | None) -> int:
        """No training met it. A look-up in C alone: every request makes some hundreds."""
        return NEVER_MET


def _never_met(value: str, name: str, shows: set[int], models: Sequence[PanelModel]) -> Models:
    return tuple(place for place in sorted(shows) if value not in models[place].encoder.codes[name])


def _notices(model: PanelModel, name: str) -> bool:
    """Whether a model scores a stand-in, or less than it knows, where a declared feature is missing."""
    asks = name in model.asked_features and not laid_columns([name])
    codes = model.encoder.codes.get(name)
    return asks and (name in model.encoder.stand_ins if codes is None else MISSING not in codes)


def _models_of_stand_ins(models: Sequence[PanelModel]) -> dict[str, Models]:
    names = dict.fromkeys(name for model in models for name in model.encoder.stand_ins if _notices(model, name))
    return {
        name: tuple(
            place for place, model in enumerate(models) if name in model.encoder.stand_ins and _notices(model, name)
        )
        for name in names
    }


def _columns(model: PanelModel, categories: Mapping[str, _Category]) -> tuple[PanelColumn, ...]:
    encoder = model.encoder
    return tuple(
        PanelColumn(
            name,
            feature,
            stand_in=encoder.stand_ins.get(name, np.nan),
            values=[np.nan, *(encoder.code(name, value) for value in categories[name].values)]
            if name in encoder.codes
            else None,
        )
        for feature, name in enumerate(encoder.names)
        if name in model.asked_features
    )
