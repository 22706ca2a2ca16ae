"""The contract page is what the schema says, and every reason that can be given stands on it."""

from __future__ import annotations

from pathlib import Path

from chekara.data.checks import REFERENCE_REASONS
from chekara.data.coerce import VALUE_REASONS
from chekara.data.row_rules import ROW_RULES
from chekara.data.schema import TABLES
from chekara.data.schema_docs import render_contract

PAGE = Path(__file__).parents[2] / "docs" / "data-contract.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == render_contract(), (
        "run: python -m chekara.data.schema_docs > docs/data-contract.md"
    )


def test_every_column_and_reason_is_described() -> None:
    page = render_contract()
    names = {column.name for columns in TABLES.values() for column in columns}
    reasons = {*VALUE_REASONS, *REFERENCE_REASONS, *(rule.reason for rules in ROW_RULES.values() for rule in rules)}
    assert [name for name in sorted(names | reasons) if f"| `{name}` |" not in page] == []
