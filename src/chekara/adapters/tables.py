"""The tables of the database. SQLite now; the SQL is kept portable to PostgreSQL.

Every table of the log is append-only, held by triggers: a row is never changed or deleted. What changes in the world
(a key is revoked, a crossing is withdrawn, a revision supersedes) is a further row. The one exception is a payload,
which may be deleted after its removal was recorded in ``retention``.

The tables beside ``log`` and ``payloads`` repeat parts of the payloads, so that they can be filtered and, later,
guarded row by row. They can be rebuilt from the payloads, and the audit compares them.

The ``profile_`` tables hold what is known of entities now, and change with every event. They are no record of anything:
``chekara profiles rebuild`` makes them anew. There are two shelves of them, so that one can be filled while the other
serves.

``ended_sessions`` is forgotten row by row: a session that was signed out stands there until it would have ended anyway.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Select,
    String,
    Table,
    Text,
    UniqueConstraint,
    select,
    type_coerce,
)
from sqlalchemy.types import NullType

metadata = MetaData()


def _logged(name: str, *columns: Column[object] | PrimaryKeyConstraint | UniqueConstraint | Index) -> Table:
    """Declare a table whose rows each come from one log entry."""
    return Table(
        name,
        metadata,
        Column("chain", String(8), nullable=False),
        Column("position", BigInteger, nullable=False),
        *columns,
        ForeignKeyConstraint(["chain", "position"], ["log.chain", "log.position"], name=f"fk_{name}_log"),
    )


log = Table(
    "log",
    metadata,
    Column("chain", String(8), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("recorded_at", String(27), nullable=False),
    Column("payload_digest", String(71), nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    PrimaryKeyConstraint("chain", "position", name="pk_log"),
)
payloads = _logged(
    "payloads",
    Column("body", LargeBinary, nullable=False),
    PrimaryKeyConstraint("chain", "position", name="pk_payloads"),
)
decisions = _logged(
    "decisions",
    Column("decision_id", String(36), nullable=False),
    Column("crossing_id", String(512), nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("crossing_point", String(512), nullable=False),
    Column("scored_at", String(27), nullable=False),
    Column("asked_by", String(64), nullable=False),
    Column("lane", String(8), nullable=False),
    Column("strictness", Integer, nullable=False),
    Column("content", String(64), nullable=False),
    PrimaryKeyConstraint("decision_id", name="pk_decisions"),
    UniqueConstraint("chain", "crossing_id", "revision", name="uq_decisions_revision"),
    UniqueConstraint("chain", "position", name="uq_decisions_position"),
)
decision_domains = _logged(
    "decision_domains",
    Column("decision_id", String(36), nullable=False),
    Column("domain", String(64), nullable=False),
    Column("agency", String(64), nullable=False),
    Column("lane", String(8), nullable=False),
    Column("probability", Double, nullable=False),
    Column("rank", Double, nullable=False),
    Column("risk", Double, nullable=False),
    Column("margin", Double, nullable=False),
    Column("model_digest", String(71), nullable=False),
    Column("counts_in_rank", Boolean, nullable=False),
    PrimaryKeyConstraint("decision_id", "domain", name="pk_decision_domains"),
    Index("ix_decision_domains_rank", "model_digest", "counts_in_rank", "position"),
)
decision_agencies = _logged(
    "decision_agencies",
    Column("decision_id", String(36), nullable=False),
    Column("agency", String(64), nullable=False),
    Column("strictness", Integer, nullable=False),
    PrimaryKeyConstraint("decision_id", "agency", name="pk_decision_agencies"),
    Index("ix_decision_agencies_newest", "agency", "chain", "position"),
    Index("ix_decision_agencies_strictest", "agency", "chain", "strictness", "position"),
)
voids = _logged(
    "voids",
    Column("crossing_id", String(512), nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("decision_id", String(36), nullable=False),
    Column("content", String(64), nullable=False),
    PrimaryKeyConstraint("chain", "crossing_id", "revision", name="pk_voids"),
    Index("ix_voids_decision", "decision_id"),
    Index("ix_voids_newest", "chain", "position"),
)
decided_elsewhere = _logged(
    "decided_elsewhere",
    Column("decision_id", String(36), nullable=False),
    PrimaryKeyConstraint("decision_id", name="pk_decided_elsewhere"),
)
reviews = _logged(
    "reviews",
    Column("review_id", String(36), nullable=False),
    Column("decision_id", String(36), nullable=False),
    Column("agency", String(64), nullable=False),
    Column("action", String(16), nullable=False),
    Column("lane", String(8), nullable=True),
    PrimaryKeyConstraint("review_id", name="pk_reviews"),
    Index("ix_reviews_decision", "decision_id", "agency"),
    Index("ix_reviews_newest", "agency", "chain", "position"),
)
inspections = _logged(
    "inspections",
    Column("inspection_id", String(512), nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("crossing_id", String(512), nullable=False),
    Column("domain", String(64), nullable=False),
    Column("known_at", String(27), nullable=False),
    Column("content", String(64), nullable=False),
    PrimaryKeyConstraint("chain", "inspection_id", "revision", name="pk_inspections"),
    Index("ix_inspections_crossing", "chain", "crossing_id"),
)
promotions = _logged(
    "promotions",
    Column("promotion_id", String(36), nullable=False),
    Column("domain", String(64), nullable=False),
    Column("model_digest", String(71), nullable=False),
    PrimaryKeyConstraint("promotion_id", name="pk_promotions"),
    Index("ix_promotions_domain", "domain", "position"),
)
proposals = _logged(
    "proposals",
    Column("proposal_id", String(36), nullable=False),
    Column("domain", String(64), nullable=False),
    Column("model_digest", String(71), nullable=False),
    PrimaryKeyConstraint("proposal_id", name="pk_proposals"),
)
keys = _logged(
    "keys",
    Column("key_id", String(36), nullable=False),
    Column("key_sha256", String(64), nullable=False),
    Column("holder", String(256), nullable=False),
    Column("agency", String(64), nullable=False),
    Column("role", String(32), nullable=False),
    Column("scopes", String(256), nullable=False),
    Column("is_test", Boolean, nullable=False),
    PrimaryKeyConstraint("key_id", name="pk_keys"),
    UniqueConstraint("key_sha256", name="uq_keys_sha256"),
)
key_revocations = _logged(
    "key_revocations",
    Column("key_id", String(36), nullable=False),
    Column("revoked_at", String(27), nullable=False),
    PrimaryKeyConstraint("key_id", name="pk_key_revocations"),
)
retention = _logged(
    "retention",
    Column("removed_chain", String(8), nullable=False),
    Column("removed_position", BigInteger, nullable=False),
    PrimaryKeyConstraint("removed_chain", "removed_position", name="pk_retention"),
)
lot_commitments = _logged(
    "lot_commitments",
    Column("period", String(7), nullable=False),
    Column("commitment", String(71), nullable=False),
    PrimaryKeyConstraint("period", name="pk_lot_commitments"),
)
lot_reveals = _logged(
    "lot_reveals",
    Column("period", String(7), nullable=False),
    PrimaryKeyConstraint("period", name="pk_lot_reveals"),
)
lot_draws = _logged(
    "lot_draws",
    Column("decision_id", String(36), nullable=False),
    Column("domain", String(64), nullable=False),
    Column("arm", String(64), nullable=False),
    Column("crossing_id", String(512), nullable=False),
    Column("crossing_point", String(512), nullable=False),
    Column("agency", String(64), nullable=False),
    Column("propensity", Double, nullable=False),
    Column("drawn_at", String(27), nullable=False),
    Column("due_at", String(27), nullable=False),
    PrimaryKeyConstraint("decision_id", "domain", "arm", name="pk_lot_draws"),
    Index("ix_lot_draws_drawn", "chain", "drawn_at"),
)

referrals = _logged(
    "referrals",
    Column("referral_id", String(36), nullable=False),
    Column("decision_id", String(36), nullable=False),
    Column("from_agency", String(64), nullable=False),
    Column("asked_agency", String(64), nullable=False),
    Column("domain", String(64), nullable=False),
    Column("answer_by", String(27), nullable=False),
    PrimaryKeyConstraint("referral_id", name="pk_referrals"),
    Index("ix_referrals_decision", "decision_id"),
    Index("ix_referrals_newest", "chain", "position"),
)
referral_steps = _logged(
    "referral_steps",
    Column("referral_id", String(36), nullable=False),
    Column("step", String(16), nullable=False),
    Column("to_agency", String(64), nullable=True),
    Column("due_at", String(27), nullable=True),
    PrimaryKeyConstraint("referral_id", "step", name="pk_referral_steps"),
)
delays = _logged(
    "delays",
    Column("review_id", String(36), nullable=False),
    Column("decision_id", String(36), nullable=False),
    Column("agency", String(64), nullable=False),
    Column("until", String(27), nullable=False),
    PrimaryKeyConstraint("review_id", name="pk_delays"),
    Index("ix_delays_until", "until"),
    Index("ix_delays_decision", "decision_id"),
)
releases = _logged(
    "releases",
    Column("review_id", String(36), nullable=False),
    Column("decision_id", String(36), nullable=False),
    PrimaryKeyConstraint("review_id", name="pk_releases"),
    Index("ix_releases_decision", "decision_id"),
)
event_agencies = _logged(
    "event_agencies",
    Column("agency", String(64), nullable=False),
    PrimaryKeyConstraint("agency", "chain", "position", name="pk_event_agencies"),
)
policy_promotions = _logged(
    "policy_promotions",
    Column("promotion_id", String(36), nullable=False),
    Column("policy_digest", String(71), nullable=False),
    PrimaryKeyConstraint("promotion_id", name="pk_policy_promotions"),
    Index("ix_policy_promotions_digest", "policy_digest"),
)
watch_entries = _logged(
    "watch_entries",
    Column("list_name", String(64), nullable=False),
    Column("entity_column", String(64), nullable=False),
    Column("token", String(512), nullable=False),
    Column("ends_at", String(27), nullable=False),
    PrimaryKeyConstraint("chain", "position", "token", name="pk_watch_entries"),
)
rule_hits = _logged(
    "rule_hits",
    Column("decision_id", String(36), nullable=False),
    Column("rule", String(64), nullable=False),
    Column("domain", String(64), nullable=False),
    Column("crossing_id", String(512), nullable=False),
    Column("scored_at", String(27), nullable=False),
    PrimaryKeyConstraint("decision_id", "rule", name="pk_rule_hits"),
    Index("ix_rule_hits_rule", "rule", "chain", "scored_at"),
)
agency_modes = _logged(
    "agency_modes",
    Column("agency", String(64), nullable=False),
    Column("mode", String(8), nullable=False),
    PrimaryKeyConstraint("chain", "position", name="pk_agency_modes"),
)

# What each log entry also writes, in the order that foreign keys allow.
ROW_TABLES: tuple[Table, ...] = (
    decisions,
    decision_domains,
    decision_agencies,
    voids,
    decided_elsewhere,
    reviews,
    inspections,
    promotions,
    keys,
    key_revocations,
    retention,
    lot_commitments,
    lot_reveals,
    lot_draws,
    referrals,
    referral_steps,
    delays,
    releases,
    event_agencies,
    policy_promotions,
    watch_entries,
    rule_hits,
    proposals,
    agency_modes,
)

name_lists = Table(
    "name_lists",
    metadata,
    Column("digest", String(71), nullable=False),
    Column("names", LargeBinary, nullable=False),
    PrimaryKeyConstraint("digest", name="pk_name_lists"),
)
ended_sessions = Table(
    "ended_sessions",
    metadata,
    Column("session_sha256", String(64), nullable=False),
    Column("until", String(27), nullable=False),
    PrimaryKeyConstraint("session_sha256", name="pk_ended_sessions"),
)
profile_shelves = Table(
    "profile_shelves",
    metadata,
    Column("shelf", String(1), nullable=False),
    Column("is_serving", Boolean, nullable=False),
    Column("layout", String(71), nullable=False),
    Column("known_to", String(27), nullable=True),
    Column("position", BigInteger, nullable=False),
    Column("pending", LargeBinary, nullable=False),
    Column("waiting", Text, nullable=False),
    Column("neighbourhoods", Text, nullable=False),
    Column("histories", Text, nullable=False),
    PrimaryKeyConstraint("shelf", name="pk_profile_shelves"),
)


SHELVES = ("a", "b")
# A slot is the key of a state mixed with its kind: as SQLite's own row number it needs no second tree to be found by.
profile_states = {
    shelf: Table(
        f"profile_states_{shelf}",
        metadata,
        Column("slot", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
        Column("state", LargeBinary, nullable=False),
    )
    for shelf in SHELVES
}
profile_records = {
    shelf: Table(
        f"profile_records_{shelf}",
        metadata,
        Column("crossing_id", String(512), primary_key=True),
        Column("record", LargeBinary, nullable=False),
    )
    for shelf in SHELVES
}


def guards() -> dict[str, str]:
    """Return the triggers that keep the tables append-only, by name: the statement that the migrations run for each."""
    refuse = "BEGIN SELECT RAISE(ABORT, 'this table is append-only'); END"
    found: dict[str, str] = {}
    for table in (log, payloads, name_lists, *ROW_TABLES):
        for what in ("update", "delete"):
            name, unless = f"{table.name}_no_{what}", ""
            if (table, what) == (payloads, "delete"):
                unless = (
                    "WHEN NOT EXISTS (SELECT 1 FROM retention AS r WHERE r.removed_chain = OLD.chain "
                    "AND r.removed_position = OLD.position) "
                )
            found[name] = f"CREATE TRIGGER {name} BEFORE {what.upper()} ON {table.name} {unless}{refuse}"
    return found


def revisions_of(chain: ColumnElement[str] | str, crossing_id: ColumnElement[str] | str) -> Select[tuple[str]]:
    """Select the decisions of all revisions of a crossing.

    Parameters
    ----------
    chain, crossing_id : str or column
        A column where the crossing is that of another table's row.
    """
    beside = decisions.alias()
    return select(beside.c.decision_id).where(beside.c.chain == chain, beside.c.crossing_id == crossing_id)


def as_stored(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Read a column as whatever type was written, so that an edited one is found and does not trip us."""
    return type_coerce(column, NullType())


def as_bytes(stored: object) -> bytes:
    """Return a stored blob as bytes, also where it was edited to a text."""
    return stored if isinstance(stored, bytes) else str(stored).encode()
