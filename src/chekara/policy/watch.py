"""Watch lists: entities that somebody has a reason to look for, as tokens, each entry with its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class WatchList:
    """One list, as it stands now.

    Attributes
    ----------
    name : str
    column : str
        Contract column of the entities: ``vehicle_id``, ``importer_id`` ...
    entries : mapping of str to datetime
        By token: when the entry ends; it holds up to, and not at, that instant.
    """

    name: str
    column: str
    entries: Mapping[str, datetime] = field(default_factory=dict)

    def holds(self, entity: object, at: datetime) -> bool:
        """Whether an entity, by its token, stands on the list at an instant."""
        ends_at = self.entries.get(entity) if isinstance(entity, str) else None
        return ends_at is not None and at < ends_at
