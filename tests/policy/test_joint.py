"""One joint control per crossing: one lead, in the policy's order, whatever asks for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from chekara.domain.decision import Action
from chekara.domain.vocabulary import Lane
from chekara.policy import load_policy
from chekara.policy.joint import join_actions, joint_control
from chekara.policy.plans import LEAD_ORDER, JointPlan

Demands = list[tuple[str, Lane, int]]
AT = datetime(2026, 12, 1, tzinfo=UTC)
POLICY = load_policy()


def asked(domain: str, lane: Lane, minutes: int) -> list[Action]:
    agencies = POLICY.agencies(domain, "KG-01")
    return [
        Action(agency, role, domain, lane, "control.search", "instruction.x", None, AT + timedelta(minutes=minutes))
        for role, some in (("lead", (agencies.lead,)), ("informed", agencies.informed))
        for agency in some
    ]


demands = st.lists(
    st.tuples(st.sampled_from(LEAD_ORDER), st.sampled_from([Lane.RED, Lane.YELLOW, Lane.BLUE]), st.integers(1, 999)),
    min_size=1,
    unique_by=lambda one: one[0],
)


@given(demands, st.permutations(LEAD_ORDER))
def test_exactly_one_leads_and_nothing_else_changes(wanted: Demands, order: list[str]) -> None:
    before = [action for one in wanted for action in asked(*one)]
    after = join_actions(before, JointPlan(lead_order=tuple(order)))
    at_the_border = [one for one in wanted if one[1] is not Lane.BLUE] or wanted
    first = next(domain for domain in order if domain in {one[0] for one in at_the_border})
    assert [(a.domain, a.agency) for a in after if a.role == "lead"] == [(first, POLICY.agencies(first, "KG-01").lead)]
    assert [replace(a, role="") for a in after] == [replace(a, role="") for a in before]
    assert [a.role == "informed" for a in after] == [a.role == "informed" for a in before]
    assert join_actions(after, JointPlan(lead_order=tuple(order))) == after


@given(demands)
def test_the_joint_control_says_who_leads_and_by_when(wanted: Demands) -> None:
    actions = join_actions([action for one in wanted for action in asked(*one)], JointPlan())
    control = joint_control(actions)
    assert control is not None
    roles = dict(control.roles)
    assert len(roles) == len(control.roles) == len({a.agency for a in actions})
    assert [agency for agency, role in control.roles if role == "lead"] == [control.lead_agency]
    joined = {POLICY.agencies(domain, "KG-01").lead for domain, _, _ in wanted} - {control.lead_agency}
    assert {agency for agency, role in control.roles if role == "joined"} == joined
    assert control.due_at == AT + timedelta(minutes=min(minutes for _, _, minutes in wanted))


def test_nothing_asked_for_is_no_control() -> None:
    assert joint_control(()) is None
    assert join_actions((), JointPlan()) == ()


def test_decisions_of_before_name_the_lead_of_their_first_domain() -> None:
    stored = asked("vehicle_crime", Lane.RED, 5) + asked("contraband", Lane.YELLOW, 9)
    control = joint_control(stored)
    assert control is not None
    assert (control.lead_agency, control.lead_domain) == ("internal_affairs", "vehicle_crime")
    assert dict(control.roles)["customs"] == "joined"
