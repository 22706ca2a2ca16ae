"""One real training: what MLflow holds of it, who may promote it, and the stock server over it."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import mlflow
import pytest

from chekara.adapters.accounts import add_key
from chekara.adapters.tracking import ModelTracker
from chekara.data.sources import load_history
from chekara.errors import BundleSignatureError, ChekaraError, ConfigurationError
from chekara.modelling.bundle import load_trusted_keys, read_bundle
from chekara.modelling.card import compare_numbers, read_numbers
from chekara.settings import Settings
from tests.tracked import SEED, TrackedHome, environment_of, run_training
from training import promote

DOMAIN = "revenue_fraud"
SERVE_SECONDS = 120
PLOTS = {"gain", "harm", "precision_recall", "reliability", "beeswarm", "top_reasons"}
ROW: dict[str, Any] = {
    "crossing_id": "c1",
    "occurred_at": "2026-01-05T10:15:00+06:00",
    "crossing_point": "NOWHERE",
    "direction": "entry",
    "mode": "road",
    "hs_code": "610910",
    "declared_value": "1900",
    "net_mass_kg": 1000,
}


def only_run(tracked: TrackedHome) -> mlflow.entities.Run:
    experiment = tracked.client.get_experiment_by_name("chekara")
    (run,) = tracked.client.search_runs([experiment.experiment_id])
    return run


def artifact(tracked: TrackedHome, path: str, to: Path) -> Path:
    return Path(tracked.client.download_artifacts(only_run(tracked).info.run_id, path, str(to)))


def test_the_screen_is_readable_and_quiet(tracked: TrackedHome) -> None:
    for said in ("revised_after_result", "AUC", "logistic regression", "it serves", "mlflow ui"):
        assert said in tracked.screen
    assert "Warning" not in tracked.screen
    assert "Created version" not in tracked.screen


def test_the_run_holds_parameters_metrics_tags_and_data(tracked: TrackedHome) -> None:
    run = only_run(tracked)
    history = load_history(tracked.history)
    assert run.info.status == "FINISHED"
    assert run.data.params["seed"] == SEED
    assert run.data.params["lightgbm.num_leaves"] == "16"
    assert "unit_price_vs_reference" in run.data.params["features"]
    for scorer in ("model", "chance", "best_column", "logistic_regression"):
        assert f"as_given/inspected/{scorer}/precision_at_5pct_low90" in run.data.metrics
    assert run.data.metrics["auc"] == run.data.metrics["as_given/inspected/model/auc"]
    assert run.data.metrics["as_given/inspected/chance/auc"] == 0.5
    tags = run.data.tags
    assert (tags["domain"], tags["protocol"], tags["seed"]) == (DOMAIN, "as_given", SEED)
    assert tags["history_digest"] == history.digest
    assert tags["git_commit"]
    (used,) = run.inputs.dataset_inputs
    assert history.digest.removeprefix("sha256:").startswith(used.dataset.digest)


def test_the_card_names_its_run_and_equals_it(tracked: TrackedHome, tmp_path: Path) -> None:
    run = only_run(tracked)
    card = artifact(tracked, "card.md", tmp_path).read_text(encoding="utf-8")
    assert compare_numbers(card, run.data.metrics, run_id=run.info.run_id) == ()
    assert len(read_numbers(card).figures) > 50
    assert (artifact(tracked, "bundle", tmp_path) / "card.md").read_text(encoding="utf-8") == card


def test_the_pictures_are_there(tracked: TrackedHome, tmp_path: Path) -> None:
    found = list(artifact(tracked, "plots", tmp_path).glob("*.png"))
    # The last one needs hits enough in the lot, which a small history may not have.
    assert {path.stem for path in found} - {"naive_and_corrected"} == PLOTS
    for path in found:
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size > 10_000


def test_inspectors_are_in_the_restricted_folder_and_nowhere_else(tracked: TrackedHome, tmp_path: Path) -> None:
    page = artifact(tracked, "restricted", tmp_path) / "inspectors.md"
    text = page.read_text(encoding="utf-8")
    pseudonyms = {str(name) for name in load_history(tracked.history).inspections["inspector_id"].dropna().unique()}
    assert any(f"| {name} |" in text for name in pseudonyms)
    others = [artifact(tracked, path, tmp_path) for path in ("card.md", "model.toml")]
    others += [path for path in artifact(tracked, "bundle", tmp_path).rglob("*") if path.is_file()]
    for path in others:
        held = path.read_bytes()
        assert not any(name.encode() in held for name in pseudonyms), path.name


def test_registry_bundle_and_promotion_are_one_and_the_same(tracked: TrackedHome, tmp_path: Path) -> None:
    run = only_run(tracked)
    versions = {alias: tracked.client.get_model_version_by_alias(DOMAIN, alias) for alias in ("challenger", "champion")}
    assert {str(version.version) for version in versions.values()} == {"1"}
    digest = versions["champion"].tags["bundle_digest"]
    assert run.data.tags["bundle_digest"] == digest
    model = read_bundle(artifact(tracked, "bundle", tmp_path), load_trusted_keys(tracked.settings))
    assert model.identity.digest == digest
    assert model.identity.version == "1"
    assert model.about["run_id"] == run.info.run_id
    assert model.about["trained_by"] == "Ms A"
    assert (model.about["blocking_findings"], model.about["refused_tables"]) == ([], [])
    promoted = [path for path in tracked.settings.bundles_path.iterdir() if path.is_dir()]
    assert len(promoted) == 1
    assert read_bundle(promoted[0], load_trusted_keys(tracked.settings)).identity.digest == digest


def test_the_registered_model_holds_no_pickle_and_no_entity(tracked: TrackedHome, tmp_path: Path) -> None:
    uri = tracked.client.get_model_version_download_uri(DOMAIN, "1")
    folder = Path(
        mlflow.artifacts.download_artifacts(uri, dst_path=str(tmp_path), tracking_uri=tracked.settings.tracking_uri)
    )
    names = [path.name for path in folder.rglob("*") if path.is_file()]
    assert "pyfunc_script.py" in names
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".joblib"))]
    assert all(not path.read_bytes().startswith(b"\x80") for path in folder.rglob("*") if path.is_file())
    example = (folder / "input_example.json").read_text(encoding="utf-8")
    history = load_history(tracked.history).crossings
    for column in ("crossing_id", "importer_id", "vehicle_id"):
        assert not any(str(value) in example for value in history[column].dropna().unique()[:500])


def test_a_stranger_without_the_key_cannot_load_it(
    tracked: TrackedHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = tracked.client.get_model_version_download_uri(DOMAIN, "1")
    monkeypatch.setenv("CHEKARA_HOME", str(tracked.home))
    assert mlflow.pyfunc.load_model(uri)
    monkeypatch.setenv("CHEKARA_HOME", str(tmp_path))
    with pytest.raises(ChekaraError) as refused:
        mlflow.pyfunc.load_model(uri)
    assert isinstance(refused.value, BundleSignatureError | ConfigurationError)


def copied(tracked: TrackedHome, to: Path) -> TrackedHome:
    """Copy a home, MLflow's artifacts left where they are: its store names them by place."""
    shutil.copytree(tracked.home, to, ignore=shutil.ignore_patterns("mlartifacts"))
    return TrackedHome(to, tracked.history, tracked.screen)


