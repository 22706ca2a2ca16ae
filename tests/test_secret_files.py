"""Secrets are made whole, once, and for their owner alone."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chekara.errors import ConfigurationError
from chekara.secret_files import load_private_key, load_secret


def fresh() -> bytes:
    return os.urandom(4096)


def test_of_many_makers_one_wins_and_nothing_is_left_over(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "a.secret"
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: load_secret(path, fresh, may_make=True, hint=""), range(32)))
    assert len(set(found)) == 1
    assert len(found[0]) == 4096
    assert list(path.parent.iterdir()) == [path]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_nothing_is_made_where_that_is_not_allowed(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "a.secret"
    with pytest.raises(ConfigurationError, match=r"missing.*a\.secret.*from the safe"):
        load_secret(path, fresh, may_make=False, hint="take it from the safe")
    assert not path.parent.exists()


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o601])
def test_a_secret_that_everyone_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a.secret"
    load_secret(path, fresh, may_make=True, hint="")
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match="open to everyone"):
        load_secret(path, fresh, may_make=True, hint="")


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("a file stands in the way")
    with pytest.raises(ConfigurationError, match="cannot be read or made"):
        load_secret(tmp_path / "keys" / "a.secret", fresh, may_make=True, hint="")


def test_a_maker_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> bytes:
        raise OSError(28, "No space left on device")

    with pytest.raises(ConfigurationError, match="No space"):
        load_secret(tmp_path / "a.secret", fail, may_make=True, hint="")
    assert list(tmp_path.iterdir()) == []


def test_a_private_key_signs_the_same_when_read_again(tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    made = load_private_key(path, may_make=True, hint="")
    read = load_private_key(path, may_make=False, hint="")
    assert made.sign(b"text") == read.sign(b"text")  # Ed25519 signs without chance


def test_a_cut_private_key_is_told(tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    load_private_key(path, may_make=True, hint="")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ConfigurationError, match="not an Ed25519 private key"):
        load_private_key(path, may_make=True, hint="")
