"""`chekara score` for real: over a trained home, beside a real server, and where it cannot."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet
from rich.console import Console
from typer.testing import CliRunner

from chekara.adapters.assembly import open_house
from chekara.adapters.score_folder import score_folder
from chekara.api.parse import ScoreParser
from chekara.cli import app
from chekara.data.bodies import request_bodies
from chekara.data.sources import load_history, write_history
from chekara.errors import ConfigurationError, HistoryError, NotReadyError
from chekara.service.records import ScoreRequest
from chekara.service.score_plan import plan_scores
from tests.serving import copied_home, environment_of, policy_without_lot, serving, settings_of
from tests.small_house import actor as small_actor

N_CROSSINGS = 400


@pytest.fixture(scope="module")
def history(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the first crossings of the trained home's history, revisions included."""
    folder = tmp_path_factory.mktemp("history")
    whole = load_history(trained / "history")
    mended = whole.crossings.loc[whole.crossings["revision"] > 0, "crossing_id"].unique()[:20]
    first = whole.crossings["crossing_id"].drop_duplicates()[:N_CROSSINGS]
    kept = whole.crossings["crossing_id"].isin({*first, *mended})
    # Without crossing points: a live store that was never loaded with a history does not know them either.
    write_history({"crossings": whole.crossings[kept]}, folder)
    return folder


