"""Signed heads of the log, kept outside the database: whoever rewrites the log cannot rewrite them too.

One file, ``checkpoints/checkpoints.jsonl``, one JSON object a line, appended and fsynced. A line signs (Ed25519) its
own number, the chain, its position and hash, and the instant, in the encoding of `signed_text`. Several processes may
sign at once: the file is locked while a head is read and signed. Ship it to another machine: who can write it can also
cut its end.

A line counts once its line feed is there. What a power cut left of one was signed for nobody, so it is no sign of
tampering: the next signature cuts it off and takes its number.

Once something was answered (decisions, withdrawals, reviews, results), the file is there: its first line follows the
first group at once. Where it is gone nevertheless, nobody begins another one by chance: whoever rewrote the log could
otherwise take the file away and have the new log signed. `begin_checkpoints` does it knowingly, with an entry in the
log that says who and why.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import select

from chekara.adapters.chain_writer import Clock, append_live, head_of, now
from chekara.adapters.database import Database, open_database
from chekara.adapters.key_files import load_checkpoint_key, load_checkpoint_public_key
from chekara.adapters.readable import readable
from chekara.adapters.tables import log
from chekara.errors import ConfigurationError, LogUnavailableError
from chekara.service.audit import ANSWERED_KINDS, CHECKPOINTS_BEGUN, Checkpoint
from chekara.service.chain import instant_text
from chekara.service.records import Chain
from chekara.settings import Settings

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
    begins_anew : bool
        Whether a file may begin over a log that holds answers: what `begin_checkpoints` recorded.

    Raises
    ------
    ConfigurationError
        The log holds answers, and the file is gone.
    LogUnavailableError
        The database does not answer.
    OSError
        The folder of the file cannot be made.
    """

    def __init__(
        self,
        path: Path,
        database: Database,
        key: Ed25519PrivateKey,
        clock: Clock = now,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        begins_anew: bool = False,
    ) -> None:
        self._may_begin = begins_anew or not _holds_answers(database)
        if not self._may_begin and not has_checkpoints(path):
            raise _lost(path)
        self._path = path
        self._database = database
        self._key = key
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._next_at = monotonic()
        self._number = 0
        self._signed: dict[str, int] = {}
        self._read_up_to = 0  # bytes of the file
        path.parent.mkdir(parents=True, exist_ok=True)

    def sign_if_due(self) -> None:
        """Sign new heads if the last look is `EVERY_SECONDS` ago; at once while nothing was signed yet."""
        if not self._number or self._monotonic() >= self._next_at:
            self.sign()

    def sign(self) -> None:
        """Sign the heads that moved since they were signed last.

        Raises
        ------
        LogUnavailableError
            The database does not answer.
        ConfigurationError
            The file was taken away since it was looked for.
        OSError
            The file cannot be written.
        """
        with self._lock:
            self._next_at = self._monotonic() + EVERY_SECONDS
            with self._locked_file() as descriptor:
                self._catch_up()
                if not self._number and not self._may_begin:
                    raise _lost(self._path)
                for chain in Chain:
                    with self._database.reading() as connection:
                        position, head = head_of(connection, chain)
                    if position and self._signed.get(chain.value) != position:
                        self._append(descriptor, chain.value, position, head)

    @contextmanager
    def _locked_file(self) -> Iterator[int]:
        """Open the file so that no other process signs meanwhile: two would give one number to two heads."""
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)

    def _catch_up(self) -> None:
        """Read what other processes signed since the last look."""
        with self._path.open("r+b") as stream:
            stream.seek(self._read_up_to)
            content = stream.read()
            whole = _whole_lines(content)
            if len(whole) < len(content):
                stream.truncate(self._read_up_to + len(whole))
            for line in _parsed(whole):
                if line is not None:
                    self._number = max(self._number, line.number)
                    self._signed[line.chain] = line.position
            self._read_up_to += len(whole)

    def _append(self, descriptor: int, chain: str, position: int, head: str) -> None:
        number, signed_at = self._number + 1, instant_text(self._clock())
        text = signed_text(number=number, chain=chain, position=position, hash_=head, signed_at=signed_at)
        signature = base64.b64encode(self._key.sign(text)).decode()
        line = msgspec.json.encode(_Line(number, chain, position, head, signed_at, signature)) + b"\n"
        os.write(descriptor, line)
        os.fsync(descriptor)
        self._number = number
        self._signed[chain] = position


