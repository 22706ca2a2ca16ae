"""What a crossing contributed, and events that no later one has seen yet, as bytes to be stored.

A record holds what stands of a crossing: its newest revision's lines and the newest result of each inspection, with the
lines that it was added to. It is what a later revision takes back, and what the crossing's own features leave out.
Keys are digests; no text of an entity is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
import numpy as np

from chekara.errors import ConfigurationError
from chekara.features.profile_kinds import FIELDS
from chekara.features.profile_link import Links
from chekara.features.profile_state import LINE, Records

KEYED_LINE = np.dtype([*((name, LINE[name]) for name in LINE.names or ()), ("keys", "i8", (len(FIELDS),))])
"""A line with the keys of its `FIELDS`."""


class StoredResult(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The newest result of an inspection.

    Attributes
    ----------
    inspection : int
        Digest of its id.
    number : int
        Revision.
    at : float
        Days at which it was known; of a record: at which its first revision was known.
    domain : int
        Place in the layout's domains; -1 for one that is not kept.
    counts : bool
        It was done, and its domain is kept.
    hit, amount : float
    item_no : int
        -1 for the whole crossing.
    stands_on : int
        Place in the record's revisions; -1 where it is part of no state.
    """

    inspection: int
    number: int
    at: float
    domain: int
    counts: bool
    hit: float
    amount: float
    item_no: int
    stands_on: int = -1


class StoredRevision(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """A revision of a crossing.

    Attributes
    ----------
    number : int
    lines : bytes
        Of `KEYED_LINE`; none where the crossing was withdrawn.
    """

    number: int
    lines: bytes


class CrossingRecord(msgspec.Struct, frozen=True, array_like=True):
    """What stands of a crossing.

    Attributes
    ----------
    first_at : float
        Days at which its first revision was known.
    revisions : tuple of StoredRevision
        The newest first, then those that results stand on; none before the crossing was known.
    results : tuple of StoredResult
        Last inspection first.
    """

    first_at: float
    revisions: tuple[StoredRevision, ...]
    results: tuple[StoredResult, ...]


class PendingEvent(msgspec.Struct, frozen=True, array_like=True):
    """An event that is part of no state yet.

    Attributes
    ----------
    crossing_id : str
    position : int
    content : StoredRevision or StoredResult
    """

    crossing_id: str
    position: int
    content: StoredRevision | StoredResult


class Pending(msgspec.Struct, frozen=True, array_like=True):
    """Events at the newest instant.

    Attributes
    ----------
    at : float
        Days.
    events : tuple of PendingEvent
    """

    at: float
    events: tuple[PendingEvent, ...]


NOTHING_PENDING: Final = Pending(-np.inf, ())
NEVER_SEEN: Final = CrossingRecord(0.0, (), ())

_ENCODER = msgspec.msgpack.Encoder()
_RECORD = msgspec.msgpack.Decoder(CrossingRecord)
_PENDING = msgspec.msgpack.Decoder(Pending)


def standing_record(
    c: int, links: Links, revision_of: Callable[[int], StoredRevision], result_of: Callable[[int], StoredResult]
) -> CrossingRecord:
    """Return what stands of a crossing.

    Parameters
    ----------
    c : int
        Its number in the links.
    links : Links
    revision_of, result_of : callable
        Number of a revision or of a result in the links to what is stored of it.
    """
    chain: list[int] = []
    i = int(links.first_inspection[c])
    while i >= 0:
        chain.append(i)
        i = int(links.next_inspection[i])
    standing = [int(links.newest[c]), *(int(links.stands_on[i]) for i in chain)]
    kept = {v: place for place, v in enumerate(dict.fromkeys(v for v in standing if v >= 0))}
    results = tuple(
        msgspec.structs.replace(
            result_of(int(links.newest_result[i])),
            at=float(links.result_at[i]),
            stands_on=kept.get(int(links.stands_on[i]), -1),
        )
        for i in chain
    )
    return CrossingRecord(float(links.first_at[c]), tuple(revision_of(v) for v in kept), results)


def write_bytes(content: CrossingRecord | Pending) -> bytes:
    """Return what is stored."""
    return _ENCODER.encode(content)


def read_record(stored: bytes | None) -> CrossingRecord:
    """Read a stored record; None was never seen.

    Raises
    ------
    ConfigurationError
        It is damaged, or of another layout.
    """
    try:
        return NEVER_SEEN if stored is None else _RECORD.decode(stored)
    except msgspec.MsgspecError as error:
        raise _other_layout() from error


def read_pending(stored: bytes) -> Pending:
    """Read stored pending events; empty means none.

    Raises
    ------
    ConfigurationError
        They are damaged, or of another layout.
    """
    try:
        return _PENDING.decode(stored) if stored else NOTHING_PENDING
    except msgspec.MsgspecError as error:
        raise _other_layout() from error


def read_lines(stored: bytes) -> Records:
    """Read the lines of a stored revision."""
    return np.frombuffer(stored, dtype=KEYED_LINE)


def _other_layout() -> ConfigurationError:
    return ConfigurationError(
        "stored profiles cannot be read by this version", where="profiles", hint="run `chekara profiles rebuild`"
    )


def items_told(stored: bytes | None) -> frozenset[int]:
    """Return the numbers of the goods lines that a stored record still knows; none of a withdrawn crossing.

    Raises
    ------
    ConfigurationError
        It is damaged, or of another layout.
    """
    revisions = read_record(stored).revisions
    return frozenset(int(n) for one in revisions for n in np.frombuffer(one.lines, KEYED_LINE)["item_no"])