def score(home: Path, history: Path, out: Path, since: datetime | None = None) -> str:
    """Score in this process; return what a person would have read."""
    console = Console(file=io.StringIO(), width=200)
    score_folder(settings_of(home), history, out, since=since, console=console)
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def scored(trained: Path, history: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the scores of that history, as the command writes them."""
    out = tmp_path_factory.mktemp("scored") / "s.parquet"
    command = [sys.executable, "-m", "chekara.cli", "score", str(history), "--out", str(out)]
    with copied_home(trained, out.parent / "home") as home:
        environment = environment_of(home, COLUMNS="200")
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "Wrote" in done.stdout
    return out


def contents(folder: Path) -> dict[str, str]:
    # SQLite's readers leave their mark in the shared memory of a running database, which is no part of it.
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.endswith("-shm"))
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_live_store_is_not_touched(home: Path, history: Path, scored: Path, tmp_path: Path) -> None:
    before = contents(home)
    told = score(home, history, tmp_path / "s.parquet")
    assert contents(home) == before
    assert "Left out, no champion: contraband" in told
    assert (tmp_path / "s.parquet").read_bytes() == scored.read_bytes()


def batches(bodies: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Cut bodies, in order, so that no crossing comes twice in one batch: a repeated one would wait for the others."""
    batch: list[dict[str, Any]] = []
    for body in bodies:
        if len(batch) == 200 or body["crossing_id"] in {other["crossing_id"] for other in batch}:
            yield batch
            batch = []
        batch.append(body)
    yield batch


def test_a_real_server_says_the_same(home: Path, history: Path, scored: Path) -> None:
    expected = {row["crossing_id"]: row for row in parquet.read_table(scored).to_pylist()}
    whole = load_history(history)
    bodies = list(request_bodies(whole.crossings.iloc[plan_scores(whole).rows]))
    assert any(body["revision"] > 0 for body in bodies)
    with serving(home, clock="replay") as server:
        said = []
        for batch in batches(bodies):
            lines = "\n".join(map(json.dumps, batch)).encode()
            reply = server.send(
                "POST", "/v1/scores/batch", "system_with_reasons", lines, content_type="application/x-ndjson"
            )
            assert reply.status == 200, reply.body[:500]
            said += [json.loads(line) for line in reply.body.splitlines()]
    last = {answer["decision"]["crossing_id"]: answer["decision"] for answer in said}
    assert last.keys() == expected.keys()
    for crossing_id, answer in last.items():
        row = expected[crossing_id]
        assert (row["lane"], row["revision"]) == (answer["lane"], answer["revision"])
        (domain,) = answer["domains"] or [None]
        if domain is None:
            assert row["margin_revenue_fraud"] is None
            continue
        assert row["margin_revenue_fraud"] == domain["margin"]
        assert row["rank_revenue_fraud"] == domain["rank"]
        assert row["p_revenue_fraud"] == domain["probability"]
        told = [(r["feature"], r["contribution"]) for r in row["reasons_revenue_fraud"]]
        assert told == [(r["feature"], r["contribution"]) for r in domain["reasons"]]


def test_what_cannot_be_done_is_said_before_work_begins(home: Path, history: Path, tmp_path: Path) -> None:
    out = tmp_path / "s.parquet"
    with pytest.raises(NotReadyError, match="no database"):
        score(tmp_path / "no-such-home", history, out)
    with pytest.raises(HistoryError, match="no such folder"):
        score(home, tmp_path / "nothing", out)
    with pytest.raises(ConfigurationError, match=r"parquet or \.csv"):
        score(home, tmp_path / "nothing", tmp_path / "s.txt")
    asked = CliRunner().invoke(app, ["score", str(history), "--out", str(out), "--since", "2026-01-01"])
    assert isinstance(asked.exception, ConfigurationError)
    assert asked.exception.where == "--since"
    assert list(tmp_path.glob("*s.*")) == []
    assert not (tmp_path / "no-such-home").exists()


WATCHED = """[[rules]]
id = "watched"
risk = "vehicles"
owner = "internal_affairs"
lane = "red"
reason = { en = "A vehicle that somebody looks for." }
watch_list = "stolen"
valid_from = 2000-01-01
expires_at = 2100-01-01
review_at = 2099-01-01
"""


def watching_policy(folder: Path) -> Path:
    """Write the policy of the tests with a rule that names a watch list, and budgets."""
    for part in ("rules", "risks"):
        (folder / part).mkdir(parents=True)
    (folder / "policy.toml").write_text(policy_without_lot().read_text("utf-8"), "utf-8")
    (folder / "rules" / "watched.toml").write_text(WATCHED, "utf-8")
    risk = (
        '[[risks]]\nid = "vehicles"\ntitle = "Stolen vehicles"\ndomain = "vehicle_crime"\nthreat = "Resale abroad."\n'
    )
    (folder / "risks" / "vehicles.toml").write_text(f'{risk}owner = "internal_affairs"\nreview_at = 2099-01-01\n')
    return folder


def test_a_watched_vehicle_is_met_in_a_folder_as_in_the_service(home: Path, history: Path, tmp_path: Path) -> None:
    """Plates are written otherwise than the history writes them; one entry ends half-way through it."""
    policy = str(watching_policy(tmp_path / "policy"))
    whole = load_history(history)
    rows = whole.crossings.iloc[plan_scores(whole).rows]
    header = rows.drop_duplicates("crossing_id").dropna(subset=["vehicle_id"])
    seen = header["vehicle_id"].value_counts()
    always, until = seen.index[:2]
    middle = header.loc[header["vehicle_id"] == until, "known_at"].sort_values().iloc[seen[until] // 2]
    for plate, ends in ((f" {always.lower()}\n{always}", "2100-01-01T00:00:00Z"), (until, middle.isoformat())):
        given = ["watchlist", "add", "stolen", "--entity", "vehicle_id", "--agency", "internal_affairs"]
        done = CliRunner().invoke(
            app,
            [*given, "--reason", "reported", "--expires", ends],
            input=plate,
            env=environment_of(home, CHEKARA_POLICY=policy),
        )
        assert done.exit_code == 0, done.output
        assert done.output.startswith("1 entries")
    settings, out = settings_of(home, CHEKARA_POLICY=policy), tmp_path / "s.parquet"
    score_folder(settings, history, out, since=None, console=Console(file=io.StringIO()))
    said = {row["crossing_id"]: (row["revision"], row["lane"]) for row in parquet.read_table(out).to_pylist()}
    met, lanes = set(), {}
    house, parser = open_house(settings, clock="replay"), ScoreParser(settings.limits)
    for body in request_bodies(rows):
        parsed = parser.parse(json.dumps(body).encode(), received_at=datetime.now(UTC), is_replay=True)
        request = ScoreRequest(crossing=parsed.crossing, actor=small_actor(), received_at=datetime.now(UTC))
        decision = house.writer.submit(request).result(60).decision
        lanes[decision.crossing_id] = (decision.revision, decision.lane.value)
        met |= {decision.crossing_id for hit in decision.grounds.rules if hit.rule == "watched"}
    house.close()
    assert said == lanes
    expected = header["vehicle_id"].eq(always) | (header["vehicle_id"].eq(until) & header["known_at"].lt(middle))
    assert met == set(header.loc[expected, "crossing_id"])
    assert 0 < sum(header["vehicle_id"].eq(until) & expected) < seen[until]
    assert {said[crossing_id][1] for crossing_id in met} == {"red"}
