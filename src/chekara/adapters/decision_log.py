"""The append-only, hash-chained log in the database: every event with its rows, in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import lru_cache

import numpy as np
from sqlalchemy import ColumnElement, Connection, Dialect, Table, bindparam, select
from sqlalchemy.dialects import sqlite

from chekara.adapters import tables
from chekara.adapters.chain_writer import ChainWriter, Clock, now
from chekara.adapters.database import Database, driver_rows, driver_writes
from chekara.adapters.listing import list_decisions
from chekara.adapters.profile_store import TransactionProfiles, serving_shelf
from chekara.adapters.referrals import TransactionReferrals
from chekara.domain.actor import Actor
from chekara.domain.review import Review
from chekara.service.chain import instant_from, instant_text
from chekara.service.name_lists import expand_names, shorten_names
from chekara.service.payload import (
    Plain,
    decision_from,
    inspection_record_from,
    parsed,
    plain_decision,
    plain_inspection_record,
    plain_review,
    review_from,
    scoring_from,
)
from chekara.service.ports import Floats, LabelCipher
from chekara.service.records import (
    Chain,
    DecisionFilter,
    DecisionPage,
    DecisionRecord,
    InspectionRecord,
    KnownInspection,
    KnownRevision,
    Scoring,
)


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
            transaction.profiles.flush()
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

    def reviews_of_crossing(self, chain: Chain, crossing_id: str) -> tuple[Review, ...]:
        """Return the reviews of all revisions of a crossing, oldest first."""
        with self._database.reading() as connection:
            return _Reader(connection, self._cipher).reviews_of_crossing(chain, crossing_id)

    def results(self, chain: Chain, crossing_id: str) -> tuple[InspectionRecord, ...]:
        """Return the results of a crossing, each inspection in its newest revision, in log order."""
        with self._database.reading() as connection:
            return _Reader(connection, self._cipher).results(chain, crossing_id)

    def newest_scored_at(self) -> datetime | None:
        """Return when the newest live decision was scored, by its own clock; None where there is none."""
        t = tables.decisions
        query = select(t.c.scored_at).where(t.c.chain == Chain.LIVE.value).order_by(t.c.position.desc()).limit(1)
        with self._database.reading() as connection:
            newest = connection.execute(query).scalar()
        return None if newest is None else instant_from(newest)

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


@lru_cache(maxsize=4)
def _names_sql(dialect: Dialect) -> str:
    return str(sqlite.insert(tables.name_lists).on_conflict_do_nothing().compile(dialect=dialect))


@lru_cache(maxsize=64)
def _revisions_sql(table: Table, length: int, dialect: Dialect) -> str:
    """Write what every request asks once, since writing it takes longer than running it."""
    query = select(table.c.crossing_id, table.c.decision_id, table.c.revision, table.c.content).where(
        table.c.chain == bindparam("chain"), table.c.crossing_id.in_([bindparam(f"c{i}") for i in range(length)])
    )
    return str(query.compile(dialect=dialect))


class SqlLogTransaction:
    """One transaction on the log. Rows are collected and written together, table by table.

    Attributes
    ----------
    profiles : TransactionProfiles
        What is known of entities.
    referrals : TransactionReferrals
        What agencies asked of each other.
    """

    def __init__(self, connection: Connection, cipher: LabelCipher, clock: Clock) -> None:
        self._connection = connection
        self._cipher = cipher
        self._writer = ChainWriter(connection, clock)
        self._names: dict[str, bytes] = {}
        self.profiles = TransactionProfiles(serving_shelf(connection))
        self.referrals = TransactionReferrals(connection, self._writer)

    def position(self, chain: Chain) -> int:
        """Return the position of the newest entry of a chain, earlier appends included; 0 where there is none."""
        return self._writer.head(chain)[0]

    def known_revisions(self, chain: Chain, crossing_ids: Sequence[str]) -> dict[str, list[KnownRevision]]:
        """Return what is stored of these crossings, revisions ascending; earlier appends count."""
        self.flush()
        found: dict[str, list[KnownRevision]] = {}
        for table, is_void in ((tables.decisions, False), (tables.voids, True)):
            # Statements of a few lengths only, so that each is prepared once.
            length = 1 << (len(crossing_ids) - 1).bit_length()
            asked = (chain.value, *crossing_ids, *[crossing_ids[-1]] * (length - len(crossing_ids)))
            sql = _revisions_sql(table, length, self._connection.dialect)
            for crossing_id, decision_id, revision, content in driver_rows(self._connection, sql, asked):
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

    def reviews_of_crossing(self, chain: Chain, crossing_id: str) -> tuple[Review, ...]:
        """Return the reviews of all revisions of a crossing, oldest first; earlier appends count."""
        self.flush()
        return _Reader(self._connection, self._cipher).reviews_of_crossing(chain, crossing_id)

    def append_decision(self, record: DecisionRecord, *, content: str, scoring: Scoring) -> DecisionRecord:
        """Append a decision; returns it as it will be read, with its log position."""
        sealed = self._cipher.seal(record.labels, record.decision.decision_id) if record.labels else None
        plain = plain_decision(record, content=content, sealed_labels=sealed, scoring=scoring)
        self._names |= shorten_names(plain)
        position = self._writer.append(record.chain, "decision", plain)
        if record.decision.position == position:
            return record
        return replace(record, decision=replace(record.decision, position=position))

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
        self._writer.append(
            chain,
            "void",
            {
                "crossing_id": crossing_id,
                "decision_id": decision_id,
                "revision": revision,
                "content": content,
                "asked_by": asked_by,
                "as_of": instant_text(as_of),
            },
        )

    def append_review(self, chain: Chain, review: Review) -> None:
        """Append a review."""
        self._writer.append(chain, "review", plain_review(review))

    def known_inspections(self, chain: Chain, inspection_ids: Sequence[str]) -> dict[str, list[KnownInspection]]:
        """Return what is stored of these inspections, revisions ascending; earlier appends count."""
        self.flush()
        t = tables.inspections
        query = (
            select(t.c.inspection_id, t.c.revision, t.c.crossing_id, t.c.domain, t.c.content)
            .where(t.c.chain == chain.value, t.c.inspection_id.in_(list(inspection_ids)))
            .order_by(t.c.revision)
        )
        found: dict[str, list[KnownInspection]] = {}
        for row in self._connection.execute(query).mappings():
            found.setdefault(row["inspection_id"], []).append(KnownInspection(**row))
        return found

    def inspection(self, chain: Chain, inspection_id: str, revision: int) -> InspectionRecord | None:
        """Return a stored result, or None; earlier appends count."""
        self.flush()
        return _Reader(self._connection, self._cipher).inspection(chain, inspection_id, revision)

    def results(self, chain: Chain, crossing_id: str) -> tuple[InspectionRecord, ...]:
        """Return the results of a crossing, each in its newest revision, oldest first; earlier appends count."""
        self.flush()
        return _Reader(self._connection, self._cipher).results(chain, crossing_id)

    def append_inspection(self, record: InspectionRecord, *, content: str) -> InspectionRecord:
        """Append a result; returns it as it will be read, with its log position."""
        plain = plain_inspection_record(record, content=content)
        position = self._writer.append(record.chain, "inspection", plain)
        return inspection_record_from(plain, chain=record.chain, position=position)

    def flush(self) -> None:
        """Send collected rows to the database; they become durable with the transaction."""
        names, self._names = self._names, {}
        if names:
            driver_writes(self._connection, _names_sql(self._connection.dialect), list(names.items()))
        self._writer.flush()


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
        return None if found is None else (found.position, expand_names(parsed(found.body), self._names))

    def _names(self, digests: set[str]) -> dict[str, bytes]:
        t = tables.name_lists
        query = select(t.c.digest, tables.as_stored(t.c.names)).where(t.c.digest.in_(sorted(digests)))
        return {digest: tables.as_bytes(names) for digest, names in self._connection.execute(query)}

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
        r = tables.referrals
        asked = select(r.c.domain, r.c.asked_agency).where(r.c.decision_id == decision.decision_id)
        referred: dict[str, tuple[str, ...]] = {}
        for domain, agency in self._connection.execute(asked.order_by(r.c.position)):
            referred[domain] = (*referred.get(domain, ()), agency)
        return record.later(
            superseded_by=self._connection.execute(newer).scalar(),
            is_void=self._connection.execute(withdrawn).first() is not None,
            referred=referred,
        )

    def reviews(self, chain: Chain, decision_id: str) -> tuple[Review, ...]:
        return self._reviews(chain, tables.reviews.c.decision_id == decision_id)

    def reviews_of_crossing(self, chain: Chain, crossing_id: str) -> tuple[Review, ...]:
        return self._reviews(chain, tables.reviews.c.decision_id.in_(tables.revisions_of(chain.value, crossing_id)))

    def _reviews(self, chain: Chain, wanted: ColumnElement[bool]) -> tuple[Review, ...]:
        t, p = tables.reviews, tables.payloads
        query = (
            select(p.c.body)
            .join(t, (t.c.chain == p.c.chain) & (t.c.position == p.c.position))
            .where(t.c.chain == chain.value, wanted)
            .order_by(t.c.position)
        )
        return tuple(review_from(parsed(body)) for body in self._connection.execute(query).scalars())

    def inspection(self, chain: Chain, inspection_id: str, revision: int) -> InspectionRecord | None:
        t = tables.inspections
        found = self._inspections(chain, (t.c.inspection_id == inspection_id) & (t.c.revision == revision))
        return found[0] if found else None

    def results(self, chain: Chain, crossing_id: str) -> tuple[InspectionRecord, ...]:
        newest: dict[str, InspectionRecord] = {}
        for record in self._inspections(chain, tables.inspections.c.crossing_id == crossing_id):
            stored = newest.get(record.inspection.inspection_id)
            if stored is None or stored.inspection.revision < record.inspection.revision:
                newest[record.inspection.inspection_id] = record
        return tuple(sorted(newest.values(), key=lambda record: record.position))

    def _inspections(self, chain: Chain, wanted: ColumnElement[bool]) -> list[InspectionRecord]:
        t, p = tables.inspections, tables.payloads
        query = (
            select(t.c.position, p.c.body)
            .join(p, (p.c.chain == t.c.chain) & (p.c.position == t.c.position))
            .where(t.c.chain == chain.value, wanted)
            .order_by(t.c.position)
        )
        rows = self._connection.execute(query)
        return [inspection_record_from(parsed(body), chain=chain, position=position) for position, body in rows]
