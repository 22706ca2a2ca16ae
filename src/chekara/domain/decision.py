"""The stored record of one scored crossing. Always a recommendation.

Texts are not stored: a reason keeps its evidence as numbers, and the message catalogue turns it into a sentence
in the reader's language (``chekara.explain.reasons``), so every reader sees the same facts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from chekara.domain.selection import NO_GROUNDS, Grounds, Selection
from chekara.domain.vocabulary import INFORMED, Lane


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which model answered: its name, registry version and content digest (``sha256:...``)."""

    name: str
    version: str
    digest: str


@dataclass(frozen=True, slots=True)
class Reason:
    """One factor for or against.

    Attributes
    ----------
    feature : str
        Name in the feature catalogue.
    value : float, str or None
        What was declared or computed; None where it was not given.
    expected : float, str or None
        What is usual (median of comparable history, or the commonest value); None where unknown.
    contribution : float
        Log-odds added to the margin (positive: towards a hit).
    evidence : mapping of str to float
        Numbers behind the sentence: ``inspected``, ``hits``, ``share`` ... (see ``chekara.explain.evidence``).
    """

    feature: str
    value: float | str | None
    expected: float | str | None
    contribution: float
    evidence: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DomainScore:
    """What one domain's model says of a crossing: its highest item's score.

    Attributes
    ----------
    domain, agency : str
        Risk domain and its lead agency here.
    probability : float
        Calibrated share of such crossings that have a hit, in (0, 1).
    interval : tuple of float
        90 % bounds of the hit rate at this margin; contains ``probability``.
    rank : float
        Share of recent crossings with a lower margin, ties half, in [0, 1].
    risk : float
        The policy's combination, in [0, 1].
    item_no : int
        The item that carries the score.
    model : ModelIdentity
    base_value, margin : float
        Log-odds; ``base_value + sum(contributions) == margin`` to 1e-6.
    contributions : mapping of str to float
        Log-odds per feature.
    reasons : tuple of Reason
        The strongest factors, largest absolute contribution first.
    expected_amount : float or None
        Revenue recovered and value seized that a hit in this item brings on average, reporting currency; None where
        nothing is known of amounts. It says nothing of how likely a hit is.
    risk_parts : mapping of str to float
        What ``risk`` was combined of, by name; empty where it is the rank.
    """

    domain: str
    agency: str
    probability: float
    interval: tuple[float, float]
    rank: float
    risk: float
    item_no: int
    model: ModelIdentity
    base_value: float
    margin: float
    contributions: Mapping[str, float]
    reasons: tuple[Reason, ...]
    expected_amount: float | None = None
    risk_parts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Action:
    """What one agency is asked to do. ``control`` and ``instruction`` are message keys.

    ``role`` is ``lead`` for the one agency and domain that lead the joint control of the crossing, ``joined`` for the
    lead agencies of the other domains that ask for one, and ``informed``.
    """

    agency: str
    role: str
    domain: str
    lane: Lane
    control: str
    instruction: str
    item_no: int | None
    due_at: datetime

    @property
    def leads_domain(self) -> bool:
        """Whether the agency leads this action's domain, whoever leads the joint control."""
        return self.role != INFORMED


def leads_of(actions: Iterable[Action], scored: Mapping[str, str]) -> dict[str, str]:
    """Return the lead agency of every domain that scored a crossing or wants it.

    Parameters
    ----------
    actions : iterable of Action
    scored : mapping of str to str
        Lead agency by domain with a score.
    """
    return {action.domain: action.agency for action in actions if action.leads_domain} | dict(scored)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the reader should know: a stable code and the field it is about."""

    code: str
    field: str | None = None
    domain: str | None = None


@dataclass(frozen=True, slots=True)
class DecidedElsewhere:
    """What was decided of a crossing while Chekara could not be reached, as the border system tells it afterwards.

    Attributes
    ----------
    lane : Lane
        The lane that was applied.
    at : datetime
        When; with offset, not after the receipt of the crossing.
    by : str
        Code of the system, post or officer (a pseudonym) that decided; never a person's name.
    basis : str
        What demanded the lane: one of `chekara.domain.vocabulary.ELSEWHERE_BASES`.
    propensity : float or None
        Probability with which the lot draws such a crossing, in (0, 1]; given exactly where ``basis`` is ``random``.
    """

    lane: Lane
    at: datetime
    by: str
    basis: str
    propensity: float | None = None

    @property
    def selected_by(self) -> str | None:
        """What sent the crossing to a control; None where it was released."""
        return None if self.lane is Lane.GREEN else self.basis


@dataclass(frozen=True, slots=True)
class Decision:
    """The stored record of one scored crossing revision.

    Attributes
    ----------
    decision_id : str
        Global identity.
    position : int
        Place in the log chain.
    crossing_id, revision, crossing_point : as lodged
    scored_at : datetime
        UTC.
    asked_by : str
        Agency of the key that asked.
    lane : Lane
        Strictest over all domains: what the models recommend, also where it was decided elsewhere.
    selected_by : str or None
        What demanded the lane; None for green. Where it was decided elsewhere: what demanded the lane applied there.
    domains : tuple of DomainScore
    actions : tuple of Action
    warnings : tuple of Notice
    policy_digest : str
    clock : {'live', 'replay'}
    decided_elsewhere : DecidedElsewhere or None
        The truck has left: ``actions`` tell what would have been asked for, and nobody is asked to do it.
    selections : tuple of Selection
        What each domain that asks for a lane asks for, and what demanded it; the first one sets the crossing's lane.
    grounds : Grounds
        Everything beside scores and policy that the lane was derived from.
    control_id : str or None
        Of the one joint control that the actions are parts of; None where nothing is asked for.
    """

    decision_id: str
    position: int
    crossing_id: str
    revision: int
    crossing_point: str
    scored_at: datetime
    asked_by: str
    lane: Lane
    selected_by: str | None
    domains: tuple[DomainScore, ...]
    actions: tuple[Action, ...]
    warnings: tuple[Notice, ...]
    policy_digest: str
    clock: str = "live"
    decided_elsewhere: DecidedElsewhere | None = None
    selections: tuple[Selection, ...] = ()
    grounds: Grounds = NO_GROUNDS
    control_id: str | None = None
