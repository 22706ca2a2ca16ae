"""What the API answers with, as JSON Schema."""

from __future__ import annotations

from typing import Any, Final, get_args

from chekara.api.elsewhere import FIELD as ELSEWHERE
from chekara.domain.referral import REFERRAL_RESULTS, ReferralState
from chekara.domain.vocabulary import INFORMED, JOINED, LEAD, Lane, ReviewAction
from chekara.service.events import EventKind

Schema = dict[str, Any]


def object_of(required: bool = True, **properties: Schema) -> Schema:
    """Write the schema of an object.

    Parameters
    ----------
    required : bool
        Whether all of its fields are always there.
    **properties : Schema
        By name.
    """
    return {"type": "object", "properties": properties, "required": sorted(properties) if required else []}


STRING: Final[Schema] = {"type": "string"}
NUMBER: Final[Schema] = {"type": "number"}
SHARE: Final[Schema] = {"type": "number", "minimum": 0, "maximum": 1}
INSTANT: Final[Schema] = {"type": "string", "format": "date-time"}
LANE: Final[Schema] = {"enum": [*Lane]}
VALUE: Final[Schema] = {"type": ["number", "string", "null"]}

_REASON: Final = object_of(feature=STRING, value=VALUE, expected=VALUE, contribution=NUMBER, text=STRING)
_DOMAIN: Final = object_of(
    required=False,
    domain=STRING,
    agency=STRING,
    probability=SHARE,
    interval={"type": "array", "items": SHARE, "minItems": 2, "maxItems": 2},
    rank=SHARE,
    risk=SHARE,
    item_no={"type": "integer"},
    model=object_of(name=STRING, version=STRING, digest=STRING),
    base_value=NUMBER,
    margin=NUMBER,
    expected_amount={
        "type": ["number", "null"],
        "minimum": 0,
        "description": "What a hit here brings on average: revenue recovered and value seized, reporting currency",
    },
    reasons={"type": "array", "items": _REASON},
    risk_parts={
        "type": "object",
        "additionalProperties": NUMBER,
        "description": "What the policy combined to the risk; left out where it is the rank",
    },
    contributions={"type": "object", "additionalProperties": NUMBER},
    evidence={"type": "array", "items": object_of(feature=STRING, value=VALUE, expected=VALUE, text=STRING)},
)
RECORDED: Final = object_of(
    inspection_id=STRING,
    revision={"type": "integer", "minimum": 0},
    crossing_id=STRING,
    domain=STRING,
    known_at=INSTANT,
)
_RESULT: Final[Schema] = {
    **RECORDED,
    "properties": {
        **RECORDED["properties"],
        "inspected_at": INSTANT,
        "found": {"type": "boolean"},
        "status": STRING,
        "method": STRING,
        "result": STRING,
        "item_no": {"type": "integer"},
        "irregularity": STRING,
        "seizure_kind": STRING,
        "control_id": STRING,
    },
}
INSPECTION_ANSWER: Final[Schema] = {
    "title": "RecordedInspections",
    "oneOf": [
        RECORDED,
        {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["row", "status"],
                "properties": {
                    "row": {"type": "integer", "minimum": 0, "description": "Place in what was sent, from 0"},
                    "status": {"type": "integer"},
                    "inspection": RECORDED,
                    "problem": {"type": "object"},
                },
            },
        },
    ],
}
ACTIONS: Final[Schema] = {
    "type": "array",
    "items": object_of(
        agency=STRING,
        role={"enum": [LEAD, JOINED, INFORMED]},
        domain=STRING,
        control=STRING,
        due_at=INSTANT,
        instruction=STRING,
    ),
}
REFERRAL: Final[Schema] = {
    "title": "Referral",
    "type": "object",
    "required": ["referral_id", "decision_id", "crossing_id", "from", "to", "domain", "reason", "state", "due_at"],
    "properties": {
        "referral_id": STRING,
        "decision_id": STRING,
        "crossing_id": STRING,
        "crossing_point": STRING,
        "from": {"type": "string", "description": "The agency that asks"},
        "to": {"type": "string", "description": "The agency that is asked now"},
        "asked_first": {"type": "string", "description": "Where it was re-routed: the agency that did not answer"},
        "domain": STRING,
        "reason": STRING,
        "opened_by": STRING,
        "opened_at": INSTANT,
        "state": {"enum": [*ReferralState]},
        "due_at": {**INSTANT, "description": "Until when it is to be answered or, once accepted, reported back"},
        "is_overdue": {"type": "boolean"},
        "rerouted_at": INSTANT,
        "accepted_at": INSTANT,
        "declined_at": INSTANT,
        "closed_at": INSTANT,
        "answer": {"type": "string", "description": "Why it was accepted or declined, or what was done"},
        "answered_by": STRING,
        "result": {"enum": [*REFERRAL_RESULTS]},
    },
}
DECISION: Final[Schema] = {
    "title": "Decision",
    "type": "object",
    "required": ["decision_id", "crossing_id", "revision", "scored_at", "lane", "actions", "domains", "warnings"],
    "properties": {
        "decision_id": STRING,
        "crossing_id": STRING,
        "revision": {"type": "integer", "minimum": 0},
        "scored_at": INSTANT,
        "lane": LANE,
        "selected_by": {"type": ["string", "null"]},
        "actions": ACTIONS,
        "control_id": {"type": "string", "description": "Of the one joint control that the actions are parts of"},
        "domains": {"type": "array", "items": _DOMAIN},
        "rules": {
            "type": "array",
            "items": object_of(
                required=False,
                rule=STRING,
                domain=STRING,
                agency=STRING,
                lane=LANE,
                item_no={"type": "integer"},
                text=STRING,
            ),
        },
        "warnings": {"type": "array", "items": object_of(required=False, code=STRING, field=STRING, domain=STRING)},
        ELSEWHERE: object_of(required=False, lane=LANE, at=INSTANT, by=STRING, basis=STRING, propensity=SHARE),
        "clock": {"enum": ["replay"], "description": "Only where the time of receipt was taken from the body"},
        "results": {"type": "array", "items": _RESULT, "description": "What controls found, when read by id"},
        "referrals": {"type": "array", "items": REFERRAL, "description": "Your agency's part, when read by id"},
        "delayed": object_of(required=False, agency=STRING, until=INSTANT, held_by=STRING, released_at=INSTANT),
        "superseded_by": {"type": "string", "description": "Decision of the newest higher revision, when read by id"},
    },
}
DECISIONS: Final[Schema] = {
    "title": "Decisions",
    "type": "object",
    "required": ["decisions", "next_cursor"],
    "properties": {
        "decisions": {"type": "array", "items": DECISION},
        "next_cursor": {"type": ["string", "null"], "description": "Give it back as ?cursor= to read on"},
    },
}
REVIEW: Final = object_of(
    required=False,
    review_id=STRING,
    decision_id=STRING,
    agency=STRING,
    officer=STRING,
    action={"enum": [*ReviewAction]},
    lane=LANE,
    to=STRING,
    until=INSTANT,
    reason=STRING,
    reviewed_at=INSTANT,
    referral_id=STRING,
)
MODELS: Final = object_of(
    models={
        "type": "array",
        "items": object_of(domain=STRING, name=STRING, version=STRING, digest=STRING),
    },
    proposals={
        "type": "array",
        "items": object_of(
            proposal_id=STRING,
            domain=STRING,
            name=STRING,
            version=STRING,
            digest=STRING,
            proposed_by=STRING,
            assessment_id=STRING,
            proposed_at=INSTANT,
            reason={"type": ["string", "null"]},
        ),
    },
    problems={"type": "array", "items": STRING},
)
BATCH_ROW: Final[Schema] = {
    "title": "BatchRow",
    "type": "object",
    "required": ["row", "status"],
    "properties": {
        "row": {"type": "integer", "minimum": 0, "description": "Place in what was sent, from 0"},
        "status": {"type": "integer"},
        "decision": DECISION,
        "problem": {"type": "object"},
        "retry_after": {"type": "integer", "description": "Of 429 and 503: in how many seconds to send the row again"},
    },
}
REFERRALS: Final = object_of(
    referrals={"type": "array", "items": REFERRAL},
    next_cursor={"type": ["string", "null"], "description": "Give it back as ?cursor= to read on"},
)
EVENTS: Final = object_of(
    events={
        "type": "array",
        "items": {
            "type": "object",
            "required": ["position", "event", "at"],
            "properties": {
                "position": {"type": "integer", "minimum": 1},
                "event": {"enum": [*get_args(EventKind)]},
                "at": INSTANT,
                "decision_id": STRING,
                "crossing_id": STRING,
                "revision": {"type": "integer", "minimum": 0},
                "crossing_point": STRING,
                "lane": LANE,
                "control_id": STRING,
                "actions": ACTIONS,
                "another_agency": {"type": "boolean", "description": "One that is hidden from you wants the crossing"},
                "reason": STRING,
                "referral": REFERRAL,
                "delayed_by": STRING,
                "until": INSTANT,
            },
        },
    },
    next_after={"type": "integer", "minimum": 0, "description": "Give it back as ?after= to read on"},
)
