"""Policies that were promoted, entries of watch lists, and the rules that decisions met."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    _logged(
        "policy_promotions",
        sa.Column("promotion_id", sa.String(36), nullable=False),
        sa.Column("policy_digest", sa.String(71), nullable=False),
        sa.PrimaryKeyConstraint("promotion_id", name="pk_policy_promotions"),
    )
    op.create_index("ix_policy_promotions_digest", "policy_promotions", ["policy_digest"])
    _logged(
        "watch_entries",
        sa.Column("list_name", sa.String(64), nullable=False),
        sa.Column("entity_column", sa.String(64), nullable=False),
        sa.Column("token", sa.String(512), nullable=False),
        sa.Column("ends_at", sa.String(27), nullable=False),
        sa.PrimaryKeyConstraint("chain", "position", "token", name="pk_watch_entries"),
    )
    _logged(
        "rule_hits",
        sa.Column("decision_id", sa.String(36), nullable=False),
        sa.Column("rule", sa.String(64), nullable=False),
        sa.Column("domain", sa.String(64), nullable=False),
        sa.Column("crossing_id", sa.String(512), nullable=False),
        sa.Column("scored_at", sa.String(27), nullable=False),
        sa.PrimaryKeyConstraint("decision_id", "rule", name="pk_rule_hits"),
    )
    op.create_index("ix_rule_hits_rule", "rule_hits", ["rule", "chain", "scored_at"])


def _logged(name: str, *columns: sa.Column[object] | sa.PrimaryKeyConstraint) -> None:
    op.create_table(
        name,
        sa.Column("chain", sa.String(8), nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        *columns,
        sa.ForeignKeyConstraint(["chain", "position"], ["log.chain", "log.position"], name=f"fk_{name}_log"),
    )
    refuse = "BEGIN SELECT RAISE(ABORT, 'this table is append-only'); END"
    for what in ("update", "delete"):
        op.execute(f"CREATE TRIGGER {name}_no_{what} BEFORE {what.upper()} ON {name} {refuse}")
