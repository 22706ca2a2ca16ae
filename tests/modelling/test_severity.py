"""Expected amounts: the level is kept, chapters and numbers move it, and nothing goes beyond what was seen."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekara.features.build import FeatureTable
from chekara.modelling.severity import FEWEST_FOR_NUMBERS, Severity, fit_severity

NUMBERS = ("declared_value", "duty_rate")


def _table(value: np.ndarray, chapter: np.ndarray | None = None) -> FeatureTable:
    n = len(value)
    chapters = np.full(n, "61", dtype=object) if chapter is None else chapter
    values = {"declared_value": value.astype(np.float32), "hs_chapter": chapters}
    return FeatureTable(("declared_value", "hs_chapter"), ("number", "category"), values, n)


def _fit(value: np.ndarray, amount: np.ndarray, chapter: np.ndarray | None = None) -> Severity:
    found = fit_severity(_table(value, chapter), amount, NUMBERS)
    assert found is not None
    return found


def test_a_number_that_amounts_follow_is_used(generator: np.random.Generator) -> None:
    value = np.exp(generator.normal(8, 1, 600))
    amount = value * 0.2 * np.exp(generator.normal(0, 0.3, 600))
    severity = _fit(value, amount)
    assert severity.numbers == ("declared_value",)
    expected = severity.expected(_table(value))
    assert np.corrcoef(np.log(expected), np.log(amount))[0, 1] > 0.9
    # The smearing estimate keeps the total, which the mean of logarithms would lose.
    assert expected.sum() == pytest.approx(amount.sum(), rel=0.1)


def test_few_hits_tell_a_level_and_chapters_shrunk_to_it() -> None:
    n = FEWEST_FOR_NUMBERS - 1
    chapter = np.array(["24"] * 10 + ["61"] * (n - 10), dtype=object)
    amount = np.where(chapter == "24", 1000.0, 100.0)
    severity = _fit(np.full(n, 5.0), amount, chapter)
    assert severity.numbers == ()
    dear, usual, unseen = severity.expected(_table(np.full(3, 5.0), np.array(["24", "61", None], dtype=object)))
    assert usual < unseen < dear < 1000.0


@given(st.floats(allow_nan=True, allow_infinity=False, width=32), st.sampled_from(["24", "99", None]))
def test_no_line_is_expected_to_bring_more_than_was_ever_seen(value: float, chapter: str | None) -> None:
    generator = np.random.default_rng(5)
    amount = np.exp(generator.normal(5, 2, 80))
    severity = _fit(np.exp(generator.normal(8, 1, 80)), amount)
    (expected,) = severity.expected(_table(np.array([value]), np.array([chapter], dtype=object)))
    assert 0 < expected <= amount.max() * (1 + 1e-12)


@given(st.lists(st.floats(0, 1e9, width=32), min_size=2, max_size=40), st.data())
def test_a_line_is_told_the_same_alone_and_among_others(values: list[float], data: st.DataObject) -> None:
    generator = np.random.default_rng(5)
    severity = _fit(np.exp(generator.normal(8, 1, 80)), np.exp(generator.normal(5, 1, 80)))
    table = _table(np.array(values))
    row = data.draw(st.integers(0, len(values) - 1))
    together = severity.expected(table)
    assert (together >= 0).all()
    assert together[row] == severity.expected(table.take(np.array([row])))[0]
    assert np.round(together[row], 2) == together[row] or together[row] == severity.largest, "to the cent"


def test_amounts_that_nobody_wrote_down_say_nothing(generator: np.random.Generator) -> None:
    value, amount = np.exp(generator.normal(8, 1, 100)), np.exp(generator.normal(5, 1, 100))
    unknown = np.array([0.0, np.nan, -1.0])
    with_unknown = _fit(np.concatenate([value, np.ones(3)]), np.concatenate([amount, unknown]))
    assert with_unknown == _fit(value, amount)
    assert fit_severity(_table(np.ones(3)), unknown, NUMBERS) is None


def test_it_comes_back_from_json_as_it_was(generator: np.random.Generator) -> None:
    value = np.exp(generator.normal(8, 1, 100))
    severity = _fit(value, value)
    again = Severity.from_json(json.loads(json.dumps(severity.to_json())))
    assert again == severity
    assert replace(again, level=again.level + 1) != severity
