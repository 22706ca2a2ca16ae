"""Tables against the contract: what is refused, what is blanked, and that both are counted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chekara.data.checks import Refusal, ValidatedTable, check_references, empty_table, validate_table
from chekara.data.schema import TABLES, columns_by_name
from chekara.errors import DeniedColumnError, HistoryError, MissingColumnError

CROSSING = {
    "crossing_id": "c1",
    "occurred_at": "2025-01-01T10:00:00+06:00",
    "crossing_point": "KG01",
    "direction": "entry",
    "mode": "road",
}
INSPECTION = {
    "inspection_id": "i1",
    "crossing_id": "c1",
    "domain": "contraband",
    "inspected_at": "2025-01-01T12:00:00+06:00",
    "known_at": "2025-01-02T12:00:00+06:00",
    "selected_by": "officer",
    "found": "true",
}


def check(table: str, *rows: dict[str, Any]) -> ValidatedTable:
    base = CROSSING if table == "crossings" else INSPECTION
    return validate_table(pd.DataFrame([{**base, **row} for row in rows]), table)


def counted(validated: ValidatedTable) -> list[tuple[str, str, str, int, tuple[int, ...]]]:
    return [(r.column, r.reason, r.action, r.rows, r.example_rows) for r in validated.refusals]


def test_required_columns_alone_make_a_crossing_and_defaults_are_filled() -> None:
    validated = check("crossings", {})
    row = validated.frame.iloc[0]
    assert not validated.refusals
    assert row["known_at"] == row["occurred_at"] == pd.Timestamp("2025-01-01T04:00:00Z")
    assert (row["revision"], row["item_no"], row["stage"], row["hs_version"]) == (0, 1, "arrival", "2022")
    assert list(validated.frame.columns) == [column.name for column in TABLES["crossings"]]


@pytest.mark.parametrize("table", TABLES)
def test_an_empty_table_has_the_dtypes_of_a_full_one(table: str) -> None:
    required = {c.name: [_sample(c.kind, c.values)] for c in TABLES[table] if c.required}
    full = validate_table(pd.DataFrame(required), table).frame
    assert len(full) == 1
    assert empty_table(table).dtypes.astype(str).to_dict() == full.dtypes.astype(str).to_dict()


def _sample(kind: str, values: tuple[str, ...]) -> str:
    return {"instant": "2025-01-01T00:00:00Z", "boolean": "true"}.get(kind, values[0] if values else "a")


@pytest.mark.parametrize(
    ("table", "wrong", "expected"),
    [
        ("crossings", {"mode": "tram"}, ("mode", "not_in_code_list", "row_refused")),
        ("crossings", {"crossing_id": ""}, ("crossing_id", "missing", "row_refused")),
        ("crossings", {"occurred_at": "2025-01-01T10:00:00"}, ("occurred_at", "naive_instant", "row_refused")),
        ("crossings", {"known_at": "2025-01-01T10:00:00"}, ("known_at", "naive_instant", "row_refused")),
        ("crossings", {"known_at": "2024-12-31T10:00:00Z"}, ("known_at", "known_before_it_happened", "row_refused")),
        ("crossings", {"revision": "-1"}, ("revision", "out_of_range", "row_refused")),
        ("crossings", {"item_no": "0"}, ("item_no", "out_of_range", "row_refused")),
        ("crossings", {"origin_country": "China"}, ("origin_country", "wrong_form", "value_blanked")),
        ("crossings", {"duty_rate": "5 %"}, ("duty_rate", "not_a_number", "value_blanked")),
        ("crossings", {"stage": "later"}, ("stage", "not_in_code_list", "value_blanked")),
        ("inspections", {"found": "perhaps"}, ("found", "not_a_boolean", "row_refused")),
        ("inspections", {"status": "cancelled"}, ("status", "not_in_code_list", "row_refused")),
        (
            "inspections",
            {"known_at": "2025-01-01T11:00:00+06:00"},
            ("known_at", "known_before_inspected", "row_refused"),
        ),
        ("inspections", {"propensity": "0.1"}, ("propensity", "propensity_without_random", "value_blanked")),
        (
            "inspections",
            {"selected_by": "random", "propensity": "0"},
            ("propensity", "propensity_of_zero", "value_blanked"),
        ),
        ("inspections", {"result": "clear"}, ("result", "result_contradicts_found", "row_refused")),
        (
            "inspections",
            {"found": "false", "result": "confirmed"},
            ("result", "result_contradicts_found", "row_refused"),
        ),
    ],
)
def test_each_violation_is_counted_once_with_its_row(
    table: str, wrong: dict[str, str], expected: tuple[str, str, str]
) -> None:
    key = "crossing_id" if table == "crossings" else "inspection_id"
    validated = check(table, {}, {key: "other", **wrong})
    assert counted(validated) == [(*expected, 1, (2,))]
    is_refused = expected[2] == "row_refused"
    assert validated.frame.index.tolist() == ([0] if is_refused else [0, 1])
    if not is_refused:
        default = columns_by_name(TABLES[table])[expected[0]].default
        value = validated.frame[expected[0]][1]
        assert value == default if default is not None else pd.isna(value)


def test_an_exit_is_not_known_before_it_happened() -> None:
    validated = check("crossings", {"stage": "exit", "known_at": "2024-12-20T10:00:00Z"})
    assert counted(validated) == [("known_at", "known_before_it_happened", "row_refused", 1, (1,))]


@pytest.mark.parametrize("stage", ["pre_arrival", "declaration"])
def test_notices_and_declarations_may_be_known_earlier(stage: str) -> None:
    assert not check("crossings", {"stage": stage, "known_at": "2024-12-20T10:00:00Z"}).refusals


def test_the_first_of_two_rows_with_one_key_stays() -> None:
    validated = check("crossings", {"hs_code": "0101"}, {"hs_code": "0202"}, {"item_no": "2"}, {"revision": "1"})
    assert counted(validated) == [("crossing_id", "duplicate_key", "row_refused", 1, (2,))]
    assert validated.frame.index.tolist() == [0, 2, 3]


def test_a_header_that_differs_between_items_refuses_the_revision() -> None:
    validated = check(
        "crossings",
        {"item_no": "1", "vehicle_type": "truck"},
        {"item_no": "2", "vehicle_type": ""},
        {"item_no": "1", "revision": "1"},
        {"crossing_id": "c2", "vehicle_type": "van"},
        {"crossing_id": "c2", "vehicle_type": "van", "item_no": "2"},
    )
    assert counted(validated) == [("vehicle_type", "header_differs", "row_refused", 2, (1, 2))]
    assert validated.frame.index.tolist() == [2, 3, 4]


def test_examples_stop_at_five_and_hold_no_value() -> None:
    validated = check("crossings", *({"crossing_id": f"c{n}", "net_mass_kg": "SECRET-4711"} for n in range(9)))
    (refusal,) = validated.refusals
    assert refusal == Refusal(
        table="crossings",
        column="net_mass_kg",
        reason="not_a_number",
        action="value_blanked",
        rows=9,
        example_rows=(1, 2, 3, 4, 5),
    )
    assert "4711" not in repr(validated.refusals)


def test_unknown_columns_are_ignored_and_extensions_kept() -> None:
    validated = check("crossings", {"remark": "a", "x_regime": "011", "x_share": "0.5"})
    assert validated.ignored_columns == ("remark",)
    assert not validated.refusals
    assert validated.frame[["x_regime", "x_share"]].iloc[0].tolist() == ["011", "0.5"]


def test_missing_and_repeated_columns_are_named() -> None:
    with pytest.raises(MissingColumnError, match="crossings: crossing_point, mode"):
        validate_table(pd.DataFrame([CROSSING]).drop(columns=["mode", "crossing_point"]), "crossings")
    with pytest.raises(HistoryError, match="crossings: mode"):
        validate_table(pd.concat([pd.DataFrame([CROSSING]), pd.DataFrame([{"mode": "air"}])], axis=1), "crossings")
    with pytest.raises(HistoryError, match="persons"):
        validate_table(pd.DataFrame(), "persons")


def test_denied_columns_refuse_the_table() -> None:
    with pytest.raises(DeniedColumnError, match="crossings: x_nationality"):
        check("crossings", {"x_nationality": "KG"})


def test_references_are_checked() -> None:
    crossings = check("crossings", {}, {"item_no": "2"}).frame
    inspections = check(
        "inspections",
        {"item_no": "2"},
        {"inspection_id": "i2", "item_no": "3"},
        {"inspection_id": "i3", "crossing_id": "c9"},
        {"inspection_id": "i4"},
    )
    checked = check_references(inspections, crossings)
    assert counted(checked) == [
        ("crossing_id", "unknown_crossing", "row_refused", 1, (3,)),
        ("item_no", "no_such_item", "value_blanked", 1, (2,)),
    ]
    assert checked.frame["item_no"].isna().tolist() == [False, True, True]


@given(
    items=st.sets(st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from([1, 2, 10**12, 10**15])), min_size=1),
    named=st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c", "d"]),
            st.sampled_from([None, 1, 2, 3, 10**12, 10**15]),
            st.sampled_from([365, 366, 367]),
        )
    ),
)
@settings(max_examples=40)
def test_references_equal_a_set_of_pairs(items: set[tuple[str, int]], named: list[tuple[str, int | None, int]]) -> None:
    crossings = pd.DataFrame(sorted(items), columns=["crossing_id", "item_no"])
    happened = pd.Timestamp("2026-01-01T00:00:00Z")
    crossings["occurred_at"] = [happened + timedelta(days=place) for place in range(len(crossings))]
    first = {
        crossing: happened + timedelta(days=place) for place, (crossing, _) in reversed([*enumerate(sorted(items))])
    }
    rows = [
        {
            "inspection_id": f"i{n}",
            "crossing_id": c,
            "item_no": item,
            "inspected_at": first.get(c, happened) - timedelta(days=days),
        }
        for n, (c, item, days) in enumerate(named)
    ]
    columns = ["inspection_id", "crossing_id", "item_no", "inspected_at"]
    frame = pd.DataFrame(rows, columns=columns).astype({"item_no": "float64", "inspected_at": "datetime64[us, UTC]"})
    inspections = ValidatedTable(frame=frame, refusals=())
    checked = check_references(inspections, crossings.astype({"item_no": "float64"})).frame
    known = {crossing for crossing, _ in items}
    expected = [(c, i if (c, i) in items else None) for c, i, days in named if c in known and days <= 366]
    assert [
        (c, None if pd.isna(i) else i) for c, i in zip(checked["crossing_id"], checked["item_no"], strict=True)
    ] == (expected)


@st.composite
def raw_crossings(draw: st.DrawFn) -> list[dict[str, str]]:
    """Mostly good rows: revisions of one to three items with a header of their own, now and then something wrong."""

    def mostly(good: str, *wrong: str) -> str:
        return draw(st.sampled_from([good] * 8 + list(wrong)))

    rows = []
    for crossing, revision in draw(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["", "0", "1"])))):
        mode = draw(st.sampled_from(["road", "rail"]))
        stage = draw(st.sampled_from(["", "pre_arrival", "exit"]))
        known_at = draw(st.sampled_from(["", "2025-01-01T10:00:00+06:00", "2025-01-01T09:00:00+06:00"]))
        for item_no in draw(st.lists(st.sampled_from(["", "1", "2", "3", "1.5"]), min_size=1, max_size=3)):
            row = {
                "crossing_id": mostly(crossing, ""),
                "occurred_at": mostly("2025-01-01T10:00:00+06:00", "2025-01-01T10:00:00"),
                "known_at": mostly(known_at, "x", "2025-01-01T11:00:00+06:00"),
                "stage": mostly(stage, "soon"),
                "mode": mostly(mode, "sled", "air"),
                "revision": mostly(revision, "x"),
                "item_no": item_no,
                "net_mass_kg": draw(st.sampled_from(["", "5", "-5", "x"])),
            }
            rows.append(row)
    return draw(st.permutations(rows[:15])) if rows else [{}]


def kept_rows(rows: list[dict[str, str]]) -> list[int]:
    """Row numbers that a careful reader would keep, one row and one revision at a time."""
    if rows == [{}]:
        return [0]
    good: dict[tuple[str, int, int], int] = {}
    headers: dict[tuple[str, int], list[tuple[str, str, str]]] = {}
    for number, row in enumerate(rows):
        readable = row["revision"] != "x" and row["item_no"] != "1.5" and row["known_at"] != "x"
        if not (row["crossing_id"] and row["occurred_at"].endswith("+06:00") and row["mode"] != "sled" and readable):
            continue
        revision = (row["crossing_id"], int(row["revision"] or 0))
        key = (*revision, int(row["item_no"] or 1))
        if key not in good:
            good[key] = number
            stage = row["stage"] if row["stage"] in ("pre_arrival", "exit") else "arrival"
            headers.setdefault(revision, []).append((row["known_at"] or row["occurred_at"], stage, row["mode"]))
    kept = []
    for key, number in good.items():
        first, *others = headers[key[:2]]
        is_too_early = "T09" in first[0] and first[1] != "pre_arrival"
        if all(other == first for other in others) and not is_too_early:
            kept.append(number)
    return sorted(kept)


@given(raw_crossings())
@settings(max_examples=60)
def test_rows_kept_equal_the_oracle_and_every_row_lost_is_counted(rows: list[dict[str, str]]) -> None:
    validated = check("crossings", *rows)
    assert validated.frame.index.tolist() == kept_rows(rows)
    refused = {number - 1 for r in validated.refusals if r.action == "row_refused" for number in r.example_rows}
    if all(r.rows <= 5 for r in validated.refusals):
        assert refused == set(range(len(rows))) - set(validated.frame.index)


@given(raw_crossings())
@settings(max_examples=25)
def test_what_was_validated_validates_without_a_word(rows: list[dict[str, str]]) -> None:
    frame = check("crossings", *rows).frame.reset_index(drop=True)
    again = validate_table(frame, "crossings")
    assert not again.refusals
    pd.testing.assert_frame_equal(again.frame, frame)


def test_extensions_are_held_to_the_limits_of_a_request_and_counted() -> None:
    rows = [{"x_note": "fine", "x_weight": 1.5}, {"x_note": "a" * 513, "x_weight": float("inf")}]
    rows += [{"x_note": "\u202etxt", "x_weight": 2e15}, {"x_note": None, "x_weight": None}]
    validated = check("crossings", *({"crossing_id": f"c{i}", **row} for i, row in enumerate(rows)))
    assert counted(validated) == [
        ("x_note", "text_too_long", "value_blanked", 1, (2,)),
        ("x_note", "unsafe_character", "value_blanked", 1, (3,)),
        ("x_weight", "not_a_number", "value_blanked", 1, (2,)),
        ("x_weight", "out_of_range", "value_blanked", 1, (3,)),
    ]
    assert validated.frame["x_note"].notna().tolist() == [True, False, False, False]
    assert validated.frame["x_weight"].notna().tolist() == [True, False, False, False]
