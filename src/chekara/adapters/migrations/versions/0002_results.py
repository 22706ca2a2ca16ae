"""Results of inspections, beside the log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "inspections",
        sa.Column("chain", sa.String(8), nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("inspection_id", sa.String(512), nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("crossing_id", sa.String(512), nullable=False),
        sa.Column("domain", sa.String(64), nullable=False),
        sa.Column("known_at", sa.String(27), nullable=False),
        sa.Column("content", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["chain", "position"], ["log.chain", "log.position"], name="fk_inspections_log"),
        sa.PrimaryKeyConstraint("chain", "inspection_id", "revision", name="pk_inspections"),
    )
    op.create_index("ix_inspections_crossing", "inspections", ["chain", "crossing_id"])
    refuse = "BEGIN SELECT RAISE(ABORT, 'this table is append-only'); END"
    op.execute(f"CREATE TRIGGER inspections_no_update BEFORE UPDATE ON inspections {refuse}")
    op.execute(f"CREATE TRIGGER inspections_no_delete BEFORE DELETE ON inspections {refuse}")
