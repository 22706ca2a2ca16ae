"""A small world and one real model of it, made once: a few dozen hits, as a young border has them."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chekara.data.labels import first_results
from chekara.data.leakage import revisions_before_result
from chekara.data.simulate import simulate_border
from chekara.data.sources import History, load_history
from chekara.features.build import items_from_frame
from chekara.features.catalogue import ItemColumns, laid_columns
from chekara.modelling.dataset import Dataset, build_dataset
from chekara.modelling.model import Model
from chekara.modelling.recipe import refit_on_everything
from chekara.modelling.shared import take_lines, with_profiles
from chekara.modelling.spec import ModelSpec, TrainingChoice, load_spec, parse_spec

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
    """Return the shipped spec with few kinds of profile, and fewer trees and blocks to choose from."""
    text = re.sub(
        r"(?ms)^kinds = \[.*?^\]", 'kinds = ["importer", "declarant_x_hs4", "crossing_point"]', shipped_spec.text
    )
    text = re.sub(r"(?ms)^leave_out = \[.*?^\]", "", text)
    narrow = parse_spec(text, "narrow/model.toml")
    return replace(narrow, training=TrainingChoice(rounds=(10, 30), forward_blocks=2, test_share=0.25))


def scored_items(history: History, spec: ModelSpec, n_lines: int | None = None) -> ItemColumns:
    """Lay out what could have been scored in order of ``known_at``, profiles beside it, as a service would see it."""
    frame = revisions_before_result(history.crossings, first_results(history.inspections))
    rows = np.zeros(len(history.crossings), dtype=bool)
    rows[history.crossings.index.get_indexer(frame.index)] = True
    frame = history.crossings[rows]
    items = with_profiles(items_from_frame(frame), history, [spec], rows=rows)
    order = frame.reset_index(drop=True).sort_values(["known_at", "crossing_id", "item_no"], kind="stable").index
    return take_lines(items, order.to_numpy()[:n_lines])


def strangers(frame: pd.DataFrame, spec: ModelSpec) -> ItemColumns:
    """Lay out lines of whose entities and goods nothing is known."""
    items = items_from_frame(frame)
    unknown = {name: np.full(items.n_items, np.nan, dtype=np.float32) for name in laid_columns(spec.features)}
    return ItemColumns(items.values | unknown, items.n_items)


@pytest.fixture(scope="session")
def dataset(history: History, spec: ModelSpec) -> Dataset:
    return build_dataset(history, spec, UNTIL)


@pytest.fixture(scope="session")
def model(dataset: Dataset, spec: ModelSpec) -> Model:
    return refit_on_everything(dataset, spec, seed=5)


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(20260101)
