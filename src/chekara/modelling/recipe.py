"""The recipe: judged on later crossings, then repeated on everything known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chekara.modelling.calibration import Calibration
from chekara.modelling.dataset import Dataset
from chekara.modelling.model import Model
from chekara.modelling.spec import ModelSpec

Floats = npt.NDArray[np.float64]
Progress = Callable[[str, float], None]  # (stage, fraction done in [0, 1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Crossings of one part in time as a learner sees them. Only crossings with a known outcome.

    Attributes
    ----------
    X : ndarray of shape (n_items, k)
        Encoded features, columns as ``RecipeScores.feature_names``.
    crossing_of_item : ndarray of shape (n_items,)
        Position of each line's crossing in the arrays below.
    item_label, item_weight : ndarray of shape (n_items,)
        What the learner was given.
    hit : ndarray of shape (n_crossings,)
        0.0 or 1.0.
    amount : ndarray of shape (n_crossings,)
        Revenue recovered, currency; 0 where nothing was found.
    weight : ndarray of shape (n_crossings,)
        1 / propensity in the random lot, else 1.
    crossing_ids : ndarray of str
    tuple_key : ndarray of shape (n_items,) or None
        Key of the leaking tuple, where one was found.
    """

    X: Floats
    crossing_of_item: npt.NDArray[np.int64]
    item_label: Floats
    item_weight: Floats
    hit: Floats
    amount: Floats
    weight: Floats
    crossing_ids: npt.NDArray[np.object_]
    tuple_key: npt.NDArray[np.object_] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeScores:
    """What the recipe did on crossings later than all that it learned from.

    Attributes
    ----------
    feature_names : tuple of str
    feature_kinds : tuple of str
    train, test : Slice
    margin, probability : ndarray of shape (n_test_crossings,)
    calibration : Calibration
        Fitted before the test slice.
    is_random : ndarray of bool, shape (n_test_crossings,)
        Drawn by the lot.
    windows : mapping of str to (first, last) instants
        train, embargo, calibrate, test.
    protocol : {'as_given', 'leak_free'}
    notes : tuple of str
    """

    feature_names: tuple[str, ...]
    feature_kinds: tuple[str, ...]
    train: Slice
    test: Slice
    margin: Floats
    probability: Floats
    calibration: Calibration
    is_random: npt.NDArray[np.bool_]
    windows: Mapping[str, tuple[np.datetime64, np.datetime64]]
    protocol: str
    notes: tuple[str, ...]


def evaluate_recipe(dataset: Dataset, spec: ModelSpec, seed: int, progress: Progress | None = None) -> RecipeScores:
    """Fit on the past, judge on what came later."""
    raise NotImplementedError


def refit_on_everything(dataset: Dataset, spec: ModelSpec, seed: int, progress: Progress | None = None) -> Model:
    """Fit the recipe on all that is known, calibrated out of fold in time."""
    raise NotImplementedError
