"""What learns in a closed loop: features once per week, labels of those who were selected, trees anew every week."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from chekara.data.labels import label_crossings
from chekara.features import declared
from chekara.features.build import FeatureTable, build_features, items_from_frame
from chekara.features.catalogue import ItemColumns, laid_columns
from chekara.features.profile_measures import parse_profile_name
from chekara.modelling.dataset import Dataset, lines_that_apply
from chekara.modelling.fit import crossing_margins
from chekara.modelling.learn import Learned, learn
from chekara.modelling.shared import absent_extensions
from chekara.modelling.spec import ModelSpec
from training._closed_loop_fold import GrowingFold

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]

FEWEST_HITS = 15
"""Known hits below which nothing is learned."""
NEWEST_CROSSINGS = 2500
"""Of crossings with a known outcome, those that a fit learns from: the newest, so that a week costs the same."""
SMALL = {"learning_rate": 0.2, "feature_fraction": 0.3, "min_data_in_leaf": 20, "max_bin": 31}
"""What differs in LightGBM's parameters from the spec's: fewer trees of fewer columns, fitted hundreds of times."""
_MEASURES = ("hit_rate", "hit_rate_recent", "inspections", "price_level", "mass_level")
_LOOKED_AT = ("importer", "exporter", "carrier", "vehicle")


@dataclass(frozen=True, slots=True)
class WeekLines:
    """A week's goods lines in one domain.

    Attributes
    ----------
    table : FeatureTable
        Lines that the domain applies to.
    crossing_of_line : ndarray of shape (n_lines,), int64
        Position of the line's crossing in the week.
    item_no : ndarray of shape (n_lines,), int64
    crossing_ids : ndarray of shape (n_crossings,), object
        Of the whole week.
    """

    table: FeatureTable
    crossing_of_line: Ints
    item_no: Ints
    crossing_ids: npt.NDArray[np.object_]

    @property
    def applies(self) -> Mask:
        """Crossings with a line that the domain applies to; shape (n_crossings,)."""
        return np.bincount(self.crossing_of_line, minlength=len(self.crossing_ids)) > 0


def small_spec(spec: ModelSpec) -> ModelSpec:
    """Leave out most profiles of a spec: what is told of an entity is how often it was found, and at which prices.

    A closed loop fits hundreds of models. With a third of the columns they rank nearly as well (``docs/backtest.md``).

    Parameters
    ----------
    spec : ModelSpec

    Returns
    -------
    ModelSpec
    """
    kept = []
    for name in spec.features:
        profile = parse_profile_name(name)
        if profile is None or (profile.measure.name in _MEASURES and profile.domain in (None, spec.domain)):
            kept.append(name)
    monotone = {name: way for name, way in spec.monotone.items() if name in kept}
    return replace(spec, features=tuple(kept), monotone=monotone, lightgbm={**spec.lightgbm, **SMALL})


class Learner:
    """One strategy's memory and models.

    Parameters
    ----------
    specs : sequence of ModelSpec
    crossing_points : DataFrame
    seed : int
    rounds : int
        Trees of each model.
    """

    def __init__(self, specs: Sequence[ModelSpec], crossing_points: pd.DataFrame, *, seed: int, rounds: int) -> None:
        self._specs, self._seed, self._rounds = tuple(specs), seed, rounds
        names = laid_columns(dict.fromkeys(name for spec in specs for name in spec.features))
        domains = sorted({domain for spec in specs for domain in (spec.domain, *spec.results_of)})
        self._fold = GrowingFold(names, domains, crossing_points)
        self._memory = {spec.domain: _Memory() for spec in specs}
        self._learned: dict[str, Learned] = {}

    def see(
        self, crossings: pd.DataFrame, results: pd.DataFrame, since: np.datetime64, before: np.datetime64
    ) -> dict[str, WeekLines]:
        """Take in what crosses in a week, and the results that became known before it.

        Parameters
        ----------
        crossings : DataFrame
            As ``History.crossings``: every lodging of the week; the newest one of each crossing is scored.
        results : DataFrame
            As ``History.inspections``.
        since, before : datetime64
            Bounds of the week.

        Returns
        -------
        dict of str to WeekLines
            By domain.
        """
        columns = self._fold.advance(crossings, results, since, before)
        code, ids = pd.factorize(crossings["crossing_id"])
        revision = crossings["revision"].to_numpy(np.int64)
        newest = np.full(len(ids), -1, dtype=np.int64)
        np.maximum.at(newest, code, revision)
        chosen = np.flatnonzero(revision == newest[code])
        plain = items_from_frame(crossings.iloc[chosen])
        items = ItemColumns(plain.values | {name: told[chosen] for name, told in columns.items()}, plain.n_items)
        of_line = code[chosen].astype(np.int64)
        crossing_ids = np.asarray(ids, dtype=object)
        week = {spec.domain: _lines_of(spec, items, crossings, of_line, crossing_ids) for spec in self._specs}
        for spec in self._specs:
            own = results[results["domain"] == spec.domain]
            if len(own):
                self._memory[spec.domain].label(label_crossings(own, spec.target))
        return week

    def remember(self, domain: str, week: WeekLines, selected: Mask) -> None:
        """Keep the features of selected crossings until their results are known, and from then on to learn from."""
        self._memory[domain].keep(week, selected)

    def retrain(self) -> None:
        """Fit every domain's trees on what is known; a domain with too few hits keeps what it has."""
        for spec in self._specs:
            dataset = self._memory[spec.domain].dataset(spec)
            if dataset is not None and np.nansum(dataset.hit) >= FEWEST_HITS:
                known = np.flatnonzero(~np.isnan(dataset.hit))[-NEWEST_CROSSINGS:]
                teaches = np.isin(np.arange(dataset.n_crossings), known)
                self._learned[spec.domain] = learn(dataset, spec, teaches, teaches, self._rounds, self._seed)

    def margins(self, domain: str, week: WeekLines) -> Floats | None:
        """Score a week's crossings; None while nothing was learned.

        Returns
        -------
        ndarray of shape (n_crossings,), or None
            -inf where the domain does not apply.
        """
        learned = self._learned.get(domain)
        if learned is None:
            return None
        X = learned.encoder.encode(week.table)
        margins = np.asarray(learned.booster.predict(X, raw_score=True, num_threads=1), dtype=np.float64)
        return crossing_margins(margins, week.crossing_of_line, len(week.crossing_ids))


