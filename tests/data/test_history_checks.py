"""One look at a history for the check command and for training; draws that do not say their chance."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from chekara.data.findings import Finding, warnings_first
from chekara.data.history_checks import (
    check_domain,
    check_whole,
    find_draws_of_unknown_chance,
    find_rates_in_percent,
)
from chekara.data.history_screen import show_findings
from chekara.data.labels import TargetRule
from chekara.data.sources import History
from tests.data.worlds import history_of, inspected, one_off_trade

DOMAIN = "revenue_fraud"


@pytest.fixture
def history() -> History:
    rng = np.random.default_rng(3)
    crossings = one_off_trade(600, rng)
    controls = inspected(crossings, rng.random(600) < 0.2)
    controls["selected_by"] = np.where(np.arange(600) % 3 == 0, "random", "rule")
    controls["propensity"] = np.where(np.arange(600) % 6 == 0, 0.02, np.nan)
    return history_of(crossings, controls)


def test_draws_without_propensity_are_a_notice_and_no_violation(history: History) -> None:
    checks = check_domain(history, TargetRule(domain=DOMAIN), 1)
    (finding,) = [found for found in checks.findings if found.code == "draw_of_unknown_chance"]
    assert finding.numbers == {"unknown": 100.0, "drawn": 200.0}
    assert (finding.domain, finding.columns) == (DOMAIN, ("propensity",))
    assert "draw_of_unknown_chance" not in checks.blocking
    assert not history.refusals


def test_a_find_without_a_control_is_told_and_counts_for_nothing(history: History) -> None:
    hits = history.inspections["found"].to_numpy(dtype=bool)
    undone = history.inspections.assign(status=np.where(np.cumsum(hits) <= 3, "not_done", "done"))
    checks = check_domain(replace(history, inspections=undone), TargetRule(domain=DOMAIN), 1)
    (finding,) = [found for found in checks.findings if found.code == "hit_without_control"]
    assert finding.numbers == {"found": 3.0, "not_done": float((undone["status"] == "not_done").sum())}
    assert "hit_without_control" not in checks.blocking
    assert checks.labels["hit"].sum() == hits.sum() - 3


def test_rows_that_nobody_can_know_yet_are_counted(history: History) -> None:
    now = max(history.crossings["known_at"].max(), history.inspections["known_at"].max()).to_pydatetime()
    assert "known_in_future" not in {found.code for found in check_whole(history, now)}
    hour, crossings, inspections = timedelta(hours=1), history.crossings.copy(), history.inspections.copy()
    for row, (stage, known_at, occurred_at) in enumerate(
        [
            ("arrival", now + 25 * hour, now + 24 * hour),
            ("arrival", now + 24 * hour, now + 24 * hour),
            ("declaration", now, now + 25 * hour),
            ("pre_arrival", now, now + timedelta(days=45)),
            ("pre_arrival", now, now + timedelta(days=45) + hour),
        ]
    ):
        crossings.loc[crossings.index[row], ["stage", "known_at", "occurred_at"]] = [stage, known_at, occurred_at]
    inspections.loc[inspections.index[0], "known_at"] = pd.Timestamp("2199-01-01T00:00:00Z")
    found = check_whole(replace(history, crossings=crossings, inspections=inspections), now)
    (finding,) = [one for one in found if one.code == "known_in_future"]
    assert finding.numbers == {"crossings": 3.0, "inspections": 1.0}
    assert finding.blocks_promotion


@given(st.lists(st.tuples(st.sampled_from([DOMAIN, "contraband"]), st.booleans(), st.booleans()), max_size=30))
def test_only_draws_of_the_domain_are_counted(rows: list[tuple[str, bool, bool]]) -> None:
    frame = pd.DataFrame(
        {
            "domain": pd.array([domain for domain, _, _ in rows], dtype="str"),
            "selected_by": pd.array(["random" if drawn else "model" for _, drawn, _ in rows], dtype="str"),
            "propensity": np.array([0.1 if drawn and known else np.nan for _, drawn, known in rows], dtype=float),
        }
    )
    expected = sum(domain == DOMAIN and drawn and not known for domain, drawn, known in rows)
    found = find_draws_of_unknown_chance(frame, DOMAIN)
    assert [one.numbers["unknown"] for one in found] == ([float(expected)] if expected else [])


def test_findings_of_the_whole_stand_beside(history: History) -> None:
    warning = Finding(code="column_drift", severity="warning", sentence="Something drifts.", columns=("hs_code",))
    checks = check_domain(history, TargetRule(domain=DOMAIN), 1, (*check_whole(history), warning))
    assert checks.findings[0] == warning
    assert checks.blocking == ["column_drift"]
    assert len(checks.labels) == 600


def test_warnings_come_first_and_both_screens_read_the_same(history: History) -> None:
    findings = [
        Finding(code=code, severity=severity, sentence=f"About {code}.", domain=domain)
        for code in ("b", "a")
        for severity in ("notice", "warning")
        for domain in (None, "contraband")
    ]
    ordered = warnings_first(findings)
    assert sorted(map(id, ordered)) == sorted(map(id, findings))
    assert [f.severity for f in ordered] == ["warning"] * 4 + ["notice"] * 4
    assert warnings_first(reversed(ordered)) == ordered
    console = Console(file=io.StringIO(), width=80)
    show_findings(ordered, console)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert [line.strip() for line in lines[:4]] == ["warning a", "About a.", "warning b", "About b."]


@pytest.mark.parametrize(
    ("rates", "is_found"),
    [([0.05, 0.12, 0.0, 3.0], False), ([5.0, 12.0, 0.0, 0.0, 0.3], True), ([], False), ([0.0, np.nan], False)],
)
def test_rates_in_per_cent_are_a_warning(rates: list[float], is_found: bool) -> None:
    found = find_rates_in_percent(pd.DataFrame({"duty_rate": np.array(rates, dtype=np.float64)}))
    assert [(one.code, one.blocks_promotion, one.columns) for one in found] == [
        ("rate_in_percent", True, ("duty_rate",))
    ] * is_found


def test_the_whole_history_is_looked_at_for_rates_in_per_cent(history: History) -> None:
    assert not [one for one in check_whole(history) if one.code == "rate_in_percent"]
    changed = replace(history, crossings=history.crossings.assign(duty_rate=12.0))
    assert [one for one in check_whole(changed) if one.code == "rate_in_percent"]
