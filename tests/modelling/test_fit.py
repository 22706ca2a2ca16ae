"""Outcomes of crossings, spread over their lines."""

from __future__ import annotations

import numpy as np
import pytest

from chekara.evaluation.ranking import auc
from chekara.modelling import fit
from chekara.modelling.fit import ItemLabels, crossing_margins, fit_booster, label_items

PARAMETERS: dict[str, float | int | str | bool] = {
    "objective": "binary",
    "deterministic": True,
    "force_row_wise": True,
    "num_leaves": 7,
    "min_data_in_leaf": 5,
}
NAN = float("nan")


@pytest.mark.parametrize(
    ("hit", "hit_item_no", "label", "weight"),
    [
        (0.0, NAN, [0, 0, 0], [1, 1, 1]),
        (NAN, NAN, [0, 0, 0], [0, 0, 0]),
        (1.0, 2.0, [1, 1, 1], [0, 1, 0]),
        (1.0, NAN, [1, 1, 1], [1 / 3, 1 / 3, 1 / 3]),
        (1.0, 9.0, [1, 1, 1], [1 / 3, 1 / 3, 1 / 3]),
    ],
)
def test_labels_of_a_crossing_with_three_lines(
    hit: float, hit_item_no: float, label: list[float], weight: list[float]
) -> None:
    labels = label_items(np.array([hit]), np.array([hit_item_no]), np.zeros(3, dtype=np.int64), np.array([1, 2, 3]))
    told = labels.weight > 0
    assert labels.label[told].tolist() == np.array(label)[told].tolist()
    assert labels.weight.tolist() == pytest.approx(weight)


def test_a_single_line_carries_its_crossings_hit_alone() -> None:
    labels = label_items(np.array([1.0]), np.array([NAN]), np.zeros(1, dtype=np.int64), np.array([1]))
    assert labels.weight.tolist() == [1.0]


def test_a_crossing_has_its_highest_lines_margin() -> None:
    margins = crossing_margins(np.array([0.5, -2.0, 1.0]), np.array([1, 0, 1]), 3)
    assert margins.tolist() == [-2.0, 1.0, -np.inf]


def _groupage(generator: np.random.Generator) -> tuple[np.ndarray, ItemLabels, np.ndarray]:
    """Make crossings of six lines each; one line in some crossings is bad, which only its own column tells."""
    n_crossings, lines = 600, 6
    crossing = np.repeat(np.arange(n_crossings), lines)
    bad = (generator.random(n_crossings * lines) < 0.05) & (np.arange(n_crossings * lines) % 2 == 0)
    X = np.column_stack([bad + generator.normal(0, 0.25, len(bad)), generator.normal(size=len(bad))])
    hit = np.bincount(crossing, weights=bad) > 0
    item_no = np.tile(np.arange(1, lines + 1), n_crossings)
    labels = label_items(hit.astype(float), np.full(n_crossings, NAN), crossing, item_no)
    return X, labels, bad


def test_shared_hits_teach_which_line_is_bad(generator: np.random.Generator) -> None:
    X, labels, bad = _groupage(generator)
    booster = fit_booster(X, labels, names=["a", "b"], categorical=[], parameters=PARAMETERS, rounds=30, seed=1)
    margin = np.asarray(booster.predict(X, raw_score=True)).reshape(-1, 6)
    is_bad = bad.reshape(-1, 6)
    one_is_bad = is_bad.sum(axis=1) == 1
    found = is_bad[one_is_bad][np.arange(one_is_bad.sum()), margin[one_is_bad].argmax(axis=1)]
    assert found.mean() > 0.9
    assert auc(is_bad.any(axis=1), margin.max(axis=1)) > 0.9


def test_the_same_seed_gives_the_same_trees_on_any_number_of_threads(generator: np.random.Generator) -> None:
    X, labels, _ = _groupage(generator)

    def margins(seed: int, threads: int) -> bytes:
        chosen = PARAMETERS | {"feature_fraction": 0.5}
        booster = fit_booster(
            X,
            labels,
            names=["a", "b"],
            categorical=[],
            parameters=chosen,
            rounds=10,
            seed=seed,
            num_threads=threads,
        )
        return np.asarray(booster.predict(X, raw_score=True)).tobytes()

    assert margins(3, 1) == margins(3, 1) == margins(3, 2)
    assert margins(3, 1) != margins(4, 1)


@pytest.mark.parametrize("line_without_value", [0, 1_499, 2_999])
def test_bins_of_a_sample_overlook_no_missing_value(
    generator: np.random.Generator, monkeypatch: pytest.MonkeyPatch, line_without_value: int
) -> None:
    """A single line without a value is hardly ever drawn; read as 0, it would count among the many hits there."""
    monkeypatch.setattr(fit, "LINES_TO_BIN", 300)
    value = generator.integers(0, 2, 3_000).astype(float)
    X = np.column_stack([value, generator.normal(size=3_000)])
    X[line_without_value, 0] = np.nan
    labels = ItemLabels((value == 0).astype(float), np.ones(3_000))
    booster = fit_booster(X, labels, names=["a", "b"], categorical=[], parameters=PARAMETERS, rounds=5, seed=1)
    splits = booster.trees_to_dataframe().query("split_feature == 'a'")
    assert set(splits["missing_type"]) == {"NaN"}


def test_bins_of_a_sample_rank_as_well_as_those_of_all_lines(
    generator: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, labels, bad = _groupage(generator)
    reached = []
    for lines in (len(X), len(X) // 4):
        monkeypatch.setattr(fit, "LINES_TO_BIN", lines)
        booster = fit_booster(X, labels, names=["a", "b"], categorical=[], parameters=PARAMETERS, rounds=30, seed=1)
        reached.append(auc(bad, np.asarray(booster.predict(X, raw_score=True))))
    assert reached[1] == pytest.approx(reached[0], abs=0.02)


def test_lines_of_unknown_outcome_teach_nothing(generator: np.random.Generator) -> None:
    X, labels, _ = _groupage(generator)
    strange = np.vstack([X, np.full((50, 2), 99.0)])
    unknown = ItemLabels(
        np.concatenate([labels.label, np.ones(50)]),
        np.concatenate([labels.weight, np.zeros(50)]),
    )

    def trees(matrix: np.ndarray, told: ItemLabels) -> str:
        booster = fit_booster(matrix, told, names=["a", "b"], categorical=[], parameters=PARAMETERS, rounds=5, seed=1)
        return booster.model_to_string()

    assert trees(X, labels) == trees(strange, unknown)
