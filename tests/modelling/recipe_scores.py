"""Recipe scores of a made-up world: a post (code), a price (low is risky) and noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from chekara.data.valuation import HitKinds
from chekara.evaluation.inspectors import compare_inspectors
from chekara.evaluation.intention import draws_by_group, lot_rate
from chekara.evaluation.months import months_until_known
from chekara.features.catalogue import ItemColumns
from chekara.modelling.calibration import Calibration
from chekara.modelling.recipe import RecipeScores, Slice
from chekara.modelling.selective import SelectiveFacts

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
        expected_amount=np.full(n, np.nan),
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


def made_facts(scores: RecipeScores, *, unknown: int = 30, valuation_only: int = 20) -> SelectiveFacts:
    """Make a lot of the judged crossings that were drawn, and some draws beside them that came to nothing."""
    drawn = np.flatnonzero(scores.is_random)
    hit = np.concatenate([scores.test.hit[drawn], np.full(unknown, np.nan)])
    n = len(hit)
    draws = pd.DataFrame(
        {
            "crossing_id": [*scores.test.crossing_ids[drawn], *(f"undone {j}" for j in range(unknown))],
            "propensity": np.where(np.arange(n) % 2 == 0, 0.02, 0.05),
            "hit": hit,
            "as_of": pd.Timestamp(scores.windows["test"][0], tz="UTC") + pd.to_timedelta(np.arange(n) % 90, unit="D"),
            "post": np.where(np.arange(n) % 3 == 0, "MANAS", "TORUGART"),
            "shift": np.where(np.arange(n) % 5 < 2, "night", "day"),
        }
    )
    known = draws["hit"].notna().to_numpy()
    rate = lot_rate(hit, 1 / draws["propensity"], draws["post"], replicates=50) if n else None
    hits = scores.test.crossing_ids[scores.test.hit > 0]
    return SelectiveFacts(
        draws=draws,
        rate=rate,
        by_post=draws_by_group(draws["post"].to_numpy(object), known),
        by_shift=draws_by_group(draws["shift"].to_numpy(object), known),
        months=None
        if rate is None
        else months_until_known(
            rate.rate.value, draws_done=n - unknown, hits_so_far=rate.hits, months_so_far=3.0, design_effect=1.2
        ),
        hits=HitKinds(frozenset(map(str, hits[:valuation_only])), len(hits), 3),
        inspectors=compare_inspectors(
            hit[known], [f"officer {j % 3}" for j in range(known.sum())], draws["post"][known].to_numpy(object)
        ),
    )
