"""A small dirty history, and the requests that would have brought it to a service, in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from chekara.data.bodies import request_bodies
from chekara.data.checks import validate_table
from chekara.data.schema import INSPECTION_COLUMNS
from chekara.data.sources import History, load_history, write_history

DOMAINS = ("revenue_fraud", "contraband", "vehicle_crime", "concealed_persons", "sps_violation")
BEGIN = pd.Timestamp("2026-02-01T00:00:00Z")
Post = tuple[Literal["scores", "inspections"], dict[str, Any]]


def dirty_history(folder: Path, seed: int, n: int = 60) -> History:
    """Make a history with revisions, groupage, missing ids, equal instants, results that come late and are overturned.

    Parameters
    ----------
    folder : Path
        Where its files are written, as a stranger would send them.
    seed, n : int
        Of the generator; crossings.
    """
    rng = np.random.default_rng(seed)
    lines: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for i in range(n):
        # Minutes from few to choose from, so that instants meet.
        known_at = BEGIN + pd.Timedelta(minutes=int(rng.integers(0, n)) * 180)
        n_items = int(rng.integers(1, 4))
        for revision in range(1 + int(rng.random() < 0.3)):
            at = known_at + pd.Timedelta(hours=int(rng.integers(1, 60))) * revision
            header = _header(rng, f"c{i}", revision, at, known_at)
            lines += [header | _item(rng, k + 1) for k in range(n_items)]
        if rng.random() < 0.6:
            results += _results(rng, f"c{i}", known_at, n_items)
    frames = {"crossings": pd.DataFrame(lines), "inspections": pd.DataFrame(results), "crossing_points": _points()}
    whole = {name: validate_table(frame, name) for name, frame in frames.items()}
    assert not any(table.refusals for table in whole.values())
    write_history({name: table.frame for name, table in whole.items()}, folder)
    return load_history(folder)


def _header(
    rng: np.random.Generator, crossing_id: str, revision: int, at: pd.Timestamp, first: pd.Timestamp
) -> dict[str, Any]:
    given = {
        "crossing_id": crossing_id,
        "revision": revision,
        "occurred_at": first - pd.Timedelta(hours=1),
        "known_at": at,
        "crossing_point": rng.choice(["KG-01", "KG-02", "KG-03"]),
        "direction": "entry",
        "mode": "road",
        "carrier_id": _one_of(rng, "carrier", 4),
        "vehicle_id": _one_of(rng, "01KG", 6),
        "trailer_id": _one_of(rng, "T", 3),
        "weighed_mass_kg": float(rng.integers(800, 2000)) if rng.random() < 0.7 else None,
    }
    return {name: value for name, value in given.items() if value is not None}


def _item(rng: np.random.Generator, number: int) -> dict[str, Any]:
    given = {
        "item_no": number,
        "importer_id": _one_of(rng, "importer", 4),
        "exporter_id": _one_of(rng, "exporter", 4),
        "declarant_id": _one_of(rng, "declarant", 3),
        "origin_country": rng.choice(["CN", "TR", "UZ"]),
        "hs_code": rng.choice(["610910", "610990", "870323", "080810"]) if rng.random() < 0.9 else None,
        "declared_value": float(np.round(rng.lognormal(7, 1), 2)),
        "net_mass_kg": float(rng.integers(100, 900)) if rng.random() < 0.9 else None,
    }
    return {name: value for name, value in given.items() if value is not None}


def _one_of(rng: np.random.Generator, name: str, n: int) -> str | None:
    return None if rng.random() < 0.15 else f"{name} {int(rng.integers(n))}"


def _results(rng: np.random.Generator, crossing_id: str, known_at: pd.Timestamp, n_items: int) -> list[dict[str, Any]]:
    inspected_at = known_at + pd.Timedelta(hours=int(rng.integers(1, 4)))
    found = bool(rng.random() < 0.5)
    first = {
        "inspection_id": f"i-{crossing_id}",
        "crossing_id": crossing_id,
        "revision": 0,
        "domain": rng.choice(DOMAINS),
        "inspected_at": inspected_at,
        "known_at": inspected_at + pd.Timedelta(hours=int(rng.integers(0, 4)) * 3),
        "selected_by": rng.choice(["random", "officer"]),
        "found": found,
        "status": rng.choice(["done", "done", "done", "not_done"]),
        "item_no": int(rng.integers(1, n_items + 1)) if rng.random() < 0.5 else None,
        "revenue_recovered": float(rng.integers(100, 900)) if found else None,
        "result": "confirmed" if found else "clear",
    }
    if first["status"] == "not_done":
        first |= {"found": False, "revenue_recovered": None, "result": None}
    if not found or rng.random() < 0.5:
        return [first]
    later = first["known_at"] + pd.Timedelta(hours=int(rng.integers(1, 80)))
    return [first, first | {"revision": 1, "known_at": later, "result": "overturned"}]


def _points() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "code": ["KG-01", "KG-02", "KG-03"],
            "neighbour": ["CN", "KZ", "CN"],
            "border_regime": ["external", "union", "external"],
        }
    )


def posts_of(history: History) -> list[Post]:
    """Return the bodies of a history in the order in which a service receives them: as things become known."""
    crossings = list(request_bodies(history.crossings))
    results = list(_result_bodies(history.inspections))
    keyed = [
        ((pd.Timestamp(body["known_at"]), 0, body.get("revision", 0), i), body) for i, body in enumerate(crossings)
    ]
    keyed += [((pd.Timestamp(body["known_at"]), 1, body.get("revision", 0), i), body) for i, body in enumerate(results)]
    keyed.sort(key=lambda one: one[0])
    return [("inspections" if key[1] else "scores", body) for key, body in keyed]


def _result_bodies(inspections: pd.DataFrame) -> Iterator[dict[str, Any]]:
    kinds = {column.name: column.kind for column in INSPECTION_COLUMNS}
    for record in inspections.to_dict("records"):
        given = {str(name): value for name, value in record.items() if not pd.isna(value) and name in kinds}
        for name, value in given.items():
            if kinds[name] == "instant":
                given[name] = value.isoformat()
            elif kinds[name] == "integer":
                given[name] = int(value)
            elif kinds[name] == "boolean":
                given[name] = bool(value)
        yield given


def known_until(history: History, instant: pd.Timestamp) -> History:
    """Return the part of a history that was known before an instant."""
    return replace(
        history,
        crossings=history.crossings[history.crossings["known_at"] < instant].reset_index(drop=True),
        inspections=history.inspections[history.inspections["known_at"] < instant].reset_index(drop=True),
    )


def known_since(history: History, instant: pd.Timestamp) -> History:
    """Return the part of a history that became known at an instant or later."""
    return replace(
        history,
        crossings=history.crossings[history.crossings["known_at"] >= instant].reset_index(drop=True),
        inspections=history.inspections[history.inspections["known_at"] >= instant].reset_index(drop=True),
    )
