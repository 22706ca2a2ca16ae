"""The rows that a log entry also writes: made here for writing, and again by the audit to compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chekara.domain.referral import Step
from chekara.domain.vocabulary import COORDINATOR, INFORMED, Lane
from chekara.service.payload import Plain

Row = dict[str, Any]
Rows = dict[str, list[Row]]


def rows_of(kind: str, chain: str, position: int, payload: Plain) -> Rows:
    """Return the rows of an entry, by table name.

    Parameters
    ----------
    kind : str
        Kind of the entry.
    chain : str
    position : int
    payload : dict
        The entry's payload, parsed.

    Returns
    -------
    dict of str to list of dict
        Empty for a kind that writes no rows.
    """
    place = {"chain": chain, "position": position}
    make = _MAKERS.get(kind)
    if make is None:
        return {}
    return {table: [place | row for row in rows] for table, rows in make(payload).items()}


def _decision(payload: Plain) -> Rows:
    identity = {"decision_id": payload["decision_id"]}
    lane = Lane(payload["lane"])
    own_lanes = {action["domain"]: action["lane"] for action in payload["actions"] if action["role"] != INFORMED}
    row = identity | {
        "crossing_id": payload["crossing"]["crossing_id"],
        "revision": payload["crossing"]["revision"],
        "crossing_point": payload["crossing_point"],
        "scored_at": payload["scored_at"],
        "asked_by": payload["asked_by"],
        "lane": lane.value,
        "strictness": lane.strictness,
        "content": payload["content"],
    }
    domains = [
        identity
        | {
            "domain": score["domain"],
            "agency": score["agency"],
            "lane": own_lanes.get(score["domain"], Lane.GREEN.value),
            "probability": score["probability"],
            "rank": score["rank"],
            "risk": score["risk"],
            "margin": score["margin"],
            "model_digest": score["model"]["digest"],
            "counts_in_rank": payload["counts_in_rank"],
        }
        for score in payload["domains"]
    ]
    viewers = [identity | {"agency": agency, "strictness": lane.strictness} for agency in sorted(_agencies_of(payload))]
    elsewhere = {"decided_elsewhere": [identity]} if payload.get("decided_elsewhere") is not None else {}
    draws = {"lot_draws": drawn} if (drawn := _lot_draws(payload)) else {}
    met = {"rule_hits": hits} if (hits := _rule_hits(payload)) else {}
    return {"decisions": [row], "decision_domains": domains, "decision_agencies": viewers} | elsewhere | draws | met


def _rule_hits(payload: Plain) -> list[Row]:
    return [
        {
            "decision_id": payload["decision_id"],
            "rule": hit["rule"],
            "domain": hit["domain"],
            "crossing_id": payload["crossing"]["crossing_id"],
            "scored_at": payload["scored_at"],
        }
        for hit in payload["grounds"].get("rules", ())
    ]


def _lot_draws(payload: Plain) -> list[Row]:
    """Return a row per draw that fell on the crossing; none of a crossing that left before anybody could be asked."""
    grounds = payload["grounds"]
    idle = grounds.get("not_applicable", ())
    drawn = [draw for draw in grounds.get("draws", ()) if draw["is_drawn"] and draw["domain"] not in idle]
    if not drawn or payload.get("decided_elsewhere") is not None:
        return []
    leads = {action["domain"]: action for action in payload["actions"] if action["role"] != INFORMED}
    return [
        {
            "decision_id": payload["decision_id"],
            "domain": draw["domain"],
            "arm": draw["arm"],
            "crossing_id": payload["crossing"]["crossing_id"],
            "crossing_point": payload["crossing_point"],
            "agency": leads[draw["domain"]]["agency"],
            "propensity": draw["propensity"],
            "drawn_at": payload["scored_at"],
            "due_at": leads[draw["domain"]]["due_at"],
        }
        for draw in drawn
        if draw["domain"] in leads
    ]


def _agencies_of(payload: Plain) -> set[str]:
    leads = {score["agency"] for score in payload["domains"]} | {action["agency"] for action in payload["actions"]}
    informed = {agency for agencies in payload["informed"].values() for agency in agencies}
    return {COORDINATOR, payload["asked_by"]} | leads | informed


def _only(table: str, *names: str) -> Callable[[Plain], Rows]:
    def make(payload: Plain) -> Rows:
        return {table: [{name: payload[name] for name in names}]}

    return make


def _review(payload: Plain) -> Rows:
    names = ("review_id", "decision_id", "agency")
    rows: Rows = {"reviews": [{name: payload[name] for name in (*names, "action", "lane")}]}
    delay = {name: payload[name] for name in (*names, "until")}
    return rows | ({"delays": [delay]} if payload["until"] is not None else {})


def _told(table: str, *names: str) -> Callable[[Plain], Rows]:
    """Make the rows of an event of joint action: its own, and one per agency that is told."""

    def make(payload: Plain) -> Rows:
        rows: Rows = {table: [{name: payload[name] for name in names}]}
        admitted = payload.get("admits")
        if admitted is not None:
            rows["decision_agencies"] = [{"decision_id": payload["decision_id"], **admitted}]
        return rows | {"event_agencies": [{"agency": agency} for agency in payload["audience"]]}

    return make


def _promotion(payload: Plain) -> Rows:
    row = {name: payload[name] for name in ("promotion_id", "domain")}
    return {"promotions": [row | {"model_digest": payload["model"]["digest"]}]}


def _proposal(payload: Plain) -> Rows:
    row = {name: payload[name] for name in ("proposal_id", "domain")}
    return {"proposals": [row | {"model_digest": payload["model"]["digest"]}]}


def _watch_list(payload: Plain) -> Rows:
    row = {"list_name": payload["name"], "entity_column": payload["column"], "ends_at": payload["ends_at"]}
    return {"watch_entries": [row | {"token": token} for token in payload["tokens"]]}


def _retention(payload: Plain) -> Rows:
    return {
        "retention": [
            {"removed_chain": payload["removed_chain"], "removed_position": removed["position"]}
            for removed in payload["removed"]
        ]
    }


_MAKERS: Mapping[str, Callable[[Plain], Rows]] = {
    "decision": _decision,
    "void": _only("voids", "crossing_id", "revision", "decision_id", "content"),
    "review": _review,
    "referral_opened": _told(
        "referrals", "referral_id", "decision_id", "from_agency", "asked_agency", "domain", "answer_by"
    ),
    **{f"referral_{step}": _told("referral_steps", "referral_id", "step", "to_agency", "due_at") for step in Step},
    "released": _told("releases", "review_id", "decision_id"),
    "inspection": _only("inspections", "inspection_id", "revision", "crossing_id", "domain", "known_at", "content"),
    "promotion": _promotion,
    "proposal": _proposal,
    "key_added": _only("keys", "key_id", "key_sha256", "holder", "agency", "role", "scopes", "is_test"),
    "key_revoked": _only("key_revocations", "key_id", "revoked_at"),
    "retention": _retention,
    "lot_commitment": _only("lot_commitments", "period", "commitment"),
    "lot_reveal": _only("lot_reveals", "period"),
    "agency_mode": _only("agency_modes", "agency", "mode"),
    "policy_promotion": _only("policy_promotions", "promotion_id", "policy_digest"),
    "watch_list": _watch_list,
}
