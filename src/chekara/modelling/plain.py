"""Boosted trees as anybody would fit them: declared columns as they are, raw entity ids as categories, no profiles.

They are the yardstick of everything that this project adds. They remember by name who was caught, which works while
the same names come back, and know nothing of who is new.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pandas as pd

from chekara.data.schema import HEADER_COLUMNS, ITEM_COLUMNS
from chekara.features.catalogue import ItemColumns
from chekara.modelling.fit import Floats, Ints

ROUNDS, LEAVES, LEARNING_RATE = 200, 31, 0.05
CATBOOST_MOST_LINES = 10_000  # beyond it, ordered boosting on raw ids takes longer than all that is judged here
_NOT_DECLARED = frozenset({"crossing_id", "item_no", "revision", "declaration_id", "journey_id", "goods_description"})
_SENSITIVE = frozenset(column.name for column in (*HEADER_COLUMNS, *ITEM_COLUMNS) if column.sensitive)
_KNOWN = frozenset(column.name for column in (*HEADER_COLUMNS, *ITEM_COLUMNS))


@dataclass(frozen=True, slots=True)
class DeclaredMatrix:
    """Declared columns of some goods lines, categories as codes of the lines that teach.

    Attributes
    ----------
    names : tuple of str
    categorical : tuple of int
        Positions of the columns that hold codes.
    train, asked : ndarray of float64, shape (n, k)
        NaN where a value is missing, or a category that no teaching line has.
    """

    names: tuple[str, ...]
    categorical: tuple[int, ...]
    train: Floats
    asked: Floats


def declared_matrix(items: ItemColumns, train_lines: Ints, asked_lines: Ints) -> DeclaredMatrix:
    """Lay declared columns out for a learner that takes them as they are.

    Parameters
    ----------
    items : ItemColumns
        Columns of the contract and national extensions; sensitive columns, free text, instants and numbers that only
        name a document are left out.
    train_lines, asked_lines : ndarray of int64
        Positions in ``items`` of the lines that teach, and of those to score.

    Returns
    -------
    DeclaredMatrix
    """
    names: list[str] = []
    categorical: list[int] = []
    train: list[Floats] = []
    asked: list[Floats] = []
    for name, values in items.values.items():
        if not (name in _KNOWN or name.startswith("x_")) or name in _NOT_DECLARED | _SENSITIVE:
            continue
        if values.dtype.kind == "f":
            told, questioned = values[train_lines], values[asked_lines]
        elif values.dtype == object:
            codes, known = pd.factorize(values[train_lines])
            place = pd.Index(known).get_indexer(pd.Index(values[asked_lines]))
            told, questioned = (np.where(each >= 0, each, np.nan) for each in (codes, place))
            categorical.append(len(names))
        else:
            continue
        names.append(name)
        train.append(told)
        asked.append(questioned)
    return DeclaredMatrix(tuple(names), tuple(categorical), _stacked(train, train_lines), _stacked(asked, asked_lines))


def plain_lightgbm(matrix: DeclaredMatrix, label: Floats, weight: Floats) -> Floats:
    """Fit 200 trees of 31 leaves with LightGBM's defaults and score the lines asked for.

    Parameters
    ----------
    matrix : DeclaredMatrix
    label, weight : ndarray of shape (n_train_lines,)
        1.0 or 0.0, and how much each line counts.

    Returns
    -------
    ndarray of float64, shape (n_asked_lines,)
        Probabilities; the training rate where no column is declared.
    """
    if not matrix.names:
        return np.full(len(matrix.asked), float(np.average(label, weights=weight)))
    data = lgb.Dataset(
        matrix.train,
        label,
        weight=weight,
        feature_name=list(matrix.names),
        categorical_feature=list(matrix.categorical),
        params={"verbose": -1},
    )
    parameters = {
        "objective": "binary",
        "num_leaves": LEAVES,
        "learning_rate": LEARNING_RATE,
        "seed": 0,
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }
    booster = lgb.train(parameters, data, num_boost_round=ROUNDS)
    return np.asarray(booster.predict(matrix.asked, num_threads=1), dtype=np.float64)


def has_catboost() -> bool:
    """Return whether CatBoost, a peer of the ``bench`` extra, is installed."""
    return find_spec("catboost") is not None


def catboost(matrix: DeclaredMatrix, label: Floats, weight: Floats) -> Floats:
    """Fit CatBoost on the same columns, as many trees, and score the lines asked for.

    Parameters and result as in `plain_lightgbm`.

    Parameters
    ----------
    matrix, label, weight
        As in `plain_lightgbm`.
    """
    from catboost import CatBoostClassifier  # noqa: PLC0415  # an extra that few installations have

    model = CatBoostClassifier(
        iterations=ROUNDS,
        learning_rate=LEARNING_RATE,
        random_seed=0,
        thread_count=1,
        allow_writing_files=False,
        verbose=False,
    )
    categories = list(matrix.categorical)
    model.fit(_named_codes(matrix, matrix.train), label, cat_features=categories, sample_weight=weight)
    said: npt.NDArray[np.float64] = model.predict_proba(_named_codes(matrix, matrix.asked))[:, 1]
    return said


def _stacked(columns: list[Floats], lines: Ints) -> Floats:
    return np.column_stack(columns).astype(np.float64) if columns else np.empty((len(lines), 0))


def _named_codes(matrix: DeclaredMatrix, values: Floats) -> pd.DataFrame:
    """Codes as whole numbers, which CatBoost asks for; -1 where missing."""
    frame = pd.DataFrame(values, columns=list(matrix.names))
    codes = [matrix.names[j] for j in matrix.categorical]
    return frame.assign(**{name: frame[name].fillna(-1).astype(np.int64) for name in codes})
