"""The stop button of an agency."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "agency_modes",
        sa.Column("chain", sa.String(8), nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("agency", sa.String(64), nullable=False),
        sa.Column("mode", sa.String(8), nullable=False),
        sa.PrimaryKeyConstraint("chain", "position", name="pk_agency_modes"),
        sa.ForeignKeyConstraint(["chain", "position"], ["log.chain", "log.position"], name="fk_agency_modes_log"),
    )
    refuse = "BEGIN SELECT RAISE(ABORT, 'this table is append-only'); END"
    for what in ("update", "delete"):
        op.execute(f"CREATE TRIGGER agency_modes_no_{what} BEFORE {what.upper()} ON agency_modes {refuse}")
