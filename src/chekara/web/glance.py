"""The case at a glance: which risk asked for the lane of the reader's agency, how likely it is, and the main reason.

It follows from actions, rules and scores alone, never from what selected the crossing: a draw looks like any other
selection before it is reviewed (`chekara.service.visibility`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chekara import messages
from chekara.domain.actor import Actor, Permission, may
from chekara.domain.decision import Action, Reason
from chekara.domain.selection import RuleHit
from chekara.domain.vocabulary import Lane
from chekara.service.records import DecisionRecord
from chekara.service.visibility import own_actions, own_rules, own_scores, rule_text
from chekara.web.pages import DomainPanel
from chekara.web.words import named


@dataclass(frozen=True, slots=True)
class Asked:
    """What asks for the lane that the reader's agency acts on.

    Attributes
    ----------
    domain : str or None
        The risk; of several that ask for the same lane one whose rule asks before others, then the highest risk.
    rule : RuleHit or None
        The rule that asks for this lane.
    """

    domain: str | None
    rule: RuleHit | None


def own_lane(record: DecisionRecord, actor: Actor) -> Lane | None:
    """Return the strictest lane that the reader's agency acts on; None where others alone are asked for something."""
    own = [action.lane for action in own_actions(record, actor) if action.agency == actor.agency]
    if own:
        return own[0]
    return record.decision.lane if record.decision.lane is Lane.GREEN or record.has_left else None


def others_lane(record: DecisionRecord, actor: Actor) -> Lane | None:
    """Return the crossing's lane where it comes from another agency: the own one acts on a milder one, or on none."""
    own, whole = own_lane(record, actor), record.decision.lane
    return whole if own is None or own.strictness < whole.strictness else None


def own_lane_told(record: DecisionRecord, actor: Actor, language: str) -> str | None:
    """Say what the reader's agency is asked for, where the crossing's lane comes from another agency; else None.

    Parameters
    ----------
    record : DecisionRecord
    actor : Actor
        The reader.
    language : {'en', 'ru', 'ky'}
    """
    if others_lane(record, actor) is None:
        return None
    own = own_lane(record, actor)
    if own is None:
        return messages.text("page.queue.no_task", language)
    return messages.text("page.case.own_lane", language, lane=messages.text(f"lane.{own}", language))


def what_asked(record: DecisionRecord, actor: Actor) -> Asked:
    """Find the domain, and the rule if one was met, that asks for the lane of the reader's agency.

    Where the own agency is asked for nothing, it is the strictest lane that the reader may see; where nobody is, the
    highest risk.

    Parameters
    ----------
    record : DecisionRecord
    actor : Actor
        The reader.
    """
    actions, scores = own_actions(record, actor), own_scores(record, actor)
    if not actions or actions[0].lane is Lane.GREEN:
        return Asked(scores[0].domain if scores else None, None)
    asking = _asking_like(actions[0], actions)
    rules = [hit for hit in own_rules(record, actor) if hit.domain in asking and hit.lane is actions[0].lane]
    if rules:
        return Asked(rules[0].domain, rules[0])
    by_risk = [score.domain for score in scores if score.domain in asking]
    return Asked(by_risk[0] if by_risk else actions[0].domain, None)


def _asking_like(first: Action, actions: Iterable[Action]) -> frozenset[str]:
    return frozenset(one.domain for one in actions if (one.agency, one.lane) == (first.agency, first.lane))


def speaks_for(reason: Reason) -> bool:
    """Whether a reason that raises the score is not contradicted by the evidence that is told with it.

    A model may add to the score for a value whose own share of hits is below the usual one: what it adds comes from
    the company that the value keeps. Read alone, such a sentence speaks for a release.

    Examples
    --------
    >>> rare = {"inspected": 126.0, "hits": 2.0, "share": 0.016, "share_all": 0.077}
    >>> speaks_for(Reason("occupants", 5.0, None, 0.2, rare)), speaks_for(Reason("occupants", 5.0, None, 0.2, {}))
    (False, True)
    """
    if reason.contribution <= 0:
        return False
    share, usual = reason.evidence.get("share"), reason.evidence.get("share_all")
    return share is None or usual is None or share >= usual


def main_reason(asked: Asked, actor: Actor, told: Sequence[tuple[Reason, str]], language: str) -> str | None:
    """Say why in one sentence: the rule's own text where a rule asks, else the strongest reason that speaks for it.

    Parameters
    ----------
    asked : Asked
    actor : Actor
        The rule's text is told to those who may read reasons; others are told none, rather than a wrong one.
    told : sequence of (Reason, str)
        What the asking domain's panel tells for a hit, with its sentences, the strongest first.
    language : str
    """
    if asked.rule is not None:
        return rule_text(asked.rule, language) if may(actor, Permission.READ_REASONS) else None
    return next((said for reason, said in told if speaks_for(reason)), None)


def headline(asked: Asked, panel: DomainPanel | None, language: str) -> str | None:
    """Name the risk and how likely it is; a rule's risk is named also where no likelihood may be told.

    Parameters
    ----------
    asked : Asked
    panel : DomainPanel or None
        Of the domain that asks, as the reader may see it.
    language : {'en', 'ru', 'ky'}
    """
    if panel is not None and panel.likelihood is not None:
        said = panel.likelihood.probability
        return f"{panel.title}: {said[:1].lower()}{said[1:]}"
    if asked.rule is None or asked.domain is None:
        return None
    return named("domain", asked.domain, language)
