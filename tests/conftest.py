"""Fixtures that all tests share: a trained world and a real server over it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.serving import Server, copied_home, serving, trained_home

# A limit per example would only tell how busy the machine is.
settings.register_profile("chekara", deadline=None)
settings.load_profile("chekara")


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a temporary folder that all workers of this session see."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def trained(shared_folder: Path) -> Path:
    """Return a home with one promoted model and a key per role. Read it, copy it, never write to it."""
    return trained_home(shared_folder)


@pytest.fixture
def home(trained: Path, tmp_path: Path) -> Iterator[Path]:
    """Yield a copy of the trained home for one test to do with as it likes."""
    with copied_home(trained, tmp_path / "home") as copied:
        yield copied


@pytest.fixture(scope="session")
def server(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Yield a real `chekara serve` over a home of this worker's own; tests share it, so each uses its own crossings."""
    with copied_home(trained, tmp_path_factory.mktemp("server") / "home") as copied, serving(copied) as running:
        yield running
