"""kill -9 in the middle of a stream of scores: what was acknowledged is there, and the log verifies."""

from __future__ import annotations

from pathlib import Path

from benchmarks.kill_under_load import kill_under_load


def test_every_acknowledged_decision_survives_a_kill(home: Path) -> None:
    counts = kill_under_load(home, kills=2, seed=11)
    assert counts.lost == []
    assert counts.is_intact
    assert counts.acknowledged > 20, "there was a load"
    assert counts.unanswered > 0, "the kill came in the middle of it"
