"""What a policy plans beside thresholds: shifts and budgets, the lot, and how agencies act together."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from chekara.domain.vocabulary import Lane


@dataclass(frozen=True, slots=True)
class Scope:
    """Where and when a part of a plan holds; an empty part fits all.

    Attributes
    ----------
    crossing_points : frozenset of str
        Codes.
    shifts : frozenset of datetime.time
        Local starts of the shifts.
    domains : frozenset of str
    """

    crossing_points: frozenset[str] = frozenset()
    shifts: frozenset[time] = frozenset()
    domains: frozenset[str] = frozenset()

    def fits(self, *, crossing_point: str, shift: time, domain: str | None = None) -> bool:
        """Whether it holds at a crossing point in a shift, and for a domain where one is asked for."""
        return (
            (not self.crossing_points or crossing_point in self.crossing_points)
            and (not self.shifts or shift in self.shifts)
            and (domain is None or not self.domains or domain in self.domains)
        )


@dataclass(frozen=True, slots=True)
class Shifts:
    """When the shifts of a day begin.

    Attributes
    ----------
    time_zone : str
        IANA name.
    starts : tuple of datetime.time
        Local, in order, at least one. A shift lasts until the next one begins.
    """

    time_zone: str = "UTC"
    starts: tuple[time, ...] = (time(0, 0),)

    @property
    def zone(self) -> ZoneInfo:
        """The time zone; ``ZoneInfo`` keeps one object per name."""
        return ZoneInfo(self.time_zone)

    def shift_at(self, at: datetime) -> time:
        """Return the local start of the shift that an instant falls into.

        Examples
        --------
        >>> from datetime import UTC
        >>> shifts = Shifts("Asia/Bishkek", (time(8), time(20)))  # six hours ahead of UTC
        >>> [shifts.shift_at(datetime(2026, 12, 1, hour, tzinfo=UTC)).hour for hour in (1, 2, 14)]
        [20, 8, 20]
        """
        local = at.astimezone(self.zone).time()
        return max((start for start in self.starts if start <= local), default=self.starts[-1])


@dataclass(frozen=True, slots=True)
class Budget:
    """Controls of a lane that an agency can do in one shift at each crossing point in the scope.

    Attributes
    ----------
    agency : str
    lane : Lane
    inspections : int
        Of one crossing point in one shift, over all domains that the agency leads there.
    scope : Scope
    """

    agency: str
    lane: Lane
    inspections: int
    scope: Scope


LEAST_SHARE: Final = 0.05
"""So that no domain of an agency goes without where there are twenty places or more."""
MOST_LEAST_SHARE: Final = 0.2


@dataclass(frozen=True, slots=True)
class CapacityPlan:
    """How many controls there are officers for; without budgets, thresholds hold as the policy gives them.

    Attributes
    ----------
    shifts : Shifts
    budgets : tuple of Budget
        The first one that fits counts.
    least_share : float
        Share of a budget that each of several domains has at least, rounded down to whole places; in [0, 0.2].
    """

    shifts: Shifts = Shifts()
    budgets: tuple[Budget, ...] = ()
    least_share: float = LEAST_SHARE

    def least_places(self, budget: int) -> int:
        """Return how many places of a budget each of several domains has at least.

        Examples
        --------
        >>> [CapacityPlan(least_share=0.1).least_places(budget) for budget in (9, 10, 30)]
        [0, 1, 3]
        """
        return math.floor(self.least_share * budget + 1e-9)

    def budget(self, agency: str, lane: Lane, crossing_point: str, shift: time) -> int | None:
        """Return the controls of a lane that an agency can do at a crossing point in one shift; None: not counted.

        Parameters
        ----------
        agency : str
        lane : Lane
        crossing_point : str
        shift : datetime.time
            Local start of the shift.
        """
        for own in self.budgets:
            if own.agency == agency and own.lane is lane and own.scope.fits(crossing_point=crossing_point, shift=shift):
                return own.inspections
        return None


@dataclass(frozen=True, slots=True)
class LotException:
    """Another propensity at some places, in some shifts or domains."""

    scope: Scope
    propensity: float


@dataclass(frozen=True, slots=True)
class LotPlan:
    """How often the lot draws.

    Attributes
    ----------
    propensity : float
        Where no exception fits, in [0, 1]; 0 is no lot.
    domains : frozenset of str
        Domains that the lot draws for; each is drawn for by itself.
    lane : Lane
        What a draw demands.
    floor : float
        No exception goes below it, and less than this share of crossings controlled by the lot is an alarm.
    alarm_share : float
        Fewer than this share of the draws done is an alarm, in [0, 1].
    blind_first : bool
        Officers read no number of a model on a crossing that waits for a control until their agency has reviewed it.
    exceptions : tuple of LotException
        The first one that fits counts.
    """

    propensity: float = 0.0
    domains: frozenset[str] = frozenset()
    lane: Lane = Lane.RED
    floor: float = 0.0
    alarm_share: float = 0.0
    blind_first: bool = False
    exceptions: tuple[LotException, ...] = ()

    def propensity_at(self, domain: str, crossing_point: str, shift: time) -> float:
        """Return the probability with which the lot draws such a crossing, in [0, 1]; 0 for domains left out.

        Parameters
        ----------
        domain, crossing_point : str
        shift : datetime.time
            Local start of the shift.
        """
        if domain not in self.domains:
            return 0.0
        for own in self.exceptions:
            if own.scope.fits(crossing_point=crossing_point, shift=shift, domain=domain):
                return own.propensity
        return self.propensity


LEAD_ORDER = ("concealed_persons", "contraband", "vehicle_crime", "sps_violation", "revenue_fraud")
"""Persons, weapons and narcotics, vehicle, sps, revenue."""


@dataclass(frozen=True, slots=True)
class JointPlan:
    """How agencies act together on one crossing.

    Attributes
    ----------
    lead_order : tuple of str
        Domains of the policy, each once: the lead of the first one that asks for a control leads the joint control.
    referral_minutes : int
        Time to accept a referral.
    report_back_minutes : int
        Time to report back on an accepted one.
    """

    lead_order: tuple[str, ...] = LEAD_ORDER
    referral_minutes: int = 60
    report_back_minutes: int = 1440


def lead_order_of(domains: Iterable[str]) -> tuple[str, ...]:
    """Return the usual lead order of a policy's domains; those of its own come last, by name."""
    own = set(domains)
    return (*(domain for domain in LEAD_ORDER if domain in own), *sorted(own.difference(LEAD_ORDER)))
