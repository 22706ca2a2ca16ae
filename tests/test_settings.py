"""Settings are read once, have no default secret, and say which variable is wrong."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from chekara.errors import ConfigurationError
from chekara.settings import Limits, Settings


def test_defaults_are_production_under_var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings.from_environment({})
    assert settings.environment == "production"
    assert not settings.is_dev
    assert settings.home == tmp_path / "var"
    assert settings.database_url == f"sqlite:///{tmp_path / 'var' / 'chekara.db'}"
    assert settings.tracking_uri.startswith("sqlite:///")


def test_every_variable_of_the_contract_is_read(tmp_path: Path) -> None:
    settings = Settings.from_environment(
        {
            "CHEKARA_HOME": str(tmp_path),
            "CHEKARA_ENV": "dev",
            "CHEKARA_DATABASE_URL": "postgresql+psycopg://db/chekara",
            "MLFLOW_TRACKING_URI": "http://127.0.0.1:5000",
            "CHEKARA_LIMIT_BODY_BYTES": "1000",
            "CHEKARA_LIMIT_ANSWER_SECONDS": "0.5",
        }
    )
    assert settings.is_dev
    assert settings.database_url.startswith("postgresql")
    assert settings.tracking_uri == "http://127.0.0.1:5000"
    assert settings.limits == dataclasses.replace(Limits(), body_bytes=1000, answer_seconds=0.5)
    assert isinstance(settings.limits.body_bytes, int)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CHEKARA_ENV", "staging"),
        ("CHEKARA_LIMIT_ITEMS", "many"),
        ("CHEKARA_LIMIT_ITEMS", "0"),
        ("CHEKARA_LIMIT_ANSWER_SECONDS", "-1"),
        ("CHEKARA_LIMIT_ANSWER_SECONDS", "nan"),
        ("CHEKARA_LIMIT_ITEMS", "1.5"),
    ],
)
def test_a_wrong_variable_is_named(variable: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_environment({variable: value})
    assert caught.value.where == variable
    assert value not in str(caught.value) or value in ("0", "-1")
