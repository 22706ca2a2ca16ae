"""A country adds a risk domain: profiles of another layout are made beside what serves, or by the service to come."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from chekara.adapters.assembly import promotion_desk, verify_log_of
from chekara.adapters.profile_load import load_profiles
from tests.one_more_domain import OWN_DOMAIN, own_bundle, own_history, wider_policy
from tests.serving import Reply, Server, copied_home, crossing, environment_of, serving, settings_of


@pytest.fixture(scope="module")
def grown(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home with a loaded history that has results of the own domain, the wider policy and the own model."""
    folder = tmp_path_factory.mktemp("grown")
    history = own_history(trained / "history", folder / "history")
    with copied_home(trained, folder / "copy") as copied:
        copied.rename(folder / "home")
    home = folder / "home"
    policy = wider_policy(home)
    load_profiles(settings_of(home), folder / "history")
    own_bundle(settings_of(home, CHEKARA_POLICY=str(policy)), history, home / "own-bundle")
    return home


def shelves(home: Path) -> dict[str, str]:
    """Return the layout of the shelf that serves, and of the other one."""
    with sqlite3.connect(home / "chekara.db") as connection:
        rows = connection.execute("SELECT is_serving, layout FROM profile_shelves").fetchall()
    return {"serves" if is_serving else "beside": layout for is_serving, layout in rows}


def until_ready(server: Server) -> set[str]:
    """Wait until a server can score; why it could not before."""
    told: set[str] = set()
    deadline = time.monotonic() + 60
    while (reply := server.send("GET", "/readyz")).status != 200 and time.monotonic() < deadline:
        told.add(reply.json["detail"])
        time.sleep(0.02)
    assert reply.status == 200, reply.body
    return told


def test_profiles_made_ahead_cost_the_former_service_nothing_and_serve_with_the_new_model(
    grown: Path, tmp_path: Path
) -> None:
    with copied_home(grown, tmp_path / "home") as home:
        policy = str(home / "wider.toml")
        wider = settings_of(home, CHEKARA_POLICY=policy)
        replies: list[tuple[float, Reply]] = []
        stop = threading.Event()

        def ask(server: Server) -> None:
            while not stop.is_set():
                began = time.monotonic()
                reply = server.score(crossing(f"former-{len(replies)}"))
                replies.append((time.monotonic() - began, reply))
                time.sleep(0.02)

        with serving(home) as server:
            asker = threading.Thread(target=ask, args=(server,))
            asker.start()
            ahead = [sys.executable, "-m", "chekara.cli", "profiles", "rebuild", "--ahead"]
            environment = environment_of(home, CHEKARA_POLICY=policy)
            made = subprocess.run(ahead, env=environment, capture_output=True, text=True, check=False)
            assert made.returncode == 0, made.stderr
            promotion_desk(wider)(home / "own-bundle", approved_by="approver", assessment_id="IA-1")
            time.sleep(3)  # the watcher has looked
            stop.set()
            asker.join()
            shown = server.send("GET", "/v1/models", "approver").json
        assert "They serve as soon as a service of this version and policy starts." in made.stdout
        assert {reply.status for _, reply in replies} == {200}
        assert {tuple(d["domain"] for d in reply.json["domains"]) for _, reply in replies} == {("revenue_fraud",)}
        seconds = sorted(one for one, _ in replies)
        print(f"{len(seconds)} answers meanwhile, median {seconds[len(seconds) // 2]:.3f} s, slowest {seconds[-1]:.3f}")
        assert seconds[-1] < 1.5
        assert [one["domain"] for one in shown["models"]] == ["revenue_fraud"]
        assert any("tax_evasion" in problem for problem in shown["problems"]), "it needs the wider policy"
        before = shelves(home)
        with serving(home, CHEKARA_POLICY=policy) as server:
            reply = server.score(crossing("new"), key="system_with_reasons")
            assert reply.status == 200
            own = {d["domain"]: d for d in reply.json["domains"]}
            assert set(own) == {"revenue_fraud", OWN_DOMAIN}
            assert any(name.endswith(f"_hit_rate_{OWN_DOMAIN}") for name in own[OWN_DOMAIN]["contributions"])
            result = {
                "inspection_id": "own",
                "crossing_id": "new",
                "domain": OWN_DOMAIN,
                "inspected_at": crossing("new")["occurred_at"],
                "found": True,
            }
            assert server.send("POST", "/v1/inspections", "analyst", result).status == 200
        assert shelves(home) == {"serves": before["beside"], "beside": before["serves"]}
        assert verify_log_of(wider).is_intact


def test_a_start_that_is_killed_again_and_again_gets_there(grown: Path, tmp_path: Path) -> None:
    with copied_home(grown, tmp_path / "home") as home:
        former = shelves(home)["serves"]
        more = {"CHEKARA_POLICY": str(home / "wider.toml")}
        for seconds in (0.1, 0.7):
            with serving(home, wait_until="alive", **more) as server:
                refused = server.score(crossing("too early"))
                if refused.status != 200:  # else the machine was faster than the kill
                    assert (refused.status, refused.json["type"]) == (503, "urn:chekara:problem:not_ready")
                    assert int(refused.headers["retry-after"]) >= 1
                    assert server.send("GET", "/v1/decisions?limit=1", "analyst").status == 200, "it can be read"
                time.sleep(seconds)
                server.process.kill()
                server.process.wait()
            found = shelves(home)
            assert found["serves"] == former or found["beside"] == former
        with serving(home, wait_until="alive", **more) as server:
            told = until_ready(server)
            assert all(one.startswith("the profiles are made for this version and policy: ") for one in told), told
            assert server.score(crossing("at last")).status == 200
        assert shelves(home)["beside"] == former
        assert verify_log_of(settings_of(home, **more)).is_intact
