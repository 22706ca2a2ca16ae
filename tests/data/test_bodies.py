"""A body says what the history said: every given value, nothing else."""

from __future__ import annotations

import json

import pandas as pd

from chekara.data.bodies import request_bodies


def history() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "crossing_id": ["a", "a", "b"],
            "revision": [1.0, 1.0, 0.0],
            "occurred_at": pd.to_datetime(["2026-01-02T03:04:05Z"] * 3),
            "item_no": [1.0, 2.0, 1.0],
            "hs_code": ["610910", "0101", None],
            "declared_value": [10.5, float("nan"), float("nan")],
            "authorised_operator": pd.array([True, None, None], dtype="boolean"),
            "importer_registered_at": pd.to_datetime(["2020-02-03", None, None]),
            "x_lot": [1.5, 2.5, float("nan")],
            "x_code": ["07", "", None],
        }
    )


def test_rows_become_crossings_with_items() -> None:
    bodies = list(request_bodies(history()))
    assert bodies == [
        {
            "crossing_id": "a",
            "occurred_at": "2026-01-02T03:04:05+00:00",
            "revision": 1,
            "items": [
                {
                    "item_no": 1,
                    "hs_code": "610910",
                    "declared_value": 10.5,
                    "authorised_operator": True,
                    "importer_registered_at": "2020-02-03",
                    "x_lot": 1.5,
                    "x_code": "07",
                },
                {"item_no": 2, "hs_code": "0101", "x_lot": 2.5},
            ],
        },
        {"crossing_id": "b", "occurred_at": "2026-01-02T03:04:05+00:00", "revision": 0, "items": [{"item_no": 1}]},
    ]


def test_bodies_are_plain_json() -> None:
    for body in request_bodies(history()):
        assert json.loads(json.dumps(body, allow_nan=False)) == body
