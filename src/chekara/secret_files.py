"""Secrets in files: put in place whole and once, readable by their owner alone.

Every secret of an installation (entity tokens, sessions, labels, checkpoints, bundles) comes through this one door,
so that none of them is ever half written, made twice by two processes, or left open to everyone on the machine.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from chekara.errors import ConfigurationError


def load_secret(path: Path, make: Callable[[], bytes], *, may_make: bool, hint: str) -> bytes:
    """Read a secret; where it is missing, make it if that is allowed.

    Of several processes or threads that make it at once, one wins and all read its bytes.

    Parameters
    ----------
    path : Path
        File of the secret; its folder is made with it.
    make : callable
        Returns the bytes of a new secret.
    may_make : bool
        Whether a missing secret is made. Usually in dev only: a secret that came up by itself after a lost volume
        would cut an installation off from its past without a sign.
    hint : str
        How to get the secret back, for whoever reads the error.

    Returns
    -------
    bytes
        As they stand in the file.

    Raises
    ------
    ConfigurationError
        It is missing and may not be made, is open to everyone on the machine, or cannot be read or written.
    """
    try:
        if not path.exists():
            if not may_make:
                raise ConfigurationError("a secret is missing", where=str(path), hint=hint)
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _write_once(path, make())
        if path.stat().st_mode & stat.S_IRWXO:
            raise ConfigurationError("a secret is open to everyone", where=str(path), hint="chmod 600")
        return path.read_bytes()
    except OSError as error:
        detail = f"a secret cannot be read or made: {error.strerror}"
        raise ConfigurationError(detail, where=str(path), hint=hint) from None


def load_private_key(path: Path, *, may_make: bool, hint: str) -> Ed25519PrivateKey:
    """Read an Ed25519 private key in PEM (RFC 8410), as `load_secret` reads any secret.

    Parameters
    ----------
    path : Path
    may_make : bool
        Whether a missing key is made.
    hint : str
        How to get the key back.

    Returns
    -------
    Ed25519PrivateKey

    Raises
    ------
    ConfigurationError
        As in `load_secret`, or the file holds no such key.
    """
    pem = load_secret(path, _new_private_key, may_make=may_make, hint=hint)
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError("not an Ed25519 private key in PEM", where=str(path), hint=hint)
    return key


def _new_private_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write_once(path: Path, secret: bytes) -> None:
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # readable by its owner alone
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(secret)
            stream.flush()
            os.fsync(stream.fileno())
        path.hardlink_to(draft)  # a link appears whole or not at all, and never replaces what is there
    except FileExistsError:
        pass  # another process was quicker; its secret stands
    finally:
        Path(draft).unlink()
