"""The case says what the reader may know, in words that hold."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chekara import messages
from chekara.domain.actor import Actor
from chekara.domain.decision import Action, Decision, DomainScore, Notice, Reason
from chekara.domain.selection import Draw, Grounds, RuleHit, Selection
from chekara.domain.vocabulary import Lane, Role
from chekara.explain.reasons import feature_label, sentence, strongest_reasons
from chekara.service.records import DecisionPage
from chekara.web.case import MOST_REASONS, build_case, may_review
from chekara.web.likelihood import likelihood_of
from chekara.web.pages import CasePage, QueuePage
from chekara.web.queue import QueueFilter, build_queue
from chekara.web.render import render
from chekara.web.words import warning_texts
from tests.web import examples

LANGUAGES = messages.languages()


def explained(*reasons: Reason) -> DomainScore:
    """Return a score that nothing but these reasons moved."""
    moved = {reason.feature: reason.contribution for reason in reasons}
    return examples.score(contributions=moved, reasons=reasons, margin=examples.BASE_VALUE + math.fsum(moved.values()))


class NoEvidence:
    """Knows nothing."""

    def of(self, feature: str, value: object, goods: str | None) -> tuple[None, dict[str, float]]:
        return None, {}


def case(actor: Actor = examples.ANALYST, language: str = "en", **changes: object) -> CasePage:
    record = examples.record(**changes)  # type: ignore[arg-type]  # any field of a record
    return build_case(record, (examples.review(),), actor, None, frame=examples.frame(language), since=examples.since())


def test_recommendation_and_main_reason_stand_first() -> None:
    page = case()
    assert page.headline == "Customs duty and value fraud: about 31 of 100 such crossings have a violation"
    assert page.main_reason is not None
    assert page.main_reason.startswith("Declared 1.90 per kg; usual for HS 610910 from CN: 7.40.")
    assert (page.lane_label, page.tasks[0].control) == ("Red: physical inspection", "Partial unloading")
    assert page.tasks[0].instruction == "Item 2: Check mass and value against the goods and the invoice."
    assert page.tasks[0].due_at == "by 24 Nov 2026, 13:07"


def met(domain: str, **texts: str) -> RuleHit:
    return RuleHit("r-1", domain, Lane.YELLOW, "customs", "rule", 2, texts)


def test_rules_that_were_met_are_told_to_who_may_read_reasons() -> None:
    rules = (met("revenue_fraud", en="Cheap <b>tyres</b>.", ru="Дешёвые шины."), met("vehicle_crime", en="Hidden."))
    decision = dataclasses.replace(examples.record().decision, grounds=Grounds(rules=rules))
    (told,) = case(decision=decision).rules
    assert told == "Cheap <b>tyres</b>. (Customs duty and value fraud, at least Yellow: documentary check)"
    assert "Cheap &lt;b&gt;tyres&lt;/b&gt;." in render(case(decision=decision))
    assert "Hidden." not in render(case(decision=decision))
    assert case(language="ru", decision=decision).rules[0].startswith("Дешёвые шины.")
    assert case(language="ky", decision=decision).rules[0].startswith("Cheap")
    assert case(examples.INSPECTOR, decision=decision).rules == ()
    assert "Rules that were met" not in render(case())


STOLEN = "The vehicle is on the list of stolen vehicles."


def asked(domain: str, lane: Lane, agency: str = "customs") -> Action:
    shown = examples.record().decision.actions[0]
    return dataclasses.replace(shown, agency=agency, domain=domain, lane=lane)


def headed(actions: tuple[Action, ...], rules: tuple[RuleHit, ...] = (), **changes: object) -> Decision:
    """Return a decision scored in two domains of customs, contraband the less likely one."""
    contraband = examples.score("contraband", probability=0.02, interval=(0.01, 0.03), risk=0.3)
    fields = {"domains": (examples.score(), contraband), "actions": actions, "grounds": Grounds(rules=rules)}
    return dataclasses.replace(examples.record().decision, **fields | changes)  # type: ignore[arg-type]


def hit(domain: str, lane: Lane, text: str = STOLEN) -> RuleHit:
    return RuleHit("R-3", domain, lane, "customs", "intelligence", None, {"en": text})


def test_the_head_tells_the_rule_that_asks_for_the_lane() -> None:
    page = case(decision=headed((asked("contraband", Lane.RED),), (hit("contraband", Lane.RED),)))
    assert page.headline == "Contraband: about 2 of 100 such crossings have a violation"
    assert page.main_reason == STOLEN
    assert page.domains[0].domain == "contraband"
    inspector = case(
        examples.INSPECTOR, decision=headed((asked("contraband", Lane.RED),), (hit("contraband", Lane.RED),))
    )
    assert (inspector.headline, inspector.main_reason) == ("Contraband", None)


def test_a_rule_that_asks_for_less_than_the_lane_is_not_its_main_reason() -> None:
    page = case(decision=headed((asked("revenue_fraud", Lane.RED),), (hit("revenue_fraud", Lane.YELLOW),)))
    assert page.main_reason is not None
    assert page.main_reason.startswith("Declared 1.90 per kg")


def test_of_two_risks_that_ask_for_a_lane_the_one_with_a_rule_stands_first() -> None:
    both = (asked("revenue_fraud", Lane.RED), asked("contraband", Lane.RED))
    assert case(decision=headed(both)).domains[0].domain == "revenue_fraud"
    page = case(decision=headed(both, (hit("contraband", Lane.RED),)))
    assert (page.domains[0].domain, page.main_reason) == ("contraband", STOLEN)


def test_the_head_is_about_what_the_own_agency_is_asked_for() -> None:
    actions = (asked("revenue_fraud", Lane.YELLOW, "agriculture"), asked("contraband", Lane.BLUE))
    page = case(decision=headed(actions, (hit("revenue_fraud", Lane.YELLOW), hit("contraband", Lane.BLUE, "Own."))))
    assert page.headline is not None
    assert page.headline.startswith("Contraband: about 2 of 100")
    assert page.main_reason == "Own."


def test_a_rule_of_a_risk_that_no_model_scores_is_told_too() -> None:
    decision = headed((asked("contraband", Lane.RED),), (hit("contraband", Lane.RED),), domains=(examples.score(),))
    assert (case(decision=decision).headline, case(decision=decision).main_reason) == ("Contraband", STOLEN)


def test_no_main_reason_whose_evidence_speaks_for_a_release() -> None:
    rare = {"inspected": 126.0, "hits": 2.0, "share": 0.016, "share_all": 0.077}
    often = {"inspected": 90.0, "hits": 20.0, "share": 0.22, "share_all": 0.077}
    against, speaks = Reason("occupants", 5.0, None, 0.9, rare), Reason("mode", "road", None, 0.3, often)
    told = case(decision=headed((), domains=(explained(against, speaks),))).main_reason
    assert told is not None
    assert "Of 90 inspected" in told
    assert case(decision=headed((), domains=(explained(against),))).main_reason is None


def queue(*decisions: Decision, actor: Actor = examples.ANALYST, language: str = "en") -> QueuePage:
    records = tuple(examples.record(decision=decision) for decision in decisions)
    now, frame = examples.SCORED_AT, examples.frame(language)
    return build_queue(DecisionPage(records, None), actor, QueueFilter(), (), frame=frame, now=now)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_queue_shows_the_lane_of_the_own_agency_and_names_that_of_another(language: str) -> None:
    others = asked("sps_violation", Lane.RED, "agriculture")
    none, blue, red = (
        dataclasses.replace(headed(actions), crossing_id=name)
        for name, actions in (
            ("none", (others,)),
            ("blue", (others, asked("contraband", Lane.BLUE))),
            ("red", (asked("revenue_fraud", Lane.RED),)),
        )
    )
    page = queue(none, blue, red, language=language)
    assert [(row.crossing_id, row.lane) for row in page.rows] == [("red", "red"), ("blue", "blue"), ("none", None)]
    assert [row.others_lane is None for row in page.rows] == [True, False, False]
    assert page.rows[1].domain == messages.text("domain.contraband", language)
    word = messages.text("lane.red.short", language)
    html = render(page)
    assert html.count("lane--red") == html.count(f": {word}</span>") - 1 == 1
    assert word in str(page.rows[2].others_lane)
    told = [case(language=language, decision=one).own_lane for one in (none, blue, red)]
    assert told[2] is None
    assert told[0] == messages.text("page.queue.no_task", language)
    assert messages.text("lane.blue", language) in str(told[1])


@given(
    st.lists(st.tuples(st.sampled_from(("revenue_fraud", "contraband")), st.sampled_from(list(Lane))), max_size=3),
    st.lists(st.tuples(st.sampled_from(("revenue_fraud", "contraband")), st.sampled_from(list(Lane))), max_size=3),
)
def test_the_head_does_not_depend_on_what_selected(asks: list[tuple[str, Lane]], rules: list[tuple[str, Lane]]) -> None:
    plain = headed(tuple(asked(*one) for one in asks), tuple(hit(*one) for one in rules))
    draws = tuple(Draw("lot", one.domain, 0.01, True, Lane.RED, "sha256:00") for one in plain.actions)
    selections = tuple(Selection(one.domain, Lane.RED, "random", 0.01) for one in plain.actions)
    drawn = dataclasses.replace(
        plain,
        selected_by="random",
        selections=selections,
        grounds=dataclasses.replace(plain.grounds, draws=draws),
    )
    for actor in (examples.ANALYST, examples.INSPECTOR):
        record = examples.record(decision=plain)
        of_lot = examples.record(decision=drawn)
        pages = [
            build_case(one, (), actor, None, frame=examples.frame(), since=examples.since()) for one in (record, of_lot)
        ]
        assert pages[0] == pages[1]


def test_the_parts_of_a_risk_are_told_with_their_units() -> None:
    parts = {"likelihood": 0.31, "magnitude": 21000.0, "vulnerability": 0.5, "impact": 2.0, "expected_harm": 6510.0}
    decision = examples.record().decision
    harm = dataclasses.replace(examples.score(), risk_parts=parts | {"risk": 0.25})
    shown = case(decision=dataclasses.replace(decision, domains=(harm,)))
    told = {fact.label: fact.value.replace(messages.NO_BREAK_SPACE, " ") for fact in shown.domains[0].risk}
    assert told["Likelihood"] == "31 %"
    assert told["Harm to expect"].startswith("6,510")
    assert list(told) == [
        "Likelihood",
        "Harm of a hit",
        "Weakness of the post",
        "Weight of the domain",
        "Harm to expect",
    ]
    assert "Harm to expect" in render(shown)
    assert case(decision=decision).domains[0].risk == ()
    assert case(examples.INSPECTOR, decision=dataclasses.replace(decision, domains=(harm,))).domains[0].risk == ()


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
    words = likelihood_of(score, language, "KGS")
    size = next((n for n in (100, 1000, 10000) if p * n >= 1), 10000)
    for said in (words.probability, words.interval, words.short):
        assert messages.number(size, language) in said
    assert "100 %" not in words.rank.replace(messages.NO_BREAK_SPACE, " ") or rank == 1


@pytest.mark.parametrize(("rank", "share"), [(0.9996, "99.9 %"), (0.987, "98.7 %"), (0.5, "50 %"), (0.0, "0 %")])
def test_nothing_is_riskier_than_all_of_the_crossings_that_it_is_one_of(rank: float, share: str) -> None:
    said = likelihood_of(examples.score(rank=rank), "en", "KGS").rank.replace(messages.NO_BREAK_SPACE, " ")
    assert said == f"Riskier than {share} of recent crossings"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_size_of_a_hit_is_said_in_two_digits_or_not_at_all(language: str) -> None:
    said = likelihood_of(examples.score(expected_amount=8437.12), language, "KGS").amount
    assert said is not None
    assert messages.number(8400, language) in said
    short = likelihood_of(examples.score(expected_amount=8437.12), language, "KGS").amount_short
    assert short is not None
    assert messages.number(8400, language) in short
    unknown = likelihood_of(examples.score(expected_amount=None), language, "KGS")
    assert unknown.amount is unknown.amount_short is None


def test_an_inspector_is_told_no_size_either() -> None:
    of = examples.record()
    sized = dataclasses.replace(
        of, decision=dataclasses.replace(of.decision, domains=(examples.score(expected_amount=8437.12),))
    )
    for role, is_told in ((Role.ANALYST, True), (Role.INSPECTOR, False)):
        actor = dataclasses.replace(examples.ANALYST, role=role)
        (panel,) = build_case(sized, (), actor, None, frame=examples.frame(), since=examples.since()).domains
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
        assert ("8,400\u00a0KGS" in render(page)) == is_told


def test_reasons_of_different_entities_come_before_a_second_of_one() -> None:
    names = ["importer_hit_rate_contraband", "importer_burst", "importer_volume_long", "value_per_kg", "carrier_burst"]
    names += ["importer_volume_recent", "hs4_volume_long"]
    reasons = tuple(Reason(name, 1.0, None, 2.0 - 0.1 * n, {}) for n, name in enumerate(names))
    own = dataclasses.replace(examples.record().decision, domains=(explained(*reasons),))
    (panel,) = case(decision=own).domains
    assert [line.amount for line in panel.reasons_for] == ["+2.00", "+1.70", "+1.60", "+1.40"]
    few = dataclasses.replace(own, domains=(explained(*reasons[:4]),))
    (panel,) = case(decision=few).domains
    assert [line.amount for line in panel.reasons_for] == ["+2.00", "+1.90", "+1.80", "+1.70"]


KINDS = ("importer", "carrier", "hs4", "declarant", "origin")
MEASURES = ("burst", "volume_long", "volume_recent", "days_since_last", "price_spread", "days_since_first")
MOVED = st.dictionaries(
    st.sampled_from(
        [f"{kind}_{measure}" for kind in KINDS for measure in MEASURES] + ["mode", "packages", "hour_of_day"]
    ),
    st.integers(-200, 200).map(lambda cents: cents / 100),
)


@given(MOVED)
@example({f"importer_{measure}": 0.2 for measure in MEASURES} | {f"{kind}_burst": 0.3 for kind in KINDS[1:]})
@example({f"{kind}_{measure}": 0.5 for kind in KINDS for measure in MEASURES[:2]} | {"mode": -0.1})
@example(dict.fromkeys(("importer_burst", "carrier_burst"), 0.9) | {f"{kind}_volume_long": 0.5 for kind in KINDS})
def test_the_largest_step_of_each_side_is_told(moved: dict[str, float]) -> None:
    stored = strongest_reasons(list(moved), [1.0] * len(moved), list(moved.values()), NoEvidence())
    score = examples.score(contributions=moved, reasons=stored, margin=examples.BASE_VALUE + math.fsum(moved.values()))
    own = dataclasses.replace(examples.record().decision, domains=(score,))
    (panel,) = case(decision=own).domains
    factors: dict[str, list[str]] = {}
    for name in moved:
        factors.setdefault(next((kind for kind in KINDS if name.startswith(kind)), name), []).append(name)
    for sign, told in ((1, panel.reasons_for), (-1, panel.reasons_against)):
        assert len(told) <= MOST_REASONS
        pulls = sorted(((sign * sum(moved[n] for n in names), names) for names in factors.values()), reverse=True)
        if not pulls or pulls[0][0] < 0.01 or (len(pulls) > 1 and pulls[0][0] - pulls[1][0] < 0.001):
            continue
        pulling = [name for name in pulls[0][1] if sign * moved[name] > 0]
        words = {feature_label(name, "en") for name in pulling}
        words |= {sentence(reason, "en") for reason in stored if reason.feature in pulling}
        said = [line.sentence for line in told]
        assert any(word in line for word in words for line in said), (words, said)
