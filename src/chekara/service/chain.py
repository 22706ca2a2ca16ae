"""The hash chain of the log: one canonical encoding, written down so that anybody can check it with other tools.

An entry's hash is the SHA-256, in lower-case hex, of these lines in UTF-8, each ended by one line feed::

    chekara-log-1
    <chain>                live or test
    <position>             decimal, 1 for the first entry of a chain, then without gaps
    <kind>                 decision, void, review, inspection, promotion, key_added, key_revoked, retention,
                           checkpoints_begun, lot_commitment, lot_reveal, referral_opened, referral_rerouted,
                           referral_accepted, referral_declined, referral_closed, released, policy_promotion,
                           watch_list or proposal
    <recorded_at>          2026-11-24T04:42:00.123456Z, always with six decimals
    <payload_digest>       sha256: and the SHA-256 of the payload's bytes, lower-case hex
    <previous_hash>        hash of the entry before; 64 zeros for the first

A payload is JSON with sorted keys and no spaces. The chain holds its digest only and the bytes lie beside it, so that
retention can remove a payload and the chain still verifies.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import Any

import msgspec

from chekara.errors import AuditError

GENESIS = "0" * 64
_ENCODER = msgspec.json.Encoder(order="sorted")
_ONE_LINE = re.compile(r"[^\n]*")


def canonical_json(content: Any) -> bytes:
    """Encode plain data as JSON with sorted keys and no spaces; floats in their shortest exact form.

    Examples
    --------
    >>> canonical_json({"b": 0.1, "a": [1, None]})
    b'{"a":[1,null],"b":0.1}'
    """
    return _ENCODER.encode(content)


def payload_digest(payload: bytes) -> str:
    """Return ``sha256:`` and the hex digest of a payload's bytes."""
    return f"sha256:{hashlib.sha256(payload).hexdigest()}"


def entry_hash(
    *, chain: str, position: int, kind: str, recorded_at: str, payload_digest: str, previous_hash: str
) -> str:
    """Return the hash of one entry, as the module describes.

    Parameters
    ----------
    chain : str
    position : int
        From 1.
    kind, recorded_at, payload_digest, previous_hash : str

    Raises
    ------
    AuditError
        A field holds a line feed, so that two different entries could be encoded alike.

    Examples
    --------
    >>> entry_hash(chain="live", position=1, kind="void", recorded_at="2026-11-24T04:42:00.000000Z",
    ...            payload_digest="sha256:00", previous_hash=GENESIS)[:16]
    '37bddd94cc6f8fcc'
    """
    fields = ("chekara-log-1", chain, str(position), kind, recorded_at, payload_digest, previous_hash)
    if not all(_ONE_LINE.fullmatch(one) for one in fields):
        raise AuditError("a log entry holds a line feed where none may be", where=f"{kind} entry")
    return hashlib.sha256("".join(f"{one}\n" for one in fields).encode()).hexdigest()


def instant_text(instant: datetime) -> str:
    """Write an instant in UTC with six decimals, so that texts sort like instants.

    Examples
    --------
    >>> instant_text(datetime(2026, 11, 24, 10, 42, tzinfo=UTC))
    '2026-11-24T10:42:00.000000Z'
    >>> instant_text(datetime(999, 1, 2, tzinfo=UTC))
    '0999-01-02T00:00:00.000000Z'
    """
    # Not strftime: its %Y does not pad years before 1000 everywhere.
    return f"{instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def instant_from(text: str) -> datetime:
    """Read what `instant_text` wrote."""
    return datetime.fromisoformat(text)
