"""Mapping files: a foreign table brought to the contract without code.

A mapping is a TOML file that says, for each contract column, where its value comes from; ``docs/mapping.md``
describes it with an example. Reading one is strict: every key that is not known, every foreign column that is not
there and every contract column that does not exist is an error that names it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from chekara.data.denied import refuse_denied_name
from chekara.data.mapping_rules import ColumnRule, read_column_rule
from chekara.data.schema import TABLES, columns_by_name, is_extension
from chekara.errors import ConfigurationError
from chekara.toml_lines import parse_toml

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


def parse_mapping(text: str, *, where: str) -> Mapping:
    """Read a mapping from the text of its file; ``where`` names it in errors."""
    document = parse_toml(text, where)
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
        refuse_denied_name(part["only_where"]["from"], where=f"{place}: only_where")
        only_where = part["only_where"]["from"], _strings(part["only_where"].get("values"), f"{place}: only_where")
    return LabelRule(domain=part["domain"], known_after_days=float(days), only_where=only_where, columns=columns)


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
