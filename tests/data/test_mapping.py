"""Mapping files: foreign tables become contract tables, and every slip in a mapping is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from chekara.cli import app
from chekara.data.checks import validate_table
from chekara.data.foreign import apply_mapping
from chekara.data.mapping import Mapping, load_mapping, parse_mapping, shipped_mappings
from chekara.data.mapping_rules import ColumnRule, map_column, read_column_rule
from chekara.data.sources import load_history, map_history
from chekara.errors import ConfigurationError, DeniedColumnError, HistoryError

MAPPING = """
name = "example"
title = "Declarations of an example country"
source = "the ministry"

[files]
crossings = ["2024.csv", "2025*.csv"]

[columns.crossings]
crossing_id = "Number"
occurred_at = { from = "Lodged", date_format = "%d.%m.%Y %H:%M", timezone = "+06:00" }
crossing_point = { from = "Office", pad = 3, prefix = "EX" }
direction = { constant = "entry" }
mode = { from = "Transport", codes = { "1" = "water", "3" = "road" }, default = "air" }
movement = { from = "Regime", codes = { "IM" = "import" } }
hs_code = { from = "Tariff", pad = 6 }
duty_rate = { from = "Rate", factor = 0.01 }
authorised_operator = { constant = true }
x_regime = "Regime"

[[labels]]
domain = "revenue_fraud"
known_after_days = 30
only_where = { from = "Checked", values = ["Y"] }

