"""Every benchmark still runs: at a tiny size where it can be had, else far enough to say what it would do."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from benchmarks import bulk, growth, profile_engine, request_path, service, shap_kernel
from benchmarks.house import KEY, copy_house, count_states, empty_shelf, past_the_service
from benchmarks.peers import FOLDER, LIST, PeerProcess
from benchmarks.run import PARTS
from chekara.adapters.profile_load import load_profiles
from chekara.service.chain import entry_hash
from tests.serving import ROOT, settings_of

MODULES = sorted(file.stem for file in (ROOT / "benchmarks").glob("*.py"))
PROGRAMS = [name for name in MODULES if "ArgumentParser" in (ROOT / "benchmarks" / f"{name}.py").read_text("utf-8")]
TESTED_BELOW = {"shap_kernel", "service", "request_path", "growth", "profile_engine"}


@pytest.fixture(scope="module")
def house(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a small house of the benchmarks: one domain, the profiles of its border, the key that they use."""
    home = tmp_path_factory.mktemp("bench") / "house"
    shutil.copytree(trained, home)
    load_profiles(settings_of(home), home / "history")
    keys = json.loads((home / "keys.json").read_text("utf-8"))
    (home / "keys.json").write_text(json.dumps({KEY: keys["system_with_reasons"]}), "utf-8")
    return home


def run_tiny(part: str, main: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *more: str) -> dict[str, object]:
    """Run a part's program in this process at its smallest size; its figures."""
    figures = tmp_path / "figures.json"
    monkeypatch.setattr(sys, "argv", [part, *PARTS[part].arguments("tiny"), "--json", str(figures), *more])
    assert callable(main)
    main()
    found: dict[str, object] = json.loads(figures.read_text("utf-8"))
    return found


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name not in TESTED_BELOW])
def test_a_program_says_what_it_does(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is imported whole and reads its arguments."""
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"benchmarks.{name}").main()
    assert ended.value.code == 0
    assert "usage:" in capsys.readouterr().out


def test_kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = run_tiny("kernel", shap_kernel.main, monkeypatch, tmp_path)
    assert found["differences"]


def test_history(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = run_tiny("history", profile_engine.main, monkeypatch, tmp_path)
    assert found["sizes"]


def test_service(house: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = run_tiny("service", service.main, monkeypatch, tmp_path, "--home", str(house))
    assert {one["name"] for one in found["closed"]} == {"chekara", "ceiling"}  # type: ignore[attr-defined]
    assert turned_away([*found["closed"], *found["open"]])  # type: ignore[misc]
    assert found["batch"]["scored"] == found["batch"]["rows"]  # type: ignore[index]


def test_path(house: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = run_tiny("path", request_path.main, monkeypatch, tmp_path, "--home", str(house))
    measured = found["us"]["1"]  # type: ignore[index]
    assert set(measured) <= set(found["stages"])  # type: ignore[call-overload]


def test_growth(house: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def grow_and_check(database: Path, n: int) -> None:
        bulk.grow_log(database, n)
        check_chain(database)

    monkeypatch.setattr(growth, "TEMPLATES", growth.TEMPLATES_AT_ONCE)
    monkeypatch.setattr(growth, "grow_log", grow_and_check)
    found = run_tiny("growth", growth.main, monkeypatch, tmp_path, "--home", str(house))
    base, long = found["sizes"]  # type: ignore[misc]
    assert (base["decisions"], long["decisions"]) == (0, 300 + growth.TEMPLATES_AT_ONCE)
    assert turned_away(found["figures"])  # type: ignore[arg-type]


def turned_away(figures: list[dict[str, Any]]) -> bool:
    """Whether nothing went wrong but that some were turned away, which may be where tests share the cores."""
    return {status for one in figures for status in one["errors"] or {}} <= {"429", "503"}


def check_chain(database: Path) -> None:
    """Check that each hash follows from its entry and the one before, and that decisions have rows as real ones do."""
    with past_the_service(database) as connection:
        connection.row_factory = lambda cursor, row: dict(zip([c[0] for c in cursor.description], row, strict=True))
        entries = connection.execute("SELECT * FROM log WHERE chain = 'live' ORDER BY position").fetchall()
        widths = connection.execute(
            "SELECT count(*) AS n FROM decisions AS d LEFT JOIN decision_domains USING (decision_id) "
            "GROUP BY decision_id ORDER BY n"
        ).fetchall()
    assert len(entries) > 300
    for earlier, entry in pairwise(entries):
        assert entry["previous_hash"] == earlier["hash"]
        assert entry["hash"] == entry_hash(**{name: value for name, value in entry.items() if name != "hash"})
    assert widths[0] == widths[-1]


def test_an_emptied_shelf_is_empty(house: Path, tmp_path: Path) -> None:
    copy = copy_house(house, tmp_path / "copy", states=count_states(house) + 50)
    assert count_states(copy) == count_states(house) + 50
    empty_shelf(copy / "chekara.db")
    assert count_states(copy) == 0


def test_peers_of_the_history_engine_agree(tmp_path: Path) -> None:
    """Three libraries, one sum: none is measured at something easier than the others."""
    installed = FOLDER / "installed.txt"
    if not installed.exists() or installed.read_text("utf-8") != LIST.read_text("utf-8"):
        pytest.skip("the peers are not installed: `make bench` does so")
    history = profile_engine.first_rows(profile_engine.simulate(3000, seed=3), 3000)
    files = profile_engine.lay_out(history, tmp_path)
    peers = PeerProcess((FOLDER / "bin" / "python").absolute(), "benchmarks.peer_history")
    totals = []
    for name in profile_engine.PEERS:
        peers.ask(do="open", peer=name, keys=list(profile_engine.PEER_KEYS), **files)
        totals.append(peers.ask(do="turn", peer=name)["totals"])
    peers.close()
    assert len(totals[0]) == 8 * len(profile_engine.PEER_KEYS)
    for other in totals[1:]:
        assert other == pytest.approx(totals[0], rel=1e-9)


def test_no_program_of_the_runner_is_missing() -> None:
    assert {part.module for part in PARTS.values()} <= set(PROGRAMS)