def novelty(domain: str, week: WeekLines) -> Floats:
    """Tell how little those who cross were ever looked at.

    Parameters
    ----------
    domain : str
    week : WeekLines

    Returns
    -------
    ndarray of shape (n_crossings,)
        In [0, 1]: 1 where nobody of a line was ever inspected in the domain; the newest line counts.
    """
    names = [f"{kind}_inspections_{domain}" for kind in _LOOKED_AT]
    looks = [week.table.values[name] for name in names if name in week.table.names]
    if not looks:
        return week.applies.astype(np.float64)
    unknown = np.mean([1.0 / (1.0 + np.maximum(np.nan_to_num(look), 0.0)) for look in looks], axis=0)
    highest = crossing_margins(unknown, week.crossing_of_line, len(week.crossing_ids))
    return np.where(np.isfinite(highest), highest, 0.0)


def _lines_of(
    spec: ModelSpec, items: ItemColumns, frame: pd.DataFrame, of_line: Ints, crossing_ids: npt.NDArray[np.object_]
) -> WeekLines:
    absent = absent_extensions(spec, frame)
    table = build_features(items, [name for name in spec.features if name not in absent], spec.extensions)
    lines = np.flatnonzero(lines_that_apply(items, spec))
    item_no = items.number("item_no").astype(np.int64)
    return WeekLines(table.take(lines), of_line[lines], item_no[lines], crossing_ids)


class _Memory:
    """Lines of the crossings that were selected in one domain, and what became of them."""

    def __init__(self) -> None:
        self._tables: list[FeatureTable] = []
        self._crossing: list[Ints] = []
        self._item_no: list[Ints] = []
        self._numbers: dict[str, int] = {}
        self._hit: list[float] = []
        self._hit_item_no: list[float] = []

    def keep(self, week: WeekLines, selected: Mask) -> None:
        lines = np.flatnonzero(selected[week.crossing_of_line])
        if not len(lines):
            return
        positions, place = np.unique(week.crossing_of_line[lines], return_inverse=True)
        first = len(self._numbers)
        self._numbers |= {str(week.crossing_ids[p]): first + k for k, p in enumerate(positions)}
        self._hit += [np.nan] * len(positions)
        self._hit_item_no += [np.nan] * len(positions)
        self._tables.append(week.table.take(lines))
        self._crossing.append(first + place.astype(np.int64))
        self._item_no.append(week.item_no[lines])

    def label(self, labels: pd.DataFrame) -> None:
        item_no = labels["item_no"].to_numpy(np.float64, na_value=np.nan)
        for crossing_id, hit, line in zip(labels["crossing_id"], labels["hit"], item_no, strict=True):
            place = self._numbers.get(str(crossing_id))
            if place is not None:
                self._hit[place], self._hit_item_no[place] = float(hit), float(line)

    def dataset(self, spec: ModelSpec) -> Dataset | None:
        """Lay out what is remembered; None while there is nothing."""
        if not self._tables:
            return None
        table, crossing, item_no = self._joined()
        n = len(self._numbers)
        nothing = np.full(n, np.nan)
        return Dataset(
            domain=spec.domain,
            until=datetime.max.replace(tzinfo=UTC),
            digest="",
            items=ItemColumns({declared.CROSSING_INDEX: crossing}, len(crossing)),
            table=table,
            item_no=item_no,
            crossing_of_item=crossing,
            crossing_ids=np.array(list(self._numbers), dtype=object),
            as_of=np.full(n, np.datetime64("NaT", "us")),
            hit=np.array(self._hit),
            hit_item_no=np.array(self._hit_item_no),
            known_at=np.full(n, np.datetime64("NaT", "us")),
            selected_by=np.full(n, None, dtype=object),
            propensity=nothing,
            amount=np.zeros(n),
            tuple_key=None,
            protocol="as_given",
            notes=(),
        )

    def _joined(self) -> tuple[FeatureTable, Ints, Ints]:
        """Join the weeks, once: what was joined stays joined."""
        tables = self._tables
        if len(tables) > 1:
            values = {name: np.concatenate([one.values[name] for one in tables]) for name in tables[0].names}
            n_items = sum(one.n_items for one in tables)
            self._tables = [replace(tables[0], values=values, n_items=n_items)]
            self._crossing = [np.concatenate(self._crossing)]
            self._item_no = [np.concatenate(self._item_no)]
        return self._tables[0], self._crossing[0], self._item_no[0]


def unsureness(margin: Floats) -> Floats:
    """Tell how unsure a score is: the variance of the outcome that it expects, p (1 - p).

    Parameters
    ----------
    margin : ndarray of shape (n,)
        Log-odds.

    Returns
    -------
    ndarray of shape (n,)
        In [0, 0.25].
    """
    p = 1.0 / (1.0 + np.exp(-np.clip(margin, -50, 50)))
    return np.asarray(p * (1 - p))
