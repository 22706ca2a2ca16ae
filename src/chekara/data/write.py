"""Contract tables to Parquet, whole or part after part: same frames, same bytes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

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
_EXTENSION = {True: arrow.string(), False: arrow.float64()}


ROWS_PER_GROUP = 20_000
"""Rows that are gathered before they are written, where a table comes part after part."""


@dataclass(frozen=True, slots=True)
class TableShape:
    """Which columns a written table has, told before its first row.

    Attributes
    ----------
    columns : frozenset of str
        Contract columns to write: required ones, and others with a value in some row.
    extensions : mapping of str to bool
        Extension columns in their order, and whether some row holds a text there: then all of them are text.
    """

    columns: frozenset[str]
    extensions: Mapping[str, bool]

    def schema(self, table: str) -> Any:
        """Return the columns as they are stored, in the order of the contract, extensions last; pyarrow.Schema."""
        contract = columns_by_name(TABLES[table])
        fields = [arrow.field(name, _STORED[column.kind]) for name, column in contract.items() if name in self.columns]
        fields += [arrow.field(name, _EXTENSION[is_text]) for name, is_text in self.extensions.items()]
        return arrow.schema(fields)


def write_tables(frames: Mapping[str, pd.DataFrame], out: Path) -> None:
    """Write each table to ``<out>/<table>.parquet``; see ``chekara.data.sources.write_history``."""
    refuse_shadowed(frames, out)
    write_parts([frames], {table: shape_of(frame, table) for table, frame in frames.items()}, out)


def write_parts(parts: Iterable[Mapping[str, pd.DataFrame]], shapes: Mapping[str, TableShape], out: Path) -> None:
    """Write tables that come part after part, in memory that does not grow with their length.

    Parameters
    ----------
    parts : iterable of mapping of str to DataFrame
        By table. A column of the shape that a part lacks is missing throughout that part; a column that the shape
        lacks is left out.
    shapes : mapping of str to TableShape
        Of every table to be written.
    out : Path
        Folder to write; made if it is not there.

    Raises
    ------
    HistoryError
        There is no such table, ``out`` holds it as CSV or cannot be written to, or a value breaks the contract.

    Notes
    -----
    No file appears under its name before all of them are whole.
    """
    refuse_shadowed(shapes, out)
    make_folder(out)
    drafts = {table: out / f".{table}.parquet.draft" for table in shapes}
    try:
        with ExitStack() as stack:
            writers = {table: stack.enter_context(_Groups(drafts[table], shapes[table], table)) for table in shapes}
            for part in parts:
                for table, frame in part.items():
                    writers[table].add(frame)
        for table, draft in drafts.items():
            draft.replace(out / f"{table}.parquet")
    finally:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)


def refuse_shadowed(tables: Iterable[str], out: Path) -> None:
    """Refuse tables that the contract has not, and those that a folder holds as CSV already.

    Raises
    ------
    HistoryError
    """
    for table in tables:
        if table not in TABLES:
            raise HistoryError("no such table", where=table, hint=f"tables are {', '.join(TABLES)}")
        if (out / f"{table}.csv").exists():
            raise HistoryError(f"{table} is there as CSV already", where=str(out), hint="name an empty folder")


class _Groups:
    """One table's file: parts are gathered to groups of rows, so that many small parts read as fast as one."""

    def __init__(self, path: Path, shape: TableShape, table: str) -> None:
        self._table = table
        self._schema = shape.schema(table)
        self._writer = parquet.ParquetWriter(path, self._schema, compression="zstd")
        self._waiting: list[Any] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        try:
            if failed is None:
                self._flush()
        finally:
            self._writer.close()

    def add(self, frame: pd.DataFrame) -> None:
        self._waiting.append(_as_stored(frame, self._table, self._schema))
        if sum(map(len, self._waiting)) >= ROWS_PER_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            self._writer.write_table(arrow.concat_tables(self._waiting))
            self._waiting.clear()


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


def shape_of(frame: pd.DataFrame, table: str) -> TableShape:
    """Tell which columns of a whole table are written."""
    there = [column for column in TABLES[table] if column.name in frame.columns]
    return TableShape(
        frozenset(column.name for column in there if column.required or frame[column.name].notna().any()),
        {
            name: not pd.api.types.is_numeric_dtype(coerce_extension(frame[name]).values)
            for name in map(str, frame.columns)
            if is_extension(name)
        },
    )


def _as_stored(frame: pd.DataFrame, table: str, schema: Any) -> Any:
    contract = columns_by_name(TABLES[table])
    arrays = []
    for field in schema:
        if field.name not in frame.columns:
            arrays.append(arrow.nulls(len(frame), field.type))
            continue
        raw = frame[field.name]
        coerced = coerce_column(raw, contract[field.name]) if field.name in contract else coerce_extension(raw)
        if coerced.problems:
            reasons = ", ".join(coerced.problems)
            raise HistoryError(f"values do not meet the contract: {reasons}", where=f"{table}: {field.name}")
        arrays.append(as_arrow(coerced.values).cast(field.type))
    return arrow.table(arrays, schema=schema)
