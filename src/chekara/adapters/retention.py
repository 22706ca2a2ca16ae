"""Payloads that may be kept no longer: removed with an entry in the log that says what, why and by whom, and is signed.

The signature (Ed25519, the key of the checkpoints) is over the line ``chekara-retention-1`` and the entry's payload
without it, as `canonical_json` writes it. So nobody who can only write the database makes a removal look lawful. The
entry also keeps digests of what was removed and of the rows that stay: these are compared for ever.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import Connection, Row, delete, select, tuple_

from chekara.adapters import tables
from chekara.adapters.chain_writer import Clock, append_live, now
from chekara.adapters.database import Database
from chekara.adapters.readable import readable
from chekara.adapters.stored_rows import rows_digest, stored_rows
from chekara.errors import NotFoundError
from chekara.service.audit import ANSWERED_KINDS, RETENTION
from chekara.service.chain import canonical_json
from chekara.service.payload import Plain
from chekara.service.records import Chain

BATCH = 500


class Retention:
    """Removes payloads.

    Parameters
    ----------
    database : Database
    key : Ed25519PrivateKey
        Signs removals; see `load_checkpoint_key`.
    clock : callable
        The present instant.
    """

    def __init__(self, database: Database, key: Ed25519PrivateKey, clock: Clock = now) -> None:
        self._database = database
        self._key = key
        self._clock = clock

    def remove_payloads(self, chain: Chain, positions: Sequence[int], *, reason: str, removed_by: str) -> None:
        """Remove payloads. The chain still verifies; what they held is gone for good.

        Parameters
        ----------
        chain : Chain
        positions : sequence of int
            Of decisions, withdrawals, reviews or results.
        reason : str
            Such as the rule that ends the retention; every later audit tells it.
        removed_by : str
            Who did it.

        Raises
        ------
        NotFoundError
            At one of the positions there is no payload that may be removed; nothing is removed.
        ConfigurationError
            The reason or the name cannot be read.
        LogUnavailableError
            The database does not answer.
        """
        said = {"reason": readable(reason, where="reason"), "removed_by": readable(removed_by, where="removed_by")}
        with self._database.writing() as connection:
            removed = _described(connection, chain, sorted(set(positions)))
            event: Plain = {"removed_chain": chain.value, "removed": removed, **said}
            event["signature"] = base64.b64encode(self._key.sign(_signed_text(event))).decode()
            position = append_live(connection, self._clock, RETENTION, event)
            p, r = tables.payloads, tables.retention
            named = select(r.c.removed_chain, r.c.removed_position).where(
                r.c.chain == Chain.LIVE.value, r.c.position == position
            )
            connection.execute(delete(p).where(tuple_(p.c.chain, p.c.position).in_(named)))


def _described(connection: Connection, chain: Chain, positions: Sequence[int]) -> list[Plain]:
    """Return position, digest and digest of the rows of each payload that is removed."""
    found: list[Plain] = []
    for start in range(0, len(positions), BATCH):
        batch = positions[start : start + BATCH]
        entries = _entries(connection, chain, batch)
        if len(entries) != len(batch):
            raise NotFoundError("there is no payload that may be removed", where="positions")
        stored = stored_rows(connection, entries)
        for entry in entries:
            rows = stored.get((entry.chain, entry.position), {})
            found.append({"position": entry.position, "digest": entry.payload_digest, "rows": rows_digest(rows)})
    return found


def _entries(connection: Connection, chain: Chain, positions: Sequence[int]) -> list[Row[Any]]:
    t, p = tables.log, tables.payloads
    query = (
        select(t.c.chain, t.c.position, t.c.payload_digest)
        .join(p, (p.c.chain == t.c.chain) & (p.c.position == t.c.position))
        .where(t.c.chain == chain.value, t.c.position.in_(positions), t.c.kind.in_(ANSWERED_KINDS))
        .order_by(t.c.position)
    )
    return list(connection.execute(query))


def _signed_text(event: Plain) -> bytes:
    content = {name: value for name, value in event.items() if name != "signature"}
    return b"chekara-retention-1\n" + canonical_json(content)


def is_signed_removal(event: Plain, key: Ed25519PublicKey | None) -> bool:
    """Whether the payload of a retention entry is signed by this installation; without a key none is."""
    if key is None:
        return False
    try:
        key.verify(base64.b64decode(str(event.get("signature")), validate=True), _signed_text(event))
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True
