"""The report on a priority control area counts what an auditor would count by hand."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from chekara.adapters.area_report import AreaReport, area_report
from chekara.adapters.policies import promote_policy
from chekara.cli import app
from chekara.domain.crossing import Crossing
from chekara.domain.selection import Draw
from chekara.domain.vocabulary import Lane
from chekara.errors import ConfigurationError
from chekara.evaluation.calibration import wilson_interval
from chekara.policy.load import policy_of, policy_texts
from chekara.service.grounds import GatherGrounds
from tests.policy.test_rules_load import write
from tests.small_house import SmallHouse, actor, crossing, request, result, sent, small_house, small_model

BEGINS = datetime(2026, 9, 1, tzinfo=UTC)
ENDS = datetime(2026, 12, 1, tzinfo=UTC)
DOMAIN, AREA = "d", "autumn-fruit"


def draws_of(crossing: Crossing, features: object) -> tuple[Draw, ...]:
    """Draw as the crossing's id says: by the area, by the lot, by both or by none, in the area or outside it."""
    words = crossing.crossing_id.split()[0].split("+")
    arms = ("lot",) if "outside" in words else ("lot", AREA)
    return tuple(Draw(arm, DOMAIN, 0.1, arm in words, Lane.RED, "sha256:0") for arm in arms)


class Border:
    """A house whose draws the ids of crossings tell, and what an auditor noted on paper beside it."""

    def __init__(self, home: Path) -> None:
        folder = home / "policy"
        folder.mkdir(parents=True)
        texts = policy_texts(write(folder))
        self.house: SmallHouse = small_house(
            home,
            champions={DOMAIN: small_model()},
            policy=policy_of(texts),
            clock="replay",
            grounds=GatherGrounds(lots=draws_of),
        )
        who = {"proposed_by": "P", "approved_by": "A", "reason": "fruit"}
        promote_policy(self.house.settings, texts, **who)

    def cross(self, crossing_id: str, at: datetime, *, is_test: bool = False) -> None:
        made = replace(crossing(crossing_id), occurred_at=at, known_at=at)
        self.house.score([request(made, by=actor(is_test=is_test))])

    def control(self, crossing_id: str, at: datetime, **changes: object) -> None:
        known = {"inspected_at": at, "known_at": at} | changes
        told = result(f"i of {crossing_id}", **({"crossing_id": crossing_id, "domain": DOMAIN} | known))
        (outcome,) = self.house.score([sent(told, received_at=at)])
        assert not isinstance(outcome, Exception), outcome

    def report(self, at: datetime = ENDS) -> AreaReport:
        return area_report(self.house.settings, AREA, clock=lambda: at)


@pytest.fixture
def border(tmp_path: Path) -> Iterator[Border]:
    opened = Border(tmp_path)
    yield opened
    opened.house.database.close()


def counts(report: AreaReport) -> tuple[tuple[int, int, int], ...]:
    return tuple((tally.drawn, tally.done, tally.found) for tally in (report.inside, report.outside))


def test_counts_are_those_of_a_list_on_paper(border: Border) -> None:
    """Crossings around the area's time, drawn by it, by the lot, by both or by none; half of them are controlled.

    What lies in the area and was drawn by the lot alone is counted nowhere: it says nothing of what is outside.
    """
    rng = np.random.default_rng(4)
    paper: dict[str, list[bool]] = {"inside": [], "outside": []}
    drawn = {"inside": 0, "outside": 0}
    for number in range(200):
        at = BEGINS + timedelta(days=float(rng.uniform(-20, 110)))
        arms = str(rng.choice(["lot+outside", "lot", AREA, f"lot+{AREA}", "none"]))
        crossing_id = f"{arms} {number}"
        border.cross(crossing_id, at)
        place = "inside" if AREA in arms else "outside"
        counted = arms in {"lot+outside", AREA, f"lot+{AREA}"} and BEGINS <= at < ENDS
        drawn[place] += counted
        if rng.random() < 0.5:
            found = bool(rng.random() < 0.4)
            border.control(crossing_id, at + timedelta(hours=2), found=found)
            if counted:
                paper[place].append(found)
    report = border.report()
    assert counts(report) == tuple((drawn[p], len(paper[p]), sum(paper[p])) for p in ("inside", "outside"))
    assert min(count for tally in counts(report) for count in tally) > 3
    low, high = wilson_interval(sum(paper["inside"]), len(paper["inside"]))
    assert report.inside.rate == (sum(paper["inside"]) / len(paper["inside"]), low, high)


def test_what_does_not_count(border: Border) -> None:
    at = BEGINS + timedelta(days=30)
    for name in ("corrected", "overturned", "late", "undone", "waiting", "gone", "back", "let go"):
        border.cross(f"{AREA} {name}", at)
    border.cross(f"{AREA} of a test key", at, is_test=True)
    gone = replace(crossing(f"{AREA} gone", revision=1), known_at=at)
    border.house.score([request(gone, is_void=True)])
    back = replace(crossing(f"{AREA} back", revision=1), known_at=at)
    border.house.score([request(back, is_void=True)])
    border.house.score([request(replace(back, revision=2, known_at=at + timedelta(hours=1)))])
    again = replace(crossing(f"{AREA} corrected", revision=1, value=5.0), known_at=at + timedelta(hours=1))
    border.house.score([request(again)])
    border.cross(f"{AREA} after the report", ENDS - timedelta(minutes=1))
    hour = timedelta(hours=1)
    border.control(f"{AREA} corrected", at + hour)
    border.control(f"{AREA} overturned", at + hour)
    border.control(f"{AREA} overturned", at + 2 * hour, revision=1, found=True, details={"result": "overturned"})
    border.control(f"{AREA} late", at + hour, revision=1, found=False)
    border.control(f"{AREA} undone", at + hour, found=False, details={"status": "not_done"})
    border.cross("none of its business", at)
    border.control("none of its business", at + hour)
    report = border.report(at + 5 * hour)
    assert counts(report) == ((7, 3, 1), (0, 0, 0))
    assert counts(border.report())[0] == (8, 3, 1)


def test_the_report_is_read_by_people(border: Border) -> None:
    at = BEGINS + timedelta(days=1)
    border.cross(f"{AREA} one", at)
    border.control(f"{AREA} one", at + timedelta(hours=1))
    stages = {
        "not begun": BEGINS - timedelta(days=1),
        "running": at + timedelta(days=1),
        "interim review due": BEGINS + timedelta(days=60),
        "closed": ENDS,
    }
    for stage, when in stages.items():
        assert border.report(when).stage == stage
    console = Console(file=io.StringIO(), width=200)
    border.report().show(console)
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert "in the area: 1 drawn, 1 done, 1 hits: 100.00%" in said
    assert "the lot outside it: 0 drawn, 0 done, 0 hits\n" in said
    environment = {"CHEKARA_HOME": str(border.house.settings.home), "CHEKARA_ENV": "dev", "COLUMNS": "200"}
    printed = CliRunner().invoke(app, ["policy", "area-report", AREA], env=environment)
    assert "in the area: 1 drawn" in printed.output
    refused = CliRunner().invoke(app, ["policy", "area-report", "winter"], env=environment)
    assert isinstance(refused.exception, ConfigurationError)
    assert refused.exception.hint == AREA
