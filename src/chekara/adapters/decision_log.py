"""The append-only, hash-chained log in the database: every event with its rows, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection, delete, insert, select

from chekara.adapters import database as tables
from chekara.adapters.database import Database
from chekara.adapters.listing import list_decisions
from chekara.adapters.rows import rows_of
from chekara.domain.actor import Actor
from chekara.domain.review import Review
from chekara.service.chain import GENESIS, canonical_json, entry_hash, instant_text, payload_digest
from chekara.service.payload import (
    Plain,
    decision_from,
    parsed,
    plain_decision,
    plain_promotion,
    plain_review,
    promotion_from,
    review_from,
    scoring_from,
)
from chekara.service.ports import (
    Chain,
    DecisionFilter,
    DecisionPage,
    DecisionRecord,
    Floats,
    KnownRevision,
    LabelCipher,
    Promotion,
    Scoring,
)

Clock = Callable[[], datetime]


def now() -> datetime:
    """Return the present instant, in UTC."""
    return datetime.now(UTC)


class SqlDecisionLog:
    """The log over one database.

    Parameters
    ----------
    database : Database
    cipher : LabelCipher
    clock : callable
        Gives ``recorded_at``; the order of the log is its positions, not its clock.
    """

    def __init__(self, database: Database, cipher: LabelCipher, clock: Clock = now) -> None:
        self._database = database
        self._cipher = cipher
        self._clock = clock

    @contextmanager
    def transaction(self) -> Iterator[SqlLogTransaction]:
        """Open a writing transaction; leaving it normally commits durably, an error takes all of it back.

        Raises
        ------
        LogUnavailableError
            The database cannot be written.
        """
        with self._database.writing() as connection:
            transaction = SqlLogTransaction(connection, self._cipher, self._clock)
            yield transaction
            transaction.flush()

    def decision(self, chain: Chain, decision_id: str) -> DecisionRecord | None:
        """Return a stored decision, or None."""
        with self._database.reading() as connection:
            return _Reader(connection, self._cipher).decision(chain, decision_id)

    def scoring(self, chain: Chain, decision_id: str) -> Scoring | None:
        """Return how a stored decision came about, or None: what a replay needs."""
        with self._database.reading() as connection:
            payload = _Reader(connection, self._cipher).decision_payload(chain, decision_id)
        return None if payload is None else scoring_from(payload[1])

    def decisions(self, actor: Actor, wanted: DecisionFilter, cursor: str | None) -> DecisionPage:
        """Return a page of the decisions that the actor may see.

        Raises
        ------
        InvalidRequestError
            The cursor is not one of ours, or the limit is out of bounds.
        """
        with self._database.reading() as connection:
            ids, next_cursor = list_decisions(connection, actor, wanted, cursor)
            reader = _Reader(connection, self._cipher)
            found = (reader.decision(Chain.of(actor), one) for one in ids)
            return DecisionPage(tuple(record for record in found if record is not None), next_cursor)

    def reviews(self, chain: Chain, decision_id: str) -> tuple[Review, ...]:
        """Return the reviews of a decision, oldest first."""
        with self._database.reading() as connection:
            return _Reader(connection, self._cipher).reviews(chain, decision_id)

    def ranked_margins(self, model_digest: str, limit: int) -> Floats:
        """Return the newest margins that count in a model's rank window, oldest first; float64 of shape (n,)."""
        t = tables.decision_domains
        query = (
            select(t.c.margin)
            .where(t.c.model_digest == model_digest, t.c.counts_in_rank)
            .order_by(t.c.position.desc())
            .limit(limit)
        )
        with self._database.reading() as connection:
            newest_first = connection.execute(query).scalars().all()
        return np.array(newest_first[::-1], dtype=np.float64)

    def serving_promotions(self) -> dict[str, Promotion]:
        """Return the newest promotion of every domain."""
        t, p = tables.promotions, tables.payloads
        query = select(p.c.body).join(t, (t.c.chain == p.c.chain) & (t.c.position == p.c.position))
        with self._database.reading() as connection:
            bodies = connection.execute(query.order_by(t.c.position)).scalars().all()
        return {promotion.domain: promotion for promotion in (promotion_from(parsed(body)) for body in bodies)}

    def remove_payloads(self, chain: Chain, positions: Sequence[int], *, reason: str, removed_by: str) -> None:
        """Remove payloads that may be kept no longer. The chain still verifies; what they held is gone for good.

        Parameters
        ----------
        chain : Chain
        positions : sequence of int
        reason : str
            Recorded, such as the rule that ends the retention.
        removed_by : str
            Who did it.
        """
        event = {
            "removed_chain": chain.value,
            "removed_positions": sorted(positions),
            "reason": reason,
            "removed_by": removed_by,
        }
        p = tables.payloads
        with self._database.writing() as connection:
            transaction = SqlLogTransaction(connection, self._cipher, self._clock)
            transaction.append(Chain.LIVE, "retention", event)
            transaction.flush()
            connection.execute(delete(p).where(p.c.chain == chain.value, p.c.position.in_(event["removed_positions"])))


