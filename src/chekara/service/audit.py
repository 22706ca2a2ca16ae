"""Check the decision log, and replay a stored decision to the same numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

from rich.console import Console
from rich.table import Table

from chekara.errors import AuditError
from chekara.service.chain import GENESIS, entry_hash, payload_digest


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """One thing that is wrong with the log.

    Attributes
    ----------
    code : str
        Stable reason: ``edited_entry``, ``broken_link``, ``missing_entries``, ``edited_payload``, ``missing_payload``,
        ``edited_rows``, ``stray_rows``, ``cut_tail``, ``rewritten``, ``unsigned_checkpoint``, ``missing_checkpoint``,
        ``missing_guard``.
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
    """

    entries: int
    checkpoints: int
    findings: tuple[AuditFinding, ...]
    unsigned_tail: int = 0

    @property
    def is_intact(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    def show(self, console: Console) -> None:
        """Print the report for a person."""
        console.print(f"{self.entries} log entries read, {self.checkpoints} signed checkpoints compared.")
        if self.unsigned_tail:
            console.print(
                f"The newest {self.unsigned_tail} entries are in no checkpoint yet; the next one covers them."
            )
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
class AuditedEntry:
    """One log entry as it is stored, with what lies beside it.

    Attributes
    ----------
    chain, kind, recorded_at, payload_digest, previous_hash, hash : str
    position : int
    payload : bytes or None
        None where it is gone.
    is_removal_recorded : bool
        Whether a retention event names the payload.
    differing_tables : tuple of str
        Tables whose rows of this entry are not what its payload says.
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
    position: int = 0
    hash: str = GENESIS
    hashes: dict[int, str] = field(default_factory=dict)

    def findings(self, entry: AuditedEntry, signed: set[int]) -> Iterator[AuditFinding]:
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
        if entry.position in signed:
            self.hashes[entry.position] = entry.hash


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


def verify_log(source: AuditSource, checkpoints: Sequence[Checkpoint]) -> AuditReport:
    """Check chains, payloads, rows and checkpoints.

    Parameters
    ----------
    source : AuditSource
    checkpoints : sequence of Checkpoint
        In the order of their file.

    Returns
    -------
    AuditReport
        Edits, deletions, insertions and a cut tail are found by the chain; a log that was rewritten as a whole, or
        cut, is found by the checkpoints, back to the last one that was signed before.
    """
    signed: dict[str, set[int]] = {}
    for checkpoint in checkpoints:
        signed.setdefault(checkpoint.chain, set()).add(checkpoint.position)
    chains: dict[str, _ChainCheck] = {}
    findings: list[AuditFinding] = []
    entries = 0
    for entry in source.entries():
        check = chains.setdefault(entry.chain, _ChainCheck(entry.chain))
        findings += check.findings(entry, signed.get(entry.chain, set()))
        entries += 1
    findings += _checkpoint_findings(checkpoints, chains)
    for table, rows in source.stray_rows().items():
        findings.append(AuditFinding("stray_rows", "", None, f"{rows} rows of {table} belong to no log entry."))
    for guard in sorted(source.missing_guards()):
        findings.append(AuditFinding("missing_guard", "", None, f"The trigger {guard} was taken away or changed."))
    tail = sum(
        check.position - max((p for p in signed.get(name, ()) if p <= check.position), default=0)
        for name, check in chains.items()
    )
    return AuditReport(entries, len(checkpoints), tuple(findings), tail)


def _payload_findings(entry: AuditedEntry) -> Iterator[AuditFinding]:
    if entry.payload is None:
        if not entry.is_removal_recorded:
            sentence = "Its payload is gone, and no retention event says why."
            yield AuditFinding("missing_payload", entry.chain, entry.position, sentence)
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
        check = chains.get(one.chain, _ChainCheck(one.chain))
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