@contextmanager
def signed_after(settings: Settings, database: Database) -> Iterator[None]:
    """Sign the heads once what is recorded inside is durable, so that no time passes in which it can be cut.

    For programs beside the service. Where this machine holds no checkpoint key outside dev, nothing is signed here: the
    next checkpoint of the service covers the record.

    Raises
    ------
    ConfigurationError
        The checkpoint key cannot be used, or the file of checkpoints was taken away; nothing was recorded yet.
    """
    key = load_checkpoint_key(settings) if settings.is_dev or load_checkpoint_public_key(settings) else None
    path = checkpoint_file(settings.home)
    if key is not None and not has_checkpoints(path) and _holds_answers(database):
        raise _lost(path)
    yield
    if key is None:
        return
    try:
        CheckpointBook(path, database, key).sign()
    except (OSError, LogUnavailableError, ConfigurationError):
        # What was recorded stands, and its maker must hear so (a key is shown once); the next checkpoint covers it.
        logging.getLogger(__name__).warning("recorded, but no checkpoint could be written; the next one covers it")


def begin_checkpoints(settings: Settings, *, reason: str, begun_by: str) -> None:
    """Begin another file of checkpoints knowingly, where the one before is lost: recorded in the log, then signed.

    Parameters
    ----------
    settings : Settings
    reason, begun_by : str
        Why, and who says so; every later audit tells both.

    Raises
    ------
    ConfigurationError
        There are checkpoints, the key cannot be used, or a text cannot be read.
    LogUnavailableError
        The database does not answer.
    """
    content = {"reason": readable(reason, where="reason"), "begun_by": readable(begun_by, where="by")}
    path, key = checkpoint_file(settings.home), load_checkpoint_key(settings)
    if has_checkpoints(path):
        raise ConfigurationError("there are checkpoints, so none have to be begun", where=str(path))
    database = open_database(settings)
    try:
        with database.writing() as connection:
            append_live(connection, now, CHECKPOINTS_BEGUN, content)
        CheckpointBook(path, database, key, begins_anew=True).sign()
    finally:
        database.close()


def has_checkpoints(path: Path) -> bool:
    """Whether a file holds a checkpoint, whoever signed it; one that cannot be read may hold some."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return any(line is not None for line in _parsed(_whole_lines(content)))


def _holds_answers(database: Database) -> bool:
    with database.reading() as connection:
        return connection.execute(select(log.c.kind).where(log.c.kind.in_(ANSWERED_KINDS)).limit(1)).first() is not None


def _lost(path: Path) -> ConfigurationError:
    return ConfigurationError(
        "the log holds answers, but its signed checkpoints are gone",
        where=str(path),
        hint="restore the file from its copy and run: chekara audit verify; if it is lost: chekara audit begin --help",
    )


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
    content = _whole_lines(path.read_bytes()) if path.exists() else b""
    for number, line in enumerate(_parsed(content), start=1):
        if line is None:
            found.append(Checkpoint(number, "", 0, "", "", is_signed=False))
        else:
            is_signed = _is_signed(line, key)
            found.append(
                Checkpoint(line.number, line.chain, line.position, line.hash, line.signed_at, is_signed=is_signed)
            )
    return found


def _whole_lines(content: bytes) -> bytes:
    """Leave out what a power cut left of the last line."""
    return content[: content.rfind(b"\n") + 1]


def _parsed(content: bytes) -> list[_Line | None]:
    """Parse lines; None for one that is not a checkpoint."""
    return [_parse(line) for line in content.splitlines() if line.strip()]


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
