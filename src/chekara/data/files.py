"""Files of a history: found, read raw, digested.

CSV is read as strings only, so that ``0101`` stays ``0101``; what a value means is decided by the column contract.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as arrow
import pyarrow.csv as arrow_csv
from pyarrow import parquet

from chekara.errors import HistoryError

SUFFIXES = (".parquet", ".csv")
_DELIMITERS = (",", ";", "\t", "|")
_CHUNK_BYTES = 1 << 20


def find_table(directory: Path, table: str) -> Path | None:
    """Return the one file of a table in a folder, or None.

    Raises
    ------
    HistoryError
        The folder is not there, or holds the table both as Parquet and as CSV.
    """
    if not directory.is_dir():
        raise HistoryError("no such folder", where=str(directory), hint="give the folder that holds crossings.*")
    found = [directory / f"{table}{suffix}" for suffix in SUFFIXES if (directory / f"{table}{suffix}").is_file()]
    if len(found) > 1:
        raise HistoryError(
            f"{table} is there both as Parquet and as CSV", where=str(directory), hint="keep the one that is meant"
        )
    return found[0] if found else None


def read_column_names(path: Path) -> list[str]:
    """Return the column names of a CSV or Parquet file.

    Raises
    ------
    HistoryError
        The file is empty or cannot be read, or two columns share a name.
    """
    if path.suffix == ".parquet":
        try:
            names = list(parquet.read_schema(path).names)
        except (arrow.ArrowException, OSError) as error:
            raise HistoryError("not a readable Parquet file", where=path.name) from error
    else:
        names = next(csv.reader([_header_line(path)], delimiter=_delimiter(path)), [])
    if not any(names):
        raise HistoryError("the file is empty", where=path.name, hint="it needs a header line")
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise HistoryError("two columns share a name", where=f"{path.name}: {repeated[0]}")
    return names


def read_raw(path: Path, columns: Iterable[str] | None = None) -> pd.DataFrame:
    """Read a file without interpreting it.

    Parameters
    ----------
    path : Path
        ``.csv`` (UTF-8; comma, semicolon, tab or bar) or ``.parquet``.
    columns : iterable of str, optional
        Only these, where they are there.

    Returns
    -------
    DataFrame
        CSV: every column ``str``, empty fields missing. Parquet: Arrow types as stored.

    Raises
    ------
    HistoryError
        Empty, unreadable, or not UTF-8; the file is named.
    """
    names = read_column_names(path)
    wanted = names if columns is None else [name for name in names if name in set(columns)]
    if path.suffix == ".parquet":
        try:
            table = parquet.read_table(path, columns=wanted)
        except (arrow.ArrowException, OSError) as error:
            raise HistoryError("not a readable Parquet file", where=path.name) from error
        return _without_index(table.to_pandas(types_mapper=pd.ArrowDtype, ignore_metadata=True))
    return _without_index(_read_csv(path, names, wanted).to_pandas())


def digest_of(paths: Iterable[Path], *, also: Iterable[bytes] = ()) -> str:
    """Return ``sha256:...`` over names and bytes of files, sorted by name, and of further parts.

    Examples
    --------
    >>> digest_of([])[:14]
    'sha256:e3b0c44'
    """
    total = hashlib.sha256()
    for path in sorted(paths, key=lambda path: path.name):
        part = hashlib.sha256()
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                part.update(chunk)
        total.update(f"{path.name}\n{part.hexdigest()}\n".encode())
    for extra in also:
        total.update(hashlib.sha256(extra).digest())
    return f"sha256:{total.hexdigest()}"


def _read_csv(path: Path, names: list[str], wanted: list[str]) -> Any:
    text = arrow.large_string()
    try:
        return arrow_csv.read_csv(
            path,
            parse_options=arrow_csv.ParseOptions(delimiter=_delimiter(path), newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, text),
                include_columns=wanted,
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        )
    except arrow.ArrowInvalid as error:
        # Arrow's own message quotes the offending row, and values are not repeated here: only its kind is told.
        if "UTF8" in str(error) or "utf-8" in str(error).lower():
            raise HistoryError("not UTF-8", where=path.name, hint="save it again as UTF-8") from None
        raise HistoryError(
            "not a well-formed CSV file", where=path.name, hint="every row needs as many fields as the header"
        ) from None


def _header_line(path: Path) -> str:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            return stream.readline().rstrip("\r\n")
    except UnicodeDecodeError:
        raise HistoryError("not UTF-8", where=path.name, hint="save it again as UTF-8") from None
    except OSError as error:
        raise HistoryError("cannot be read", where=path.name) from error


def _delimiter(path: Path) -> str:
    header = _header_line(path)
    return max(_DELIMITERS, key=header.count)


def _without_index(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.reset_index(drop=True)
