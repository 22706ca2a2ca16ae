"""Secrets in files: made on first use in dev only, readable by their owner alone."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from chekara.errors import ConfigurationError
from chekara.settings import Settings

LABEL_KEY_FILE = "labels.key"
LABEL_KEY_BYTES = 32
CHECKPOINT_KEY_FILE = "checkpoint_signing.pem"


def load_label_key(settings: Settings) -> bytes:
    """Load the key that encrypts labels: 32 random bytes in ``keys/labels.key``.

    Raises
    ------
    ConfigurationError
        It is missing outside dev, has another size, or is open to everyone on the machine.
    """
    path = settings.keys_path / LABEL_KEY_FILE
    how = f"restore it from its backup, or for a new installation: openssl rand -out {LABEL_KEY_FILE} 32"
    key = _load(path, settings, how, lambda: os.urandom(LABEL_KEY_BYTES))
    if len(key) != LABEL_KEY_BYTES:
        raise ConfigurationError("the key of the labels must be 32 bytes", where=str(path), hint=how)
    return key


def load_checkpoint_key(settings: Settings) -> Ed25519PrivateKey:
    """Load the key that signs checkpoints of the log: Ed25519 in ``keys/checkpoint_signing.pem``.

    Raises
    ------
    ConfigurationError
        It is missing outside dev, is no such key, or is open to everyone on the machine.
    """
    path = settings.keys_path / CHECKPOINT_KEY_FILE
    how = f"for a new installation: openssl genpkey -algorithm ed25519 -out {CHECKPOINT_KEY_FILE}"
    return _private_key(path, _load(path, settings, how, _new_private_key), how)


def load_checkpoint_public_key(settings: Settings) -> Ed25519PublicKey | None:
    """Load what verifies checkpoints; None where the installation has no such key yet."""
    path = settings.keys_path / CHECKPOINT_KEY_FILE
    if not path.exists():
        return None
    return _private_key(path, path.read_bytes(), "restore it from its backup").public_key()


def _private_key(path: Path, pem: bytes, how: str) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError("not an Ed25519 private key in PEM", where=str(path), hint=how)
    return key


def _new_private_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _load(path: Path, settings: Settings, how: str, make: Callable[[], bytes]) -> bytes:
    if not path.exists():
        if not settings.is_dev:
            raise ConfigurationError("a secret is missing", where=str(path), hint=how)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write_once(path, make())
    if path.stat().st_mode & stat.S_IRWXO:
        raise ConfigurationError("a secret is open to everyone", where=str(path), hint="chmod 600")
    return path.read_bytes()


def _write_once(path: Path, secret: bytes) -> None:
    """Put a secret in place whole, or leave the one that another process was quicker with."""
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # readable by its owner alone
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(secret)
        stream.flush()
        os.fsync(stream.fileno())
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        Path(draft).unlink()
