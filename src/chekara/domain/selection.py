"""What speaks for a control beside a score: rules that were met, draws, what capacity is left, and earlier demands.

All of it is stored with the decision, so that its lane can be derived again from what is stored alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from chekara.domain.vocabulary import Lane

_NONE: Final[Mapping[str, Floor]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Floor:
    """A lane that a domain may not fall below, and what demanded it."""

    lane: Lane
    selected_by: str


@dataclass(frozen=True, slots=True)
class RuleHit:
    """A rule that a crossing met.

    Attributes
    ----------
    rule : str
        Its id.
    domain : str
    lane : Lane
        What it demands at least.
    agency : str
        Who owns the rule.
    selected_by : {'rule', 'intelligence', 'mandatory'}
        The channel that it stands for.
    item_no : int or None
        The goods line that met it; None for the whole crossing.
    texts : mapping of str to str
        Why, by language.
    """

    rule: str
    domain: str
    lane: Lane
    agency: str
    selected_by: str
    item_no: int | None
    texts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Draw:
    """One draw at random, kept whether or not it fell on the crossing.

    Attributes
    ----------
    arm : str
        What drew: ``lot``, or the name of a priority control area or of an exploration arm.
    domain : str
    propensity : float
        Probability with which this arm draws such a crossing, in [0, 1].
    is_drawn : bool
    lane : Lane
        What a draw demands.
    commitment : str
        ``sha256:...`` of the seed, as it was committed beforehand.
    """

    arm: str
    domain: str
    propensity: float
    is_drawn: bool
    lane: Lane
    commitment: str


@dataclass(frozen=True, slots=True)
class CapacityState:
    """What an agency had left for one lane, at one crossing point in one shift, when a crossing was decided.

    Attributes
    ----------
    agency : str
    lane : Lane
        Controls of this lane are counted.
    shift : str
        When the shift began, ISO 8601 in UTC.
    budget, used : int
        Controls of the whole shift, and those asked for before this crossing.
    expected : float
        Crossings still to come in the shift, this one among them, as far as could be known.
    threshold : float
        Lowest risk that is sent to the lane now; infinite where nothing is left.
    by_domain : mapping of str to float
        Lower ones of domains that have not had their least share of the budget yet.
    """

    agency: str
    lane: Lane
    shift: str
    budget: int
    used: int
    expected: float
    threshold: float
    by_domain: Mapping[str, float] = field(default_factory=dict)

    def threshold_for(self, domain: str) -> float:
        """Return the lowest risk that a domain sends to the lane now."""
        return self.by_domain.get(domain, self.threshold) if self.by_domain else self.threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """Everything beside scores and policy that a lane depends on.

    Attributes
    ----------
    rules : tuple of RuleHit
    draws : tuple of Draw
        Of every arm and domain, drawn or not.
    capacity : tuple of CapacityState
        At most one per agency and lane; it takes the place of the policy's threshold for that lane.
    floors : mapping of str to Floor
        By domain: what an earlier revision asked for, also in domains without a score now.
    without_models : tuple of str
        Agencies that have stopped the models: scores of domains that they lead ask for nothing.
    not_applicable : tuple of str
        Domains with nothing in such a crossing that could be controlled, as their models say: draws ask for nothing.
    """

    rules: tuple[RuleHit, ...] = ()
    draws: tuple[Draw, ...] = ()
    capacity: tuple[CapacityState, ...] = ()
    floors: Mapping[str, Floor] = field(default_factory=lambda: _NONE)
    without_models: tuple[str, ...] = ()
    not_applicable: tuple[str, ...] = ()

    @property
    def asking_draws(self) -> tuple[Draw, ...]:
        """Draws of domains that apply: only these ask for a control, and count as a sample."""
        return tuple(draw for draw in self.draws if draw.domain not in self.not_applicable)


NO_GROUNDS: Final = Grounds()


@dataclass(frozen=True, slots=True)
class Selection:
    """What a domain asks for, and what demanded it.

    Attributes
    ----------
    domain : str
    lane : Lane
        Never green.
    selected_by : str
        The channel. A crossing that was drawn at random is ``random`` whatever else wanted it: it was drawn first.
    propensity : float or None
        Probability that at least one arm draws such a crossing, in (0, 1]; given exactly where it was drawn.
    """

    domain: str
    lane: Lane
    selected_by: str
    propensity: float | None = None
