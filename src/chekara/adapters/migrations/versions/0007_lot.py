"""The lot: seeds that were committed and published, and every draw that fell on a crossing."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    _logged(
        "lot_commitments",
        sa.Column("period", sa.String(7), nullable=False),
        sa.Column("commitment", sa.String(71), nullable=False),
        sa.PrimaryKeyConstraint("period", name="pk_lot_commitments"),
    )
    _logged(
        "lot_reveals",
        sa.Column("period", sa.String(7), nullable=False),
        sa.PrimaryKeyConstraint("period", name="pk_lot_reveals"),
    )
    _logged(
        "lot_draws",
        sa.Column("decision_id", sa.String(36), nullable=False),
        sa.Column("domain", sa.String(64), nullable=False),
        sa.Column("arm", sa.String(64), nullable=False),
        sa.Column("crossing_id", sa.String(512), nullable=False),
        sa.Column("crossing_point", sa.String(512), nullable=False),
        sa.Column("agency", sa.String(64), nullable=False),
        sa.Column("propensity", sa.Double, nullable=False),
        sa.Column("drawn_at", sa.String(27), nullable=False),
        sa.Column("due_at", sa.String(27), nullable=False),
        sa.PrimaryKeyConstraint("decision_id", "domain", "arm", name="pk_lot_draws"),
    )
    op.create_index("ix_lot_draws_drawn", "lot_draws", ["chain", "drawn_at"])


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
