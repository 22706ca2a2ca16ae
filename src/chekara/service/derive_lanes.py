"""Derive the lane of a stored decision again from what is stored with it, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import msgspec

from chekara.domain.decision import Decision, DomainScore, ModelIdentity
from chekara.domain.selection import Selection
from chekara.errors import ConfigurationError
from chekara.policy.decide import LaneDecision, decide
from chekara.policy.policy import Policy
from chekara.service.chain import instant_from
from chekara.service.payload import FORMAT, Plain, parsed
from chekara.service.payload_grounds import grounds_from

PolicyByDigest: TypeAlias = Callable[[str], Policy | None]
"""From a policy's digest to the policy; None where its text is not here."""

Outcome = Literal["derived", "differs", "no_policy", "other_format"]


@dataclass(slots=True)
class DerivedLanes:
    """How many lanes were derived again.

    Attributes
    ----------
    derived : int
        Lane and selections of the decision follow from its scores, its grounds and its policy.
    differs : int
        They do not.
    no_policy : int
        The text of the policy is not here.
    other_format : int
        Stored as another version writes it: its grounds were not stored yet.
    """

    derived: int = 0
    differs: int = 0
    no_policy: int = 0
    other_format: int = 0

    def count(self, outcome: Outcome) -> bool:
        """Count one decision; returns whether nothing speaks against it."""
        setattr(self, outcome, getattr(self, outcome) + 1)
        return outcome != "differs"

    def sentences(self) -> Iterator[str]:
        """Yield what was found, for a person."""
        if of := self.derived + self.differs:
            yield f"{self.derived} of {of} lanes follow from the scores and grounds stored with them."
        if self.no_policy:
            yield f"{self.no_policy} lanes were decided by policies whose text is not here: not derived again."
        if self.other_format:
            yield f"{self.other_format} decisions are stored as another version writes them: not derived again."


def lane_differences(decision: Decision, policy: Policy) -> tuple[str, ...]:
    """Return what of ``lane`` and ``selections`` comes out otherwise; empty: the lane follows from what is stored.

    Parameters
    ----------
    decision : Decision
    policy : Policy
        The one that it names by digest.
    """
    try:
        again = decide(decision.domains, policy, decision.crossing_point, decision.scored_at, decision.grounds)
    except ConfigurationError:  # a domain that the policy says nothing of
        return ("lane",)
    return _differences(again, decision.lane, decision.selections)


def _differences(again: LaneDecision, lane: str, selections: tuple[Selection, ...]) -> tuple[str, ...]:
    found = () if again.lane == lane else ("lane",)
    return found if again.selections == selections else (*found, "selections")


@dataclass(slots=True)
class DeriveLanes:
    """Derives lanes from payloads of the log, one after the other.

    Parameters
    ----------
    policy : callable
        From a digest to the policy, or None; asked once per digest.
    """

    policy: PolicyByDigest
    _known: dict[str, Policy | None] = field(default_factory=dict)

    def of_payload(self, payload: bytes) -> Outcome:
        """Derive the lane of a decision's payload again; what is no payload of a decision differs."""
        try:
            return self._of(parsed(payload))
        except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError):
            return "differs"

    def _of(self, plain: Plain) -> Outcome:
        if plain["format"] != FORMAT:
            return "other_format"
        policy = self._policy(plain["policy_digest"])
        if policy is None:
            return "no_policy"
        try:
            again = decide(
                tuple(_score_from(one) for one in plain["domains"]),
                policy,
                plain["crossing_point"],
                instant_from(plain["scored_at"]),
                grounds_from(plain["grounds"]),
            )
        except ConfigurationError:
            return "differs"
        selections = [_fields(one) for one in again.selections]
        return "derived" if (again.lane, selections) == (plain["lane"], plain["selections"]) else "differs"

    def _policy(self, digest: str) -> Policy | None:
        if digest not in self._known:
            self._known[digest] = self.policy(digest)
        return self._known[digest]


def _fields(selection: Selection) -> dict[str, Any]:
    return {name: getattr(selection, name) for name in Selection.__slots__}


_NO_MODEL = ModelIdentity("", "", "")
_NOTHING: Mapping[str, float] = {}


def _score_from(plain: Plain) -> DomainScore:
    """Read the parts of a score that a lane depends on."""
    return DomainScore(
        domain=plain["domain"],
        agency=plain["agency"],
        probability=plain["probability"],
        interval=(0.0, 1.0),
        rank=plain["rank"],
        risk=plain["risk"],
        item_no=plain["item_no"],
        model=_NO_MODEL,
        base_value=0.0,
        margin=plain["margin"],
        contributions=_NOTHING,
        reasons=(),
    )
