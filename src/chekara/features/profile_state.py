"""What is kept of one key, and how time passes: the layout that batch, streaming and live folds share.

Sums decay *forwards*: an event at ``t`` days is added with weight ``2 ** (t / half_life)``, and a sum is read at ``s``
by multiplying with ``2 ** (-s / half_life)``. So nothing is ever rescaled, the order of events does not matter, what
was added is taken back by subtracting the same number, and two halves of a history merge by adding (ADR 4).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import njit

from chekara.features.profile_kinds import KINDS

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Records: TypeAlias = npt.NDArray[np.void]
"""Records of one of the layouts below."""

HALF_LIVES_DAYS = (30.0, 365.0)
"""The recent and the long half-life."""
RATE_STRENGTH = 5.0
"""Inspections that a parent's hit rate weighs as."""
PRICE_STRENGTH = 5.0
"""Lines that the usual price of the wider group of goods weighs as."""
LEVEL_STRENGTH = 2.0
"""Lines at the usual price that an entity's own price level is shrunk with."""
MINIMUM_LINES = 5.0
"""Decayed lines that a group of goods needs to answer: fewer are noise, and tell one trader another's price."""

# Columns of a state's sums. The volumes, prices and masses decay; the instants are the first and last sightings of
# two different crossings, so that a crossing that is read again is not its own history. A crossing that saw nobody
# has mark 0.
VOLUME_RECENT, VOLUME_LONG, PRICES, PRICE_SUM, PRICE_SQUARES, MASSES, MASS_SUM = range(7)
LAST_AT, LAST_BY, OTHER_LAST_AT, OTHER_LAST_BY, FIRST_AT, FIRST_BY, OTHER_FIRST_AT, OTHER_FIRST_BY = range(7, 15)
WAS_INSPECTED = 15
SUMS = 16

# Columns of a state's controls, once per domain.
INSPECTIONS_RECENT, HITS_RECENT, INSPECTIONS_LONG, HITS_LONG, AMOUNT = range(5)
CONTROLS = 5

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a function of the fold; the result is kept on disk, and other threads run meanwhile."""
    return cast("Function", njit(cache=True, nogil=True, error_model="numpy")(function))


def inlined(function: Function) -> Function:
    """Compile a part of a hot loop into whoever calls it."""
    return cast("Function", njit(cache=True, nogil=True, error_model="numpy", forceinline=True)(function))


_EPOCH = np.datetime64("2020-01-01T00:00:00", "us")
_DAY_US = 86_400_000_000
# Beyond it a weight at the shortest half-life would leave float64.
_FURTHEST_DAYS = 25_000.0


def days_of(instants: npt.NDArray[np.datetime64]) -> Floats:
    """Return days since 2020-01-01 UTC, at most 25,000 away from it; same shape."""
    days = (instants.astype("datetime64[us]") - _EPOCH).astype(np.int64) / _DAY_US
    return np.clip(days, -_FURTHEST_DAYS, _FURTHEST_DAYS)


_BEGIN = datetime(2020, 1, 1, tzinfo=UTC)


def day_of(instant: datetime) -> float:
    """Return what `days_of` says of one instant, bit for bit.

    Examples
    --------
    >>> day_of(datetime(2020, 1, 2, 12, tzinfo=UTC))
    1.5
    """
    passed = instant - _BEGIN
    days = (passed.days * _DAY_US + passed.seconds * 1_000_000 + passed.microseconds) / _DAY_US
    return min(max(days, -_FURTHEST_DAYS), _FURTHEST_DAYS)


@dataclass(frozen=True, slots=True)
class ProfileLayout:
    """What states and records look like; one that differs in anything cannot be read.

    Attributes
    ----------
    domains : tuple of str
        Domains whose results are kept, in order.
    """

    domains: tuple[str, ...]

    @classmethod
    def of(cls, domains: Sequence[str]) -> ProfileLayout:
        """Take the domains as they come; each once."""
        return cls(tuple(dict.fromkeys(domains)))

    @property
    def controls(self) -> int:
        """Columns of a state's controls."""
        return CONTROLS * len(self.domains)

    @property
    def digest(self) -> str:
        """Name of the layout, ``sha256:...``."""
        kinds = [(k.name, k.fields, k.level, k.home) for k in KINDS]
        content = json.dumps([2, self.domains, kinds, HALF_LIVES_DAYS, str(_EPOCH)], separators=(",", ":"))
        return f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"


# What an operation of the tape does.
READ, LINES, RESULT_SHARES = range(3)

# What a fold goes over. Batch and live lay out the same records; only how many there are differs.
LINE = np.dtype([("item_no", "i8"), ("log_price", "f8"), ("centred", "f8"), ("log_mass", "f8")])
"""A goods line. ``centred``: log price over what was usual when it was read, filled by the fold; ``log_mass``: of
weighed over declared mass of its crossing. NaN where not given."""
REVISION = np.dtype(
    [("crossing", "i8"), ("mark", "i8"), ("number", "i8"), ("at", "f8"), ("start", "i8"), ("stop", "i8")]
)
"""A revision of a crossing: which crossing (for linking, and as marked in states), its lines."""
RESULT = np.dtype(
    [
        ("inspection", "i8"),
        ("crossing", "i8"),
        ("number", "i8"),
        ("at", "f8"),
        ("domain", "i8"),
        ("counts", "i8"),
        ("hit", "f8"),
        ("amount", "f8"),
        ("item_no", "i8"),
    ]
)
"""A revision of an inspection. ``counts``: 1 where it was done and its domain is kept; ``item_no``: -1
means all lines."""
EVENT = np.dtype([("at", "f8"), ("is_result", "i8"), ("index", "i8"), ("reads", "i8"), ("applies", "i8")])
"""An event in fold order: which revision or result, whether it is read for its columns and whether it counts."""
OPERATION = np.dtype(
    [
        ("code", "i8"),
        ("revision", "i8"),
        ("result", "i8"),
        ("sign", "f8"),
        ("at", "f8"),
        ("recent", "f8"),
        ("long", "f8"),
        ("own_start", "i8"),
        ("own_stop", "i8"),
    ]
)
"""One step of the tape that linking makes of events: read lines, add or take back lines or a result."""
KIND = np.dtype(
    [
        ("parent", "i8"),
        ("is_crossing_level", "i8"),
        ("is_goods", "i8"),
        ("is_narrowest", "i8"),
        ("needs_rates", "i8"),
        ("tells_prices", "i8"),
        ("tells_masses", "i8"),
        ("first_request", "i8"),
        ("last_request", "i8"),
    ]
)
"""A kind for the compiled fold; ``parent`` -1 where it has none."""
REQUEST = np.dtype([("measure", "i8"), ("domain", "i8"), ("column", "i8")])
"""One column that is wanted of a kind."""
