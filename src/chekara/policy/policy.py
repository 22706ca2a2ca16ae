"""What a policy says, as frozen dataclasses: thresholds, lanes, controls, agencies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import overload

from chekara.domain.vocabulary import AGENCIES, COORDINATOR, Lane
from chekara.errors import ConfigurationError
from chekara.policy.plans import CapacityPlan, JointPlan, LotPlan
from chekara.policy.risk import Floats, RiskPlan, Texts
from chekara.policy.rules import RuleText


@dataclass(frozen=True, slots=True)
class Agencies:
    """Who leads a domain at a place, and who is informed."""

    lead: str
    informed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Control:
    """What a lane means in a domain.

    Attributes
    ----------
    control, instruction : str
        Message keys: what is done, and what to look at.
    due_after : timedelta
        Time that the agency has, from the scoring on.
    """

    control: str
    instruction: str
    due_after: timedelta


@dataclass(frozen=True, slots=True)
class AgencyException:
    """Other agencies at some places; the first one that fits counts.

    Attributes
    ----------
    border_regime : str or None
        ``external`` or ``union``; None fits both.
    crossing_points : frozenset of str
        Codes; empty fits all.
    agencies : Agencies
    """

    border_regime: str | None
    crossing_points: frozenset[str]
    agencies: Agencies

    def fits(self, crossing_point: str, border_regime: str) -> bool:
        """Whether the exception holds at a crossing point of a border regime."""
        return self.border_regime in (None, border_regime) and (
            not self.crossing_points or crossing_point in self.crossing_points
        )


@dataclass(frozen=True, slots=True)
class DomainPolicy:
    """How one risk domain is handled.

    Attributes
    ----------
    domain : str
    agencies : Agencies
        Where no exception fits.
    exceptions : tuple of AgencyException
    thresholds : mapping of Lane to float
        Lowest risk, in [0, 1], at which the lane is asked for; stricter lanes higher. Green has none.
    controls : mapping of Lane to Control
        One per lane with a threshold.
    """

    domain: str
    agencies: Agencies
    exceptions: tuple[AgencyException, ...]
    thresholds: Mapping[Lane, float]
    controls: Mapping[Lane, Control]

    @property
    def places(self) -> tuple[Agencies, ...]:
        """Who leads and is informed, where no exception fits and under each exception."""
        return (self.agencies, *(exception.agencies for exception in self.exceptions))

    def is_always_seen_by(self, agency: str) -> bool:
        """Whether an agency leads the domain or is informed of it at every crossing point; who coordinates sees all."""
        return agency == COORDINATOR or all(agency in (own.lead, *own.informed) for own in self.places)

    def lane(self, risk: float, instead: Mapping[Lane, float] | None = None) -> Lane:
        """Return the strictest lane whose threshold the risk reaches; green where it reaches none.

        Parameters
        ----------
        risk : float
            In [0, 1].
        instead : mapping of Lane to float, optional
            Thresholds that take the place of the policy's own, for lanes whose controls are counted. A lane that the
            domain does not ask for stays so.
        """
        reached = Lane.GREEN
        for lane, threshold in self.thresholds.items():
            lowest = threshold if instead is None else instead.get(lane, threshold)
            if risk >= lowest and lane.strictness > reached.strictness:
                reached = lane
        return reached

    def control(self, lane: Lane) -> Control:
        """Return what a lane means here; a lane without a control of its own means what the next stricter one does."""
        if lane in self.controls:
            return self.controls[lane]
        fitting = [own for own in self.controls if own.strictness >= lane.strictness]
        nearest = min(fitting, key=lambda own: own.strictness) if fitting else max(self.controls, key=_strictness)
        return self.controls[nearest]


def _strictness(lane: Lane) -> int:
    return lane.strictness


@dataclass(frozen=True, slots=True)
class Policy:
    """A whole policy file.

    Attributes
    ----------
    name, digest : str
        The digest is over its content, not its layout or comments.
    combiner : str
        How ``risk`` is made of a score: ``rank`` takes the rank as it is, ``expected_harm`` follows ``risk_plan``.
    currency : str
        Reporting currency of the history's amounts, ISO 4217: what pages call them.
    default_regime : str
        Border regime of a crossing point that is not listed.
    regimes : mapping of str to str
        Border regime by crossing point.
    more_agencies : tuple of str
        Agencies that a country adds.
    domains : mapping of str to DomainPolicy
    risk_plan : RiskPlan
    capacity : CapacityPlan
        Shifts, and how many controls agencies can do.
    lot : LotPlan
    joint : JointPlan
    rules : RuleText
        Rules, priority control areas and the risks that they stand on.
    """

    name: str
    digest: str
    combiner: str
    currency: str
    default_regime: str
    regimes: Mapping[str, str]
    more_agencies: tuple[str, ...]
    domains: Mapping[str, DomainPolicy]
    risk_plan: RiskPlan
    capacity: CapacityPlan
    lot: LotPlan
    joint: JointPlan
    rules: RuleText

    @property
    def known_agencies(self) -> frozenset[str]:
        """Every agency that the vocabulary or this policy names."""
        return frozenset(AGENCIES) | frozenset(self.more_agencies)

    def domain(self, name: str) -> DomainPolicy:
        """Return how a domain is handled.

        Raises
        ------
        ConfigurationError
            The policy says nothing of the domain.
        """
        if name not in self.domains:
            raise ConfigurationError(
                "the policy says nothing of this domain", where=name, hint="add it under [domains] of the policy file"
            )
        return self.domains[name]

    def agencies(self, domain: str, crossing_point: str) -> Agencies:
        """Who leads a domain at a crossing point, and who is informed.

        Raises
        ------
        ConfigurationError
            The policy says nothing of the domain.
        """
        own = self.domain(domain)
        regime = self.regimes.get(crossing_point, self.default_regime)
        for exception in own.exceptions:
            if exception.fits(crossing_point, regime):
                return exception.agencies
        return own.agencies

    def seen_by_every_lead(self, domain: str) -> frozenset[str]:
        """Domains whose inspection results may be used to score a domain: those that all who may lead it see.

        Raises
        ------
        ConfigurationError
            The policy says nothing of the domain.

        Examples
        --------
        >>> from chekara.policy import load_policy
        >>> sorted(load_policy().seen_by_every_lead("revenue_fraud"))
        ['contraband', 'revenue_fraud', 'sps_violation']
        """
        leads = {own.lead for own in self.domain(domain).places}
        return frozenset(
            name for name, other in self.domains.items() if all(other.is_always_seen_by(lead) for lead in leads)
        )

    @overload
    def risk(
        self, domain: str, crossing_point: str, *, rank: float, probability: float, expected_amount: float | None
    ) -> tuple[float, Mapping[str, float]]: ...
    @overload
    def risk(
        self, domain: str, crossing_point: Texts, *, rank: Floats, probability: Floats, expected_amount: Floats
    ) -> tuple[Floats, Mapping[str, Floats]]: ...
    def risk(
        self,
        domain: str,
        crossing_point: str | Texts,
        *,
        rank: float | Floats,
        probability: float | Floats,
        expected_amount: float | Floats | None,
    ) -> tuple[float | Floats, Mapping[str, float] | Mapping[str, Floats]]:
        """Combine a domain's score to a risk in [0, 1], of one crossing or of many at once.

        Parameters
        ----------
        domain : str
        crossing_point : str or ndarray of shape (n,)
        rank : float or ndarray of shape (n,)
            Share of recent crossings with a lower margin, in [0, 1].
        probability : float or ndarray of shape (n,)
            Calibrated, in (0, 1).
        expected_amount : float, None or ndarray of shape (n,)
            What a hit would bring; None or NaN where nothing is known of it.

        Returns
        -------
        risk : float or ndarray of shape (n,)
            It never falls where rank and probability rise.
        parts : mapping of str to float or ndarray
            What it was combined of; empty for the combiner ``rank``, which takes the rank as it is.
        """
        if self.combiner == "rank":
            return rank, {}
        parts = self.risk_plan.parts(domain, crossing_point, probability, expected_amount)  # type: ignore[arg-type]
        return parts.pop("risk"), parts
