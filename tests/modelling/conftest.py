"""A small world and one real model of it, made once: a few dozen hits, as a young border has them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from chekara.data.simulate import simulate_border
from chekara.data.sources import History, load_history
from chekara.modelling.dataset import Dataset, build_dataset
from chekara.modelling.model import Model
from chekara.modelling.recipe import refit_on_everything
from chekara.modelling.spec import ModelSpec, TrainingChoice, load_spec

SPEC_PATH = Path(__file__).parents[2] / "models" / "revenue_fraud" / "model.toml"
UNTIL = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    folder = tmp_path_factory.mktemp("small-world")
    simulate_border(folder, months=8, per_day=110, seed=11)
    return load_history(folder)


@pytest.fixture(scope="session")
def shipped_spec() -> ModelSpec:
    return load_spec(SPEC_PATH)


@pytest.fixture(scope="session")
def spec(shipped_spec: ModelSpec) -> ModelSpec:
    """Return the shipped spec, with fewer trees and blocks to choose from."""
    return replace(shipped_spec, training=TrainingChoice(rounds=(10, 30), forward_blocks=2, test_share=0.25))


@pytest.fixture(scope="session")
def dataset(history: History, spec: ModelSpec) -> Dataset:
    return build_dataset(history, spec, UNTIL)


@pytest.fixture(scope="session")
def model(dataset: Dataset, spec: ModelSpec) -> Model:
    return refit_on_everything(dataset, spec, seed=5)


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(20260101)
