"""Models that were proposed for promotion."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "proposals",
        sa.Column("chain", sa.String(8), nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("proposal_id", sa.String(36), nullable=False),
        sa.Column("domain", sa.String(64), nullable=False),
        sa.Column("model_digest", sa.String(71), nullable=False),
        sa.ForeignKeyConstraint(["chain", "position"], ["log.chain", "log.position"], name="fk_proposals_log"),
        sa.PrimaryKeyConstraint("proposal_id", name="pk_proposals"),
    )
    refuse = "BEGIN SELECT RAISE(ABORT, 'this table is append-only'); END"
    op.execute(f"CREATE TRIGGER proposals_no_update BEFORE UPDATE ON proposals {refuse}")
    op.execute(f"CREATE TRIGGER proposals_no_delete BEFORE DELETE ON proposals {refuse}")
