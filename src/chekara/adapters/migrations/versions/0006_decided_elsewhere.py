"""Crossings that were decided while the service could not be reached: none of them waits in a queue."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "decided_elsewhere",
        sa.Column("chain", sa.String(8), nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("decision_id", sa.String(36), nullable=False),
        sa.ForeignKeyConstraint(["chain", "position"], ["log.chain", "log.position"], name="fk_decided_elsewhere_log"),
        sa.PrimaryKeyConstraint("decision_id", name="pk_decided_elsewhere"),
    )
    refuse = "BEGIN SELECT RAISE(ABORT, 'this table is append-only'); END"
    op.execute(f"CREATE TRIGGER decided_elsewhere_no_update BEFORE UPDATE ON decided_elsewhere {refuse}")
    op.execute(f"CREATE TRIGGER decided_elsewhere_no_delete BEFORE DELETE ON decided_elsewhere {refuse}")
