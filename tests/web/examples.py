"""A crossing scored, explained and stored, as the pages get it; every test varies it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from chekara.domain.actor import Actor
from chekara.domain.crossing import Crossing
from chekara.domain.decision import Action, Decision, DomainScore, ModelIdentity, Notice, Reason
from chekara.domain.inspection import Inspection
from chekara.domain.referral import Referral, ReferralStep, Step
from chekara.domain.review import Review
from chekara.domain.vocabulary import Lane, ReviewAction, Role
from chekara.service.records import Chain, DecisionRecord, InspectionRecord
from chekara.web.pages import Frame
from chekara.web.together import SinceThen

SCORED_AT = datetime(2026, 11, 24, 5, 7, tzinfo=UTC)
ANALYST = Actor("k1", "A. Sydykova", "customs", Role.ANALYST)
INSPECTOR = Actor("k2", "B. Osmonov", "customs", Role.INSPECTOR)
SCRIPT = "<script>document.title='owned'</script>"

EVIDENCE = {"inspected": 212.0, "hits": 61.0, "share": 61 / 212, "share_all": 0.117, "crossings_share": 0.04}
CONTRIBUTIONS = {
    "unit_price_vs_reference": 1.4,
    "goods_and_origin": 0.62,
    "duty_share": 0.38,
    "importer_age_days": 0.31,
    "crossing_point": -0.27,
    "authorised_operator": -0.2,
    "gross_over_net": 0.11,
    "hour_of_day": 0.06,
    "packages": -0.05,
    "item_count": -0.04,
    "mode": -0.02,
}
BASE_VALUE = -3.1
REASONS = (
    Reason(
        "unit_price_vs_reference", 1.9, 7.4, 1.4, {**EVIDENCE, "ratio": 0.257, "goods_digits": 6.0, "from_origin": 1.0}
    ),
    Reason(
        "goods_and_origin", "6109 CN", None, 0.62, {**EVIDENCE, "inspected": 388.0, "hits": 74.0, "share": 74 / 388}
    ),
    Reason("duty_share", 0.021, 0.12, 0.38, {**EVIDENCE, "goods_digits": 4.0}),
    Reason("importer_age_days", None, 1460.0, 0.31, {"share_all": 0.117}),
    Reason("crossing_point", "TORUGART", "AK-TILEK", -0.27, {"share_all": 0.117, "unseen": 1.0}),
    Reason("authorised_operator", 1.0, 0.0, -0.2, {**EVIDENCE, "hits": 9.0, "share": 9 / 212}),
)


def score(domain: str = "revenue_fraud", agency: str = "customs", **changes: Any) -> DomainScore:
    """Return a domain's score that adds up."""
    values: dict[str, Any] = {
        "domain": domain,
        "agency": agency,
        "probability": 0.31,
        "interval": (0.24, 0.39),
        "rank": 0.987,
        "risk": 0.987,
        "item_no": 2,
        "model": ModelIdentity(domain, "7", "sha256:" + "3f" * 32),
        "base_value": BASE_VALUE,
        "margin": BASE_VALUE + sum(CONTRIBUTIONS.values()),
        "contributions": CONTRIBUTIONS,
        "reasons": REASONS,
    }
    return DomainScore(**{**values, **changes})


def crossing(goods: str = "T-shirts, knitted, cotton", n_items: int = 2) -> Crossing:
    """Return a crossing of a few goods lines."""
    lines = [
        {
            "item_no": number,
            "hs_code": "6109100000",
            "goods_description": goods,
            "origin_country": "CN",
            "dispatch_country": "CN",
            "importer_id": "importer-token-7f3a",
            "declared_value": 4028.0 * number,
            "duty_rate": 0.12,
            "net_mass_kg": 2120.0 * number,
            "gross_mass_kg": 2230.5 * number,
            "packages": 88 * number,
            "authorised_operator": True,
        }
        for number in range(1, n_items + 1)
    ]
    header = {
        "direction": "entry",
        "mode": "road",
        "stage": "declaration",
        "movement": "import",
        "vehicle_type": "truck",
        "vehicle_id": "vehicle-token-19c2",
        "seal_status": "intact",
        "crossing_point": "TORUGART",
    }
    return Crossing("2026-TRG-004217", 0, SCORED_AT - timedelta(hours=1), SCORED_AT, header, tuple(lines))


