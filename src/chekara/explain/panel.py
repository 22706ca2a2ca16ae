"""Models that serve together, scored and explained in one pass: the numbers of each `QuadratureTreeShap` alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from chekara.explain.codes import NAN_CODE
from chekara.explain.kernels import ROWS, make_workspace
from chekara.explain.panel_kernels import (
    BILLION,
    CHUNK,
    Floats,
    Indices,
    Ints,
    Lines,
    PanelPlan,
    PanelWork,
    Told,
    score_panel,
)
from chekara.explain.plan import Plan
from chekara.explain.quadrature import QuadratureTreeShap

__all__ = ["Lines", "PanelColumn", "PanelMember", "PanelTrees", "Told"]


@dataclass(frozen=True, slots=True)
class PanelColumn:
    """One column of a model's matrix that some tree asks for.

    Attributes
    ----------
    name : str
    feature : int
        Its place in the matrix.
    stand_in : float
        What a missing number is scored as; NaN where the model knows missing ones.
    values : sequence of float or None
        What each numbered value of a category is in the matrix; None for a number.
    """

    name: str
    feature: int
    stand_in: float
    values: Sequence[float] | None


@dataclass(frozen=True, slots=True)
class PanelMember:
    """One model: its trees and the columns that they ask for, ascending."""

    explainer: QuadratureTreeShap
    columns: tuple[PanelColumn, ...]


class PanelTrees:
    """The trees of several models, laid out to be passed together.

    Parameters
    ----------
    members : sequence of PanelMember
        Not empty.

    Attributes
    ----------
    first_column : tuple of int
        Where each model's columns begin among those of all, and at last how many there are.
    base_values : tuple of float
        Per model, log-odds, to a billionth.
    """

    def __init__(self, members: Sequence[PanelMember]) -> None:
        self._plan = _panel_plan(members)
        self.first_column = tuple(self._plan.first_column.tolist())
        self.base_values = tuple(round(member.explainer.expected_value * BILLION) / BILLION for member in members)
        self._of_thread = threading.local()

    def tell(self, lines: Lines, limit: int) -> Told:
        """Score lines and explain the highest of each crossing.

        Parameters
        ----------
        lines : Lines
        limit : int
            Most columns that are named as strongest, at least 1.

        Returns
        -------
        Told
        """
        n_models, n_crossings = len(self.base_values), len(lines.starts) - 1
        shape = (n_models, n_crossings, limit)
        told = Told(
            rows=np.empty(shape[:2], dtype=np.int64),
            margins=np.zeros(shape[:2]),
            amounts=np.empty((n_crossings, self.first_column[-1])),
            strongest=np.full(shape, -1, dtype=np.int32),
            strongest_amounts=np.zeros(shape),
            strongest_values=np.zeros(shape),
        )
        work: PanelWork | None = getattr(self._of_thread, "work", None)
        if work is None:
            work = self._of_thread.work = _make_work(self._plan)
        score_panel(lines, self._plan, work, np.empty(len(lines.item_no)), told)
        return told


def _make_work(panel: PanelPlan) -> PanelWork:
    widest = int(np.diff(panel.first_column).max(initial=1))
    codes, scored = np.zeros(widest, dtype=np.int32), np.zeros(CHUNK, dtype=np.int64)
    return PanelWork(make_workspace(panel.trees, widest), codes, np.zeros(ROWS), scored)


def _starts(sizes: Sequence[int]) -> Ints:
    return np.array([0, *accumulate(sizes)], dtype=np.int64)


def _panel_plan(members: Sequence[PanelMember]) -> PanelPlan:
    plans = [member.explainer.plan for member in members]
    columns = [(plan, column) for member, plan in zip(members, plans, strict=True) for column in member.columns]
    tables = [_codes(plan, column.feature, column.values or ()) for plan, column in columns]
    missing = [_codes(plan, column.feature, (column.stand_in,)) for plan, column in columns]
    cuts = [_cuts(plan, column) for plan, column in columns]
    return PanelPlan(
        trees=_joined_trees(members, columns),
        first_column=_starts([len(member.columns) for member in members]),
        first_tree=_starts([len(plan.padded) for plan in plans]),
        first_run=_starts([len(plan.runs) for plan in plans]),
        first_set=_starts([len(plan.sets) for plan in plans]),
        cuts=_floats(cuts),
        first_cut=_starts([len(own) for own in cuts]),
        code_of_missing=_joined(missing),
        value_start=_starts([len(table) for table in tables])[:-1],
        value_codes=_joined(tables),
        name_rank=_indices([rank for member in members for rank in _name_ranks(member)]),
    )


def _joined(parts: Iterable[npt.NDArray[Any]]) -> Indices:
    return np.concatenate([np.zeros(0), *parts]).astype(np.int32)


def _floats(parts: Iterable[Floats]) -> Floats:
    return np.concatenate([np.zeros(0), *parts])


def _indices(numbers: Sequence[int]) -> Indices:
    return np.array(numbers, dtype=np.int32)


def _name_ranks(member: PanelMember) -> list[int]:
    names = sorted(column.name for column in member.columns)
    places = {name: place for place, name in enumerate(names)}
    return [places[column.name] for column in member.columns]


def _codes(plan: Plan, feature: int, values: Sequence[float]) -> Indices:
    """Codes of values: what `chekara.explain.kernels.code_of` finds."""
    first, end = plan.edge_start[feature], plan.edge_start[feature + 1]
    given = np.array(values, dtype=np.float64)
    is_missing = np.isnan(given)
    cells = np.searchsorted(plan.edges[first:end], np.where(is_missing, 0.0, given))
    return np.where(is_missing, NAN_CODE, plan.code_of_cell[first + feature + cells]).astype(np.int32)


def _cuts(plan: Plan, column: PanelColumn) -> Floats:
    """Return the edges of a number's cells, filled up to whole vectors; a category has none, for it is looked up."""
    own = plan.edges[plan.edge_start[column.feature] : plan.edge_start[column.feature + 1]]
    own = own if column.values is None else own[:0]
    return np.append(own, np.full(-len(own) % ROWS, np.inf))


