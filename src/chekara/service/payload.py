"""What a log entry holds of a decision, a result, a review or a promotion: plain data in, the same dataclasses out.

Exactness matters more than beauty here: a decision must replay to the same numbers. Floats are written in their
shortest exact form, feature matrices as base64 of little-endian float32, contributions as whole billionths.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import msgspec

from chekara.data.schema import CROSSING_COLUMNS, INSPECTION_COLUMNS, columns_by_name
from chekara.domain.crossing import Crossing, Value
from chekara.domain.decision import Action, DecidedElsewhere, Decision, DomainScore, ModelIdentity, Notice, Reason
from chekara.domain.inspection import Inspection
from chekara.domain.once import MadeOnce
from chekara.domain.review import Review
from chekara.domain.vocabulary import Lane, ReviewAction
from chekara.errors import AuditError
from chekara.service.chain import canonical_json, instant_from, instant_text
from chekara.service.lodged import LodgedBody, lodged_body, plain_value, plain_values
from chekara.service.payload_grounds import grounds_from, plain_grounds, selections_from
from chekara.service.payload_numbers import contributions_from, features_from, plain_contributions, plain_features
from chekara.service.records import Chain, DecisionRecord, InspectionRecord, Promotion, Scoring

FORMAT = 3
Plain = dict[str, Any]

_COLUMNS = columns_by_name(CROSSING_COLUMNS + INSPECTION_COLUMNS)


def plain_decision(record: DecisionRecord, *, content: str, sealed_labels: str | None, scoring: Scoring) -> Plain:
    """Write a decision, all but its log position, as plain data.

    Parameters
    ----------
    record : DecisionRecord
    content : str
        Fingerprint of the canonicalised body.
    sealed_labels : str or None
        Labels, encrypted.
    scoring : Scoring

    Returns
    -------
    dict
        What ``canonical_json`` writes; once parsed, `decision_from` and `scoring_from` read it back.
    """
    decision = record.decision
    # Nothing is written where nothing was decided elsewhere: most payloads, and all older ones, are without it.
    elsewhere = (
        {} if decision.decided_elsewhere is None else {"decided_elsewhere": plain_elsewhere(decision.decided_elsewhere)}
    )
    return elsewhere | {
        "format": FORMAT,
        "decision_id": decision.decision_id,
        "crossing": plain_crossing(record.crossing, scoring.lodged),
        "crossing_point": decision.crossing_point,
        "content": content,
        "labels": sealed_labels,
        "scored_at": instant_text(decision.scored_at),
        "as_of": instant_text(scoring.as_of),
        "clock": decision.clock,
        "asked_by": decision.asked_by,
        "lane": decision.lane,
        "selected_by": decision.selected_by,
        "selections": decision.selections,  # the encoder writes the fields of what stands in lists
        "grounds": plain_grounds(decision.grounds),
        "control_id": decision.control_id,
        "policy_digest": decision.policy_digest,
        "domains": [_plain_score(score) for score in decision.domains],
        "features": plain_features(scoring.features),
        "profile_position": scoring.profile_position,
        "informed": {domain: list(agencies) for domain, agencies in record.informed.items()},
        "actions": [_fields(action) | {"due_at": instant_text(action.due_at)} for action in decision.actions],
        "warnings": [_fields(warning) for warning in decision.warnings],
        "counts_in_rank": scoring.counts_in_rank,
    }


def decision_from(plain: Plain, *, chain: Chain, position: int, labels: Mapping[str, str]) -> DecisionRecord:
    """Read a decision back.

    Parameters
    ----------
    plain : dict
        What `plain_decision` wrote.
    chain : Chain
    position : int
        Where it stands in the log.
    labels : mapping of str to str
        Decrypted.

    Raises
    ------
    AuditError
        It is of a format that this version does not read.
    """
    refuse_other_format(plain["format"])
    crossing = crossing_from(plain["crossing"])
    decision = Decision(
        decision_id=plain["decision_id"],
        position=position,
        crossing_id=crossing.crossing_id,
        revision=crossing.revision,
        crossing_point=plain["crossing_point"],
        scored_at=instant_from(plain["scored_at"]),
        asked_by=plain["asked_by"],
        lane=Lane(plain["lane"]),
        selected_by=plain["selected_by"],
        domains=tuple(_score_from(score) for score in plain["domains"]),
        actions=tuple(_action_from(action) for action in plain["actions"]),
        warnings=tuple(Notice(**warning) for warning in plain["warnings"]),
        policy_digest=plain["policy_digest"],
        clock=plain["clock"],
        decided_elsewhere=_elsewhere_from(plain.get("decided_elsewhere")),
        selections=selections_from(plain["selections"]),
        grounds=grounds_from(plain["grounds"]),
        control_id=plain["control_id"],
    )
    informed = {domain: tuple(agencies) for domain, agencies in plain["informed"].items()}
    return DecisionRecord(decision=decision, chain=chain, crossing=crossing, labels=labels, informed=informed)


def refuse_other_format(written: int) -> None:
    """Refuse a decision of a format that this version does not read.

    Raises
    ------
    AuditError
    """
    if written != FORMAT:
        raise AuditError(
            f"the decision is stored as another version writes it (format {written}, not {FORMAT})",
            where="format",
            hint="read it with the version that wrote it",
        )


def scoring_from(plain: Plain) -> Scoring:
    """Read back how a decision came about; raises as `decision_from` does."""
    refuse_other_format(plain["format"])
    return Scoring(
        as_of=instant_from(plain["as_of"]),
        features=features_from(plain["features"]),
        counts_in_rank=plain["counts_in_rank"],
        profile_position=plain["profile_position"],
    )


def plain_crossing(crossing: Crossing, lodged: LodgedBody | None = None) -> Plain:
    """Write a crossing as plain data; equal crossings give equal data, whatever the order or number type of the body.

    Parameters
    ----------
    crossing : Crossing
    lodged : LodgedBody, optional
        Its header and goods lines, where they are written already.
    """
    body = lodged_body(crossing) if lodged is None else lodged
    return {
        "crossing_id": crossing.crossing_id,
        "header": body.header,
        "items": body.items,
        "known_at": instant_text(crossing.known_at),
        "occurred_at": instant_text(crossing.occurred_at),
        "revision": crossing.revision,
    }


def crossing_from(plain: Plain) -> Crossing:
    """Read a crossing back."""
    return Crossing(
        crossing_id=plain["crossing_id"],
        revision=plain["revision"],
        occurred_at=instant_from(plain["occurred_at"]),
        known_at=instant_from(plain["known_at"]),
        header={name: _value_from(name, value) for name, value in plain["header"].items()},
        items=tuple({name: _value_from(name, value) for name, value in item.items()} for item in plain["items"]),
    )


def _value_from(name: str, value: Any) -> Value:
    kind = _COLUMNS[name].kind if name in _COLUMNS else "string"
    if kind == "instant":
        return instant_from(value)
    given: Value = date.fromisoformat(value) if kind == "date" else value
    return given


def _fields(
    record: Action | DecidedElsewhere | Inspection | Notice | ModelIdentity | Promotion | Reason | Review,
) -> Plain:
    # `dataclasses.asdict` copies deeply and took half of the time of a group.
    return {name: getattr(record, name) for name in record.__slots__}


def _plain_score(score: DomainScore) -> Plain:
    return {
        "agency": score.agency,
        "base_value": score.base_value,
        "contributions": plain_contributions(score.contributions),
        "domain": score.domain,
        "expected_amount": score.expected_amount,
        "interval": score.interval,
        "item_no": score.item_no,
        "margin": score.margin,
        "model": _plain_model(score.model),
        "probability": score.probability,
        "rank": score.rank,
        "reasons": [_plain_reason(reason) for reason in score.reasons],
        "risk": score.risk,
        "risk_parts": score.risk_parts,
    }


def _plain_reason(reason: Reason) -> Plain:
    evidence = reason.evidence
    return {
        "contribution": reason.contribution,
        # The model's own, but where it is told of this very crossing how far it is from the usual.
        "evidence": evidence if "ratio" in evidence else _evidence_json(evidence),
        "expected": reason.expected,
        "feature": reason.feature,
        "value": reason.value,
    }


def _json_of(fields: Mapping[str, float]) -> msgspec.Raw:
    return msgspec.Raw(canonical_json(dict(fields)))


_evidence_json = MadeOnce(_json_of)
_plain_model: MadeOnce[ModelIdentity, Plain] = MadeOnce(_fields, most=256)


def _score_from(plain: Plain) -> DomainScore:
    low, high = plain["interval"]
    return DomainScore(
        domain=plain["domain"],
        agency=plain["agency"],
        probability=plain["probability"],
        interval=(low, high),
        rank=plain["rank"],
        risk=plain["risk"],
        item_no=plain["item_no"],
        model=ModelIdentity(**plain["model"]),
        base_value=plain["base_value"],
        margin=plain["margin"],
        contributions=contributions_from(plain["contributions"]),
        reasons=tuple(Reason(**reason) for reason in plain["reasons"]),
        expected_amount=plain["expected_amount"],
        risk_parts=plain["risk_parts"],
    )


def _action_from(plain: Plain) -> Action:
    return Action(**(plain | {"lane": Lane(plain["lane"]), "due_at": instant_from(plain["due_at"])}))


def plain_elsewhere(elsewhere: DecidedElsewhere) -> Plain:
    """Write what was decided elsewhere as plain data."""
    propensity = elsewhere.propensity
    return _fields(elsewhere) | {
        "at": instant_text(elsewhere.at),
        "propensity": None if propensity is None else plain_value(propensity),
    }


def _elsewhere_from(plain: Plain | None) -> DecidedElsewhere | None:
    if plain is None:
        return None
    return DecidedElsewhere(**(plain | {"lane": Lane(plain["lane"]), "at": instant_from(plain["at"])}))


def plain_review(review: Review) -> Plain:
    """Write a review as plain data."""
    instants = {
        "until": None if review.until is None else instant_text(review.until),
        "reviewed_at": instant_text(review.reviewed_at),
    }
    return _fields(review) | instants


def review_from(plain: Plain) -> Review:
    """Read a review back."""
    return Review(
        **(
            plain
            | {
                "action": ReviewAction(plain["action"]),
                "lane": None if plain["lane"] is None else Lane(plain["lane"]),
                "until": None if plain["until"] is None else instant_from(plain["until"]),
                "reviewed_at": instant_from(plain["reviewed_at"]),
            }
        )
    )


def plain_inspection(inspection: Inspection) -> Plain:
    """Write a result as plain data; equal results give equal data, whatever the order or number type of the body."""
    return _fields(inspection) | {
        "inspected_at": instant_text(inspection.inspected_at),
        "known_at": instant_text(inspection.known_at),
        "propensity": None if inspection.propensity is None else plain_value(inspection.propensity),
        "details": plain_values(inspection.details),
    }


def plain_inspection_record(record: InspectionRecord, *, content: str) -> Plain:
    """Write a recorded result, all but its log position, as plain data.

    Parameters
    ----------
    record : InspectionRecord
    content : str
        Fingerprint of the canonicalised body.
    """
    more = {"recorded_by": record.recorded_by, "received_at": instant_text(record.received_at), "content": content}
    return plain_inspection(record.inspection) | more


def inspection_from(plain: Plain) -> Inspection:
    """Read a result back, whatever else stands beside it."""
    given = {name: plain[name] for name in Inspection.__slots__}
    instants = {name: instant_from(plain[name]) for name in ("inspected_at", "known_at")}
    details = {name: _value_from(name, value) for name, value in plain["details"].items()}
    return Inspection(**(given | instants | {"details": details}))


def inspection_record_from(plain: Plain, *, chain: Chain, position: int) -> InspectionRecord:
    """Read a recorded result back.

    Parameters
    ----------
    plain : dict
        What `plain_inspection_record` wrote.
    chain : Chain
    position : int
        Where it stands in the log.
    """
    return InspectionRecord(
        inspection=inspection_from(plain),
        chain=chain,
        position=position,
        recorded_by=plain["recorded_by"],
        received_at=instant_from(plain["received_at"]),
    )


def plain_promotion(promotion: Promotion) -> Plain:
    """Write a promotion as plain data."""
    instants = {"promoted_at": instant_text(promotion.promoted_at)}
    return _fields(promotion) | {"model": _fields(promotion.model)} | instants


def promotion_from(plain: Plain) -> Promotion:
    """Read a promotion back."""
    return Promotion(
        **(plain | {"model": ModelIdentity(**plain["model"]), "promoted_at": instant_from(plain["promoted_at"])})
    )


def content_bytes(
    crossing: Crossing,
    labels: Mapping[str, str],
    *,
    is_void: bool,
    decided_elsewhere: DecidedElsewhere | None = None,
    lodged: LodgedBody | None = None,
) -> bytes:
    """Canonicalise a body: equal for two bodies that say the same, whatever their spelling.

    Items are ordered by number, whole floats are integers, instants are in UTC.

    Parameters
    ----------
    crossing : Crossing
        With entity ids as tokens.
    labels : mapping of str to str
    is_void : bool
        Whether the body withdraws the crossing.
    decided_elsewhere : DecidedElsewhere, optional
    lodged : LodgedBody, optional
        Header and goods lines of the crossing, where they are written already.
    """
    body = lodged_body(crossing) if lodged is None else lodged
    plain = plain_crossing(crossing, body) | {"items": body.numbered}
    content = {"crossing": plain, "labels": dict(labels), "void": is_void}
    if decided_elsewhere is not None:
        content["decided_elsewhere"] = plain_elsewhere(decided_elsewhere)
    return canonical_json(content)


def parsed(payload: bytes) -> Plain:
    """Parse the bytes of a payload."""
    plain: Plain = msgspec.json.decode(payload)
    return plain


def parsed_list(content: bytes) -> list[str]:
    """Parse a stored list of names."""
    return msgspec.json.decode(content, type=list[str])
