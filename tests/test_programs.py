"""A known error is one line and exit code 2; an unknown one is not hidden."""

from __future__ import annotations

import subprocess
import sys

import pytest

from chekara.errors import ConfigurationError
from chekara.programs import open_console, run_program


def test_a_known_error_is_told_without_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise ConfigurationError("no such policy", where="CHEKARA_POLICY", hint="give a path")

    with pytest.raises(SystemExit) as ended:
        run_program(fail)
    assert ended.value.code == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.strip() == "Configuration is wrong: no such policy (CHEKARA_POLICY): give a path"


def test_a_long_error_is_one_line_for_whoever_reads_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)

    def fail() -> None:
        raise ConfigurationError("no such policy", where="CHEKARA_POLICY", hint="give a path " * 30)

    with pytest.raises(SystemExit):
        run_program(fail)
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_an_unknown_error_stays_an_error() -> None:
    with pytest.raises(ZeroDivisionError):
        run_program(lambda: 1 / 0)


def test_brackets_in_an_error_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> None:
        raise ConfigurationError("no such column", where="[/items]")

    with pytest.raises(SystemExit):
        run_program(fails)
    assert "[/items]" in capsys.readouterr().err


def test_what_goes_to_a_file_is_wide_unless_somebody_says_how_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert open_console().width == 160
    monkeypatch.setenv("COLUMNS", "70")
    assert open_console().width == 70


def test_what_is_left_out_can_be_imported_later() -> None:
    program = """
import sys
from chekara.programs import left_out
with left_out("wave"):
    try:
        import wave
    except ImportError:
        print("absent")
import wave
with left_out("wave"):
    import wave as again
print(again is wave)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.split() == ["absent", "True"]


def test_a_serving_process_takes_no_scikit_learn_along() -> None:
    program = """
import sys
from chekara.programs import left_out
with left_out("sklearn"):
    import chekara.api.serve
print("sklearn" in sys.modules, "lightgbm" in sys.modules)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert ran.stdout.split() == ["False", "True"]
