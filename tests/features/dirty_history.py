"""Small dirty histories: late revisions, groupage, missing ids, overturned and early results, equal instants."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from chekara.data.checks import validate_table
from chekara.data.schema import HEADER_COLUMNS, INSPECTION_COLUMNS
from chekara.data.sources import History
from chekara.domain.crossing import Crossing
from chekara.domain.inspection import Inspection
from chekara.features.profile_live import CrossingEvent, ProfileEvent, ResultEvent

DOMAINS = ("contraband", "revenue_fraud")
POINTS = pd.DataFrame(
    {"code": ["TOR", "IRK", "DOS"], "neighbour": ["CN", "CN", "UZ"], "border_regime": ["external", "external", None]}
)
_START = pd.Timestamp("2024-01-01", tz="UTC")


def dirty_history(seed: int, n_crossings: int = 60, *, days: float = 500.0, instants: int = 90) -> History:
    """Draw a history in which few entities meet often, at few different instants."""
    rng = np.random.default_rng(seed)
    at = _START + pd.to_timedelta(np.sort(rng.uniform(0, days, instants)).round(2), unit="D")
    crossings: list[dict[str, Any]] = []
    inspections: list[dict[str, Any]] = []
    for c in range(n_crossings):
        first = int(rng.integers(0, instants))
        for revision in range(int(rng.choice([1, 1, 1, 2, 3]))):
            known = at[min(first + int(rng.integers(0, 20)) * revision, instants - 1)]
            crossings += _revision(rng, c, revision, known)
        for i in range(int(rng.choice([0, 1, 2]))):
            inspections += _inspection(rng, c, i, at, first)
    frame = pd.DataFrame(crossings)
    order = rng.permutation(len(frame))  # a file in any order
    return history_of(frame.iloc[order], pd.DataFrame(inspections))


def history_of(crossings: pd.DataFrame, inspections: pd.DataFrame, points: pd.DataFrame = POINTS) -> History:
    """Make a history of raw frames, validated as if read from files."""
    if inspections.empty:
        inspections = pd.DataFrame(
            columns=["inspection_id", "crossing_id", "domain", "inspected_at", "known_at", "selected_by", "found"]
        )
    tables = {"crossings": crossings, "inspections": inspections, "crossing_points": points}
    checked = {name: validate_table(frame.reset_index(drop=True), name).frame for name, frame in tables.items()}
    return History(**checked, refusals=(), digest="sha256:0", directory=Path())


def _one_of(rng: np.random.Generator, names: Sequence[str | None]) -> str | None:
    return names[int(rng.integers(0, len(names)))]


def _revision(rng: np.random.Generator, c: int, revision: int, known: pd.Timestamp) -> list[dict[str, Any]]:
    header = {
        "crossing_id": f"K{c}",
        "revision": revision,
        "occurred_at": known,
        "known_at": known,
        "crossing_point": _one_of(rng, ["TOR", "IRK", "DOS", "NEW"]),
        "direction": "entry",
        "mode": "road",
        "carrier_id": _one_of(rng, ["CA1", "CA2", None]),
        "vehicle_id": _one_of(rng, ["V1", "V2", "V3", None]),
        "trailer_id": _one_of(rng, ["T1", None]),
        "weighed_mass_kg": rng.choice([np.nan, 900.0, 1500.0, 0.0]),
    }
    return [
        header
        | {
            "item_no": item + 1,
            "importer_id": _one_of(rng, ["I1", "I2", "I3", None]),
            "exporter_id": _one_of(rng, ["E1", "E2", None]),
            "declarant_id": _one_of(rng, ["D1", "D2", None]),
            "origin_country": _one_of(rng, ["CN", "TR", None]),
            "hs_code": _one_of(rng, ["610910", "6109100000", "6110", "870323", None]),
            "declared_value": rng.choice([np.nan, 0.0, *rng.lognormal(7, 1.0, 6)]),
            "net_mass_kg": rng.choice([np.nan, 0.0, *rng.lognormal(5, 1.0, 6)]),
            "gross_mass_kg": rng.choice([np.nan, *rng.lognormal(6, 0.3, 6)]),
        }
        for item in range(int(rng.choice([1, 1, 2, 4])))
    ]


def _inspection(rng: np.random.Generator, c: int, i: int, at: pd.DatetimeIndex, first: int) -> list[dict[str, Any]]:
    rows = []
    known = max(0, first + int(rng.integers(-3, 30)))
    for revision in range(int(rng.choice([1, 1, 2]))):
        known = min(known + int(rng.integers(0, 10)) * revision, len(at) - 1)
        found = bool(rng.random() < 0.5)
        rows.append(
            {
                "inspection_id": f"N{c}-{i}",
                "revision": revision,
                "crossing_id": f"K{c}",
                "domain": _one_of(rng, [*DOMAINS, "vehicle_crime"]),
                "inspected_at": at[known],
                "known_at": at[known],
                "selected_by": "officer",
                "found": found,
                "status": _one_of(rng, ["done", "done", "done", "not_done"]),
                "result": _one_of(rng, ["confirmed", "suspected", "overturned", None]) if found else "clear",
                "item_no": rng.choice([np.nan, np.nan, 1, 2, 9]),
                "revenue_recovered": rng.choice([np.nan, 100.0]) if found else np.nan,
                "seized_value": rng.choice([np.nan, 50.0]) if found else np.nan,
            }
        )
    return rows


def _given(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if not pd.isna(value)}


def _instant(value: pd.Timestamp) -> datetime:
    return value.to_pydatetime().astimezone(UTC)


def live_events(history: History) -> list[ProfileEvent]:
    """Tell a history's events as the service would meet them, positions as in the files."""
    header = {column.name for column in HEADER_COLUMNS} - {"crossing_id", "revision", "occurred_at", "known_at"}
    events: list[ProfileEvent] = []
    frame = history.crossings.reset_index(drop=True)
    for _, lines in frame.groupby(["crossing_id", "revision"], sort=False):
        rows = [_given(row) for row in lines.to_dict("records")]
        crossing = Crossing(
            crossing_id=rows[0]["crossing_id"],
            revision=int(rows[0]["revision"]),
            occurred_at=_instant(rows[0]["occurred_at"]),
            known_at=_instant(rows[0]["known_at"]),
            header={name: value for name, value in rows[0].items() if name in header},
            items=tuple(
                {n: int(v) if n == "item_no" else v for n, v in row.items() if n not in header and n != "crossing_id"}
                for row in rows
            ),
        )
        events.append(CrossingEvent(crossing=crossing, position=int(lines.index[0])))
    detail = {column.name for column in INSPECTION_COLUMNS[7:]} - {"revision"}
    for place, row in enumerate(history.inspections.to_dict("records")):
        given = _given(row)
        inspection = Inspection(
            inspection_id=given["inspection_id"],
            revision=int(given["revision"]),
            crossing_id=given["crossing_id"],
            domain=given["domain"],
            inspected_at=_instant(given["inspected_at"]),
            known_at=_instant(given["known_at"]),
            found=bool(given["found"]),
            details={n: int(v) if n == "item_no" else v for n, v in given.items() if n in detail},
        )
        events.append(ResultEvent(inspection=inspection, position=place))
    return events
