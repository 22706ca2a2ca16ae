"""Check the decision log, and replay a stored decision to the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Protocol

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from chekara.errors import AuditError
from chekara.service.chain import GENESIS, entry_hash, instant_from, payload_digest
from chekara.service.derive_lanes import DerivedLanes, DeriveLanes, PolicyByDigest
from chekara.service.payload import parsed

ANSWERED_KINDS = ("decision", "void", "review", "inspection")
"""Entries of what a service answered; the first checkpoint follows the first of them at once."""

RETENTION = "retention"
"""Entry of payloads that were removed because they may be kept no longer."""

CHECKPOINTS_BEGUN = "checkpoints_begun"
"""Entry of a file of checkpoints that was begun anew, knowingly."""

LONGEST_UNSIGNED = timedelta(minutes=2)
"""A service signs every 30 seconds, and when it stops: an entry that waits longer is no longer merely the newest."""


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """One thing that is wrong with the log.

    Attributes
    ----------
    code : str
        Stable reason: ``edited_entry``, ``broken_link``, ``missing_entries``, ``edited_payload``, ``missing_payload``,
        ``edited_rows``, ``stray_rows``, ``cut_tail``, ``rewritten``, ``no_checkpoint``, ``unsigned_tail``,
        ``unsigned_checkpoint``, ``missing_checkpoint``, ``unsigned_retention``, ``missing_guard``,
        ``other_lane``.
    chain : str
        Empty where it is not about one chain.
    position : int or None
        Place in the chain.
    sentence : str
        What was found, for a person.
    """

    code: str
    chain: str
    position: int | None
    sentence: str


@dataclass(frozen=True, slots=True)
class AuditNote:
    """Something that was done to the log knowingly, and recorded in it: told by every audit.

    Attributes
    ----------
    position : int
        Of its entry in the live chain.
    recorded_at : str
    sentence : str
        What was done, by whom and why, for a person.
    """

    position: int
    recorded_at: str
    sentence: str


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What the check of the log found.

    Attributes
    ----------
    entries : int
        Log entries read, all chains.
    checkpoints : int
        Signed checkpoints compared.
    findings : tuple of AuditFinding
    unsigned_tail : int
        Newest entries that no checkpoint vouches for yet.
    notes : tuple of AuditNote
        What was done to the log knowingly.
    lanes : DerivedLanes
        Of how many decisions the lane was derived again from what is stored with it.
    """

    entries: int
    checkpoints: int
    findings: tuple[AuditFinding, ...]
    unsigned_tail: int = 0
    notes: tuple[AuditNote, ...] = ()
    lanes: DerivedLanes = field(default_factory=DerivedLanes)

    @property
    def is_intact(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    def show(self, console: Console) -> None:
        """Print the report for a person."""
        console.print(f"{self.entries} log entries read, {self.checkpoints} signed checkpoints compared.")
        for sentence in self.lanes.sentences():
            console.print(sentence)
        if self.unsigned_tail:
            console.print(
                f"The newest {self.unsigned_tail} entries are in no checkpoint yet; the next one covers them."
            )
        if self.notes:
            told = Table("Entry", "Recorded at", "What was done", title="Done to the log knowingly")
            for note in self.notes:
                told.add_row(str(note.position), note.recorded_at, escape(_visible(note.sentence)))
            console.print(told)
        if self.is_intact:
            console.print("[bold green]The decision log is intact.[/]")
            return
        table = Table("Chain", "Entry", "Finding", "What was found", title="The decision log does not verify")
        for one in self.findings:
            table.add_row(one.chain, "" if one.position is None else str(one.position), one.code, one.sentence)
        console.print(table)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One signed head.

    Attributes
    ----------
    number : int
        Of the checkpoint, from 1 without gaps.
    chain : str
    position : int
    hash : str
        Of the entry at that position when it was signed.
    signed_at : str
    is_signed : bool
        Whether the signature is this installation's.
    """

    number: int
    chain: str
    position: int
    hash: str
    signed_at: str
    is_signed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """What a retention entry removed.

    Attributes
    ----------
    chain : str
    payloads : int
        How many.
    oldest_at, newest_at : str
        When the oldest and the newest of them were recorded; empty where nothing says so.
    reason, removed_by : str
    is_signed : bool
        Whether the entry is signed by this installation.
    """

    chain: str
    payloads: int
    oldest_at: str
    newest_at: str
    reason: str
    removed_by: str
    is_signed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedEntry:
    """One log entry as it is stored, with what lies beside it.

    Attributes
    ----------
    chain, kind, recorded_at, payload_digest, previous_hash, hash : str
    position : int
    payload : bytes or None
        None where it is gone.
    is_removal_recorded : bool
        Whether a signed retention event names the payload.
    differing_tables : tuple of str
        Tables whose rows of this entry are not what its payload says, or what they were when it was removed.
    removal : Removal or None
        What was removed, where this is a retention entry.
    """

    chain: str
    position: int
    kind: str
    recorded_at: str
    payload_digest: str
    previous_hash: str
    hash: str
    payload: bytes | None
    is_removal_recorded: bool
    differing_tables: tuple[str, ...]
    removal: Removal | None


class AuditSource(Protocol):
    """The log as the audit reads it."""

    def entries(self) -> Iterator[AuditedEntry]:
        """Yield every entry, by chain, then by position."""
        ...

    def stray_rows(self) -> dict[str, int]:
        """Return how many rows per table belong to no log entry."""
        ...

    def missing_guards(self) -> Iterable[str]:
        """Return the append-only triggers that are gone, or are others than they were."""
        ...


@dataclass(slots=True)
class _ChainCheck:
    """Walks one chain."""

    chain: str
    signed: frozenset[int]
    position: int = 0
    hash: str = GENESIS
    hashes: dict[int, str] = field(default_factory=dict)
    unsigned: int = 0
    unsigned_since: datetime | None = None
    unsigned_until: datetime | None = None
    _signed_to: int = field(init=False)

    def __post_init__(self) -> None:
        self._signed_to = max(self.signed, default=0)

    def findings(self, entry: AuditedEntry) -> Iterator[AuditFinding]:
        is_gap = entry.position != self.position + 1
        if is_gap:
            sentence = f"Entries {self.position + 1} to {entry.position - 1} are missing."
            yield AuditFinding("missing_entries", self.chain, self.position + 1, sentence)
        elif entry.previous_hash != self.hash:
            sentence = "It does not follow the entry before: one of the two was changed, put in or exchanged."
            yield AuditFinding("broken_link", self.chain, entry.position, sentence)
        if _hash_of(entry) != entry.hash:
            yield AuditFinding("edited_entry", self.chain, entry.position, "Its fields do not give its hash.")
        yield from _payload_findings(entry)
        self.position, self.hash = entry.position, entry.hash
        if entry.position in self.signed:
            self.hashes[entry.position] = entry.hash
        if entry.position > self._signed_to:
            self._count_unsigned(entry)

    def _count_unsigned(self, entry: AuditedEntry) -> None:
        self.unsigned += 1
        try:
            at = instant_from(entry.recorded_at)
        except ValueError:
            return  # it was edited, and is a finding of its own
        if at.tzinfo is not None:
            self.unsigned_since = at if self.unsigned_since is None else min(self.unsigned_since, at)
            self.unsigned_until = at if self.unsigned_until is None else max(self.unsigned_until, at)

    def is_overdue(self, now: datetime) -> bool:
        """Whether an entry waits for a checkpoint for longer than a running service lets one wait."""
        if self.unsigned_since is None or self.unsigned_until is None:
            return False
        return max(now, self.unsigned_until) - self.unsigned_since > LONGEST_UNSIGNED


def _hash_of(entry: AuditedEntry) -> str | None:
    """Return the hash that follows from an entry's fields; None where they cannot be an entry's."""
    try:
        return entry_hash(
            chain=entry.chain,
            position=entry.position,
            kind=entry.kind,
            recorded_at=entry.recorded_at,
            payload_digest=entry.payload_digest,
            previous_hash=entry.previous_hash,
        )
    except AuditError:
        return None


def verify_log(
    source: AuditSource,
    checkpoints: Sequence[Checkpoint],
    *,
    now: datetime,
    policy: PolicyByDigest = lambda _digest: None,
) -> AuditReport:
    """Check chains, payloads, rows and checkpoints, and derive every lane again.

    Parameters
    ----------
    source : AuditSource
    checkpoints : sequence of Checkpoint
        In the order of their file.
    now : datetime
        The present instant; it tells how long entries have waited for a checkpoint.
    policy : callable, optional
        From a policy digest to the policy, or None where its text is not here.

    Returns
    -------
    AuditReport
        Edits, deletions, insertions and a cut tail are found by the chain; a log that was rewritten as a whole, or
        cut, is found by the checkpoints, back to the last one that was signed before.
    """
    signed: dict[str, set[int]] = {}
    for checkpoint in checkpoints:
        if checkpoint.is_signed:
            signed.setdefault(checkpoint.chain, set()).add(checkpoint.position)
    chains: dict[str, _ChainCheck] = {}
    findings: list[AuditFinding] = []
    notes: list[AuditNote] = []
    lanes, derive = DerivedLanes(), DeriveLanes(policy)
    entries = 0
    for entry in source.entries():
        if entry.chain not in chains:
            chains[entry.chain] = _ChainCheck(entry.chain, frozenset(signed.get(entry.chain, ())))
        findings += chains[entry.chain].findings(entry)
        notes += _notes(entry)
        findings += _lane_findings(entry, derive, lanes)
        entries += 1
    findings += _checkpoint_findings(checkpoints, chains)
    findings += _waiting_findings(chains, now, has_checkpoints=bool(signed))
    for table, rows in source.stray_rows().items():
        findings.append(AuditFinding("stray_rows", "", None, f"{rows} rows of {table} belong to no log entry."))
    for guard in sorted(source.missing_guards()):
        findings.append(AuditFinding("missing_guard", "", None, f"The trigger {guard} was taken away or changed."))
    tail = sum(check.unsigned for check in chains.values())
    return AuditReport(entries, len(checkpoints), tuple(findings), tail, tuple(notes), lanes)


def _lane_findings(entry: AuditedEntry, derive: DeriveLanes, lanes: DerivedLanes) -> Iterator[AuditFinding]:
    """Derive the lane of an entry again; one whose payload was changed is a finding already, and is not counted."""
    if entry.kind != "decision" or entry.payload is None or payload_digest(entry.payload) != entry.payload_digest:
        return
    if not lanes.count(derive.of_payload(entry.payload)):
        sentence = "Its lane does not follow from the scores, the grounds and the policy that are stored with it."
        yield AuditFinding("other_lane", entry.chain, entry.position, sentence)


def _visible(sentence: str) -> str:
    """Take out of a stored text what could steer the terminal that shows it."""
    return "".join(letter if letter.isprintable() else "?" for letter in sentence)


def _notes(entry: AuditedEntry) -> Iterator[AuditNote]:
    if entry.kind == CHECKPOINTS_BEGUN:
        said = _said(entry.payload)
        sentence = f"A new file of checkpoints was begun by {said('begun_by')}: {said('reason')}"
        yield AuditNote(entry.position, entry.recorded_at, sentence)
    if entry.removal is not None:
        one = entry.removal
        sentence = (
            f"{one.payloads} payloads of the chain {one.chain}, {_days(one.newest_at, entry.recorded_at)} to "
            f"{_days(one.oldest_at, entry.recorded_at)} days old, were removed by {one.removed_by}: {one.reason}"
        )
        yield AuditNote(entry.position, entry.recorded_at, sentence)


def _days(since: str, until: str) -> str:
    """Return the days between two instants of the log; a question mark where one was edited."""
    try:
        return f"{(instant_from(until) - instant_from(since)).days:,}"
    except (ValueError, TypeError):
        return "?"


def _said(payload: bytes | None) -> Callable[[str], str]:
    """Return what reads texts of a payload; a dash for one that is not there."""
    try:
        content = parsed(payload or b"null")
    except (msgspec.DecodeError, UnicodeDecodeError):
        content = None
    told = content if isinstance(content, dict) else {}
    return lambda name: str(told.get(name, "-"))


def _waiting_findings(
    chains: Mapping[str, _ChainCheck], now: datetime, *, has_checkpoints: bool
) -> Iterator[AuditFinding]:
    overdue = {name: check for name, check in chains.items() if check.is_overdue(now)}
    if overdue and not has_checkpoints:
        sentence = "No checkpoint vouches for any entry: the file was taken away, or nothing ever signed this log."
        yield AuditFinding("no_checkpoint", "", None, sentence)
        return
    for name, check in overdue.items():
        first = check.position - check.unsigned + 1
        sentence = (
            f"{check.unsigned} entries since {check.unsigned_since:%Y-%m-%d %H:%M:%S} are in no checkpoint: "
            "the service died and was not started again, or the end of the file was cut."
        )
        yield AuditFinding("unsigned_tail", name, first, sentence)


def _payload_findings(entry: AuditedEntry) -> Iterator[AuditFinding]:
    if entry.removal is not None and not entry.removal.is_signed:
        sentence = "Payloads were removed, but not by this installation: the entry is not signed with its key."
        yield AuditFinding("unsigned_retention", entry.chain, entry.position, sentence)
    if entry.payload is None:
        if not entry.is_removal_recorded:
            sentence = "Its payload is gone, and no signed retention event says why."
            yield AuditFinding("missing_payload", entry.chain, entry.position, sentence)
        elif entry.differing_tables:
            sentence = f"Rows of {', '.join(entry.differing_tables)} are not what they were when it was removed."
            yield AuditFinding("edited_rows", entry.chain, entry.position, sentence)
    elif payload_digest(entry.payload) != entry.payload_digest:
        yield AuditFinding("edited_payload", entry.chain, entry.position, "Its payload does not give its digest.")
    elif entry.differing_tables:
        sentence = f"Rows of {', '.join(entry.differing_tables)} are not what its payload says."
        yield AuditFinding("edited_rows", entry.chain, entry.position, sentence)


def _checkpoint_findings(checkpoints: Sequence[Checkpoint], chains: dict[str, _ChainCheck]) -> Iterator[AuditFinding]:
    cut: dict[str, Checkpoint] = {}
    rewritten: dict[str, Checkpoint] = {}
    for expected, one in enumerate(checkpoints, start=1):
        if not one.is_signed:
            sentence = f"Line {expected} of the checkpoints is not signed by this installation."
            yield AuditFinding("unsigned_checkpoint", one.chain, one.position or None, sentence)
            continue
        check = chains.get(one.chain, _ChainCheck(one.chain, frozenset()))
        if one.position > check.position:
            cut[one.chain] = one
        elif check.hashes.get(one.position) != one.hash:
            rewritten.setdefault(one.chain, one)
    numbers = [0, *(one.number for one in checkpoints if one.is_signed)]
    for before, after in pairwise(numbers):
        if after != before + 1:
            sentence = f"After checkpoint {before} comes number {after}: some are missing, or out of order."
            yield AuditFinding("missing_checkpoint", "", None, sentence)
    for chain, one in cut.items():
        length = chains[chain].position if chain in chains else 0
        sentence = f"The end is cut: {one.position} entries were there at {one.signed_at}, now {length}."
        yield AuditFinding("cut_tail", chain, one.position, sentence)
    for chain, one in rewritten.items():
        sentence = f"It is not the entry that was signed at {one.signed_at}: the log was rewritten."
        yield AuditFinding("rewritten", chain, one.position, sentence)
