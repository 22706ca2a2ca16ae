"""Labels against a slow oracle that reads the rules one inspection at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chekara.data.checks import validate_table
from chekara.data.labels import LABEL_COLUMNS, TargetRule, first_results, label_crossings, newest_inspections
from chekara.errors import ConfigurationError

START = datetime(2025, 1, 1, tzinfo=UTC)
RULE = TargetRule(domain="contraband", positive_results=("confirmed",), negative_methods=("full", "scan"))


def inspection(number: int, **fields: Any) -> dict[str, Any]:
    row = {
        "inspection_id": f"i{number}",
        "crossing_id": "c1",
        "domain": "contraband",
        "inspected_at": START,
        "known_at": START + timedelta(days=1),
        "selected_by": "officer",
        "found": True,
        "method": "full",
    }
    return {**row, **fields}


def inspections(*rows: dict[str, Any]) -> pd.DataFrame:
    checked = validate_table(pd.DataFrame(list(rows)), "inspections")
    assert not checked.refusals
    return checked.frame


@st.composite
def histories(draw: st.DrawFn) -> list[dict[str, Any]]:
    rows = []
    for number in range(draw(st.integers(0, 12))):
        crossing = draw(st.sampled_from(["c1", "c2", "c3"]))
        for revision in range(draw(st.integers(1, 3))):
            found = draw(st.booleans())
            result = draw(st.sampled_from([None, "suspected", "overturned", "confirmed" if found else "clear"]))
            drawn = draw(st.booleans())
            rows.append(
                inspection(
                    number,
                    crossing_id=crossing,
                    revision=revision,
                    domain=draw(st.sampled_from(["contraband", "contraband", "revenue_fraud"])),
                    known_at=START + timedelta(days=draw(st.integers(0, 6))),
                    selected_by="random" if drawn else draw(st.sampled_from(["officer", "rule"])),
                    propensity=0.25 if drawn else None,
                    found=found,
                    result=result,
                    method=draw(st.sampled_from([None, "full", "scan", "documents"])),
                    status=draw(st.sampled_from(["done", "done", "not_done"])),
                    item_no=draw(st.sampled_from([None, 1, 2])),
                    revenue_recovered=draw(st.sampled_from([None, 10.0, 20.0])),
                    seized_value=draw(st.sampled_from([None, 5.0])),
                )
            )
    return draw(st.permutations(rows))


def oracle(rows: list[dict[str, Any]], rule: TargetRule, known_before: datetime) -> dict[str, dict[str, Any]]:
    newest: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row["known_at"] >= known_before:
            continue
        other = newest.get(row["inspection_id"])
        if other is None or row["revision"] > other["revision"]:
            newest[row["inspection_id"]] = row
    told: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for row in newest.values():
        if row["domain"] != rule.domain or row["status"] != "done":
            continue
        able = row["method"] in rule.negative_methods or (row["method"] is None and rule.unstated_method_makes_negative)
        if row["found"] and row["result"] in (None, *rule.positive_results):
            told.setdefault(row["crossing_id"], []).append(("hit", row))
        elif able and (row["result"] == "overturned" or (not row["found"] and row["result"] in (None, "clear"))):
            told.setdefault(row["crossing_id"], []).append(("miss", row))
    labels = {}
    for crossing, pairs in told.items():
        hit = any(says == "hit" for says, _ in pairs)
        by_time = sorted(pairs, key=lambda pair: (pair[1]["known_at"], pair[1]["inspection_id"]))
        deciding = [row for says, row in by_time if (says == "hit") == hit]
        hits = deciding if hit else []
        drawn = [row for _, row in by_time if row["selected_by"] == "random"]
        labels[crossing] = {
            "hit": hit,
            "known_at": deciding[0]["known_at"],
            "item_no": next((row["item_no"] for row in hits if row["item_no"] is not None), None),
            "selected_by": (drawn or deciding)[0]["selected_by"],
            "propensity": (drawn or deciding)[0]["propensity"],
            "revenue_recovered": _sum([row["revenue_recovered"] for row in hits]),
            "seized_value": _sum([row["seized_value"] for row in hits]),
        }
    return labels


def _sum(amounts: list[float | None]) -> float | None:
    given_amounts = [amount for amount in amounts if amount is not None]
    return sum(given_amounts) if given_amounts else None


@given(rows=histories(), day=st.integers(0, 8), strict=st.booleans())
@settings(max_examples=60)
def test_labels_equal_the_oracle(rows: list[dict[str, Any]], day: int, strict: bool) -> None:
    rule = TargetRule(
        domain="contraband",
        positive_results=("confirmed",),
        negative_methods=("full", "scan"),
        unstated_method_makes_negative=not strict,
    )
    known_before = START + timedelta(days=day)
    frame = inspections(*rows) if rows else inspections(inspection(0)).iloc[:0]
    labels = label_crossings(frame, rule, known_before)
    told = {
        row["crossing_id"]: {
            name: None if pd.isna(row[name]) else row[name] for name in LABEL_COLUMNS if name != "crossing_id"
        }
        for row in labels.to_dict("records")
    }
    assert told == oracle(rows, rule, known_before)
    assert labels["crossing_id"].is_monotonic_increasing


@given(rows=histories(), day=st.integers(0, 6))
@settings(max_examples=20)
def test_later_knowledge_changes_nothing(rows: list[dict[str, Any]], day: int) -> None:
    if not rows:
        return
    known_before = START + timedelta(days=day)
    frame = inspections(*rows)
    early = frame[frame["known_at"] < known_before]
    pd.testing.assert_frame_equal(
        label_crossings(frame, RULE, known_before), label_crossings(early, RULE, known_before)
    )


def test_dtypes_hold_with_and_without_rows() -> None:
    full = label_crossings(inspections(inspection(1)), RULE)
    empty = label_crossings(inspections(inspection(1)).iloc[:0], RULE)
    expected = ["str", "bool", "Int64", "datetime64[us, UTC]", "str", "float64", "float64", "float64"]
    assert [str(kind) for kind in full.dtypes] == expected
    assert list(empty.columns) == list(LABEL_COLUMNS)
    assert [str(kind) for kind in empty.dtypes] == expected


def test_a_court_overturns_a_hit_only_once_known() -> None:
    frame = inspections(
        inspection(1, result="confirmed"),
        inspection(1, revision=1, found=False, result="overturned", known_at=START + timedelta(days=90)),
    )
    before, after = (label_crossings(frame, RULE, START + timedelta(days=day)) for day in (90, 91))
    assert (before["hit"].tolist(), after["hit"].tolist()) == ([True], [False])


def test_a_drawn_control_keeps_its_crossing_in_the_random_arm() -> None:
    frame = inspections(
        inspection(1, selected_by="random", propensity=0.1, found=False, known_at=START + timedelta(days=2)),
        inspection(2, found=True),
    )
    label = label_crossings(frame, RULE).iloc[0]
    assert (label["hit"], label["selected_by"], label["propensity"]) == (True, "random", 0.1)


def test_a_clear_paper_check_is_no_contraband_negative() -> None:
    assert label_crossings(inspections(inspection(1, found=False, method="documents")), RULE).empty


def test_the_newest_revision_may_belong_to_another_domain() -> None:
    frame = inspections(inspection(1), inspection(1, revision=1, domain="revenue_fraud"))
    assert newest_inspections(frame)["domain"].tolist() == ["revenue_fraud"]
    assert label_crossings(frame, RULE).empty


def test_a_naive_instant_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="offset"):
        label_crossings(inspections(inspection(1)), RULE, datetime(2025, 1, 1))


@pytest.mark.parametrize(
    "wrong", [{"positive_results": ()}, {"positive_results": ("clear",)}, {"negative_methods": ("guess",)}]
)
def test_a_rule_outside_the_contract_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="contraband"):
        TargetRule(domain="contraband", **wrong)


def test_the_first_result_counts_whatever_became_of_it() -> None:
    day = [START + timedelta(days=n) for n in range(10)]
    frame = inspections(
        inspection(1, known_at=day[5], domain="revenue_fraud"),
        inspection(1, known_at=day[9], revision=1, found=False, result="overturned"),
        inspection(2, known_at=day[7]),
        inspection(3, crossing_id="c2", known_at=day[2], status="not_done", found=False),
        inspection(4, crossing_id="c3", known_at=day[8]),
    )
    assert first_results(frame).to_dict() == {"c1": day[5], "c3": day[8]}
    assert first_results(frame, day[8]).to_dict() == {"c1": day[5]}
