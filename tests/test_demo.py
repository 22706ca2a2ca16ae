"""``make demo`` as a new user meets it: one command, and a service that has scored; one more, and it is gone."""

from __future__ import annotations

import json
import os
import runpy
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from chekara.data.simulate import simulate_border

ROOT = Path(__file__).parents[1]


def run(home: Path, *command: str, seconds: float = 300) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "CHEKARA_HOME": str(home), "CHEKARA_ENV": "dev"}
    environment.pop("CHEKARA_DATABASE_URL", None)
    environment.pop("MLFLOW_TRACKING_URI", None)
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def get(url: str, key: str | None = None) -> tuple[int, bytes]:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"} if key else {})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@pytest.mark.slow
def test_the_whole_road_is_walked(tmp_path: Path) -> None:
    home = tmp_path / "var"
    started = run(home, "scripts/demo.py", "start", "--port", "0")
    try:
        check_the_road(home, started)
        check_the_printed_curl_line(started.stdout)
        check_stop_ends_it_and_can_be_said_twice(home)
    finally:
        run(home, "scripts/demo.py", "stop")


def check_the_road(home: Path, started: subprocess.CompletedProcess[str]) -> None:
    assert started.returncode == 0, started.stdout[-3000:] + started.stderr[-3000:]
    facts = json.loads((home / "demo.json").read_text(encoding="utf-8"))
    assert set(facts) == {"url", "keys", "pid", "seconds"}
    assert set(facts["seconds"]) >= {"simulate", "train", "profiles", "serve", "score"}
    assert stat.S_IMODE((home / "demo.json").stat().st_mode) == 0o600
    assert f"curl -s '{facts['url']}/v1/scores?contributions=false'" in started.stdout

    assert get(f"{facts['url']}/readyz")[0] == 200
    status, body = get(f"{facts['url']}/v1/models", facts["keys"]["data_scientist"])
    assert status == 200
    assert b"revenue_fraud" in body
    status, body = get(f"{facts['url']}/v1/decisions", facts["keys"]["analyst"])
    assert status == 200
    assert json.loads(body)["decisions"]

    verified = run(home, "-m", "chekara.cli", "audit", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def check_the_printed_curl_line(printed: str) -> None:
    line = next(line for line in printed.splitlines() if line.strip().startswith("curl -s"))
    answer = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60, check=False)
    decision = json.loads(answer.stdout)
    assert decision["domains"][0]["reasons"][0]["text"]
    assert "contributions" not in decision["domains"][0]
    assert "profiles_empty" not in {warning["code"] for warning in decision["warnings"]}


def check_stop_ends_it_and_can_be_said_twice(home: Path) -> None:
    facts = json.loads((home / "demo.json").read_text(encoding="utf-8"))
    for _ in range(2):
        stopped = run(home, "scripts/demo.py", "stop")
        assert stopped.returncode == 0, stopped.stderr
        assert not (home / "demo.json").exists()
    assert (
        not Path(f"/proc/{facts['pid']}").exists() or b"serve" not in Path(f"/proc/{facts['pid']}/cmdline").read_bytes()
    )


def test_a_history_of_your_own_has_a_home_of_its_own(tmp_path: Path) -> None:
    home_of = runpy.run_path(str(ROOT / "scripts" / "demo.py"))["home_of"]
    mine, other = (home_of(tmp_path, tmp_path / name / "history") for name in ("mine", "other"))
    assert mine != other
    assert all(home.name.startswith("demo-data-history-") for home in (mine, other))
    assert home_of(tmp_path, tmp_path / "mine" / "history" / ".") == mine


def test_a_folder_that_cannot_be_read_leaves_nothing_behind(tmp_path: Path) -> None:
    home = tmp_path / "var"
    refused = run(home, "scripts/demo.py", "start", "--data", str(tmp_path / "nowhere"))
    assert refused.returncode == 2
    assert not list(home.glob("*"))


def test_without_enough_hits_it_ends_after_training_and_says_what_to_do(tmp_path: Path) -> None:
    history, home = tmp_path / "history", tmp_path / "var"
    simulate_border(history, months=1, per_day=15, seed=1)
    ended = run(home, "scripts/demo.py", "start", "--data", str(history))
    assert ended.returncode == 2, ended.stdout + ended.stderr
    assert "no risk domain had enough hits" in " ".join(ended.stdout.split())
    assert "minimum_hits" in ended.stdout
    assert "not_ready" not in ended.stdout
    assert not list(home.rglob("demo-serve.log"))


def test_stop_finds_the_demo_of_a_history_of_your_own(tmp_path: Path) -> None:
    left = tmp_path / "demo-data-mine-0123abcd" / "demo.json"
    left.parent.mkdir()
    left.write_text("{", encoding="utf-8")
    assert run(tmp_path, "scripts/demo.py", "stop").returncode == 0
    assert not left.exists()


def test_a_damaged_demo_file_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "demo.json").write_text("{", encoding="utf-8")
    stopped = run(tmp_path, "scripts/demo.py", "stop")
    assert stopped.returncode == 0
    assert "damaged" in stopped.stdout
    (tmp_path / "demo.json").write_text(json.dumps({"pid": os.getpid()}), encoding="utf-8")
    assert run(tmp_path, "scripts/demo.py", "stop").returncode == 0  # we are still here: it was not the demo's process
