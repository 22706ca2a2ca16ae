"""Small histories to score: revisions, ties in time, groupage, results that come between."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from chekara.data.checks import empty_table, validate_table
from chekara.data.sources import History
from tests.small_house import POINTS, START


@cache
def dirty_history(seed: int = 3, n: int = 120) -> History:
    """Make crossings of one to four items, every fifth mended once or twice, some known at the same instant."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(n):
        n_items = int(rng.integers(1, 5))
        for revision in range(int(rng.choice([1, 2, 3], p=[0.8, 0.1, 0.1]))):
            known_at = START + pd.Timedelta(hours=int(rng.integers(0, n // 3)) + 12 * revision)
            rows += [
                {
                    "crossing_id": f"c{number}",
                    "revision": revision,
                    "item_no": item + 1,
                    "occurred_at": known_at,
                    "known_at": known_at,
                    "crossing_point": str(rng.choice(POINTS)) if item == 0 else None,
                    "direction": "entry",
                    "mode": "road",
                    "movement": "transit" if number % 11 == 0 else "import",
                    "declared_value": np.round(rng.lognormal(7, 1)) if rng.random() > 0.1 else None,
                    "net_mass_kg": float(rng.choice([100.0, 250.0])),
                    "hs_code": "610910",
                    "origin_country": "CN" if rng.random() > 0.2 else "TR",
                }
                for item in range(n_items)
            ]
    frame = pd.DataFrame(rows)
    frame["crossing_point"] = frame["crossing_point"].ffill()
    return history_of(frame)


def history_of(crossings: pd.DataFrame, inspections: pd.DataFrame | None = None) -> History:
    """Make a history of frames, checked as files are."""
    results = empty_table("inspections") if inspections is None else validate_table(inspections, "inspections").frame
    return History(
        crossings=validate_table(crossings, "crossings").frame.reset_index(drop=True),
        inspections=results,
        crossing_points=empty_table("crossing_points"),
        refusals=(),
        digest="sha256:0",
        directory=Path("history"),
    )


def result(crossing_id: str, known_at: pd.Timestamp, **more: object) -> dict[str, object]:
    """Make an inspection that found nothing."""
    return {
        "inspection_id": f"i of {crossing_id}",
        "crossing_id": crossing_id,
        "domain": "revenue_fraud",
        "inspected_at": known_at,
        "known_at": known_at,
        "selected_by": "officer",
        "found": False,
    } | more
