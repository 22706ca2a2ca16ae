"""The strict door: a body becomes a crossing, a review or a list of everything that is wrong with it.

Made from ``chekara.data.schema`` through ``chekara.api.fields``; no column is named twice. A problem tells the
field by JSON pointer (RFC 6901) and never the value; the name of an unknown field is told only where it is a
plain identifier, because a name can be an attack too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from chekara.api.elsewhere import FIELD as ELSEWHERE
from chekara.api.elsewhere import ElsewhereParser
from chekara.api.fields import NOT_A_STRING, Refusal, check_boolean, text_check
from chekara.api.section import (
    DENIED_FIELD,
    NOT_AN_ARRAY,
    NOT_AN_OBJECT,
    PLAIN_NAME,
    REQUIRED,
    TOO_MANY_ITEMS,
    UNKNOWN_FIELD,
    Findings,
    Section,
    describes_people,
    note_repeated,
)
from chekara.api.strict_json import read_json
from chekara.data.schema import (
    FURTHEST_AHEAD,
    FURTHEST_AHEAD_PRE_ARRIVAL,
    HEADER_COLUMNS,
    ITEM_COLUMNS,
    Column,
)
from chekara.domain.crossing import Crossing, Value
from chekara.domain.decision import DecidedElsewhere
from chekara.domain.vocabulary import Lane, ReviewAction
from chekara.settings import Limits

MOST_LABELS: Final = 50

NO_ITEMS: Final = Refusal("no_items", "Give at least one item; without goods, one item with empty fields.")
TOO_MANY_LABELS: Final = Refusal("too_many_labels", "There are more labels than the limit.")
REPEATED_ITEM: Final = Refusal("repeated_item_no", "Two items have the same item_no.")
TOO_FAR_AHEAD: Final = Refusal(
    "too_far_ahead", "A crossing is lodged at most 24 hours ahead, or 45 days with the stage pre_arrival."
)


@dataclass(frozen=True, slots=True)
class ParsedScore:
    """One crossing as lodged.

    Attributes
    ----------
    crossing : Crossing
        Defaults filled, instants in UTC.
    labels : mapping of str to str
        What an officer reads (plate, declaration number): stored encrypted, never a feature.
    is_void : bool
        The crossing never came and is withdrawn.
    decided_elsewhere : DecidedElsewhere or None
        What was decided of it while the service could not be reached.
    """

    crossing: Crossing
    labels: Mapping[str, str]
    is_void: bool
    decided_elsewhere: DecidedElsewhere | None = None


@dataclass(frozen=True, slots=True)
class ParsedReview:
    """A review as sent. Whether the action has what it needs is the use case's to say."""

    action: ReviewAction
    lane: Lane | None
    refer_to: str | None
    until: datetime | None
    domain: str | None
    reason: str


