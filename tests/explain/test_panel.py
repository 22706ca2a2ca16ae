"""The compiled pass over several models against each of them alone, with trees of every kind and width."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pytest

from chekara.explain import QuadratureTreeShap
from chekara.explain.panel import Lines, PanelColumn, PanelMember, PanelTrees
from chekara.explain.plan import NARROW
from tests.explain.test_quadrature import MISSING_RULES, chain, odd_rows, text_of, train

LIMIT = 8


def member_of(booster: lgb.Booster, n_numbers: int, codes: np.ndarray, stand_in: float = np.nan) -> PanelMember:
    """Make a member whose categories' values are numbered as ``codes`` tells; names fall as columns rise."""
    explainer = QuadratureTreeShap(booster)
    asked = np.flatnonzero(booster.feature_importance("split")).tolist()
    columns = (
        PanelColumn(f"f{999 - i}", i, stand_in=stand_in, values=None if i < n_numbers else [np.nan, *codes])
        for i in asked
    )
    return PanelMember(explainer, tuple(columns))


def lines_of(X: np.ndarray, members: list[PanelMember], n_numbers: int, codes: np.ndarray, size: int) -> Lines:
    """Lay out rows as crossings of ``size`` lines."""
    numbers = np.ascontiguousarray(X[:, :n_numbers], dtype=np.float32)
    places = {code: place for place, code in enumerate(codes.tolist(), 1)}
    values = [[places.get(value, 0) for value in row] for row in X[:, n_numbers:].tolist()]
    source = [c.feature if c.values is None else ~(c.feature - n_numbers) for m in members for c in m.columns]
    return Lines(
        numbers=numbers,
        source=np.array(source, dtype=np.int32),
        values=np.array(values, dtype=np.int32).reshape(len(X), -1),
        applies=np.ones((len(members), len(X)), dtype=np.bool_),
        item_no=np.tile(np.arange(size, dtype=np.float64), len(X) // size),
        starts=np.arange(0, len(X) + 1, size),
    )


@pytest.mark.parametrize("missing", sorted(MISSING_RULES))
@pytest.mark.parametrize(("n_crossings", "size"), [(1, 3), (2, 1), (3, 2), (60, 3), (301, 1)])
def test_members_say_what_they_say_alone(missing: str, n_crossings: int, size: int) -> None:
    n = 14
    wide, X = train(1, n_numbers=n, n_trees=6, n_rows=2000, num_leaves=120, **MISSING_RULES[missing])
    small, _ = train(2, n_numbers=n, n_trees=5, num_leaves=4)
    assert QuadratureTreeShap(wide).plan.padded.max() > NARROW == QuadratureTreeShap(small).plan.padded.max()
    codes = np.unique(X[:, n:][~np.isnan(X[:, n:])])
    rows = np.resize(odd_rows(wide, X, 7), (n_crossings * size, X.shape[1]))
    rows[:, :n] = np.nan_to_num(np.float32(np.clip(rows[:, :n], -3e38, 3e38)), nan=np.nan)
    rows[:, n:] = np.where(np.isin(rows[:, n:], codes), rows[:, n:], np.nan)
    members = [member_of(booster, n, codes) for booster in (wide, small, wide)]
    panel = PanelTrees(members)
    lines = lines_of(rows, members, n, codes, size)
    lines.applies[2, ::2] = False
    told = panel.tell(lines, LIMIT)
    for place, member in enumerate(members):
        margins = np.where(lines.applies[place], member.explainer.margins(rows), -np.inf).reshape(n_crossings, size)
        applies = np.isfinite(margins).any(axis=1)
        best = np.arange(n_crossings) * size + margins.argmax(axis=1)
        np.testing.assert_array_equal(told.rows[place], np.where(applies, best, -1))
        np.testing.assert_array_equal(told.margins[place][applies], margins.max(axis=1)[applies])
        asked = [column.feature for column in member.columns]
        alone = np.round(member.explainer.contributions(rows[best]), 9)
        own = slice(panel.first_column[place], panel.first_column[place + 1])
        np.testing.assert_allclose(told.amounts[applies, own], alone[applies][:, asked], rtol=0, atol=1.001e-9)
        assert panel.base_values[place] == alone[0, -1]


def test_a_stand_in_takes_the_place_of_a_missing_number() -> None:
    booster, X = train(3, n_categories=0, n_trees=6)
    codes = np.zeros(0)
    rows = np.float64(np.float32(np.nan_to_num(X[:50], nan=0.25)))
    gaps = np.where(rows == 0.25, np.nan, rows)
    assert np.isnan(gaps).any()
    members = [member_of(booster, 3, codes, stand_in=0.25)]
    told = PanelTrees(members).tell(lines_of(gaps, members, 3, codes, 1), LIMIT)
    np.testing.assert_array_equal(told.margins[0], members[0].explainer.margins(rows))


def test_the_strongest_come_first_and_equals_by_name() -> None:
    """Twelve features, every amount three times and with either sign."""
    amounts = [0.5, -0.2, 0.9, -0.5, 0.9, 0.2, 0.5, -0.9, 0.2, 0.7, -0.7, 0.7]
    trees = [chain(1, 0.5, amount) | {"split_feature": [i]} for i, amount in enumerate(amounts)]
    members = [member_of(lgb.Booster(model_str=text_of(trees, len(amounts))), len(amounts), np.zeros(0))]
    for n_crossings in (1, 4):
        rows = np.zeros((n_crossings, len(amounts)))
        told = PanelTrees(members).tell(lines_of(rows, members, len(amounts), np.zeros(0), 1), LIMIT)
        for crossing in range(n_crossings):
            own = told.amounts[crossing].tolist()
            names = [column.name for column in members[0].columns]
            expected = sorted(range(len(own)), key=lambda place, own=own: (-abs(own[place]), names[place]))[:LIMIT]
            assert told.strongest[0, crossing].tolist() == expected
            assert told.strongest_amounts[0, crossing].tolist() == [own[place] for place in expected]
            assert len({abs(amount) for amount in own}) < LIMIT, "there were equals"


def test_less_than_eight_moved_it() -> None:
    booster = lgb.Booster(model_str=text_of([chain(2, 0.5, 1.0)], 5))
    members = [member_of(booster, 5, np.zeros(0))]
    told = PanelTrees(members).tell(lines_of(np.zeros((1, 5)), members, 5, np.zeros(0), 1), LIMIT)
    assert told.strongest[0, 0].tolist()[2:] == [-1] * 6
    assert sorted(told.strongest[0, 0].tolist()[:2]) == [0, 1]
