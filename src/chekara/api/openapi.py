"""The OpenAPI description: the request from the column contract, every error from the error tree."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any, Final

from chekara.api.answers import Schema
from chekara.api.elsewhere import COLUMNS as ELSEWHERE_COLUMNS
from chekara.api.elsewhere import FIELD as ELSEWHERE
from chekara.api.parse_inspection import BODY_COLUMNS
from chekara.api.problems import PROBLEM_JSON, PROBLEM_TYPE
from chekara.data.schema import EXTENSION_PREFIX, HEADER_COLUMNS, ITEM_COLUMNS, LARGEST_INTEGER, LARGEST_NUMBER, Column
from chekara.domain.vocabulary import Lane, ReviewAction
from chekara.errors import (
    BodyTooLargeError,
    ChekaraError,
    DeadlineExceededError,
    ForbiddenError,
    InvalidRequestError,
    LogUnavailableError,
    MalformedBodyError,
    NotFoundError,
    NotReadyError,
    RevisionConflictError,
    SupersededRevisionError,
    TextTooLongError,
    TooManyItemsError,
    TooManyRequestsError,
    UnauthenticatedError,
    UnknownCrossingError,
    UnsupportedMediaTypeError,
)
from chekara.settings import Limits

ErrorClass = type[ChekaraError]

EXTENSION_PATTERN: Final = "^x_[A-Za-z0-9_]{0,62}$"
CROSSING_EXAMPLE: Final[Schema] = {
    "crossing_id": "KG-2026-000123",
    "occurred_at": "2026-11-24T08:30:00+06:00",
    "crossing_point": "TORUGART",
    "direction": "entry",
    "mode": "road",
    "movement": "import",
    "vehicle_type": "truck",
    "weighed_mass_kg": 21340,
    "items": [
        {
            "item_no": 1,
            "hs_code": "610910",
            "origin_country": "CN",
            "declared_value": 1520.0,
            "net_mass_kg": 800,
            "goods_description": "T-shirts, cotton",
        }
    ],
    "labels": {"plate": "01 KG 123 ABC"},
}

INSPECTION_EXAMPLE: Final[Schema] = {
    "inspection_id": "INS-2026-004711",
    "crossing_id": "KG-2026-000123",
    "domain": "revenue_fraud",
    "inspected_at": "2026-11-24T11:05:00+06:00",
    "found": True,
    "method": "partial",
    "result": "confirmed",
    "item_no": 1,
    "revenue_recovered": 840.0,
}

# What any route with a key can answer, and what any route that scores can.
KEY_ERRORS: Final[tuple[ErrorClass, ...]] = (UnauthenticatedError, ForbiddenError, ChekaraError)
BODY_ERRORS: Final[tuple[ErrorClass, ...]] = (
    MalformedBodyError,
    InvalidRequestError,
    UnsupportedMediaTypeError,
    BodyTooLargeError,
)
SCORE_ERRORS: Final[tuple[ErrorClass, ...]] = (
    *KEY_ERRORS,
    *BODY_ERRORS,
    TooManyItemsError,
    TextTooLongError,
    RevisionConflictError,
    SupersededRevisionError,
    TooManyRequestsError,
    NotReadyError,
    LogUnavailableError,
    DeadlineExceededError,
)
READ_ERRORS: Final[tuple[ErrorClass, ...]] = (*KEY_ERRORS, NotFoundError, InvalidRequestError)
INSPECTION_ERRORS: Final[tuple[ErrorClass, ...]] = (
    *KEY_ERRORS,
    *BODY_ERRORS,
    TextTooLongError,
    UnknownCrossingError,
    RevisionConflictError,
    SupersededRevisionError,
    TooManyRequestsError,
    LogUnavailableError,
    DeadlineExceededError,
)
REVIEW_ERRORS: Final[tuple[ErrorClass, ...]] = (
    *KEY_ERRORS,
    *BODY_ERRORS,
    NotFoundError,
    SupersededRevisionError,
    LogUnavailableError,
)


def problem_responses(errors: Iterable[ErrorClass]) -> dict[int | str, dict[str, Any]]:
    """Declare error classes as responses of a route, by status.

    Parameters
    ----------
    errors : iterable of error classes

    Examples
    --------
    >>> sorted(problem_responses([NotReadyError, LogUnavailableError, UnauthenticatedError]))
    [401, 503]
    """
    by_status: dict[int | str, list[ErrorClass]] = {}
    for error in errors:
        by_status.setdefault(error.status, []).append(error)
    return {
        status: {
            "description": "; ".join(dict.fromkeys(error.title for error in classes)),
            "content": {PROBLEM_JSON: {"schema": _problem_schema(status, classes)}},
        }
        for status, classes in by_status.items()
    }


def described(handler: Callable[..., Any]) -> str:
    """Return what a handler's docstring tells those who call its route: all before its parameters."""
    return (inspect.getdoc(handler) or "").partition("\n\nParameters\n")[0]


def json_body(schema: Schema, example: Any, media_type: str = "application/json") -> dict[str, Any]:
    """Declare the body that a route reads by itself, for ``openapi_extra``.

    Parameters
    ----------
    schema : dict
        JSON Schema.
    example : Any
        A body that is accepted.
    media_type : str
    """
    return {"requestBody": {"required": True, "content": {media_type: {"schema": schema, "example": example}}}}


def json_answer(schema: Schema, description: str) -> dict[int | str, dict[str, Any]]:
    """Declare the 200 of a route."""
    return {200: {"description": description, "content": {"application/json": {"schema": schema}}}}


