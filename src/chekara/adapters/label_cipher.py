"""Labels that officers read (plates, declaration numbers), unreadable to whoever holds the database alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from collections.abc import Mapping

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from chekara.errors import AuditError
from chekara.service.chain import canonical_json

_NONCE_BYTES = 12


class AesLabelCipher:
    """AES-256-GCM under a key that lies outside the database.

    Parameters
    ----------
    key : bytes
        32 bytes; encryption and fingerprints use two keys derived from it (HKDF, RFC 5869).

    Examples
    --------
    >>> cipher = AesLabelCipher(bytes(32))
    >>> cipher.open(cipher.seal({"plate": "01 KG 123 ABC"}, "d1"), "d1")
    {'plate': '01 KG 123 ABC'}
    """

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(_derived(key, b"chekara labels"))
        self._fingerprint_key = _derived(key, b"chekara fingerprints")

    def seal(self, labels: Mapping[str, str], bound_to: str) -> str:
        """Encrypt labels; they open only together with ``bound_to``, so they cannot be moved to another decision."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, canonical_json(dict(labels)), bound_to.encode())
        return base64.b64encode(nonce + sealed).decode()

    def open(self, sealed: str, bound_to: str) -> dict[str, str]:
        """Decrypt labels.

        Raises
        ------
        AuditError
            They were sealed under another key, for another decision, or were changed.
        """
        raw = base64.b64decode(sealed)
        try:
            plain = self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], bound_to.encode())
        except InvalidTag:
            raise AuditError("the labels of a decision cannot be opened", where=bound_to) from None
        return msgspec.json.decode(plain, type=dict[str, str])

    def fingerprint(self, content: bytes) -> str:
        """Return an HMAC-SHA256 in hex: keyed, because a plain digest could be reversed by guessing plates."""
        return hmac.new(self._fingerprint_key, content, hashlib.sha256).hexdigest()


def _derived(key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(key)
