"""Folders of history files: read, refused with the file named, written and read again."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as arrow
import pytest
from pyarrow import parquet

from chekara.data.identity import EntityTokens
from chekara.data.sources import load_history, map_history, write_history
from chekara.errors import ChekaraError, ConfigurationError, DeniedColumnError, HistoryError, MissingColumnError

HEADER = "crossing_id,occurred_at,known_at,revision,crossing_point,direction,mode,vehicle_id,item_no,hs_code,x_regime\n"
ROWS = (
    "c1,2025-01-01T10:00:00+06:00,,0,KG01,entry,road,01 KG 1,1,0101,011\n"
    "c1,2025-01-01T10:00:00+06:00,,0,KG01,entry,road,01kg1,2,610910,\n"
    "c1,2025-01-01T10:00:00+06:00,2025-02-01T10:00:00+06:00,1,KG01,entry,road,01KG1,1,0202,011\n"
    "NA,2025-01-02T10:00:00+06:00,,,KG01,exit,rail,,,,\n"
)
INSPECTIONS = (
    "inspection_id,crossing_id,domain,inspected_at,known_at,selected_by,found,item_no\n"
    "i1,c1,contraband,2025-01-01T11:00:00+06:00,2025-01-03T11:00:00+06:00,officer,true,2\n"
    "i2,gone,contraband,2025-01-01T11:00:00+06:00,2025-01-03T11:00:00+06:00,officer,true,\n"
)
POINTS = "code,neighbour,border_regime\nKG01,CN,external\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "crossings.csv").write_text(HEADER + ROWS)
    (tmp_path / "inspections.csv").write_text(INSPECTIONS)
    (tmp_path / "crossing_points.csv").write_text(POINTS)
    return tmp_path


def frames(folder: Path) -> dict[str, pd.DataFrame]:
    history = load_history(folder)
    return {
        "crossings": history.crossings,
        "inspections": history.inspections,
        "crossing_points": history.crossing_points,
    }


def test_codes_and_words_come_through_as_they_stand(folder: Path) -> None:
    history = load_history(folder)
    assert history.crossings["hs_code"].dropna().tolist() == ["0101", "610910", "0202"]
    assert history.crossings["crossing_id"].tolist()[-1] == "NA"
    assert history.crossings["x_regime"].dropna().tolist() == ["011", "011"]
    assert history.crossings["vehicle_id"].dropna().unique().tolist() == ["01KG1"]
    assert [(r.table, r.reason, r.example_rows) for r in history.refusals] == [
        ("inspections", "unknown_crossing", (2,))
    ]
    assert [(file.table, file.rows) for file in history.files] == [
        ("crossings", 4),
        ("inspections", 2),
        ("crossing_points", 1),
    ]


def test_tokens_replace_entity_ids(folder: Path) -> None:
    tokens = EntityTokens(bytes(32))
    vehicles = load_history(folder, tokens=tokens).crossings["vehicle_id"]
    assert set(vehicles.dropna()) == {tokens.token("vehicle", "01KG1")}


def test_newest_revisions_are_those_known_before(folder: Path) -> None:
    history = load_history(folder)
    assert history.newest_revisions()["revision"].tolist() == [1, 0]
    known = datetime(2025, 2, 1, 4, tzinfo=UTC)  # the correction's own known_at: strictly before leaves it out
    assert history.newest_revisions(known)["hs_code"].dropna().tolist() == ["0101", "610910"]
    assert history.newest_revisions(datetime(2025, 1, 1, tzinfo=UTC)).empty
    with pytest.raises(ConfigurationError, match="offset"):
        history.newest_revisions(datetime(2025, 1, 1))


def test_crossings_alone_can_be_scored(folder: Path) -> None:
    (folder / "inspections.csv").unlink()
    (folder / "crossing_points.csv").unlink()
    history = load_history(folder)
    assert len(history.crossings) == 4
    assert history.inspections.empty
    assert str(history.inspections["known_at"].dtype) == "datetime64[us, UTC]"


def test_audit_groups_are_never_opened(folder: Path) -> None:
    (folder / "audit_groups.csv").write_bytes(b"\xff\xfe not a table")
    digest = load_history(folder).digest
    (folder / "audit_groups.csv").unlink()
    assert load_history(folder).digest == digest


def test_the_digest_follows_every_byte_of_the_tables_and_their_names(folder: Path) -> None:
    digest = load_history(folder).digest
    assert digest.startswith("sha256:")
    assert load_history(folder).digest == digest
    (folder / "crossing_points.csv").write_text(POINTS + "\n")
    assert load_history(folder).digest != digest


def test_parquet_and_csv_give_the_same_history(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    before = frames(folder)
    out = tmp_path_factory.mktemp("written")
    write_history(before, out)
    after = frames(out)
    assert not load_history(out).refusals
    for table, frame in before.items():
        pd.testing.assert_frame_equal(after[table], frame)


def test_same_frames_same_bytes(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    first, second = tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("second")
    write_history(frames(folder), first)
    write_history(frames(folder), second)
    names = sorted(path.name for path in first.iterdir())
    assert names == ["crossing_points.parquet", "crossings.parquet", "inspections.parquet"]
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in names)


def test_semicolons_a_byte_order_mark_and_quoted_line_breaks_are_read(tmp_path: Path) -> None:
    text = "crossing_id;occurred_at;crossing_point;direction;mode;goods_description\n"
    text += 'c1;2025-01-01T10:00:00Z;KG01;entry;road;"two\nlines; and more"\n'
    (tmp_path / "crossings.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    history = load_history(tmp_path)
    assert history.crossings["goods_description"].tolist() == ["two\nlines; and more"]


def _replaced(folder: Path, content: bytes) -> None:
    (folder / "crossings.csv").write_bytes(content)


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (b"", HistoryError, r"empty.*crossings\.csv"),
        ((HEADER + ROWS).replace("KG01", "Торугарт").encode("cp1251"), HistoryError, r"UTF-8.*crossings\.csv"),
        ((HEADER + "c1,too,few\n").encode(), HistoryError, r"well-formed.*crossings\.csv"),
        (b"crossing_id,crossing_id\nc1,c1\n", HistoryError, "share a name.*crossing_id"),
        (b"crossing_id,mode\nc1,road\n", MissingColumnError, "occurred_at, crossing_point, direction"),
        (HEADER.replace("x_regime", "x_sex").encode(), DeniedColumnError, "x_sex"),
    ],
    ids=["empty", "encoding", "ragged", "repeated", "missing", "denied"],
)
def test_unusable_files_are_refused_by_name_without_their_values(
    folder: Path, content: bytes, error: type[ChekaraError], message: str
) -> None:
    _replaced(folder, content)
    with pytest.raises(error, match=message) as refused:
        load_history(folder)
    assert "too" not in str(refused.value)


def test_a_header_alone_is_a_history_of_nothing(folder: Path) -> None:
    _replaced(folder, HEADER.encode())
    history = load_history(folder)
    assert history.crossings.empty
    assert [r.reason for r in history.refusals] == ["unknown_crossing"]


def test_folders_that_are_no_history_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="no such folder"):
        load_history(tmp_path / "nowhere")
    (tmp_path / "bare").mkdir()
    with pytest.raises(HistoryError, match=r"no crossings file.*crossings\.csv"):
        load_history(tmp_path / "bare")
    (folder / "crossings.parquet").write_bytes(b"")
    with pytest.raises(HistoryError, match="both as Parquet and as CSV"):
        load_history(folder)
    (folder / "crossings.csv").unlink()
    with pytest.raises(HistoryError, match=r"Parquet file.*crossings\.parquet"):
        load_history(folder)


@pytest.mark.parametrize("value", [[1, 2], {"a": 1}, b"bytes"], ids=["list", "record", "bytes"])
def test_columns_without_single_values_are_refused_by_name_if_anything_reads_them(tmp_path: Path, value: Any) -> None:
    header, row = HEADER.strip().split(","), ROWS.split("\n", maxsplit=1)[0].split(",")
    table = arrow.table({name: [text] for name, text in zip(header, row, strict=True)})
    parquet.write_table(table.append_column("shape", [[value]]), tmp_path / "crossings.parquet")
    assert load_history(tmp_path).ignored_columns == {"crossings": ("shape",)}
    parquet.write_table(table.append_column("x_shape", [[value]]), tmp_path / "crossings.parquet")
    with pytest.raises(HistoryError, match="x_shape"):
        load_history(tmp_path)


@pytest.mark.parametrize(
    "column",
    [
        arrow.array(["KG", None], arrow.string_view()),
        arrow.array(["KG", None]).dictionary_encode(),
        arrow.array(["KG", None], arrow.large_string()),
    ],
    ids=["view", "dictionary", "large"],
)
def test_every_arrow_spelling_of_text_is_read(tmp_path: Path, column: Any) -> None:
    header, row = HEADER.strip().split(","), ROWS.split("\n", maxsplit=1)[0].split(",")
    table = arrow.table(
        {name: [text, f"{text}2" if name == "crossing_id" else text] for name, text in zip(header, row, strict=True)}
    )
    parquet.write_table(table.append_column("origin_country", column), tmp_path / "crossings.parquet")
    history = load_history(tmp_path)
    assert not history.refusals
    assert history.crossings["origin_country"].fillna("-").tolist() == ["KG", "-"]


@pytest.mark.parametrize(
    ("frame", "message"),
    [({"persons": pd.DataFrame()}, "persons"), ({"crossings": pd.DataFrame({"hs_code": ["x"]})}, "crossings: hs_code")],
)
def test_what_does_not_meet_the_contract_is_not_written(tmp_path: Path, frame: dict[str, Any], message: str) -> None:
    with pytest.raises(HistoryError, match=message):
        write_history(frame, tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.parquet"))


def test_mapping_never_writes_over_what_it_reads(folder: Path) -> None:
    with pytest.raises(HistoryError, match="folder that is read"):
        map_history(folder, folder)
    other = folder / "other"
    other.mkdir()
    (other / "crossings.csv").write_text("")
    with pytest.raises(HistoryError, match="CSV already"):
        map_history(folder, other)
