"""The case: what is recommended and why, what was declared, what was done with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

from chekara import messages
from chekara.domain.actor import Actor, Permission, may
from chekara.domain.decision import Action, DomainScore, Reason
from chekara.domain.review import Review
from chekara.domain.vocabulary import ReviewAction, Role
from chekara.explain.reasons import Item, feature_label, instruction, sentence
from chekara.service.records import DecisionRecord
from chekara.service.visibility import (
    judges_blind,
    may_know_basis,
    own_actions,
    own_rules,
    own_scores,
    own_warnings,
    rule_text,
)
from chekara.web.declaration import header_facts, item_facts
from chekara.web.glance import headline, main_reason, own_lane_told, what_asked
from chekara.web.likelihood import likelihood_of
from chekara.web.lines import Task
from chekara.web.pages import CasePage, DomainPanel, Fact, Frame, ReasonLine, ReviewForm, ReviewLine
from chekara.web.queue import case_link
from chekara.web.together import SinceThen, control_line, delay_line, referral_lines, result_lines
from chekara.web.waterfall import build_waterfall, known_of, strongest_factor
from chekara.web.words import named, warning_texts

_STRONG, _CLEAR = 0.7, 0.25
"""Log-odds from which a reason is called strong (it about doubles the odds) or clear."""

MOST_REASONS = 4
"""Reasons told in words, for and against each; the waterfall shows the smaller ones too."""

_MOST_SIGNS = 3
"""Features named where only together they weigh enough to be told."""

_SHORT_DIGEST = len("sha256:") + 12


def may_review(record: DecisionRecord, actor: Actor) -> bool:
    """Whether the reader is offered the form: has the right, and this is the newest revision of a real crossing."""
    return may(actor, Permission.REVIEW) and record.superseded_by is None and not record.is_void


def build_case(
    record: DecisionRecord,
    reviews: Iterable[Review],
    actor: Actor,
    form: ReviewForm | None,
    *,
    frame: Frame,
    since: SinceThen,
    just_reviewed: bool = False,
) -> CasePage:
    """Build the case's page.

    Parameters
    ----------
    record : DecisionRecord
    reviews : iterable of Review
        Oldest first.
    actor : Actor
    form : ReviewForm or None
        None where the reader may not review.
    frame : Frame
    since : SinceThen
        Referrals, a delayed release, results.
    just_reviewed : bool

    Returns
    -------
    CasePage
    """
    language, decision = frame.language, record.decision
    reviews, told = tuple(reviews), decision.decided_elsewhere
    is_blind = judges_blind(record, actor, reviews, blind_first=frame.blind_first)
    scores = own_scores(record, actor)
    with_result = {one.inspection.domain for one in since.results if one.inspection.is_done}
    panels = tuple(
        _facts_panel(record, score, actor, frame)
        if is_blind and score.domain not in with_result
        else _panel(record, score, actor, frame, has_result=score.domain in with_result)
        for score in (sorted(scores, key=lambda score: score.domain) if is_blind else scores)
    )
    items = item_facts(record.crossing, (score.item_no for score in own_scores(record, actor)), language)
    hidden = len(record.crossing.items) - len(items)
    asked = what_asked(record, actor)
    panels = panels if is_blind else tuple(sorted(panels, key=lambda panel: panel.domain != asked.domain))
    main = next((panel for panel in panels if panel.domain == asked.domain), None)
    return CasePage(
        frame=frame,
        decision_id=decision.decision_id,
        crossing_id=decision.crossing_id,
        revision=str(decision.revision),
        lane=decision.lane.value,
        lane_label=messages.text(f"lane.{decision.lane}", language),
        lane_meaning=messages.text(f"lane.{decision.lane}.meaning", language) if told is None else None,
        own_lane=own_lane_told(record, actor, language),
        kind=messages.text("page.case.recommended" if told is None else "page.case.elsewhere.would", language),
        applied=None
        if told is None
        else messages.text(
            "page.case.elsewhere.applied",
            language,
            lane=messages.text(f"lane.{told.lane}", language),
            when=messages.instant(told.at, language),
        ),
        headline=headline(asked, main, language),
        main_reason=main_reason(asked, actor, _said_for(record, main, language), language),
        scored_at=messages.instant(decision.scored_at, language),
        crossing_point=decision.crossing_point,
        control=control_line(record, actor, language),
        tasks=tuple(_task(action, actor, language) for action in own_actions(record, actor)),
        delay=delay_line(since.delay, since.now, language),
        referrals=referral_lines(since, actor, language),
        results=result_lines(since.results, language),
        decided_elsewhere=_elsewhere(record, actor, reviews, language),
        rules=_rules(record, actor, language),
        warnings=warning_texts(own_warnings(record, actor), language),
        domains=panels,
        header_facts=header_facts(record.crossing, language),
        labels=tuple(Fact(named("label", name, language), value) for name, value in sorted(record.labels.items())),
        items=items,
        items_hidden=messages.text("page.case.more_items", language, n=str(hidden)) if hidden else None,
        reviews=tuple(_review(review, language) for review in reversed(reviews)),
        form=form,
        newer_link=case_link(record.superseded_by) if record.superseded_by else None,
        just_reviewed=just_reviewed,
    )


def _rules(record: DecisionRecord, actor: Actor, language: str) -> tuple[str, ...]:
    if not may(actor, Permission.READ_REASONS):
        return ()
    return tuple(
        messages.text(
            "page.case.rule",
            language,
            text=rule_text(hit, language),
            domain=named("domain", hit.domain, language),
            lane=messages.text(f"lane.{hit.lane}", language),
        )
        for hit in own_rules(record, actor)
    )


def _panel(record: DecisionRecord, score: DomainScore, actor: Actor, frame: Frame, *, has_result: bool) -> DomainPanel:
    language = frame.language
    # An inspector reads the evidence without a number of the model, so as not to be anchored by a score.
    is_shown_score = actor.role is not Role.INSPECTOR or has_result
    is_shown_reasons = may(actor, Permission.READ_REASONS)
    item = _item_of(record, score)
    model = score.model
    return DomainPanel(
        domain=score.domain,
        title=named("domain", score.domain, language),
        lead=messages.text("page.case.lead", language, agency=named("agency", score.agency, language)),
        item=messages.text("page.case.item", language, item=str(score.item_no)),
        likelihood=likelihood_of(score, language, frame.currency) if is_shown_score else None,
        reasons_for=_lines(score, language, item, is_towards=True, is_shown_amount=is_shown_reasons),
        reasons_against=_lines(score, language, item, is_towards=False, is_shown_amount=True)
        if is_shown_reasons
        else (),
        facts=(),
        waterfall=build_waterfall(score.base_value, score.contributions, score.margin, language)
        if is_shown_score and is_shown_reasons
        else None,
        risk=_risk(score, frame) if is_shown_score and is_shown_reasons else (),
        model=messages.text(
            "page.case.model", language, name=model.name, version=model.version, digest=model.digest[:_SHORT_DIGEST]
        ),
    )


def _item_of(record: DecisionRecord, score: DomainScore) -> Item:
    return next((item for item in record.crossing.items if item.get("item_no") == score.item_no), {})


def _risk(score: DomainScore, frame: Frame) -> tuple[Fact, ...]:
    """Tell what a risk is made of, part by part, in the order in which they multiply."""
    language = frame.language
    money = f"{messages.NO_BREAK_SPACE}{frame.currency}"
    told: dict[str, Callable[[float], str]] = {
        "likelihood": lambda part: messages.share(part, language),
        "magnitude": lambda part: messages.money(part, language) + money,
        "vulnerability": lambda part: messages.share(part, language),
        "impact": lambda part: messages.number(part, language),
        "expected_harm": lambda part: messages.money(part, language) + money,
    }
    return tuple(
        Fact(messages.text(f"page.case.risk_parts.{name}", language), tell(score.risk_parts[name]))
        for name, tell in told.items()
        if name in score.risk_parts
    )


def _facts_panel(record: DecisionRecord, score: DomainScore, actor: Actor, frame: Frame) -> DomainPanel:
    """Tell what is known, and neither what it speaks for nor how it weighs: a low score would give a draw away."""
    item = _item_of(record, score)
    known = sorted(score.reasons, key=lambda reason: reason.feature)
    facts = tuple(ReasonLine(sentence(reason, frame.language, item), None, None) for reason in known)
    whole = _panel(record, score, actor, frame, has_result=False)
    return replace(whole, likelihood=None, reasons_for=(), reasons_against=(), facts=facts, waterfall=None, risk=())


def _lines(
    score: DomainScore, language: str, item: Item, *, is_towards: bool, is_shown_amount: bool
) -> tuple[ReasonLine, ...]:
    """Tell one side in words; the waterfall's largest step there is always among what is told.

    Where that step is made of features too small to be stored as reasons, they are named together, last.
    """
    told, strongest, is_untold = _told(score, is_towards=is_towards)
    lines = [_line(sentence(reason, language, item), reason.contribution, language, is_shown_amount) for reason in told]
    if is_untold:
        pulling = [name for name in strongest if (score.contributions[name] > 0) == is_towards]
        signs = "; ".join(feature_label(name, language) for name in pulling[:_MOST_SIGNS])
        key = "page.case.small_sign" if len(pulling) == 1 else "page.case.small_signs"
        amount = math.fsum(score.contributions[name] for name in strongest)
        lines.append(_line(messages.text(key, language, signs=signs), amount, language, is_shown_amount))
    return tuple(lines)


def _told(score: DomainScore, *, is_towards: bool) -> tuple[list[Reason], Collection[str], bool]:
    """Choose the reasons of one side; also its strongest factor, and whether none of them is of that factor."""
    strongest = strongest_factor(score.contributions, is_towards=is_towards)
    reasons = [reason for reason in score.reasons if (reason.contribution > 0) == is_towards]
    is_untold = bool(strongest) and not any(reason.feature in strongest for reason in reasons)
    return _varied(reasons, strongest, MOST_REASONS - is_untold), strongest, is_untold


def _said_for(record: DecisionRecord, panel: DomainPanel | None, language: str) -> list[tuple[Reason, str]]:
    """Say the reasons for a hit that a panel tells; none where it tells facts alone."""
    if panel is None or not panel.reasons_for:
        return []
    score = next(score for score in record.decision.domains if score.domain == panel.domain)
    item = _item_of(record, score)
    return [(reason, sentence(reason, language, item)) for reason in _told(score, is_towards=True)[0]]


def _varied(reasons: Sequence[Reason], strongest: Collection[str], most: int) -> list[Reason]:
    """Choose reasons of different entities first: four sentences about one importer tell a reader one thing.

    A reason of the strongest factor is among them, even where others are larger than any of its features.
    """
    told: set[str] = set()
    first: list[int] = []
    for place, reason in enumerate(reasons):
        subject = known_of(reason.feature) or f"the feature {reason.feature}"
        if subject not in told:
            told.add(subject)
            first.append(place)
    first.sort(key=lambda place: reasons[place].feature not in strongest)
    others = [place for place in range(len(reasons)) if place not in first]
    return [reasons[place] for place in sorted([*first, *others][:most])]


def _line(said: str, contribution: float, language: str, is_shown_amount: bool) -> ReasonLine:
    size = abs(contribution)
    strength = "strong" if size >= _STRONG else "medium" if size >= _CLEAR else "weak"
    return ReasonLine(
        sentence=said,
        amount=messages.signed(contribution, language) if is_shown_amount else None,
        strength=messages.text(f"page.case.{strength}", language) if is_shown_amount else None,
    )


def _task(action: Action, actor: Actor, language: str) -> Task:
    return Task(
        agency=named("agency", action.agency, language),
        role=named("agency_role", action.role, language),
        domain=named("domain", action.domain, language),
        lane=action.lane.value,
        control=messages.text(action.control, language),
        instruction=instruction(action, language),
        due_at=messages.text("page.case.due", language, when=messages.instant(action.due_at, language)),
        is_own=action.agency == actor.agency,
    )


def _review(review: Review, language: str) -> ReviewLine:
    what = messages.text(
        f"page.review.did_{review.action}",
        language,
        lane=messages.text(f"lane.{review.lane}", language) if review.action is ReviewAction.OVERRIDE else "",
        agency=named("agency", review.refer_to, language) if review.refer_to else "",
        when=messages.instant(review.until, language) if review.until else "",
    )
    return ReviewLine(
        officer=review.officer,
        agency=named("agency", review.agency, language),
        what=what,
        reason=review.reason,
        reviewed_at=messages.instant(review.reviewed_at, language),
    )


def _elsewhere(record: DecisionRecord, actor: Actor, reviews: Sequence[Review], language: str) -> tuple[Fact, ...]:
    told = record.decision.decided_elsewhere
    if told is None:
        return ()
    values = {
        "lane": messages.text(f"lane.{told.lane}", language),
        "at": messages.instant(told.at, language),
        "by": told.by,
    }
    if may_know_basis(record, actor, reviews):
        values["basis"] = messages.text(f"basis.{told.basis}", language)
        if told.propensity is not None:
            values["propensity"] = messages.share(told.propensity, language)
    return tuple(Fact(messages.text(f"page.case.elsewhere.{name}", language), value) for name, value in values.items())
