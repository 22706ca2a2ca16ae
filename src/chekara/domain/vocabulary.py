"""Code lists of the contract: the words that files, API and pages share."""

from __future__ import annotations

from enum import StrEnum


class Lane(StrEnum):
    """How a crossing is treated, from the most to the least strict."""

    RED = "red"  # physical inspection
    YELLOW = "yellow"  # documentary check
    BLUE = "blue"  # release and audit afterwards
    GREEN = "green"  # release

    strictness: int
    """3 for red down to 0 for green, so that ``max(lanes, key=...)`` is the strictest."""

    def __init__(self, code: str) -> None:
        # Set once: lanes are compared, and looked up by, many times a crossing.
        self.strictness = ("green", "blue", "yellow", "red").index(code)

    __hash__ = str.__hash__  # as it equals its code; Enum's own is Python and takes three times as long


class Role(StrEnum):
    """What a key or a signed-in person may be."""

    SYSTEM = "system"
    INSPECTOR = "inspector"
    ANALYST = "analyst"
    SUPERVISOR = "supervisor"
    DATA_SCIENTIST = "data_scientist"
    APPROVER = "approver"
    AUDITOR = "auditor"
    ADMIN = "admin"


class ReviewAction(StrEnum):
    """What an officer did with a recommendation."""

    FOLLOW = "follow"
    OVERRIDE = "override"
    REFER = "refer"
    DELAY = "delay"


# What an agency has to do with a control: it leads it, joins it with a domain of its own, or is told of it.
LEAD, JOINED, INFORMED = "lead", "joined", "informed"

COORDINATOR = "border_service"
AGENCIES = ("border_service", "customs", "internal_affairs", "labour_migration", "agriculture")

DIRECTIONS = ("entry", "exit")
MODES = ("road", "rail", "air", "water", "post")
STAGES = ("pre_arrival", "arrival", "declaration", "exit")
MOVEMENTS = ("import", "export", "transit", "reexport", "temporary", "none")
LOAD_STATUSES = ("loaded", "empty", "passengers", "unknown")
VEHICLE_TYPES = ("truck", "trailer", "van", "car", "bus", "wagon", "container", "aircraft", "vessel", "other")
SEAL_STATUSES = ("none", "intact", "broken", "replaced", "missing")
BORDER_REGIMES = ("external", "union")

SELECTED_BY = ("random", "model", "rule", "officer", "intelligence", "referral", "mandatory", "census")
# What may have demanded a lane while the service could not be reached; the first one is the lot.
ELSEWHERE_BASES = ("random", "rule", "officer", "intelligence", "mandatory")
INSPECTION_STATUSES = ("done", "not_done")
INSPECTION_METHODS = ("documents", "scan", "dog", "weigh", "partial", "full", "laboratory", "audit")
INSPECTION_RESULTS = ("clear", "suspected", "confirmed", "overturned")

LANGUAGES = ("en", "ru", "ky")