def score_body_schema(limits: Limits) -> Schema:
    """Write the body of ``POST /v1/scores`` as JSON Schema, from the column contract.

    Examples
    --------
    >>> score_body_schema(Limits())["properties"]["direction"]["enum"]
    ['entry', 'exit']
    """
    header = _object_schema(HEADER_COLUMNS, limits)
    header["properties"] |= {
        "items": {
            "type": ["array", "null"],
            "minItems": 1,
            "maxItems": limits.items,
            "items": _object_schema(ITEM_COLUMNS, limits),
            "description": "Goods lines; without goods, one item with empty fields. Only a withdrawal may leave it out",
        },
        "labels": {
            "type": ["object", "null"],
            "additionalProperties": {"type": "string", "maxLength": limits.text_characters},
            "description": "What an officer reads (plate, declaration number): stored encrypted, never a feature",
        },
        "void": {"type": ["boolean", "null"], "description": "Withdraw a crossing that never came"},
        ELSEWHERE: _elsewhere_schema(limits),
    }
    return header | {"title": "Crossing"}


def _elsewhere_schema(limits: Limits) -> Schema:
    own = _object_schema(ELSEWHERE_COLUMNS, limits, takes_extensions=False)
    of_lot = {"properties": {"basis": {"enum": ["random", "lot"]}}}
    return own | {
        "type": ["object", "null"],
        "description": "What was decided while the service could not be reached; not together with void",
        "if": {"type": "object"} | of_lot,
        "then": {"required": ["propensity"], "properties": {"propensity": {"type": "number", "exclusiveMinimum": 0}}},
        "else": {"properties": {"propensity": {"type": "null"}}},
    }


def inspection_body_schema(limits: Limits) -> Schema:
    """Write the body of ``POST /v1/inspections`` as JSON Schema: one result, or an array of them."""
    one = _object_schema(BODY_COLUMNS, limits, takes_extensions=False) | {"title": "Inspection"}
    return {"oneOf": [one, {"type": "array", "items": one, "maxItems": limits.batch_rows}]}


def review_body_schema(limits: Limits) -> Schema:
    """Write the body of a review as JSON Schema."""
    return {
        "title": "ReviewRequest",
        "type": "object",
        "additionalProperties": False,
        "required": ["action", "reason"],
        "properties": {
            "action": {"enum": [*ReviewAction]},
            "lane": {"enum": [*Lane, None], "description": "The lane chosen; only for override"},
            "to": {"type": ["string", "null"], "description": "The agency asked; only for refer"},
            "until": {"type": ["string", "null"], "format": "date-time", "description": "Only for delay"},
            "domain": {
                "type": ["string", "null"],
                "description": "What is referred; only for refer",
            },
            "reason": {"type": "string", "minLength": 1, "maxLength": limits.text_characters},
        },
    }


def body_schema(title: str, columns: Iterable[Column], limits: Limits) -> Schema:
    """Write a body of plain columns as JSON Schema.

    Parameters
    ----------
    title : str
    columns : iterable of Column
    limits : Limits
    """
    return _object_schema(columns, limits, takes_extensions=False) | {"title": title}


def _object_schema(columns: Iterable[Column], limits: Limits, *, takes_extensions: bool = True) -> Schema:
    columns = tuple(columns)
    extension = {
        "type": ["number", "string", "null"],
        "maxLength": limits.text_characters,
        "description": f"National extension ({EXTENSION_PREFIX}…): ignored unless a model names it",
    }
    return {
        "type": "object",
        "properties": {column.name: _column_schema(column, limits) for column in columns},
        "required": [column.name for column in columns if column.required],
        **({"patternProperties": {EXTENSION_PATTERN: extension}} if takes_extensions else {}),
        "additionalProperties": False,
    }


def _column_schema(column: Column, limits: Limits) -> Schema:
    unit = "" if column.unit is None else f" ({column.unit})"
    schema: Schema = {"description": column.description + unit}
    kind = {"number": "number", "integer": "integer", "boolean": "boolean"}.get(column.kind, "string")
    schema["type"] = kind if column.required else [kind, "null"]
    if column.kind in ("number", "integer"):
        largest = LARGEST_NUMBER if column.kind == "number" else LARGEST_INTEGER
        schema["minimum"] = -largest if column.minimum is None else column.minimum
        schema["maximum"] = largest if column.maximum is None else column.maximum
    elif column.kind in ("instant", "date"):
        schema["format"] = "date-time" if column.kind == "instant" else "date"
    elif column.values:
        schema["enum"] = [*column.values] if column.required else [*column.values, None]
    elif kind == "string":
        schema["maxLength"] = limits.text_characters
        if column.required:
            schema["minLength"] = 1
        if column.pattern is not None:
            schema["pattern"] = f"^{column.pattern}$"
    if column.default is not None and not str(column.default).startswith("<"):
        schema["default"] = column.default
    return schema


def _problem_schema(status: int | str, errors: Iterable[ErrorClass]) -> Schema:
    return {
        "title": "Problem",
        "type": "object",
        "required": ["type", "title", "status", "detail", "instance"],
        "properties": {
            "type": {"enum": sorted({PROBLEM_TYPE + error.code for error in errors})},
            "title": {"type": "string"},
            "status": {"const": status},
            "detail": {"type": "string"},
            "instance": {"type": "string", "description": "Id of the request, as in X-Request-Id"},
            "problems": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "pointer": {"type": "string", "description": "JSON pointer of a field"},
                        "parameter": {"type": "string"},
                        "code": {"type": "string"},
                        "detail": {"type": "string"},
                    },
                },
            },
        },
    }
