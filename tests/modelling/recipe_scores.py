"""Recipe scores of a made-up world: a post (code), a price (low is risky) and noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from chekara.features.catalogue import ItemColumns
from chekara.modelling.calibration import Calibration
from chekara.modelling.recipe import RecipeScores, Slice

Floats = npt.NDArray[np.float64]


def made_slice(
    X: Floats,
    hit: Floats,
    crossing_of_item: npt.NDArray[np.int64] | None = None,
    keys: Sequence[str] | None = None,
) -> Slice:
    """One line per crossing unless told otherwise."""
    crossing = np.arange(len(hit)) if crossing_of_item is None else crossing_of_item
    return Slice(
        X=X,
        lines=np.arange(len(crossing)),
        crossing_of_item=crossing,
        item_label=hit[crossing],
        item_weight=np.ones(len(crossing)),
        hit=hit,
        amount=100.0 * hit,
        weight=1.0 + np.arange(len(hit)) % 3,
        crossing_ids=np.array([f"c{j}" for j in range(len(hit))], dtype=object),
        tuple_key=None if keys is None else np.array(keys, dtype=object),
    )


def made_scores(
    *,
    seed: int,
    train: Slice | None = None,
    test: Slice | None = None,
    keys: Sequence[str] | None = None,
    protocol: str = "as_given",
    lot_share: float = 0.5,
) -> RecipeScores:
    """800 crossings to learn from and 400 to judge, and a model that knows the truth."""
    rng = np.random.default_rng(seed)
    post, price, noise = rng.integers(0, 4, 1200), rng.normal(size=1200), rng.normal(size=1200)
    said = 1 / (1 + np.exp(1 + 1.5 * price))
    hit = (rng.random(1200) < said).astype(np.float64)
    X = np.column_stack([post, price, noise]).astype(np.float64)
    train = train or made_slice(X[:800], hit[:800], keys=keys and keys[:800])
    test = test or made_slice(X[800:], hit[800:], keys=keys and keys[:400])
    n = len(test.hit)
    margin = -1 - 1.5 * np.nan_to_num(test.X[:n, 1])
    day = np.datetime64("2026-01-01", "us")
    return RecipeScores(
        feature_names=("post", "price", "noise"),
        feature_kinds=("category", "number", "number"),
        items=ItemColumns({}, 0),
        train=train,
        test=test,
        margin=margin,
        probability=1 / (1 + np.exp(-margin)),
        calibration=Calibration(
            intercept=0.0,
            slope=1.0,
            covariance=(0.01, 0.0, 0.01),
            basis="lot",
            n_hits=int(train.hit.sum()),
            n_crossings=len(train.hit),
            n_lot_hits=60,
            n_lot=300,
        ),
        rounds=100,
        is_random=np.arange(n) < lot_share * n,
        windows={"train": (day, day + np.timedelta64(200, "D")), "test": (day, day + np.timedelta64(300, "D"))},
        protocol=protocol,
        notes=("x_lane is not in this history",),
    )
