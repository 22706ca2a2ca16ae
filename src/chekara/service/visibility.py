"""What of a decision its reader's agency may see: the same rules for the API and the pages."""

from __future__ import annotations

from chekara.domain.actor import Actor
from chekara.domain.decision import Action, DomainScore, Notice
from chekara.domain.vocabulary import Lane
from chekara.service.records import DecisionRecord


def own_actions(record: DecisionRecord, actor: Actor) -> tuple[Action, ...]:
    """Return the actions of domains that the reader sees, and its agency's own ones; own first, then strictest."""
    seen = record.domains_seen_by(actor)
    own = [action for action in record.decision.actions if action.domain in seen or action.agency == actor.agency]
    return tuple(sorted(own, key=lambda action: (action.agency != actor.agency, -action.lane.strictness)))


def own_scores(record: DecisionRecord, actor: Actor) -> tuple[DomainScore, ...]:
    """Return the scores of domains that the reader sees, highest risk first."""
    seen = record.domains_seen_by(actor)
    own = [score for score in record.decision.domains if score.domain in seen]
    return tuple(sorted(own, key=lambda score: (-score.risk, score.domain)))


def own_warnings(record: DecisionRecord, actor: Actor) -> tuple[Notice, ...]:
    """Return the warnings that are not about a hidden domain; what a hidden one wants is told without its name."""
    seen = record.domains_seen_by(actor)
    hidden = {score.domain for score in record.decision.domains} - seen
    own = tuple(notice for notice in record.decision.warnings if notice.domain not in hidden)
    wanted_elsewhere = any(a.lane is not Lane.GREEN and a.domain not in seen for a in record.decision.actions)
    return (*own, Notice("another_agency")) if wanted_elsewhere else own
