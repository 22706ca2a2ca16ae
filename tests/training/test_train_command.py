"""What the programs refuse, in one readable line and without a trace."""

from __future__ import annotations

import sys
import time
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


@pytest.fixture(scope="module")
def small_history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a history with too few hits for anything."""
    folder = tmp_path_factory.mktemp("small") / "history"
    simulate_border(folder, months=1, per_day=5, seed=1)
    return folder


@pytest.mark.usefixtures("run")
def test_a_history_with_too_few_hits_trains_nothing_and_says_why(
    small_history: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    card = tmp_path / "card.md"
    wanted = ("--data", str(small_history), "--domain", "contraband", "--promote", "--card", str(card))
    monkeypatch.setattr(sys, "argv", ["train", *wanted])
    with pytest.raises(SystemExit) as ended:
        train.main()
    assert ended.value.code == 0, "skipped with a reason, not an error"
    said = capsys.readouterr().out
    assert "hits" in said
    assert "nothing was trained" in said
    assert not card.exists()
    assert not (tmp_path / "home" / "bundles").exists()


def test_an_instant_is_read_first_and_lies_within_history(run: Run, small_history: Path, tmp_path: Path) -> None:
    assert "--until" in run(train.main, "--data", str(tmp_path / "nowhere"), "--until", "yesterday")
    assert "no crossing was known" in run(train.main, "--data", str(small_history), "--until", "1990-01-01T00:00:00Z")


def test_a_tracking_server_that_is_not_there_is_known_soon(
    run: Run, small_history: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    began = time.monotonic()
    assert "MLFLOW_TRACKING_URI" in run(train.main, "--data", str(small_history))
    assert time.monotonic() - began < 40


def test_promotion_needs_one_registered_model(run: Run) -> None:
    wanted = ("--domain", "revenue_fraud", "--approver", "Ms B", "--assessment-id", "DPIA-1")
    assert "no such model version" in run(promote.main, *wanted, "--version", "3")
    assert "either a version or a digest" in run(promote.main, *wanted)
    assert "either a version or a digest" in run(promote.main, *wanted, "--version", "3", "--digest", "sha256:0")
