"""A model as a signed folder of text: written, verified, and only then read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from chekara.modelling.model import Model
from chekara.settings import Settings


def load_signing_key(settings: Settings) -> Ed25519PrivateKey:
    """Load the key that signs bundles (``keys/bundle_signing.pem``), made on first use."""
    raise NotImplementedError


def load_trusted_keys(settings: Settings) -> tuple[Ed25519PublicKey, ...]:
    """Load the public keys that may have signed a bundle (``keys/trusted/*.pem``)."""
    raise NotImplementedError


def write_bundle(
    model: Model, folder: Path, signing_key: Ed25519PrivateKey, about: Mapping[str, Any], card: str = ""
) -> str:
    """Write a bundle and return its digest, ``sha256:...``."""
    raise NotImplementedError


def read_bundle(folder: Path, trusted_keys: Sequence[Ed25519PublicKey]) -> Model:
    """Verify a bundle (signature, every file, columns) and only then parse it."""
    raise NotImplementedError


def verify_in_child(folder: Path, trusted_keys: Sequence[Ed25519PublicKey]) -> None:
    """Load a bundle in a child process and check its golden vectors there."""
    raise NotImplementedError
