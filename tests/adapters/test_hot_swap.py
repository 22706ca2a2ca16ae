"""Models change places under load: warm first, never mixed in one answer, and the one before is still at hand."""

from __future__ import annotations

import shutil
import statistics
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import lightgbm as lgb
import pytest

from chekara.adapters import bundle_store
from chekara.adapters.assembly import promotion_desk, verify_log_of
from chekara.adapters.bundle_store import BundleStore, ServingChampions
from chekara.adapters.database import open_database
from chekara.adapters.promotions import SqlPromotions
from chekara.explain.quadrature import QuadratureTreeShap
from chekara.modelling.bundle import load_signing_key, load_trusted_keys, read_bundle, write_bundle
from chekara.modelling.golden import answer_golden
from chekara.modelling.model import Model
from chekara.policy import load_policy
from chekara.service.champions import Champion
from chekara.settings import Settings
from tests.serving import Reply, Server, crossing, serving, settings_of
from tests.small_house import FixedChampions, got, request, small_house, small_model
from tests.small_house import crossing as small_crossing

CLIENTS = 4


def second_bundle(settings: Settings, folder: Path) -> Path:
    """Write the promoted model again with half of its trees: other margins, another base value, another digest."""
    (promoted,) = settings.bundles_path.iterdir()
    model = read_bundle(promoted, load_trusted_keys(settings))
    text = model.booster.model_to_string(num_iteration=max(1, model.booster.num_trees() // 2))
    booster = lgb.Booster(model_str=text)
    changed = replace(model, booster=booster, explainer=QuadratureTreeShap(booster))
    changed = replace(changed, golden=answer_golden(changed, model.golden["rows"]))
    write_bundle(changed, folder, load_signing_key(settings), {"trained_by": "trainer", "version": "2"})
    return folder


def wait_until_serving(server: Server, digest: str) -> float:
    """Wait until a bundle serves; seconds."""
    began = time.monotonic()
    while time.monotonic() - began < 60:
        shown = server.send("GET", "/v1/models", "approver").json["models"]
        if [one["digest"] for one in shown] == [digest]:
            return time.monotonic() - began
        time.sleep(0.02)
    raise AssertionError("the promoted bundle does not serve")


def test_promotions_in_a_loop_under_load_mix_nothing_and_stall_nobody(home: Path, tmp_path: Path) -> None:
    settings = settings_of(home)
    (first,) = settings.bundles_path.iterdir()
    second = second_bundle(settings, tmp_path / "second")
    desk, stop, replies = promotion_desk(settings), threading.Event(), list[tuple[float, Reply]]()

    def post(client: int, server: Server) -> None:
        n = 0
        while not stop.is_set():
            began = time.monotonic()
            reply = server.score(crossing(f"swap-{client}-{n}"), key="system_with_reasons")
            replies.append((time.monotonic() - began, reply))
            n += 1
            time.sleep(0.03)  # below saturation: whoever promotes from outside must get at the database, too

    with serving(home) as server, ThreadPoolExecutor(CLIENTS) as pool:
        for client in range(CLIENTS):
            pool.submit(post, client, server)
        try:
            for bundle in (second, first, second, first):
                promoted = desk(bundle, approved_by="approver", assessment_id="IA-7")
                wait_until_serving(server, promoted.model.digest)
        finally:
            stop.set()
    assert {reply.status for _, reply in replies} == {200}
    bases: dict[tuple[str, str], set[float]] = {}
    for _, reply in replies:
        (domain,) = reply.json["domains"]
        whole = domain["base_value"] + sum(domain["contributions"].values())
        assert whole == pytest.approx(domain["margin"], abs=1e-6)
        bases.setdefault((domain["model"]["version"], domain["model"]["digest"]), set()).add(domain["base_value"])
    assert len(bases) == 2, "both served"
    assert all(len(own) == 1 for own in bases.values())
    assert len({version for version, _ in bases}) == len(set.union(*bases.values())) == 2
    seconds = sorted(one for one, _ in replies)
    print(f"{len(seconds)} requests, median {statistics.median(seconds):.4f} s, slowest {seconds[-1]:.4f} s")
    assert seconds[-1] < 1.5, "nobody waits for a model to be loaded, verified or warmed"


@dataclass
class Swapping(FixedChampions):
    """Champions that are others each time that they are asked for."""

    asked: int = field(default=0)

    def serving(self) -> Mapping[str, Champion]:
        self.asked += 1
        return {"revenue_fraud": small_model(1 + self.asked % 2)}


def test_a_transaction_keeps_its_models(tmp_path: Path) -> None:
    house = small_house(tmp_path)
    swapping = Swapping()
    house.score._score._champions = swapping  # what a promotion in the middle would do
    # A revision of a crossing in the same group makes a second wave of the same transaction.
    group = [request(small_crossing("c1")), request(small_crossing("c2")), request(small_crossing("c1", revision=1))]
    told = {got(outcome).decision.domains[0].model.version for outcome in house.score(group)}
    assert len(told) == 1
    assert {got(house.score([request(small_crossing("c3"))])[0]).decision.domains[0].model.version} != told
    house.database.close()


@pytest.fixture
def without_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_store, "verify_in_child", lambda *_: None)


@pytest.mark.usefixtures("without_child")
def test_the_model_before_is_at_hand_and_each_is_rehearsed_before_it_serves(home: Path, tmp_path: Path) -> None:
    settings = settings_of(home)
    (first,) = settings.bundles_path.iterdir()
    rehearsed: list[tuple[str, str | None]] = []

    def rehearse(serving: Mapping[str, Model]) -> None:
        now = champions.serving().get("revenue_fraud")
        rehearsed.append((serving["revenue_fraud"].identity.digest, None if now is None else now.identity.digest))

    database = open_database(settings)
    champions = ServingChampions(SqlPromotions(database), BundleStore(settings), load_policy(), rehearse)
    champions.refresh()
    served = champions.serving()["revenue_fraud"]
    desk = promotion_desk(settings)
    second = desk(second_bundle(settings, tmp_path / "second"), approved_by="approver", assessment_id="IA-7")
    champions.refresh()
    assert champions.holds("revenue_fraud", first.name)
    desk(first, approved_by="approver", assessment_id="IA-7")
    champions.refresh()
    assert champions.serving()["revenue_fraud"] is served, "the very object: nothing was read or verified again"
    digests = first.name, second.model.digest
    assert rehearsed == [(digests[0], None), (digests[1], digests[0]), (digests[0], digests[1])]
    database.close()


@pytest.mark.usefixtures("without_child")
def test_a_model_that_cannot_score_an_example_does_not_serve(home: Path, tmp_path: Path) -> None:
    settings = settings_of(home)
    database = open_database(settings)

    def rehearse(serving: Mapping[str, Model]) -> None:
        if serving["revenue_fraud"].identity.version == "2":
            raise ZeroDivisionError

    champions = ServingChampions(SqlPromotions(database), BundleStore(settings), load_policy(), rehearse)
    champions.refresh()
    served = champions.serving()
    promotion_desk(settings)(second_bundle(settings, tmp_path / "second"), approved_by="approver", assessment_id="IA-7")
    champions.refresh()
    assert champions.serving() is served
    assert champions.problems() == ("revenue_fraud: it cannot score an example",)
    database.close()


def test_a_data_scientist_proposes_and_an_approver_promotes(home: Path, tmp_path: Path) -> None:
    settings = settings_of(home)
    (first,) = settings.bundles_path.iterdir()
    second = second_bundle(settings, tmp_path / "second")
    digest = read_bundle(second, load_trusted_keys(settings)).identity.digest
    shutil.copytree(second, settings.bundles_path / digest)
    wanted = {"digest": digest, "assessment_id": "IA-9", "reason": "better on the lot"}
    path = "/v1/models/revenue_fraud/promote"
    with serving(home) as server:
        proposed = server.send("POST", path, "data_scientist", wanted, timeout=120)
        assert (proposed.status, proposed.json["proposed_by"]) == (202, "data_scientist"), proposed.body
        shown = server.send("GET", "/v1/models", "approver").json
        assert shown["proposals"] == [proposed.json]
        assert [one["digest"] for one in shown["models"]] == [first.name], "what serves goes on serving"
        promoted = server.send("POST", path, "approver", wanted, timeout=120)
        assert (promoted.status, promoted.json["serves"]) == (200, True), promoted.body
        assert server.send("GET", "/v1/models", "data_scientist").json["proposals"] == []
    assert verify_log_of(settings).is_intact


def test_an_approver_promotes_and_goes_back_by_the_api(home: Path, tmp_path: Path) -> None:
    settings = settings_of(home)
    (first,) = settings.bundles_path.iterdir()
    second = second_bundle(settings, tmp_path / "second")
    model = read_bundle(second, load_trusted_keys(settings))
    shutil.copytree(second, settings.bundles_path / model.identity.digest)
    wanted = {"digest": model.identity.digest, "assessment_id": "IA-9", "reason": "better on the lot"}
    path = "/v1/models/revenue_fraud"
    with serving(home) as server:
        nothing = server.send("POST", f"{path}/rollback", "approver", {"reason": "worse"})
        assert (nothing.status, nothing.json["type"]) == (409, "urn:chekara:problem:nothing_before")
        promoted = server.send("POST", f"{path}/promote", "approver", wanted)
        assert (promoted.status, promoted.json["serves"]) == (200, True), promoted.body
        assert server.score(crossing("by-api-1")).json["domains"][0]["model"]["digest"] == model.identity.digest
        began = time.monotonic()
        back = server.send("POST", f"{path}/rollback", "approver", {"reason": "worse"})
        seconds = time.monotonic() - began
        print(f"rollback {seconds:.3f} s")
        assert (back.status, back.json["serves"], back.json["digest"]) == (200, True, first.name), back.body
        assert back.json["takes_back"] == promoted.json["promotion_id"]
        assert seconds < 1, "no verification: it was in memory"
        assert server.score(crossing("by-api-2")).json["domains"][0]["model"]["digest"] == first.name
        for changes, status in (
            ({"digest": "sha256:" + "0" * 64}, 404),
            ({"digest": "../.."}, 422),
            ({"assessment_id": None}, 422),
            ({"approver": "me"}, 422),
        ):
            assert server.send("POST", f"{path}/promote", "approver", wanted | changes).status == status
        assert server.send("POST", "/v1/models/contraband/promote", "approver", wanted).status == 409
        assert server.send("POST", "/v1/models/nowhere/rollback", "approver", {"reason": "x"}).status == 404
        (settings.bundles_path / model.identity.digest / "model.txt").write_text("cut")
        damaged = server.send("POST", f"{path}/promote", "approver", wanted)
        assert (damaged.status, damaged.json["type"]) == (409, "urn:chekara:problem:bundle_digest")
        assert server.score(crossing("by-api-3")).json["domains"][0]["model"]["digest"] == first.name
    assert verify_log_of(settings).is_intact
