"""The case says what the reader may know, in words that hold."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekara import messages
from chekara.domain.actor import Actor
from chekara.domain.decision import Notice, Reason
from chekara.domain.vocabulary import Role
from chekara.service.records import DecisionPage
from chekara.web.case import build_case, may_review
from chekara.web.likelihood import likelihood_of
from chekara.web.pages import CasePage
from chekara.web.queue import QueueFilter, build_queue
from chekara.web.render import render
from chekara.web.words import warning_texts
from tests.web import examples

LANGUAGES = messages.languages()


def case(actor: Actor = examples.ANALYST, language: str = "en", **changes: object) -> CasePage:
    record = examples.record(**changes)  # type: ignore[arg-type]  # any field of a record
    return build_case(record, (examples.review(),), actor, None, frame=examples.frame(language))


def test_recommendation_and_main_reason_stand_first() -> None:
    page = case()
    assert page.headline == "Customs duty and value fraud: about 31 of 100 such crossings have a violation"
    assert page.main_reason is not None
    assert page.main_reason.startswith("Declared 1.90 per kg; usual for HS 610910 from CN: 7.40.")
    assert (page.lane_label, page.tasks[0].control) == ("Red: physical inspection", "Partial unloading")
    assert page.tasks[0].instruction == "Item 2: Check mass and value against the goods and the invoice."
    assert page.tasks[0].due_at == "by 24 Nov 2026, 13:07"


def test_hidden_domain_shows_only_as_another_agency() -> None:
    html = render(case())
    assert [panel.domain for panel in case().domains] == ["revenue_fraud"]
    assert "Another agency wants this crossing." in html
    for secret in ("vehicle_crime", "Stolen", "registers", "Check of the vehicle"):
        assert secret not in html


def test_warnings_of_a_kind_stand_together() -> None:
    notices = [Notice("no_model", None, "contraband"), Notice("test_key"), Notice("no_model", None, "sps_violation")]
    said = warning_texts([*notices, Notice("drone_seen"), Notice("unseen_category", "x_lorry_park")], "en")
    assert said == (
        "Contraband, Veterinary or plant-health breach: no model serves yet, so this was not scored.",
        "Scored with a test key: not a real crossing.",
        "The service reports: drone_seen.",
        "lorry park: such a value does not occur in the history that the model learned from. "
        "The score is less certain.",
    )


def test_coordinator_sees_all() -> None:
    border = Actor("k9", "C. Asanova", "border_service", Role.ANALYST)
    assert {panel.domain for panel in case(border).domains} == {"revenue_fraud", "vehicle_crime"}
    assert "Another agency" not in render(case(border))


def test_inspector_reads_the_evidence_but_no_number_of_the_model() -> None:
    page = case(examples.INSPECTOR)
    html = render(page)
    assert page.headline is None
    assert page.domains[0].likelihood is None
    assert page.domains[0].waterfall is None
    assert "Declared 1.90 per kg" in html
    for number in ("31 of 100", "98.7", "+1.40", "−0.27", "strong"):
        assert number not in html


def test_one_entity_does_not_take_all_the_sentences() -> None:
    profiles = ("importer_hit_rate_contraband", "importer_volume_long", "importer_burst", "importer_volume_short")
    importer = [Reason(name, 3.0, 1.0, 0.9 - place / 10) for place, name in enumerate(profiles)]
    others = [
        Reason("duty_share", 0.02, 0.12, 0.3),
        Reason("hour_of_day", 3.0, 11.0, 0.2),
        Reason("mode", "r", "a", 0.1),
    ]
    record = examples.record()
    decision = dataclasses.replace(record.decision, domains=(examples.score(reasons=(*importer, *others)),))
    page = build_case(
        dataclasses.replace(record, decision=decision), (), examples.ANALYST, None, frame=examples.frame("en")
    )
    assert [line.amount for line in page.domains[0].reasons_for] == ["+0.90", "+0.30", "+0.20", "+0.10"]


def test_entity_tokens_are_never_shown() -> None:
    assert "token" not in render(case()).replace('name="csrf_token" value="token"', "")


@pytest.mark.parametrize(
    ("actor", "changes", "offered"),
    [
        (examples.ANALYST, {}, True),
        (dataclasses.replace(examples.ANALYST, role=Role.SUPERVISOR), {}, True),
        (examples.INSPECTOR, {}, False),
        (examples.ANALYST, {"superseded_by": "d-5000"}, False),
        (examples.ANALYST, {"is_void": True}, False),
    ],
)
def test_who_is_offered_the_form(actor: Actor, changes: dict[str, object], offered: bool) -> None:
    assert may_review(examples.record(**changes), actor) is offered  # type: ignore[arg-type]


def test_superseded_revision_leads_to_the_newer_one() -> None:
    page = case(superseded_by="d 5000/x")
    assert page.newer_link == "/cases/d%205000%2Fx"
    assert "can no longer be reviewed" in render(page)


def test_lines_that_carry_a_score_come_first_and_hidden_ones_are_counted() -> None:
    page = case(n_items=60)
    assert page.items[0].item_no == "2"
    assert page.items[0].is_scored
    assert len(page.items) == 50
    assert page.items_hidden == "Items not shown: 10"


@given(
    st.floats(1e-6, 1 - 1e-6),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0, 1),
    st.sampled_from(LANGUAGES),
)
def test_likelihood_counts_in_one_reference_class(p: float, down: float, up: float, rank: float, language: str) -> None:
    score = examples.score(probability=p, interval=(p * down, p + (1 - p) * up), rank=rank)
    words = likelihood_of(score, language)
    size = next((n for n in (100, 1000, 10000) if p * n >= 1), 10000)
    for said in (words.probability, words.interval, words.short):
        assert messages.number(size, language) in said
    assert "100 %" not in words.rank.replace(messages.NO_BREAK_SPACE, " ") or rank == 1


@pytest.mark.parametrize(("rank", "share"), [(0.9996, "99.9 %"), (0.987, "98.7 %"), (0.5, "50 %"), (0.0, "0 %")])
def test_nothing_is_riskier_than_all_of_the_crossings_that_it_is_one_of(rank: float, share: str) -> None:
    said = likelihood_of(examples.score(rank=rank), "en").rank.replace(messages.NO_BREAK_SPACE, " ")
    assert said == f"Riskier than {share} of recent crossings"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_size_of_a_hit_is_said_in_two_digits_or_not_at_all(language: str) -> None:
    said = likelihood_of(examples.score(expected_amount=8437.12), language).amount
    assert said is not None
    assert messages.number(8400, language) in said
    short = likelihood_of(examples.score(expected_amount=8437.12), language).amount_short
    assert short is not None
    assert messages.number(8400, language) in short
    unknown = likelihood_of(examples.score(expected_amount=None), language)
    assert unknown.amount is unknown.amount_short is None


def test_an_inspector_is_told_no_size_either() -> None:
    of = examples.record()
    sized = dataclasses.replace(
        of, decision=dataclasses.replace(of.decision, domains=(examples.score(expected_amount=8437.12),))
    )
    for role, is_told in ((Role.ANALYST, True), (Role.INSPECTOR, False)):
        actor = dataclasses.replace(examples.ANALYST, role=role)
        (panel,) = build_case(sized, (), actor, None, frame=examples.frame()).domains
        assert (panel.likelihood is not None and panel.likelihood.amount is not None) == is_told
        page = build_queue(
            DecisionPage((sized,), None),
            actor,
            QueueFilter(),
            (),
            frame=examples.frame(),
            now=of.decision.scored_at,
        )
        assert [row.size is not None for row in page.rows] == [is_told]
        assert ("8,400" in render(page)) == is_told


def test_reasons_of_different_entities_come_before_a_second_of_one() -> None:
    names = ["importer_hit_rate_contraband", "importer_burst", "importer_volume_long", "value_per_kg", "carrier_burst"]
    names += ["importer_volume_recent", "hs4_volume_long"]
    reasons = tuple(Reason(name, 1.0, None, 2.0 - 0.1 * n, {}) for n, name in enumerate(names))
    own = dataclasses.replace(examples.record().decision, domains=(examples.score(reasons=reasons),))
    (panel,) = case(decision=own).domains
    assert [line.amount for line in panel.reasons_for] == ["+2.00", "+1.70", "+1.60", "+1.40"]
    few = dataclasses.replace(own, domains=(examples.score(reasons=reasons[:4]),))
    (panel,) = case(decision=few).domains
    assert [line.amount for line in panel.reasons_for] == ["+2.00", "+1.90", "+1.80", "+1.70"]
