"""Rules, priority control areas and the risk register: what people know, written down with owner and expiry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

from chekara.domain.vocabulary import Lane
from chekara.policy.conditions import Criteria


@dataclass(frozen=True, slots=True)
class RegisteredRisk:
    """An entry of the risk register: why rules exist.

    Attributes
    ----------
    risk : str
        Its id.
    title, threat : str
        What may happen, in a line and in a few.
    domain, owner : str
        Risk domain, and the agency that keeps the entry.
    review_at : date
    """

    risk: str
    title: str
    threat: str
    domain: str
    owner: str
    review_at: date


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: what a crossing must be like, and what it is then asked for.

    Attributes
    ----------
    rule : str
        Its id.
    risk : str
        Entry of the risk register that it stands on.
    domain, owner : str
        Risk domain, and the agency that answers for it.
    lane : Lane
        What it demands at least.
    selected_by : {'rule', 'intelligence', 'mandatory'}
        The channel; a rule on a watch list is ``intelligence``.
    texts : mapping of str to str
        Why, by language; English is always there.
    instructions : mapping of str to str
        What to look at, by language; may be empty.
    criteria : Criteria or None
        None only where a watch list stands alone.
    watch_list : str or None
        Name of a list on which an entity of the crossing must be.
    valid_from, expires_at : datetime
        It holds from the first instant up to, and not at, the second.
    review_at : date
    most_without_result : int or None
        Controls in a row without a hit after which it is suspended; None never.
    """

    rule: str
    risk: str
    domain: str
    owner: str
    lane: Lane
    selected_by: str
    texts: Mapping[str, str]
    instructions: Mapping[str, str]
    criteria: Criteria | None
    watch_list: str | None
    valid_from: datetime
    expires_at: datetime
    review_at: date
    most_without_result: int | None = None

    def holds_at(self, at: datetime) -> bool:
        """Whether it holds at an instant."""
        return self.valid_from <= at < self.expires_at

    @property
    def told(self) -> Mapping[str, str]:
        """Why, and what to look at, by language."""
        own = self.instructions
        return {
            language: f"{text} {own[language]}" if language in own else text for language, text in self.texts.items()
        }


@dataclass(frozen=True, slots=True)
class ControlArea:
    """A priority control area: for a time, more of a scope is drawn at random.

    Attributes
    ----------
    area : str
        Its name; the arm of its draws.
    title : str
    domain, owner : str
        Risk domain, and the agency that answers for it.
    risk : str
        Entry of the risk register that it stands on.
    scope : Criteria
    rate : float
        Probability of a draw beside the lot, in (0, 1].
    lane : Lane
        What a draw demands.
    begins_at, ends_at : datetime
        It holds from the first instant up to, and not at, the second.
    interim_review_at : datetime
        Between them.
    """

    area: str
    title: str
    domain: str
    owner: str
    risk: str
    scope: Criteria
    rate: float
    lane: Lane
    begins_at: datetime
    ends_at: datetime
    interim_review_at: datetime

    def holds_at(self, at: datetime) -> bool:
        """Whether it holds at an instant."""
        return self.begins_at <= at < self.ends_at


@dataclass(frozen=True, slots=True)
class RuleText:
    """Everything of a policy that is written as rules.

    Attributes
    ----------
    risks : mapping of str to RegisteredRisk
        By id.
    rules : tuple of Rule
        In the order of their files.
    areas : tuple of ControlArea
    """

    risks: Mapping[str, RegisteredRisk] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    areas: tuple[ControlArea, ...] = ()

    def held_throughout(self, ended_by: datetime | None = None) -> RuleText:
        """Return the same rules without their dates, to be tried on a history: it lies before most of them begin.

        Parameters
        ----------
        ended_by : datetime with offset, optional
            Rules that have ended by then are left out; default: none is.
        """
        kept = [rule for rule in self.rules if ended_by is None or rule.expires_at > ended_by]
        ever = [bound.replace(tzinfo=UTC) for bound in (datetime.min, datetime.max)]
        return replace(self, rules=tuple(replace(rule, valid_from=ever[0], expires_at=ever[1]) for rule in kept))

    @property
    def names(self) -> frozenset[str]:
        """Everything that criteria and scopes read."""
        criteria = [rule.criteria for rule in self.rules] + [area.scope for area in self.areas]
        return frozenset().union(*(own.names for own in criteria if own is not None))
