"""The loop of the lot with a real service: drawn, controlled, exported, and learned from with its propensities."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chekara.data.labels import label_crossings
from chekara.data.lot import lot_controls
from chekara.data.sources import load_history
from chekara.modelling.dataset import build_dataset
from chekara.modelling.spec import load_spec
from tests.serving import Server, copied_home, crossing, environment_of, policy_without_lot, serving

CROSSINGS = 60
DOMAIN = "revenue_fraud"
SPEC = Path(__file__).parents[2] / "models" / DOMAIN / "model.toml"


def policy_with_lot(folder: Path) -> Path:
    path = folder / "policy.toml"
    lot = f'\n[lot]\npropensity = 0.3\ndomains = ["{DOMAIN}"]\n'
    path.write_text(policy_without_lot().read_text("utf-8") + lot, "utf-8")
    return path


def run(server: Server, *command: str) -> subprocess.CompletedProcess[str]:
    environment = environment_of(server.home, CHEKARA_POLICY=str(server.settings.policy_path))
    return subprocess.run(
        [sys.executable, "-m", "chekara.cli", *command], env=environment, text=True, capture_output=True, check=False
    )


def test_draws_come_back_as_labels_with_their_propensity(trained: Path, tmp_path: Path) -> None:
    with (
        copied_home(trained, tmp_path / "home") as home,
        serving(home, CHEKARA_POLICY=str(policy_with_lot(tmp_path))) as server,
    ):
        assert "warnings" not in server.send("GET", "/readyz").json, "dev commits a seed when it starts"
        rows = [crossing(f"loop-{i}") for i in range(CROSSINGS)]
        answers = server.send("POST", "/v1/scores/batch", "system", rows).json
        ids = [row["decision"]["decision_id"] for row in answers]
        told = [server.send("GET", f"/v1/decisions/{one}", "auditor").json for one in ids]
        drawn = [one["crossing_id"] for one in told if one["selected_by"] == "random"]
        assert 5 <= len(drawn) <= 35, "0.3 of 60"
        assert {one["lane"] for one in told if one["crossing_id"] in drawn} == {"red"}
        now = datetime.now(UTC).isoformat()
        results = [
            {
                "inspection_id": f"i-{one}",
                "crossing_id": one,
                "domain": DOMAIN,
                "inspected_at": now,
                "known_at": now,
                "found": n % 2 == 0,
            }
            for n, one in enumerate(drawn)
        ]
        sent = server.send("POST", "/v1/inspections", "inspector", results)
        assert sent.status == 200, sent.body
        metrics = server.send("GET", "/metrics").body.decode()
        assert re.search(r"^chekara_lot_draws 1\.0$", metrics, re.MULTILINE)
        exported, verified = run(server, "export", str(tmp_path / "out")), run(server, "lot", "verify")
        assert (exported.returncode, verified.returncode) == (0, 0), exported.stderr + verified.stdout
        assert f"{CROSSINGS} draws" in " ".join(exported.stdout.split())
    spec = load_spec(SPEC)
    history = load_history(tmp_path / "out")
    until = datetime.now(UTC) + timedelta(minutes=1)
    labels = label_crossings(history.inspections, spec.target, until)
    ours = labels[labels["crossing_id"].isin(drawn)]
    assert set(ours["selected_by"]) == {"random"}
    assert ours["propensity"].to_numpy() == pytest.approx(0.3)
    assert len(lot_controls(history.inspections, spec.target)) == len(drawn)
    dataset = build_dataset(history, spec, until)
    assert (dataset.selected_by == "random").sum() == len(drawn)
