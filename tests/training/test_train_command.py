"""What the programs refuse, in one readable line and without a trace."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from chekara.data.simulate import simulate_border
from training import promote, train

Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a program's ``main`` and gives its one line of complaint."""
    monkeypatch.setenv("CHEKARA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CHEKARA_ENV", "dev")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")  # the default; MLflow writes into it, and this takes that back
    monkeypatch.setenv("COLUMNS", "1000")

    def refused(main: Callable[[], None], *arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["program", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        lines = capsys.readouterr().err.strip().splitlines()
        assert len(lines) == 1
        return lines[0]

    return refused


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--data", "{tmp}/nowhere"), "History"),
        (("--data", "{tmp}", "--domain", "gold_smuggling"), "revenue_fraud"),
        (("--data", "{tmp}", "--models", "{tmp}"), "none"),
    ],
)
def test_bad_input_is_one_line(run: Run, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    complaint = run(train.main, *(argument.format(tmp=tmp_path) for argument in arguments))
    assert said in complaint
    assert "gold_smuggling" not in complaint


def test_promotion_by_the_trainer_works_in_dev_only(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHEKARA_ENV", "production")
    assert "dev only" in run(train.main, "--data", str(tmp_path), "--promote")
    assert not (tmp_path / "home").exists()


def test_a_history_with_too_few_hits_trains_nothing_and_says_why(run: Run, tmp_path: Path) -> None:
    simulate_border(tmp_path / "history", months=1, per_day=5, seed=1)
    complaint = run(train.main, "--data", str(tmp_path / "history"))
    assert "no domain could be trained" in complaint
    assert "revenue_fraud:" in complaint
    assert "hits" in complaint


def test_promotion_needs_one_registered_model(run: Run) -> None:
    wanted = ("--domain", "revenue_fraud", "--approver", "Ms B", "--assessment-id", "DPIA-1")
    assert "no such model version" in run(promote.main, *wanted, "--version", "3")
    assert "either a version or a digest" in run(promote.main, *wanted)
    assert "either a version or a digest" in run(promote.main, *wanted, "--version", "3", "--digest", "sha256:0")
