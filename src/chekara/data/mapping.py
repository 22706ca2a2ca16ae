"""Mapping files: a foreign table brought to the contract without code.

A mapping is a TOML file that says, for each contract column, where its value comes from; ``docs/mapping.md``
describes it with an example. Reading one is strict: every key that is not known, every foreign column that is not
there and every contract column that does not exist is an error that names it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd

from chekara.data.files import read_column_names, read_raw
from chekara.data.mapping_rules import ColumnRule, map_column, read_column_rule
from chekara.data.schema import TABLES, columns_by_name, is_extension
from chekara.errors import ConfigurationError, HistoryError

_TOP = {"name", "title", "source", "recognised_by", "files", "columns", "labels"}
_LABEL = {"domain", "known_after_days", "only_where", "columns"}
_ONLY_WHERE = {"from", "values"}
_MADE_BY_LABELS = {"inspection_id", "crossing_id", "domain", "revision", "item_no"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRule:
    """How rows of the foreign crossings become inspections of one domain.

    Attributes
    ----------
    domain : str
    known_after_days : float
        ``inspected_at`` is when the crossing occurred unless a column says otherwise; ``known_at`` this much later.
    only_where : tuple of (str, tuple of str) or None
        Foreign column and the values with which a row was inspected at all; None means every row was.
    columns : mapping of str to ColumnRule
        By inspection column; ``selected_by`` and ``found`` at least.
    """

    domain: str
    known_after_days: float
    only_where: tuple[str, tuple[str, ...]] | None
    columns: dict[str, ColumnRule]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """A mapping file, read and checked.

    Attributes
    ----------
    name, title, source : str
        Short name; what it is; where a user gets the data.
    recognised_by : tuple of str
        A folder whose first crossings file has all these columns is read with this mapping unasked.
    files : mapping of str to tuple of str
        By contract table: glob patterns, read in their order and concatenated.
    columns : mapping of str to (mapping of str to ColumnRule)
        By contract table and contract column.
    labels : tuple of LabelRule
    text : str
        The file itself; part of a history's digest.
    """

    name: str
    title: str
    source: str
    recognised_by: tuple[str, ...]
    files: dict[str, tuple[str, ...]]
    columns: dict[str, dict[str, ColumnRule]]
    labels: tuple[LabelRule, ...] = ()
    text: str = field(default="", repr=False)


def load_mapping(path: Path) -> Mapping:
    """Read a mapping file.

    Parameters
    ----------
    path : Path
        A TOML file, or the bare name of a shipped mapping such as ``korea54k``.

    Raises
    ------
    ConfigurationError
        No such file, not TOML, a key that is not known or missing, or a column that the contract does not have.
    """
    if not path.is_file():
        shipped = {mapping.name: mapping for mapping in shipped_mappings()}
        if str(path) in shipped:
            return shipped[str(path)]
        raise ConfigurationError(
            "no such mapping file", where=str(path), hint=f"give a TOML file or one of {', '.join(shipped)}"
        )
    return parse_mapping(path.read_text(encoding="utf-8"), where=path.name)


def shipped_mappings() -> tuple[Mapping, ...]:
    """Return the mappings that ship with Chekara, by name."""
    folder = resources.files("chekara.data") / "mappings"
    found = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".toml")), key=lambda entry: entry.name)
    return tuple(parse_mapping(entry.read_text(encoding="utf-8"), where=entry.name) for entry in found)


def find_mapping(directory: Path) -> Mapping | None:
    """Return the shipped mapping whose columns the files of a folder have, or None."""
    for mapping in shipped_mappings():
        paths = _matching(directory, mapping.files["crossings"])
        if paths and set(mapping.recognised_by) <= set(read_column_names(paths[0])):
            return mapping
    return None


def parse_mapping(text: str, *, where: str) -> Mapping:
    """Read a mapping from the text of its file; ``where`` names it in errors."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"not valid TOML: {error}", where=where) from None
    _only_keys(document, _TOP, where)
    for key in ("name", "title", "source", "files", "columns"):
        if key not in document:
            raise ConfigurationError(f"key {key!r} is missing", where=where, hint="see docs/mapping.md")
    files = {table: _strings(globs, f"{where}: files.{table}") for table, globs in document["files"].items()}
    columns = {table: _read_columns(part, table, where) for table, part in document["columns"].items()}
    for table in {*files, *columns}:
        if table not in TABLES or table not in files or table not in columns:
            raise ConfigurationError("a table needs both files and columns", where=f"{where}: {table}")
    if "crossings" not in files:
        raise ConfigurationError("crossings are not mapped", where=where)
    if document.get("labels") and "inspections" in files:
        raise ConfigurationError("labels and an inspections table exclude each other", where=where)
    return Mapping(
        name=document["name"],
        title=document["title"],
        source=document["source"],
        recognised_by=_strings(document.get("recognised_by", []), f"{where}: recognised_by"),
        files=files,
        columns=columns,
        labels=tuple(_read_label(part, where) for part in document.get("labels", [])),
        text=text,
    )


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


def _read_columns(part: dict[str, Any], table: str, where: str) -> dict[str, ColumnRule]:
    known = columns_by_name(TABLES.get(table, ()))
    rules: dict[str, ColumnRule] = {}
    for name, recipe in part.items():
        if name not in known and not (is_extension(name) and table != "crossing_points"):
            raise ConfigurationError("no such contract column", where=f"{where}: columns.{table}.{name}")
        kind = known[name].kind if name in known else "string"
        rules[name] = read_column_rule(recipe, kind, where=f"{where}: columns.{table}.{name}")
    missing = [column.name for column in known.values() if column.required and column.name not in rules]
    if missing:
        raise ConfigurationError("required columns are not mapped", where=f"{where}: {table}: {', '.join(missing)}")
    return rules


def _read_label(part: dict[str, Any], where: str) -> LabelRule:
    place = f"{where}: labels"
    _only_keys(part, _LABEL, place)
    if not isinstance(part.get("domain"), str):
        raise ConfigurationError("a label rule needs a domain", where=place)
    place = f"{where}: labels {part['domain']}"
    known = columns_by_name(TABLES["inspections"])
    columns: dict[str, ColumnRule] = {}
    for name, recipe in part.get("columns", {}).items():
        if name not in known or name in _MADE_BY_LABELS:
            raise ConfigurationError("not a column that a label rule can fill", where=f"{place}: {name}")
        columns[name] = read_column_rule(recipe, known[name].kind, where=f"{place}: {name}")
    for name in ("selected_by", "found"):
        if name not in columns:
            raise ConfigurationError(f"a label rule needs the column {name}", where=place)
    days = part.get("known_after_days", 0)
    if isinstance(days, bool) or not isinstance(days, int | float) or days < 0:
        raise ConfigurationError("known_after_days must be a number from 0", where=place)
    only_where = None
    if "only_where" in part:
        _only_keys(part["only_where"], _ONLY_WHERE, f"{place}: only_where")
        if not isinstance(part["only_where"].get("from"), str):
            raise ConfigurationError("only_where needs the key 'from'", where=place)
        only_where = part["only_where"]["from"], _strings(part["only_where"].get("values"), f"{place}: only_where")
    return LabelRule(domain=part["domain"], known_after_days=float(days), only_where=only_where, columns=columns)


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


def _only_keys(part: dict[str, Any], known: set[str], where: str) -> None:
    for key in part:
        if key not in known:
            raise ConfigurationError(
                f"unknown key {key!r}", where=where, hint=f"known keys are {', '.join(sorted(known))}"
            )


def _strings(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise ConfigurationError("must be a list of strings", where=where)
    return tuple(value)
