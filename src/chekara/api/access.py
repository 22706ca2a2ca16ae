"""Who asks: a key becomes an actor, and one guard holds every route against the one permission table."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Annotated, Final

from anyio import to_thread
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from chekara.domain.actor import Actor, Permission, may
from chekara.errors import ForbiddenError, UnauthenticatedError

# A revoked key is dead everywhere after this time at the latest.
REMEMBERED_SECONDS: Final = 5.0
MOST_REMEMBERED: Final = 1024
LONGEST_KEY: Final = 200

bearer = HTTPBearer(
    scheme_name="key",
    description="A key from `chekara keys add`: agency, role and scopes come from it.",
    auto_error=False,
)


class KeyRing:
    """Remembers for a few seconds who holds a key, so that a busy border system costs no query per crossing.

    Only keys that are known are remembered, by digest; a wrong key is asked for each time.

    Parameters
    ----------
    look_up : callable
        ``Accounts.actor_for_key``.
    """

    def __init__(self, look_up: Callable[[str], Actor]) -> None:
        self._look_up = look_up
        self._known: OrderedDict[bytes, tuple[float, Actor]] = OrderedDict()

    async def actor(self, key: str) -> Actor:
        """Return who holds a key.

        Raises
        ------
        UnauthenticatedError
            Nobody does, or it was revoked.
        """
        if len(key) > LONGEST_KEY or not key.isascii():
            raise UnauthenticatedError("the key is not known")
        digest = hashlib.sha256(key.encode()).digest()
        remembered = self._known.get(digest)
        if remembered is not None and remembered[0] > time.monotonic():
            return remembered[1]
        self._known.pop(digest, None)
        actor = await to_thread.run_sync(self._look_up, key)
        self._known[digest] = (time.monotonic() + REMEMBERED_SECONDS, actor)
        while len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)
        return actor


async def authenticate(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> Actor:
    """Return who sent the request; the one way by which an actor enters.

    Raises
    ------
    UnauthenticatedError
        No key was sent, or one that is not known.
    """
    if credentials is None:
        raise UnauthenticatedError("no key was sent", where="Authorization", hint="send `Authorization: Bearer <key>`")
    ring: KeyRing = request.app.state.keys
    actor = await ring.actor(credentials.credentials)
    request.state.actor = actor
    return actor


def requires(*permissions: Permission) -> Callable[[Actor], Awaitable[Actor]]:
    """Make the guard of a route: the actor, if it has all these permissions.

    Raises
    ------
    ForbiddenError
        By the guard, where one is missing. It does not tell which role would have it.

    Examples
    --------
    >>> route_guard = requires(Permission.SCORE)
    """

    async def guard(actor: Annotated[Actor, Depends(authenticate)]) -> Actor:
        return _allowed(actor, all(may(actor, permission) for permission in permissions))

    return guard


def requires_one_of(*permissions: Permission) -> Callable[[Actor], Awaitable[Actor]]:
    """Make the guard of a route that does one thing for some and another for others: one of these permissions will do.

    Raises
    ------
    ForbiddenError
        By the guard, where none is there.
    """

    async def guard(actor: Annotated[Actor, Depends(authenticate)]) -> Actor:
        return _allowed(actor, any(may(actor, permission) for permission in permissions))

    return guard


def _allowed(actor: Actor, is_allowed: bool) -> Actor:  # what the guards found
    if not is_allowed:
        raise ForbiddenError("the key's role does not allow this", hint="use a key of a role that does")
    return actor
