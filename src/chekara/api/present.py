"""A stored decision as one asker may read it, in one language: CONTRACT section 4, and nothing that is not theirs.

What is left out depends on the asker alone, never on when it asks, so that a repeated request gets an equal body.
The one exception is ``selected_by``, which officers are told after their agency's review.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import Any, Final

from chekara import messages
from chekara.domain.actor import Actor, Permission, may
from chekara.domain.decision import Action, DecidedElsewhere, DomainScore, Notice, Reason
from chekara.domain.review import Review
from chekara.domain.selection import RuleHit
from chekara.domain.vocabulary import Role
from chekara.explain.reasons import Item, instruction, sentence
from chekara.service.records import DecisionRecord, InspectionRecord
from chekara.service.visibility import (
    judges_blind,
    may_know_basis,
    may_know_selection,
    own_actions,
    own_rules,
    own_scores,
    own_warnings,
    rule_text,
)

WITHHELD: Final = "withheld"
_SHOWN_OF_RESULT: Final = ("status", "method", "result", "item_no", "irregularity", "seizure_kind", "control_id")


def present_decision(
    record: DecisionRecord,
    actor: Actor,
    language: str,
    *,
    with_contributions: bool = True,
    reviews: Iterable[Review] = (),
    blind_first: bool = False,
    with_result: Collection[str] = (),
) -> dict[str, Any]:
    """Write a decision as the JSON object of the contract.

    Parameters
    ----------
    record : DecisionRecord
    actor : Actor
        Decides which domains, reasons and numbers are in it.
    language : {'en', 'ru', 'ky'}
    with_contributions : bool
        ``?contributions=false`` leaves the long list out; reasons stay.
    reviews : iterable of Review
        Reviews of this decision; an officer is told ``selected_by`` once its own agency has one.
    blind_first : bool
        What the policy says: until then, an officer reads no number of a model either.
    with_result : collection of str
        Domains with a result: there an inspector, too, is told the score.

    Returns
    -------
    dict
        Plain JSON values, and the mapping of contributions, which `api.written.json_bytes` writes; numbers are finite
        or None.
    """
    decision = record.decision
    reviews = tuple(reviews)
    is_blind = judges_blind(record, actor, reviews, blind_first=blind_first)
    seen = record.domains_seen_by(actor)
    scores = own_scores(record, actor, seen)
    body: dict[str, Any] = {
        "decision_id": decision.decision_id,
        "crossing_id": decision.crossing_id,
        "revision": decision.revision,
        "scored_at": present_instant(decision.scored_at),
        "lane": decision.lane.value,
        "selected_by": decision.selected_by if may_know_selection(actor, reviews) else WITHHELD,
        "actions": present_actions(own_actions(record, actor, seen), language),
        "domains": [
            _facts_only(score, language, _item(record, score))
            if is_blind and score.domain not in with_result
            else _evidence_only(score, language, _item(record, score))
            if actor.role is Role.INSPECTOR and score.domain not in with_result
            else _domain(score, actor, language, with_contributions, _item(record, score))
            for score in (sorted(scores, key=lambda score: score.domain) if is_blind else scores)
        ],
        "rules": [_rule(hit, actor, language) for hit in own_rules(record, actor, seen)],
        "warnings": [_notice(notice) for notice in own_warnings(record, actor, seen)],
    }
    if decision.control_id is not None and body["actions"]:
        body["control_id"] = decision.control_id
    if decision.clock != "live":
        body["clock"] = decision.clock
    if decision.decided_elsewhere is not None:
        knows_basis = may_know_basis(record, actor, reviews)
        body["decided_elsewhere"] = _elsewhere(decision.decided_elsewhere, knows_basis=knows_basis)
    return body


def present_actions(actions: Iterable[Action], language: str) -> list[dict[str, Any]]:
    """Write what agencies are asked to do, in one language."""
    return [
        {
            "agency": action.agency,
            "role": action.role,
            "domain": action.domain,
            "control": messages.text(action.control, language),
            "due_at": present_instant(action.due_at),
            "instruction": instruction(action, language),
        }
        for action in actions
    ]


def present_review(review: Review) -> dict[str, Any]:
    """Write a review as it was recorded; fields that its action does not use are left out."""
    body = {
        "review_id": review.review_id,
        "decision_id": review.decision_id,
        "agency": review.agency,
        "officer": review.officer,
        "action": review.action.value,
        "lane": None if review.lane is None else review.lane.value,
        "to": review.refer_to,
        "until": None if review.until is None else present_instant(review.until),
        "reason": review.reason,
        "reviewed_at": present_instant(review.reviewed_at),
    }
    return {name: value for name, value in body.items() if value is not None}


def present_inspection(record: InspectionRecord) -> dict[str, Any]:
    """Write what was recorded of a result; what selected the crossing is never told here."""
    inspection = record.inspection
    return {
        "inspection_id": inspection.inspection_id,
        "revision": inspection.revision,
        "crossing_id": inspection.crossing_id,
        "domain": inspection.domain,
        "known_at": present_instant(inspection.known_at),
    }


def present_result(record: InspectionRecord) -> dict[str, Any]:
    """Write a result as readers of the decision see it; fields that were not given are left out."""
    inspection = record.inspection
    shown = {name: inspection.details[name] for name in _SHOWN_OF_RESULT if name in inspection.details}
    return {
        **present_inspection(record),
        "inspected_at": present_instant(inspection.inspected_at),
        "found": inspection.found,
        **shown,
    }


def _elsewhere(elsewhere: DecidedElsewhere, *, knows_basis: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "lane": elsewhere.lane.value,
        "at": present_instant(elsewhere.at),
        "by": elsewhere.by,
        "basis": elsewhere.basis if knows_basis else WITHHELD,
    }
    return shown | ({"propensity": elsewhere.propensity} if knows_basis and elsewhere.propensity is not None else {})


def _rule(hit: RuleHit, actor: Actor, language: str) -> dict[str, Any]:
    told: dict[str, Any] = {"rule": hit.rule, "domain": hit.domain, "agency": hit.agency, "lane": hit.lane.value}
    if hit.item_no is not None:
        told["item_no"] = hit.item_no
    if may(actor, Permission.READ_REASONS):
        told["text"] = rule_text(hit, language)
    return told


def _item(record: DecisionRecord, score: DomainScore) -> Item:
    """Find the goods line that carries a score."""
    for item in record.crossing.items:
        if item.get("item_no") == score.item_no:
            return item
    return {}


def _domain(score: DomainScore, actor: Actor, language: str, with_contributions: bool, item: Item) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "domain": score.domain,
        "agency": score.agency,
        "probability": score.probability,
        "interval": list(score.interval),
        "rank": score.rank,
        "risk": score.risk,
        "item_no": score.item_no,
        "model": {"name": score.model.name, "version": score.model.version, "digest": score.model.digest},
        "base_value": score.base_value,
        "margin": score.margin,
        "expected_amount": score.expected_amount,
    }
    if may(actor, Permission.READ_REASONS):
        shown["reasons"] = [
            {
                "feature": reason.feature,
                "value": _finite(reason.value),
                "expected": _finite(reason.expected),
                "text": sentence(reason, language, item),
                "contribution": reason.contribution,
            }
            for reason in score.reasons
        ]
        if score.risk_parts:
            shown["risk_parts"] = dict(score.risk_parts)
        if with_contributions:
            shown["contributions"] = score.contributions
    return shown


def _evidence_only(score: DomainScore, language: str, item: Item) -> dict[str, Any]:
    """Show what speaks for a hit without a number of the model: an inspector must not be anchored by a score."""
    return {
        "domain": score.domain,
        "agency": score.agency,
        "item_no": score.item_no,
        "evidence": [_fact(reason, language, item) for reason in score.reasons if reason.contribution > 0],
    }


def _facts_only(score: DomainScore, language: str, item: Item) -> dict[str, Any]:
    """Show what is known of a crossing and not how it weighs: neither what speaks for a hit, nor how much."""
    facts = sorted(score.reasons, key=lambda reason: reason.feature)
    evidence = [_fact(reason, language, item) for reason in facts]
    return {"domain": score.domain, "agency": score.agency, "item_no": score.item_no, "evidence": evidence}


def _fact(reason: Reason, language: str, item: Item) -> dict[str, Any]:
    return {
        "feature": reason.feature,
        "value": _finite(reason.value),
        "expected": _finite(reason.expected),
        "text": sentence(reason, language, item),
    }


def _notice(notice: Notice) -> dict[str, Any]:
    shown = {"code": notice.code, "field": notice.field, "domain": notice.domain}
    return {name: value for name, value in shown.items() if value is not None}


def _finite(value: float | str | None) -> float | str | None:
    return None if value.__class__ is float and not math.isfinite(value) else value


def present_instant(moment: datetime) -> str:
    """Write an instant in UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
