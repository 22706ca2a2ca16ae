"""From scores to lanes and actions: pure, strictest wins, floors hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekara.domain.decision import DomainScore, ModelIdentity
from chekara.domain.vocabulary import Lane
from chekara.errors import ConfigurationError
from chekara.policy import decide, load_policy, strictest_lanes
from chekara.policy.decide import Floor

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
    decided = decide([score(d, r) for d, r in risk.items()], POLICY, "P", AT, floor)
    own = {d: POLICY.domains[d].lane(r) for d, r in risk.items()}
    for domain, one in floor.items():
        if one.lane.strictness > own.get(domain, Lane.GREEN).strictness:
            own[domain] = one.lane
    assert decided.lane.strictness == max((lane.strictness for lane in own.values()), default=0)
    assert (decided.selected_by is None) == (decided.lane is Lane.GREEN)
    led = {a.domain: a.lane for a in decided.actions if a.role == "lead"}
    assert led == {domain: lane for domain, lane in own.items() if lane is not Lane.GREEN}
    strictness = [a.lane.strictness for a in decided.actions]
    assert strictness == sorted(strictness, reverse=True)


@given(st.lists(risks, min_size=1, max_size=20))
def test_lanes_of_many_are_the_lanes_of_each(many: list[dict[str, float]]) -> None:
    columns = {d: np.array([one.get(d, np.nan) for one in many]) for d in DOMAINS}
    each = [decide([score(d, r) for d, r in one.items()], POLICY, "P", AT).lane.strictness for one in many]
    assert strictest_lanes(columns, POLICY).tolist() == each


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_lane_of_many_begins_at_its_threshold(domain: str) -> None:
    for lane, threshold in POLICY.domains[domain].thresholds.items():
        around = np.array([np.nextafter(threshold, 0), threshold])
        assert strictest_lanes({domain: around}, POLICY).tolist()[1] == lane.strictness
        assert strictest_lanes({domain: around}, POLICY).tolist()[0] < lane.strictness


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
    decided = decide([score("contraband", 0.0)], POLICY, "P", AT, {"sps_violation": Floor(Lane.YELLOW, "officer")})
    assert (decided.lane, decided.selected_by) == (Lane.YELLOW, "officer")
    assert {a.item_no for a in decided.actions} == {None}


def test_a_lane_without_a_control_of_its_own_takes_the_next_stricter_one() -> None:
    decided = decide([], POLICY, "P", AT, {"contraband": Floor(Lane.BLUE, "officer")})
    assert decided.actions[0].control == POLICY.domains["contraband"].controls[Lane.YELLOW].control


def test_a_domain_that_the_policy_does_not_know() -> None:
    with pytest.raises(ConfigurationError, match="nothing of this domain"):
        decide([score("tea_smuggling", 1.0)], POLICY, "P", AT)
