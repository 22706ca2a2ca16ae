"""What the use cases need of the outside, as Protocols over the dataclasses of `chekara.service.records`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from chekara.data.schema import EntityType
from chekara.domain.actor import Actor
from chekara.domain.review import Review
from chekara.features.profile_live import StateKey
from chekara.service.records import (
    BundleAbout,
    Chain,
    DecisionFilter,
    DecisionPage,
    DecisionRecord,
    InspectionRecord,
    KnownInspection,
    KnownRevision,
    ProfileHead,
    Promotion,
    Proposal,
    Scoring,
)
from chekara.service.referral_ports import ReferralRows

Floats: TypeAlias = npt.NDArray[np.float64]


class EntityTokenizer(Protocol):
    """What scoring needs of ``chekara.data.identity.EntityTokens``."""

    def token(self, entity: EntityType, raw: str) -> str:
        """Canonicalise an entity id and return its internal national token."""
        ...


class LabelCipher(Protocol):
    """Keeps labels readable to officers and to nobody who only holds the database."""

    def seal(self, labels: Mapping[str, str], bound_to: str) -> str:
        """Encrypt labels so that they open only together with ``bound_to``."""
        ...

    def open(self, sealed: str, bound_to: str) -> dict[str, str]:
        """Decrypt labels."""
        ...

    def fingerprint(self, content: bytes) -> str:
        """Return a keyed digest that cannot be reversed by guessing plates."""
        ...


class ProfileRows(Protocol):
    """What is known of entities, as one transaction reads and changes it."""

    def head(self) -> ProfileHead | None:
        """Return where the fold stands, or None where nothing was ever folded."""
        ...

    def states(self, keys: Sequence[StateKey]) -> dict[StateKey, bytes]:
        """Return stored states; a key that was never seen is absent. Earlier changes count."""
        ...

    def records(self, crossing_ids: Sequence[str]) -> dict[str, bytes]:
        """Return what crossings contributed; one that was never seen is absent. Earlier changes count."""
        ...

    def keep(self, head: ProfileHead, states: Mapping[StateKey, bytes], records: Mapping[str, bytes]) -> None:
        """Keep what a fold changed; it becomes durable with the transaction."""
        ...


class LogTransaction(Protocol):
    """One transaction on the log: everything appended in it becomes durable together, or not at all."""

    @property
    def profiles(self) -> ProfileRows:
        """What is known of entities."""
        ...

    @property
    def referrals(self) -> ReferralRows:
        """What agencies asked of each other."""
        ...

    def position(self, chain: Chain) -> int:
        """Return the position of the newest entry of a chain, earlier appends included; 0 where there is none."""
        ...

    def known_revisions(self, chain: Chain, crossing_ids: Sequence[str]) -> dict[str, list[KnownRevision]]:
        """Return what is stored of these crossings, revisions ascending; earlier appends of this transaction count."""
        ...

    def decision(self, chain: Chain, decision_id: str) -> DecisionRecord | None:
        """Return a stored decision."""
        ...

    def reviews(self, chain: Chain, decision_id: str) -> tuple[Review, ...]:
        """Return the reviews of a decision, oldest first."""
        ...

    def reviews_of_crossing(self, chain: Chain, crossing_id: str) -> tuple[Review, ...]:
        """Return the reviews of all revisions of a crossing, oldest first."""
        ...

    def append_decision(self, record: DecisionRecord, *, content: str, scoring: Scoring) -> DecisionRecord:
        """Append a decision; returns it with its log position."""
        ...

    def append_void(
        self,
        chain: Chain,
        *,
        crossing_id: str,
        decision_id: str,
        revision: int,
        content: str,
        asked_by: str,
        as_of: datetime,
    ) -> None:
        """Append the withdrawal of a crossing."""
        ...

    def append_review(self, chain: Chain, review: Review) -> None:
        """Append a review."""
        ...

    def known_inspections(self, chain: Chain, inspection_ids: Sequence[str]) -> dict[str, list[KnownInspection]]:
        """Return what is stored of these inspections, revisions ascending; earlier appends count."""
        ...

    def inspection(self, chain: Chain, inspection_id: str, revision: int) -> InspectionRecord | None:
        """Return a stored result."""
        ...

    def results(self, chain: Chain, crossing_id: str) -> tuple[InspectionRecord, ...]:
        """Return the results of a crossing, each in its newest revision, oldest first; earlier appends count."""
        ...

    def append_inspection(self, record: InspectionRecord, *, content: str) -> InspectionRecord:
        """Append a result; returns it with its log position."""
        ...


class DecisionLog(Protocol):
    """The append-only, hash-chained log."""

    def transaction(self) -> AbstractContextManager[LogTransaction]:
        """Open a writing transaction; leaving it normally commits durably.

        Raises
        ------
        LogUnavailableError
            The database cannot be written.
        """
        ...

    def decision(self, chain: Chain, decision_id: str) -> DecisionRecord | None:
        """Return a stored decision."""
        ...

    def decisions(self, actor: Actor, wanted: DecisionFilter, cursor: str | None) -> DecisionPage:
        """Return a page of the decisions that the actor may see."""
        ...

    def reviews(self, chain: Chain, decision_id: str) -> tuple[Review, ...]:
        """Return the reviews of a decision, oldest first."""
        ...

    def reviews_of_crossing(self, chain: Chain, crossing_id: str) -> tuple[Review, ...]:
        """Return the reviews of all revisions of a crossing, oldest first."""
        ...

    def results(self, chain: Chain, crossing_id: str) -> tuple[InspectionRecord, ...]:
        """Return the results of a crossing, each inspection in its newest revision, oldest first."""
        ...

    def ranked_margins(self, model_digest: str, limit: int) -> Floats:
        """Return the newest margins that count in the model's rank window, oldest first."""
        ...


class PromotionRegister(Protocol):
    """Promotion records in the log."""

    def record(self, promotion: Promotion) -> None:
        """Append a promotion durably."""
        ...

    def serving(self) -> dict[str, Promotion]:
        """Return the newest promotion of every domain."""
        ...

    def propose(self, proposal: Proposal) -> None:
        """Append a proposal durably."""
        ...

    def proposals(self) -> tuple[Proposal, ...]:
        """Return the open proposals, oldest first: the newest of each bundle that was not promoted since."""
        ...

    def history(self, domain: str) -> tuple[Promotion, ...]:
        """Return all promotions of a domain, oldest first."""
        ...


class BundleShelf(Protocol):
    """Where promoted bundles lie, and how a bundle is checked."""

    def folder(self, digest: str) -> Path:
        """Return where the bundle of a digest lies, or would lie."""
        ...

    def inspect(self, folder: Path) -> BundleAbout:
        """Verify a bundle (signature, digests, golden vectors in a child process) and say what it is."""
        ...

    def place(self, folder: Path, digest: str) -> Path:
        """Copy a bundle to its place by digest, atomically; returns the place."""
        ...
