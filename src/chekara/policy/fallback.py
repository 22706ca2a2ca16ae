"""What a border system does by itself while the service cannot be reached: static rules and a lot, in one document.

The rules are the strongest simple criteria in what the serving models know: one declared code, how often crossings
that have it were inspected, and how often something was found. The lot is a draw that anybody can repeat who has its
seed; whoever holds the seed's SHA-256 from before can tell that it was not chosen afterwards. Format and a reader:
``docs/fallback.md``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from chekara import messages
from chekara.data.schema import HEADER_COLUMNS, ITEM_COLUMNS
from chekara.domain.decision import ModelIdentity
from chekara.domain.vocabulary import Lane
from chekara.errors import ConfigurationError
from chekara.evaluation.calibration import wilson_interval
from chekara.policy.lot import SEED_BYTES, commitment_of
from chekara.policy.policy import Policy

FORMAT = "chekara-fallback/2"
MOST_DAYS = 366
FEWEST_INSPECTED = 50
"""A criterion of fewer inspections is no rule: what was found could be chance."""

_SMALLEST_LOT, _LOT_DIGITS = 1e-4, 4
_RULE_LANE, _LOT_LANE = Lane.YELLOW, Lane.RED
_GOODS_PREFIXES = ("hs_chapter", "hs4", "hs6")
_HEADER, _ITEMS = "header", "items"


class Tally(Protocol):
    """How often something was seen, inspected and found to be a hit: ``chekara.explain.evidence.Count``."""

    @property
    def inspected(self) -> int:
        """Crossings that were inspected."""
        ...

    @property
    def hits(self) -> int:
        """Of those, crossings with a hit."""
        ...


@dataclass(frozen=True, slots=True)
class RiskTable:
    """What a serving model's history tells of one domain.

    Attributes
    ----------
    model : ModelIdentity
    total : Tally
        Of all crossings.
    tallies : mapping of str to mapping of str to Tally
        By feature, then by category.
    applies_to : mapping of str to tuple of str
        Column to the values that the domain applies to; a missing value applies.
    """

    model: ModelIdentity
    total: Tally
    tallies: Mapping[str, Mapping[str, Tally]]
    applies_to: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FallbackTerms:
    """What whoever exports decides.

    Attributes
    ----------
    lot : float
        Propensity of the lot, from 0.0001 to 1, with at most four decimals.
    days : int
        How long the document holds, 1 to 366.
    times : float
        A rule's hit rate must be above this many times the domain's, 1 or more.
    rules : int
        Most rules of a domain, 0 or more.
    crossing_point : str or None
        The only crossing point that the document is for; None: all.
    seed : bytes
        32 random bytes of the lot.

    Raises
    ------
    ConfigurationError
        One of them is out of its range.
    """

    seed: bytes
    lot: float = 0.02
    days: int = 30
    times: float = 2.0
    rules: int = 10
    crossing_point: str | None = None

    def __post_init__(self) -> None:
        point = self.crossing_point
        checks = {
            "--lot": (_SMALLEST_LOT <= self.lot <= 1 and round(self.lot, _LOT_DIGITS) == self.lot, "0.0001 to 1"),
            "--days": (1 <= self.days <= MOST_DAYS, f"1 to {MOST_DAYS}"),
            "--times": (1 <= self.times < float("inf"), "1 or more"),
            "--rules": (self.rules >= 0, "0 or more"),
            "--seed": (len(self.seed) == SEED_BYTES, f"{2 * SEED_BYTES} hexadecimal digits"),
            "--crossing-point": (point is None or (point != "" and point == point.strip()), "a code"),
        }
        for name, (is_good, range_) in checks.items():
            if not is_good:
                raise ConfigurationError("out of its range", where=name, hint=f"give {range_}")


def seed_from(text: str | None) -> bytes:
    """Read a seed of the lot; without one, make it of random bytes.

    Raises
    ------
    ConfigurationError
        Not hexadecimal digits.
    """
    if text is None:
        return os.urandom(SEED_BYTES)
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise ConfigurationError("not hexadecimal digits", where="--seed") from None


Teller = Callable[[str, str, Tally, Tally, str], str]
"""From a feature, its category, their tally, the tally of all and a language to a sentence."""


def fallback_document(
    policy: Policy, tables: Mapping[str, RiskTable], terms: FallbackTerms, *, made_at: datetime, tell: Teller
) -> dict[str, Any]:
    """Make the document, unsigned; the same input gives the same document.

    Parameters
    ----------
    policy : Policy
    tables : mapping of str to RiskTable
        By domain; a domain that the policy demands no lane for is left out.
    terms : FallbackTerms
    made_at : datetime with offset
    tell : callable
        Says why a rule is one, in a language.

    Returns
    -------
    dict
        Plain data for JSON, as ``docs/fallback.md`` describes.
    """
    served = [domain for domain, own in policy.domains.items() if domain in tables and own.controls]
    models = {domain: tables[domain].model for domain in served}
    return {
        "format": FORMAT,
        "made_at": _text(made_at),
        "valid_until": _text(made_at + timedelta(days=terms.days)),
        "crossing_point": terms.crossing_point,
        "policy_digest": policy.digest,
        "models": {d: {"name": m.name, "version": m.version, "digest": m.digest} for d, m in models.items()},
        "lot": {
            "propensity": terms.lot,
            "seed": terms.seed.hex(),
            "commitment": commitment_of(terms.seed),
            "lane": _LOT_LANE.value,
            "basis": "random",
            "actions": [_action(policy, domain, _LOT_LANE, terms.crossing_point) for domain in served],
        },
        "rules": [rule for domain in served for rule in _rules(policy, domain, tables[domain], terms, tell)],
    }


def signed_bytes(document: Mapping[str, Any]) -> bytes:
    """Return what a signature of the document covers: JSON without ``signature``, sorted keys, no spaces, UTF-8.

    It begins with a brace, so it can never be taken for the text of a checkpoint, which the same key signs.

    Examples
    --------
    >>> signed_bytes({"b": 0.02, "a": "ү", "signature": "..."}).decode()
    '{"a":"ү","b":0.02}'
    """
    content = {name: value for name, value in document.items() if name != "signature"}
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _rules(policy: Policy, domain: str, table: RiskTable, terms: FallbackTerms, tell: Teller) -> list[dict[str, Any]]:
    """Return a domain's rules, the one with the highest lower bound first, equals by name."""
    if not table.total.inspected or not table.total.hits:
        return []
    floor = terms.times * table.total.hits / table.total.inspected
    found: list[tuple[float, str, str, Tally]] = []
    for feature, tallies in table.tallies.items():
        for value, tally in tallies.items():
            if _condition(feature, value) is None or tally.inspected < FEWEST_INSPECTED:
                continue
            if feature == "crossing_point" and terms.crossing_point not in (None, value):
                continue
            lowest = wilson_interval(tally.hits, tally.inspected)[0]
            if lowest > floor:
                found.append((-lowest, feature, value, tally))
    strongest = sorted(found, key=lambda one: one[:3])[: terms.rules]
    only = [_among(column, values) for column, values in sorted(table.applies_to.items())]
    return [
        {
            "id": f"{domain}:{feature}:{value}",
            "when": _condition(feature, value),
            "only": only,
            "lane": _RULE_LANE.value,
            "basis": "rule",
            **_action(policy, domain, _RULE_LANE, terms.crossing_point),
            "inspected": tally.inspected,
            "hits": tally.hits,
            "inspected_all": table.total.inspected,
            "hits_all": table.total.hits,
            "reason": {
                language: tell(feature, value, tally, table.total, language) for language in messages.languages()
            },
        }
        for _, feature, value, tally in strongest
    ]


