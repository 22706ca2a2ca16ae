"""Keys of bundles: made once, kept private, trusted by decision."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chekara.errors import ConfigurationError
from chekara.modelling.keys import load_signing_key, load_trusted_keys, public_key_from_hex, public_key_hex, public_pem
from chekara.settings import Settings


def _settings(home: Path, environment: str) -> Settings:
    return Settings.from_environment({"CHEKARA_HOME": str(home), "CHEKARA_ENV": environment})


def test_in_dev_the_key_is_made_and_trusted(tmp_path: Path) -> None:
    settings = _settings(tmp_path, "dev")
    key = load_signing_key(settings)
    (trusted,) = load_trusted_keys(settings)
    trusted.verify(key.sign(b"a manifest"), b"a manifest")
    path = settings.keys_path / "bundle_signing.pem"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(p.name for p in settings.keys_path.iterdir()) == [
        "bundle_signing.pem",
        "bundle_signing.pub.pem",
        "trusted",
    ]


def test_in_production_making_a_key_trusts_nobody(tmp_path: Path) -> None:
    settings = _settings(tmp_path, "production")
    load_signing_key(settings)
    assert load_trusted_keys(settings) == ()


def test_the_key_stays_the_same_and_a_race_makes_one(tmp_path: Path) -> None:
    settings = _settings(tmp_path, "production")
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda _: public_pem(load_signing_key(settings).public_key()), range(8)))
    assert len(set(keys)) == 1


def test_a_key_survives_hexadecimal(tmp_path: Path) -> None:
    public = load_signing_key(_settings(tmp_path, "dev")).public_key()
    assert public_key_from_hex(public_key_hex(public)) == public


@pytest.mark.parametrize("name", ["bundle_signing.pem", "trusted/other.pem"])
def test_a_file_that_is_no_key_is_named(tmp_path: Path, name: str) -> None:
    settings = _settings(tmp_path, "production")
    path = settings.keys_path / name
    path.parent.mkdir(parents=True)
    path.write_text("-----BEGIN NOTHING-----\n")
    load = load_signing_key if name.startswith("bundle") else load_trusted_keys
    with pytest.raises(ConfigurationError, match=path.name):
        load(settings)
