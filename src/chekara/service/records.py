"""What crosses the border of the use cases, as plain dataclasses. No database, no framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

from chekara.domain.actor import Actor, domains_seen
from chekara.domain.crossing import Crossing
from chekara.domain.decision import Action, DecidedElsewhere, Decision, ModelIdentity, Notice, leads_of
from chekara.domain.inspection import Inspection
from chekara.domain.vocabulary import COORDINATOR, Lane, Role
from chekara.features.joined import JoinedFeatures
from chekara.features.profile_live import ResultEvent
from chekara.service.lodged import LodgedBody

ClockMode = Literal["live", "replay"]
NO_NEIGHBOURHOODS: Mapping[str, str] = MappingProxyType({})


class Chain(StrEnum):
    """Which log an event goes to. What test keys do never mixes with the live log."""

    LIVE = "live"
    TEST = "test"

    @classmethod
    def of(cls, actor: Actor) -> Chain:
        """Return the chain that everything this actor does is written to."""
        return cls.TEST if actor.is_test else cls.LIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRequest:
    """One crossing to score, parsed and checked, with entity ids still as lodged.

    Attributes
    ----------
    crossing : Crossing
    actor : Actor
        From the key: its agency asks, and a test key goes to the test chain.
    received_at : datetime
        When the service had the body. It becomes the crossing's *as_of* on a live clock; on a replay clock
        the body's ``known_at`` does.
    labels : mapping of str to str
        What an officer reads (plate, declaration number): stored encrypted, never a feature.
    is_void : bool
        Withdraws the crossing: it never came.
    decided_elsewhere : DecidedElsewhere or None
        What was decided of it while the service could not be reached.
    answer_by : float or None
        ``time.monotonic()`` instant after which the answer is of no use; None waits as long as it takes.
    """

    crossing: Crossing
    actor: Actor
    received_at: datetime
    labels: Mapping[str, str] = field(default_factory=dict)
    is_void: bool = False
    decided_elsewhere: DecidedElsewhere | None = None
    answer_by: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRecord:
    """A stored decision with what surrounds it: what the API and the pages present.

    Attributes
    ----------
    decision : Decision
    chain : Chain
    crossing : Crossing
        As scored; entity ids are internal tokens.
    labels : mapping of str to str
        Decrypted.
    informed : mapping of str to tuple of str
        Agencies informed per domain when the decision was made; `leads` gives the lead agencies.
    superseded_by : str or None
        Decision of the newest higher revision.
    is_void : bool
        The crossing was withdrawn; ``decision.warnings`` then holds ``void``.
    referred : mapping of str to tuple of str
        By domain, agencies that it was referred to since.
    """

    decision: Decision
    chain: Chain
    crossing: Crossing
    labels: Mapping[str, str]
    informed: Mapping[str, tuple[str, ...]]
    superseded_by: str | None = None
    is_void: bool = False
    referred: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def actions(self) -> tuple[Action, ...]:
        """What agencies are asked to do."""
        return self.decision.actions

    @property
    def has_left(self) -> bool:
        """Whether it was decided elsewhere: nobody is asked to do anything."""
        return self.decision.decided_elsewhere is not None

    def leads(self) -> dict[str, str]:
        """Return the lead agency of every domain that scored the crossing or wants it."""
        return leads_of(self.decision.actions, {score.domain: score.agency for score in self.decision.domains})

    def domains_seen_by(self, actor: Actor) -> frozenset[str]:
        """Return the domains of this decision that the actor's agency sees."""
        return domains_seen(actor, self.leads(), self._told_of)

    def agencies_told(self) -> frozenset[str]:
        """Return every agency that may open this decision."""
        leads = self.leads()
        told = {agency for domain in leads for agency in self._told_of(domain)}
        return frozenset({self.decision.asked_by, COORDINATOR, *leads.values(), *told})

    def _told_of(self, domain: str) -> tuple[str, ...]:
        return (*self.informed.get(domain, ()), *self.referred.get(domain, ()))

    def is_visible_to(self, actor: Actor) -> bool:
        """Whether the actor may open this decision at all.

        It may where its agency sees one of the domains, asked for the score itself, or coordinates, or where the
        actor audits; a test key sees only the test chain, any other key only the live one.
        """
        if self.chain is not Chain.of(actor):
            return False
        if actor.role is Role.AUDITOR:
            return True
        return actor.agency in {self.decision.asked_by, COORDINATOR} or bool(self.domains_seen_by(actor))

    def may_be_changed_by(self, agency: str) -> bool:
        """Whether an agency may withdraw or revise the crossing: it asked, leads a domain of it, or coordinates."""
        return agency in {self.decision.asked_by, COORDINATOR, *self.leads().values()}

    def later(
        self, *, superseded_by: str | None, is_void: bool, referred: Mapping[str, tuple[str, ...]]
    ) -> DecisionRecord:
        """Return the same decision with what happened to its crossing since."""
        warnings = self.decision.warnings
        if is_void and not self.is_void:
            warnings = (*warnings, Notice("void"))
        decision = replace(self.decision, warnings=warnings)
        return replace(self, decision=decision, superseded_by=superseded_by, is_void=is_void, referred=referred)


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectionRequest:
    """One result to record, parsed and checked.

    Attributes
    ----------
    inspection : Inspection
        ``known_at`` as sent.
    actor : Actor
    received_at : datetime
        When the service had the body. The result is known at the later of the two; on a replay clock, as sent.
    answer_by : float or None
        As in `ScoreRequest`.
    """

    inspection: Inspection
    actor: Actor
    received_at: datetime
    answer_by: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectionRecord:
    """A stored result.

    Attributes
    ----------
    inspection : Inspection
        With what the service filled in.
    chain : Chain
    position : int
        Place in the log chain.
    recorded_by : str
        Agency of the key that sent it.
    received_at : datetime
        Newest instant of receipt when it was recorded.
    """

    inspection: Inspection
    chain: Chain
    position: int
    recorded_by: str
    received_at: datetime

    @property
    def as_of(self) -> datetime:
        """From when it counts: when it was known, but not before what was received already."""
        return max(self.inspection.known_at, self.received_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownInspection:
    """What the log already holds of one revision of an inspection.

    Attributes
    ----------
    inspection_id, crossing_id, domain : str
    revision : int
    content : str
        Fingerprint of the canonicalised body.
    """

    inspection_id: str
    revision: int
    crossing_id: str
    domain: str
    content: str


Order = Literal["newest", "strictest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionFilter:
    """Which decisions to list.

    Attributes
    ----------
    lane : Lane or None
        With ``domain``: the lane that the domain itself asks for; alone: the lane of the crossing.
    domain : str or None
        Decisions scored in this domain.
    crossing_point, crossing_id : str or None
    since : datetime or None
        Scored at or after.
    is_newest_revision_only : bool
        Leave out superseded revisions and withdrawn crossings.
    is_unreviewed_only : bool
        Leave out what the actor's agency has reviewed, and what was decided elsewhere: it has left.
    order : {'newest', 'strictest'}
        By log position downwards; or the strictest lane first, in a lane the longest waiting first.
    limit : int
        Rows per page, 1 to 200.
    """

    lane: Lane | None = None
    domain: str | None = None
    crossing_point: str | None = None
    crossing_id: str | None = None
    since: datetime | None = None
    is_newest_revision_only: bool = False
    is_unreviewed_only: bool = False
    order: Order = "newest"
    limit: int = 50


@dataclass(frozen=True, slots=True)
class DecisionPage:
    """One page of decisions.

    Attributes
    ----------
    records : tuple of DecisionRecord
    next_cursor : str or None
        Opaque; give it back to read on. None at the end.
    """

    records: tuple[DecisionRecord, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """One promotion record: which bundle serves a domain from now on.

    Attributes
    ----------
    promotion_id, domain : str
    model : ModelIdentity
    trained_by, approved_by : str
        Persons. They differ, except where ``is_shortcut``.
    assessment_id : str or None
        Impact assessment that the approval rests on.
    is_shortcut : bool
        Promoted in dev without a second person or assessment.
    promoted_at : datetime
    reason : str or None
        Why, where it was told; a rollback always tells.
    takes_back : str or None
        Of a rollback: the promotion that it takes back.
    """

    promotion_id: str
    domain: str
    model: ModelIdentity
    trained_by: str
    approved_by: str
    assessment_id: str | None
    is_shortcut: bool
    promoted_at: datetime
    reason: str | None = None
    takes_back: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """That somebody wants a bundle to serve a domain.

    Attributes
    ----------
    proposal_id, domain : str
    model : ModelIdentity
    trained_by, proposed_by : str
        Persons; they may be one.
    assessment_id : str
        Impact assessment that it rests on.
    proposed_at : datetime
    reason : str or None
        In the proposer's words.
    """

    proposal_id: str
    domain: str
    model: ModelIdentity
    trained_by: str
    proposed_by: str
    assessment_id: str
    proposed_at: datetime
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRevision:
    """What the log already holds of one revision of a crossing.

    Attributes
    ----------
    decision_id : str
    revision : int
    content : str
        Fingerprint of the canonicalised body.
    is_void : bool
        A withdrawal: ``decision_id`` is the decision it withdrew.
    """

    decision_id: str
    revision: int
    content: str
    is_void: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """How a decision came about, stored beside it so that it replays.

    Attributes
    ----------
    as_of : datetime
        Only what was known before it may have influenced the score.
    features : JoinedFeatures
        Of all models that scored it, and what was read of profiles; one row per goods line in the crossing's order.
    counts_in_rank : bool
        Whether its margins entered the rank windows: live, and the first revision scored.
    profile_position : int or None
        Position in the live log up to which events were folded when profiles were read; None before profiles were.
    lodged : LodgedBody or None
        What was lodged, where it is written as bytes already; of no meaning to a replay.
    """

    as_of: datetime
    features: JoinedFeatures
    counts_in_rank: bool
    profile_position: int | None = None
    lodged: LodgedBody | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileHead:
    """Where the fold of live events stands.

    Attributes
    ----------
    layout : str
        Layout of the stored states (`chekara.features.profile_live.LiveProfiles.layout_digest`).
    known_to : datetime or None
        Newest instant of receipt; None where nothing was folded yet.
    position : int
        Position in the live log of the newest event that was folded.
    pending : bytes
        Events that are folded, but seen by none yet.
    waiting : tuple of ResultEvent
        Results that are recorded, but not known yet: sent with a later instant than that of their receipt.
    neighbourhoods : mapping of str to str
        Neighbour and border regime by crossing point, of the loaded histories.
    histories : tuple of str
        Loaded histories that are folded.
    is_whole : bool
        Everything until ``position`` is in. False while the profiles are being made.
    """

    layout: str
    known_to: datetime | None = None
    position: int = 0
    pending: bytes = b""
    waiting: tuple[ResultEvent, ...] = ()
    neighbourhoods: Mapping[str, str] = field(default_factory=lambda: NO_NEIGHBOURHOODS)
    histories: tuple[str, ...] = ()
    is_whole: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleAbout:
    """What a verified bundle says of itself.

    Attributes
    ----------
    domain : str
    model : ModelIdentity
    trained_by : str
        The person or system that trained it.
    found_wanting : tuple of str or None
        What was found in its history and stands against promotion outside dev: codes of findings, and refused
        tables. None where the bundle does not say.
    results_of : tuple of str
        Domains whose inspection results its profiles use.
    """

    domain: str
    model: ModelIdentity
    trained_by: str
    found_wanting: tuple[str, ...] | None
    results_of: tuple[str, ...] = ()
