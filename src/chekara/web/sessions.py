"""Signed-in people: a short-lived, signed cookie that holds no secret, and a token against forged forms.

The cookie names the key that signed in (its id, never the key) and is asked against the accounts on every request, so
that a revoked key ends its sessions at once. So is the session's random name, so that signing out ends it for good,
wherever its cookie was copied to.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from itsdangerous import BadData, URLSafeTimedSerializer

from chekara.errors import ConfigurationError
from chekara.secret_files import load_secret
from chekara.settings import Settings

IDLE_SECONDS = 60 * 60
"""A session that nobody uses ends after an hour."""

LONGEST_SECONDS = 10 * 60 * 60
"""Nobody stays signed in for longer than a shift."""

_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Session:
    """A browser's session, signed in or about to.

    Attributes
    ----------
    nonce : str
        Random; forms carry a token made of it.
    started_at : int
        Seconds since 1970, when it was signed in.
    key_id : str or None
        Key that signed in; None before.
    """

    nonce: str
    started_at: int
    key_id: str | None = None

    @property
    def ends_at(self) -> datetime:
        """Instant, in UTC, from which no cookie of this session is taken any longer."""
        return datetime.fromtimestamp(self.started_at + LONGEST_SECONDS, UTC)

    @classmethod
    def fresh(cls, key_id: str | None = None) -> Session:
        """Start a session with a new nonce: signing in never keeps the one from before."""
        return cls(secrets.token_urlsafe(16), int(time.time()), key_id)


class Sessions:
    """Writes and reads sessions and their form tokens.

    Parameters
    ----------
    secret : bytes
        At least 32 random bytes; see `load_session_secret`.

    Examples
    --------
    >>> sessions = Sessions(b"0" * 32)
    >>> session = Session.fresh("k1")
    >>> sessions.read(sessions.write(session)) == session
    True
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) < _SECRET_BYTES:
            raise ConfigurationError("session secret is too short", where="keys/session.secret")
        self._secret = secret
        self._signer = URLSafeTimedSerializer(
            secret, salt="chekara.session", signer_kwargs={"digest_method": hashlib.sha256}
        )

    def write(self, session: Session) -> str:
        """Return the cookie's value; writing it anew restarts the idle time."""
        return self._signer.dumps([session.nonce, session.started_at, session.key_id])

    def read(self, cookie: str | None) -> Session | None:
        """Return the session of a cookie; None where it is forged, idle for too long or older than a shift."""
        if not cookie:
            return None
        try:
            nonce, started_at, key_id = self._signer.loads(cookie, max_age=IDLE_SECONDS)
        except (BadData, ValueError):
            return None
        if time.time() - started_at > LONGEST_SECONDS:
            return None
        return Session(nonce, started_at, key_id)

    def form_token(self, session: Session) -> str:
        """Return the token that every form of this session sends back."""
        content = f"{session.nonce}:{session.key_id}".encode()
        return hmac.new(self._secret, b"chekara.form:" + content, hashlib.sha256).hexdigest()

    def is_own_form(self, session: Session, token: str) -> bool:
        """Whether a form was made for this session."""
        return secrets.compare_digest(self.form_token(session).encode(), token.encode())


def load_session_secret(settings: Settings) -> bytes:
    """Read the secret that sessions are signed with; it is made on first use.

    Unlike the secret of entity tokens it may be made anywhere and lost at any time: that only signs everybody out.

    Raises
    ------
    ConfigurationError
        The folder of keys cannot be written, or the file is open to everyone or holds something else.
    """
    path = settings.keys_path / "session.secret"
    how = "make the folder writable for the service, or put 64 random hex digits there"
    digits = load_secret(path, lambda: secrets.token_hex(_SECRET_BYTES).encode(), may_make=True, hint=how)
    try:
        return bytes.fromhex(digits.decode("ascii").strip())
    except ValueError:
        raise ConfigurationError("the session secret is not in hex digits", where=str(path), hint=how) from None
