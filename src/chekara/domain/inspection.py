"""What one control of a crossing found, or did not find, in one risk domain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from chekara.domain.crossing import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """One revision of the result of one inspection.

    Attributes
    ----------
    inspection_id : str
        Global identity.
    revision : int
        0 for the first result; a higher one replaces it (laboratory, court and audit change results later).
    crossing_id, domain : str
    inspected_at, known_at : datetime
        When it happened, and when the authority had this result. Both carry an offset.
    found : bool
        Whether there was a hit.
    selected_by : str or None
        What sent it there; None where the caller left it to the service.
    propensity : float or None
        Probability of having been drawn, in (0, 1], for ``random``.
    details : mapping
        Every other column of the contract that was given, by its name. Absent means not given.
    """

    inspection_id: str
    revision: int
    crossing_id: str
    domain: str
    inspected_at: datetime
    known_at: datetime
    found: bool
    selected_by: str | None = None
    propensity: float | None = None
    details: Mapping[str, Value] = field(default_factory=dict)

    @property
    def is_done(self) -> bool:
        """Whether the control was made; one that was drawn and not made says nothing of the crossing."""
        return self.details.get("status", "done") == "done"

    @property
    def is_hit(self) -> bool:
        """Whether something was found that stands: what was overturned later is no hit, whatever was found."""
        return self.found and self.details.get("result") != "overturned"

    @property
    def item_no(self) -> int | None:
        """The goods line meant; None means the whole crossing."""
        number = self.details.get("item_no")
        return number if isinstance(number, int) else None
