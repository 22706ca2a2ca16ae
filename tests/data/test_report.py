"""The check report: exit code by violations alone, findings told, readable, and silent about values."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from typer.testing import CliRunner

from chekara.cli import app
from chekara.data.report import CheckReport, check_history
from chekara.data.simulate import simulate_border
from chekara.errors import DeniedColumnError, HistoryError
from tests.data.worlds import copy_rows, inspected, one_off_trade


@pytest.fixture(scope="module")
def border(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("border")
    simulate_border(out, months=4, per_day=50, seed=2)
    return out


@pytest.fixture
def copy_of_border(border: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(border, tmp_path / "border"))


def shown(report: CheckReport, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    report.show(console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def change(folder: Path, table: str, **columns: object) -> None:
    path = folder / f"{table}.parquet"
    pd.read_parquet(path).assign(**columns).to_parquet(path, index=False)


def test_a_clean_history_passes(border: Path) -> None:
    report = check_history(border)
    assert not report.has_violations
    assert not report.has_findings, [f.sentence for f in report.findings]
    text = shown(report)
    for words in ("crossings.parquet", "Nothing was refused", "revenue_fraud", "meets the contract"):
        assert words in text
    assert "…" not in text, "something does not fit on a screen of 80 columns"


def test_figures_of_a_large_history_stand_whole_on_a_narrow_screen(border: Path) -> None:
    report = check_history(border)
    large = [
        replace(
            one, inspected=220_557, hits=28_001, drawn=32_500, drawn_hits=3_250, not_done=1_370, days_until_known=10.2
        )
        for one in report.domains
    ]
    text = shown(replace(report, domains=tuple(large)))
    assert "220,557" in text
    assert "9.7 to 10.3 %" in text
    assert "…" not in text


def test_figures_of_a_domain_add_up(border: Path) -> None:
    report = check_history(border)
    controls = report.history.inspections
    for figures in report.domains:
        own = controls[(controls["domain"] == figures.domain) & (controls["status"] == "done")]
        assert figures.inspected == own["crossing_id"].nunique()
        assert figures.inspected + figures.unknown == report.history.crossings["crossing_id"].nunique()
        assert figures.drawn == own[own["selected_by"] == "random"]["crossing_id"].nunique()
        assert 0 < figures.drawn_hits + figures.hits <= figures.inspected
        assert figures.not_done == (controls["domain"].eq(figures.domain) & controls["status"].eq("not_done")).sum()
        assert figures.days_until_known > 0


def test_violations_are_counted_by_reason_and_exit_1(copy_of_border: Path) -> None:
    crossings = pd.read_parquet(copy_of_border / "crossings.parquet")
    mass = crossings["net_mass_kg"].to_numpy(dtype=float, copy=True)
    mass[7] = -4321.0
    change(copy_of_border, "crossings", net_mass_kg=mass)
    result = CliRunner().invoke(app, ["check", str(copy_of_border)])
    assert result.exit_code == 1
    assert "net_mass_kg" in result.stdout
    assert "breaks the contract" in result.stdout
    assert "4321" not in result.stdout


def test_findings_alone_exit_0(copy_of_border: Path) -> None:
    found = pd.read_parquet(copy_of_border / "inspections.parquet").query("domain == 'revenue_fraud' and found")
    crossings = pd.read_parquet(copy_of_border / "crossings.parquet")
    change(
        copy_of_border,
        "crossings",
        x_protocol=np.where(crossings["crossing_id"].isin(found["crossing_id"]), 1.0, np.nan),
    )
    result = CliRunner().invoke(app, ["check", str(copy_of_border)])
    assert result.exit_code == 0
    assert "x_protocol" in result.stdout
    assert "must be understood" in result.stdout


def test_a_leaking_tuple_is_shown_with_its_figures(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    columns = ("hs_code", "origin_country", "net_mass_kg", "declared_value")
    crossings, hit = copy_rows(one_off_trade(4_000, rng), rng.random(4_000) < 0.2, columns, share=0.6, rng=rng)
    crossings.to_csv(tmp_path / "crossings.csv", index=False)
    inspected(crossings, hit).to_csv(tmp_path / "inspections.csv", index=False)
    report = check_history(tmp_path)
    assert report.has_findings
    assert not report.has_violations
    text = shown(report)
    assert "Copied tuple, revenue_fraud" in text
    assert all(name in text for name in columns)
    assert "Leak-free protocol" in text
    assert str(crossings["declared_value"].mode()[0]) not in text


def test_a_column_about_people_stops_the_check(copy_of_border: Path) -> None:
    change(copy_of_border, "crossings", driver_nationality="KG")
    with pytest.raises(DeniedColumnError, match="driver_nationality"):
        check_history(copy_of_border)


def test_a_folder_without_history_is_said(tmp_path: Path) -> None:
    with pytest.raises(HistoryError):
        check_history(tmp_path)


def test_a_history_without_inspections_can_be_checked(copy_of_border: Path) -> None:
    (copy_of_border / "inspections.parquet").unlink()
    report = check_history(copy_of_border)
    assert report.domains == ()
    assert "meets the contract" in shown(report)


def test_simulate_says_in_one_line_what_it_wrote(tmp_path: Path) -> None:
    out = tmp_path / "border"
    result = CliRunner().invoke(app, ["simulate", str(out), "--months", "1", "--per-day", "20"])
    (line,) = result.stdout.splitlines()
    crossings, results = len(pd.read_parquet(out / "truth.parquet")), len(pd.read_parquet(out / "inspections.parquet"))
    assert crossings == pd.read_parquet(out / "crossings.parquet")["crossing_id"].nunique()
    said = f"Wrote {crossings:,} crossings and {results:,} results to {out}; what is true of each:"
    assert line == f"{said} truth.parquet and bayes.parquet."
