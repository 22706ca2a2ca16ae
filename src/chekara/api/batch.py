"""Many at once: an array, or one object per line; each row is answered as if it had been posted alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from chekara.api.body import JSON, media_type_of
from chekara.api.connected import while_connected
from chekara.api.context import language_of
from chekara.api.logs import log_unexpected
from chekara.api.problems import problem_of, retry_after_seconds
from chekara.api.strict_json import read_json
from chekara.api.written import json_bytes
from chekara.errors import BodyTooLargeError, ChekaraError, InvalidRequestError
from chekara.settings import Limits

NDJSON: Final = "application/x-ndjson"
ROW_SECONDS: Final = 20.0
"""A row may wait longer than a lone request: a stall must not refuse what is recorded anyway."""
# Rows of a batch that wait at once: one commit's worth, so that a batch never fills the queue of single requests.
BATCH_GROUP: Final = 64


def json_response(content: Any, language: str, *, status: int = 200) -> Response:
    """Answer with JSON that was written in a language.

    Parameters
    ----------
    content : anything that JSON can hold
    language : {'en', 'ru', 'ky'}
    status : int
    """
    return Response(json_bytes(content), status_code=status, media_type=JSON, headers=_language_headers(language))


def rows_of(body: bytes, media_type: str, limits: Limits) -> list[Any]:
    """Split a batch into rows: bytes of a line, or values that were read already.

    Parameters
    ----------
    body : bytes
    media_type : str
        ``application/x-ndjson`` is one object per line, anything else an array.
    limits : Limits
        ``batch_rows`` binds here.

    Raises
    ------
    InvalidRequestError
        Not an array.
    BodyTooLargeError
        More rows than the limit.
    """
    is_ndjson = media_type == NDJSON
    rows: Any = [line for line in body.split(b"\n") if line.strip()] if is_ndjson else read_json(body)
    if not isinstance(rows, list):
        raise InvalidRequestError("a batch is a JSON array, or one JSON object per line")
    if len(rows) > limits.batch_rows:
        raise BodyTooLargeError(f"the batch has more than {limits.batch_rows} rows", hint="send several batches")
    return rows


def row_value(row: Any, limits: Limits) -> Any:
    """Read the JSON value of a row.

    Raises
    ------
    BodyTooLargeError
        The line alone is over the limit of a single body.
    MalformedBodyError
        The line is not JSON.
    """
    if not isinstance(row, bytes):
        return row
    if len(row) > limits.body_bytes:
        raise BodyTooLargeError(f"the row is over {limits.body_bytes} bytes")
    return read_json(row, is_row=True)


async def answer_batch(
    request: Request, rows: list[Any], answer: Callable[[Any], Awaitable[dict[str, Any]]]
) -> Response:
    """Answer every row, in order: with what ``answer`` makes of it, or with its own problem.

    When the asker hangs up, rows whose turn has not come are dropped.

    Parameters
    ----------
    request : Request
    rows : list
    answer : callable
        From a row to the fields of its answer; its error becomes the row's problem, and no other row's.
    """
    language = language_of(request)

    async def answered(number: int, row: Any) -> dict[str, Any]:
        request_id = request.state.request_id
        try:
            return {"row": number, "status": 200} | await answer(row)
        except ChekaraError as error:
            refused = error
        except Exception as error:  # noqa: BLE001  # the other rows of the batch are answered all the same
            log_unexpected(error, request_id)
            refused = ChekaraError("unexpected")
        problem = problem_of(refused, request_id=request_id, language=language)
        wait = retry_after_seconds(refused)
        again = {} if wait is None else {"retry_after": wait}
        return {"row": number, "status": refused.status, **again, "problem": problem}

    async def answered_all() -> list[dict[str, Any]]:
        answers: list[dict[str, Any]] = []
        for start in range(0, len(rows), BATCH_GROUP):
            group = enumerate(rows[start : start + BATCH_GROUP], start)
            answers += await asyncio.gather(*(answered(number, row) for number, row in group))
        return answers

    answers = await while_connected(request, asyncio.ensure_future(answered_all()))
    if media_type_of(request) == NDJSON:
        lines = b"".join(json_bytes(row) + b"\n" for row in answers)
        return Response(lines, media_type=NDJSON, headers=_language_headers(language))
    return json_response(answers, language)


def _language_headers(language: str) -> dict[str, str]:
    return {"Content-Language": language, "Vary": "Accept-Language"}
