"""Promotion with real bundles: verified first, placed whole, and what serves is never lost to a bad one."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from chekara.adapters import bundle_store
from chekara.adapters.assembly import open_house, promotion_desk, verify_log_of
from chekara.adapters.bundle_store import BundleStore, ServingChampions
from chekara.adapters.database import open_database
from chekara.adapters.promotions import SqlPromotions
from chekara.errors import BundleRefusedError, ConfigurationError, ForbiddenError
from chekara.modelling.bundle import load_signing_key, load_trusted_keys, read_bundle, write_bundle
from chekara.policy import Policy, load_policy
from chekara.service.records import Promotion
from chekara.settings import Settings
from tests.serving import settings_of
from tests.small_house import crossing, request


@pytest.fixture
def settings(home: Path) -> Settings:
    return settings_of(home)


@pytest.fixture
def bundle(settings: Settings, tmp_path: Path) -> Path:
    """Copy the promoted bundle to a folder outside the home."""
    (promoted,) = settings.bundles_path.iterdir()
    return Path(shutil.copytree(promoted, tmp_path / "candidate"))


@pytest.fixture
def without_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the child process, some seconds each, where a test is not about it; the bundle is still verified here."""
    monkeypatch.setattr(bundle_store, "verify_in_child", lambda *_: None)


def another(bundle: Path, settings: Settings, folder: Path, **about: object) -> Path:
    """Write a second bundle that differs in its content."""
    model = read_bundle(bundle, load_trusted_keys(settings))
    changed = replace(model, reference_margins=model.reference_margins[::2])
    write_bundle(changed, folder, load_signing_key(settings), {"trained_by": "trainer", "version": "2"} | about)
    return folder


def champions_of(settings: Settings, policy: Policy | None = None) -> ServingChampions:
    register = SqlPromotions(open_database(settings))
    return ServingChampions(register, BundleStore(settings), policy or load_policy())


@dataclass(frozen=True)
class Promoted:
    """Promotion records that were made elsewhere."""

    records: Mapping[str, Promotion]

    def serving(self) -> Mapping[str, Promotion]:
        return self.records


def damage(folder: Path) -> None:
    path = folder / "model.txt"
    path.write_bytes(path.read_bytes()[:-200])


@pytest.mark.usefixtures("without_child")
def test_the_newest_promotion_serves_and_going_back_is_promoting_again(
    settings: Settings, bundle: Path, tmp_path: Path
) -> None:
    desk, champions = promotion_desk(settings), champions_of(settings)
    champions.refresh()
    first = champions.serving()["revenue_fraud"].identity
    second = desk(another(bundle, settings, tmp_path / "second"), approved_by="approver", assessment_id="IA-7")
    champions.refresh()
    assert champions.serving()["revenue_fraud"].identity == second.model != first
    assert (second.trained_by, second.approved_by, second.assessment_id) == ("trainer", "approver", "IA-7")
    assert not second.is_shortcut
    assert (settings.bundles_path / second.model.digest / "manifest.json").exists()
    assert not list(settings.bundles_path.glob(".incoming-*"))
    desk(settings.bundles_path / first.digest, approved_by="approver", assessment_id="IA-7")
    champions.refresh()
    assert champions.serving()["revenue_fraud"].identity == first
    report = verify_log_of(settings)
    assert report.is_intact
    assert report.unsigned_tail == 0, "a promotion outside the service is signed at once"


def test_a_damaged_bundle_is_refused_and_recorded_nowhere(settings: Settings, bundle: Path) -> None:
    before = verify_log_of(settings).entries
    damage(bundle)
    with pytest.raises(BundleRefusedError):
        promotion_desk(settings)(bundle, approved_by="approver", assessment_id="IA-7")
    assert verify_log_of(settings).entries == before
    assert len(list(settings.bundles_path.iterdir())) == 1


def test_training_puts_a_bundle_in_its_place_before_anybody_trusts_its_maker(
    settings: Settings, bundle: Path, tmp_path: Path
) -> None:
    digest = read_bundle(another(bundle, settings, tmp_path / "second"), load_trusted_keys(settings)).identity.digest
    maker = load_signing_key(settings).public_key()
    shutil.rmtree(settings.keys_path / "trusted")
    store = BundleStore(settings)
    with pytest.raises(BundleRefusedError):
        store.place(tmp_path / "second", digest)
    assert store.place(tmp_path / "second", digest, trusted=(maker,)) == settings.bundles_path / digest
    assert not list(settings.bundles_path.glob(".incoming-*"))
    with pytest.raises(BundleRefusedError):
        store.load(digest)


