"""Keys of bundles: who signs, and whose signature is trusted."""

from __future__ import annotations

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from chekara.errors import ConfigurationError
from chekara.secret_files import load_private_key
from chekara.settings import Settings

PRIVATE_NAME = "bundle_signing.pem"
PUBLIC_NAME = "bundle_signing.pub.pem"
TRUSTED_FOLDER = "trusted"


def load_signing_key(settings: Settings) -> Ed25519PrivateKey:
    """Load the key that signs bundles, made on first use.

    It lies in ``keys/bundle_signing.pem`` under the home, readable by its owner alone, its public half beside it.
    In dev the public half is trusted at once; in production somebody with a right to it copies it to the scorer's
    ``keys/trusted/``: training does not decide what serves.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    Ed25519PrivateKey

    Raises
    ------
    ConfigurationError
        The file holds no Ed25519 key, is open to everyone on the machine, or cannot be written.
    """
    path = settings.keys_path / PRIVATE_NAME
    key = load_private_key(path, may_make=True, hint="restore it from a backup")
    public = public_pem(key.public_key())
    (settings.keys_path / PUBLIC_NAME).write_bytes(public)
    if settings.is_dev:
        trusted = settings.keys_path / TRUSTED_FOLDER / PUBLIC_NAME
        trusted.parent.mkdir(parents=True, exist_ok=True)
        trusted.write_bytes(public)
    return key


def load_trusted_keys(settings: Settings) -> tuple[Ed25519PublicKey, ...]:
    """Load the public keys that may have signed a bundle: every ``keys/trusted/*.pem``, by name.

    Returns
    -------
    tuple of Ed25519PublicKey
        Empty where nobody is trusted yet: then every bundle is refused, with a hint.

    Raises
    ------
    ConfigurationError
        A file there holds no Ed25519 public key.
    """
    return tuple(_load_public(path) for path in sorted((settings.keys_path / TRUSTED_FOLDER).glob("*.pem")))


def public_pem(key: Ed25519PublicKey) -> bytes:
    """Write a public key as PEM."""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def public_key_hex(key: Ed25519PublicKey) -> str:
    """Write a public key as 64 hexadecimal digits."""
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw).hex()


def public_key_from_hex(digits: str) -> Ed25519PublicKey:
    """Read what `public_key_hex` wrote."""
    return Ed25519PublicKey.from_public_bytes(bytes.fromhex(digits))


def _load_public(path: Path) -> Ed25519PublicKey:
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigurationError("not an Ed25519 public key", where=f"keys/{TRUSTED_FOLDER}/{path.name}")
    return key
