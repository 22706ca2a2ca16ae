"""Read a policy: one TOML file, or a folder of them; every error names key, file and line."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

from chekara.domain.vocabulary import AGENCIES, BORDER_REGIMES
from chekara.errors import ConfigurationError
from chekara.policy.load_plans import DEMANDING_LANES, capacity_plan, joint_plan, lot_plan, risk_plan
from chekara.policy.policy import Agencies, AgencyException, Control, DomainPolicy, Policy
from chekara.policy.risk import COMBINERS
from chekara.policy.rules_load import rule_text
from chekara.policy.tables import MOST_MINUTES, Table

FORMAT = 1
DEFAULT_CURRENCY = "KGS"


MAIN_FILE = "policy.toml"
PARTS = ("risks", "rules", "areas")
"""Arrays of tables, and the folders beside the main file whose files hold more of them."""


def load_policy(path: Path | None = None) -> Policy:
    """Read a policy.

    Parameters
    ----------
    path : Path, optional
        A policy file, or a folder with ``policy.toml`` and, where there are any, ``risks/*.toml``, ``rules/*.toml``
        and ``areas/*.toml``; default: the one that ships.

    Returns
    -------
    Policy

    Raises
    ------
    ConfigurationError
        A file cannot be read or is not TOML, a key is unknown, missing or of the wrong kind, thresholds do not rise
        with the strictness of the lane, an agency is unknown, or a rule cannot be read. The error names key, file and
        line.

    Examples
    --------
    >>> load_policy().domains["vehicle_crime"].agencies.lead
    'internal_affairs'
    """
    return policy_of(policy_texts(path))


def policy_texts(path: Path | None = None) -> dict[str, str]:
    """Read the files of a policy, the main one first, the others by name.

    Parameters
    ----------
    path : Path, optional
        As for `load_policy`.

    Returns
    -------
    dict of str to str
        Text by name of the file within the policy, with ``/``.

    Raises
    ------
    ConfigurationError
        A file cannot be read.
    """
    if path is None:
        return {"default.toml": files("chekara.policy").joinpath("default.toml").read_text("utf-8")}
    if not path.is_dir():
        return {path.name: _text(path, path.name)}
    parts = [own for part in PARTS for own in sorted((path / part).glob("*.toml"))]
    return {own.relative_to(path).as_posix(): _text(own, own.name) for own in (path / MAIN_FILE, *parts)}


def _text(path: Path, name: str) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(
            "the policy file cannot be read", where=name, hint="a policy is a TOML file in UTF-8, or a folder"
        ) from None


def policy_of(texts: Mapping[str, str]) -> Policy:
    """Make a policy of its texts.

    Parameters
    ----------
    texts : mapping of str to str
        What `policy_texts` read: the main file comes first.

    Raises
    ------
    ConfigurationError
        As for `load_policy`.
    """
    roots = [Table.of(text, name) for name, text in texts.items()]
    for root in roots[1:]:
        root.only(*PARTS)
    return _policy(roots, _digest([root.content for root in roots]))


def _digest(contents: Sequence[Mapping[str, Any]]) -> str:
    """Return the digest over the content: where a part stands, in one file or in several, makes no difference."""
    whole = dict(contents[0])
    for part in PARTS:
        entries = [entry for content in contents for entry in content.get(part, ())]
        if entries:
            whole[part] = entries
    # Instants and days are written as TOML writes them.
    canonical = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"


def _policy(roots: Sequence[Table], digest: str) -> Policy:
    root = roots[0]
    root.only(
        "name",
        "format",
        "combiner",
        "currency",
        "border",
        "agencies",
        "domains",
        "risk",
        "capacity",
        "lot",
        "joint",
        *PARTS,
    )
    if root.get("format", int) != FORMAT:
        raise root.error("format", "unknown format of a policy file", f"this version reads format {FORMAT}")
    border, agencies, domains = root.table("border"), root.table("agencies"), root.table("domains", is_required=True)
    border.only("default_regime", "regimes")
    agencies.only("more")
    more = agencies.words("more", ())
    known = frozenset(AGENCIES) | frozenset(more)
    regimes = border.table("regimes")
    own_domains = {name: _domain(domains.table(name, is_required=True), name, known) for name in domains.content}
    capacity = capacity_plan(root.table("capacity"), known)
    return Policy(
        name=root.get("name", str),
        digest=digest,
        combiner=root.one_of("combiner", COMBINERS, "rank"),
        currency=_currency(root),
        default_regime=border.one_of("default_regime", BORDER_REGIMES, "external"),
        regimes={code: regimes.one_of(code, BORDER_REGIMES) for code in regimes.content},
        more_agencies=more,
        domains=own_domains,
        risk_plan=risk_plan(root.table("risk"), own_domains),
        capacity=capacity,
        lot=lot_plan(root.table("lot"), own_domains, capacity.shifts),
        joint=joint_plan(root.table("joint"), own_domains),
        rules=rule_text(roots, own_domains, known),
    )


def _currency(root: Table) -> str:
    code: str = root.get("currency", str, DEFAULT_CURRENCY)
    if not re.fullmatch("[A-Z]{3}", code):
        raise root.error("currency", "this must be a currency code of ISO 4217", f"for example {DEFAULT_CURRENCY}")
    return code


def _domain(table: Table, name: str, known: frozenset[str]) -> DomainPolicy:
    table.only("lead", "informed", "exceptions", "lanes")
    lanes = table.table("lanes", is_required=True)
    lanes.only(*DEMANDING_LANES)
    rows = {lane: lanes.table(lane) for lane in DEMANDING_LANES if lane in lanes.content}
    thresholds = {lane: _threshold(row) for lane, row in rows.items()}
    strictest_first = [(lane, thresholds[lane]) for lane in DEMANDING_LANES if lane in thresholds]
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


def _agencies(table: Table, known: frozenset[str]) -> Agencies:
    informed = table.words("informed", ())
    lead = table.one_of("lead", known)
    if not known.issuperset(informed):
        raise table.error("informed", "an agency is not known", "name it under agencies.more")
    if lead in informed or len(set(informed)) < len(informed):
        raise table.error("informed", "an agency is named twice")
    return Agencies(lead, informed)


def _exception(table: Table, known: frozenset[str]) -> AgencyException:
    table.only("border_regime", "crossing_points", "lead", "informed")
    regime = table.one_of("border_regime", BORDER_REGIMES) if "border_regime" in table.content else None
    points = frozenset(table.words("crossing_points", ()))
    if regime is None and not points:
        raise table.error(None, "an exception must say where it holds", "give border_regime, crossing_points or both")
    return AgencyException(regime, points, _agencies(table, known))


def _threshold(table: Table) -> float:
    table.only("from_risk", "control", "instruction", "due_minutes")
    return table.share("from_risk")


def _control(table: Table) -> Control:
    minutes = table.count("due_minutes", most=MOST_MINUTES)
    return Control(
        control=_message_key(table, "control"),
        instruction=_message_key(table, "instruction"),
        due_after=timedelta(minutes=minutes),
    )


def _message_key(table: Table, kind: str) -> str:
    key: str = table.get(kind, str)
    if not key.startswith(f"{kind}."):
        raise table.error(kind, "this must be a key of the message catalogue", f"for example {kind}.documents")
    return key
