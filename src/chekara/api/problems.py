"""The one error shape of the API: problem details after RFC 9457.

Whatever goes wrong, in our code, in the framework or before a route was found, leaves as the same document::

    {"type": "urn:chekara:problem:invalid_request", "title": "...", "status": 422, "detail": "...",
     "instance": "<request id>", "problems": [{"pointer": "/items/0/hs_code", "code": "bad_pattern", "detail": "..."}]}

What is our own fault (500) or passing (503) tells no detail from inside: those stand in the log, under the request id.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from chekara import messages
from chekara.api.body import LingeringResponse
from chekara.errors import (
    BodyTooLargeError,
    ChekaraError,
    FieldProblem,
    ForbiddenError,
    InvalidRequestError,
    MethodNotAllowedError,
    NotFoundError,
    NotReadyError,
    RequestError,
    TooManyRequestsError,
    UnauthenticatedError,
    UnavailableError,
    UnsupportedMediaTypeError,
)

PROBLEM_JSON: Final = "application/problem+json"
PROBLEM_TYPE: Final = "urn:chekara:problem:"
RETRY_AFTER_SECONDS: Final = 1
RETRY_AFTER_NOT_READY_SECONDS: Final = 5

_BY_STATUS: Final[Mapping[int, type[RequestError]]] = {
    401: UnauthenticatedError,
    403: ForbiddenError,
    404: NotFoundError,
    405: MethodNotAllowedError,
    413: BodyTooLargeError,
    415: UnsupportedMediaTypeError,
    429: TooManyRequestsError,
}
_NOTHING_THERE: Final = "there is nothing under this path, or nothing that this agency may see"
_WRONG_METHOD: Final = "this path does not take this method (Allow): use one that is allowed"
_CANNOT_BE_SERVED: Final = "the request cannot be served as it was sent"


def problem_of(error: ChekaraError, *, request_id: str, language: str, status: int | None = None) -> dict[str, Any]:
    """Describe an error as a problem document.

    Parameters
    ----------
    error : ChekaraError
    request_id : str
        Becomes ``instance``: the log line of the request carries the same.
    language : {'en', 'ru', 'ky'}
        Of the title and of what the catalogue knows; other sentences are English.
    status : int, optional
        HTTP status, where it differs from the error's own.

    Returns
    -------
    dict
        ``problems`` is there only where fields were refused.

    Examples
    --------
    >>> problem_of(NotFoundError("no such decision"), request_id="r1", language="en")["type"]
    'urn:chekara:problem:not_found'
    """
    problem = {
        "type": PROBLEM_TYPE + error.code,
        "title": _worded(f"error.{error.code}", language, error.title),
        "status": error.status if status is None else status,
        "detail": _detail_of(error),
        "instance": request_id,
    }
    if isinstance(error, InvalidRequestError):
        problem["problems"] = [_field_problem(field, language) for field in error.problems]
    return problem


def problem_response(
    error: ChekaraError,
    *,
    request_id: str,
    language: str,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Make the response for an error, with the headers that its status asks for.

    Parameters
    ----------
    error : ChekaraError
    request_id, language, status : as for `problem_of`
    headers : mapping of str to str, optional
        Further headers, such as ``Allow``.
    """
    problem = problem_of(error, request_id=request_id, language=language, status=status)
    kind = LingeringResponse if isinstance(error, BodyTooLargeError) else Response
    return kind(
        msgspec.json.encode(problem),
        status_code=problem["status"],
        media_type=PROBLEM_JSON,
        headers={**(headers or {}), **_headers_of(error), "Content-Language": language, "Vary": "Accept-Language"},
    )


def retry_after_seconds(error: ChekaraError) -> int | None:
    """Return in how many seconds it is worth sending the same again; None where it is not, as it was sent.

    Examples
    --------
    >>> retry_after_seconds(TooManyRequestsError("too many wait"))
    1
    """
    if isinstance(error, NotReadyError):
        return RETRY_AFTER_NOT_READY_SECONDS
    if isinstance(error, UnavailableError | TooManyRequestsError):
        return max(RETRY_AFTER_SECONDS, math.ceil(error.retry_after_seconds or 0))
    return None


def install_problem_handlers(app: FastAPI) -> None:
    """Make every error of the application and of the framework leave as a problem document."""

    async def chekara_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, ChekaraError)  # noqa: S101  # what this handler is registered for
        return respond_with_problem(request, error)

    async def framework_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101
        kind = _BY_STATUS.get(error.status_code, RequestError)
        if error.status_code >= 500:
            return respond_with_problem(request, ChekaraError(""), status=error.status_code)
        # The framework's own detail may quote what was sent.
        own = kind(_WRONG_METHOD if kind is MethodNotAllowedError else _CANNOT_BE_SERVED)
        return respond_with_problem(request, own, status=error.status_code, headers=error.headers)

    async def validation_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        fields = tuple(
            FieldProblem("?" + str(found["loc"][-1]), "bad_parameter", "This parameter is not what the contract asks.")
            for found in error.errors()
        )
        return respond_with_problem(request, InvalidRequestError("a parameter cannot be used", problems=fields))

    app.add_exception_handler(ChekaraError, chekara_error)
    app.add_exception_handler(HTTPException, framework_error)
    app.add_exception_handler(RequestValidationError, validation_error)


def respond_with_problem(
    request: Request, error: ChekaraError, *, status: int | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer a request with an error, in the request's language and under its id.

    Parameters
    ----------
    request : Request
    error : ChekaraError
    status, headers : as for `problem_response`
    """
    return problem_response(
        error,
        request_id=request.state.request_id,
        language=messages.negotiate(request.headers.get("accept-language")),
        status=status,
        headers=headers,
    )


def _detail_of(error: ChekaraError) -> str:
    if isinstance(error, NotFoundError):
        return _NOTHING_THERE  # one sentence for what is not there and for what is not yours
    if isinstance(error, NotReadyError):
        return str(error)
    if isinstance(error, UnavailableError):
        return "the service could not answer; it is safe to send the same request again"
    if error.status >= 500:
        return "the service failed; its log holds the reason under the id in `instance`"
    return str(error)


def _field_problem(field: FieldProblem, language: str) -> dict[str, str]:
    is_pointer = field.where == "" or field.where.startswith("/")
    key, where = ("pointer", field.where) if is_pointer else ("parameter", field.where.removeprefix("?"))
    return {key: where, "code": field.code, "detail": _worded(f"problem.{field.code}", language, field.message)}


def _worded(key: str, language: str, otherwise: str) -> str:
    return messages.text(key, language) if messages.has_text(key) else otherwise


def _headers_of(error: ChekaraError) -> dict[str, str]:
    if isinstance(error, UnauthenticatedError):
        return {"WWW-Authenticate": 'Bearer realm="chekara"'}
    wait = retry_after_seconds(error)
    if wait is not None:
        return {"Retry-After": str(wait)}
    if isinstance(error, BodyTooLargeError):
        return {"Connection": "close"}  # the rest of the body is not read
    return {}
