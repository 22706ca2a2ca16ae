"""Budgets that never count are told of, each with its key and why; the others are not."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from chekara.cli import app
from chekara.policy import load_policy
from chekara.policy.idle_budgets import idle_budgets
from tests.policy.test_load import SMALL, read

POINTS, SHIFTS = ("P1", "P2", "P3"), ("06:00", "18:00")
SCOPES = st.fixed_dictionaries(
    {"crossing_points": st.sets(st.sampled_from(POINTS)), "shifts": st.sets(st.sampled_from(SHIFTS))}
)


def with_budgets(*budgets: str) -> str:
    shifts = f"[capacity]\nshift_starts = {list(SHIFTS)}\n"
    return (
        SMALL + shifts + "".join(f"[[capacity.budgets]]\n{one}\ninspections = {i}\n" for i, one in enumerate(budgets))
    )


def budget(agency: str = "customs", lane: str = "red", **scope: object) -> str:
    return "\n".join([f'agency = "{agency}"', f'lane = "{lane}"', *(f"{key} = {own}" for key, own in scope.items())])


@pytest.mark.parametrize(
    ("budgets", "told"),
    [
        ([budget()], []),
        ([budget("border_service")], ["capacity.budgets.0 never counts: border_service leads no domain"]),
        # At P2 agriculture leads; customs leads elsewhere.
        ([budget("agriculture")], []),
        ([budget("agriculture", crossing_points=["P2"])], []),
        (
            [budget("customs", crossing_points=["P2"])],
            ["capacity.budgets.0 never counts: customs leads no domain at its crossing points"],
        ),
        (
            [budget(lane="yellow")],
            ["capacity.budgets.0 never counts: no domain that customs leads has the lane yellow"],
        ),
        (
            [budget(), budget(crossing_points=["P3"])],
            ["capacity.budgets.1 never counts: earlier budgets of customs for the lane red hold wherever it would"],
        ),
        ([budget(crossing_points=["P3"]), budget(), budget(lane="blue")], []),
    ],
)
def test_a_budget_that_never_counts_is_told_of_and_why(tmp_path: Path, budgets: list[str], told: list[str]) -> None:
    assert list(idle_budgets(read(tmp_path, with_budgets(*budgets)))) == told


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(st.lists(SCOPES, min_size=1, max_size=4))
def test_it_is_told_exactly_of_those_that_the_plan_never_gives(
    tmp_path: Path, scopes: list[dict[str, set[str]]]
) -> None:
    text = with_budgets(
        *(budget("customs", "red", **{key: sorted(own) for key, own in scope.items()}) for scope in scopes)
    )
    text = text.replace('lead = "agriculture"', 'lead = "customs"').replace('border_regime = "union"\n', "", 1)
    text = text.replace('lead = "tax_service"\n', 'lead = "customs"\ncrossing_points = ["P9"]\n')
    policy = read(tmp_path, text)
    plan = policy.capacity
    lane = plan.budgets[0].lane
    given_somewhere = {
        plan.budget("customs", lane, point, shift) for point in (*POINTS, "P4") for shift in plan.shifts.starts
    }
    told = {int(one.split()[0].rpartition(".")[2]) for one in idle_budgets(policy)}
    assert told == set(range(len(scopes))) - given_somewhere  # the number of each is its place


def test_check_tells_of_them_and_ends_well(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(with_budgets(budget("border_service")), "utf-8")
    result = CliRunner().invoke(app, ["policy", "check", str(path)])
    assert result.exit_code == 0
    assert "warning: capacity.budgets.0 never counts: border_service leads no domain\n" in result.output
    assert result.output.splitlines()[-1] == load_policy(path).digest
