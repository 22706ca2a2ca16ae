"""Foreign folders: found, read and turned into contract tables by a mapping."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from chekara.data.files import read_column_names, read_raw
from chekara.data.mapping import LabelRule, Mapping, shipped_mappings
from chekara.data.mapping_rules import map_column
from chekara.errors import ConfigurationError, HistoryError


def find_mapping(directory: Path) -> Mapping | None:
    """Return the shipped mapping whose columns the files of a folder have, or None."""
    for mapping in shipped_mappings():
        paths = _matching(directory, mapping.files["crossings"])
        if paths and set(mapping.recognised_by) <= set(read_column_names(paths[0])):
            return mapping
    return None


def mapped_files(mapping: Mapping, directory: Path) -> dict[str, list[Path]]:
    """Return the foreign files by contract table, in the order in which they are read.

    Raises
    ------
    HistoryError
        The folder or every file of the crossings is missing.
    """
    if not directory.is_dir():
        raise HistoryError("no such folder", where=str(directory), hint="give the folder that holds the tables")
    found = {table: _matching(directory, globs) for table, globs in mapping.files.items()}
    if not found["crossings"]:
        raise HistoryError(
            f"no file that the mapping {mapping.name} reads",
            where=str(directory),
            hint=f"it looks for {', '.join(mapping.files['crossings'])}",
        )
    return {table: paths for table, paths in found.items() if paths}


def read_foreign(mapping: Mapping, directory: Path) -> dict[str, pd.DataFrame]:
    """Read the foreign tables as text, only the columns that the mapping uses.

    Returns
    -------
    dict of str to DataFrame
        By contract table; ``attrs["rows_by_file"]`` counts the rows of each file.

    Raises
    ------
    ConfigurationError
        A foreign column that the mapping names is not there.
    """
    tables: dict[str, pd.DataFrame] = {}
    for table, paths in mapped_files(mapping, directory).items():
        used = _columns_used(mapping, table)
        for path in paths:
            _require_foreign(used, read_column_names(path), mapping, path.name)
        parts = [read_raw(path, columns=used) for path in paths]
        tables[table] = pd.concat(parts, ignore_index=True)
        tables[table].attrs["rows_by_file"] = [len(part) for part in parts]
    return tables


def apply_mapping(mapping: Mapping, tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Turn foreign tables into raw contract tables, ready for ``validate_table``.

    Parameters
    ----------
    mapping : Mapping
    tables : dict of str to DataFrame
        Foreign tables by the contract table that they feed, every column ``str``.

    Returns
    -------
    dict of str to DataFrame
        Raw contract tables; ``inspections`` also where label rules make them out of the crossings.

    Raises
    ------
    ConfigurationError
        A foreign column that the mapping names is not there.
    """
    for table, frame in tables.items():
        _require_foreign(_columns_used(mapping, table), map(str, frame.columns), mapping, table)
    mapped = {
        table: pd.DataFrame(
            {name: map_column(frame, rule) for name, rule in mapping.columns[table].items()}, index=frame.index
        )
        for table, frame in tables.items()
    }
    made = [_inspections_of(tables["crossings"], mapped["crossings"], rule) for rule in mapping.labels]
    if made:
        mapped["inspections"] = pd.concat(made, ignore_index=True)
    return mapped


def _inspections_of(foreign: pd.DataFrame, crossings: pd.DataFrame, rule: LabelRule) -> pd.DataFrame:
    if rule.only_where is not None:
        column, values = rule.only_where
        inspected = foreign[column].isin(values)
        foreign, crossings = foreign[inspected], crossings[inspected]
    made = {name: map_column(foreign, column_rule) for name, column_rule in rule.columns.items()}
    made["crossing_id"] = crossings["crossing_id"]
    made["domain"] = pd.Series(rule.domain, index=crossings.index, dtype="str")
    made["inspection_id"] = crossings["crossing_id"] + f"/{rule.domain}"
    if "item_no" in crossings:
        made["item_no"] = crossings["item_no"]
        made["inspection_id"] = made["inspection_id"] + "/" + crossings["item_no"].astype("str")
    if "revision" in crossings:
        made["revision"] = crossings["revision"]
    made.setdefault("inspected_at", crossings["occurred_at"])
    if "known_at" not in made:
        made["known_at"] = _later(made["inspected_at"], rule.known_after_days)
    return pd.DataFrame(made)


def _later(instants: pd.Series[Any], days: float) -> pd.Series[Any]:
    parsed = pd.to_datetime(instants, format="ISO8601", utc=True, errors="coerce").dt.as_unit("us")
    return parsed + pd.Timedelta(days=days)


def _columns_used(mapping: Mapping, table: str) -> list[str]:
    rules = list(mapping.columns[table].values())
    extra: list[str] = []
    if table == "crossings":
        for label in mapping.labels:
            rules.extend(label.columns.values())
            extra.extend([label.only_where[0]] if label.only_where else [])
    return list(dict.fromkeys([rule.source for rule in rules if rule.source is not None] + extra))


def _require_foreign(used: Iterable[str], there: Iterable[str], mapping: Mapping, where: str) -> None:
    present = set(there)
    missing = [name for name in used if name not in present]
    if missing:
        raise ConfigurationError(
            f"the mapping {mapping.name} reads columns that are not there", where=f"{where}: {', '.join(missing)}"
        )


def _matching(directory: Path, globs: Iterable[str]) -> list[Path]:
    found = [path for pattern in globs for path in sorted(directory.glob(pattern)) if path.is_file()]
    return list(dict.fromkeys(found))
