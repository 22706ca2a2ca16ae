"""A known error is one line and exit code 2; an unknown one is not hidden."""

from __future__ import annotations

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
