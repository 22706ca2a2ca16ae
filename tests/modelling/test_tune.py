"""The search for parameters: within its budget, deterministic by trials, and written into the spec's text."""

from __future__ import annotations

import pytest

from chekara.errors import ConfigurationError
from chekara.modelling.dataset import Dataset
from chekara.modelling.spec import ModelSpec, parse_spec
from chekara.modelling.tune import TuningBudget, tune_spec, with_lightgbm


def test_the_values_found_stand_in_the_text(shipped_spec: ModelSpec) -> None:
    tuned = with_lightgbm(shipped_spec, {"learning_rate": 0.0125, "num_leaves": 5, "path_smooth": 2.0})
    assert (tuned.lightgbm["learning_rate"], tuned.lightgbm["num_leaves"]) == (0.0125, 5)
    assert tuned.lightgbm["path_smooth"] == 2.0
    assert parse_spec(tuned.text, "again.toml") == tuned
    assert tuned.features == shipped_spec.features


def test_a_number_of_trials_finds_the_same_twice(dataset: Dataset, spec: ModelSpec) -> None:
    seen: list[str] = []
    one = tune_spec(dataset, spec, TuningBudget(trials=2), 5, lambda stage, done: seen.append(stage))
    assert len(seen) == 2
    assert one.lightgbm == tune_spec(dataset, spec, TuningBudget(trials=2), 5).lightgbm


def test_a_search_without_an_end_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="needs trials or seconds"):
        TuningBudget()
