"""The page of features is the catalogue's own."""

from __future__ import annotations

from pathlib import Path

from chekara.features.catalogue import FEATURES
from chekara.features.catalogue_page import catalogue_page
from chekara.features.profile_kinds import KINDS
from chekara.features.profile_measures import MEASURES

PAGE = Path(__file__).parents[2] / "docs" / "features.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == catalogue_page()


def test_every_feature_stands_on_it_once() -> None:
    static, profiles = catalogue_page().split("## Profiles")
    assert _first_cells(static) == [f"`{name}`" for name in FEATURES]
    measures = [f"`{measure.name}{'_<domain>' if measure.by_domain else ''}`" for measure in MEASURES]
    assert _first_cells(profiles) == [*(f"`{kind.name}`" for kind in KINDS), *measures]


def _first_cells(page: str) -> list[str]:
    return [line.split("|")[1].strip() for line in page.splitlines() if line.startswith("| `")]
