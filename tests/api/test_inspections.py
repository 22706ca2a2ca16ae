"""``POST /v1/inspections`` against a real server: strict, idempotent, row by row, own agency, nothing told."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chekara.api.openapi import INSPECTION_EXAMPLE, inspection_body_schema
from chekara.api.parse_inspection import BODY_COLUMNS, InspectionParser
from chekara.data.checks import validate_table
from chekara.errors import InvalidRequestError
from chekara.settings import Limits
from tests.serving import Reply, Server, crossing

SECRET = "Zq7secretZq7"
NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)


def result(inspection_id: str, crossing_id: str, /, **changes: Any) -> dict[str, Any]:
    whole = {
        "inspection_id": inspection_id,
        "crossing_id": crossing_id,
        "domain": "revenue_fraud",
        "inspected_at": "2026-11-24T08:30:00+06:00",
        "found": True,
    } | changes
    return {name: value for name, value in whole.items() if value is not ...}


def post(server: Server, body: Any, key: str = "system", **headers: str) -> Reply:
    return server.send("POST", "/v1/inspections", key, body, **headers)


def scored(server: Server, crossing_id: str, **changes: Any) -> dict[str, Any]:
    reply = server.score(crossing(crossing_id, **changes))
    assert reply.status == 200, reply.body
    return dict(reply.json)


def test_a_result_from_end_to_end(server: Server) -> None:
    decision = scored(server, "ins-1")
    before = datetime.now(UTC)
    body = result("ins-1-a", "ins-1", result="confirmed", method="full", item_no=1, inspector_id="P-77")
    reply = post(server, body)
    assert reply.status == 200, reply.body
    answer = reply.json
    assert before - timedelta(seconds=1) <= datetime.fromisoformat(answer.pop("known_at")) <= datetime.now(UTC)
    expected = {"inspection_id": "ins-1-a", "revision": 0, "crossing_id": "ins-1", "domain": "revenue_fraud"}
    assert answer == expected
    assert post(server, dict(reversed(body.items())), key="analyst").body == reply.body, "the same result again"
    assert post(server, body | {"found": False, "result": "clear"}).status == 409
    read = server.send("GET", f"/v1/decisions/{decision['decision_id']}", "inspector").json
    [told] = read["results"]
    assert (told["found"], told["result"], told["method"], told["item_no"]) == (True, "confirmed", "full", 1)
    assert "P-77" not in json.dumps(read)
    assert "selected_by" not in told
    overturned = result("ins-1-a", "ins-1", revision=1, result="overturned")
    assert post(server, overturned, key="inspector").json["revision"] == 1
    read = server.send("GET", f"/v1/decisions/{decision['decision_id']}", "system").json
    assert [one["result"] for one in read["results"]] == ["overturned"]


def test_other_agencies_neither_send_nor_see_it(server: Server) -> None:
    decision = scored(server, "ins-2", crossing_point="TORUGART")
    assert post(server, result("ins-2-a", "ins-2"), key="system:agriculture").status == 403
    assert post(server, result("ins-2-b", "ins-2"), key="system:border_service").status == 200
    vehicle = result("ins-2-c", "ins-2", domain="vehicle_crime")
    assert post(server, vehicle, key="analyst:internal_affairs").status == 200
    path = f"/v1/decisions/{decision['decision_id']}"
    own = server.send("GET", path, "analyst").json["results"]
    assert [one["domain"] for one in own] == ["revenue_fraud"]
    assert len(server.send("GET", path, "analyst:border_service").json["results"]) == 2


def test_unknown_crossings_have_their_own_code(server: Server) -> None:
    reply = post(server, result("ins-3", f"nowhere-{SECRET}"))
    assert (reply.status, reply.json["type"]) == (404, "urn:chekara:problem:unknown_crossing")
    assert SECRET.encode() not in reply.body
    assert post(server, result("ins-3b", "ins-3b"), key="test_system").status == 404


@pytest.mark.parametrize("is_lines", [False, True])
def test_many_at_once(server: Server, is_lines: bool) -> None:
    crossing_id = f"ins-many-{is_lines}"
    scored(server, crossing_id)
    good = [result(f"{crossing_id}-{i}", crossing_id, found=i % 2 == 0) for i in range(70)]
    rows = [*good, result("x", crossing_id, colour=1), result("y", "nowhere"), good[3]]
    if is_lines:
        body = b"\n".join(json.dumps(row).encode() for row in rows) + b"\nnot json\n"
        reply = post(server, body, Content_Type="application/x-ndjson")
        answers = [json.loads(line) for line in reply.body.splitlines()]
    else:
        answers = post(server, [*rows, 7]).json
    assert [one["row"] for one in answers] == list(range(74))
    assert [one["status"] for one in answers] == [200] * 70 + [422, 404, 200, 400 if is_lines else 422]
    assert [one["inspection"]["inspection_id"] for one in answers[:70]] == [one["inspection_id"] for one in good]
    assert answers[72]["inspection"] == answers[3]["inspection"]
    assert answers[70]["problem"]["problems"][0]["pointer"] == "/colour"


def test_limits(server: Server) -> None:
    assert post(server, []).json == []
    assert post(server, [result(str(i), "nowhere") for i in range(1001)]).status == 413
    assert post(server, b"[" + b" " * (16 * 1024 * 1024) + b"]").status == 413
    assert post(server, b"{}", Content_Type="text/plain").status == 415


def parse(body: Any, **options: Any) -> Any:
    return InspectionParser(Limits()).parse(json.dumps(body).encode(), **({"received_at": NOW} | options))


REFUSED = [
    ("unknown field", {"colour": SECRET}, ("/colour", "unknown_field")),
    ("extensions belong to crossings", {"x_note": SECRET}, ("/x_note", "unknown_field")),
    ("found as a number", {"found": 1}, ("/found", "not_a_boolean")),
    ("no outcome", {"found": ...}, ("/found", "required")),
    ("no domain", {"domain": None}, ("/domain", "required")),
    ("bad channel", {"selected_by": SECRET}, ("/selected_by", "not_allowed")),
    ("naive instant", {"inspected_at": "2026-11-24T08:30:00"}, ("/inspected_at", "naive_instant")),
    ("known before it happened", {"known_at": "2026-11-24T02:29:59Z"}, ("/known_at", "known_before_inspected")),
    ("a result from far ahead", {"known_at": "2026-11-25T09:00:01Z"}, ("/known_at", "too_far_ahead")),
    ("an inspection far ahead", {"inspected_at": "2026-11-26T09:00:00Z"}, ("/known_at", "too_far_ahead")),
    ("propensity of no lot", {"propensity": 0.1}, ("/propensity", "propensity_without_random")),
    (
        "drawn with hardly a chance",
        {"propensity": 1e-9, "selected_by": "random"},
        ("/propensity", "propensity_of_zero"),
    ),
    ("drawn without a chance", {"propensity": 0, "selected_by": "random"}, ("/propensity", "propensity_of_zero")),
    ("chance over one", {"propensity": 1.1, "selected_by": "random"}, ("/propensity", "out_of_range")),
    ("found and clear", {"result": "clear"}, ("/result", "result_contradicts_found")),
    ("not found and confirmed", {"found": False, "result": "confirmed"}, ("/result", "result_contradicts_found")),
    ("more than any value", {"seized_value": 1.0001e15}, ("/seized_value", "out_of_range")),
    ("negative value", {"seized_value": -1}, ("/seized_value", "out_of_range")),
    ("item zero", {"item_no": 0}, ("/item_no", "out_of_range")),
    ("a direction mark", {"inspection_id": f"\u202e{SECRET}"}, ("/inspection_id", "unsafe_character")),
]


@pytest.mark.parametrize(("change", "problem"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_is_refused_is_named_and_not_repeated(change: dict[str, Any], problem: tuple[str, str]) -> None:
    with pytest.raises(InvalidRequestError) as raised:
        parse(result("a", "b", **change))
    assert [(one.where, one.code) for one in raised.value.problems] == [problem]
    assert SECRET not in str(raised.value) + str(raised.value.problems)


@pytest.mark.parametrize("not_a_number", [b"NaN", b"Infinity", b"1e999"])
def test_numbers_that_are_none(not_a_number: bytes) -> None:
    body = json.dumps(result("a", "b"))[:-1].encode() + b', "seized_value": ' + not_a_number + b"}"
    with pytest.raises(InvalidRequestError):
        InspectionParser(Limits()).parse(body, received_at=NOW)


RESULT_VALUES = st.fixed_dictionaries(
    {
        "found": st.booleans(),
        "status": st.sampled_from((None, "done", "not_done")),
        "result": st.sampled_from((None, "clear", "suspected", "confirmed", "overturned")),
        "selected_by": st.sampled_from(("random", "officer")),
        "propensity": st.sampled_from((None, 0.0, 0.1, 1.0)),
        "known_at": st.sampled_from(("2026-11-24T02:29:59Z", "2026-11-24T02:30:00Z")),
        "seized_value": st.sampled_from((None, 0.0, 1e15, 1.1e15)),
    }
)


CLEAN = {"selected_by": "officer", "known_at": "2026-11-24T02:30:00Z"}


@given(RESULT_VALUES)
@example(CLEAN | {"found": True, "status": "not_done"})
@example(CLEAN | {"found": False, "status": "not_done"})
@settings(max_examples=60)
def test_the_door_refuses_what_a_file_is_refused_or_corrected_for(given_values: dict[str, Any]) -> None:
    body = result("a", "b", **given_values)
    of_file = validate_table(pd.DataFrame([body]), "inspections").refusals
    try:
        parse(body)
        refused = set()
    except InvalidRequestError as error:
        refused = {(one.where.removeprefix("/"), one.code) for one in error.problems}
    # What a file is only warned of, because its draw stays a draw, the door refuses.
    warned = {("found", "found_without_control")} if body["found"] and body["status"] == "not_done" else set()
    corrected = {(one.column, one.reason) for one in of_file}
    assert bool(refused) == bool(corrected | warned)
    assert not refused or refused & (corrected | warned)


def test_a_result_is_of_an_item_and_a_time_that_the_crossing_has(server: Server) -> None:
    scored(server, "ins-items")
    wrong: list[tuple[str, Any, str]] = [
        ("item_no", 9999, "no_such_item"),
        ("inspected_at", "2020-01-01T00:00:00Z", "inspected_long_before"),
    ]
    for field, value, code in wrong:
        reply = post(server, result(f"ins-items-{field}", "ins-items", **{field: value}))
        assert reply.status == 422, reply.body
        assert [(one["pointer"], one["code"]) for one in reply.json["problems"]] == [(f"/{field}", code)]
    assert post(server, result("ins-items-a", "ins-items", item_no=1)).status == 200
    assert post(server, result("ins-items-a ", " ins-items", item_no=1)).json["inspection_id"] == "ins-items-a"


def test_a_replay_has_no_clock_of_its_own() -> None:
    old = result("a", "b", inspected_at="2019-01-01T00:00:00Z", known_at="2031-01-01T00:00:00Z")
    assert parse(old, is_replay=True).known_at == datetime(2031, 1, 1, tzinfo=UTC)


def test_the_schema_is_the_parsers() -> None:
    schema = inspection_body_schema(Limits())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(INSPECTION_EXAMPLE, schema)
    jsonschema.validate([INSPECTION_EXAMPLE], schema)
    validator = jsonschema.Draft202012Validator(schema)
    for column in BODY_COLUMNS:
        for value in (None, True, 0, 1, 1.5, -1, "x", "clear", "random", "done", "full", [], {}, "x" * 513):
            # Instants are checked by format, and rules over two fields are told in words.
            if column.kind == "instant" or column.name in ("propensity", "result"):
                continue
            body = result("a", "b", **{column.name: value})
            try:
                parse(body)
                is_parsed = True
            except InvalidRequestError:
                is_parsed = False
            assert validator.is_valid(body) == is_parsed, f"{column.name} = {value!r}"
