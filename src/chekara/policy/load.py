"""Read a policy file (TOML); every error names the key and the line."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

from chekara.domain.vocabulary import AGENCIES, BORDER_REGIMES, Lane
from chekara.errors import ConfigurationError
from chekara.policy.policy import COMBINERS, Agencies, AgencyException, Control, DomainPolicy, Policy
from chekara.toml_lines import Key, LineIndex, parse_toml

FORMAT = 1
DEFAULT_CURRENCY = "KGS"
_DEMANDING_LANES = (Lane.RED, Lane.YELLOW, Lane.BLUE)


def load_policy(path: Path | None = None) -> Policy:
    """Read a policy.

    Parameters
    ----------
    path : Path, optional
        A policy file; default: the one that ships.

    Returns
    -------
    Policy

    Raises
    ------
    ConfigurationError
        The file cannot be read or is not TOML, a key is unknown, missing or of the wrong kind, thresholds do not
        rise with the strictness of the lane, or an agency is unknown. The error names key and line.

    Examples
    --------
    >>> load_policy().domains["vehicle_crime"].agencies.lead
    'internal_affairs'
    """
    name = "default.toml" if path is None else path.name
    try:
        text = files("chekara.policy").joinpath(name).read_text("utf-8") if path is None else path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(
            "the policy file cannot be read", where=name, hint="CHEKARA_POLICY names a TOML file in UTF-8"
        ) from None
    content = parse_toml(text, name)
    return _policy(_Table(content, (), _Source(name, LineIndex.of(text))), _digest(content))


def _digest(content: Mapping[str, Any]) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"


@dataclass(frozen=True, slots=True)
class _Source:
    name: str
    index: LineIndex

    def error(self, key: Key, detail: str, hint: str | None = None) -> ConfigurationError:
        line = self.index.line(key)
        place = self.name if line is None else f"{self.name}, line {line}"
        return ConfigurationError(detail, where=f"{'.'.join(map(str, key))} in {place}", hint=hint)


@dataclass(frozen=True, slots=True)
class _Table:
    """One table of the file, with what is needed to say where it stands."""

    content: Mapping[str, Any]
    key: Key
    source: _Source

    def error(self, name: str | None, detail: str, hint: str | None = None) -> ConfigurationError:
        return self.source.error(self.key if name is None else (*self.key, name), detail, hint)

    def only(self, *known: str) -> None:
        for name in self.content:
            if name not in known:
                raise self.error(name, "unknown key", f"known here: {', '.join(known)}")

    def get(self, name: str, kind: type, default: Any = None) -> Any:
        value = self.content.get(name, default)
        if value is None:
            raise self.error(name, "this key is missing")
        fits = isinstance(value, int | float) if kind is float else isinstance(value, kind)
        if not fits or (kind in (int, float) and isinstance(value, bool)):
            raise self.error(name, f"this must be {_KINDS[kind]}")
        return value

    def table(self, name: str, *, is_required: bool = False) -> _Table:
        return _Table(self.get(name, dict, None if is_required else {}), (*self.key, name), self.source)

    def tables(self, name: str) -> list[_Table]:
        found = self.get(name, list, [])
        if not all(isinstance(one, dict) for one in found):
            raise self.error(name, "this must be an array of tables")
        return [_Table(one, (*self.key, name, i), self.source) for i, one in enumerate(found)]

    def words(self, name: str, default: Iterable[str] | None = None) -> tuple[str, ...]:
        found = self.get(name, list, None if default is None else list(default))
        if not all(isinstance(one, str) and one for one in found):
            raise self.error(name, "this must be a list of words")
        return tuple(found)

    def one_of(self, name: str, allowed: Iterable[str], default: str | None = None) -> str:
        value: str = self.get(name, str, default)
        if value not in allowed:
            raise self.error(name, "not one of the known words", f"use {', '.join(sorted(allowed))}")
        return value


_KINDS = {str: "a text", int: "a whole number", float: "a number", dict: "a table", list: "a list"}


def _policy(root: _Table, digest: str) -> Policy:
    root.only("name", "format", "combiner", "currency", "border", "agencies", "domains")
    if root.get("format", int) != FORMAT:
        raise root.error("format", "unknown format of a policy file", f"this version reads format {FORMAT}")
    border, agencies, domains = root.table("border"), root.table("agencies"), root.table("domains", is_required=True)
    border.only("default_regime", "regimes")
    agencies.only("more")
    more = agencies.words("more", ())
    known = frozenset(AGENCIES) | frozenset(more)
    regimes = border.table("regimes")
    return Policy(
        name=root.get("name", str),
        digest=digest,
        combiner=root.one_of("combiner", COMBINERS, "rank"),
        currency=_currency(root),
        default_regime=border.one_of("default_regime", BORDER_REGIMES, "external"),
        regimes={code: regimes.one_of(code, BORDER_REGIMES) for code in regimes.content},
        more_agencies=more,
        domains={name: _domain(domains.table(name, is_required=True), name, known) for name in domains.content},
    )


def _currency(root: _Table) -> str:
    code: str = root.get("currency", str, DEFAULT_CURRENCY)
    if not re.fullmatch("[A-Z]{3}", code):
        raise root.error("currency", "this must be a currency code of ISO 4217", f"for example {DEFAULT_CURRENCY}")
    return code


def _domain(table: _Table, name: str, known: frozenset[str]) -> DomainPolicy:
    table.only("lead", "informed", "exceptions", "lanes")
    lanes = table.table("lanes", is_required=True)
    lanes.only(*_DEMANDING_LANES)
    rows = {lane: lanes.table(lane) for lane in _DEMANDING_LANES if lane in lanes.content}
    thresholds = {lane: _threshold(row) for lane, row in rows.items()}
    strictest_first = [(lane, thresholds[lane]) for lane in _DEMANDING_LANES if lane in thresholds]
    for (_, above), (lane, below) in pairwise(strictest_first):
        if below >= above:
            raise rows[lane].error("from_risk", "must be below the threshold of the stricter lane")
    return DomainPolicy(
        domain=name,
        agencies=_agencies(table, known),
        exceptions=tuple(_exception(one, known) for one in table.tables("exceptions")),
        thresholds=thresholds,
        controls={lane: _control(row) for lane, row in rows.items()},
    )


def _agencies(table: _Table, known: frozenset[str]) -> Agencies:
    informed = table.words("informed", ())
    lead = table.one_of("lead", known)
    if not known.issuperset(informed):
        raise table.error("informed", "an agency is not known", "name it under agencies.more")
    if lead in informed or len(set(informed)) < len(informed):
        raise table.error("informed", "an agency is named twice")
    return Agencies(lead, informed)


def _exception(table: _Table, known: frozenset[str]) -> AgencyException:
    table.only("border_regime", "crossing_points", "lead", "informed")
    regime = table.one_of("border_regime", BORDER_REGIMES) if "border_regime" in table.content else None
    points = frozenset(table.words("crossing_points", ()))
    if regime is None and not points:
        raise table.error(None, "an exception must say where it holds", "give border_regime, crossing_points or both")
    return AgencyException(regime, points, _agencies(table, known))


def _threshold(table: _Table) -> float:
    table.only("from_risk", "control", "instruction", "due_minutes")
    value = float(table.get("from_risk", float))
    if not 0.0 <= value <= 1.0:
        raise table.error("from_risk", "a risk lies between 0 and 1")
    return value


def _control(table: _Table) -> Control:
    minutes = table.get("due_minutes", int)
    if minutes <= 0:
        raise table.error("due_minutes", "must be above zero")
    return Control(
        control=_message_key(table, "control"),
        instruction=_message_key(table, "instruction"),
        due_after=timedelta(minutes=minutes),
    )


def _message_key(table: _Table, kind: str) -> str:
    key: str = table.get(kind, str)
    if not key.startswith(f"{kind}."):
        raise table.error(kind, "this must be a key of the message catalogue", f"for example {kind}.documents")
    return key
