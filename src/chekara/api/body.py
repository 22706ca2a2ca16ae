"""Read a body as far as the limit, and keep not a byte beyond it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

import anyio
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from chekara.errors import BodyTooLargeError, DeadlineExceededError, UnsupportedMediaTypeError

JSON: Final = "application/json"

# A body over the limit is still taken off the line, unkept, up to here.
LINGER_BYTES: Final = 64 * 1024 * 1024
LINGER_SECONDS: Final = 5.0
# A batch may take its time on a slow line, but not for ever.
BODY_SECONDS: Final = 30.0


async def read_body(
    request: Request, limit_bytes: int, media_types: Iterable[str] = (JSON,), *, seconds: float = BODY_SECONDS
) -> bytes:
    """Read the whole body of a request.

    Parameters
    ----------
    request : Request
    limit_bytes : int
        Nothing beyond it is kept, whether the length was declared or not (chunked).
    media_types : iterable of str
        Content types that the route reads.
    seconds : float
        Time in which all of it has to arrive.

    Raises
    ------
    UnsupportedMediaTypeError
        The content type is another one, or missing, or its charset is not UTF-8.
    BodyTooLargeError
        More bytes than the limit.
    DeadlineExceededError
        It did not arrive in time.
    """
    _refuse_other_media(request.headers.get("content-type", ""), tuple(media_types))
    try:
        async with asyncio.timeout(seconds):
            return await _whole_body(request, limit_bytes)
    except TimeoutError:
        raise DeadlineExceededError("the body did not arrive in time") from None


async def _whole_body(request: Request, limit_bytes: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    declared = request.headers.get("content-length", "0")
    is_over = declared.isdigit() and int(declared) > limit_bytes
    stream = request.stream()
    while not is_over:
        chunk = await anext(stream, None)
        if chunk is None:
            return b"".join(chunks)
        size += len(chunk)
        is_over = size > limit_bytes
        chunks.append(chunk)
    request.state.has_unread_body = "expect" not in request.headers  # who asks before sending has sent nothing
    raise BodyTooLargeError(f"the body is over {limit_bytes} bytes", hint="send less at once")


class LingeringResponse(Response):
    """Answers at once, then takes what the client still sends off the line without keeping it.

    Hanging up on a client that is still sending would reset the connection and lose it the answer.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer."""
        if not scope["state"].get("has_unread_body"):
            await super().__call__(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": bytes(self.body), "more_body": True})
        size = 0
        with anyio.move_on_after(LINGER_SECONDS):
            while size < LINGER_BYTES:
                message = await receive()
                size += len(message.get("body", b""))
                if not message.get("more_body"):
                    break
        await send({"type": "http.response.body", "body": b""})


def media_type_of(request: Request) -> str:
    """Return the content type without parameters, in lower case."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _refuse_other_media(content_type: str, media_types: tuple[str, ...]) -> None:
    essence, _, parameters = content_type.partition(";")
    given = [one.strip().lower().partition("=") for one in parameters.split(";")]
    is_utf8 = all(charset.strip(' "') in ("utf-8", "utf8") for name, _, charset in given if name.strip() == "charset")
    if essence.strip().lower() not in media_types or not is_utf8:
        raise UnsupportedMediaTypeError(
            "the body is not sent as what this route reads", where="Content-Type", hint=" or ".join(media_types)
        )