def _condition(feature: str, value: str) -> dict[str, str] | None:
    """Return the criterion over a contract column that a category stands for; None where it stands for none.

    Criteria are declared codes: no id of anybody, nothing sensitive, and nothing that an absent field stands for.
    """
    if feature in _GOODS_PREFIXES:
        return {"in": _ITEMS, "column": "hs_code", "starts_with": value}
    for place, columns in ((_HEADER, HEADER_COLUMNS), (_ITEMS, ITEM_COLUMNS)):
        for column in columns:
            if column.name == feature and column.kind == "code" and column.default is None and not column.sensitive:
                return {"in": place, "column": feature, "equals": value}
    return None


def _among(column: str, values: tuple[str, ...]) -> dict[str, Any]:
    is_of_items = any(column == one.name for one in ITEM_COLUMNS)
    return {"in": _ITEMS if is_of_items else _HEADER, "column": column, "among": list(values)}


def _action(policy: Policy, domain: str, lane: Lane, crossing_point: str | None) -> dict[str, Any]:
    """Say who does what; ``agency_at`` names the points where another agency leads than ``agency``."""
    elsewhere: dict[str, str] = {}
    if crossing_point is None:
        listed = set(policy.regimes).union(*(e.crossing_points for e in policy.domain(domain).exceptions))
        elsewhere = {point: policy.agencies(domain, point).lead for point in sorted(listed)}
    lead = policy.agencies(domain, crossing_point or "").lead
    control = policy.domain(domain).control(lane)
    return {
        "domain": domain,
        "agency": lead,
        "agency_at": {point: agency for point, agency in elsewhere.items() if agency != lead},
        "control": _told(control.control),
        "instruction": _told(control.instruction),
        "due_minutes": round(control.due_after / timedelta(minutes=1)),
    }


def _told(key: str) -> dict[str, str]:
    return {"key": key} | {language: messages.text(key, language) for language in messages.languages()}


def _text(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
