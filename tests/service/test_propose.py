"""A proposal stands until the bundle is promoted, and whoever made it does not promote it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chekara.adapters.database import Database, open_database
from chekara.adapters.promotions import SqlPromotions
from chekara.domain.decision import ModelIdentity
from chekara.errors import BundleRefusedError, ConfigurationError, ForbiddenError
from chekara.policy import load_policy
from chekara.service.promote import PromoteModel
from chekara.service.propose import ProposeModel
from chekara.service.records import BundleAbout, Proposal
from chekara.settings import Settings

NOW = datetime(2026, 5, 4, tzinfo=UTC)


class Shelf:
    """Bundles named by domain and version."""

    found_wanting: tuple[str, ...] | None = ()
    results_of: tuple[str, ...] = ()

    def folder(self, digest: str) -> Path:
        return Path(digest)

    def inspect(self, folder: Path) -> BundleAbout:
        domain, _, version = folder.name.partition("-")
        model = ModelIdentity(domain, version, f"sha256:{folder.name}")
        return BundleAbout(
            domain=domain,
            model=model,
            trained_by="Trainer",
            found_wanting=self.found_wanting,
            results_of=self.results_of,
        )

    def place(self, folder: Path, digest: str) -> Path:
        return folder


class Desk:
    """Both use cases over one log."""

    def __init__(self, database: Database, shelf: Shelf, *, is_dev: bool = False) -> None:
        self.register = SqlPromotions(database)
        given = {"register": self.register, "shelf": shelf, "policy": load_policy(), "is_dev": is_dev}
        self._propose, self._promote = ProposeModel(**given), PromoteModel(**given)  # type: ignore[arg-type]

    def propose(self, bundle: str = "contraband-1", *, by: str = "Scientist", assessment: str = "IA-1") -> Proposal:
        return self._propose(
            Path(bundle), domain="contraband", proposed_by=by, assessment_id=assessment, reason="better"
        )

    def promote(self, bundle: str = "contraband-1", *, by: str = "Approver") -> None:
        self._promote(Path(bundle), approved_by=by, assessment_id="IA-1", domain="contraband")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(Settings.from_environment({"CHEKARA_HOME": str(tmp_path)}))
    yield opened
    opened.close()


def test_it_stands_until_the_bundle_is_promoted_and_can_be_made_again(database: Database) -> None:
    desk = Desk(database, Shelf())
    one, other = desk.propose(), desk.propose("contraband-2")
    assert desk.register.proposals() == (one, other), "as they were made, to the microsecond and in order"
    assert desk.register.serving() == {}
    again = desk.propose(assessment="IA-2")
    assert desk.register.proposals() == (other, again), "of one bundle the newest"
    desk.promote()
    assert desk.register.proposals() == (other,)
    renewed = desk.propose()
    assert desk.register.proposals() == (other, renewed), "it was promoted before, not since"
    assert abs(renewed.proposed_at - datetime.now(UTC)) < timedelta(minutes=1)


@pytest.mark.parametrize("name", ["A. Scientist", "a scientist", "SCIENTIST, A ", "A S\u0441ientist"])  # Cyrillic
def test_whoever_proposed_it_does_not_promote_it(database: Database, name: str) -> None:
    desk = Desk(database, Shelf())
    desk.propose(by="Trainer")
    desk.propose(by="A. Scientist")
    with pytest.raises(ForbiddenError, match="proposed"):
        desk.promote(by=name)
    with pytest.raises(ForbiddenError, match="trained"):
        desk.promote(by="trainer")
    desk.promote("contraband-2", by=name)


def test_what_could_not_be_promoted_is_not_proposed(database: Database) -> None:
    shelf = Shelf()
    desk = Desk(database, shelf)
    for wrong in ({"by": " "}, {"assessment": " "}):
        with pytest.raises(ForbiddenError):
            desk.propose(**wrong)
    for act in (desk.propose, desk.promote):
        with pytest.raises(BundleRefusedError, match="another domain"):
            act("vehicle_crime-1")
    shelf.found_wanting = ("revised_after_result",)
    with pytest.raises(ForbiddenError, match="revised_after_result"):
        desk.propose()
    assert desk.register.proposals() == ()
    Desk(database, shelf, is_dev=True).propose()


def test_results_that_not_all_leads_see_are_neither_proposed_nor_promoted(database: Database) -> None:
    """On the union's border internal affairs lead contraband, and are told nothing of what customs found of revenue."""
    shelf = Shelf()
    desk = Desk(database, shelf)
    shelf.results_of = ("contraband", "revenue_fraud")
    for act in (desk.propose, desk.promote):
        with pytest.raises(ForbiddenError, match="results of revenue_fraud, which not all who may lead contraband see"):
            act()
    shelf.results_of = ("contraband",)
    desk.propose()
    desk.promote()


def test_a_domain_that_the_policy_does_not_know(database: Database) -> None:
    propose = ProposeModel(register=SqlPromotions(database), shelf=Shelf(), policy=load_policy(), is_dev=True)
    with pytest.raises(ConfigurationError, match="nothing of this domain"):
        propose(Path("smuggling-1"), domain="smuggling", proposed_by="Scientist", assessment_id="IA-1")