[labels.columns]
selected_by = { constant = "rule" }
found = { from = "Outcome", codes = { "0" = "false", "1" = "true" } }
revenue_recovered = "Recovered"
"""

HEADER = "Number,Lodged,Office,Transport,Regime,Tariff,Rate,Checked,Outcome,Recovered,Unused\n"
ROWS_2024 = "a1,31.12.2024 23:30,7,1,IM,101,6.5,Y,1,250,u\na2,31.12.2024 23:40,12,9,EX,610910,x,N,,,u\n"
ROWS_2025 = "a3,01.01.2025 00:10,7,,IM,,0,Y,0,,u\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "2024.csv").write_text(HEADER + ROWS_2024)
    (tmp_path / "tables" / "2025-01.csv").write_text(HEADER + ROWS_2025)
    (tmp_path / "example.toml").write_text(MAPPING)
    return tmp_path


def test_a_foreign_folder_becomes_a_history(folder: Path) -> None:
    history = load_history(folder / "tables", mapping=folder / "example.toml")
    crossings = history.crossings
    assert crossings["crossing_id"].tolist() == ["a1", "a2", "a3"]
    assert crossings["occurred_at"][0] == pd.Timestamp("2024-12-31T17:30:00Z")
    assert crossings["crossing_point"].tolist() == ["EX007", "EX012", "EX007"]
    assert crossings["mode"].tolist() == ["water", "air", "air"]
    assert crossings["hs_code"][0] == "000101"
    assert crossings["duty_rate"][0] == 0.065
    assert crossings["x_regime"].tolist() == ["IM", "EX", "IM"]
    assert crossings["authorised_operator"].all()
    assert [(file.name, file.rows) for file in history.files] == [("2024.csv", 2), ("2025-01.csv", 1)]
    assert history.mapping_name == "example"
    assert [(r.column, r.reason, r.example_rows) for r in history.refusals] == [
        ("movement", "not_in_code_list", (2,)),
        ("duty_rate", "not_a_number", (2,)),
    ]


def test_label_rules_make_inspections_of_inspected_rows_alone(folder: Path) -> None:
    inspections = load_history(folder / "tables", mapping=folder / "example.toml").inspections
    assert inspections["crossing_id"].tolist() == ["a1", "a3"]
    assert inspections["found"].tolist() == [True, False]
    assert inspections["revenue_recovered"][0] == 250
    assert (inspections["known_at"] - inspections["inspected_at"] == pd.Timedelta(days=30)).all()
    assert inspections["inspection_id"].is_unique


def test_labels_follow_items_and_revisions() -> None:
    text = MAPPING.replace("hs_code = {", 'item_no = "Line"\nrevision = "Version"\nhs_code = {')
    foreign = pd.read_csv(_lines("a1,1,0", "a1,2,0", "a1,1,1"), dtype="str").assign(
        Lodged="01.01.2025 00:10",
        Office="7",
        Transport="1",
        Regime="IM",
        Tariff="101",
        Rate="1",
        Checked="Y",
        Outcome="1",
        Recovered="5",
    )
    tables = apply_mapping(parse_mapping(text, where="m"), {"crossings": foreign})
    checked = validate_table(tables["inspections"], "inspections")
    assert not checked.refusals
    assert checked.frame["item_no"].tolist() == [1, 2, 1]
    assert checked.frame["inspection_id"].nunique() == 2


def _lines(*rows: str) -> Any:
    from io import StringIO

    return StringIO("Number,Line,Version\n" + "\n".join(rows))


def test_mapped_files_load_as_contract_files(folder: Path) -> None:
    mapped = map_history(folder / "tables", folder / "out", folder / "example.toml")
    history = load_history(folder / "out")
    assert not history.refusals
    pd.testing.assert_frame_equal(history.crossings, mapped.crossings)
    pd.testing.assert_frame_equal(history.inspections, mapped.inspections)


def test_the_digest_follows_tables_and_mapping(folder: Path) -> None:
    first = load_history(folder / "tables", mapping=folder / "example.toml").digest
    (folder / "example.toml").write_text(MAPPING.replace("0.01", "0.1"))
    assert load_history(folder / "tables", mapping=folder / "example.toml").digest != first


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("title =", "headline =", "headline"),
        ('source = "the ministry"\n', "", "source"),
        ("pad = 3", "padding = 3", "padding"),
        ("known_after_days", "known_after", "known_after"),
        ("x_regime", "regime", "columns.crossings.regime"),
        ('crossing_id = "Number"', 'declaration_id = "Number"', "crossing_id"),
        ('{ constant = "entry" }', '{ constant = "entry", from = "A" }', "direction"),
        ('hs_code = { from = "Tariff", pad', 'hs_code = { from = "Tariff", factor', "factor"),
        ('timezone = "+06:00"', 'timezone = "Moon"', "occurred_at"),
        (', timezone = "+06:00"', "", "occurred_at"),
        ("pad = 6", 'pad = "6"', "pad"),
        ('"1" = "true"', '"1" = 1', "codes"),
        ('domain = "revenue_fraud"', "", "domain"),
        ("found = {", "finding = {", "finding"),
        ("known_after_days = 30", "known_after_days = -1", "known_after_days"),
        ("[files]", "[files]\ninspections = ['i.csv']", "inspections"),
        ("[files]", "[files]\npersons = ['p.csv']", "persons"),
        ('"2025*.csv"]', "2]", "files.crossings"),
        ("[columns.crossings]", "[columns.crossings", "TOML"),
    ],
)
def test_every_slip_in_a_mapping_is_named(old: str, new: str, named: str) -> None:
    assert old in MAPPING
    with pytest.raises(ConfigurationError, match=named):
        parse_mapping(MAPPING.replace(old, new, 1), where="example.toml")


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('x_regime = "Regime"', 'x_regime = "Driver nationality"', "x_regime"),
        ('only_where = { from = "Checked"', 'only_where = { from = "Driver sex"', "only_where"),
    ],
)
def test_a_mapping_that_reads_a_column_of_people_is_refused(old: str, new: str, named: str) -> None:
    with pytest.raises(DeniedColumnError, match=named):
        parse_mapping(MAPPING.replace(old, new), where="example.toml")


def test_missing_foreign_columns_and_files_are_named(folder: Path) -> None:
    (folder / "tables" / "2025-01.csv").write_text("Number,Office\na3,7\n")
    with pytest.raises(ConfigurationError, match=r"2025-01\.csv: Lodged, Transport"):
        load_history(folder / "tables", mapping=folder / "example.toml")
    (folder / "empty").mkdir()
    with pytest.raises(HistoryError, match=r"2025\*\.csv"):
        load_history(folder / "empty", mapping=folder / "example.toml")
    with pytest.raises(ConfigurationError, match="korea54k"):
        load_mapping(folder / "none.toml")


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (ColumnRule(source="v", codes={"a": "b"}), ["b", "c", None]),
        (ColumnRule(source="v", codes={"a": "b"}, default="z"), ["b", "z", "z"]),
        (ColumnRule(source="v", default="z"), ["a", "c", "z"]),
        (ColumnRule(source="v", prefix="p", pad=2), ["p0a", "p0c", None]),
        (ColumnRule(constant="k"), ["k", "k", "k"]),
        (ColumnRule(source="v", factor=10), ["a", "c", None]),
    ],
)
def test_each_rule_does_what_it_says(rule: ColumnRule, expected: list[str | None]) -> None:
    mapped = map_column(pd.DataFrame({"v": pd.Series(["a", "c", None], dtype="str")}), rule)
    assert [None if pd.isna(value) else value for value in mapped] == expected


def test_an_hour_that_a_zone_repeats_is_left_to_the_checks() -> None:
    recipe = {"from": "v", "date_format": "%Y-%m-%d %H:%M", "timezone": "Europe/Berlin"}
    rule = read_column_rule(recipe, "instant", where="occurred_at")
    mapped = map_column(pd.DataFrame({"v": ["2025-10-26 02:30", "2025-10-26 04:30"]}), rule)
    assert mapped.tolist() == ["2025-10-26 02:30", "2025-10-26T03:30:00.000000Z"]


def test_shipped_mappings_are_whole() -> None:
    (korea,) = shipped_mappings()
    assert isinstance(korea, Mapping)
    assert korea.name == "korea54k"
    assert len(korea.recognised_by) == 22
    assert load_mapping(Path("korea54k")) == korea


def test_the_command_says_what_was_read_written_and_refused(folder: Path) -> None:
    out = folder / "out"
    arguments = ["map", str(folder / "tables"), str(out), "--mapping", str(folder / "example.toml")]
    result = CliRunner(env={"COLUMNS": "120"}).invoke(app, arguments)
    assert result.exit_code == 0
    for said in ("2025-01.csv", "mapping example", "not in code list", "duty_rate", "value blanked"):
        assert said in result.stdout
    assert "Wrote 3 rows of crossings, 2 rows of inspections to" in result.stdout
    assert len(pd.read_parquet(out / "crossings.parquet")) == 3
