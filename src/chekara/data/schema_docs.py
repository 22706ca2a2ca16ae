"""The page ``docs/data-contract.md``, made from the column contract: ``python -m chekara.data.schema_docs``.

The page is never edited by hand; a test compares it with what this module prints.
"""

from __future__ import annotations

import sys

from chekara.data.checks import REFERENCE_REASONS
from chekara.data.coerce import VALUE_REASONS
from chekara.data.row_rules import ROW_RULES
from chekara.data.schema import HEADER_COLUMNS, INSPECTION_COLUMNS, ITEM_COLUMNS, KEYS, TABLES, Column

_INTRODUCTION = """\
# The data contract

Made by `python -m chekara.data.schema_docs` from `src/chekara/data/schema.py`; edit that.

A history is a folder with `crossings`, perhaps `inspections` and `crossing_points`, each as one `.parquet` or `.csv`
file. `audit_groups` may lie beside them: it is read by the audit process alone.

- CSV is UTF-8 with a header line; comma, semicolon, tab or bar between fields. An empty field is missing; `NA` is a
  value (Namibia). Codes stay strings: `0101` is not `101`.
- An instant is ISO 8601 and carries an offset: `2026-03-01T10:15:00+06:00`.
- Columns that the contract does not know are ignored and listed. Columns `x_...` are national extensions, number or
  string, used only where a model names them, within the limits of all others: what is beyond is blanked and counted.
- Columns that describe people (nationality, ethnicity, race, religion, sex, birth date, age, names, passport and ID
  numbers, language, politics, health, biometrics) refuse the whole history, by name in English, Russian and Kyrgyz
  and by content; `chekara.data.denied_content` says which contents are recognised.
- A foreign table comes to the contract by a mapping file: [mapping.md](mapping.md).

`chekara check DIR` counts what does not meet the contract, by reason, with up to five row numbers (from 1, without
the header line) and never a value. A bad value in an optional column is blanked and the row stays. A bad value in a
required column, in a key, in `known_at` or in `status` refuses the row, because a default may stand for an absent
value but not for a wrong one.
"""


def render_contract() -> str:
    """Return the page as Markdown, ending in one line break."""
    parts = [
        _INTRODUCTION,
        _table_section("crossings", "One row per item of a revision of a crossing, its header repeated."),
        "### Header columns\n\n" + _columns_table(HEADER_COLUMNS),
        "### Item columns\n\n" + _columns_table(ITEM_COLUMNS),
        _table_section(
            "inspections",
            "One row per revision of an inspection for one risk domain. Of several revisions the newest that was known "
            "counts. No row means unknown, never negative.",
        ),
        _columns_table(INSPECTION_COLUMNS),
        _table_section("crossing_points", "One row per crossing point."),
        _columns_table(TABLES["crossing_points"]),
        "## Reasons\n\n" + _reasons_table(),
    ]
    return "\n".join(parts)


def _table_section(table: str, description: str) -> str:
    return f"## `{table}`\n\n{description} Key: {', '.join(f'`{name}`' for name in KEYS[table])}.\n"


def _columns_table(columns: tuple[Column, ...]) -> str:
    rows = ["| column | type | meaning | absent |", "|---|---|---|---|"]
    for column in columns:
        rows.append(f"| `{column.name}` | {_type_of(column)} | {_meaning_of(column)} | {_absence_of(column)} |")
    return "\n".join(rows) + "\n"


def _type_of(column: Column) -> str:
    bounds = [
        f"from {column.minimum:g}" if column.minimum is not None else "",
        f"to {column.maximum:g}" if column.maximum is not None else "",
    ]
    parts = [column.kind, column.unit or "", *bounds]
    if column.pattern:
        parts.append(f"`{column.pattern}`")
    if column.values:
        parts.append(", ".join(f"`{value}`" for value in column.values))
    return "; ".join(part for part in parts if part)


def _meaning_of(column: Column) -> str:
    notes = [column.description]
    if column.entity:
        notes.append(f"entity id ({column.entity}), tokenised at the door")
    if column.sensitive:
        notes.append("**sensitive**")
    return "; ".join(notes)


def _absence_of(column: Column) -> str:
    if column.required:
        return "**row refused**"
    if column.default is None:
        return "missing"
    if isinstance(column.default, str) and column.default.startswith("<"):
        return f"as `{column.default.strip('<>')}`"
    return f"`{column.default}`"


def _reasons_table() -> str:
    rows = ["| reason | meaning |", "|---|---|"]
    meanings = {**VALUE_REASONS, **REFERENCE_REASONS}
    for rules in ROW_RULES.values():
        for rule in rules:
            meanings.setdefault(rule.reason, rule.meaning if rule.reason != "duplicate_key" else _DUPLICATE)
    rows += [f"| `{reason}` | {meaning} |" for reason, meaning in meanings.items()]
    return "\n".join(rows) + "\n"


_DUPLICATE = "the key came before in the table; the first row stays"


if __name__ == "__main__":
    sys.stdout.write(render_contract())
