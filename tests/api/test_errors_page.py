"""docs/errors.md tells every code, with its status, and no code that is not there."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from chekara import errors
from chekara.api import elsewhere, fields, parse, parse_inspection, section
from chekara.data.row_rules import RESULT_RULES
from chekara.service import inspect as inspect_results
from chekara.service import referral, review

PAGE = (Path(__file__).parents[2] / "docs" / "errors.md").read_text(encoding="utf-8")
CLASSES = {
    value.code: value
    for value in vars(errors).values()
    if inspect.isclass(value) and issubclass(value, errors.ChekaraError)
}


def rows(section: str) -> list[list[str]]:
    text = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.split("\n") if line.startswith("|")]
    return table[2:]


def test_every_code_with_its_status_and_a_mend() -> None:
    told = {}
    for heading, status in (
        ("The asker can mend it", None),
        ("It passes", None),
        ("The service or its set-up is wrong", "500"),
    ):
        for code, *cells in rows(heading):
            told[code.strip("`")] = status or cells[0]
            assert all(len(cell) > 5 for cell in cells[-2:]), code
    assert told == {code: str(error.status) for code, error in CLASSES.items()}


def test_every_reason_of_a_field() -> None:
    told = {code for row in rows("Reasons of a field") for code in re.findall(r"`([a-z_]+)`", row[0])}
    refusals = [
        value for module in (fields, section, parse, parse_inspection, elsewhere) for value in vars(module).values()
    ]
    known = {refusal.code for refusal in refusals if isinstance(refusal, fields.Refusal)}
    sources = inspect.getsource(review) + inspect.getsource(referral) + inspect.getsource(inspect_results)
    of_use_cases = set(re.findall(r'FieldProblem\(f?"[^"]+", "([a-z_]+)"', sources))
    assert {"missing", "own_agency", "no_such_item"} < of_use_cases
    of_results = {rule.reason for rule in RESULT_RULES}
    assert told == known | of_use_cases | of_results | {"bad_parameter"}
