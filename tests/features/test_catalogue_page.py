"""The page of features is the catalogue's own."""

from __future__ import annotations

from pathlib import Path

from chekara.features.catalogue import FEATURES
from chekara.features.catalogue_page import catalogue_page

PAGE = Path(__file__).parents[2] / "docs" / "features.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == catalogue_page()


def test_every_feature_stands_on_it_once() -> None:
    rows = [line.split("|")[1].strip() for line in catalogue_page().splitlines() if line.startswith("| `")]
    assert rows == [f"`{name}`" for name in FEATURES]
