"""From scores to lanes and actions: pure, strictest wins, floors hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekara.domain.decision import DomainScore, ModelIdentity
from chekara.domain.selection import CapacityState, Draw, Floor, Grounds, RuleHit
from chekara.domain.vocabulary import Lane
from chekara.errors import ConfigurationError
from chekara.policy import decide, lanes_by_domain, load_policy

POLICY = load_policy()
AT = datetime(2026, 11, 24, tzinfo=UTC)
DOMAINS = sorted(POLICY.domains)

risks = st.dictionaries(st.sampled_from(DOMAINS), st.floats(0, 1))
floors = st.dictionaries(
    st.sampled_from(DOMAINS), st.builds(Floor, st.sampled_from(list(Lane)), st.sampled_from(["model", "officer"]))
)


def score(domain: str, risk: float) -> DomainScore:
    return DomainScore(
        domain=domain,
        agency="customs",
        probability=0.5,
        interval=(0.4, 0.6),
        rank=risk,
        risk=risk,
        item_no=3,
        model=ModelIdentity(domain, "1", "sha256:1"),
        base_value=0.0,
        margin=0.0,
        contributions={},
        reasons=(),
    )


@given(risks, floors)
def test_the_strictest_domain_sets_the_lane(risk: dict[str, float], floor: dict[str, Floor]) -> None:
    decided = decide([score(d, r) for d, r in risk.items()], POLICY, "P", AT, Grounds(floors=floor))
    own = {d: POLICY.domains[d].lane(r) for d, r in risk.items()}
    for domain, one in floor.items():
        if one.lane.strictness > own.get(domain, Lane.GREEN).strictness:
            own[domain] = one.lane
    assert decided.lane.strictness == max((lane.strictness for lane in own.values()), default=0)
    assert (decided.selected_by is None) == (decided.lane is Lane.GREEN)
    led = {a.domain: a.lane for a in decided.actions if a.leads_domain}
    assert sum(a.role == "lead" for a in decided.actions) == bool(led)
    assert led == {domain: lane for domain, lane in own.items() if lane is not Lane.GREEN}
    strictness = [a.lane.strictness for a in decided.actions]
    assert strictness == sorted(strictness, reverse=True)


@given(st.lists(risks, min_size=1, max_size=20))
def test_lanes_of_many_are_the_lanes_of_each(many: list[dict[str, float]]) -> None:
    columns = {d: np.array([one.get(d, np.nan) for one in many]) for d in DOMAINS}
    each = [decide([score(d, r) for d, r in one.items()], POLICY, "P", AT).lane.strictness for one in many]
    assert np.max(list(lanes_by_domain(columns, POLICY).values()), axis=0).tolist() == each


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_lane_of_many_begins_at_its_threshold(domain: str) -> None:
    for lane, threshold in POLICY.domains[domain].thresholds.items():
        around = np.array([np.nextafter(threshold, 0), threshold])
        assert lanes_by_domain({domain: around}, POLICY)[domain].tolist()[1] == lane.strictness
        assert lanes_by_domain({domain: around}, POLICY)[domain].tolist()[0] < lane.strictness


@given(risks)
def test_decisions_are_pure(risk: dict[str, float]) -> None:
    scores = [score(d, r) for d, r in risk.items()]
    assert decide(scores, POLICY, "P", AT) == decide(scores[::-1], POLICY, "P", AT)


def test_lead_and_informed_get_their_own_action() -> None:
    (lead, *informed) = decide([score("contraband", 1.0)], POLICY, "P", AT).actions
    assert (lead.agency, lead.role, lead.lane, lead.item_no) == ("customs", "lead", Lane.RED, 3)
    assert [a.agency for a in informed] == ["internal_affairs", "border_service"]
    assert {a.role for a in informed} == {"informed"}
    assert lead.due_at == AT + timedelta(minutes=60)


def test_who_leads_depends_on_the_place() -> None:
    assert decide([score("contraband", 1.0)], POLICY, "AK-JOL", AT).actions[0].agency == "internal_affairs"


def test_a_floor_holds_for_a_domain_without_a_score_and_names_who_set_it() -> None:
    decided = decide(
        [score("contraband", 0.0)], POLICY, "P", AT, Grounds(floors={"sps_violation": Floor(Lane.YELLOW, "officer")})
    )
    assert (decided.lane, decided.selected_by) == (Lane.YELLOW, "officer")
    assert {a.item_no for a in decided.actions} == {None}


def test_a_lane_without_a_control_of_its_own_takes_the_next_stricter_one() -> None:
    decided = decide([], POLICY, "P", AT, Grounds(floors={"contraband": Floor(Lane.BLUE, "officer")}))
    assert decided.actions[0].control == POLICY.domains["contraband"].controls[Lane.YELLOW].control


def test_a_domain_that_the_policy_does_not_know() -> None:
    with pytest.raises(ConfigurationError, match="nothing of this domain"):
        decide([score("tea_smuggling", 1.0)], POLICY, "P", AT)


def hit(lane: Lane, channel: str = "rule", domain: str = "contraband", item_no: int | None = None) -> RuleHit:
    return RuleHit("r", domain, lane, "customs", channel, item_no, {"en": "because"})


def draw(propensity: float, *, is_drawn: bool, arm: str = "lot", lane: Lane = Lane.RED) -> Draw:
    return Draw(arm, "contraband", propensity, is_drawn, lane, "sha256:1")


def state(threshold: float, agency: str = "customs", lane: Lane = Lane.RED) -> CapacityState:
    return CapacityState(agency, lane, "2026-11-24T00:00:00Z", 4, 3, 10.0, threshold)


@given(st.floats(0, 1), st.lists(st.builds(hit, st.sampled_from(list(Lane)), st.sampled_from(["rule", "mandatory"]))))
def test_a_model_never_lowers_what_a_rule_demands(risk: float, hits: list[RuleHit]) -> None:
    alone = decide([score("contraband", risk)], POLICY, "P", AT).lane
    decided = decide([score("contraband", risk)], POLICY, "P", AT, Grounds(rules=tuple(hits)))
    strictest = max([alone, *(one.lane for one in hits)], key=lambda lane: lane.strictness)
    assert decided.lane is strictest
    named = {one.selected_by for one in hits if one.lane is strictest} | ({"model"} if alone is strictest else set())
    if strictest is not Lane.GREEN:
        assert decided.selected_by == next(c for c in ("mandatory", "rule", "model") if c in named)


def test_a_draw_is_named_before_everything_else_because_it_came_first() -> None:
    grounds = Grounds(rules=(hit(Lane.RED, "mandatory"),), draws=(draw(0.1, is_drawn=True),))
    (selection, *_) = decide([score("contraband", 1.0)], POLICY, "P", AT, grounds).selections
    assert (selection.selected_by, selection.propensity) == ("random", 0.1)


def test_propensities_of_several_arms_join_to_that_of_any_of_them() -> None:
    grounds = Grounds(draws=(draw(0.1, is_drawn=False), draw(0.5, is_drawn=True, arm="area-1")))
    (selection,) = decide([], POLICY, "P", AT, grounds).selections
    assert selection.propensity == pytest.approx(0.55)


def test_what_was_not_drawn_asks_for_nothing() -> None:
    assert decide([], POLICY, "P", AT, Grounds(draws=(draw(0.9, is_drawn=False),))).lane is Lane.GREEN


def test_a_draw_in_a_domain_that_does_not_apply_asks_for_nothing_and_rules_there_still_do() -> None:
    drawn = Grounds(draws=(draw(0.1, is_drawn=True),), not_applicable=("contraband",))
    assert decide([], POLICY, "P", AT, drawn).lane is Lane.GREEN
    assert decide([], POLICY, "P", AT, replace(drawn, not_applicable=("revenue_fraud",))).lane is Lane.RED
    (selection,) = decide([], POLICY, "P", AT, replace(drawn, rules=(hit(Lane.YELLOW),))).selections
    assert (selection.lane, selection.selected_by, selection.propensity) == (Lane.YELLOW, "rule", None)


def test_capacity_takes_the_place_of_the_threshold_of_its_agency_and_lane_alone() -> None:
    own = POLICY.domains["contraband"].thresholds
    just_red = own[Lane.RED]
    nothing_left = Grounds(capacity=(state(float("inf")),))
    assert decide([score("contraband", just_red)], POLICY, "P", AT, nothing_left).lane is Lane.YELLOW
    another = Grounds(capacity=(state(float("inf"), "agriculture"),))
    assert decide([score("contraband", just_red)], POLICY, "P", AT, another).lane is Lane.RED
    quiet_night = Grounds(capacity=(state(0.1),))
    assert decide([score("contraband", 0.1)], POLICY, "P", AT, quiet_night).lane is Lane.RED


def test_rules_bind_where_nothing_is_left_and_where_models_are_stopped() -> None:
    grounds = Grounds(rules=(hit(Lane.RED),), capacity=(state(float("inf")),), without_models=("customs",))
    assert decide([score("contraband", 1.0)], POLICY, "P", AT, grounds).selected_by == "rule"


def test_who_stopped_the_models_is_asked_for_nothing_by_them() -> None:
    stopped = Grounds(without_models=("customs",))
    decided = decide([score("contraband", 1.0), score("sps_violation", 1.0)], POLICY, "P", AT, stopped)
    assert {one.domain for one in decided.selections} == {"sps_violation"}


def test_an_action_points_at_the_line_that_met_the_rule() -> None:
    decided = decide([score("contraband", 0.0)], POLICY, "P", AT, Grounds(rules=(hit(Lane.RED, item_no=7),)))
    assert {action.item_no for action in decided.actions} == {7}


def test_grounds_of_a_domain_that_the_policy_does_not_know_are_left_out() -> None:
    assert decide([], POLICY, "P", AT, Grounds(rules=(hit(Lane.RED, domain="tea"),))).lane is Lane.GREEN
