"""Instants with offsets only, and a history as it was known before one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from chekara.data.labels import parse_instant
from chekara.data.sources import History
from chekara.errors import ConfigurationError, TrainingError
from training._history import history_before, just_after_newest

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def history(crossings_known: list[datetime], results_known: list[datetime]) -> History:
    def frame(known: list[datetime]) -> pd.DataFrame:
        return pd.DataFrame({"known_at": pd.Series(known, dtype="datetime64[us, UTC]"), "n": range(len(known))})

    return History(
        crossings=frame(crossings_known),
        inspections=frame(results_known),
        crossing_points=pd.DataFrame(),
        refusals=(),
        digest="sha256:0",
        directory=Path("history"),
    )


@pytest.mark.parametrize("text", ["2026-01-01T00:00:00", "2026-01-01", "yesterday", ""])
def test_naive_and_no_instants_are_refused_without_echo(text: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse_instant(text, where="--until")
    assert refused.value.where == "--until"
    assert not text or text not in str(refused.value).replace("2026-01-01T00:00:00+06:00", "")


@pytest.mark.parametrize("text", ["2026-01-01T18:00:00+06:00", "2026-01-01T12:00:00Z"])
def test_offsets_are_understood(text: str) -> None:
    assert parse_instant(text, where="--until") == NOON


def test_only_what_was_known_strictly_before_is_kept() -> None:
    known = [NOON - timedelta(hours=1), NOON, NOON + timedelta(hours=1)]
    kept = history_before(history(known, known), NOON)
    assert kept.crossings["n"].tolist() == [0]
    assert kept.inspections["n"].tolist() == [0]


def test_default_is_just_after_everything_was_known() -> None:
    whole = history([NOON], [NOON - timedelta(days=1), NOON + timedelta(days=1)])
    until = just_after_newest(whole)
    assert until == NOON + timedelta(days=1, microseconds=1)
    assert len(history_before(whole, until).inspections) == 2
    assert just_after_newest(history([NOON], [])) == NOON + timedelta(microseconds=1)


def test_an_empty_history_has_no_newest() -> None:
    with pytest.raises(TrainingError):
        just_after_newest(history([], []))
