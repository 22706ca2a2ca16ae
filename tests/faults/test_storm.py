"""Four times more than can be answered: turned away early, nothing acknowledged is lost, memory stays, calm returns."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.storm import Answer, Storm, show, storm


def test_a_storm_of_four_times_saturation(home: Path) -> None:
    # Other tests share the cores. Without admission accepted answers took up to 12.5 s.
    found, wrong = storm(home, times=4, seconds=5, patience=3)
    show(found, Console(width=120))
    assert wrong == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"answers": [Answer("a", 200, 0.1, None)] * 3}, "no storm"),
        ({"answers": [Answer("a", 500, 0.1, None), Answer("b", 200, 0.1, None)]}, "1 answers of 500"),
        ({"answers": [Answer("a", 429, 0.1, None), Answer("b", 200, 0.1, None)]}, "without Retry-After"),
        ({"answers": [Answer("a", 429, 0.1, "1"), Answer("b", 200, 2.9, None)]}, "took 2.90 s"),
        ({"lost": ["b"]}, "1 acknowledged"),
        ({"is_intact": False}, "does not verify"),
        ({"broken": 1}, "1 connections broke"),
        ({"rss_mb": [400, 400, 410, 500, 500]}, "memory grew from 400 to 500 MB"),
        ({"rss_mb": [400, 400, 410, 470, 470]}, "memory went on growing"),
        ({"after_status": 503}, "when it was over: 503"),
    ],
)
def test_what_is_not_kept_is_told(change: dict[str, object], told: str) -> None:
    kept: dict[str, object] = {
        "answers": [Answer("a", 429, 0.01, "1"), Answer("b", 200, 0.1, None)],
        "rss_mb": [400.0, 401.0, 402.0, 402.0, 401.0],
        "is_intact": True,
        "after_status": 200,
    }
    assert Storm(**kept).faults(2.0) == []  # type: ignore[arg-type]
    wrong = Storm(**(kept | change)).faults(2.0)  # type: ignore[arg-type]
    assert any(told in one for one in wrong), wrong
