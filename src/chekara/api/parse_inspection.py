"""The strict door of ``POST /v1/inspections``: the columns of the contract, and the rules of a history file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from chekara.api.fields import Refusal
from chekara.api.section import NOT_AN_OBJECT, Findings, Section
from chekara.api.strict_json import read_json
from chekara.data.row_rules import RESULT_RULES
from chekara.data.schema import FURTHEST_AHEAD, INSPECTION_COLUMNS, Column
from chekara.domain.inspection import Inspection
from chekara.settings import Limits

# The service knows these two where nobody says: when it had the result, and what sent the crossing there.
FILLED_IN: Final = frozenset({"known_at", "selected_by"})
BODY_COLUMNS: Final[tuple[Column, ...]] = tuple(
    replace(column, required=False) if column.name in FILLED_IN else column for column in INSPECTION_COLUMNS
)
_NOTHING_GIVEN: Final[Mapping[str, Any]] = dict.fromkeys(column.name for column in BODY_COLUMNS)
_OWN_FIELDS: Final = frozenset(name for name in Inspection.__slots__ if name != "details")

TOO_FAR_AHEAD: Final = Refusal("too_far_ahead", "An inspection and its result lie at most 24 hours ahead.")
# A row of a file like this stays, because its draw still counts as drawn, and `check` tells of it; who sends one can
# still say what was meant.
FOUND_WITHOUT_CONTROL: Final = Refusal(
    "found_without_control", "A control that was not done has found nothing; send it as done, or with found false."
)
_RULES: Final = tuple(
    (rule, Refusal(rule.reason, f"{rule.meaning[0].upper()}{rule.meaning[1:]}.")) for rule in RESULT_RULES
)


class InspectionParser:
    """Parses the body of ``POST /v1/inspections``, or one row of many; build once, use from any thread.

    Parameters
    ----------
    limits : Limits
        ``text_characters`` binds here.

    Examples
    --------
    >>> from datetime import UTC
    >>> body = b'{"inspection_id": "I1", "crossing_id": "C1", "domain": "contraband", "found": true,'
    >>> body += b' "inspected_at": "2026-11-24T08:30:00Z"}'
    >>> parsed = InspectionParser(Limits()).parse(body, received_at=datetime(2026, 11, 24, 9, tzinfo=UTC))
    >>> parsed.found, parsed.selected_by, dict(parsed.details)
    (True, None, {'status': 'done'})
    """

    def __init__(self, limits: Limits) -> None:
        self._section = Section(BODY_COLUMNS, limits.text_characters, takes_extensions=False)

    def parse(self, body: bytes, *, received_at: datetime, is_replay: bool = False) -> Inspection:
        """Parse and validate one body.

        Parameters
        ----------
        body : bytes
        received_at : datetime
            The service's clock, with offset.
        is_replay : bool
            Take the time of receipt from the body's ``known_at``.

        Returns
        -------
        Inspection
            Its ``known_at`` is as sent; where it was not sent, the instant of the inspection.

        Raises
        ------
        MalformedBodyError
            Not JSON, or nested too deep.
        InvalidRequestError
            With every refused field.
        """
        return self.validate(read_json(body), received_at=received_at, is_replay=is_replay)

    def validate(self, value: Any, *, received_at: datetime, is_replay: bool = False) -> Inspection:
        """Validate one result that ``read_json`` has read (a row of many); as ``parse`` otherwise."""
        findings = Findings()
        if not isinstance(value, dict):
            findings.add("", NOT_AN_OBJECT)
            findings.raise_if_any()
        fields: dict[str, Any] = self._section.validate(value, "", findings)
        findings.raise_if_any()
        sent = fields.setdefault("known_at", fields["inspected_at"])
        for where, refusal in _broken_rules(fields, sent if is_replay else received_at):
            findings.add(where, refusal)
        findings.raise_if_any()
        own = {name: fields.pop(name) for name in _OWN_FIELDS if name in fields}
        return Inspection(**own, details=fields)


def _broken_rules(fields: Mapping[str, Any], received_at: datetime) -> Iterator[tuple[str, Refusal]]:
    """Yield what a history file would be refused, corrected or warned for, by its own rules, and wrong clocks."""
    row = {**_NOTHING_GIVEN, **fields}
    for rule, refusal in _RULES:
        if rule.condition(row):
            yield f"/{rule.column}", refusal
    if row["status"] == "not_done" and row["found"]:
        yield "/found", FOUND_WITHOUT_CONTROL
    if fields["known_at"] - received_at > FURTHEST_AHEAD:
        yield "/known_at", TOO_FAR_AHEAD
