"""Access keys of systems and people: 256 random bits, kept as sha256, shown once."""

from __future__ import annotations

from chekara.domain.actor import Actor
from chekara.settings import Settings


class Accounts:
    """Keys and who holds them."""

    def add(
        self, *, agency: str, role: str, holder: str = "", scopes: tuple[str, ...] = (), is_test: bool = False
    ) -> str:
        """Make a key and return it; it cannot be read again."""
        raise NotImplementedError

    def revoke(self, key_id: str) -> None:
        """Make a key useless from now on."""
        raise NotImplementedError

    def actor_for_key(self, key: str) -> Actor:
        """Return who holds a key. UnauthenticatedError where nobody does, or it was revoked."""
        raise NotImplementedError


def add_key(
    settings: Settings, *, agency: str, role: str, holder: str = "", scopes: tuple[str, ...] = (), is_test: bool = False
) -> str:
    """Make a key in an installation, which is set up first if it is new."""
    raise NotImplementedError
