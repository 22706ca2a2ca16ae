"""Plain boosting reads what was declared and nothing else, remembers names, and knows nothing of new ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from chekara.data.schema import HEADER_COLUMNS, ITEM_COLUMNS
from chekara.evaluation.ranking import auc
from chekara.features.catalogue import ItemColumns
from chekara.modelling.baselines import logistic_regression, plain_boosting
from chekara.modelling.dataset import Dataset
from chekara.modelling.plain import DeclaredMatrix, catboost, declared_matrix, has_catboost, plain_lightgbm
from tests.modelling.recipe_scores import made_scores, made_slice


def importers(n: int, n_known: int, seed: int) -> tuple[ItemColumns, np.ndarray]:
    """Make lines of importers of whom every third one cheats; after 600 lines some have never been seen."""
    rng = np.random.default_rng(seed)
    who = np.where(np.arange(n) < 600, rng.integers(0, n_known, n), rng.integers(0, 2 * n_known, n))
    hit = rng.random(n) < np.where(who % 3 == 0, 0.8, 0.05)
    values = {
        "crossing_id": np.array([f"c{j}" for j in range(n)], dtype=object),
        "importer_id": np.array([f"importer {j}" for j in who], dtype=object),
        "vehicle_country": np.array(["KZ"] * n, dtype=object),
        "declared_value": rng.lognormal(size=n),
        "occurred_at": np.full(n, np.datetime64("2026-01-01", "us")),
        "x_lane": np.array([None] * n, dtype=object),
        "crossing_index": np.arange(n),
    }
    return ItemColumns(values, n), hit.astype(np.float64)


def test_only_declared_columns_are_read() -> None:
    items, _ = importers(1000, 30, 1)
    matrix = declared_matrix(items, np.arange(600), np.arange(600, 1000))
    assert matrix.names == ("importer_id", "declared_value", "x_lane")
    assert matrix.categorical == (0, 2)
    seen = set(items.text("importer_id")[:600])
    is_new = [name not in seen for name in items.text("importer_id")[600:]]
    np.testing.assert_array_equal(np.isnan(matrix.asked[:, 0]), is_new)
    codes = dict(zip(items.text("importer_id")[:600], matrix.train[:, 0], strict=True))
    assert all(
        codes[name] == code
        for name, code in zip(items.text("importer_id")[600:], matrix.asked[:, 0], strict=True)
        if name in codes
    )


def test_nothing_sensitive_gets_in(dataset: Dataset) -> None:
    lines = np.arange(min(dataset.items.n_items, 500))
    names = set(declared_matrix(dataset.items, lines, lines).names)
    assert {"importer_id", "carrier_id", "vehicle_id", "hs_code", "crossing_point", "declared_value"} <= names
    sensitive = {column.name for column in (*HEADER_COLUMNS, *ITEM_COLUMNS) if column.sensitive}
    assert sensitive
    assert not names & (sensitive | {"crossing_id", "declaration_id", "item_no"})


@pytest.mark.parametrize(
    "fit",
    [
        plain_lightgbm,
        pytest.param(
            catboost,
            marks=pytest.mark.skipif(not has_catboost(), reason="CatBoost, of the bench extra, is not installed"),
        ),
    ],
)
def test_it_remembers_names_and_knows_nothing_of_new_ones(fit: object) -> None:
    items, hit = importers(1000, 30, 2)
    matrix = declared_matrix(items, np.arange(600), np.arange(600, 1000))
    said = fit(matrix, hit[:600], np.ones(600))  # type: ignore[operator]
    is_new = np.isnan(matrix.asked[:, 0])
    assert auc(hit[600:][~is_new], said[~is_new]) > 0.85
    assert abs(auc(hit[600:][is_new], said[is_new]) - 0.5) < 0.12
    assert ((said >= 0) & (said <= 1)).all()


def test_it_stands_among_the_baselines_and_takes_crossings_by_their_worst_line() -> None:
    items, hit = importers(1000, 30, 3)
    X = np.zeros((1000, 3))
    test = replace(made_slice(X[600:], hit[600:]), lines=np.arange(600, 1000))
    scores = replace(made_scores(seed=1, train=made_slice(X[:600], hit[:600]), test=test), items=items)
    plain = plain_boosting(scores)[0]
    assert plain.scorer == "plain_lightgbm"
    assert auc(hit[600:], plain.score) > 0.6
    halved = replace(test, crossing_of_item=np.arange(400) // 2, hit=np.maximum(hit[600::2], hit[601::2]))
    by_two = plain_boosting(replace(scores, test=halved))[0].score
    np.testing.assert_allclose(by_two, plain.score.reshape(-1, 2).max(axis=1))


def test_without_declared_columns_it_is_chance() -> None:
    empty = DeclaredMatrix((), (), np.empty((4, 0)), np.empty((3, 0)))
    assert plain_lightgbm(empty, np.array([1.0, 0, 0, 0]), np.ones(4)).tolist() == [0.25] * 3


def test_a_sample_of_very_many_misses_stands_for_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = made_scores(seed=8)
    whole = logistic_regression(scores).score
    monkeypatch.setattr("chekara.modelling.baselines._MOST_LINES", 500)
    sampled = logistic_regression(scores).score
    assert not np.array_equal(whole, sampled)
    assert sampled.mean() == pytest.approx(whole.mean(), abs=0.03)
    assert auc(scores.test.hit, sampled) == pytest.approx(auc(scores.test.hit, whole), abs=0.02)
