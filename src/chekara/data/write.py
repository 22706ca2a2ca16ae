"""Contract tables to Parquet: same frames, same bytes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as arrow
from pyarrow import parquet

from chekara.data.coerce import as_arrow, coerce_column, coerce_extension
from chekara.data.schema import TABLES, columns_by_name, is_extension
from chekara.errors import HistoryError

_STORED = {
    "string": arrow.string(),
    "code": arrow.string(),
    "number": arrow.float64(),
    "integer": arrow.int64(),
    "boolean": arrow.bool_(),
    "instant": arrow.timestamp("us", "UTC"),
    "date": arrow.date32(),
}


def write_tables(frames: Mapping[str, pd.DataFrame], out: Path) -> None:
    """Write each table to ``<out>/<table>.parquet``; see ``chekara.data.sources.write_history``."""
    for table in frames:
        if table not in TABLES:
            raise HistoryError("no such table", where=table, hint=f"tables are {', '.join(TABLES)}")
        if (out / f"{table}.csv").exists():
            raise HistoryError(f"{table} is there as CSV already", where=str(out), hint="name an empty folder")
    make_folder(out)
    for table, frame in frames.items():
        draft = out / f".{table}.parquet.draft"
        parquet.write_table(_as_stored(frame, table), draft, compression="zstd")
        draft.replace(out / f"{table}.parquet")


def make_folder(out: Path) -> None:
    """Make a folder to write to, with those above it; before hours of work, so that they are not lost.

    Raises
    ------
    HistoryError
        A file stands there, or nothing can be written there.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        is_writable = os.access(out, os.W_OK | os.X_OK)
    except OSError:
        is_writable = False
    if not is_writable:
        raise HistoryError("not a folder that can be written to", where=str(out), hint="name another folder")


def _as_stored(frame: pd.DataFrame, table: str) -> Any:
    contract = columns_by_name(TABLES[table])
    arrays: dict[str, Any] = {}
    for name, column in contract.items():
        if name in frame.columns and (column.required or frame[name].notna().any()):
            coerced = coerce_column(frame[name], column)
            if coerced.problems:
                reasons = ", ".join(coerced.problems)
                raise HistoryError(f"values do not meet the contract: {reasons}", where=f"{table}: {name}")
            arrays[name] = as_arrow(coerced.values).cast(_STORED[column.kind])
    for name in map(str, frame.columns):
        if is_extension(name):
            values = coerce_extension(frame[name])
            stored = arrow.float64() if pd.api.types.is_numeric_dtype(values) else arrow.string()
            arrays[name] = as_arrow(values).cast(stored)
    return arrow.table(arrays)
