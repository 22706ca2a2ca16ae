"""Signed heads of the log, kept outside the database: whoever rewrites the log cannot rewrite them too.

One file, ``checkpoints/checkpoints.jsonl``, one JSON object a line, appended and fsynced. A line signs (Ed25519) its
own number, the chain, its position and hash, and the instant, in the encoding of `signed_text`. Ship the file to
another machine: who can write it can also cut its end.
"""

from __future__ import annotations

import base64
import binascii
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from chekara.adapters.chain_writer import Clock, head_of, now
from chekara.adapters.database import Database
from chekara.service.audit import Checkpoint
from chekara.service.chain import instant_text
from chekara.service.records import Chain

EVERY_SECONDS = 30.0


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    number: int
    chain: str
    position: int
    hash: str
    signed_at: str
    signature: str


def checkpoint_file(home: Path) -> Path:
    """Return where the checkpoints of an installation lie."""
    return home / "checkpoints" / "checkpoints.jsonl"


def signed_text(*, number: int, chain: str, position: int, hash_: str, signed_at: str) -> bytes:
    """Return the bytes that a checkpoint signs: its fields as lines, each ended by one line feed.

    Parameters
    ----------
    number : int
        Of the checkpoint, from 1.
    chain : str
    position : int
    hash_ : str
        Of the entry at that position.
    signed_at : str
        As `instant_text` writes it.
    """
    fields = ("chekara-checkpoint-1", str(number), chain, str(position), hash_, signed_at)
    return "".join(f"{one}\n" for one in fields).encode()


class CheckpointBook:
    """Signs the heads of all chains, at least each minute while something is appended.

    Parameters
    ----------
    path : Path
        The file.
    database : Database
    key : Ed25519PrivateKey
    clock : callable
        The present instant.
    monotonic : callable
        Seconds of a clock that never steps.
    """

    def __init__(
        self,
        path: Path,
        database: Database,
        key: Ed25519PrivateKey,
        clock: Clock = now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._database = database
        self._key = key
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._next_at = monotonic()
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = _lines(path)
        self._number = max((line.number for line in lines if line is not None), default=0)
        self._signed = {line.chain: line.position for line in lines if line is not None}

    def sign_if_due(self) -> None:
        """Sign new heads if the last look is `EVERY_SECONDS` ago."""
        if self._monotonic() >= self._next_at:
            self.sign()

    def sign(self) -> None:
        """Sign the heads that moved since they were signed last.

        Raises
        ------
        LogUnavailableError
            The database does not answer.
        OSError
            The file cannot be written.
        """
        with self._lock:
            self._next_at = self._monotonic() + EVERY_SECONDS
            for chain in Chain:
                with self._database.reading() as connection:
                    position, head = head_of(connection, chain)
                if position and self._signed.get(chain.value) != position:
                    self._append(chain.value, position, head)

    def _append(self, chain: str, position: int, head: str) -> None:
        number, signed_at = self._number + 1, instant_text(self._clock())
        text = signed_text(number=number, chain=chain, position=position, hash_=head, signed_at=signed_at)
        signature = base64.b64encode(self._key.sign(text)).decode()
        line = msgspec.json.encode(_Line(number, chain, position, head, signed_at, signature)) + b"\n"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(descriptor, line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._number = number
        self._signed[chain] = position


def read_checkpoints(path: Path, key: Ed25519PublicKey | None) -> list[Checkpoint]:
    """Read all checkpoints, and whether each is signed by this installation's key.

    Parameters
    ----------
    path : Path
        The file; absent means none.
    key : Ed25519PublicKey or None
        None verifies nothing, so that every checkpoint counts as unsigned.
    """
    found: list[Checkpoint] = []
    for number, line in enumerate(_lines(path), start=1):
        if line is None:
            found.append(Checkpoint(number, "", 0, "", "", is_signed=False))
        else:
            is_signed = _is_signed(line, key)
            found.append(
                Checkpoint(line.number, line.chain, line.position, line.hash, line.signed_at, is_signed=is_signed)
            )
    return found


def _lines(path: Path) -> list[_Line | None]:
    """Parse the file; None for a line that is not a checkpoint."""
    if not path.exists():
        return []
    return [_parse(line) for line in path.read_bytes().splitlines() if line.strip()]


def _parse(line: bytes) -> _Line | None:
    try:
        return msgspec.json.decode(line, type=_Line)
    except msgspec.DecodeError:
        return None


def _is_signed(line: _Line, key: Ed25519PublicKey | None) -> bool:
    if key is None:
        return False
    text = signed_text(
        number=line.number, chain=line.chain, position=line.position, hash_=line.hash, signed_at=line.signed_at
    )
    try:
        key.verify(base64.b64decode(line.signature, validate=True), text)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True
