"""Entity ids at the door: canonical spelling, national tokens, display tokens."""

from __future__ import annotations

import pandas as pd

from chekara.data.schema import EntityType
from chekara.settings import Settings


def canonical_id(entity: EntityType, raw: str) -> str:
    """Return the one spelling of an id."""
    raise NotImplementedError


def load_entity_secret(settings: Settings) -> bytes:
    """Return the secret that makes entity tokens; made on first use in dev only."""
    raise NotImplementedError


class EntityTokens:
    """Tokens of entities under one secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def token(self, entity: EntityType, raw: str) -> str:
        """Return the internal national token of an entity id."""
        raise NotImplementedError

    def display(self, agency: str, token: str) -> str:
        """Return the short token under which an agency sees an entity."""
        raise NotImplementedError

    def tokenise(self, entity: EntityType, ids: pd.Series) -> pd.Series:
        """Return the tokens of a column of ids; missing stays missing."""
        raise NotImplementedError