class SqlLogTransaction:
    """One transaction on the log. Rows are collected and written together, table by table."""

    def __init__(self, connection: Connection, cipher: LabelCipher, clock: Clock) -> None:
        self._connection = connection
        self._cipher = cipher
        self._clock = clock
        self._heads: dict[Chain, tuple[int, str]] = {}
        self._waiting: dict[str, list[dict[str, Any]]] = {}

    def known_revisions(self, chain: Chain, crossing_ids: Sequence[str]) -> dict[str, list[KnownRevision]]:
        """Return what is stored of these crossings, revisions ascending; earlier appends count."""
        self.flush()
        found: dict[str, list[KnownRevision]] = {}
        for table, is_void in ((tables.decisions, False), (tables.voids, True)):
            query = select(table.c.crossing_id, table.c.decision_id, table.c.revision, table.c.content).where(
                table.c.chain == chain.value, table.c.crossing_id.in_(list(crossing_ids))
            )
            for crossing_id, decision_id, revision, content in self._connection.execute(query):
                found.setdefault(crossing_id, []).append(
                    KnownRevision(decision_id=decision_id, revision=revision, content=content, is_void=is_void)
                )
        return {one: sorted(known, key=lambda k: (k.revision, k.is_void)) for one, known in found.items()}

    def decision(self, chain: Chain, decision_id: str) -> DecisionRecord | None:
        """Return a stored decision, or None; earlier appends count."""
        self.flush()
        return _Reader(self._connection, self._cipher).decision(chain, decision_id)

    def reviews(self, chain: Chain, decision_id: str) -> tuple[Review, ...]:
        """Return the reviews of a decision, oldest first; earlier appends count."""
        self.flush()
        return _Reader(self._connection, self._cipher).reviews(chain, decision_id)

    def append_decision(self, record: DecisionRecord, *, content: str, scoring: Scoring) -> DecisionRecord:
        """Append a decision; returns it as it will be read, with its log position."""
        sealed = self._cipher.seal(record.labels, record.decision.decision_id) if record.labels else None
        plain = plain_decision(record, content=content, sealed_labels=sealed, scoring=scoring)
        position = self.append(record.chain, "decision", plain)
        return decision_from(plain, chain=record.chain, position=position, labels=record.labels)

    def append_void(
        self, chain: Chain, *, crossing_id: str, decision_id: str, revision: int, content: str, asked_by: str
    ) -> None:
        """Append the withdrawal of a crossing."""
        self.append(
            chain,
            "void",
            {
                "crossing_id": crossing_id,
                "decision_id": decision_id,
                "revision": revision,
                "content": content,
                "asked_by": asked_by,
            },
        )

    def append_review(self, chain: Chain, review: Review) -> None:
        """Append a review."""
        self.append(chain, "review", plain_review(review))

    def append_promotion(self, promotion: Promotion) -> None:
        """Append a promotion."""
        self.append(Chain.LIVE, "promotion", plain_promotion(promotion))

    def append(self, chain: Chain, kind: str, content: Plain) -> int:
        """Append any event with its rows; returns its position."""
        payload = canonical_json(content)
        position, previous_hash = self._head(chain)
        position += 1
        entry: dict[str, Any] = {
            "chain": chain.value,
            "position": position,
            "kind": kind,
            "recorded_at": instant_text(self._clock()),
            "payload_digest": payload_digest(payload),
            "previous_hash": previous_hash,
        }
        entry["hash"] = entry_hash(**entry)
        self._heads[chain] = (position, entry["hash"])
        self._wait("log", entry)
        self._wait("payloads", {"chain": chain.value, "position": position, "body": payload})
        for table, rows in rows_of(kind, chain.value, position, content).items():
            for row in rows:
                self._wait(table, row)
        return position

    def flush(self) -> None:
        """Send collected rows to the database; they become durable with the transaction."""
        waiting, self._waiting = self._waiting, {}
        for table in (tables.log, tables.payloads, *tables.ROW_TABLES):
            if table.name in waiting:
                self._connection.execute(insert(table), waiting[table.name])

    def _wait(self, table: str, row: dict[str, Any]) -> None:
        self._waiting.setdefault(table, []).append(row)

    def _head(self, chain: Chain) -> tuple[int, str]:
        if chain not in self._heads:
            self._heads[chain] = head_of(self._connection, chain)
        return self._heads[chain]


