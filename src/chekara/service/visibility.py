"""What of a decision its reader's agency may see: the same rules for the API and the pages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol, TypeAlias

from chekara.domain.actor import Actor, Permission, may
from chekara.domain.decision import Action, DomainScore, Notice
from chekara.domain.review import Review
from chekara.domain.selection import RuleHit
from chekara.domain.vocabulary import Lane, ReviewAction, Role
from chekara.messages.catalogue import FALLBACK_LANGUAGE
from chekara.service.records import DecisionRecord

_JUDGEMENTS: Final = frozenset({ReviewAction.FOLLOW, ReviewAction.OVERRIDE})
_OFFICERS: Final = frozenset({Role.INSPECTOR, Role.ANALYST, Role.SUPERVISOR})


def tells_selection_after_review(actor: Actor) -> bool:
    """Whether the actor is an officer, who learns what selected a crossing once its agency has reviewed it."""
    return actor.role in _OFFICERS


def may_know_selection(actor: Actor, reviews: Iterable[Review]) -> bool:
    """Whether the reader is told what selected a crossing: officers once their agency has judged it.

    Who delays a crossing or hands it on has not judged it, and could still judge it by what they are told.
    """
    if may(actor, Permission.READ_SELECTION):
        return True
    judged = (review for review in reviews if review.action in _JUDGEMENTS)
    return tells_selection_after_review(actor) and any(review.agency == actor.agency for review in judged)


def judges_blind(record: DecisionRecord, actor: Actor, reviews: Iterable[Review], *, blind_first: bool) -> bool:
    """Whether the reader is told facts alone, no number of a model: a low score beside a red lane gives a draw away.

    Parameters
    ----------
    record : DecisionRecord
    actor : Actor
        The reader.
    reviews : iterable of Review
        Of the decision.
    blind_first : bool
        What the policy says: officers read numbers of a crossing that waits for a control once they have reviewed it.
    """
    waits = record.decision.lane is not Lane.GREEN and record.decision.decided_elsewhere is None
    return blind_first and waits and actor.role in _OFFICERS and not may_know_selection(actor, reviews)


def may_know_basis(record: DecisionRecord, actor: Actor, reviews: Iterable[Review]) -> bool:
    """Whether the reader is told on what basis a crossing was decided elsewhere: so is the system that told it.

    Parameters
    ----------
    record : DecisionRecord
    actor : Actor
        The reader.
    reviews : iterable of Review
        Of the decision.
    """
    is_teller = actor.role is Role.SYSTEM and actor.agency == record.decision.asked_by
    return is_teller or may_know_selection(actor, reviews)


class AsksForControls(Protocol):
    """What asks agencies to do something: a stored decision, or its head in an event."""

    @property
    def actions(self) -> tuple[Action, ...]:
        """What agencies are asked to do."""
        ...

    @property
    def has_left(self) -> bool:
        """Whether it was decided elsewhere."""
        ...

    def domains_seen_by(self, actor: Actor) -> frozenset[str]:
        """Return the domains that the actor's agency sees."""
        ...


# Whoever asks for all of a decision asks once which domains the reader sees.
Seen: TypeAlias = frozenset[str] | None


def own_actions(record: AsksForControls, actor: Actor, seen: Seen = None) -> tuple[Action, ...]:
    """Return the actions of domains that the reader sees, and its agency's own ones; own first, then strictest.

    None where the crossing was decided elsewhere: it has left, and nobody is asked to do anything.

    Parameters
    ----------
    record : AsksForControls
    actor : Actor
        The reader.
    seen : frozenset of str, optional
        Domains that the reader sees, where they are known already.
    """
    if record.has_left or not record.actions:
        return ()
    seen = record.domains_seen_by(actor) if seen is None else seen
    own = [action for action in record.actions if action.domain in seen or action.agency == actor.agency]
    return tuple(sorted(own, key=lambda action: (action.agency != actor.agency, -action.lane.strictness)))


def own_scores(record: DecisionRecord, actor: Actor, seen: Seen = None) -> tuple[DomainScore, ...]:
    """Return the scores of domains that the reader sees, highest risk first.

    Parameters
    ----------
    record : DecisionRecord
    actor : Actor
        The reader.
    seen : frozenset of str, optional
        Domains that the reader sees, where they are known already.
    """
    seen = record.domains_seen_by(actor) if seen is None else seen
    own = [score for score in record.decision.domains if score.domain in seen]
    return tuple(sorted(own, key=lambda score: (-score.risk, score.domain)))


def own_rules(record: DecisionRecord, actor: Actor, seen: Seen = None) -> tuple[RuleHit, ...]:
    """Return the rules met in domains that the reader sees, strictest first.

    Parameters
    ----------
    record : DecisionRecord
    actor : Actor
        The reader.
    seen : frozenset of str, optional
        Domains that the reader sees, where they are known already.
    """
    if not record.decision.grounds.rules:
        return ()
    seen = record.domains_seen_by(actor) if seen is None else seen
    own = [hit for hit in record.decision.grounds.rules if hit.domain in seen]
    return tuple(sorted(own, key=lambda hit: -hit.lane.strictness))


def rule_text(hit: RuleHit, language: str) -> str:
    """Say why a rule is one, in English where the language is missing."""
    return hit.texts.get(language) or hit.texts[FALLBACK_LANGUAGE]  # a rule has English, at least


def own_warnings(record: DecisionRecord, actor: Actor, seen: Seen = None) -> tuple[Notice, ...]:
    """Return the warnings that are not about a hidden domain; what a hidden one wants is told without its name.

    Parameters
    ----------
    record : DecisionRecord
    actor : Actor
        The reader.
    seen : frozenset of str, optional
        Domains that the reader sees, where they are known already.
    """
    seen = record.domains_seen_by(actor) if seen is None else seen
    hidden = {score.domain for score in record.decision.domains} - seen
    own = tuple(notice for notice in record.decision.warnings if notice.domain not in hidden)
    return (*own, Notice("another_agency")) if is_wanted_by_another(record, actor, seen) else own


def is_wanted_by_another(record: AsksForControls, actor: Actor, seen: Seen = None) -> bool:
    """Whether a domain that the reader may not see asks for a control; not of a crossing that has left.

    Parameters
    ----------
    record : AsksForControls
    actor : Actor
        The reader.
    seen : frozenset of str, optional
        Domains that the reader sees, where they are known already.
    """
    if record.has_left or not record.actions:
        return False
    seen = record.domains_seen_by(actor) if seen is None else seen
    return any(action.lane is not Lane.GREEN and action.domain not in seen for action in record.actions)
