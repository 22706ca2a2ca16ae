"""How a score becomes a risk in [0, 1]: its rank, or the expected harm of threat, vulnerability and impact (CIRAM).

Expected harm is likelihood times magnitude times vulnerability times impact, in the reporting currency. It is the same
scale for all domains, so that an agency that leads several of them sends its officers where the most harm is.

References
----------
European Border and Coast Guard Agency, *Common Integrated Risk Analysis Model*: risk as a function of threat,
vulnerability and impact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias, overload

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Texts: TypeAlias = npt.NDArray[np.object_]

COMBINERS: Final = ("rank", "expected_harm")
LEAST_VULNERABLE: Final = 0.05
"""Also the best post is worth a control: what nobody looks at gets through everywhere."""


@dataclass(frozen=True, slots=True)
class Post:
    """How well some posts are prepared for some domains.

    Attributes
    ----------
    crossing_points, domains : frozenset of str
        Where it holds; empty means all.
    equipment, staff, detection : float
        From 0, none, to 1, all that is needed; of detection: the estimated share of hits that a control finds.
    """

    crossing_points: frozenset[str]
    domains: frozenset[str]
    equipment: float
    staff: float
    detection: float

    @property
    def vulnerability(self) -> float:
        """What is missing on average, at least `LEAST_VULNERABLE`."""
        return max(LEAST_VULNERABLE, 1.0 - (self.equipment + self.staff + self.detection) / 3.0)


@dataclass(frozen=True, slots=True)
class DomainRisk:
    """What a hit in a domain means.

    Attributes
    ----------
    amount : float or None
        Harm of a hit, reporting currency; None takes what the model expects of it.
    impact : float
        Weight of what money does not say, above zero.
    """

    amount: float | None = None
    impact: float = 1.0


@dataclass(frozen=True, slots=True)
class RiskPlan:
    """How the combiner ``expected_harm`` works.

    Attributes
    ----------
    half_at : float
        Expected harm, reporting currency, that is a risk of one half.
    unknown_amount : float
        Harm of a hit where neither the policy nor the model knows it.
    domains : mapping of str to DomainRisk
        Those that say something of their own.
    posts : tuple of Post
        The first one that fits counts; where none does, the post is as vulnerable as can be.
    """

    half_at: float = 1.0
    unknown_amount: float = 1.0
    domains: Mapping[str, DomainRisk] = field(default_factory=dict)
    posts: tuple[Post, ...] = ()

    def vulnerability(self, domain: str, crossing_point: str) -> float:
        """Return how vulnerable a post is in a domain, in (0, 1]."""
        for own in self.posts:
            fits_point = not own.crossing_points or crossing_point in own.crossing_points
            if fits_point and (not own.domains or domain in own.domains):
                return own.vulnerability
        return 1.0

    @overload
    def parts(
        self, domain: str, crossing_point: str, probability: float, expected_amount: float | None
    ) -> dict[str, float]: ...
    @overload
    def parts(
        self, domain: str, crossing_point: Texts, probability: Floats, expected_amount: Floats
    ) -> dict[str, Floats]: ...
    def parts(
        self,
        domain: str,
        crossing_point: str | Texts,
        probability: float | Floats,
        expected_amount: float | Floats | None,
    ) -> dict[str, float] | dict[str, Floats]:
        """Return what a risk is made of, and the risk: of one crossing, or of many at once.

        Parameters
        ----------
        domain : str
        crossing_point : str or ndarray of shape (n,)
        probability : float or ndarray of shape (n,)
            Calibrated, in (0, 1).
        expected_amount : float, None or ndarray of shape (n,)
            What a hit would bring, reporting currency; None or NaN where nothing is known of it.

        Returns
        -------
        dict of str to float or ndarray of shape (n,)
            ``likelihood``, ``magnitude``, ``vulnerability``, ``impact``, ``expected_harm`` and ``risk``.

        Examples
        --------
        >>> plan = RiskPlan(half_at=1000.0, domains={"contraband": DomainRisk(amount=50_000.0)})
        >>> plan.parts("contraband", "AK-JOL", 0.02, None)["risk"]
        0.5
        """
        own = self.domains.get(domain, DomainRisk())
        if isinstance(crossing_point, str):
            vulnerability: float | Floats = self.vulnerability(domain, crossing_point)
        else:
            codes, place = np.unique(crossing_point.astype(str), return_inverse=True)
            vulnerability = np.array([self.vulnerability(domain, code) for code in codes])[place]
        magnitude = self._magnitude(own, expected_amount)
        expected_harm = probability * magnitude * vulnerability * own.impact
        parts = {
            "likelihood": probability,
            "magnitude": magnitude,
            "vulnerability": vulnerability,
            "impact": own.impact,
            "expected_harm": expected_harm,
            "risk": expected_harm / (expected_harm + self.half_at),
        }
        return parts  # type: ignore[return-value]  # all floats or, where arrays came in, arrays beside constants

    def _magnitude(self, own: DomainRisk, expected_amount: float | Floats | None) -> float | Floats:
        if own.amount is not None:
            return own.amount
        if expected_amount is None:
            return self.unknown_amount
        if isinstance(expected_amount, float):
            return expected_amount
        return np.where(np.isnan(expected_amount), self.unknown_amount, expected_amount)