def head_of(connection: Connection, chain: Chain) -> tuple[int, str]:
    """Return position and hash of the newest entry of a chain; 0 and 64 zeros where there is none."""
    t = tables.log
    query = select(t.c.position, t.c.hash).where(t.c.chain == chain.value).order_by(t.c.position.desc()).limit(1)
    found = connection.execute(query).first()
    return (0, GENESIS) if found is None else (found.position, found.hash)


class _Reader:
    """Reads stored events on one connection."""

    def __init__(self, connection: Connection, cipher: LabelCipher) -> None:
        self._connection = connection
        self._cipher = cipher

    def decision_payload(self, chain: Chain, decision_id: str) -> tuple[int, Plain] | None:
        t, p = tables.decisions, tables.payloads
        query = (
            select(t.c.position, p.c.body)
            .join(p, (p.c.chain == t.c.chain) & (p.c.position == t.c.position))
            .where(t.c.chain == chain.value, t.c.decision_id == decision_id)
        )
        found = self._connection.execute(query).first()
        return None if found is None else (found.position, parsed(found.body))

    def decision(self, chain: Chain, decision_id: str) -> DecisionRecord | None:
        found = self.decision_payload(chain, decision_id)
        if found is None:
            return None
        position, plain = found
        labels = self._cipher.open(plain["labels"], decision_id) if plain["labels"] else {}
        record = decision_from(plain, chain=chain, position=position, labels=labels)
        return self._with_later_events(record)

    def _with_later_events(self, record: DecisionRecord) -> DecisionRecord:
        decision, d, v = record.decision, tables.decisions, tables.voids
        newer = (
            select(d.c.decision_id)
            .where(
                d.c.chain == record.chain.value,
                d.c.crossing_id == decision.crossing_id,
                d.c.revision > decision.revision,
            )
            .order_by(d.c.revision.desc())
            .limit(1)
        )
        withdrawn = select(v.c.position).where(v.c.decision_id == decision.decision_id).limit(1)
        return record.later(
            superseded_by=self._connection.execute(newer).scalar(),
            is_void=self._connection.execute(withdrawn).first() is not None,
        )

    def reviews(self, chain: Chain, decision_id: str) -> tuple[Review, ...]:
        t, p = tables.reviews, tables.payloads
        query = (
            select(p.c.body)
            .join(t, (t.c.chain == p.c.chain) & (t.c.position == p.c.position))
            .where(t.c.chain == chain.value, t.c.decision_id == decision_id)
            .order_by(t.c.position)
        )
        return tuple(review_from(parsed(body)) for body in self._connection.execute(query).scalars())
