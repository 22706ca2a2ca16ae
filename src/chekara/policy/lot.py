r"""The lot: who is drawn follows from the crossing's id and a seed committed beforehand, and from nothing else.

A draw is ``HMAC-SHA256(seed, "chekara-lot-1\n<arm>\n<domain>\n<crossing_id>")``: its first 8 bytes, as a big-endian
whole number over 2**64, are below the propensity or not. Each arm and each domain draws by itself. Nobody can steer
it: the SHA-256 of the seed stands in the log before the first crossing that it draws from, and once the seed is
published anybody can repeat every draw (``docs/lot.md``).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, time
from functools import lru_cache
from typing import Final

from chekara.data.begun_hmac import BegunHmac
from chekara.domain.selection import Draw
from chekara.domain.vocabulary import Lane
from chekara.errors import ConfigurationError
from chekara.policy.plans import LotPlan, Shifts

LOT_ARM: Final = "lot"
FALLBACK_ARM: Final = "fallback"
"""What a border system draws by itself while the service is away: for all domains at once, named ``*``."""
ALL_DOMAINS: Final = "*"
SEED_BYTES: Final = 32

_PURPOSE: Final = "chekara-lot-1"
_PERIOD = re.compile(r"\d{4}-(0[1-9]|1[0-2])", re.ASCII)


@dataclass(frozen=True, slots=True)
class LotSeed:
    """The seed of one period, and what was published of it beforehand.

    Attributes
    ----------
    period : str
        A month in UTC, ``2026-12``.
    seed : bytes
        32 random bytes.
    commitment : str
        ``sha256:`` and its SHA-256 in hex.
    """

    period: str
    seed: bytes
    commitment: str


def is_drawn(seed: bytes, *, arm: str, domain: str, crossing_id: str, propensity: float) -> bool:
    """Whether a draw falls on a crossing.

    Parameters
    ----------
    seed : bytes
    arm, domain, crossing_id : str
        No line feed in the first two; the id as the API takes it, without outer white space.
    propensity : float
        In [0, 1]; 0 never draws, 1 always.

    Examples
    --------
    >>> is_drawn(bytes(32), arm="lot", domain="contraband", crossing_id="KG-2026-000200", propensity=0.0)
    False
    >>> sum(is_drawn(bytes(32), arm="lot", domain="d", crossing_id=str(i), propensity=0.1) for i in range(1000))
    104
    """
    digest = _begun(seed, arm, domain).digest(crossing_id.encode())
    return int.from_bytes(digest[:8], "big") < propensity * 2.0**64


@lru_cache(maxsize=256)
def _begun(seed: bytes, arm: str, domain: str) -> BegunHmac:
    return BegunHmac(seed, f"{_PURPOSE}\n{arm}\n{domain}\n".encode())


def draw_lots(
    seed: LotSeed, plan: LotPlan, shifts: Shifts, *, crossing_id: str, crossing_point: str, known_at: datetime
) -> tuple[Draw, ...]:
    """Draw for every domain of the plan, by itself.

    Parameters
    ----------
    seed : LotSeed
    plan : LotPlan
    shifts : Shifts
        Which shift an instant falls into.
    crossing_id, crossing_point : str
    known_at : datetime
        When the crossing was first known: it says which shift's propensity holds.

    Returns
    -------
    tuple of Draw
        By name of the domain; none for a propensity of 0.
    """
    shift = shifts.shift_at(known_at)
    return tuple(
        [
            draw_arm(seed, arm=LOT_ARM, domain=domain, crossing_id=crossing_id, propensity=propensity, lane=plan.lane)
            for domain, propensity in _shares(plan, crossing_point, shift)
        ]
    )


@lru_cache(maxsize=1024)
def _shares(plan: LotPlan, crossing_point: str, shift: time) -> tuple[tuple[str, float], ...]:
    """Return the domains that a plan draws for at a crossing point in a shift, by name, and how often."""
    shares = ((domain, plan.propensity_at(domain, crossing_point, shift)) for domain in sorted(plan.domains))
    return tuple((domain, propensity) for domain, propensity in shares if propensity > 0)


def draw_arm(seed: LotSeed, *, arm: str, domain: str, crossing_id: str, propensity: float, lane: Lane) -> Draw:
    """Draw for one crossing and domain under a named arm: the lot, a priority control area, another exploration.

    Parameters
    ----------
    seed : LotSeed
    arm, domain, crossing_id : str
        As in `is_drawn`.
    propensity : float
        However the arm came to it, it is stored with the draw; in [0, 1].
    lane : Lane
        What a draw demands.
    """
    drawn = is_drawn(seed.seed, arm=arm, domain=domain, crossing_id=crossing_id, propensity=propensity)
    return _told(arm, domain, propensity, drawn, lane, seed.commitment)


# A draw does not name its crossing, so there are two of each arm, domain and propensity.
_told = lru_cache(maxsize=1024, typed=True)(Draw)


def commitment_of(seed: bytes) -> str:
    """Return what is published of a seed before it draws: ``sha256:`` and its SHA-256 in hex.

    Examples
    --------
    >>> commitment_of(bytes(32))[:20]
    'sha256:66687aadf862b'
    """
    return f"sha256:{hashlib.sha256(seed).hexdigest()}"


def period_of(at: datetime) -> str:
    """Return the period of an instant: its month in UTC.

    Examples
    --------
    >>> period_of(datetime(2026, 12, 1, 3, tzinfo=UTC))
    '2026-12'
    """
    at = at.astimezone(UTC)
    return f"{at.year:04}-{at.month:02}"


def next_period(period: str) -> str:
    """Return the month after.

    Examples
    --------
    >>> next_period("2026-12")
    '2027-01'
    """
    year, month = map(int, period.split("-"))
    return f"{year + month // 12:04}-{month % 12 + 1:02}"


def period_begins(period: str) -> datetime:
    """Return the first instant of a period, in UTC."""
    return datetime.strptime(period, "%Y-%m").replace(tzinfo=UTC)


def checked_period(text: str, *, where: str) -> str:
    """Return a period as it was given.

    Raises
    ------
    ConfigurationError
        It is no month.
    """
    if _PERIOD.fullmatch(text) is None or text < "0001-01":
        raise ConfigurationError("not a month", where=where, hint="for example 2026-12")
    return text


def has_lot(plan: LotPlan) -> bool:
    """Whether a plan draws anything anywhere."""
    return bool(plan.domains) and any((plan.propensity, *(own.propensity for own in plan.exceptions)))
