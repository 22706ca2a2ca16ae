"""What arrives at a border, as bodies of ``POST /v1/scores``: the workload of every serving figure.

Loaded road crossings of a simulated border, which every domain's model applies to, with other entities: those are drawn
by Zipf's law from 50,000 of a kind, and a fifth of them was never seen. A crossing has 1 to 20 goods lines, k with a
probability in proportion to 1 / k (5.6 on average) unless another law is asked for. A body carries a mark where the
number of its crossing goes, so that a client makes endless new crossings and new entities out of a few thousand bodies.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from chekara.data.bodies import request_bodies

MARK = b"~serial-no~~"
ENTITIES = ("importer_id", "exporter_id", "declarant_id", "carrier_id", "vehicle_id", "trailer_id")
HEADER_ENTITIES = frozenset({"carrier_id", "vehicle_id", "trailer_id"})
POOL, ZIPF, UNSEEN_SHARE, MOST_ITEMS = 50_000, 1.1, 0.2, 20

ItemLaw = Literal["inverse", "uniform", "one"]


def draw_entities(crossings: pd.DataFrame, rng: np.random.Generator, *, unseen: str) -> None:
    """Give rows entities drawn by Zipf's law, a fifth of them new; a missing entity stays missing.

    Parameters
    ----------
    crossings : DataFrame
        One row per goods line; its entity columns are replaced. Lines of one crossing share the header's entities.
    rng : Generator
    unseen : str
        Names new entities, together with the row's number.
    """
    weights = 1.0 / np.arange(1, POOL + 1) ** ZIPF
    weights /= weights.sum()
    first = crossings.groupby("crossing_id", sort=False).ngroup().to_numpy()
    for column in ENTITIES:
        n = len(crossings)
        drawn, is_new = rng.choice(POOL, n, p=weights), rng.random(n) < UNSEEN_SHARE
        place = first if column in HEADER_ENTITIES else np.arange(n)
        names = np.where(
            is_new[place],
            [f"{column} {unseen} {i}" for i in place],
            [f"{column} {rank}" for rank in drawn[place]],
        )
        crossings[column] = pd.Series(names, index=crossings.index).where(crossings[column].notna())


def draw_sizes(rng: np.random.Generator, n: int, law: ItemLaw) -> npt.NDArray[np.int64]:
    """Draw numbers of goods lines.

    Parameters
    ----------
    rng : Generator
    n : int
    law : {'inverse', 'uniform', 'one'}
        ``inverse``: 1 to 20, k in proportion to 1 / k; ``uniform``: 1 to 20 alike, 10.5 on average; ``one``: always 1.
    """
    sizes = np.arange(1, MOST_ITEMS + 1)
    weights = {"inverse": 1.0 / sizes, "uniform": np.ones(MOST_ITEMS), "one": (sizes == 1).astype(float)}[law]
    return cast("npt.NDArray[np.int64]", rng.choice(sizes, n, p=weights / weights.sum()))


def make_bodies(history: Path, n: int, *, seed: int, law: ItemLaw = "inverse") -> list[bytes]:
    """Make bodies with a mark for the number of the crossing.

    Parameters
    ----------
    history : Path
        Folder of a simulated border.
    n : int
        Bodies.
    seed : int
    law : {'inverse', 'uniform', 'one'}
        Of the number of goods lines.

    Returns
    -------
    list of bytes
        JSON. ``MARK`` stands in the crossing's id and in the ids of unseen entities.
    """
    rng = np.random.default_rng(seed)
    return [json.dumps(body, ensure_ascii=False).encode() for body in _bodies(history, n, rng, law)]


def _bodies(history: Path, n: int, rng: np.random.Generator, law: ItemLaw) -> Iterator[dict[str, object]]:
    lines = pd.read_parquet(history / "crossings.parquet")
    # Loaded road traffic: every domain's model applies to it.
    lines = lines[lines["hs_code"].notna() & (lines["mode"] == "road") & (lines["load_status"] == "loaded")]
    heads = lines.drop_duplicates("crossing_id").sample(n, replace=True, random_state=rng)
    sizes = draw_sizes(rng, n, law)
    owner = np.repeat(np.arange(n), sizes)
    items = lines.iloc[rng.integers(0, len(lines), len(owner))].reset_index(drop=True)
    goods = ["origin_country", "hs_code", "goods_description", "declared_value", "duty_rate", "duty_amount"]
    goods += ["net_mass_kg", "gross_mass_kg", "quantity", "quantity_unit", "packages"]
    rows = heads.iloc[owner].reset_index(drop=True)
    rows[goods] = items[goods]
    rows["item_no"] = np.concatenate([np.arange(1, size + 1) for size in sizes])
    rows["crossing_id"] = [f"BENCH-{i}-{MARK.decode()}" for i in owner]
    draw_entities(rows, rng, unseen=MARK.decode())
    at = datetime.now(UTC) - timedelta(minutes=5)
    rows["occurred_at"] = rows["known_at"] = at
    rows = rows.drop(columns=["revision"])
    yield from request_bodies(rows)
