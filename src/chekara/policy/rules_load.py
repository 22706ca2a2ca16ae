"""Read ``[[risks]]``, ``[[rules]]`` and ``[[areas]]`` of a policy."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, date, datetime, time
from functools import partial
from typing import Final, TypeVar

from chekara.domain.vocabulary import LANGUAGES, Lane
from chekara.errors import ConfigurationError
from chekara.policy.conditions import Criteria
from chekara.policy.criteria import compile_criteria
from chekara.policy.load_plans import DEMANDING_LANES
from chekara.policy.lot import FALLBACK_ARM, LOT_ARM
from chekara.policy.readable import EXTENSION_KINDS, readable
from chekara.policy.rules import ControlArea, RegisteredRisk, Rule, RuleText
from chekara.policy.tables import Table

RULE_CHANNELS: Final = ("rule", "mandatory")
LONGEST_REASON: Final = 300
_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_FIRST_LANGUAGE: Final = LANGUAGES[0]

Entry = TypeVar("Entry")


def rule_text(tables: Sequence[Table], domains: Collection[str], agencies: Collection[str]) -> RuleText:
    """Read all risks, rules and areas.

    Parameters
    ----------
    tables : sequence of Table
        Roots of the files, in their order; each may hold ``risks``, ``rules`` and ``areas``.
    domains, agencies : collection of str
        Known ones.

    Returns
    -------
    RuleText

    Raises
    ------
    ConfigurationError
        A key is unknown, missing or wrong, an id stands twice or nowhere, an expression cannot be read, or dates are
        not in order. The error names key, file and line.
    """
    risks = _by_id(tables, "risks", partial(_risk, domains=domains, agencies=agencies))
    rules = _by_id(tables, "rules", partial(_rule, risks=risks, agencies=agencies))
    areas = _by_id(tables, "areas", partial(_area, risks=risks, agencies=agencies))
    return RuleText(risks, tuple(rules.values()), tuple(areas.values()))


def _by_id(tables: Sequence[Table], name: str, read: Callable[[Table], Entry]) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for table in (one for root in tables for one in root.tables(name)):
        key: str = table.get("id", str)
        if not _ID.fullmatch(key):
            raise table.error("id", "an id is of small letters, digits, - and _", "for example used-tyres-2026")
        if key in found:
            raise table.error("id", "this id stands twice")
        found[key] = read(table)
    return found


def _risk(table: Table, *, domains: Collection[str], agencies: Collection[str]) -> RegisteredRisk:
    table.only("id", "title", "domain", "threat", "owner", "review_at")
    return RegisteredRisk(
        risk=table.get("id", str),
        title=_line(table, "title"),
        threat=_line(table, "threat"),
        domain=table.one_of("domain", domains),
        owner=table.one_of("owner", agencies),
        review_at=_day(table, "review_at"),
    )


def _rule(table: Table, *, risks: Mapping[str, RegisteredRisk], agencies: Collection[str]) -> Rule:
    table.only(
        *("id", "risk", "domain", "owner", "lane", "channel", "reason", "instruction", "criteria", "watch_list"),
        *("sensitive", "extensions", "valid_from", "expires_at", "review_at", "most_without_result"),
    )
    risk = risks[table.one_of("risk", risks)]
    watch_list = table.get("watch_list", str) if "watch_list" in table.content else None
    channel = table.one_of("channel", RULE_CHANNELS, "rule")
    if watch_list is not None and "channel" in table.content:
        raise table.error("channel", "a rule on a watch list is intelligence", "leave the channel out")
    criteria = _criteria(table, "criteria") if watch_list is None or "criteria" in table.content else None
    valid_from, expires_at = _span(table, "valid_from", "expires_at")
    review_at = _day(table, "review_at")
    if not valid_from.date() <= review_at <= expires_at.date():
        raise table.error("review_at", "a rule is reviewed while it holds")
    most = table.count("most_without_result") if "most_without_result" in table.content else None
    if channel == "mandatory" and most is not None:
        raise table.error("most_without_result", "what is mandatory is not suspended", "leave it out")
    return Rule(
        rule=table.get("id", str),
        risk=risk.risk,
        domain=table.one_of("domain", (risk.domain,), risk.domain),
        owner=table.one_of("owner", agencies, risk.owner),
        lane=Lane(table.one_of("lane", DEMANDING_LANES)),
        selected_by=channel if watch_list is None else "intelligence",
        texts=_texts(table, "reason", is_required=True),
        instructions=_texts(table, "instruction", is_required=False),
        criteria=criteria,
        watch_list=watch_list,
        valid_from=valid_from,
        expires_at=expires_at,
        review_at=review_at,
        most_without_result=most,
    )


def _area(table: Table, *, risks: Mapping[str, RegisteredRisk], agencies: Collection[str]) -> ControlArea:
    table.only(
        *("id", "title", "risk", "owner", "scope", "rate", "lane", "from", "until", "interim_review_at"),
        *("sensitive", "extensions"),
    )
    if table.get("id", str) in (LOT_ARM, FALLBACK_ARM):
        raise table.error("id", "draws of another kind have this name", "give the area another one")
    risk = risks[table.one_of("risk", risks)]
    begins_at, ends_at = _span(table, "from", "until")
    interim = _instant(table, "interim_review_at")
    if not begins_at < interim < ends_at:
        raise table.error("interim_review_at", "an area is reviewed while it holds")
    rate = table.share("rate")
    if rate == 0.0:
        raise table.error("rate", "an area draws something")
    return ControlArea(
        area=table.get("id", str),
        title=_line(table, "title"),
        domain=risk.domain,
        owner=table.one_of("owner", agencies, risk.owner),
        risk=risk.risk,
        scope=_criteria(table, "scope"),
        rate=rate,
        lane=Lane(table.one_of("lane", DEMANDING_LANES, Lane.RED)),
        begins_at=begins_at,
        ends_at=ends_at,
        interim_review_at=interim,
    )


def _criteria(table: Table, key: str) -> Criteria:
    sensitive, extensions = _named(table, "sensitive"), _named(table, "extensions")
    if not set(extensions.values()) <= set(EXTENSION_KINDS):
        raise table.error("extensions", "an extension is a number or a text")
    text: str = table.get(key, str)
    try:
        criteria = compile_criteria(text, partial(readable, sensitive=sensitive, extensions=extensions))
    except ConfigurationError as error:
        place = "" if error.where is None else f", {error.where}"
        raise table.error(key, f"{error.detail}{place}", error.hint) from None
    for kind, named in (("sensitive", sensitive), ("extensions", extensions)):
        if not set(named) <= criteria.names:
            raise table.error(kind, "the expression does not read this")
    return criteria


def _named(table: Table, key: str) -> dict[str, str]:
    own = table.table(key)
    return {name: own.get(name, str) for name in own.content}


def _texts(table: Table, key: str, *, is_required: bool) -> Mapping[str, str]:
    own = table.table(key, is_required=is_required)
    own.only(*LANGUAGES)
    found = {language: _line(own, language) for language in LANGUAGES if language in own.content}
    if found and _FIRST_LANGUAGE not in found:
        raise own.error(_FIRST_LANGUAGE, "the English text is missing")
    if is_required and not found:
        raise table.error(key, "a rule says why", 'reason = { en = "...", ru = "...", ky = "..." }')
    return found


def _line(table: Table, key: str) -> str:
    text: str = table.get(key, str)
    if not text.strip() or len(text) > LONGEST_REASON:
        raise table.error(key, "this must be a text", f"at most {LONGEST_REASON} characters")
    return text


def _span(table: Table, first: str, last: str) -> tuple[datetime, datetime]:
    begins, ends = _instant(table, first), _instant(table, last)
    if begins >= ends:
        raise table.error(last, "the end comes before the beginning")
    return begins, ends


def _instant(table: Table, key: str) -> datetime:
    """Read an instant; a day alone is its beginning in UTC."""
    value = table.content.get(key)
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value, time(0), UTC)
    raise table.error(key, "this must be an instant with its offset, or a day", "for example 2026-12-01T00:00:00+06:00")


def _day(table: Table, key: str) -> date:
    value = table.content.get(key)
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise table.error(key, "this must be a day", "for example 2027-03-01")