def test_of_several_new_bundles_a_damaged_one_keeps_out_itself_alone(
    settings: Settings, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = SqlPromotions(open_database(settings)).serving()["revenue_fraud"]
    store = BundleStore(settings)
    second = read_bundle(another(bundle, settings, tmp_path / "second"), load_trusted_keys(settings)).identity
    damage(store.place(tmp_path / "second", second.digest))
    bad = replace(good, promotion_id="p2", domain="contraband", model=second)
    champions = champions_of(settings)
    monkeypatch.setattr(champions, "_register", Promoted({"revenue_fraud": good, "contraband": bad}))
    champions.refresh()
    assert list(champions.serving()) == ["revenue_fraud"]
    (problem,) = champions.problems()
    assert problem.startswith("contraband: ")


@pytest.mark.usefixtures("without_child")
def test_a_bundle_damaged_in_its_place_does_not_replace_what_serves(
    settings: Settings, bundle: Path, tmp_path: Path
) -> None:
    champions = champions_of(settings)
    champions.refresh()
    first = champions.serving()["revenue_fraud"]
    second = promotion_desk(settings)(
        another(bundle, settings, tmp_path / "second"), approved_by="approver", assessment_id="IA-7"
    )
    damage(settings.bundles_path / second.model.digest)
    champions.refresh()
    assert champions.serving()["revenue_fraud"] is first
    (problem,) = champions.problems()
    assert problem.startswith("revenue_fraud: ")
    promotion_desk(settings)(tmp_path / "second", approved_by="approver", assessment_id="IA-7")
    champions.refresh()
    assert champions.serving()["revenue_fraud"].identity == second.model
    assert champions.problems() == ()


@pytest.mark.usefixtures("without_child")
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"approved_by": " Trainer ", "assessment_id": "IA-7"}, "cannot promote"),
        ({"approved_by": "trainer\u200b", "assessment_id": "IA-7"}, "cannot promote"),
        ({"approved_by": "Tr\u0430iner", "assessment_id": "IA-7"}, "cannot promote"),
        ({"approved_by": "\uff34r\u00e1i-ner\ufe0f", "assessment_id": "IA-7"}, "cannot promote"),
        ({"approved_by": "\u200b\u2800", "assessment_id": "IA-7"}, "needs a person"),
        ({"approved_by": " ", "assessment_id": "IA-7"}, "needs a person"),
        ({"approved_by": "approver", "assessment_id": None}, "impact assessment"),
        ({"approved_by": "approver", "assessment_id": " "}, "impact assessment"),
        ({"approved_by": "trainer", "assessment_id": None, "is_shortcut": True}, "dev only"),
    ],
)
def test_a_promotion_needs_a_second_person_and_an_assessment(
    settings: Settings, bundle: Path, given: dict, message: str
) -> None:
    production = replace(settings, environment="production", policy_path=None)
    with pytest.raises(ForbiddenError, match=message):
        promotion_desk(production)(bundle, **given)


@pytest.mark.usefixtures("without_child")
def test_the_shortcut_works_in_dev_and_is_recorded_as_such(settings: Settings, bundle: Path) -> None:
    promotion = promotion_desk(settings)(bundle, approved_by="trainer", assessment_id=None, is_shortcut=True)
    database = open_database(settings)
    assert SqlPromotions(database).serving()["revenue_fraud"] == promotion
    database.close()
    assert promotion.is_shortcut


@pytest.mark.usefixtures("without_child")
def test_a_bundle_without_a_trainer_is_promoted_by_nobody(settings: Settings, bundle: Path, tmp_path: Path) -> None:
    nameless = another(bundle, settings, tmp_path / "nameless", trained_by="")
    with pytest.raises(ForbiddenError, match="who trained it"):
        promotion_desk(settings)(nameless, approved_by="approver", assessment_id="IA-7")


@pytest.mark.usefixtures("without_child")
@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({}, "does not say what was found"),
        ({"blocking_findings": []}, "does not say what was found"),
        ({"blocking_findings": ["leaking_tuple", "swapped_columns"], "refused_tables": []}, "leaking_tuple, swapped"),
        ({"blocking_findings": [], "refused_tables": ["crossings"]}, "refused crossings"),
        ({"blocking_findings": [], "refused_tables": []}, None),
    ],
)
def test_what_was_found_in_its_history_blocks_a_model_outside_dev(
    settings: Settings, bundle: Path, tmp_path: Path, about: dict[str, list[str]], message: str | None
) -> None:
    candidate = another(bundle, settings, tmp_path / "candidate-2", **about)
    production = promotion_desk(replace(settings, environment="production", policy_path=None))
    before = verify_log_of(settings).entries
    if message is None:
        assert production(candidate, approved_by="approver", assessment_id="IA-7").approved_by == "approver"
        return
    with pytest.raises(ForbiddenError, match=message) as refused:
        production(candidate, approved_by="approver", assessment_id="IA-7")
    assert refused.value.where == "revenue_fraud version 2"
    assert verify_log_of(settings).entries == before
    assert len(list(settings.bundles_path.iterdir())) == 1
    promotion_desk(settings)(candidate, approved_by="approver", assessment_id="IA-7")
    assert verify_log_of(settings).entries == before + 1


@pytest.mark.usefixtures("without_child")
def test_a_domain_unknown_to_the_policy_does_not_serve(settings: Settings, tmp_path: Path, bundle: Path) -> None:
    policy = load_policy()
    narrowed = replace(policy, domains={"contraband": policy.domains["contraband"]})
    champions = champions_of(settings, narrowed)
    champions.refresh()
    assert dict(champions.serving()) == {}
    assert "policy says nothing" in champions.problems()[0]
    text = "name = 'n'\nformat = 1\n[domains]\n"
    (tmp_path / "empty.toml").write_text(text)
    with pytest.raises(ConfigurationError, match="nothing of this domain"):
        promotion_desk(replace(settings, policy_path=tmp_path / "empty.toml"))(
            bundle, approved_by="approver", assessment_id="IA-7"
        )


def test_a_running_house_picks_up_a_promotion_by_itself(settings: Settings, bundle: Path, tmp_path: Path) -> None:
    house = open_house(settings)
    try:
        before = house.writer.submit(request(crossing("before"))).result(30)
        second = promotion_desk(settings)(
            another(bundle, settings, tmp_path / "second"), approved_by="approver", assessment_id="IA-7"
        )
        deadline = time.monotonic() + 60
        while house.champions.serving()["revenue_fraud"].identity != second.model and time.monotonic() < deadline:
            time.sleep(0.1)
        after = house.writer.submit(request(crossing("after"))).result(30)
    finally:
        house.close()
    assert before.decision.domains[0].model != after.decision.domains[0].model == second.model
    report = verify_log_of(settings)
    assert report.is_intact
    assert report.unsigned_tail == 0
