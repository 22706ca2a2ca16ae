"""The log, its payloads, the rows beside it, and the triggers that keep them append-only."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_TABLES = (
    "log",
    "payloads",
    "decisions",
    "decision_domains",
    "decision_agencies",
    "voids",
    "reviews",
    "promotions",
    "keys",
    "key_revocations",
    "retention",
)


def upgrade() -> None:
    op.create_table(
        "log",
        sa.Column("chain", sa.String(8), nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("recorded_at", sa.String(27), nullable=False),
        sa.Column("payload_digest", sa.String(71), nullable=False),
        sa.Column("previous_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("chain", "position", name="pk_log"),
    )
    _logged(
        "payloads",
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("chain", "position", name="pk_payloads"),
    )
    _create_decisions()
    _create_events()
    op.create_index("ix_decision_domains_rank", "decision_domains", ["model_digest", "counts_in_rank", "position"])
    op.create_index("ix_decision_agencies_newest", "decision_agencies", ["agency", "chain", "position"])
    op.create_index(
        "ix_decision_agencies_strictest", "decision_agencies", ["agency", "chain", "strictness", "position"]
    )
    op.create_index("ix_voids_decision", "voids", ["decision_id"])
    op.create_index("ix_reviews_decision", "reviews", ["decision_id", "agency"])
    op.create_index("ix_promotions_domain", "promotions", ["domain", "position"])
    _guard()


def _create_decisions() -> None:
    _logged(
        "decisions",
        sa.Column("decision_id", sa.String(36), nullable=False),
        sa.Column("crossing_id", sa.String(512), nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("crossing_point", sa.String(512), nullable=False),
        sa.Column("scored_at", sa.String(27), nullable=False),
        sa.Column("asked_by", sa.String(64), nullable=False),
        sa.Column("lane", sa.String(8), nullable=False),
        sa.Column("strictness", sa.Integer, nullable=False),
        sa.Column("content", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("decision_id", name="pk_decisions"),
        sa.UniqueConstraint("chain", "crossing_id", "revision", name="uq_decisions_revision"),
        sa.UniqueConstraint("chain", "position", name="uq_decisions_position"),
    )
    _logged(
        "decision_domains",
        sa.Column("decision_id", sa.String(36), nullable=False),
        sa.Column("domain", sa.String(64), nullable=False),
        sa.Column("agency", sa.String(64), nullable=False),
        sa.Column("lane", sa.String(8), nullable=False),
        sa.Column("probability", sa.Double, nullable=False),
        sa.Column("rank", sa.Double, nullable=False),
        sa.Column("risk", sa.Double, nullable=False),
        sa.Column("margin", sa.Double, nullable=False),
        sa.Column("model_digest", sa.String(71), nullable=False),
        sa.Column("counts_in_rank", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("decision_id", "domain", name="pk_decision_domains"),
    )
    _logged(
        "decision_agencies",
        sa.Column("decision_id", sa.String(36), nullable=False),
        sa.Column("agency", sa.String(64), nullable=False),
        sa.Column("strictness", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("decision_id", "agency", name="pk_decision_agencies"),
    )


def _create_events() -> None:
    _logged(
        "voids",
        sa.Column("crossing_id", sa.String(512), nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("decision_id", sa.String(36), nullable=False),
        sa.Column("content", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("chain", "crossing_id", "revision", name="pk_voids"),
    )
    _logged(
        "reviews",
        sa.Column("review_id", sa.String(36), nullable=False),
        sa.Column("decision_id", sa.String(36), nullable=False),
        sa.Column("agency", sa.String(64), nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("lane", sa.String(8), nullable=True),
        sa.PrimaryKeyConstraint("review_id", name="pk_reviews"),
    )
    _logged(
        "promotions",
        sa.Column("promotion_id", sa.String(36), nullable=False),
        sa.Column("domain", sa.String(64), nullable=False),
        sa.Column("model_digest", sa.String(71), nullable=False),
        sa.PrimaryKeyConstraint("promotion_id", name="pk_promotions"),
    )
    _logged(
        "keys",
        sa.Column("key_id", sa.String(36), nullable=False),
        sa.Column("key_sha256", sa.String(64), nullable=False),
        sa.Column("holder", sa.String(256), nullable=False),
        sa.Column("agency", sa.String(64), nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("scopes", sa.String(256), nullable=False),
        sa.Column("is_test", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("key_id", name="pk_keys"),
        sa.UniqueConstraint("key_sha256", name="uq_keys_sha256"),
    )
    _logged(
        "key_revocations",
        sa.Column("key_id", sa.String(36), nullable=False),
        sa.Column("revoked_at", sa.String(27), nullable=False),
        sa.PrimaryKeyConstraint("key_id", name="pk_key_revocations"),
    )
    _logged(
        "retention",
        sa.Column("removed_chain", sa.String(8), nullable=False),
        sa.Column("removed_position", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("removed_chain", "removed_position", name="pk_retention"),
    )


def _logged(name: str, *columns: sa.schema.SchemaItem) -> None:
    op.create_table(
        name,
        sa.Column("chain", sa.String(8), nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        *columns,
        sa.ForeignKeyConstraint(["chain", "position"], ["log.chain", "log.position"], name=f"fk_{name}_log"),
    )


def _guard() -> None:
    refuse = "BEGIN SELECT RAISE(ABORT, 'this table is append-only'); END"
    for table in _TABLES:
        op.execute(f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {refuse}")
        unless = ""
        if table == "payloads":
            unless = (
                "WHEN NOT EXISTS (SELECT 1 FROM retention AS r WHERE r.removed_chain = OLD.chain "
                "AND r.removed_position = OLD.position) "
            )
        op.execute(f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {unless}{refuse}")
