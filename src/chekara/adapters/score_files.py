"""Scores of a history as one file, Parquet or CSV: all of it or nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as arrow
import pyarrow.csv as arrow_csv
from pyarrow import parquet

from chekara.errors import ConfigurationError

SUFFIXES = (".parquet", ".csv")
_WHERE = "--out"


def check_target(out: Path) -> None:
    """Refuse a file that could not be written, before hours of work go into it.

    Raises
    ------
    ConfigurationError
        Neither ``.parquet`` nor ``.csv``, a folder, or in a folder that is not there.
    """
    if out.suffix not in SUFFIXES:
        raise ConfigurationError("scores go to .parquet or .csv", where=_WHERE, hint="such as scores.parquet")
    if out.is_dir():
        raise ConfigurationError("this is a folder", where=_WHERE, hint="name a file in it")
    if not out.absolute().parent.is_dir():
        raise ConfigurationError("no such folder to write to", where=_WHERE, hint="make it first")


def write_scores(tables: Iterable[Any], schema: Any, out: Path) -> int:
    """Write scored crossings, table after table, and let the file appear when it is whole.

    Parameters
    ----------
    tables : iterable of pyarrow.Table
        Of ``schema``.
    schema : pyarrow.Schema
        Of ``chekara.service.score_history.score_schema``.
    out : Path
        ``.parquet``: one row group per table, reasons as lists of structs. ``.csv``: reasons as JSON text, instants
        and numbers as they are.

    Returns
    -------
    int
        Rows written.

    Raises
    ------
    ConfigurationError
        As `check_target`, or the folder cannot be written.
    """
    check_target(out)
    draft = out.with_name(f".{out.name}.draft")
    try:
        n_rows = (_write_parquet if out.suffix == ".parquet" else _write_csv)(tables, schema, draft)
        draft.replace(out)
    except PermissionError:
        raise ConfigurationError("the folder cannot be written", where=_WHERE) from None
    finally:
        draft.unlink(missing_ok=True)
    return n_rows


def _write_parquet(tables: Iterable[Any], schema: Any, draft: Path) -> int:
    n_rows = 0
    # Contributions hardly compress; the fastest level leaves the second core to the scorer.
    with parquet.ParquetWriter(draft, schema, compression="zstd", compression_level=1) as writer:
        for table in tables:
            n_rows += len(table)
            if len(table):
                writer.write_table(table)
    return n_rows


def _write_csv(tables: Iterable[Any], schema: Any, draft: Path) -> int:
    n_rows = 0
    flat = arrow.schema([_flat(field) for field in schema])
    with arrow_csv.CSVWriter(draft, flat) as writer:
        for table in tables:
            n_rows += len(table)
            writer.write_table(arrow.table([_as_text(column) for column in table.columns], schema=flat))
    return n_rows


def _flat(field: Any) -> Any:
    return arrow.field(field.name, arrow.string()) if arrow.types.is_list(field.type) else field


def _as_text(column: Any) -> Any:
    if not arrow.types.is_list(column.type):
        return column
    reasons = (None if value is None else json.dumps(value, ensure_ascii=False) for value in column.to_pylist())
    return arrow.array(reasons, type=arrow.string())
