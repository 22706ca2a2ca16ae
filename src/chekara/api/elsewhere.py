"""The strict door of ``decided_elsewhere``: what a border system decided while the service could not be reached."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from chekara.api.fields import Refusal
from chekara.api.section import NOT_AN_OBJECT, REQUIRED, Findings, Section
from chekara.data.row_rules import LEAST_PROPENSITY
from chekara.data.schema import Column
from chekara.domain.decision import DecidedElsewhere
from chekara.domain.vocabulary import ELSEWHERE_BASES, Lane
from chekara.settings import Limits

FIELD: Final = "decided_elsewhere"
LOT: Final = "lot"  # what people call it; stored as `random`, the word of history files

COLUMNS: Final[tuple[Column, ...]] = (
    Column(name="lane", kind="code", required=True, values=tuple(Lane), description="The lane that was applied"),
    Column(name="at", kind="instant", required=True, description="When; not after the receipt of this request"),
    Column(
        name="by",
        kind="code",
        required=True,
        pattern=r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}",
        description="Code of the system, post or officer that decided, without blanks; never a person's name",
    ),
    Column(
        name="basis",
        kind="code",
        required=True,
        values=(*ELSEWHERE_BASES, LOT),
        description="What demanded the lane; random and lot are the same",
    ),
    Column(
        name="propensity",
        kind="number",
        minimum=LEAST_PROPENSITY,
        maximum=1,
        description="Probability with which the lot draws such a crossing; exactly where the basis is the lot",
    ),
)

AFTER_RECEIPT: Final = Refusal("after_receipt", "What was decided elsewhere was decided before this was received.")
PROPENSITY_WITHOUT_LOT: Final = Refusal("propensity_without_lot", "A propensity belongs to the basis random alone.")
NOT_WITH_VOID: Final = Refusal("not_with_void", "A crossing that never came was decided nowhere.")


class ElsewhereParser:
    """Parses the object ``decided_elsewhere`` of a body; build once, use from any thread.

    Parameters
    ----------
    limits : Limits
        ``text_characters`` binds here.
    """

    def __init__(self, limits: Limits) -> None:
        self._section = Section(COLUMNS, limits.text_characters, takes_extensions=False)

    def parse(self, value: Any, *, receipt: datetime, is_void: bool, findings: Findings) -> DecidedElsewhere | None:
        """Validate one object; what is wrong is noted in ``findings``.

        Parameters
        ----------
        value : Any
            What stands under `FIELD`; None where nothing does.
        receipt : datetime
            When the body was received.
        is_void : bool
            Whether the body withdraws the crossing.
        findings : Findings

        Returns
        -------
        DecidedElsewhere or None
            None where nothing was decided elsewhere, or something is wrong.
        """
        if value is None:
            return None
        where = f"/{FIELD}"
        if not isinstance(value, dict):
            findings.add(where, NOT_AN_OBJECT)
            return None
        before = findings.count
        fields: dict[str, Any] = self._section.validate(value, where, findings)
        if is_void:
            findings.add(where, NOT_WITH_VOID)
        if fields.get("basis") == LOT:
            fields["basis"] = ELSEWHERE_BASES[0]
        _hold_against_rules(fields, value, receipt, findings)
        if findings.count > before:
            return None
        return DecidedElsewhere(**(fields | {"lane": Lane(fields["lane"])}))


def _hold_against_rules(
    fields: Mapping[str, Any], sent: Mapping[str, Any], receipt: datetime, findings: Findings
) -> None:
    if "at" in fields and fields["at"] > receipt:
        findings.add(f"/{FIELD}/at", AFTER_RECEIPT)
    where, is_sent = f"/{FIELD}/propensity", sent.get("propensity") is not None
    if fields.get("basis") == ELSEWHERE_BASES[0] and not is_sent:
        findings.add(where, REQUIRED)
    if fields.get("basis", ELSEWHERE_BASES[0]) != ELSEWHERE_BASES[0] and is_sent:
        findings.add(where, PROPENSITY_WITHOUT_LOT)
