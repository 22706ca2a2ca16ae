"""Every draw counts, done or not; and what kind of hit a control made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from chekara.data.checks import validate_table
from chekara.data.labels import TargetRule, label_crossings
from chekara.data.lot import draws_by_intention, lot_controls
from chekara.data.valuation import hit_kinds

START = datetime(2025, 1, 1, 6, tzinfo=UTC)
RULE = TargetRule(domain="revenue_fraud", negative_methods=("full", "documents"))


def controls(*rows: dict[str, Any]) -> pd.DataFrame:
    base = {
        "domain": "revenue_fraud",
        "inspected_at": START,
        "known_at": START + timedelta(hours=2),
        "selected_by": "random",
        "propensity": 0.02,
        "found": False,
        "method": "full",
    }
    frame = pd.DataFrame([{**base, "inspection_id": f"i{j}", **row} for j, row in enumerate(rows)])
    checked = validate_table(frame, "inspections")
    assert not checked.refusals
    return checked.frame


def crossings(**posts: tuple[str, datetime]) -> pd.DataFrame:
    rows = [
        {"crossing_id": crossing, "occurred_at": at, "crossing_point": post, "direction": "entry", "mode": "road"}
        for crossing, (post, at) in posts.items()
    ]
    return validate_table(pd.DataFrame(rows), "crossings").frame


POINTS = pd.DataFrame({"code": ["TORUGART", "NOWHERE"], "longitude": [75.4, np.nan]})


def test_a_draw_that_was_not_done_stays_a_draw() -> None:
    inspections = controls(
        {"crossing_id": "a", "found": True},
        {"crossing_id": "b", "status": "not_done", "method": None},
        # Somebody chose to look at it afterwards: an outcome for learning, none of the lot.
        {"crossing_id": "b", "selected_by": "officer", "propensity": None, "found": True},
        {"crossing_id": "c", "method": "scan"},  # a scan cannot clear here: done, and nothing is known
        {"crossing_id": "d"},
        {"crossing_id": "e", "selected_by": "officer", "propensity": None},
        {"crossing_id": "f", "domain": "contraband"},
        {"crossing_id": "g", "propensity": None},
    )
    at = dict.fromkeys("abcdefg", ("TORUGART", START))
    draws = draws_by_intention(lot_controls(inspections, RULE), crossings(**at), POINTS).set_index("crossing_id")
    assert draws["hit"].to_dict() == pytest.approx({"a": 1.0, "b": np.nan, "c": np.nan, "d": 0.0}, nan_ok=True)
    labels = label_crossings(inspections, RULE)
    assert set(labels["crossing_id"]) == {"a", "b", "d", "e", "g"}


def test_two_controls_of_one_draw_are_one_draw() -> None:
    inspections = controls(
        {"crossing_id": "a", "found": False, "inspected_at": START},
        {"crossing_id": "a", "found": True, "inspected_at": START + timedelta(hours=1)},
        {"crossing_id": "b", "status": "not_done", "method": None},
        {"crossing_id": "b", "inspected_at": START + timedelta(hours=1)},
    )
    draws = draws_by_intention(
        lot_controls(inspections, RULE), crossings(a=("NOWHERE", START), b=("NOWHERE", START)), POINTS
    )
    assert draws["hit"].tolist() == [1.0, 0.0]
    assert len(lot_controls(inspections, RULE)) == 4


def test_only_what_was_known_counts() -> None:
    later = START + timedelta(days=3)
    inspections = controls(
        {"crossing_id": "a", "inspection_id": "i", "found": True, "result": "confirmed"},
        {"crossing_id": "a", "inspection_id": "i", "revision": 1, "known_at": later, "result": "overturned"},
        {"crossing_id": "b", "known_at": later},
    )
    assert lot_controls(inspections, RULE, later)["hit"].tolist() == [1.0]
    assert lot_controls(inspections, RULE)["hit"].tolist() == [0.0, 0.0]


def test_shifts_follow_the_sun_where_the_longitude_is_known() -> None:
    inspections = controls(*({"crossing_id": name} for name in "abcd"))
    three, sixteen = START.replace(hour=3, minute=30), START.replace(hour=16)
    at = crossings(a=("TORUGART", three), b=("NOWHERE", three), c=("TORUGART", sixteen), d=("NOWHERE", sixteen))
    draws = draws_by_intention(lot_controls(inspections, RULE), at, POINTS).set_index("crossing_id")
    assert draws["shift"].to_dict() == {"a": "day", "b": "night", "c": "night", "d": "day"}
    nowhere = draws_by_intention(lot_controls(inspections, RULE), at, pd.DataFrame())
    assert nowhere["shift"].tolist() == ["night", "night", "day", "day"]


def test_as_of_is_when_the_crossing_was_first_known() -> None:
    frame = pd.concat([crossings(a=("TORUGART", START))] * 2, ignore_index=True)
    frame["revision"] = [0, 1]
    frame.loc[1, "known_at"] += pd.Timedelta(days=1)
    draws = draws_by_intention(lot_controls(controls({"crossing_id": "a"}), RULE), frame.iloc[::-1], POINTS)
    assert draws["as_of"].tolist() == [pd.Timestamp(START)]


@pytest.mark.parametrize(
    ("control", "kind"),
    [
        ({"irregularity": "undervaluation", "method": "full"}, "price"),
        ({"irregularity": "Declared-Value", "method": None}, "price"),
        ({"irregularity": "misclassification", "method": "documents", "revenue_recovered": 5.0}, "other"),
        ({"irregularity": "value_and_mass"}, "other"),
        ({"irregularity": "fraud"}, "other"),
        ({"irregularity": None, "method": "documents", "assessed_value": 9.0}, "price"),
        ({"irregularity": None, "method": "documents", "revenue_recovered": 9.0}, "price"),
        ({"irregularity": None, "method": "documents"}, "untold"),
        ({"irregularity": None, "method": "full", "revenue_recovered": 9.0}, "other"),
        ({"irregularity": None, "method": None, "revenue_recovered": 9.0}, "untold"),
    ],
)
def test_what_a_hit_is_about(control: dict[str, Any], kind: str) -> None:
    kinds = hit_kinds(controls({"crossing_id": "a", "found": True, **control}), RULE)
    assert kinds.n_hits == 1
    assert (kinds.valuation_only == {"a"}, kinds.n_untold == 1) == (kind == "price", kind == "untold")


def test_one_hit_of_another_kind_is_enough_and_misses_are_no_hits() -> None:
    price = {"found": True, "irregularity": "undervaluation"}
    inspections = controls(
        {"crossing_id": "a", **price},
        {"crossing_id": "a", **price, "irregularity": "false_origin"},
        {"crossing_id": "b", **price},
        {"crossing_id": "b", **price, "selected_by": "officer", "propensity": None},
        {"crossing_id": "c", "irregularity": "undervaluation"},
        {"crossing_id": "d", **price, "domain": "contraband"},
    )
    kinds = hit_kinds(inspections, RULE)
    assert (kinds.valuation_only, kinds.n_hits, kinds.n_untold) == ({"b"}, 2, 0)
    assert not hit_kinds(inspections.iloc[:0], RULE).tells
