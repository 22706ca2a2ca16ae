"""Secrets of the log, made on first use in dev only: the key of its labels and the one that signs its checkpoints."""

from __future__ import annotations

import os

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from chekara.errors import ConfigurationError
from chekara.secret_files import load_private_key, load_secret
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
    key = load_secret(path, lambda: os.urandom(LABEL_KEY_BYTES), may_make=settings.is_dev, hint=how)
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
    how = f"for a new installation: openssl genpkey -algorithm ed25519 -out {CHECKPOINT_KEY_FILE}"
    return load_private_key(settings.keys_path / CHECKPOINT_KEY_FILE, may_make=settings.is_dev, hint=how)


def load_checkpoint_public_key(settings: Settings) -> Ed25519PublicKey | None:
    """Load what verifies checkpoints; None where the installation has no such key yet.

    Raises
    ------
    ConfigurationError
        The file holds no such key, or is open to everyone on the machine.
    """
    path = settings.keys_path / CHECKPOINT_KEY_FILE
    if not path.exists():
        return None
    return load_private_key(path, may_make=False, hint="restore it from its backup").public_key()