def _joined_trees(members: Sequence[PanelMember], columns: Sequence[tuple[Plan, PanelColumn]]) -> Plan:
    """Lay plans one behind the other; of their codebooks only the columns that are asked for."""
    plans = [member.explainer.plan for member in members]
    spans = [(plan, c.feature, plan.edge_start[c.feature], plan.edge_start[c.feature + 1]) for plan, c in columns]

    def shifted(part: Callable[[Plan], npt.NDArray[Any]], by: Callable[[Plan], npt.NDArray[Any]]) -> Indices:
        firsts = _starts([len(by(plan)) for plan in plans])
        # What is below 0 stands for something else than a position.
        return _joined(np.where(part(p) < 0, part(p), part(p) + n) for p, n in zip(plans, firsts, strict=False))

    n_splits = sum(len(plan.feature) for plan in plans)
    tree_start = shifted(lambda plan: plan.tree_start[:-1], lambda plan: plan.feature)
    return Plan(
        edges=_floats(plan.edges[first:end] for plan, _, first, end in spans),
        edge_start=_starts([end - first for _, _, first, end in spans]),
        code_of_cell=_joined(plan.code_of_cell[first + f : end + f + 1] for plan, f, first, end in spans),
        low=_joined(plan.low for plan in plans),
        span=_joined(plan.span for plan in plans),
        word_start=shifted(lambda plan: plan.word_start, lambda plan: plan.words),
        words=np.concatenate([plan.words for plan in plans]),
        runs=shifted(lambda plan: plan.runs, lambda plan: plan.feature),
        sets=shifted(lambda plan: plan.sets, lambda plan: plan.feature),
        tree_start=np.append(tree_start, n_splits).astype(np.int64),
        points=np.concatenate([plan.points for plan in plans]),
        padded=np.concatenate([plan.padded for plan in plans]),
        feature=_joined(_places(member)[member.explainer.plan.feature] for member in members),
        left=_joined(plan.left for plan in plans),
        right=_joined(plan.right for plan in plans),
        ancestor=_joined(plan.ancestor for plan in plans),
        table_at=shifted(lambda plan: plan.table_at, lambda plan: plan.table),
        table=_floats(plan.table for plan in plans),
        leaf_value=_floats(plan.leaf_value for plan in plans),
        ratios=_floats(plan.ratios for plan in plans),
        nodes=plans[0].nodes,
    )


def _places(member: PanelMember) -> Ints:
    """Return the place among the columns that are asked for of each feature of the matrix; -1 of the others."""
    places = np.full(member.explainer.n_features, -1, dtype=np.int64)
    places[[column.feature for column in member.columns]] = np.arange(len(member.columns))
    return places