def test_a_second_person_promotes_and_nobody_else(
    tracked: TrackedHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own = copied(tracked, tmp_path / "home")
    home, client = own.home, own.client
    digest = only_run(tracked).data.tags["bundle_digest"]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")  # the default; MLflow writes into it, and this takes that back
    monkeypatch.setenv("CHEKARA_HOME", str(home))
    monkeypatch.setenv("CHEKARA_ENV", "production")
    monkeypatch.setenv("COLUMNS", "300")

    def key_of(holder: str, role: str = "approver", *, is_test: bool = False) -> str:
        settings = Settings.from_environment({"CHEKARA_HOME": str(home), "CHEKARA_ENV": "dev"})
        return add_key(settings, agency="customs", role=role, holder=holder, is_test=is_test)

    def ask_for(key: str, assessment_id: str, *more: str) -> str:
        monkeypatch.setenv("CHEKARA_APPROVER_KEY", key)
        wanted = ("--domain", DOMAIN, "--digest", digest, "--assessment-id", assessment_id, *more)
        monkeypatch.setattr(sys, "argv", ["promote", *wanted])
        with pytest.raises(SystemExit) as ended:
            promote.main()
        said = capsys.readouterr()
        return f"{ended.value.code}: {said.err or said.out}"

    second = key_of("Mr B")
    assert "CHEKARA_APPROVER_KEY" in ask_for("", "DPIA-7", "--approver", "Mr B")  # a name alone is nobody
    for trainer in ("ms a", "Ms \u0410"):  # the last letter is Cyrillic
        assert "cannot promote" in ask_for(key_of(trainer), "DPIA-7")
    assert "not known" in ask_for("made up", "DPIA-7")
    assert "another person" in ask_for(second, "DPIA-7", "--approver", "Ms C")
    for other in (key_of("Mr B", "data_scientist"), key_of("Mr B", is_test=True)):
        assert "not that of an approver" in ask_for(other, "DPIA-7")
    assert "assessment" in ask_for(second, " ")
    done = ask_for(second, "DPIA-7", "--approver", "mr b")
    assert done.startswith("0:")
    assert "approved by Mr B on assessment DPIA-7" in done
    # By the API another version may be promoted, which MLflow is not told.
    monkeypatch.delenv("CHEKARA_APPROVER_KEY")
    other = client.create_model_version(DOMAIN, "nowhere", tags={"bundle_digest": "sha256:other"})
    client.set_registered_model_alias(DOMAIN, "champion", other.version)
    monkeypatch.setattr(sys, "argv", ["promote", "--mirror"])
    with pytest.raises(SystemExit) as ended:
        promote.main()
    assert ended.value.code == 0
    assert f"{DOMAIN}: the alias champion is version 1, {digest}." in capsys.readouterr().out
    assert client.get_model_version_by_alias(DOMAIN, "champion").tags["bundle_digest"] == digest


@pytest.mark.slow
def test_training_again_gives_the_same_digest_and_the_next_version(
    tracked: TrackedHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")  # MLflow writes into it, and this takes that back
    again = copied(tracked, tmp_path / "home")
    # A version that somebody deleted still counts: the next one is not simply one more than the newest.
    again.client.create_model_version(DOMAIN, "nowhere")
    again.client.delete_model_version(DOMAIN, "2")
    shutil.rmtree(again.settings.bundles_path)
    done = run_training(
        again.home,
        "training.train",
        *("--data", str(again.history), "--domain", DOMAIN, "--seed", SEED, "--card", str(tmp_path / "card.md")),
    )
    assert done.returncode == 0, done.stderr
    aliases = {alias: again.client.get_model_version_by_alias(DOMAIN, alias) for alias in ("challenger", "champion")}
    assert int(aliases["champion"].version) == 1
    assert int(aliases["challenger"].version) >= 3
    assert aliases["challenger"].tags["bundle_digest"] == aliases["champion"].tags["bundle_digest"]
    fetched = ModelTracker(again.settings).fetch_bundle(DOMAIN, tmp_path, version=str(aliases["challenger"].version))
    model = read_bundle(fetched.folder, load_trusted_keys(again.settings))
    assert model.identity.version == str(aliases["challenger"].version)
    # Not promoted, and yet where a promotion over HTTP looks for it.
    challenger = again.settings.bundles_path / aliases["challenger"].tags["bundle_digest"]
    assert read_bundle(challenger, load_trusted_keys(again.settings)).identity == model.identity
    assert read_numbers((tmp_path / "card.md").read_text(encoding="utf-8")).run_id == model.about["run_id"]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def ask(port: int, path: str, body: dict[str, Any] | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request("GET" if body is None else "POST", path, body and json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def wait_until_up(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + SERVE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if ask(port, "/ping")[0] == 200:
                return
        except OSError:
            time.sleep(0.3)
    raise AssertionError(log.read_text(encoding="utf-8", errors="replace")[-3000:])


@pytest.mark.slow
def test_mlflow_models_serve_answers_on_raw_columns(tracked: TrackedHome, tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "serve.log"
    env = {
        **environment_of(tracked.home),
        "MLFLOW_TRACKING_URI": tracked.settings.tracking_uri,
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    command = [str(Path(sys.executable).with_name("mlflow")), "models", "serve", "-m", f"models:/{DOMAIN}@champion"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--env-manager", "local", "--port", str(port), "--workers", "1"],
            cwd=tmp_path,
            env=env,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        wait_until_up(port, process, log)
        records = [ROW, {**ROW, "crossing_id": "c2", "hs_code": 610910, "declared_value": 1900, "packages": None}]
        status, body = ask(port, "/invocations", {"dataframe_records": records, "params": {"contributions": True}})
        assert status == 200, body
        first, second = json.loads(body)["predictions"]
        assert first["crossing_id"] == "c1"
        assert first["margin"] == second["margin"]
        assert 0 < first["interval_low"] <= first["probability"] <= first["interval_high"] < 1
        assert "unseen_category:crossing_point" in first["warnings"]
        parts = [value for name, value in first.items() if name.startswith("contribution_")]
        assert sum(parts) == pytest.approx(first["item_margin"], abs=1e-6)
        split = {"columns": list(ROW), "data": [list(ROW.values())]}
        status, body = ask(port, "/invocations", {"dataframe_split": split})
        assert status == 200, body
        assert json.loads(body)["predictions"][0]["margin"] == first["margin"]
        status, body = ask(port, "/invocations", {"dataframe_records": [{"crossing_id": "c1"}]})
        assert status == 400
        assert b"occurred_at" in body
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)
