"""Access keys of systems and people: 256 random bits, kept as sha256, shown once; and sessions that were signed out."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, exists, select
from sqlalchemy.dialects import sqlite

from chekara.adapters.chain_writer import Clock, append_live, now
from chekara.adapters.checkpoints import signed_after
from chekara.adapters.database import Database, open_database
from chekara.adapters.policies import policy_that_serves
from chekara.adapters.readable import readable
from chekara.adapters.tables import ended_sessions, key_revocations, keys
from chekara.domain.actor import SCOPES, Actor
from chekara.domain.vocabulary import Role
from chekara.errors import ConfigurationError, NotFoundError, UnauthenticatedError
from chekara.policy import Policy
from chekara.service.chain import instant_text
from chekara.settings import Settings

KEY_BYTES = 32
LIVE_PREFIX = "ck_live_"
TEST_PREFIX = "test_"


class Accounts:
    """Keys and who holds them, and which sessions were signed out.

    Parameters
    ----------
    database : Database
    policy : Policy
        Names the agencies that there are.
    clock : callable
        The present instant.
    """

    def __init__(self, database: Database, policy: Policy, clock: Clock = now) -> None:
        self._database = database
        self._policy = policy
        self._clock = clock

    def add(
        self, *, agency: str, role: str, holder: str = "", scopes: tuple[str, ...] = (), is_test: bool = False
    ) -> str:
        """Make a key; the making is a log event.

        Parameters
        ----------
        agency, role : str
        holder : str
            The person or system that gets it; default: made from agency and role.
        scopes : tuple of str
            Extra rights, such as ``reasons``.
        is_test : bool
            Whether all that it does goes to the test log.

        Returns
        -------
        str
            The key. It cannot be read again: only its hash is kept.

        Raises
        ------
        ConfigurationError
            An agency, role or scope is not known, or the holder's name cannot be read.
        LogUnavailableError
            The key could not be recorded.
        """
        self._refuse_unknown(agency, role, scopes)
        name = readable(holder, where="holder") if holder.strip() else f"{agency} {role}"
        key = (TEST_PREFIX if is_test else LIVE_PREFIX) + secrets.token_urlsafe(KEY_BYTES)
        event = {
            "key_id": str(uuid.uuid4()),
            "key_sha256": _sha256(key),
            "holder": name,
            "agency": agency,
            "role": role,
            "scopes": " ".join(sorted(set(scopes))),
            "is_test": is_test,
        }
        with self._database.writing() as connection:
            append_live(connection, self._clock, "key_added", event)
        return key

    def revoke(self, key_id: str) -> None:
        """Make a key useless from now on; the revocation is a log event. Revoking it again changes nothing.

        Raises
        ------
        NotFoundError
            There is no such key.
        LogUnavailableError
            The revocation could not be recorded.
        """
        with self._database.writing() as connection:
            if connection.execute(select(keys.c.key_id).where(keys.c.key_id == key_id)).first() is None:
                raise NotFoundError("there is no such key", where="key_id")
            known = select(key_revocations.c.key_id).where(key_revocations.c.key_id == key_id)
            if connection.execute(known).first() is not None:
                return
            revoked_at = instant_text(self._clock())
            append_live(connection, self._clock, "key_revoked", {"key_id": key_id, "revoked_at": revoked_at})

    def actor_for_key(self, key: str) -> Actor:
        """Return who holds a key.

        Raises
        ------
        UnauthenticatedError
            Nobody does, or it was revoked.
        LogUnavailableError
            The database does not answer.
        """
        digest = _sha256(key)
        found = self._holder(keys.c.key_sha256 == digest)
        # The look-up is by hash, so its timing says nothing of a key; compared once more in constant time.
        if found is None or not secrets.compare_digest(found.key_sha256, digest):
            raise UnauthenticatedError("this key is not known, or was revoked", hint="ask for a new one")
        return _actor(found)

    def actor_of(self, key_id: str) -> Actor:
        """Return who holds the key of this id: what a session asks on every request, so that revoking ends it.

        Raises
        ------
        UnauthenticatedError
            There is no such key, or it was revoked.
        LogUnavailableError
            The database does not answer.
        """
        found = self._holder(keys.c.key_id == key_id)
        if found is None:
            raise UnauthenticatedError("this key is not known, or was revoked", hint="sign in with a new one")
        return _actor(found)

    def end_session(self, session: str, until: datetime) -> None:
        """End a browser's session for good: a copy of its cookie opens nothing from now on, after a restart neither.

        Parameters
        ----------
        session : str
            Random name of the session; kept as sha256.
        until : datetime
            When it ends by itself, so that nothing has to be remembered any longer.

        Raises
        ------
        LogUnavailableError
            The end could not be recorded.
        """
        t = ended_sessions
        row = {"session_sha256": _sha256(session), "until": instant_text(until)}
        with self._database.writing() as connection:
            connection.execute(delete(t).where(t.c.until < instant_text(self._clock())))
            connection.execute(sqlite.insert(t).on_conflict_do_nothing(), row)

    def is_session_ended(self, session: str) -> bool:
        """Whether a session was signed out.

        Raises
        ------
        LogUnavailableError
            The database does not answer.
        """
        t = ended_sessions
        with self._database.reading() as connection:
            query = select(t.c.until).where(t.c.session_sha256 == _sha256(session))
            return connection.execute(query).first() is not None

    def _holder(self, is_wanted: ColumnElement[bool]) -> Row[Any] | None:
        is_revoked = exists().where(key_revocations.c.key_id == keys.c.key_id)
        with self._database.reading() as connection:
            return connection.execute(select(keys).where(is_wanted, ~is_revoked)).first()

    def _refuse_unknown(self, agency: str, role: str, scopes: tuple[str, ...]) -> None:
        agencies, roles = sorted(self._policy.known_agencies), [one.value for one in Role]
        if agency not in agencies:
            hint = f"one of {', '.join(agencies)}; a policy file may name more"
            raise ConfigurationError("this agency is not known", where="agency", hint=hint)
        if role not in roles:
            raise ConfigurationError("this role is not known", where="role", hint=f"one of {', '.join(roles)}")
        if not set(scopes) <= SCOPES.keys():
            raise ConfigurationError("this scope is not known", where="scope", hint=f"one of {', '.join(SCOPES)}")


def _actor(found: Row[Any]) -> Actor:
    return Actor(
        key_id=found.key_id,
        holder=found.holder,
        agency=found.agency,
        role=Role(found.role),
        scopes=frozenset(found.scopes.split()),
        is_test=found.is_test,
    )


def _sha256(key: str) -> str:
    # A key is 256 random bits, so a plain hash cannot be reversed by guessing; a slow one would only slow the door.
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def actor_of_key(settings: Settings, key: str) -> Actor:
    """Return who holds a key of an installation, for programs beside the service.

    Parameters
    ----------
    settings : Settings
    key : str

    Raises
    ------
    UnauthenticatedError
        Nobody does, or it was revoked.
    ConfigurationError
        The policy file is wrong.
    LogUnavailableError
        The database does not answer.
    """
    database = open_database(settings)
    try:
        return Accounts(database, policy_that_serves(settings, database)).actor_for_key(key)
    finally:
        database.close()


def add_key(
    settings: Settings, *, agency: str, role: str, holder: str = "", scopes: tuple[str, ...] = (), is_test: bool = False
) -> str:
    """Make a key in an installation, which is set up first if it is new.

    Parameters
    ----------
    settings : Settings
    agency, role, holder : str
    scopes : tuple of str
    is_test : bool
        As in `Accounts.add`.

    Returns
    -------
    str
        The key, for the only time.

    Raises
    ------
    ConfigurationError
        An agency, role or scope is not known, the holder's name cannot be read, or the policy file or the checkpoint
        key is wrong.
    LogUnavailableError
        The key could not be recorded.
    """
    database = open_database(settings)
    try:
        policy = policy_that_serves(settings, database)
        with signed_after(settings, database):
            accounts = Accounts(database, policy)
            return accounts.add(agency=agency, role=role, holder=holder, scopes=scopes, is_test=is_test)
    finally:
        database.close()
