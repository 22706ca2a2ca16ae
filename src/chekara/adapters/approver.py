"""Who approves: outside dev whoever holds a key of that role, for a name alone is no second person."""

from __future__ import annotations

import getpass
import sys

from chekara.adapters.accounts import actor_of_key
from chekara.data.identity import is_same_person
from chekara.domain.actor import Permission, may
from chekara.errors import ConfigurationError, ForbiddenError
from chekara.settings import Settings


def approver_of(settings: Settings, key: str, *, claimed: str) -> str:
    """Return the name of who approves, by a key or, in dev, by what was claimed.

    Parameters
    ----------
    settings : Settings
    key : str
        Empty for none: outside dev it is asked for on the terminal.
    claimed : str
        Name that was given beside it; empty for none.

    Raises
    ------
    ConfigurationError
        A key is needed, and there is no terminal to ask for it on.
    UnauthenticatedError
        Nobody holds the key, or it was revoked.
    ForbiddenError
        The key is no approver's, or a test key, or another person's than was claimed.
    """
    if not key:
        if settings.is_dev:
            return claimed
        key = _ask_for_key()
    actor = actor_of_key(settings, key.strip())
    if actor.is_test or not may(actor, Permission.PROMOTE_MODEL):
        raise ForbiddenError("the key is not that of an approver", where="approver", hint="use a key of that role")
    if claimed and not is_same_person(claimed, actor.holder):
        raise ForbiddenError("the key is another person's", where="--approver", hint="leave the name out")
    return actor.holder


def _ask_for_key() -> str:
    if not sys.stdin.isatty():
        raise ConfigurationError(
            "a promotion outside dev needs the key of an approver",
            where="CHEKARA_APPROVER_KEY",
            hint="set the variable, or run it on a terminal and type the key",
        )
    return getpass.getpass("Key of the approver: ")
