"""The schema of the request and the strict door say the same, judged by an independent validator."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekara.api.openapi import CROSSING_EXAMPLE, SCORE_ERRORS, problem_responses, review_body_schema, score_body_schema
from chekara.api.parse import ReviewParser, ScoreParser
from chekara.data.schema import HEADER_COLUMNS, ITEM_COLUMNS
from chekara.errors import InvalidRequestError
from chekara.settings import Limits

LIMITS = Limits(items=3, text_characters=20)
SCHEMA = score_body_schema(LIMITS)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
PARSER = ScoreParser(LIMITS)
BASE = {
    "crossing_id": "c",
    "occurred_at": "2026-01-01T00:00:00Z",
    "crossing_point": "p",
    "direction": "entry",
    "mode": "road",
}
# Values of every JSON type at the edges of what any column takes.
EDGES: list[Any] = [
    None, True, False, 0, 1, 1.0, 1.5, -1, -0.5, 101, 2**31, 1e16, "12", "CN", "cn", "2022", "610910", "entry", "road",
    "truck", "x" * 20, "x" * 21, [], {}, [1], {"a": 1},
]  # fmt: skip
# A validator does not check formats; test_parse does.
COLUMNS = [
    (where, column)
    for where, table in (("header", HEADER_COLUMNS), ("item", ITEM_COLUMNS))
    for column in table
    if column.kind not in ("instant", "date")
]


def is_parsed(body: Any) -> bool:
    try:
        PARSER.parse(json.dumps(body).encode(), received_at=datetime(2026, 1, 2, tzinfo=UTC))
    except InvalidRequestError:
        return False
    return True


@pytest.mark.parametrize(("where", "column"), COLUMNS, ids=lambda part: getattr(part, "name", part))
def test_schema_and_parser_agree_on_every_column(where: str, column: Any) -> None:
    for value in EDGES:
        body = BASE | {"items": [{}]}
        if where == "header":
            body[column.name] = value
        else:
            body["items"] = [{column.name: value}]
        assert VALIDATOR.is_valid(body) == is_parsed(body), f"{column.name} = {value!r}"


@pytest.mark.parametrize(
    "name", ["x_a", "x_", "x_a.b", "colour", "X_a", "x_" + "a" * 62, "x_" + "a" * 63, "nationality"]
)
@pytest.mark.parametrize("value", [1, 2.5, "a", None, True, [], "a" * 21])
def test_schema_and_parser_agree_on_extensions(name: str, value: Any) -> None:
    for body in (BASE | {"items": [{}], name: value}, BASE | {"items": [{name: value}]}):
        assert VALIDATOR.is_valid(body) == is_parsed(body)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            **{name: st.just(value) for name, value in BASE.items()},
            "items": st.lists(st.just({"hs_code": "610910"}) | st.just({}), max_size=4) | st.none() | st.just({}),
            "labels": st.none() | st.dictionaries(st.sampled_from(["plate", "ref"]), st.text("ab", max_size=22)),
            "void": st.sampled_from([None, False, 1]),
            "decided_elsewhere": st.none()
            | st.just([])
            | st.fixed_dictionaries(
                {"lane": st.sampled_from(["red", "purple"]), "at": st.just("2026-01-01T00:00:00Z")},
                optional={
                    "by": st.sampled_from(["post-7", "Aibek Asanov", ""]),
                    "basis": st.sampled_from(["random", "lot", "rule", "hunch", None]),
                    "propensity": st.sampled_from([None, 0, 0.5, 1, 1.5, "1"]),
                    "colour": st.just(1),
                },
            ),
            "colour": st.just(1),
        },
    )
)
def test_schema_and_parser_agree_on_shapes(body: dict[str, Any]) -> None:
    # The schema lets items be absent, since a withdrawal may leave them out; the parser knows when.
    is_without_items = body.get("items") is None
    assert is_parsed(body) == (VALIDATOR.is_valid(body) and not is_without_items)


def test_schemas_are_schemas_and_examples_are_examples() -> None:
    for schema in (SCHEMA, score_body_schema(Limits()), review_body_schema(Limits())):
        jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(CROSSING_EXAMPLE, score_body_schema(Limits()))


@pytest.mark.parametrize(
    "body",
    [
        {"action": "follow", "reason": "x"},
        {"action": "delay", "until": "2026-01-01T00:00:00Z", "reason": "x"},
        {"action": "override", "lane": "violet", "reason": "x"},
        {"action": "override", "lane": None, "reason": "x"},
        {"action": "follow", "reason": ""},
        {"action": "follow", "reason": "x", "more": 1},
        {"reason": "x"},
    ],
)
def test_review_schema_and_parser_agree(body: dict[str, Any]) -> None:
    try:
        ReviewParser(Limits()).parse(json.dumps(body).encode())
    except InvalidRequestError:
        parsed = False
    else:
        parsed = True
    assert jsonschema.Draft202012Validator(review_body_schema(Limits())).is_valid(body) == parsed


def test_every_declared_problem_names_its_types() -> None:
    responses = problem_responses(SCORE_ERRORS)
    types = responses[503]["content"]["application/problem+json"]["schema"]["properties"]["type"]["enum"]
    assert types == [
        "urn:chekara:problem:deadline_exceeded",
        "urn:chekara:problem:log_unavailable",
        "urn:chekara:problem:not_ready",
    ]
