"""The page of benchmarks: the same figures give the same page, and each stands with the command that produced it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.report import BLOCKS, figure, fill, read_stored, service_block, write_report
from benchmarks.run import PARTS, command_of
from benchmarks.service import time_batch
from benchmarks.targets import LINES, Line, all_lines
from benchmarks.traffic import MARK
from benchmarks.turns import Bench
from tests.serving import ROOT

COSTS = {("chekara", 1): 1.0, ("lightgbm", 1): 9.0, ("xgboost", 1): 12.0, ("lightgbm", 1000): 25.0}


def served(name: str, connections: int, **changed: Any) -> dict[str, Any]:
    """Make figures of one server at one number of connections."""
    made = {"requests_s": 100.0, "p50_ms": 2.0, "p90_ms": 5.0, "p99_ms": 15.0, "server_us": 900.0, "client_us": 50.0}
    made |= {"ratio": 0.2, "errors": {}, "rss_mb": 300.0}
    return {"name": name, "connections": connections, **made, **changed}


def stored_parts() -> dict[str, Any]:
    """Make figures of every part."""
    sizes = [("as made", "both", 0, 700), ("long", "log", 1000, 700), ("many", "profiles", 0, 9000)]
    side = {"one domain": 7.0, "all domains": 8.0, "common part": 1.8, "polars": 1.6, "pandas": 7.0, "duckdb": 20.0}
    growth_figures = [served(name, c) for name, *_ in sizes for c in (1, 16, 0)]
    found: dict[str, Any] = {
        "kernel": {
            "costs": [
                {"model": m, "side": s, "rows": r, "us": 50 * t, "times": t}
                for m in "ac"
                for (s, r), t in COSTS.items()
            ],
            "differences": {"a": {"from LightGBM": 1e-13, "from the margin": 1e-12}},
            "growth": [
                {"trees": t, "rows": r, "chekara_us": 9.0, "lightgbm_us": 99.0} for t in (100, 200) for r in (1, 256)
            ],
            "versions": {"lightgbm": "4.7.0"},
        },
        "service": {
            "closed": [
                served("chekara", 1),
                served("chekara", 16),
                served("mlflow, prediction", 16, ratio=0.06),
                served("ceiling", 16, ratio=1.0),
            ],
            "open": [served("chekara", 0, p99_ms=19.0)],
            "batch": {"rows": 1000, "seconds": 0.6, "scored": 1000},
            "profiles": 200_000,
            "body_bytes": 3580.0,
            "ready_s": 4.0,
            "ready_rss_mb": 390.0,
            "peer_versions": {"mlflow": "3.17.2"},
            "versions": "python 3.11",
        },
        "path": {"stages": ["parse", "commit"], "us": {"1": {"parse": 9.0, "commit": 3.0}}, "versions": "python 3.11"},
        "growth": {
            "sizes": [{"name": n, "axis": a, "decisions": d, "states": s, "database_mb": 9.0} for n, a, d, s in sizes],
            "figures": growth_figures,
            "versions": "python 3.11",
        },
        "history": {
            "sizes": [{"rows": 100_000, **side}, {"rows": 1_000_000, **{k: 10 * v for k, v in side.items()}}],
            "columns": [383, 903],
            "missing": [],
            "versions": {"polars": "1.44"},
        },
        "training": {"crossings": 1_000_000, "seconds": 200.0, "processor_s": 380.0, "peak_mb": 900.0, "versions": "x"},
        "scoring": {"crossings": 500_000, "domains": ["contraband"] * 5, "seconds": 100.0, "processor_s": 150.0}
        | {"peak_mb": 900.0, "versions": "x"},
    }
    common = {"measured_at": "2026-01-01T00:00+00:00", "seconds": 9, "load_before": 0.1, "machine": "a machine"}
    return {
        part: {"part": part, "command": command_of(part, "usual"), **common, "found": f} for part, f in found.items()
    }


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave pictures out: they take seconds."""
    monkeypatch.setattr("benchmarks.report.draw_picture", lambda *_: "![a picture](images/a.svg)")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Lay figures of every part where the runner would."""
    folder = tmp_path / "results"
    folder.mkdir()
    for part, each in stored_parts().items():
        (folder / f"{part}.json").write_text(json.dumps(each), "utf-8")
    return folder


def page_in(folder: Path) -> Path:
    """Make a page with every marker and words around them."""
    folder.mkdir()
    blocks = "\n".join(f"words\n<!-- bench {name} -->\nold\n<!-- /bench {name} -->" for name in ("reach", *BLOCKS))
    page = folder / "benchmarks.md"
    page.write_text(f"# Title\n{blocks}\nlast words\n", "utf-8")
    return page


def blocks_of(text: str) -> dict[str, str]:
    """Return what stands between markers."""
    return dict(re.findall(r"<!-- bench (\w+) -->\n(.*?)\n<!-- /bench \1 -->", text, flags=re.DOTALL))


def test_the_same_figures_give_the_same_page_and_pictures(results: Path, tmp_path: Path) -> None:
    pages = [page_in(tmp_path / name) for name in ("one", "two")]
    for page in pages:
        assert write_report(results, page) == list(BLOCKS)
    write_report(results, pages[1])  # over a page that was written before
    first, second = ({f.name: f.read_bytes() for f in page.parent.rglob("*.*") if f.is_file()} for page in pages)
    assert first == second
    assert {name for name in first if name.endswith(".svg")} == {
        f"bench-{part}.svg" for part in ("kernel", "service", "path", "growth", "history")
    }


def test_words_around_the_markers_stay(results: Path, tmp_path: Path, undrawn: None) -> None:
    page = page_in(tmp_path / "docs")
    write_report(results, page)
    text = page.read_text("utf-8")
    assert "old" not in blocks_of(text).values()
    assert text.startswith("# Title\nwords\n")
    assert text.endswith("\nlast words\n")
    assert text.count("\nwords\n") == 1 + len(BLOCKS)


def test_a_part_that_was_not_measured_keeps_its_block(results: Path, tmp_path: Path, undrawn: None) -> None:
    (results / "growth.json").unlink()
    page = page_in(tmp_path / "docs")
    assert "growth" not in write_report(results, page)
    assert blocks_of(page.read_text("utf-8"))["growth"] == "old"


def test_every_block_with_figures_names_its_command(results: Path, tmp_path: Path, undrawn: None) -> None:
    written = page_in(tmp_path / "docs")
    write_report(results, written)
    for page in (written, ROOT / "docs" / "benchmarks.md"):
        found = blocks_of(page.read_text("utf-8"))
        assert set(found) == {"reach", *BLOCKS}, "every part has its markers"
        for part, block in found.items():
            if "|" in block or "![" in block:
                assert re.search(r"`[^`]*python -m benchmarks\.\w+[^`]*`", block), f"{page.name}: {part}"


def test_every_picture_of_the_page_is_there() -> None:
    page = ROOT / "docs" / "benchmarks.md"
    for picture in re.findall(r"!\[[^]]*\]\(([^)]+)\)", page.read_text("utf-8")):
        assert (page.parent / picture).exists(), picture


def test_each_line_is_judged_by_what_was_measured() -> None:
    found = {part: each["found"] for part, each in stored_parts().items()}
    verdicts = {line.text: line.verdict for line in all_lines(found)}
    assert verdicts["exact SHAP, model a, one row: times faster than `pred_contrib`"] == "yes, and the aim"
    assert verdicts["exact SHAP, model a, 1,000 rows: times faster than `pred_contrib`"] == "yes"
    assert verdicts["serving, 16 connections: share of the ceiling"] == "yes"
    assert verdicts["serving, 16 connections: times `mlflow models serve` predicting one model"] == "**no**"
    assert verdicts["ahead of polars in the common part"] == "**no**"
    assert verdicts["five models on a million crossings"] == "yes"
    assert verdicts["`chekara score` of a million crossings in 5 domains"] == "yes"
    assert set(LINES) == {line.part for line in all_lines(found)}


@pytest.mark.parametrize(("is_least", "better", "worse"), [(True, 2.0, 0.5), (False, 0.5, 2.0)])
def test_a_ratio_above_one_is_better(is_least: bool, better: float, worse: float) -> None:
    lines = [Line(part="x", text="x", value=value, reach=1.0, is_least=is_least) for value in (better, worse)]
    assert [line.is_reached for line in lines] == [True, False]
    assert [line.ratio for line in lines] == [2.0, 0.5]


def test_lost_figures_are_told(results: Path, tmp_path: Path, undrawn: None) -> None:
    page = page_in(tmp_path / "docs")
    write_report(results, page)
    reach = blocks_of(page.read_text("utf-8"))["reach"]
    assert "**Lost**: serving, 16 connections: times `mlflow models serve`" in reach
    assert all(f"`{command_of(part, 'usual')}`" in reach for part in PARTS)


def test_commands_hold_no_path_of_this_machine() -> None:
    for part in PARTS:
        for size in ("usual", "full", "tiny"):
            assert str(ROOT) not in command_of(part, size)


def test_small_things() -> None:
    assert figure(2.5e-12) == "2.5e-12"
    assert figure(1673.8) == "1,674"
    assert fill("no markers", "x", "new") == "no markers"
    assert read_stored(Path("nowhere")) == {}


class Busy:
    """A service that refuses the second row of the first batch."""

    def __init__(self) -> None:
        self.sent: list[list[bytes]] = []

    def send(self, *told: Any, **_: str) -> Any:
        self.sent.append(told[3].split(b"\n"))
        rows: list[dict[str, Any]] = [{"row": n, "status": 200} for n in range(len(self.sent[-1]))]
        if len(self.sent) == 1:
            rows[1] |= {"status": 503, "retry_after": 0, "problem": {"type": "urn:chekara:problem:deadline_exceeded"}}
        return SimpleNamespace(body=b"\n".join(json.dumps(row).encode() for row in rows))


def test_rows_of_a_batch_that_are_refused_come_again_and_are_named(tmp_path: Path) -> None:
    bodies, busy = tmp_path / "bodies.ndjson", Busy()
    bodies.write_bytes(b"\n".join(b'{"crossing_id": "%d-%s"}' % (n, MARK) for n in range(3)))
    found = time_batch(busy, Bench(1, 1.0), bodies, 3)  # type: ignore[arg-type]  # all of a server that it needs
    assert (found["scored"], found["again"]) == (3, {"deadline_exceeded": 1})
    assert busy.sent[1] == [busy.sent[0][1]]
    told = service_block(
        {**stored_parts()["service"]["found"], "batch": found, "open": [served("chekara", 0, errors={"503": 13})]}
    )
    assert "(3 scored; sent again: 1 × deadline_exceeded)" in told
    assert "| 13 × 503 |" in told
