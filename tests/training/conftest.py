"""Fixtures of the training tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tracked import TrackedHome, tracked_home


@pytest.fixture(scope="session")
def tracked(shared_folder: Path, trained: Path) -> TrackedHome:
    """Return a home in which the training program ran for real."""
    return tracked_home(shared_folder, trained / "history")
