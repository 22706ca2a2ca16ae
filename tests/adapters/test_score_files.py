"""A scored history as a file: whole or not there, and the same in both formats."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as arrow
import pytest
from pyarrow import parquet

from chekara.adapters.score_files import write_scores
from chekara.errors import ConfigurationError
from chekara.policy import load_policy
from chekara.service.score_history import score_history, score_schema
from tests.service.histories import dirty_history
from tests.small_house import small_model

SCHEMA = score_schema({"revenue_fraud": 1})


def tables() -> Iterator[Any]:
    return score_history(dirty_history(), {"revenue_fraud": small_model()}, load_policy(), chunk_size=50)


def test_both_formats_say_the_same(tmp_path: Path) -> None:
    n_rows = write_scores(tables(), SCHEMA, tmp_path / "s.parquet")
    assert write_scores(tables(), SCHEMA, tmp_path / "s.csv") == n_rows
    table = parquet.read_table(tmp_path / "s.parquet")
    frame = pd.read_csv(tmp_path / "s.csv")
    assert table.schema.equals(SCHEMA)
    assert len(table) == len(frame) == n_rows == dirty_history().crossings["crossing_id"].nunique()
    assert list(frame.columns) == table.column_names
    reasons = [None if pd.isna(text) else json.loads(text) for text in frame.pop("reasons_revenue_fraud")]
    assert reasons == table["reasons_revenue_fraud"].to_pylist()
    pd.testing.assert_frame_equal(frame, table.drop(["reasons_revenue_fraud"]).to_pandas(), check_dtype=False)


@pytest.mark.parametrize("name", ["s.parquet", "s.csv"])
def test_a_failure_half_way_leaves_what_was_there(tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    out.write_text("earlier scores")

    def failing() -> Iterator[Any]:
        yield next(iter(tables()))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_scores(failing(), SCHEMA, out)
    assert out.read_text() == "earlier scores"
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_kill_half_way_leaves_no_half_file(tmp_path: Path) -> None:
    program = (
        "import sys, time, pyarrow as arrow\n"
        "from pathlib import Path\n"
        "from chekara.adapters.score_files import write_scores\n"
        "def slow():\n"
        "    yield arrow.table({'crossing_id': ['a'] * 1000})\n"
        "    print('half', flush=True)\n"
        "    time.sleep(60)\n"
        "write_scores(slow(), arrow.schema([('crossing_id', arrow.string())]), Path(sys.argv[1]))\n"
    )
    out = tmp_path / "s.parquet"
    with subprocess.Popen([sys.executable, "-c", program, str(out)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"half\n"
        os.kill(process.pid, signal.SIGKILL)
    assert not out.exists()
    whole = arrow.table({"crossing_id": ["a"]})
    assert write_scores(iter([whole]), whole.schema, out) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["s.parquet"]


@pytest.mark.parametrize(
    ("target", "problem"), [("s.xlsx", "parquet or .csv"), ("folder.csv", "a folder"), ("no/s.csv", "no such folder")]
)
def test_a_target_that_cannot_be_is_refused_at_once(tmp_path: Path, target: str, problem: str) -> None:
    (tmp_path / "folder.csv").mkdir()

    def never() -> Iterator[Any]:
        raise AssertionError("scored for nothing")
        yield

    with pytest.raises(ConfigurationError, match=problem):
        write_scores(never(), SCHEMA, tmp_path / target)
