"""The strict door of ``POST /v1/inspections``: the columns of the contract, and the rules of a history file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from chekara.api.fields import OUT_OF_RANGE, Refusal
from chekara.api.parse import FURTHEST_AHEAD
from chekara.api.section import NOT_AN_OBJECT, Findings, Section
from chekara.api.strict_json import read_json
from chekara.data.schema import INSPECTION_COLUMNS, Column
from chekara.domain.inspection import Inspection
from chekara.settings import Limits

# The service knows these two where nobody says: when it had the result, and what sent the crossing there.
FILLED_IN: Final = frozenset({"known_at", "selected_by"})
BODY_COLUMNS: Final[tuple[Column, ...]] = tuple(
    replace(column, required=False) if column.name in FILLED_IN else column for column in INSPECTION_COLUMNS
)
_OWN_FIELDS: Final = frozenset(name for name in Inspection.__slots__ if name != "details")

KNOWN_TOO_EARLY: Final = Refusal("known_before_inspected", "A result cannot be known before the inspection.")
TOO_FAR_AHEAD: Final = Refusal("too_far_ahead", "An inspection and its result lie at most 24 hours ahead.")
STRAY_PROPENSITY: Final = Refusal("propensity_without_random", "A propensity belongs to selected_by random.")
CONTRADICTION: Final = Refusal("result_contradicts_found", "A find is not clear, and only a find is confirmed.")


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
    """Yield what a history file would be refused or corrected for (``chekara.data.row_rules``), and wrong clocks."""
    if fields["known_at"] < fields["inspected_at"]:
        yield "/known_at", KNOWN_TOO_EARLY
    if fields["known_at"] - received_at > FURTHEST_AHEAD:
        yield "/known_at", TOO_FAR_AHEAD
    is_random = fields.get("selected_by") == "random"
    if "propensity" in fields and not is_random:
        yield "/propensity", STRAY_PROPENSITY
    if is_random and fields.get("propensity") == 0:
        yield "/propensity", OUT_OF_RANGE
    if fields.get("result") == ("clear" if fields["found"] else "confirmed"):
        yield "/result", CONTRADICTION