class ScoreParser:
    """Parses the body of ``POST /v1/scores``; build once, use from any thread.

    Parameters
    ----------
    limits : Limits
        ``items`` and ``text_characters`` bind here.

    Examples
    --------
    >>> from datetime import UTC
    >>> body = b'{"crossing_id": "C1", "occurred_at": "2026-11-24T08:30:00Z", "crossing_point": "KG-01",'
    >>> body += b' "direction": "entry", "mode": "road", "items": [{"hs_code": "610910"}]}'
    >>> parsed = ScoreParser(Limits()).parse(body, received_at=datetime(2026, 11, 24, 9, tzinfo=UTC))
    >>> parsed.crossing.items == ({"item_no": 1, "hs_code": "610910", "hs_version": "2022"},)
    True
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._check_text = text_check(limits.text_characters)
        self._header = Section(HEADER_COLUMNS, limits.text_characters, beside=("items", "labels", "void", ELSEWHERE))
        # The contract's default, 1, is right for one item; of several, those without a number count as they stand.
        unnumbered = tuple(replace(c, default=None) if c.name == "item_no" else c for c in ITEM_COLUMNS)
        self._item = Section(unnumbered, limits.text_characters)
        self._elsewhere = ElsewhereParser(limits)

    def parse(self, body: bytes, *, received_at: datetime, is_replay: bool = False) -> ParsedScore:
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
        ParsedScore

        Raises
        ------
        MalformedBodyError
            Not JSON, or nested too deep.
        InvalidRequestError
            With every refused field.
        """
        return self.validate(read_json(body), received_at=received_at, is_replay=is_replay)

    def validate(self, value: Any, *, received_at: datetime, is_replay: bool = False) -> ParsedScore:
        """Validate one crossing that ``read_json`` has read (a row of a batch); as ``parse`` otherwise."""
        findings = Findings()
        if not isinstance(value, dict):
            findings.add("", NOT_AN_OBJECT)
            findings.raise_if_any()
        header: dict[str, Any] = self._header.validate(value, "", findings)
        is_void = _flag(value.get("void"), "/void", findings)
        items = self._items(value.get("items"), is_void, findings)
        labels = self._labels(value.get("labels"), findings)
        header.setdefault("known_at", header.get("occurred_at", received_at))
        receipt = header["known_at"] if is_replay else received_at
        _refuse_far_ahead(header, receipt, findings)
        elsewhere = self._elsewhere.parse(value.get(ELSEWHERE), receipt=receipt, is_void=is_void, findings=findings)
        findings.raise_if_any()
        return ParsedScore(_crossing_of(header, items), labels, is_void, elsewhere)

    def _items(self, value: Any, is_void: bool, findings: Findings) -> tuple[Mapping[str, Value], ...]:
        if value is None and is_void:
            return (self._item.defaults | {"item_no": 1},)
        if not isinstance(value, list):
            findings.add("/items", REQUIRED if value is None else NOT_AN_ARRAY)
            return ()
        if not value:
            findings.add("/items", NO_ITEMS)
            return ()
        if len(value) > self._limits.items:
            findings.add("/items", TOO_MANY_ITEMS)
            return ()
        return self._numbered_items(value, findings)

    def _numbered_items(self, value: list[Any], findings: Findings) -> tuple[Mapping[str, Value], ...]:
        items: list[Mapping[str, Value]] = []
        numbers: set[Value] = set()
        for index, fields in enumerate(value):
            where = f"/items/{index}"
            if not isinstance(fields, dict):
                findings.add(where, NOT_AN_OBJECT)
                continue
            item = self._item.validate(fields, where, findings)
            if fields.get("item_no") is None:
                item["item_no"] = index + 1
            number = item.get("item_no")  # None where it was refused
            if number in numbers:
                findings.add(f"{where}/item_no", REPEATED_ITEM)
            elif number is not None:
                numbers.add(number)
            items.append(item)
        return tuple(items)

    def _labels(self, value: Any, findings: Findings) -> Mapping[str, str]:
        if value is None:
            return {}
        if not isinstance(value, dict):
            findings.add("/labels", NOT_AN_OBJECT)
            return {}
        if len(value) > MOST_LABELS:
            findings.add("/labels", TOO_MANY_LABELS)
            return {}
        note_repeated(value, "/labels", findings)
        labels: dict[str, str] = {}
        for name, text in value.items():
            if PLAIN_NAME.fullmatch(name) is None:
                findings.add("/labels", UNKNOWN_FIELD)
                continue
            if describes_people(name):
                findings.add(f"/labels/{name}", DENIED_FIELD)
                continue
            checked = self._check_text(text)
            if isinstance(checked, str):
                labels[name] = checked
            else:
                findings.add(f"/labels/{name}", checked if isinstance(checked, Refusal) else NOT_A_STRING)
        return labels


class ReviewParser:
    """Parses the body of ``POST /v1/decisions/{id}/reviews``.

    Parameters
    ----------
    limits : Limits
        ``text_characters`` binds here.
    """

    def __init__(self, limits: Limits) -> None:
        text = limits.text_characters
        code = r"[a-z][a-z0-9_]{0,63}"
        columns = (
            Column(name="action", kind="code", required=True, values=tuple(ReviewAction), description="What was done"),
            Column(name="lane", kind="code", values=tuple(Lane), description="The lane chosen, for override"),
            Column(name="to", kind="code", pattern=code, description="The agency asked, for refer"),
            Column(name="until", kind="instant", description="Until when release is delayed, for delay"),
            Column(
                name="domain", kind="code", pattern=r"[a-z][a-z0-9_]{0,63}", description="What is referred, for refer"
            ),
            Column(name="reason", kind="string", required=True, description="Why, in the officer's words"),
        )
        self._section = Section(columns, text, takes_extensions=False)

    def parse(self, body: bytes) -> ParsedReview:
        """Parse and validate one body; raises as ``ScoreParser.parse`` does."""
        value = read_json(body)
        findings = Findings()
        if not isinstance(value, dict):
            findings.add("", NOT_AN_OBJECT)
            findings.raise_if_any()
        fields: Mapping[str, Any] = self._section.validate(value, "", findings)
        findings.raise_if_any()
        lane = fields.get("lane")
        return ParsedReview(
            action=ReviewAction(fields["action"]),
            lane=None if lane is None else Lane(lane),
            refer_to=fields.get("to"),
            until=fields.get("until"),
            domain=fields.get("domain"),
            reason=fields["reason"],
        )


def _flag(value: Any, where: str, findings: Findings) -> bool:
    if value is None:
        return False
    checked = check_boolean(value)
    if isinstance(checked, Refusal):
        findings.add(where, checked)
    return checked is True


def _refuse_far_ahead(header: Mapping[str, Any], received_at: datetime, findings: Findings) -> None:
    occurred_at = header.get("occurred_at")
    if occurred_at is None:
        return
    furthest = FURTHEST_AHEAD_PRE_ARRIVAL if header.get("stage") == "pre_arrival" else FURTHEST_AHEAD
    if occurred_at - received_at > furthest:
        findings.add("/occurred_at", TOO_FAR_AHEAD)


def _crossing_of(header: dict[str, Any], items: tuple[Mapping[str, Value], ...]) -> Crossing:
    return Crossing(
        crossing_id=header.pop("crossing_id"),
        revision=header.pop("revision"),
        occurred_at=header.pop("occurred_at"),
        known_at=header.pop("known_at"),
        header=header,
        items=items,
    )