def record(*, goods: str = "T-shirts, knitted, cotton", n_items: int = 2, **changes: Any) -> DecisionRecord:
    """Return a stored decision: red for customs, with a domain that customs does not see beside it."""
    action = Action(
        "customs",
        "lead",
        "revenue_fraud",
        Lane.RED,
        "control.partial_unloading",
        "instruction.check_value_and_mass",
        2,
        SCORED_AT + timedelta(hours=2),
    )
    hidden = Action(
        "internal_affairs",
        "lead",
        "vehicle_crime",
        Lane.YELLOW,
        "control.vehicle_papers",
        "instruction.check_registers",
        None,
        SCORED_AT + timedelta(hours=1),
    )
    lodged = crossing(goods, n_items)
    decision = Decision(
        decision_id="d-4217",
        position=4217,
        crossing_id=lodged.crossing_id,
        revision=0,
        crossing_point="TORUGART",
        scored_at=SCORED_AT,
        asked_by="customs",
        lane=Lane.RED,
        selected_by="model",
        domains=(score(), score("vehicle_crime", "internal_affairs", probability=0.004, interval=(0.002, 0.009))),
        actions=(action, hidden),
        warnings=(Notice("unseen_category", "crossing_point", "revenue_fraud"), Notice("no_model", None, "contraband")),
        policy_digest="sha256:" + "aa" * 32,
    )
    values: dict[str, Any] = {
        "decision": decision,
        "chain": Chain.LIVE,
        "crossing": lodged,
        "labels": {
            "plate": "01KG 417 ABC",
            "declaration_number": "41712/241126/0004217",
            "importer": "Ala-Too Textile",
        },
        "informed": {"revenue_fraud": (), "vehicle_crime": ("border_service",)},
    }
    return DecisionRecord(**{**values, **changes})


def review(action: ReviewAction = ReviewAction.OVERRIDE, reason: str = "Weighed again: packing explains it") -> Review:
    """Return a recorded review."""
    return Review(
        review_id="r-1",
        decision_id="d-4217",
        agency="customs",
        officer="A. Sydykova",
        action=action,
        lane=Lane.YELLOW if action is ReviewAction.OVERRIDE else None,
        refer_to="agriculture" if action is ReviewAction.REFER else None,
        until=SCORED_AT + timedelta(hours=5) if action is ReviewAction.DELAY else None,
        reason=reason,
        reviewed_at=SCORED_AT + timedelta(minutes=20),
    )


def referral(*steps: ReferralStep, reason: str = "Frame number looks altered", **changes: Any) -> Referral:
    """Return a referral of the case to customs, opened just after it was scored."""
    values: dict[str, Any] = {
        "referral_id": "f-1",
        "decision_id": "d-4217",
        "crossing_id": "2026-TRG-004217",
        "crossing_point": "TORUGART",
        "from_agency": "internal_affairs",
        "asked_agency": "customs",
        "domain": "revenue_fraud",
        "reason": reason,
        "opened_by": "B. Isakov",
        "opened_at": SCORED_AT + timedelta(minutes=20),
        "answer_by": SCORED_AT + timedelta(minutes=80),
        "steps": steps,
    }
    return Referral(**{**values, **changes})


def step(kind: Step, minutes: int, **changes: Any) -> ReferralStep:
    """Return a step, so many minutes after the scoring; one of a person has agency, officer and reason."""
    at = SCORED_AT + timedelta(minutes=minutes)
    if kind is Step.REROUTED:
        return ReferralStep(step=kind, at=at, to_agency="border_service", due_at=at + timedelta(hours=1))
    due_at = at + timedelta(days=1) if kind is Step.ACCEPTED else None
    values: dict[str, Any] = {"agency": "customs", "officer": "A. Sydykova", "reason": "Our shift", "due_at": due_at}
    return ReferralStep(step=kind, at=at, **{**values, **changes})


def inspected(found: bool = True, **details: Any) -> InspectionRecord:
    """Return a result of a control of the case."""
    at = SCORED_AT + timedelta(hours=1)
    inspection = Inspection(
        inspection_id="i-1",
        revision=0,
        crossing_id="2026-TRG-004217",
        domain="revenue_fraud",
        inspected_at=at,
        known_at=at,
        found=found,
        details=details,
    )
    return InspectionRecord(
        inspection=inspection, chain=Chain.LIVE, position=4300, recorded_by="customs", received_at=at
    )


def since(minutes: int = 60, **changes: Any) -> SinceThen:
    """Return what happened to the case since, so many minutes after the scoring."""
    return SinceThen(now=SCORED_AT + timedelta(minutes=minutes), **changes)


def frame(language: str = "en", *, is_signed_in: bool = True) -> Frame:
    """Return what surrounds a page."""
    if not is_signed_in:
        return Frame(language, "/sign-in", "token")
    return Frame(language, "/cases/d-4217", "token", "A. Sydykova", "Customs", "Analyst", currency="KGS")
