"""What an agency is told of a decision when it is news: read from the payload without decoding the rest of it.

Nearly all of a payload is features, contributions and reasons. A page of a thousand events tells none of them, so they
are passed over as they are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import msgspec

from chekara.domain.actor import Actor, domains_seen
from chekara.domain.decision import Action, leads_of
from chekara.domain.vocabulary import Lane
from chekara.service.payload import refuse_other_format

NOBODY: Final[Mapping[str, tuple[str, ...]]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionHead:
    """What a decision is about and what it asks for, without its scores.

    Attributes
    ----------
    decision_id, crossing_id : str
    revision : int
    crossing_point : str
    scored_at : datetime
        UTC.
    lane : Lane
        Strictest over all domains.
    actions : tuple of Action
    control_id : str or None
        Of the joint control.
    has_left : bool
        The crossing was decided elsewhere: nobody is asked to do anything.
    leads : mapping of str to str
        Lead agency of every domain that scored the crossing or wants it.
    told : mapping of str to tuple of str
        By domain, other agencies that may see it: those informed, and those that it was referred to since.
    """

    decision_id: str
    crossing_id: str
    revision: int
    crossing_point: str
    scored_at: datetime
    lane: Lane
    actions: tuple[Action, ...]
    control_id: str | None
    has_left: bool
    leads: Mapping[str, str]
    told: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: NOBODY)

    def domains_seen_by(self, actor: Actor) -> frozenset[str]:
        """Return the domains of this decision that the actor's agency sees."""
        return domains_seen(actor, self.leads, lambda domain: self.told.get(domain, ()))


class _Crossing(msgspec.Struct):
    crossing_id: str
    revision: int


class _Score(msgspec.Struct):
    domain: str
    agency: str


class _Payload(msgspec.Struct):
    """The fields of a payload that are decoded. The others are only skipped, which takes a tenth of the time."""

    format: int
    decision_id: str
    crossing: _Crossing
    crossing_point: str
    scored_at: datetime
    lane: Lane
    control_id: str | None
    actions: tuple[Action, ...]
    domains: tuple[_Score, ...]
    informed: dict[str, tuple[str, ...]]
    decided_elsewhere: Any = None


_PAYLOAD: Final = msgspec.json.Decoder(_Payload)


def head_from(body: bytes, referred: Mapping[str, tuple[str, ...]] = NOBODY) -> DecisionHead:
    """Read the head of a decision from its payload.

    Parameters
    ----------
    body : bytes
        As `chekara.service.payload.plain_decision` and the log wrote it.
    referred : mapping of str to tuple of str
        By domain, agencies that the decision was referred to since.

    Raises
    ------
    AuditError
        It is of a format that this version does not read.
    """
    found = _PAYLOAD.decode(body)
    refuse_other_format(found.format)
    scored = {score.domain: score.agency for score in found.domains}
    informed = found.informed
    return DecisionHead(
        decision_id=found.decision_id,
        crossing_id=found.crossing.crossing_id,
        revision=found.crossing.revision,
        crossing_point=found.crossing_point,
        scored_at=found.scored_at,
        lane=found.lane,
        actions=found.actions,
        control_id=found.control_id,
        has_left=found.decided_elsewhere is not None,
        leads=leads_of(found.actions, scored),
        told={domain: (*informed.get(domain, ()), *referred.get(domain, ())) for domain in {*informed, *referred}},
    )
