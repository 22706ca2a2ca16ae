"""Read a body as far as the limit and not a byte further."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.requests import Request

from chekara.errors import BodyTooLargeError, UnsupportedMediaTypeError

JSON = "application/json"


async def read_body(request: Request, limit_bytes: int, media_types: Iterable[str] = (JSON,)) -> bytes:
    """Read the whole body of a request.

    Parameters
    ----------
    request : Request
    limit_bytes : int
        A declared length above it is refused unread; an undeclared one (chunked) as soon as it is passed.
    media_types : iterable of str
        Content types that the route reads.

    Raises
    ------
    UnsupportedMediaTypeError
        The content type is another one, or missing, or its charset is not UTF-8.
    BodyTooLargeError
        More bytes than the limit.
    """
    _refuse_other_media(request.headers.get("content-type", ""), tuple(media_types))
    too_large = BodyTooLargeError(f"the body is over {limit_bytes} bytes", hint="send less at once")
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > limit_bytes:
        raise too_large
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit_bytes:
            raise too_large
        chunks.append(chunk)
    return b"".join(chunks)


def media_type_of(request: Request) -> str:
    """Return the content type without parameters, in lower case."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _refuse_other_media(content_type: str, media_types: tuple[str, ...]) -> None:
    essence, _, parameters = content_type.partition(";")
    name, _, charset = parameters.strip().lower().partition("=")
    is_utf8 = name != "charset" or charset.strip('"') in ("utf-8", "utf8")
    if essence.strip().lower() not in media_types or not is_utf8:
        raise UnsupportedMediaTypeError(
            "the body is not sent as what this route reads", where="Content-Type", hint=" or ".join(media_types)
        )
