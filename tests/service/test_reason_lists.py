"""The strongest reasons of many rows against those of one row after the other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chekara.explain.reasons import Value, strongest_reasons
from chekara.features.build import FeatureTable
from chekara.service.reason_lists import reason_lists

SIZES = [0.0, 1e-9, 2e-9, 0.5, -0.5, 0.25, -0.25, 1.0]


class NoEvidence:
    """Knows nothing."""

    def of(self, feature: str, value: Value, goods: str | None) -> tuple[Value, dict[str, float]]:
        return None, {}


@settings(deadline=None, max_examples=200)
@given(st.data(), st.integers(1, 14), st.integers(0, 6), st.integers(1, 8))
def test_reasons_of_many_are_the_reasons_of_each(data: st.DataObject, k: int, n: int, limit: int) -> None:
    names = data.draw(st.permutations([f"f{j:02d}" for j in range(k)]))
    amounts = np.array(data.draw(st.lists(st.sampled_from(SIZES), min_size=n * (k + 1), max_size=n * (k + 1))))
    contributions = amounts.reshape(n, k + 1)
    columns: dict[str, np.ndarray] = {}
    for j, name in enumerate(names):
        drawn = [(j + row) % 5 for row in range(n)]
        codes = [None if d == 0 else f"C{d}" for d in drawn]
        numbers = [np.nan if d == 0 else d + 0.1 for d in drawn]
        columns[name] = np.array(codes, dtype=object) if j % 3 == 0 else np.array(numbers, dtype=np.float32)
    kinds = tuple("category" if columns[name].dtype == object else "number" for name in names)
    table = FeatureTable(tuple(names), kinds, columns, n)
    declared, expected = np.arange(n) + 0.5, np.where(np.arange(n) % 2 == 0, 2.0, np.nan)
    usual = {names[-1]: (declared, expected, np.full(n, "", dtype=object))}
    told = reason_lists(names, table, contributions, usual, limit).to_pylist()
    for row in range(n):
        values = [columns[name][row] for name in names]
        sides = {name: (float(a[row]), float(b[row]), "") for name, (a, b, _) in usual.items()}
        typed = [float(v) if isinstance(v, np.floating) else v for v in values]
        expected_reasons = strongest_reasons(names, typed, contributions[row, :-1].tolist(), NoEvidence(), limit, sides)
        assert [(t["feature"], t["contribution"]) for t in told[row]] == [
            (r.feature, r.contribution) for r in expected_reasons
        ]
        for said, reason in zip(told[row], expected_reasons, strict=True):
            if isinstance(reason.value, float):
                assert float(said["value"]) == pytest.approx(reason.value, rel=1e-12)
            else:
                assert said["value"] == reason.value
